"""Judges: the invariants of a restore, checked on what is observed of it and nothing else.

A driver (the simulation, or the reader of a journal) tells a `Judge` what happens; every invariant
is a named method with its law for a docstring, and raises `InvariantViolated` when it is broken.
`catalogue.INVARIANTS` lists them all, docs/INVARIANTS.md is made from it. Nothing here runs, calls
or inspects the cores, but for the few state checks that only a simulation can make.
"""
