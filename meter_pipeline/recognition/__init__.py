"""A model that answers, and why it says UNKNOWN.

- Features of photos: `features`, `image_features`; what photos are compared by: `embeddings`, `colours`, and
  `plate_reading` for the print; those of the labelled photos are kept by `known_embeddings`.
- How much a photo looks like the known ones: `scores` (with `class_gaussians`), added up by `guard`.
- The decision: `decision`, with the calibrated confidence of `temperature`; `single_photo` runs one photo end to end,
  and `attribution` shows where the model looked.
- Models on disk: `model_card` (without torch), `model_store`.

The network itself is in `network`. It never learns: fitting is in `training`, and how good a model is, is in
`evaluation`.
"""
