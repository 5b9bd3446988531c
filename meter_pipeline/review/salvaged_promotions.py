"""Rows of `promoted_images` that were lost, found again by the files that promotion put into `data/raw`.

Without them a file whose name was taken back since would stay in the data set: nobody would own it.
"""

from __future__ import annotations

import pandas as pd

from meter_pipeline.dataset.promoted_files import PROMOTED_NAME
from meter_pipeline.labels import Promotion
from meter_pipeline.storage.files import sha256_of
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import PROMOTED_IMAGES


def restore_promotions(layout: Layout) -> int:
    """Write `promoted_images` anew: its sound rows, and one for each unchanged file of promotion that has none.

    The next update fills in the rest of each row, or takes the file out.

    Returns:
        The number of files found.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    sound = sound_rows(layout.lake, PROMOTED_IMAGES).to_pandas()
    there, rows = set(sound["image_id"]), []
    for path in sorted(layout.raw.glob("*/reviewed-*.jpg")):
        digits = PROMOTED_NAME.fullmatch(path.name)
        if digits is None or path.is_symlink() or not path.is_file():
            continue
        image_id = sha256_of(path)
        if not image_id.startswith(digits[1]) or image_id in there:
            continue
        there.add(image_id)
        found = {"image_id": image_id, "label": path.parent.name, "status": str(Promotion.PROMOTED)}
        rows.append(dict.fromkeys(PROMOTED_IMAGES.columns) | found | {"path": f"{path.parent.name}/{path.name}"})
    restored = pd.DataFrame(rows, columns=list(PROMOTED_IMAGES.columns)).astype(object)
    layout.lake.replace(PROMOTED_IMAGES, pd.concat([sound.astype(object), restored], ignore_index=True))
    layout.lake.drop_replaced(PROMOTED_IMAGES)
    return len(rows)
