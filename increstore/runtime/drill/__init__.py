"""A fault drill: the production nodes, stores and transports, with faults done to them on purpose.

What befalls whom is decided by the one fault director of the run; here it is carried out on real
tasks, threads, files, sockets and processes. Nothing of this is imported by a normal restore.
"""
