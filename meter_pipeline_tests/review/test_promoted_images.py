"""What people named lies in data/raw, what they took back leaves it, and what is theirs is never touched."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.dataset.dataset_split import split_dataset
from meter_pipeline.dataset.image_inventory import take_inventory
from meter_pipeline.dataset.waiting_classes import WaitingClass
from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.labels import Action, Promotion
from meter_pipeline.review import promoted_images
from meter_pipeline.review.promoted_images import PromotionSummary, promote, promotion_problems, waiting_classes
from meter_pipeline.settings import ClassSizeSettings, SplitSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, IMAGE_INVENTORY, PROMOTED_IMAGES
from meter_pipeline_tests.support.reviewed_photos import named, photo_bytes, store_photo, write_reviewed

Said = Mapping[str, dict[str, object] | str]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.prepare()
    return layout


def after(layout: Layout, said: Said, *, meters: int = 3) -> PromotionSummary:
    """Write what people said and promote."""
    write_reviewed(layout, said)
    return promote(layout, ClassSizeSettings(class_from_meters=meters))


def inventory_of(layout: Layout) -> pd.DataFrame:
    lake = layout.lake
    rows = take_inventory(layout.raw, lake.frame(IMAGE_INVENTORY), promoted=lake.frame(PROMOTED_IMAGES))
    lake.replace(IMAGE_INVENTORY, rows)
    return rows


def split_of(layout: Layout, meters: int = 3) -> pd.DataFrame:
    lake = layout.lake
    split = split_dataset(
        lake.frame(IMAGE_INVENTORY), lake.frame(DATASET_SPLIT), SplitSettings(class_from_meters=meters)
    )
    lake.replace(DATASET_SPLIT, split)
    return split


def files(layout: Layout) -> list[str]:
    return sorted(path.relative_to(layout.raw).as_posix() for path in layout.raw.rglob("*"))


def rows(layout: Layout) -> dict[str, dict[str, object]]:
    table = layout.lake.frame(PROMOTED_IMAGES).astype(object)
    return {row["image_id"]: row for row in table.where(table.notna(), None).to_dict("records")}


def our_path(label: str, image_id: str) -> str:
    return f"{label}/reviewed-{image_id[:16]}.jpg"


def put(layout: Layout, path: str, seed: int) -> Path:
    """A person's own photo in data/raw."""
    file = layout.raw / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(photo_bytes(seed))
    return file


def test_a_named_photo_lies_in_its_class_as_it_was_fetched_and_the_others_do_not(layout: Layout) -> None:
    photo, gif, junk, later = (
        store_photo(layout, 1),
        store_photo(layout, 2, file_format="GIF"),
        store_photo(layout, 3),
        store_photo(layout, 4),
    )
    said = {photo: "NEW", gif: "NEW", junk: {"action": Action.JUNK}, later: {"action": Action.LATER}}
    summary = after(layout, said)
    assert (summary.promoted, summary.removed, summary.counts[Promotion.PROMOTED]) == (2, 0, 2)
    assert files(layout) == sorted(["NEW", our_path("NEW", photo), our_path("NEW", gif)])
    assert (layout.raw / our_path("NEW", gif)).read_bytes() == layout.image(gif).read_bytes()
    assert set(rows(layout)) == {photo, gif}
    assert rows(layout)[photo]["path"] == our_path("NEW", photo)
    assert promotion_problems(layout) == []
    inventory = inventory_of(layout)
    assert set(inventory["origin"]) == {"promoted"}
    assert set(inventory["reason"]) == {None}
    again = after(layout, said)
    assert (again.promoted, again.removed) == (0, 0)


def test_an_undone_photo_leaves_with_the_folder_that_is_empty_then(layout: Layout) -> None:
    photo, other = store_photo(layout, 1), store_photo(layout, 2)
    put(layout, "KEPT/mine.jpg", 9)
    after(layout, {photo: "NEW", other: "KEPT"})
    assert after(layout, {}).removed == 2
    assert files(layout) == ["KEPT", "KEPT/mine.jpg"]
    assert rows(layout) == {}
    after(layout, {photo: "NEW", other: "KEPT"})
    assert our_path("NEW", photo) in files(layout)


def test_a_photo_that_is_named_anew_moves(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "FIRST"})
    inventory_of(layout)
    summary = after(layout, {photo: "SECOND"})
    assert (summary.promoted, summary.removed) == (1, 1)
    assert files(layout) == ["SECOND", our_path("SECOND", photo)]
    assert rows(layout)[photo]["status"] == "promoted"


