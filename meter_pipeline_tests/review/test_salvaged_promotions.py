"""The table of promoted photos is lost: files that promotion made still have an owner, a person's have not."""

from __future__ import annotations

import shutil
from pathlib import Path

from meter_pipeline.dataset.promoted_files import own_files, promoted_name
from meter_pipeline.review.promoted_images import promote
from meter_pipeline.review.salvaged_promotions import restore_promotions
from meter_pipeline.settings import ClassSizeSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import PROMOTED_IMAGES
from meter_pipeline_tests.support.reviewed_photos import named, store_photo, write_reviewed


def test_a_name_taken_back_meanwhile_takes_its_file_out(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    stays, undone = store_photo(layout, 1), store_photo(layout, 2)
    write_reviewed(layout, {stays: named("RED"), undone: named("RED")})
    promote(layout, ClassSizeSettings())
    of_a_person = layout.raw / "RED" / "mine.jpg"
    shutil.copyfile(layout.image(store_photo(layout, 4)), of_a_person)
    changed = layout.raw / "RED" / promoted_name("a" * 64)
    shutil.copyfile(layout.image(store_photo(layout, 3)), changed)
    before = own_files(layout.lake.frame(PROMOTED_IMAGES))
    layout.lake.shard_files(PROMOTED_IMAGES.name)[0].write_bytes(b"")
    assert restore_promotions(layout) == 2
    assert own_files(layout.lake.frame(PROMOTED_IMAGES)) == before
    assert restore_promotions(layout) == 0

    write_reviewed(layout, {stays: named("RED")})
    promote(layout, ClassSizeSettings())
    assert {path.name for path in (layout.raw / "RED").iterdir()} == {promoted_name(stays), "mine.jpg", changed.name}
