"""From features to the table of UNKNOWN photos: each with what is printed on it, where that can be read."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from meter_pipeline.discovery import unknown_embeddings
from meter_pipeline.discovery.unknown_embeddings import Collected, collect_unknown
from meter_pipeline.recognition import plate_reading
from meter_pipeline.recognition.image_features import printed_codes
from meter_pipeline.recognition.plate_reading import NOTHING, codes_of, kept_codes, nothing_read
from meter_pipeline.settings import UnknownPrintSettings
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vectors
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    IMAGE_FEATURES,
    REVIEWED_IMAGES,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_METADATA,
)

AUTO, OFF = UnknownPrintSettings(cluster_print="auto"), UnknownPrintSettings(cluster_print="off")
MAKER, OTHER_MAKER = codes_of([("OJINEX ENERGY METER", 1.0)]), codes_of([("ZEPHRAN ENERGY METER", 1.0)])


def put_features(layout: Layout, *image_ids: str, model: str = "m", printed: np.ndarray | None = None) -> None:
    both = {"logits": [1.0], "embedding": [1.0, 2.0], "pretrained_embedding": [2.0, 1.0], "colours": [1.0]}
    read = {} if printed is None else {"printed": printed.tolist()}
    rows = [{"image_id": name, "model_version": model, "preprocess_id": "p", **both, **read} for name in image_ids]
    layout.lake.append(IMAGE_FEATURES, pa.Table.from_pylist(rows, schema=IMAGE_FEATURES.schema))


def name_unknown(layout: Layout, *image_ids: str, models: dict[str, str] | None = None) -> None:
    rows = [
        {
            **{"drop": "d", "position": place, "image_id": name, "final_prediction": "UNKNOWN"},
            "model_version": (models or {}).get(name, "m"),
        }
        for place, name in enumerate(image_ids)
    ]
    layout.lake.replace(BATCH_PREDICTIONS, pd.DataFrame(rows, columns=list(BATCH_PREDICTIONS.columns)))


def keep(layout: Layout, image_id: str, codes: np.ndarray) -> None:
    """Put codes where they are kept once a plate was read."""
    kept = kept_codes(layout.plates, image_id)
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(kept, codes)


def collected(layout: Layout, settings: UnknownPrintSettings) -> dict[str, list[int]]:
    """Collect, and return the codes of each photo."""
    collect_unknown(layout, settings)
    table = layout.lake.read(UNKNOWN_EMBEDDINGS)
    return dict(zip(table["image_id"].to_pylist(), printed_codes(table).tolist(), strict=True))


@pytest.fixture
def no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no plate be read anew."""

    def refused() -> None:
        raise AssertionError("a plate was read")

    monkeypatch.setattr(plate_reading, "_load_reader", refused)


def test_each_photo_has_its_embeddings_and_what_was_read_on_it(tmp_path: Path, no_reader: None) -> None:
    layout = Layout(tmp_path)
    put_features(layout, "b", "a", "c")
    name_unknown(layout, "a", "b", "c")
    for image_id, codes in (("a", MAKER), ("b", OTHER_MAKER), ("c", nothing_read(1)[0])):
        keep(layout, image_id, codes)
    assert collect_unknown(layout, AUTO) == Collected(photos=3, decided=0, with_print=2)
    table = layout.lake.read(UNKNOWN_EMBEDDINGS)
    assert table["image_id"].to_pylist() == ["a", "b", "c"]
    assert np.array_equal(vectors(table, "embedding"), [[1.0, 2.0]] * 3)
    assert np.array_equal(vectors(table, "pretrained_embedding"), [[2.0, 1.0]] * 3)
    assert np.array_equal(printed_codes(table), [MAKER, OTHER_MAKER, nothing_read(1)[0]])
    first, second, none = table["print_hash"].to_pylist()
    assert none is None
    assert first != second


