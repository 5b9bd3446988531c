"""The tables of what people decided: the same files give the same rows, and what is wrong with a file is said."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_pipeline.labels import Action
from meter_pipeline.photos.store import store
from meter_pipeline.review.decisions import Decision, write_decision
from meter_pipeline.review.reviewed_images import decision_problems, review_photos
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import REVIEW_CONSTRAINTS, REVIEWED_IMAGES
from meter_pipeline_tests.support.patterns import draw
from meter_pipeline_tests.support.review_decisions import decision, file_content, histories, photo, put_file


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


HISTORY = [
    decision("d1", Action.NAME, ["a", "b"], "LT2"),
    decision("d2", Action.NAME, ["b"], "HPL", minute=1, by="bob"),
    decision("d3", Action.EXCLUDE, ["x"], ["a", "y"], minute=2),
    decision("d4", Action.GROUP, ["y", "z"], minute=3),
    decision("d5", Action.JUNK, ["j"], minute=4, by=""),
]


def test_one_row_per_photo_with_its_live_word(layout: Layout) -> None:
    for each in HISTORY:
        write_decision(layout, each)
    summary = review_photos(layout)
    assert (summary.photos, summary.named, summary.junk, summary.disputed, summary.problems) == (6, 2, 1, 1, 0)
    rows = layout.lake.frame(REVIEWED_IMAGES).set_index("image_id")
    assert rows.loc[photo("a"), ["action", "label", "by", "decision_id"]].tolist() == ["name", "LT2", "anna", "d1"]
    assert rows.loc[photo("a"), "at"] == "2026-11-28T12:00:00+00:00"
    assert rows.loc[photo("b"), ["label", "disputed_labels"]].tolist() == ["HPL", '["LT2"]']
    assert rows.loc[photo("x"), ["action", "not_labels"]].tolist() == ["exclude", '["LT2"]']
    constraints = layout.lake.frame(REVIEW_CONSTRAINTS)
    sides = constraints.groupby(["kind", "is_out"])["image_id"].agg(set).to_dict()
    assert sides == {
        ("together", False): {photo("y"), photo("z")},
        ("apart", True): {photo("x")},
        ("apart", False): {photo("a"), photo("y")},
    }


def test_the_folder_is_the_truth_the_tables_are_made_again_the_same(layout: Layout, tmp_path: Path) -> None:
    for each in HISTORY:
        write_decision(layout, each)
    review_photos(layout)
    other = Layout(tmp_path / "other")
    for path in sorted(layout.decisions.rglob("*.json"), reverse=True):  # copied in another order, by another program
        target = other.decisions / "copied" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    review_photos(other)
    for table in (REVIEWED_IMAGES, REVIEW_CONSTRAINTS):
        assert other.lake.read(table).equals(layout.lake.read(table))
        assert other.lake.version(table) == layout.lake.version(table)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_the_tables_have_the_same_version_in_whatever_order_files_came(
    history: list[Decision], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        versions = []
        for name in ("here", "there"):
            layout = Layout(Path(folder, name))
            for each in rng.sample(history, len(history)):
                write_decision(layout, each)
                if rng.random() < 0.2:
                    review_photos(layout)  # what was folded before leaves nothing behind
            review_photos(layout)
            versions.append([layout.lake.version(table) for table in (REVIEWED_IMAGES, REVIEW_CONSTRAINTS)])
        assert versions[0] == versions[1]


def test_a_run_that_was_killed_is_made_good_by_the_next(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    write_decision(layout, HISTORY[0])
    review_photos(layout)
    write_decision(layout, HISTORY[3])
    kill_after_the_first_table(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        review_photos(layout)
    monkeypatch.undo()
    review_photos(layout)
    assert set(layout.lake.frame(REVIEWED_IMAGES)["image_id"]) == {photo(name) for name in "abyz"}


def kill_after_the_first_table(monkeypatch: pytest.MonkeyPatch) -> None:
    from meter_pipeline.storage.lake import Lake

    whole = Lake.replace

    def replace(self: Lake, spec: object, rows: object) -> str:
        if spec is REVIEWED_IMAGES:
            raise KeyboardInterrupt
        return whole(self, spec, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "replace", replace)


def test_without_decisions_the_tables_are_there_and_empty(layout: Layout) -> None:
    assert review_photos(layout).photos == 0
    assert layout.lake.exists(REVIEWED_IMAGES)
    assert layout.lake.exists(REVIEW_CONSTRAINTS)
    assert decision_problems(layout) == []


def test_what_is_wrong_with_files_is_said_by_name_and_stops_nothing(layout: Layout, tmp_path: Path) -> None:
    draw("BLUE_A", 1).save(tmp_path / "a.jpg")
    here = store(layout, (tmp_path / "a.jpg").read_bytes()).image_id
    put_file(layout, "{", "2026-11/broken.json")
    put_file(layout, file_content("future", action="teleport"))
    put_file(layout, file_content("gone", image_ids=[here, photo("gone")]))
    put_file(layout, file_content("early", action="undo", image_ids=[], undoes="later"))
    put_file(layout, file_content("bad", target="UNKNOWN", image_ids=[here]))
    assert review_photos(layout).problems == 4
    problems = decision_problems(layout)
    for words in (
        ("2026-11/broken.json", "JSON"),
        ("2026-11/future.json", "newer version"),
        ("2026-11/gone.json", "1 of its 2 photos"),
        ("early", "not there yet"),
        ("bad", "answer of the pipeline"),
    ):
        assert any(all(word in problem for word in words) for problem in problems), words
    assert set(layout.lake.frame(REVIEWED_IMAGES)["label"]) == {"NEW"}
