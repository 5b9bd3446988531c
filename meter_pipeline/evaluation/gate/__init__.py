"""The gate a new model passes to come into use: values in, a verdict out; no file, no table, no torch.

- What is judged: `contender` (a model and its answers), `drop_photos` (both models' answers to photos of drops).
- On what: `old_classes`, `new_classes`, `unknown`, `rejected` (what a person rejected must not come back), `replay`
  (the last drops named again). Each measures, and gives `findings` with numbers, limit and the outcome these lead to.
- What follows: `verdict` (the worst outcome wins), and its words in `sentences`.
"""
