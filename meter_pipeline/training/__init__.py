"""Makes a model from a split: photos and kept trunk outputs, two phases, folds, fitting the guard, the model's card.

`trained_model` runs the steps: `training_photos` reads the photos, and `trunk_cache` what the trunk makes of them
(`augmentation`, `frozen_trunk`); `two_phase` trains a network (`schedule`, `mixup`, and `discriminant_head` for what
names the photos), `cross_fitting` those of the folds beside it; `guard_fitting` fits the guard to what they say of
photos they were not shown (`held_out`, `guard_limits`, `photos_needed`), `early_exit_fitting` chooses which photos need
no closer views, `training_result` is what the card tells, `saving` writes the model, and `cache_limit` keeps the kept
outputs small.

Only `trained_model.train_model` is called from outside. A model that answers is in `recognition`, which this package
imports; whether a model is good enough is in `evaluation`.
"""
