"""How demo photos are drawn: designs in numbers, faces and their parts, walls, junk, and the camera that sees them.

`photo` is the way in. It draws in memory and from seeds alone, so that a seed gives the same photo on every machine.
Writing files, spreadsheets and the truth about them is one level up, in `demo`.
"""
