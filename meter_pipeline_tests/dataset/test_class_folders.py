"""Folders that are one class have one label, whatever their order, and keep it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.dataset.class_folders import class_labels, is_reserved
from meter_pipeline.labels import class_key


@pytest.mark.parametrize(
    ("paths", "before", "label"),
    [
        (["LT2/a", "lt2/a", "lt2/b"], ["LT2"], "LT2"),
        (["LT2/a", "lt2/a", "lt2/b"], ["Lt2"], "lt2"),
        (["LT2/a", "lt2/a"], [], "LT2"),
        (["lt2/a"], ["LT2"], "lt2"),
        (["Z\u00e4hler/a", "Za\u0308hler/a", "Z\u00c4HLER /a"], [], "Za\u0308hler"),
    ],
    ids=["the one before", "most files", "the first by name", "a folder that was renamed", "Unicode forms"],
)
def test_which_spelling_counts(paths: list[str], before: list[str], label: str) -> None:
    assert set(class_labels(paths, before).values()) == {label}


@given(st.lists(st.text("aA\u00e4 b", min_size=1, max_size=4), min_size=1, max_size=12), st.randoms())
def test_one_label_per_class_in_any_order(folders: list[str], random: object) -> None:
    paths = [f"{folder}/{number}.jpg" for number, folder in enumerate(folders)]
    labels = class_labels(paths, [])
    random.shuffle(paths)  # type: ignore[attr-defined]
    assert class_labels(paths, []) == labels
    assert class_labels(paths, labels.values()) == labels
    assert len(set(labels.values())) == len({class_key(folder) for folder in folders})
    assert all(class_key(folder) == class_key(label) for folder, label in labels.items())


def test_files_in_no_folder_have_no_class() -> None:
    assert class_labels(["lost.jpg", "LT2/may/a.jpg"], []) == {"LT2": "LT2"}


@pytest.mark.parametrize(
    ("name", "expected"), [("UNKNOWN", True), (" dark ", True), ("Error", True), ("DARKER", False)]
)
def test_answers_of_the_pipeline_are_no_classes(name: str, expected: bool) -> None:
    assert is_reserved(name) == expected
