"""Embeddings of the labelled photos under the champion, for analysis and for the dashboard's check of labels.

What the guard compares photos with comes with the model itself (`model_store.Reference`).
"""

from __future__ import annotations

import pandas as pd

from meter_pipeline.recognition.image_features import features_of, update_labelled_features
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, KNOWN_EMBEDDINGS, LABELLED_FEATURES


def embed_known(layout: Layout) -> int:
    """Write the L2-normalised embeddings of all labelled photos under the champion; return how many had to be computed.

    Those of the photos it was trained on come with the model.
    """
    model, split = load_model(layout), layout.lake.frame(DATASET_SPLIT)
    reference = model.reference
    other = split[~split["image_id"].isin(reference.image_ids)]
    computed = update_labelled_features(layout, model, other)
    features = features_of(layout.lake, LABELLED_FEATURES, model.version, other["image_id"].tolist())
    trained_on, others = reference.known.embeddings, features.embeddings.normalised()
    embeddings = pd.DataFrame(
        {
            "image_id": [*reference.image_ids, *features.image_ids],
            "embedding": [*trained_on.tuned, *others.tuned],
            "pretrained_embedding": [*trained_on.pretrained, *others.pretrained],
        }
    )
    rows = split[["image_id", "label", "split"]].merge(embeddings, on="image_id").sort_values("image_id")
    layout.lake.replace(KNOWN_EMBEDDINGS, rows.assign(model_version=model.version))
    return computed
