"""Making a decision: what was seen is noted, the class is spelled as it is there, and nonsense is refused."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.labels import Action
from meter_pipeline.recognition.model_card import set_champion
from meter_pipeline.review.deciding import decide, undo
from meter_pipeline.review.decisions import read_decisions
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS
from meter_pipeline_tests.support.review_decisions import file_content, photo, put_file

A, B = photo("a"), photo("b")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    (layout.raw / "LT2").mkdir(parents=True)
    rows = [{"image_id": A, "cluster_id": 7, "revision": 12}]
    layout.lake.replace(UNKNOWN_CLUSTERS, pd.DataFrame(rows).reindex(columns=list(UNKNOWN_CLUSTERS.columns)))
    set_champion(layout, "0003-ab", reason="test")
    return layout


def test_what_the_person_saw_goes_into_the_file(layout: Layout) -> None:
    first = decide(layout, Action.LATER, [A], by=" anna ")
    second = decide(layout, Action.NAME, [A, B, A], by="bob", target="lt2 ", source="cluster", cluster_id=7)
    assert (first.by, second.target, second.image_ids) == ("anna", "LT2", (A, B))
    seen = second.seen
    assert (seen.cluster_id, seen.revision, seen.model_version) == (7, 12, "0003-ab")
    assert seen.last_decisions == {A: first.decision_id, B: None}
    assert read_decisions(layout).decisions == (first, second)


def test_a_new_class_keeps_the_spelling_of_who_named_it_first(layout: Layout) -> None:
    decide(layout, Action.NAME, [A], by="anna", target="New A")
    assert decide(layout, Action.NAME, [B], by="bob", target="NEW  a").target == "New A"


def test_names_in_turn_are_no_dispute_as_each_saw_the_one_before(layout: Layout) -> None:
    for by, target in (("anna", "X"), ("bob", "Y"), ("carol", "Z")):
        decide(layout, Action.NAME, [A], by=by, target=target)
    word = current_state(layout).words[A]
    assert (word.label, word.disputed) == ("Z", False)


def test_an_undo_and_the_undo_of_it(layout: Layout) -> None:
    named = decide(layout, Action.NAME, [A], by="anna", target="NEW")
    taken_back = undo(layout, named.decision_id, by="bob")
    assert current_state(layout).words == {}
    with pytest.raises(MeterError, match="does not count any more"):
        undo(layout, named.decision_id, by="bob")
    undo(layout, taken_back.decision_id, by="anna")
    assert current_state(layout).words[A].label == "NEW"
    with pytest.raises(MeterError, match="no such decision"):
        undo(layout, "nothing", by="anna")


@pytest.mark.parametrize(
    ("action", "photos", "target"),
    [
        (Action.NAME, [], "NEW"),
        (Action.NAME, ["../x"], "NEW"),
        (Action.NAME, [A], None),
        (Action.NAME, [A], " / "),
        (Action.NAME, [A], "UNKNOWN"),
        (Action.EXCLUDE, [A], ["b"]),
        (Action.UNDO, [A], None),
        ("merge", [A], None),
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(
    layout: Layout, action: Action | str, photos: list[str], target: str | list[str] | None
) -> None:
    with pytest.raises(MeterError):
        decide(layout, action, photos, by="anna", target=target)
    assert read_decisions(layout).decisions == ()


def test_the_same_said_again_under_one_id_is_one_decision(layout: Layout) -> None:
    first = decide(layout, Action.NAME, [A], by="anna", target="New", decision_id="d1")
    assert decide(layout, Action.NAME, [A], by="anna", target="NEW", decision_id="d1") == first
    assert read_decisions(layout).decisions == (first,)


def test_something_else_under_the_same_id_is_refused(layout: Layout) -> None:
    first = decide(layout, Action.JUNK, [A], by="anna", decision_id="d1")
    with pytest.raises(MeterError, match="Something else was decided"):
        decide(layout, Action.JUNK, [B], by="anna", decision_id="d1")
    assert read_decisions(layout).decisions == (first,)


def test_an_id_never_leaves_the_folder(layout: Layout) -> None:
    with pytest.raises(MeterError, match="cannot be the id"):
        decide(layout, Action.JUNK, [A], by="anna", decision_id="../../../escaped")
    assert not list(layout.root.rglob("escaped*"))


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be set here")
def test_a_time_without_a_zone_is_utc_wherever_the_computer_is(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        made = decide(layout, Action.JUNK, [A], by="", at=datetime(2026, 11, 30, 23))
        assert made.at == datetime(2026, 11, 30, 23, tzinfo=UTC)
        assert read_decisions(layout).decisions == (made,)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_name_of_a_person_that_is_no_text_does_not_stop_the_decision(layout: Layout) -> None:
    assert decide(layout, Action.JUNK, [A], by="an\udcffna").by == "an?na"
    assert len(read_decisions(layout).decisions) == 1


def test_a_name_that_has_no_effect_can_be_undone_as_its_problem_advises(layout: Layout) -> None:
    put_file(layout, file_content("d1", target="UNKNOWN", image_ids=[A]))
    assert "Undo it" in current_state(layout).problems[0]
    undo(layout, "d1", by="anna")
    assert current_state(layout).problems == ()


def test_a_folder_that_cannot_be_written_is_said(layout: Layout) -> None:
    layout.decisions.parent.mkdir(parents=True)
    layout.decisions.write_text("a file in the way", encoding="utf-8")
    with pytest.raises(StorageError, match="A file stands where a folder should be"):
        decide(layout, Action.JUNK, [A], by="anna")
