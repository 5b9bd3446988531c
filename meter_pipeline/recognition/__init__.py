"""A model that answers, and why it says UNKNOWN.

Features of photos (`features`, `image_features`) and what photos are compared by (`embeddings`), scores of how much a
photo looks like the known ones (`scores`, `guard`), the decision (`decision`), one photo end to end (`single_photo`),
and models on disk (`model_card` without torch, `model_store`). The network itself is in `network`. It never learns:
fitting is in `training`, and how good a model is, is in `evaluation`.
"""
