"""What a review page asks and says, as plain values: groups and their photos, suggestions, decisions as they come in.

`desk` is the entry; it reads the clusters (`clustered`), compares photos (`look_alikes`), and takes decisions that a
page sends (`wishes`). Knows no server and no screen.
"""
