"""`meter verify`: the whole data directory looked at, what to do about each finding, mended where that loses nothing.

Here is what is looked at, in which order, and how it is said. What is wrong with a thing, and how it is made again, is
told by the room that owns it. Without `--mend` nothing is written.
"""
