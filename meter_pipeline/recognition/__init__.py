"""A model that answers, and why it says UNKNOWN.

- Features of photos: `features`, `image_features`; what photos are compared by: `embeddings`, `colours`, and
  `plate_reading` for the print; those of the labelled photos are kept by `known_embeddings`.
- How much a photo looks like the known ones: `scores` (with `class_gaussians`), added up by `guard`; which photos need
  no closer views: `early_exit`.
- The decision: `decision`, with the calibrated confidence of `temperature` (and `softmax`); `single_photo` runs one
  photo end to end, and `attribution` shows where the model looked.
- Models on disk: `model_card`, `model_files`, `model_history`, `model_store`.

Answering takes no torch, unless the network runs on a CUDA card; `attribution` does.

The network itself is in `network`. It never learns: fitting is in `training`, and how good a model is, is in
`evaluation`.
"""
