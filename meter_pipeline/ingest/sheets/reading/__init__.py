"""A drop read in a process of its own, with limits of memory and time.

`process` starts it, `worker` runs in it, and `protocol` is what both know.
"""
