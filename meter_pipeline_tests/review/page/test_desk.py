"""The desk: groups and photos as they are this second, decisions as they come in, two people at once."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.labels import NOISE, Action
from meter_pipeline.recognition.model_card import set_champion
from meter_pipeline.review import decisions
from meter_pipeline.review.deciding import decide, undo
from meter_pipeline.review.decisions import new_decision_id, read_decisions
from meter_pipeline.review.page import look_alikes
from meter_pipeline.review.page.desk import ReviewDesk
from meter_pipeline.review.page.wishes import Wish
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import (
    CLUSTER_SUMMARY,
    IMAGE_FEATURES,
    IMAGE_INVENTORY,
    KNOWN_EMBEDDINGS,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_METADATA,
    TableSpec,
)
from meter_pipeline_tests.support.bounds import slowness
from meter_pipeline_tests.support.model_cards import write_card
from meter_pipeline_tests.support.review_decisions import file_content, photo, put_file
from meter_pipeline_tests.support.two_drops import frame

EAST, NORTH, UP = np.eye(3)
GROUPS = {
    # cluster: photos with their look, sureness, share of meters
    0: ({"a1": EAST, "a2": EAST + 0.1 * UP, "a3": EAST + 0.9 * UP, "a4": EAST}, 0.62, 0.9),
    1: ({"b1": EAST + 0.3 * UP, "b2": EAST + 0.3 * UP}, 0.91, None),
    2: ({"c1": NORTH, "c2": NORTH, "c3": NORTH}, 0.93, 1.0),
    3: ({"j1": UP, "j2": UP}, 0.99, 0.2),
    NOISE: ({"n1": UP + NORTH, "n2": UP - NORTH}, None, None),
}
METERS = {"a1": "one", "a3": "one"}
A, B, C, J, N = ([photo(name) for name in GROUPS[number][0]] for number in (0, 1, 2, 3, NOISE))
EVERYBODY = [photo(name) for photos, *_ in GROUPS.values() for name in photos]


@pytest.fixture(autouse=True)
def _every_class_is_near_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos that a test writes by hand point in few directions, at right angles."""
    monkeypatch.setattr(look_alikes, "LEAST_NEAR", -1.0)


