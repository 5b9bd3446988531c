"""The split of a data set whose table was lost, as far as the labelled photos' embeddings still say it.

A photo that was tested on must not be trained on later: the next split keeps what stands here.
"""

from __future__ import annotations

import pandas as pd

from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import DATASET_SPLIT, IMAGE_INVENTORY, KNOWN_EMBEDDINGS


def restore_split(layout: Layout) -> int:
    """Write `dataset_split` anew: its sound rows, and lost ones as the champion's photos were split; return how many.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    lake = layout.lake
    sound = sound_rows(lake, DATASET_SPLIT).to_pandas()
    known = sound_rows(lake, KNOWN_EMBEDDINGS).select(["image_id", "label", "split"]).to_pandas()
    inventory = sound_rows(lake, IMAGE_INVENTORY).select(["image_id", "path", "group_id"]).to_pandas()
    lost = known[~known["image_id"].isin(sound["image_id"])].merge(
        inventory.dropna().drop_duplicates("image_id"), on="image_id", how="left"
    )
    restored = lost.assign(rule="found again")[list(DATASET_SPLIT.columns)]
    lake.replace(DATASET_SPLIT, pd.concat([sound.astype(object), restored.astype(object)], ignore_index=True))
    lake.drop_replaced(DATASET_SPLIT)
    return len(restored)
