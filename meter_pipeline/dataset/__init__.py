"""The labelled photos in `data/raw`: what there is, what belongs together, and which photos are held out.

`image_inventory` and `dataset_split` are what the assets of those names call. Training on them is in `training`; what
people decided about new photos will be in `review`. Nothing here loads torch.
"""
