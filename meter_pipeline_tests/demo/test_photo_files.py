"""Drawn photos as files: whole or damaged as asked for, and those that are there are kept."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from meter_pipeline.demo.drawing.designs import known_designs
from meter_pipeline.demo.drawing.photo import PHOTO_SIZE, Shot, draw_photo
from meter_pipeline.demo.photo_files import PhotoFile, draw_photo_files


def test_whole_cut_and_replaced_files_and_one_that_is_there(tmp_path: Path) -> None:
    shot = Shot(known_designs()[0], "meter 1", "view")
    (tmp_path / "there.jpg").write_bytes(b"kept")
    wanted = [
        PhotoFile("there.jpg", shot),
        PhotoFile("photos/whole.jpg", shot),
        PhotoFile("photos/cut.jpg", shot, "cut"),
        PhotoFile("photos/page.jpg", shot, "page"),
    ]
    calls: list[tuple[int, int]] = []
    draw_photo_files(tmp_path, wanted, workers=1, progress=lambda *call: calls.append(call))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (tmp_path / "there.jpg").read_bytes() == b"kept"
    whole = (tmp_path / "photos" / "whole.jpg").read_bytes()
    assert whole == draw_photo(shot)
    assert set(Image.open(io.BytesIO(whole)).size) == set(PHOTO_SIZE)
    assert whole.startswith((tmp_path / "photos" / "cut.jpg").read_bytes())
    with pytest.raises(OSError, match="truncated"):
        Image.open(tmp_path / "photos" / "cut.jpg").load()
    assert (tmp_path / "photos" / "page.jpg").read_bytes().startswith(b"<!DOCTYPE html>")