def test_what_a_person_changed_is_left_and_said(layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    path = our_path("NEW", photo)
    put(layout, path, 77)
    after(layout, {photo: "NEW"})
    table = layout.lake.version(PROMOTED_IMAGES)
    assert rows(layout)[photo]["status"] == "refused"
    assert f"{path} was changed since it was promoted" in promotion_problems(layout)[0]
    after(layout, {photo: "NEW"})
    assert layout.lake.version(PROMOTED_IMAGES) == table
    assert len(promotion_problems(layout)) == 1
    after(layout, {})
    assert files(layout) == ["NEW", path]
    assert promotion_problems(layout) == [
        f"{path} was changed since it was promoted, and is left as it is: delete it, or give it another name."
    ]
    (layout.raw / path).unlink()
    after(layout, {photo: "NEW"})
    assert (layout.raw / path).read_bytes() == photo_bytes(1)
    put(layout, path, 77)
    after(layout, {})
    assert f"{path} was changed since it was promoted: it is left where it is." in caplog.text


def test_a_promoted_file_that_was_deleted_by_hand_comes_back(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    inventory_of(layout)
    (layout.raw / our_path("NEW", photo)).unlink()
    assert "comes back" in promotion_problems(layout)[0]
    assert after(layout, {photo: "NEW"}).promoted == 1
    assert promotion_problems(layout) == []


def test_a_disputed_photo_is_not_in_the_data_set(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    after(layout, {photo: named("NEW", disputed=("OTHER",))})
    assert files(layout) == []
    row = rows(layout)[photo]
    assert (row["status"], row["path"]) == ("disputed", None)
    assert "NEW and OTHER" in promotion_problems(layout)[0]


@pytest.mark.parametrize("inventory_knows", [True, False], ids=["in the inventory", "put there since"])
def test_a_photo_that_a_person_labelled_otherwise_is_not_copied(layout: Layout, inventory_knows: bool) -> None:
    photo = store_photo(layout, 1)
    mine = put(layout, "LT2/may/mine.jpg", 1)
    if inventory_knows:
        inventory_of(layout)
    after(layout, {photo: "NEW"})
    assert files(layout) == ["LT2", "LT2/may", "LT2/may/mine.jpg"]
    row = rows(layout)[photo]
    assert (row["status"], row["path"]) == ("labelled otherwise", None)
    assert "LT2/may/mine.jpg" in str(row["reason"])
    mine.unlink()
    after(layout, {photo: "NEW"})
    assert rows(layout)[photo]["status"] == "promoted"


def test_a_photo_moved_to_another_class_by_hand_is_labelled_by_that_hand(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    inventory_of(layout)
    moved = layout.raw / our_path("LT2", photo)
    moved.parent.mkdir()
    (layout.raw / our_path("NEW", photo)).rename(moved)
    after(layout, {photo: "NEW"})
    assert rows(layout)[photo]["status"] == "labelled otherwise"
    assert files(layout) == ["LT2", our_path("LT2", photo)]
    assert inventory_of(layout)["origin"].tolist() == ["folder"]
    after(layout, {})
    assert moved.exists()


def test_a_photo_that_was_copied_to_another_class_by_hand_is_in_one_class_only(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    put(layout, "LT2/copy.jpg", 1)
    assert after(layout, {photo: "NEW"}).removed == 1
    assert files(layout) == ["LT2", "LT2/copy.jpg"]


def test_a_photo_that_a_person_had_put_into_the_class_stays_theirs(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    put(layout, "lt2/mine.jpg", 1)
    assert after(layout, {photo: "LT2"}).promoted == 0
    row = rows(layout)[photo]
    assert (row["status"], row["path"], row["label"]) == ("promoted", "lt2/mine.jpg", "lt2")
    assert row["class_meters_needed"] is None
    assert promotion_problems(layout) == []
    assert inventory_of(layout)["origin"].tolist() == ["folder"]
    after(layout, {})
    assert files(layout) == ["lt2", "lt2/mine.jpg"]


def test_a_photo_that_is_not_in_the_store_is_missing_unless_it_was_promoted_before(layout: Layout) -> None:
    before, never = store_photo(layout, 1), store_photo(layout, 2)
    after(layout, {before: "NEW"})
    shutil.rmtree(layout.images)
    odd = "../../../etc/passwd"
    after(layout, {before: "NEW", never: "NEW", odd: "NEW"})
    found = {image_id: row["status"] for image_id, row in rows(layout).items()}
    assert found == {before: "promoted", never: "missing", odd: "missing"}
    assert len(promotion_problems(layout)) == 1
    assert never[:12] in promotion_problems(layout)[0]


def test_an_undo_can_be_undone_also_if_the_store_was_lost(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    shutil.rmtree(layout.images)
    after(layout, {})
    assert files(layout) == []
    after(layout, {photo: "NEW"})
    assert (layout.raw / our_path("NEW", photo)).read_bytes() == photo_bytes(1)


def test_what_cannot_be_used_is_refused_with_the_reason(layout: Layout) -> None:
    damaged, slashes, reserved = (store_photo(layout, seed) for seed in (1, 2, 3))
    layout.image(damaged).write_bytes(layout.image(damaged).read_bytes()[:-300])
    after(layout, {damaged: "NEW", slashes: "../OUT", reserved: " unknown "})
    assert files(layout) == []
    assert {row["status"] for row in rows(layout).values()} == {"refused"}
    assert "damaged" in str(rows(layout)[damaged]["reason"])
    assert "cannot be a folder" in str(rows(layout)[slashes]["reason"])
    assert len(promotion_problems(layout)) == 3


def test_a_class_waits_until_its_photos_show_enough_meters(layout: Layout) -> None:
    first, same, second, third = (
        store_photo(layout, 1),
        store_photo(layout, 1, quality=60),
        store_photo(layout, 2),
        store_photo(layout, 3),
    )
    put(layout, "LT2/mine.jpg", 9)
    summary = after(layout, {first: "NEW", same: "NEW", second: "NEW"})
    found = rows(layout)
    assert found[first]["same_meter"] == found[same]["same_meter"] != found[second]["same_meter"]
    assert {(row["class_meters"], row["class_meters_needed"]) for row in found.values()} == {(2, 3)}
    assert waiting_classes(layout.lake.frame(PROMOTED_IMAGES)) == [WaitingClass("NEW", photos=3, meters=2, needed=3)]
    assert summary.classes.to_numpy().tolist() == [["NEW", 3, 2, 3, True]]
    inventory_of(layout)
    assert set(split_of(layout)["label"]) == {"LT2"}
    after(layout, {first: "NEW", same: "NEW", second: "NEW", third: "NEW"})
    assert waiting_classes(layout.lake.frame(PROMOTED_IMAGES)) == []
    inventory_of(layout)
    assert (split_of(layout)["label"] == "NEW").sum() == 4


@pytest.mark.parametrize("inventory_knows", [True, False], ids=["in the inventory", "put there since"])
def test_a_class_with_a_photo_that_a_person_put_there_does_not_wait(layout: Layout, inventory_knows: bool) -> None:
    photo = store_photo(layout, 1)
    put(layout, "New/mine.jpg", 9)
    (layout.raw / "New" / "notes.txt").write_text("what the owner wrote", encoding="utf-8")
    if inventory_knows:
        inventory_of(layout)
    summary = after(layout, {photo: "NEW"})
    assert summary.classes["needed"].isna().all()
    (layout.raw / "New" / "mine.jpg").unlink()
    assert after(layout, {photo: "NEW"}).classes["needed"].tolist() == [3]


def test_photos_of_one_meter_are_one_group_of_the_split_and_groups_csv_counts(layout: Layout) -> None:
    photos = [store_photo(layout, seed) for seed in (1, 2, 3)]
    lines = [f"{image_id},pole 7" for image_id in photos[:2]]
    (layout.raw / "groups.csv").write_text("\n".join(["image_id,group", *lines]), encoding="utf-8")
    after(layout, dict.fromkeys(photos, "NEW"))
    assert {row["class_meters"] for row in rows(layout).values()} == {2}
    inventory = inventory_of(layout).set_index("image_id")
    assert inventory.loc[photos[0], "group_id"] == inventory.loc[photos[1], "group_id"]
    (layout.raw / "groups.csv").write_text("what is this", encoding="utf-8")
    after(layout, dict.fromkeys(photos, "NEW"))
    assert {row["class_meters"] for row in rows(layout).values()} == {3}


def test_names_in_hindi_and_two_spellings_of_one_class(layout: Layout) -> None:
    hindi, composed, decomposed, upper, lower = (store_photo(layout, seed) for seed in range(5))
    said = {hindi: "मीटर ए", composed: "Z\u00e4hler", decomposed: "Za\u0308hler", upper: "lt  2", lower: "LT 2"}
    put(layout, "Lt 2/mine.jpg", 9)
    after(layout, said)
    folders = {path.partition("/")[0] for path in files(layout) if "/" in path}
    assert len(folders) == 3
    assert {"मीटर ए", "Lt 2"} < folders
    assert {rows(layout)[image_id]["label"] for image_id in (upper, lower)} == {"Lt 2"}
    assert set(inventory_of(layout)["label"]) == folders


def test_a_class_folder_that_is_spelled_anew_keeps_its_promoted_photos(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    (layout.raw / "NEW").rename(layout.raw / "New meter")
    (layout.raw / "New meter").rename(layout.raw / "new")
    after(layout, {photo: "NEW"})
    assert rows(layout)[photo]["path"] == our_path("new", photo)
    after(layout, {})
    assert files(layout) == []


def test_tables_that_were_lost_are_the_same_again(layout: Layout) -> None:
    photos = {store_photo(layout, seed): "NEW" for seed in range(4)}
    after(layout, photos)
    version = layout.lake.version(PROMOTED_IMAGES)
    shutil.rmtree(layout.lake.root)
    assert after(layout, photos).promoted == 0
    assert layout.lake.version(PROMOTED_IMAGES) == version


def test_nothing_is_taken_out_before_the_decisions_were_taken_in(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    shutil.rmtree(layout.lake.root / "reviewed_images")
    with pytest.raises(MeterError, match="reviewed_images first"):
        promote(layout, ClassSizeSettings())
    assert our_path("NEW", photo) in files(layout)


class Killed(BaseException):
    """As a killed process ends: nothing catches it."""


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Raise before the given change of a file, of all that follow; return how many were reached."""
    reached = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def change(*args: object, **options: object) -> object:
            nonlocal reached
            reached += 1
            if reached > step:
                raise Killed
            return real(*args, **options)

        return change

    for name in ("unlink", "rmdir", "replace"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    monkeypatch.setattr(shutil, "copyfile", counted(shutil.copyfile))
    return lambda: reached


def changed_decisions(layout: Layout) -> tuple[Said, Said]:
    """Decisions, and later ones: of four promoted photos one is undone, one moves, and two new ones come."""
    kept, undone, moved, disputed, new, other = (store_photo(layout, seed) for seed in range(6))
    first = {kept: "KEPT", undone: "GONE", moved: "FROM", disputed: "KEPT"}
    return first, {
        kept: "KEPT",
        moved: "TO",
        disputed: named("KEPT", disputed=("GONE",)),
        new: "TO",
        other: "NEW",
    }


@pytest.mark.slow
@pytest.mark.parametrize("then", ["the same again", "all undone"])
def test_ended_at_any_step_and_run_again_it_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    undisturbed = Layout(tmp_path / "undisturbed")
    first, second = changed_decisions(undisturbed)
    last = {} if then == "all undone" else second
    for said in (first, second, last):
        after(undisturbed, said)
    for step in range(200):
        layout = Layout(tmp_path / str(step))
        changed_decisions(layout)
        after(layout, first)
        write_reviewed(layout, second)
        with monkeypatch.context() as patch:
            killed_at(step, patch)
            try:
                promote(layout, ClassSizeSettings())
                was_killed = False
            except Killed:
                was_killed = True
        after(layout, last)
        assert files(layout) == files(undisturbed), step
        assert layout.lake.version(PROMOTED_IMAGES) == undisturbed.lake.version(PROMOTED_IMAGES), step
        if not was_killed:
            break
    assert 10 < step < 199


def test_what_a_killed_copy_left_is_cleared(layout: Layout) -> None:
    photo = store_photo(layout, 1)
    after(layout, {photo: "NEW"})
    left = layout.raw / "NEW" / f".tmp-0123abcd-reviewed-{photo[:16]}.jpg"
    left.write_bytes(b"half")
    theirs = layout.raw / "NEW" / ".tmp-mine"
    theirs.write_bytes(b"dear")
    after(layout, {photo: "NEW"})
    assert not left.exists()
    assert theirs.exists()


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_leaves_nothing_half_done(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, problem: int
) -> None:
    photos = {store_photo(layout, seed): "NEW" for seed in (1, 2, 3)}
    real, copied = shutil.copyfile, []

    def full(source: Path, target: Path) -> None:
        if copied:
            Path(target).write_bytes(b"half")
            raise OSError(problem, "no more")
        copied.append(real(source, target))

    with monkeypatch.context() as patch:
        patch.setattr(promoted_images.shutil, "copyfile", full)
        with pytest.raises(StorageError, match=r"reviewed-.*\.jpg"):
            after(layout, photos)
    assert len(files(layout)) == 2
    assert "comes back" in promotion_problems(layout)[0]
    assert after(layout, photos).promoted == 2
    assert promotion_problems(layout) == []
