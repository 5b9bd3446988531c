"""Makes a model from a split: augmentation, kept trunk outputs, two phases, folds, fitting the guard.

Only `trained_model.train_model` is called from outside. A model that answers is in `recognition`, which this package
imports; whether a model is good enough is in `evaluation`.
"""