def test_other_print_is_another_data_version_and_the_same_print_the_same(tmp_path: Path, no_reader: None) -> None:
    layout = Layout(tmp_path)
    put_features(layout, "a", "b")
    name_unknown(layout, "a", "b")
    for image_id in ("a", "b"):
        keep(layout, image_id, MAKER)
    versions = []
    for settings in (AUTO, AUTO, OFF, AUTO):
        collect_unknown(layout, settings)
        versions.append(layout.lake.version(UNKNOWN_EMBEDDINGS))
    keep(layout, "b", OTHER_MAKER)
    collect_unknown(layout, AUTO)
    read, again, off, on = versions
    assert read == again == on
    assert len({read, off, layout.lake.version(UNKNOWN_EMBEDDINGS)}) == 3


def test_what_the_model_read_is_taken_and_not_read_again_whatever_the_setting(tmp_path: Path, no_reader: None) -> None:
    layout = Layout(tmp_path)
    put_features(layout, "a", model="reads", printed=MAKER)
    put_features(layout, "b", model="does-not")
    name_unknown(layout, "a", "b", models={"a": "reads", "b": "does-not"})
    keep(layout, "a", OTHER_MAKER)
    keep(layout, "b", OTHER_MAKER)
    assert collected(layout, OFF) == {"a": MAKER.tolist(), "b": nothing_read(1)[0].tolist()}
    assert collected(layout, AUTO) == {"a": MAKER.tolist(), "b": OTHER_MAKER.tolist()}


def test_without_the_packages_photos_go_without_print_and_the_log_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    layout = Layout(tmp_path)
    put_features(layout, "a")
    name_unknown(layout, "a")
    monkeypatch.setattr(plate_reading, "find_spec", lambda _: None)
    with caplog.at_level(logging.INFO, unknown_embeddings.__name__):
        assert collected(layout, AUTO) == {"a": nothing_read(1)[0].tolist()}
    assert "pip install 'meter-pipeline[plates]'" in caplog.text


def test_a_lost_and_a_damaged_photo_go_without_print_and_harm_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(plate_reading, "_load_reader", lambda: None)  # starts; no photo gets as far as to be read
    layout = Layout(tmp_path)
    put_features(layout, "aa", "bb", "cc")
    name_unknown(layout, "aa", "bb", "cc")
    keep(layout, "aa", MAKER)
    write_bytes(layout.image("bb"), b"\xff\xd8\xff not a photo")
    found = collected(layout, AUTO)
    assert "2 of 3 photos are lost or damaged" in caplog.text
    assert found["aa"] == MAKER.tolist()
    assert set(found["bb"]) == set(found["cc"]) == {NOTHING}


def test_photos_that_people_decided_on_are_left_out_until_that_is_undone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    actions = {
        "named": "name",
        "disputed": "name",
        "junk": "junk",
        "later": "later",
        "grouped": "group",
        "out": "exclude",
    }
    put_features(layout, *actions, "new")
    name_unknown(layout, *actions, "new")
    rows = [
        {"image_id": name, "action": action, "disputed": name == "disputed"}
        for name, action in [*actions.items(), ("known to the model", "name")]
    ]
    layout.lake.replace(REVIEWED_IMAGES, pd.DataFrame(rows, columns=list(REVIEWED_IMAGES.columns)))
    assert collect_unknown(layout, OFF) == Collected(photos=4, decided=3, with_print=0)
    for table in (UNKNOWN_EMBEDDINGS, UNKNOWN_METADATA):
        assert set(layout.lake.frame(table)["image_id"]) == {"later", "grouped", "out", "new"}
    layout.lake.replace(REVIEWED_IMAGES, pd.DataFrame([], columns=list(REVIEWED_IMAGES.columns)))
    assert collect_unknown(layout, OFF) == Collected(photos=7, decided=0, with_print=0)


def test_no_unknown_photos_are_an_empty_table(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    name_unknown(layout)
    assert collect_unknown(layout, AUTO) == Collected(photos=0, decided=0, with_print=0)
    assert layout.lake.read(UNKNOWN_EMBEDDINGS).num_rows == 0