@pytest.fixture
def empty(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def layout(empty: Layout) -> Layout:
    lake = empty.lake
    put_groups(empty, GROUPS)
    summary = [
        {"cluster_id": number, "sureness": sureness, "meter_share": meters}
        for number, (_, sureness, meters) in GROUPS.items()
    ]
    lake.replace(CLUSTER_SUMMARY, frame(CLUSTER_SUMMARY, summary))
    known = {"k1": EAST, "k2": EAST, "g1": NORTH + 0.5 * EAST}
    labels = {"k1": "LT2", "k2": "LT2", "g1": "GENUS"}
    put_looks(empty, KNOWN_EMBEDDINGS, known, label=[labels[name] for name in known])
    inventory = [{"path": name, "label": label, "image_id": photo(name)} for name, label in labels.items()]
    lake.replace(IMAGE_INVENTORY, frame(IMAGE_INVENTORY, inventory))
    for label in ("LT2", "GENUS"):
        (empty.raw / label).mkdir(parents=True)
    write_card(empty, "0001-ab", ["GENUS", "LT2"])
    set_champion(empty, "0001-ab", reason="test")
    return empty


@pytest.fixture
def desk(layout: Layout) -> ReviewDesk:
    return ReviewDesk(layout)


def put_groups(layout: Layout, groups: Mapping[int, Sequence[Any]], *, revision: int = 12) -> None:
    rows, looks, guesses = [], {}, []
    for number, (photos, *_) in groups.items():
        for place, (name, look) in enumerate(photos.items()):
            image_id, looks[name] = photo(name), look
            meter = METERS.get(name)
            row = {"image_id": image_id, "cluster_id": number, "membership": 1 - 0.1 * place, "same_meter": meter}
            rows.append(row | {"revision": revision})
            top = {"top1_class": f"TYPE{number}", "top1_confidence": 0.41238, "top2_class": "LT2"}
            guesses.append({"image_id": image_id, "image_url": name, **top, "top2_confidence": 0.1})
    layout.lake.replace(UNKNOWN_CLUSTERS, frame(UNKNOWN_CLUSTERS, rows))
    layout.lake.replace(UNKNOWN_METADATA, frame(UNKNOWN_METADATA, guesses))
    put_looks(layout, UNKNOWN_EMBEDDINGS, looks)


def put_looks(layout: Layout, spec: TableSpec, rows: Mapping[str, np.ndarray], **columns: list[str]) -> None:
    values = {name: pa.nulls(len(rows), column.type) for name, column in spec.columns.items()}
    values["image_id"] = pa.array([photo(name) for name in rows], pa.string())
    values["model_version"] = pa.array(["0001-ab"] * len(rows), pa.string())
    values["pretrained_embedding"] = vector_column(np.array(list(rows.values())))
    layout.lake.replace(spec, pa.table(values | columns, schema=spec.schema))


def wish(action: str, image_ids: Sequence[str], target: Any = None, **changes: Any) -> Wish:
    content = {"decision_id": new_decision_id(), "action": action, "image_ids": list(image_ids), "target": target}
    return Wish.parsed(content | changes)


def named(image_ids: Sequence[str], label: str, **changes: Any) -> Wish:
    return wish("name", image_ids, label, **changes)


def take(desk: ReviewDesk, *wishes: Wish, by: str = "anna", replace: bool = False) -> list[list[str]]:
    """Take wishes, none of which is refused; return the photos that were decided."""
    taken, refused = desk.take(wishes, by=by, replace=replace)
    assert refused == []
    return [each["image_ids"] for each in taken]


def waiting(desk: ReviewDesk) -> list[int]:
    return [group["cluster_id"] for group in desk.overview()["groups"]]


def suggested(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(each["label"], each["source"]) for each in answer["suggestions"]]


# What waits


def test_groups_come_surest_and_largest_first_then_what_is_hardly_meters_then_noise(desk: ReviewDesk) -> None:
    overview = desk.overview()
    assert waiting(desk) == [2, 1, 0, 3, NOISE]
    first, _, mixed, junk, noise = overview["groups"]
    assert (first["photos"], first["sureness"], first["guess"], first["hardly_meters"]) == (3, 0.93, "TYPE2", False)
    assert (mixed["photos"], mixed["meters"], mixed["examples"]) == (4, 3, [A[0], A[1], A[3]])
    assert suggested(first) == [("GENUS", "known"), ("LT2", "known")]
    assert (junk["hardly_meters"], noise["sureness"], noise["suggestions"]) == (True, None, [])
    assert overview["left"] == {"photos": 13, "groups": 4}
    assert (overview["revision"], overview["has_model"]) == (12, True)


def test_decided_photos_leave_and_groups_without_photos_too(desk: ReviewDesk) -> None:
    take(desk, named(C, "GENUS"), wish("junk", A[:1]), wish("later", B))
    overview = desk.overview()
    assert waiting(desk) == [1, 0, 3, NOISE]
    assert overview["left"] == {"photos": 9, "groups": 3}
    assert overview["decided"] == {"named": 3, "junk": 1}
    assert [each["id"] for each in desk.group(2)["photos"]] == []
    assert {each["id"] for each in desk.group(0)["photos"]} == {*A[1:]}
    assert {each["word"] for each in desk.group(1)["photos"]} == {"later"}


def test_names_say_who_knows_them_and_how_many_photos_have_them(desk: ReviewDesk) -> None:
    take(desk, named(C, "NEW"))
    names = {each["label"]: each for each in desk.overview()["names"]}
    assert [(label, each["photos"], each["is_known"]) for label, each in names.items()] == [
        ("GENUS", 1, True),
        ("LT2", 2, True),
        ("NEW", 3, False),
    ]
    assert (names["NEW"]["image_id"] in C, names["GENUS"]["image_id"]) == (True, photo("g1"))


# One group


def test_the_odd_photos_come_first_and_photos_of_one_meter_together(desk: ReviewDesk) -> None:
    group = desk.group(0)
    assert [each["id"] for each in group["photos"]][:2] == [A[0], A[2]]
    assert [each["meter"] for each in group["photos"]][:2] == ["one", "one"]
    odd = group["photos"][1]
    assert odd["distance"] == max(each["distance"] for each in group["photos"]) > 0.05
    assert (odd["top3"], odd["last"], odd["word"]) == ([("TYPE0", 0.4124), ("LT2", 0.1)], None, None)
    assert (group["cluster_id"], group["revision"], group["sureness"]) == (0, 12, 0.62)


def test_a_group_that_is_gone_is_said(desk: ReviewDesk) -> None:
    with pytest.raises(MeterError, match="not there any more"):
        desk.group(99)


def test_similar_groups_stand_beside_a_group_while_they_have_photos(desk: ReviewDesk) -> None:
    (similar,) = desk.group(0)["similar"]
    assert (similar["cluster_id"], similar["photos"], similar["examples"]) == (1, 2, B)
    assert similar["similarity"] > 0.9
    take(desk, wish("junk", B))
    assert desk.group(0)["similar"] == []


def test_a_name_given_a_minute_ago_is_suggested_for_the_next_group(desk: ReviewDesk) -> None:
    assert "NEW" not in dict(suggested(desk.group(3)))
    take(desk, named(N, "NEW"))
    assert suggested(desk.group(3))[0] == ("NEW", "named")
    card = next(group for group in desk.overview()["groups"] if group["cluster_id"] == 3)
    assert suggested(card)[0] == ("NEW", "named")


def test_it_is_suggested_also_after_the_next_clustering_took_its_photos_out(layout: Layout, desk: ReviewDesk) -> None:
    take(desk, named(N, "NEW"))
    put_looks(layout, IMAGE_FEATURES, GROUPS[NOISE][0])
    put_groups(layout, {number: group for number, group in GROUPS.items() if number != NOISE}, revision=13)
    group = desk.group(3)
    assert (group["revision"], suggested(group)[0], group["suggestions"][0]["image_id"] in N) == (
        13,
        ("NEW", "named"),
        True,
    )


def test_a_class_that_a_person_said_it_is_not_is_no_suggestion(desk: ReviewDesk) -> None:
    take(desk, wish("exclude", A[:2], B), named(B, "LT2"))
    assert "LT2" in dict(suggested(desk.group(0)))
    take(desk, wish("exclude", A[2:], B))
    assert suggested(desk.group(0)) == [("GENUS", "known")]
    card = next(group for group in desk.overview()["groups"] if group["cluster_id"] == 0)
    assert suggested(card) == [("GENUS", "known")]


def test_look_alikes_are_nearest_first_and_undecided(desk: ReviewDesk) -> None:
    found = desk.look_alikes(A, 0, 3)
    assert ([each["id"] for each in found["photos"]][:2], found["more"]) == (B, True)
    take(desk, wish("junk", B))
    rest = desk.look_alikes(A, 0, 50)
    assert ({each["id"] for each in rest["photos"]}, rest["more"]) == ({*C, *J, *N}, False)


def test_a_group_is_parted_and_its_photos_have_known_neighbours(desk: ReviewDesk) -> None:
    assert sorted(desk.parts([*C, *J])) == sorted([C, J])
    assert desk.parts(C) == [C]
    assert [(each["image_id"], each["label"]) for each in desk.nearest(C[0])] == [
        (photo("g1"), "GENUS"),
        (photo("k1"), "LT2"),
    ]


def test_names_that_are_nearly_there_are_warned_of(desk: ReviewDesk) -> None:
    assert desk.near_names("GENUSS") == {"near": ["GENUS"], "spelling": "GENUSS", "problem": None}
    take(desk, named(A, "LT/2 <b>"))
    assert desk.near_names("LT/2 <a>") == {"near": ["LT_2 _b"], "spelling": "LT_2 _a", "problem": None}
    assert desk.near_names("lt2 ")["spelling"] == "LT2"
    assert "not a meter type" in desk.near_names("UNKNOWN")["problem"]


# Two people


def test_what_somebody_else_decided_meanwhile_is_refused_and_the_rest_is_taken(desk: ReviewDesk) -> None:
    take(desk, named(A[:2], "GENUS"), by="bob")
    mine = named(A, "LT2", last=dict.fromkeys(A))
    taken, refused = desk.take([mine], by="anna")
    assert taken == [{"decision_id": mine.decision_id, "target": "LT2", "image_ids": A[2:]}]
    assert [(each.image_id, each.by, each.decision_id) for each in refused] == [
        (image_id, "bob", mine.decision_id) for image_id in A[:2]
    ]
    assert refused[0].reason == "bob named 2 photos of these GENUS a moment ago. That was kept."
    again = named(A[:2], "LT2", last=dict.fromkeys(A))
    assert take(desk, again, replace=True) == [A[:2]]
    assert desk.overview()["decided"] == {"named": 4, "junk": 0}
    assert desk.overview()["disputed"] == 0


def test_two_browsers_without_a_name_are_two_people(desk: ReviewDesk) -> None:
    take(desk, wish("junk", B), by="")
    taken, refused = desk.take([named(B, "LT2")], by="")
    assert (taken[0]["image_ids"], [each.image_id for each in refused]) == ([], B)
    assert refused[0].reason.startswith("Somebody called 2 of these junk")


def test_what_the_page_showed_may_be_changed(desk: ReviewDesk) -> None:
    first = named(B, "GENUS")
    take(desk, first, by="bob")
    take(desk, named(B, "LT2", last=dict.fromkeys(B, first.decision_id)), by="anna")
    assert desk.overview()["disputed"] == 0


def test_a_decision_on_no_photos_is_refused(layout: Layout, desk: ReviewDesk) -> None:
    taken, (refusal,) = desk.take([wish("junk", [])], by="anna")
    assert (taken, refusal.reason.startswith("No photos were named"), read_decisions(layout).decisions) == (
        [],
        True,
        (),
    )


def test_the_same_said_by_two_people_is_no_refusal(desk: ReviewDesk) -> None:
    take(desk, named(B, "LT/2"), by="bob")
    assert take(desk, named(B, "lt/2"), by="anna") == [[]]


@pytest.mark.parametrize(("action", "target"), [("later", None), ("group", None), ("exclude", C)])
def test_no_other_word_takes_a_name_away_that_was_not_seen(
    layout: Layout, desk: ReviewDesk, action: str, target: list[str] | None
) -> None:
    take(desk, named(A[:1], "GENUS"), by="bob")
    taken, refused = desk.take([wish(action, A, target)], by="anna")
    assert (taken[0]["image_ids"], [each.image_id for each in refused]) == (A[1:], A[:1])
    assert current_state(layout).words[A[0]].label == "GENUS"


def test_two_people_at_once_lose_nothing(layout: Layout, desk: ReviewDesk) -> None:
    other = ReviewDesk(layout)

    def decide_all(which: ReviewDesk, by: str) -> None:
        for image_id in EVERYBODY:
            which.take([named([image_id], f"OF_{by}")], by=by)
            which.overview()

    threads = [
        threading.Thread(target=decide_all, args=each) for each in ((desk, "anna"), (desk, "bob"), (other, "eve"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = current_state(layout)
    assert ({*state.words}, state.problems) == ({*EVERYBODY}, ())
    assert desk.fingerprint() == other.fingerprint()


# What is said


def test_the_same_id_twice_is_one_decision(layout: Layout, desk: ReviewDesk) -> None:
    mine = named(A, "LT/2")
    first, second = desk.take([mine], by="anna"), desk.take([mine, mine], by="anna")
    assert (first[0] * 2, []) == second
    assert first[0][0]["target"] == "LT_2"
    assert len(read_decisions(layout).decisions) == 1


def test_a_decision_that_is_sent_again_is_answered_as_the_first_time(desk: ReviewDesk) -> None:
    """The answer may get lost on its way."""
    take(desk, named(A[:1], "GENUS"), by="bob")
    mine = named(A, "LT2")
    assert desk.take([mine], by="anna") == desk.take([mine], by="anna")


def test_something_else_under_the_same_id_is_refused(layout: Layout, desk: ReviewDesk) -> None:
    first = named(A, "LT2", decision_id="d1")
    take(desk, first)
    for other in (
        wish("junk", A, decision_id="d1"),
        named(A, "GENUS", decision_id="d1"),
        named(B, "LT2", decision_id="d1"),
    ):
        taken, (refusal,) = desk.take([other], by="anna")
        assert (taken, refusal.image_id) == ([], None)
        assert "Something else was decided" in refusal.reason
    assert len(read_decisions(layout).decisions) == 1


def test_a_class_that_cannot_be_one_refuses_its_decision_and_no_other(layout: Layout, desk: ReviewDesk) -> None:
    bad, good = named(A, "UNKNOWN"), named(B, "LT2")
    taken, (refusal,) = desk.take([bad, good], by="anna")
    assert ([each["decision_id"] for each in taken], refusal.decision_id) == ([good.decision_id], bad.decision_id)
    assert (refusal.image_id, "not a meter type" in refusal.reason) == (None, True)
    assert len(read_decisions(layout).decisions) == 1


@pytest.mark.parametrize(
    ("said", "spelled"),
    [("सुरक्षा मीटर", "सुरक्षा मीटर"), ("LT/2\\x", "LT_2_x"), ("<script>alert(1)</script>", "script_alert(1)_script")],
)
def test_any_class_name_becomes_a_folder_name(desk: ReviewDesk, said: str, spelled: str) -> None:
    taken, _ = desk.take([named(C, said)], by="anna")
    assert taken[0]["target"] == spelled == desk.near_names(said)["spelling"]
    assert spelled in [each["label"] for each in desk.overview()["names"]]


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"action": "junk", "image_ids": A},
        {"decision_id": "d", "action": "junk"},
        {"decision_id": "d", "action": "junk", "image_ids": 5},
        {"decision_id": "d", "action": "junk", "image_ids": A, "cluster_id": float("inf")},
        {"decision_id": "d", "action": "junk", "image_ids": A, "last": 5},
    ],
)
def test_what_is_no_decision_is_said(content: object) -> None:
    with pytest.raises(MeterError, match="not a decision"):
        Wish.parsed(content)


def test_a_full_disk_is_said_and_nothing_is_written(
    layout: Layout, desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    mine = named(A, "LT2")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="disk is full"):
            desk.take([mine], by="anna")
        assert [path for path in layout.decisions.rglob("*") if path.is_file()] == []
    assert len(desk.group(0)["photos"]) == 4
    assert take(desk, mine) == [A]


def test_undo_and_undo_of_the_undo(desk: ReviewDesk) -> None:
    mine = named(A, "LT2")
    take(desk, mine)
    back = desk.take_back(mine.decision_id, by="bob")
    assert (back["undone"], back["restored"], len(desk.group(0)["photos"])) == (mine.decision_id, None, 4)
    assert back["sentence"] == "Undone: name LT2 of 4 photos."
    with pytest.raises(MeterError, match="does not count any more"):
        desk.take_back(mine.decision_id, by="anna")
    again = desk.take_back(back["by_decision"], by="anna")
    assert (again["restored"], desk.group(0)["photos"]) == (mine.decision_id, [])
    with pytest.raises(MeterError, match="no such decision"):
        desk.take_back("nothing", by="anna")


def test_history_is_newest_first_and_knows_what_still_counts(layout: Layout, desk: ReviewDesk) -> None:
    first, second = named(A, "LT2"), wish("exclude", B[:1], B[1:])
    take(desk, first, second)
    back = desk.take_back(first.decision_id, by="bob")
    history = ReviewDesk(layout).history(2)
    assert [(each["decision_id"], each["action"], each["is_live"]) for each in history] == [
        (back["by_decision"], "undo", True),
        (second.decision_id, "exclude", True),
    ]
    last = desk.history(10)[-1]
    assert (last["is_live"], last["photos"], last["target"], last["by"]) == (False, 4, "LT2", "anna")
    assert (history[0]["undoes"], history[1]["target"]) == (first.decision_id, None)


# What comes from elsewhere


def test_files_from_elsewhere_count_at_once_and_known_ones_are_not_read_again(
    layout: Layout, desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_file(layout, file_content("d1", image_ids=A))
    desk.overview()
    before, read, real = desk.fingerprint(), [], decisions._read

    def counting(path: str) -> dict[str, Any]:
        read.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(decisions, "_read", counting)
    put_file(layout, file_content("d2", image_ids=B))
    put_file(layout, file_content("d3", image_ids=C), name="d3.json")
    assert desk.fingerprint() != before
    assert waiting(desk) == [3, NOISE]
    desk.group(0)
    assert sorted(read) == ["d2.json", "d3.json"]


def test_a_file_that_was_copied_in_half_counts_once_it_is_whole(layout: Layout, desk: ReviewDesk) -> None:
    whole = put_file(layout, file_content("d1", image_ids=A))
    text = whole.read_text(encoding="utf-8")
    whole.write_text(text[:50], encoding="utf-8")
    (problem,) = desk.overview()["problems"]
    assert "d1.json" in problem
    assert 0 in waiting(desk)
    before = desk.fingerprint()
    whole.write_text(text, encoding="utf-8")
    assert desk.fingerprint() != before
    assert (desk.overview()["problems"], 0 in waiting(desk)) == ([], False)


def test_a_file_that_was_deleted_counts_no_more(layout: Layout, desk: ReviewDesk) -> None:
    path = put_file(layout, file_content("d1", image_ids=A))
    assert 0 not in waiting(desk)
    path.unlink()
    assert 0 in waiting(desk)


def test_a_new_clustering_is_seen(layout: Layout, desk: ReviewDesk) -> None:
    desk.overview()
    before = desk.fingerprint()
    put_groups(layout, {7: GROUPS[0]}, revision=13)
    assert desk.fingerprint() != before
    assert (waiting(desk), desk.overview()["revision"]) == ([7], 13)


def test_decisions_of_other_programs_are_seen(layout: Layout, desk: ReviewDesk) -> None:
    made = decide(layout, Action.NAME, A, by="bob", target="LT2")
    assert 0 not in waiting(desk)
    undo(layout, made.decision_id, by="bob")
    assert 0 in waiting(desk)


def test_nothing_is_there_yet(empty: Layout) -> None:
    desk = ReviewDesk(empty)
    overview = desk.overview()
    assert (overview["groups"], overview["names"], overview["revision"], overview["has_model"]) == ([], [], None, False)
    assert overview["left"] == {"photos": 0, "groups": 0}
    assert desk.look_alikes(A, 0, 5) == {"photos": [], "more": False}
    assert (desk.nearest(A[0]), desk.parts(A), desk.history(5)) == ([], [A], [])


def test_clusters_without_a_model_and_without_looks(layout: Layout) -> None:
    layout.champion.unlink()
    for spec in (UNKNOWN_EMBEDDINGS, KNOWN_EMBEDDINGS, UNKNOWN_METADATA):
        layout.lake.replace(spec, pd.DataFrame(columns=list(spec.columns)))
    desk = ReviewDesk(layout)
    overview = desk.overview()
    assert (waiting(desk), overview["has_model"]) == ([2, 1, 0, 3, NOISE], False)
    assert {each["is_known"] for each in overview["names"]} == {False}
    group = desk.group(0)
    assert (len(group["photos"]), group["suggestions"], group["similar"]) == (4, [], [])


@pytest.mark.slow
def test_20_000_photos_are_there_in_a_second(empty: Layout) -> None:
    random = np.random.default_rng(0)
    looks = random.normal(size=(400, 3))
    groups = {
        number: ({f"{number}-{each}": looks[number] + 0.1 * random.normal(size=3) for each in range(50)},)
        for number in range(400)
    }
    put_groups(empty, groups)
    desk, seconds = ReviewDesk(empty), []
    mine = [photo(name) for name in groups[0][0]]
    for ask in (desk.overview, lambda: desk.group(1), lambda: take(desk, named(mine, "NEW")), desk.overview):
        started = time.process_time()
        ask()
        seconds.append(time.process_time() - started)
    assert max(seconds) < 2 * slowness()
