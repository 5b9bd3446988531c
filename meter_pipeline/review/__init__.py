"""What people decided about photos, and what follows from it: their state, and named photos in the data set.

A decision is one immutable file (`decisions`, written by `deciding`); `state` folds them, `reviewed_images` and
`promoted_images` (by `promotion_plan`) are what the assets of those names call. `selection` says which photos a person
means, `agreement` whose word a new one would overrule, `overview` what waits; `sheets` takes decisions from
spreadsheets, `review_table` gives them out; `retraining` says when enough was named to train again; `page` is what
the review page asks and says. Clusters that hold to what people said are in `discovery`; judging the new model is in
`evaluation`. Nothing here loads torch.
"""
