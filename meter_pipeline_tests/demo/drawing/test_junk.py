"""Drawn photos of what is not a meter."""

import imagehash

from meter_pipeline.demo.drawing.photo import Shot, draw_photo
from meter_pipeline_tests.support.pictures import picture


def test_junk_comes_in_many_kinds() -> None:
    hashes = {str(imagehash.phash(picture(draw_photo(Shot(None, f"junk {n}", "view"))))) for n in range(8)}
    assert len(hashes) == 8
