"""How good a model is, and whether it may replace the one in use; never changes a model.

`evaluation_report` and `champion_model` are what the assets of those names call; the figures, curves and plots of the
report page are behind the first, and the gate is behind the second: `gate` decides on what `answers` (test photos) and
`drop_answers` (photos of the last drops) say, and `gate_report` keeps it for people. The answers themselves come from
`recognition`.
"""
