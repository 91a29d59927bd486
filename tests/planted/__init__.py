"""Bugs that are planted on purpose: the judges must find every one of them, or they prove nothing.

`python -m tests.planted` plants them one by one, each in a process of its own, and prints which
judge turned red, where, and after how long. See docs/PLANTED.md.
"""
