"""`meter review`: what it decides and what it says, on the tables that `meter update` leaves."""

from __future__ import annotations

import getpass
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from meter_pipeline.cli.main import app
from meter_pipeline.cli.terminal import console, error_console
from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.labels import Action
from meter_pipeline.review import decisions
from meter_pipeline.review.deciding import decide
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.photos_in_review import put_in_review

Ids = dict[str, list[str]]
Review = Callable[..., Result]


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("METER_DATA_DIR", str(tmp_path / "data"))
    for terminal in (console, error_console):
        monkeypatch.setattr(terminal, "width", 200)
    return Layout(tmp_path / "data")


@pytest.fixture
def ids(layout: Layout) -> Ids:
    return put_in_review(layout)


@pytest.fixture
def review(layout: Layout) -> Review:
    """Run `meter review ...` in this process; what a person would read as an error is raised."""

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["review", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        assert "secret" not in result.output, "a query string may hold a key to the photos"
        return result

    return run


def said(layout: Layout) -> dict[str, str]:
    """Return what the photos are by their live words: a class, or the action."""
    return {i: word.label or word.decision.action.value for i, word in current_state(layout).words.items()}


def asked(result: Result) -> Any:
    return json.loads(result.stdout)


def test_a_cluster_is_named_and_not_listed_any_more(layout: Layout, ids: Ids, review: Review) -> None:
    assert [row["cluster_id"] for row in asked(review("list", "--json"))["clusters"]] == [1, 0, -1]
    shown = review("name", "HPL_SMART", "1", "--by", "anna").output
    assert "3 photos named HPL_SMART" in shown
    assert "new class" in shown
    assert "meter update takes it over" in shown
    assert said(layout) == dict.fromkeys(ids["BLUE"], "HPL_SMART")
    (decision,) = decisions.read_decisions(layout).decisions
    assert (decision.by, decision.source, decision.seen.cluster_id, decision.seen.revision) == ("anna", "cluster", 1, 3)
    assert decision.seen.last_decisions == dict.fromkeys(ids["BLUE"])
    overview = asked(review("list", "--json"))
    assert [row["cluster_id"] for row in overview["clusters"]] == [0, -1]
    assert (overview["named"], overview["undecided"]) == (3, 6)


def test_the_list_for_people_has_clusters_and_totals(layout: Layout, ids: Ids, review: Review) -> None:
    shown = review("list").output
    assert "91%" in shown
    assert "clusters/cluster_0001" in shown
    assert shown.index("cluster_0001") < shown.index("cluster_0000") < shown.index("clusters/noise")
    assert "9 photos undecided" in shown
    (layout.decisions / "2026-11").mkdir(parents=True)
    (layout.decisions / "2026-11" / "x.json").write_text("{", encoding="utf-8")
    assert "1 decision cannot be read or applied: meter doctor" in review("list").output


@pytest.mark.parametrize("action", [Action.JUNK, Action.GROUP, Action.LATER])
def test_what_else_can_be_said_of_photos(layout: Layout, ids: Ids, review: Review, action: Action) -> None:
    red = ids["RED"]
    review(action.value, "0", "--without", red[1][:12], "--without", "http://photos.example/RED/2.jpg", "--by", "anna")
    assert said(layout) == {red[0]: action.value, red[3]: action.value}


def test_noise_by_its_name_and_as_the_list_for_programs_calls_it(layout: Layout, ids: Ids, review: Review) -> None:
    assert asked(review("show", "noise", "--json")) == asked(review("show", "-1", "--json"))
    review("junk", "-1", "--by", "anna", "--without", ids["STRAY"][0])
    assert said(layout) == {ids["STRAY"][1]: "junk"}
    with pytest.raises(MeterError, match="--witout is neither a cluster"):
        review("junk", "noise", "--witout", "0")


def test_strangers_are_excluded_from_the_rest_of_a_cluster(layout: Layout, ids: Ids, review: Review) -> None:
    red = ids["RED"]
    assert "2 photos kept out of a group of 2" in review("exclude", red[0][:8], red[1][:8], "--from", "0").output
    (apart,) = current_state(layout).apart
    assert (set(apart.out), set(apart.group)) == (set(red[:2]), set(red[2:]))
    with pytest.raises(MeterError, match="Nothing is left of the group"):
        review("exclude", "0", "--from", "0")
    with pytest.raises(MeterError, match="One photo is no group"):
        review("group", red[0])


def test_without_a_name_it_is_the_login_name_and_it_may_be_empty(
    layout: Layout, ids: Ids, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "carl")
    review("junk", ids["RED"][0])
    review("junk", ids["RED"][1], "--by", "")
    assert [d.by for d in decisions.read_decisions(layout).decisions] == ["carl", ""]
    monkeypatch.setattr(getpass, "getuser", lambda: (_ for _ in ()).throw(OSError("no such user")))
    review("junk", ids["RED"][2])
    assert decisions.read_decisions(layout).decisions[-1].by == ""


def test_a_class_is_written_as_its_folder_and_a_mistyped_one_is_pointed_out(
    layout: Layout, ids: Ids, review: Review
) -> None:
    (layout.raw / "HPL_SMART_BLUE_A").mkdir(parents=True)
    known = review("name", " hpl_smart_blue_a", ids["RED"][0]).output
    assert "The class is written HPL_SMART_BLUE_A" in known
    assert "new class" not in known
    near = review("name", "HPL_SMART_BLUE_B", ids["RED"][1]).output
    assert "HPL_SMART_BLUE_B is a new class" in near
    assert "Nearly the same: HPL_SMART_BLUE_A" in near
    assert "The class is written LT_2" in review("name", "LT/2", ids["RED"][2]).output
    review("name", "[bold]नया मीटर", ids["RED"][3])
    assert said(layout)[ids["RED"][3]] == "[bold]नया मीटर"
    for name, words in (("unknown", "an answer of the pipeline"), ("...", "no letter or digit")):
        with pytest.raises(MeterError, match=words):
            review("name", name, ids["BLUE"][0])
    assert len(said(layout)) == 4


def test_somebody_elses_word_is_left_out_and_listed_unless_it_is_replaced(
    layout: Layout, ids: Ids, review: Review
) -> None:
    red = ids["RED"]
    review("name", "LT2", red[0], red[1], "--by", "anna")
    some = review("name", "GENUS", "0", red[0], red[1], "--by", "ben").output
    assert "2 photos named GENUS" in some
    assert f"2 of these were named LT2 by anna: {red[0][:12]}, {red[1][:12]}" in some
    assert "--replace" in some
    assert [said(layout)[i] for i in red] == ["LT2", "LT2", "GENUS", "GENUS"]
    none = review("name", "GENUS", red[0], "--by", "ben", code=1).output
    assert "1 of these was named LT2 by anna" in none
    every = review("name", "GENUS", *red, "--by", "ben", "--replace").output
    assert "2 photos named GENUS" in every
    assert "2 photos left as they are" in every
    assert set(said(layout).values()) == {"GENUS"}
    assert not any(word.disputed for word in current_state(layout).words.values())
    own = review("junk", red[0], "--by", "ben").output
    assert "1 of these was named GENUS by ben; that does not count any more" in own


def test_a_disputed_photo_is_listed_first_and_settled_by_whoever_saw_both(
    layout: Layout, ids: Ids, review: Review
) -> None:
    before, photo = current_state(layout), ids["RED"][0]
    for who, label in (("anna", "LT2"), ("ben", "GENUS")):
        decide(layout, Action.NAME, [photo], by=who, target=label, state=before)
    assert "Disputed photos" in review("list").output
    assert "named GENUS by ben, and LT2 by others" in review("name", "LT2", photo, "--by", "anna", code=1).output
    review("name", "LT2", photo, "--by", "anna", "--replace")
    assert not asked(review("list", "--json"))["disputed"]
    assert said(layout)[photo] == "LT2"


def test_undo_takes_back_ones_own_last_word_step_by_step_and_can_be_undone(
    layout: Layout, ids: Ids, review: Review
) -> None:
    review("name", "LT2", "0", "--by", "anna")
    review("junk", "1", "--by", "anna")
    review("name", "GENUS", "noise", "--by", "ben")
    first = review("undo", "--by", "anna").output
    assert "Undone: junk of 3 photos, by anna" in first
    assert "Undone: name LT2 of 4 photos, by anna" in review("undo", "--by", "anna").output
    assert said(layout) == dict.fromkeys(ids["STRAY"], "GENUS")
    with pytest.raises(MeterError, match="no decision by anna that counts"):
        review("undo", "--by", "anna")
    redo = first.split("meter review undo ")[1].split()[0]
    review("undo", redo, "--by", "ben")
    assert said(layout) == dict.fromkeys(ids["STRAY"], "GENUS") | dict.fromkeys(ids["BLUE"], "junk")
    with pytest.raises(MeterError, match="no such decision"):
        review("undo", "0196")


def test_show_a_cluster_a_photo_and_a_decision(layout: Layout, ids: Ids, review: Review) -> None:
    red = ids["RED"]
    review("name", "LT2", red[0], "--by", "anna")
    review("undo", "--by", "anna")
    review("junk", red[0], "--by", "ben")
    cluster = asked(review("show", "0", "--json"))
    assert [row["image_id"] for row in cluster["photos"]] == red
    first = cluster["photos"][0]
    assert (first["image_url"], first["top1_class"], first["word"]) == (
        "http://photos.example/RED/0.jpg",
        "RED1",
        "junk by ben",
    )
    people = review("show", "0").output
    assert "Cluster 0: 4 photos, 3 undecided." in people
    photo = asked(review("show", red[0][:8], "--json"))
    assert [(d["action"], d["live"]) for d in photo["decisions"]] == [("name", False), ("junk", True)]
    assert (photo["cluster_id"], photo["predictions"][0]["final_prediction"]) == (0, "UNKNOWN")
    lines = review("show", "photos.example/RED/0.jpg").output
    assert "name LT2 by anna (does not count, undone by" in lines
    assert "word: junk by ben" in lines
    name = photo["decisions"][0]
    assert asked(review("show", name["decision_id"], "--json"))["image_ids"] == [red[0]]
    assert "name LT2 by anna" in review("show", name["decision_id"]).output
    with pytest.raises(MeterError, match="No photo is in cluster 77"):
        review("show", "77")


def test_export_and_import_twice(layout: Layout, ids: Ids, review: Review, tmp_path: Path) -> None:
    file = tmp_path / "review.csv"
    assert "9 photos in" in review("export", str(file)).output
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    filled = [lines[0], *(line.replace(",0,,", ",0,LT2,") for line in lines[1:])]
    file.write_text("\n".join(filled), encoding="utf-8")
    first = review("import", str(file), "--by", "anna").output
    assert "4 photos named LT2" in first
    assert "4 decided, 0 were that already, 5 without a class, 0 not taken." in first
    again = asked(review("import", str(file), "--by", "anna", "--json"))
    assert (again["decisions"], again["already"], again["problems"]) == ([], 4, [])
    assert len(decisions.read_decisions(layout).decisions) == 1


def test_an_import_fails_only_if_nothing_could_be_taken_and_says_which_rows(
    layout: Layout, ids: Ids, review: Review, tmp_path: Path
) -> None:
    file = tmp_path / "own.csv"
    file.write_text(f"image_id,class\n{'f' * 64},LT2\n", encoding="utf-8")
    assert "row 2" in review("import", str(file), code=1).output
    file.write_text(f"image_id,class\n{'f' * 64},LT2\n{ids['RED'][0]},LT2\n", encoding="utf-8")
    assert "1 decided" in review("import", str(file)).output
    folder = tmp_path / "sorted" / "GENUS"
    folder.mkdir(parents=True)
    shutil.copy(layout.image(ids["BLUE"][0]), folder)
    assert "1 photo named GENUS" in review("import", str(tmp_path / "sorted")).output
    layout.clusters.mkdir()
    with pytest.raises(MeterError, match="not read back"):
        review("import", str(layout.clusters))


def test_where_nothing_can_be_written_it_is_said_and_nothing_is_lost(layout: Layout, ids: Ids, review: Review) -> None:
    review("name", "LT2", "0")
    before = said(layout)
    shutil.move(layout.decisions, layout.root / "kept")
    layout.decisions.write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(StorageError, match="METER_DATA_DIR"):
        review("junk", "1")
    layout.decisions.unlink()
    shutil.move(layout.root / "kept", layout.decisions)
    assert said(layout) == before
