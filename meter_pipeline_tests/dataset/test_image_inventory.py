"""What lies in data/raw comes into the inventory once, right, and with a reason where it is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from meter_pipeline.dataset import image_inventory as inventory_module
from meter_pipeline.dataset.class_folders import merged_folders
from meter_pipeline.dataset.image_inventory import take_inventory
from meter_pipeline.dataset.promoted_files import promoted_name
from meter_pipeline.errors import DataSetError
from meter_pipeline.photos.store import image_id_of
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.tables import IMAGE_INVENTORY, PROMOTED_IMAGES

NOTHING = pd.DataFrame(columns=list(IMAGE_INVENTORY.columns))


def put(path: Path, seed: int, **options: object) -> Path:
    """A photo-like file; the same seed is the same picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), np.uint8)
    Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(path, **options)
    return path


def reasons(inventory: pd.DataFrame) -> dict[str, str | None]:
    return {path: None if pd.isna(reason) else reason for path, reason in inventory[["path", "reason"]].values}


def groups(inventory: pd.DataFrame) -> dict[str, str]:
    used = inventory[inventory["reason"].isna()]
    return dict(zip(used["image_id"], used["group_id"], strict=True))


def test_labelled_photos_by_content_in_nested_folders(tmp_path: Path) -> None:
    put(tmp_path / "LT2" / "a.jpg", 1)
    put(tmp_path / "LT2" / "2024" / "may" / "b.png", 2)
    put(tmp_path / "GENUS 1" / "c.webp", 3)
    put(tmp_path / "GENUS 1" / "wrong_ending.jpg", 4, format="BMP")
    for number, file_format in enumerate(("GIF", "TIFF", "AVIF")):
        put(tmp_path / "LT3" / f"{number}.jpg", 5 + number, format=file_format)
    for name in (".hidden.jpg", "Thumbs.db", "desktop.ini", ".DS_Store", ".tmp-1-half.jpg"):
        (tmp_path / "LT2" / name).write_bytes(b"x")
    found = take_inventory(tmp_path, NOTHING)
    assert found[["path", "label", "format"]].values.tolist() == [
        ["GENUS 1/c.webp", "GENUS 1", "WEBP"],
        ["GENUS 1/wrong_ending.jpg", "GENUS 1", "BMP"],
        ["LT2/2024/may/b.png", "LT2", "PNG"],
        ["LT2/a.jpg", "LT2", "JPEG"],
        ["LT3/0.jpg", "LT3", "GIF"],
        ["LT3/1.jpg", "LT3", "TIFF"],
        ["LT3/2.jpg", "LT3", "AVIF"],
    ]
    assert found["reason"].isna().all()
    assert set(found["origin"]) == {"folder"}
    assert found["group_id"].nunique() == 7
    assert (found["brightness"] > 0).all()
    assert set(found["width"]) == {160}
    Lake(tmp_path / "lake").replace(IMAGE_INVENTORY, found)


def test_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    good = put(tmp_path / "LT2" / "good.jpg", 1)
    put(tmp_path / "lost.jpg", 2)
    put(tmp_path / "unknown" / "a.jpg", 3)
    put(tmp_path / " Dark" / "a.jpg", 4)
    (tmp_path / "LT2" / "empty.jpg").touch()
    (tmp_path / "LT2" / "notes.txt").write_text("meter 12", encoding="utf-8")
    (tmp_path / "LT2" / "half.jpg").write_bytes(good.read_bytes()[:-800])
    expected = {
        "LT2/good.jpg": None,
        "lost.jpg": "in no class",
        "unknown/a.jpg": "not a meter type",
        " Dark/a.jpg": "not a meter type",
        "LT2/empty.jpg": "empty",
        "LT2/notes.txt": "not an image",
        "LT2/half.jpg": "ends before",
    }
    found = reasons(take_inventory(tmp_path, NOTHING))
    assert set(found) == set(expected)
    for path, words in expected.items():
        assert (found[path] is None) if words is None else (words in (found[path] or "")), path


def test_the_same_photo_in_two_classes_is_refused_in_both(tmp_path: Path) -> None:
    put(tmp_path / "LT2" / "a.jpg", 1)
    put(tmp_path / "GENUS" / "b.jpg", 1)
    put(tmp_path / "GENUS" / "c.jpg", 2)
    put(tmp_path / "GENUS" / "d.jpg", 2)
    found = reasons(take_inventory(tmp_path, NOTHING))
    assert "also in GENUS/b.jpg" in (found["LT2/a.jpg"] or "")
    assert "also in LT2/a.jpg" in (found["GENUS/b.jpg"] or "")
    assert found["GENUS/c.jpg"] is None
    assert found["GENUS/d.jpg"] == "The same photo is already there as GENUS/c.jpg."


def test_folders_whose_names_are_one_class_are_one_class(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path / "LT2" / "a.jpg", 1)
    put(tmp_path / "lt2 " / "b.jpg", 2)
    put(tmp_path / "lt2 " / "copy.jpg", 1)
    alone = take_inventory(tmp_path, NOTHING).query("path == 'LT2/a.jpg'").assign(label="LT2")
    found = take_inventory(tmp_path, alone)
    assert found["label"].tolist() == ["LT2"] * 3
    assert reasons(found)["lt2 /copy.jpg"] == "The same photo is already there as LT2/a.jpg."
    assert merged_folders(found).to_numpy().tolist() == [["LT2", "'LT2', 'lt2 '"]]
    assert "'LT2' and 'lt2 ' are one class, LT2" in caplog.text
    (tmp_path / "lt2 ").rename(tmp_path / "lt2")
    (tmp_path / "LT2" / "a.jpg").rename(tmp_path / "lt2" / "a.jpg")
    after = take_inventory(tmp_path, found)
    assert set(after["label"]) == {"lt2"}
    assert groups(after) == groups(found), "a class that is spelled anew keeps its groups, so its split too"


def test_a_promoted_file_keeps_its_origin_until_its_bytes_are_others(tmp_path: Path) -> None:
    own = put(tmp_path / "NEW" / "x.jpg", 1)
    image_id = image_id_of(own.read_bytes())
    own = own.rename(tmp_path / "NEW" / promoted_name(image_id))
    put(tmp_path / "NEW" / "mine.jpg", 2)
    row = dict.fromkeys(PROMOTED_IMAGES.columns)
    row |= {"image_id": image_id, "label": "NEW", "status": "promoted", "path": f"NEW/{own.name}"}
    promoted = pd.DataFrame([row])
    first = take_inventory(tmp_path, NOTHING, promoted=promoted)
    assert first["origin"].tolist() == ["folder", "promoted"]
    assert take_inventory(tmp_path, first, promoted=promoted)["origin"].tolist() == ["folder", "promoted"]
    assert set(take_inventory(tmp_path, first, promoted=promoted.assign(status="missing"))["origin"]) == {"folder"}
    put(own, 3)
    os.utime(own, ns=(1, 1))
    assert set(take_inventory(tmp_path, first, promoted=promoted)["origin"]) == {"folder"}


def test_promoted_photos_of_one_meter_are_a_group_unless_groups_csv_says_otherwise(tmp_path: Path) -> None:
    ids = [image_id_of(put(tmp_path / "NEW" / f"{seed}.jpg", seed).read_bytes()) for seed in range(3)]
    rows = [dict.fromkeys(PROMOTED_IMAGES.columns) | {"image_id": image_id, "same_meter": "m"} for image_id in ids[:2]]
    promoted = pd.DataFrame(rows).assign(status="promoted", path="NEW/x.jpg")
    first, second, third = take_inventory(tmp_path, NOTHING, promoted=promoted)["group_id"]
    assert first == second != third
    (tmp_path / "groups.csv").write_text("file,group\n1.jpg,pole 7\n2.jpg,pole 7\n", encoding="utf-8")
    first, second, third = take_inventory(tmp_path, NOTHING, promoted=promoted)["group_id"]
    assert first != second == third


def test_a_conflict_that_was_mended_is_over(tmp_path: Path) -> None:
    put(tmp_path / "LT2" / "a.jpg", 1)
    wrong = put(tmp_path / "GENUS" / "b.jpg", 1)
    before = take_inventory(tmp_path, NOTHING)
    wrong.unlink()
    assert reasons(take_inventory(tmp_path, before)) == {"LT2/a.jpg": None}


def test_unchanged_files_are_not_opened_again_and_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, lake = tmp_path / "raw", Lake(tmp_path / "lake")
    for seed in range(4):
        put(raw / "LT2" / f"{seed}.jpg", seed)
    (raw / "LT2" / "half.png").write_bytes(put(raw / "LT2" / "4.png", 4).read_bytes()[:300])
    first = take_inventory(raw, lake.frame(IMAGE_INVENTORY))
    version = lake.replace(IMAGE_INVENTORY, first)
    opened: list[int] = []
    monkeypatch.setattr(
        inventory_module,
        "open_photo",
        lambda content, real=inventory_module.open_photo: opened.append(1) or real(content),
    )
    again = take_inventory(raw, lake.frame(IMAGE_INVENTORY))
    assert opened == []
    pd.testing.assert_frame_equal(first, again, check_dtype=False)
    assert lake.replace(IMAGE_INVENTORY, again) == version
    put(raw / "LT2" / "0.jpg", 99)
    os.utime(raw / "LT2" / "0.jpg", ns=(1, 1))
    changed = take_inventory(raw, lake.frame(IMAGE_INVENTORY))
    assert opened == [1]
    assert changed.loc[0, "image_id"] != first.loc[0, "image_id"]


def test_a_long_look_that_was_cut_off_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, journal = tmp_path / "raw", tmp_path / "cache" / "inventory.parquet"
    for seed in range(6):
        put(raw / "LT2" / f"{seed}.jpg", seed)
    undisturbed = take_inventory(raw, NOTHING)
    opened: list[int] = []
    real = inventory_module.open_photo

    def cut_off(content: bytes) -> object:
        if len(opened) == 5:
            raise KeyboardInterrupt
        opened.append(1)
        return real(content)

    monkeypatch.setattr(inventory_module, "open_photo", cut_off)
    with pytest.raises(KeyboardInterrupt):
        take_inventory(raw, NOTHING, journal=journal, files_per_step=2)
    opened[:] = [0, 0]
    continued = take_inventory(raw, NOTHING, journal=journal)
    assert sum(opened) == 2  # four were noted down
    pd.testing.assert_frame_equal(continued, undisturbed, check_dtype=False)
    assert not journal.exists()


def test_groups_csv_joins_the_photos_of_one_meter(tmp_path: Path) -> None:
    for seed in range(4):
        put(tmp_path / "LT2" / f"{seed}.jpg", seed)
    apart = take_inventory(tmp_path, NOTHING)
    assert apart["group_id"].nunique() == 4
    for column, keys in (
        ("path", ["LT2/0.jpg", "LT2\\1.jpg"]),
        ("file", ["0.jpg", "1.jpg"]),
        ("Image_ID", apart["image_id"].tolist()[:2]),
    ):
        lines = [f"{column},group", f"{keys[0]},pole 7", f"{keys[1]},pole 7", "gone.jpg,pole 8", f"{keys[0]},"]
        (tmp_path / "groups.csv").write_text("\n".join(lines), encoding="utf-8-sig")
        groups = take_inventory(tmp_path, apart)["group_id"].tolist()
        assert groups[0] == groups[1]
        assert len(set(groups)) == 3


def test_an_empty_folder_says_where_photos_go(tmp_path: Path) -> None:
    (tmp_path / "LT2").mkdir()
    for raw in (tmp_path, tmp_path / "not_there"):
        with pytest.raises(DataSetError, match=f"no labelled photos.*{raw.name}.*folder per meter type"):
            take_inventory(raw, NOTHING)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "LT2" / "a.jpg", 1)
    put(tmp_path / "elsewhere" / "b.jpg", 2)
    (tmp_path / "raw" / "LT3").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "raw" / "LT2" / "loop").symlink_to(tmp_path / "raw", target_is_directory=True)
    (tmp_path / "raw" / "LT2" / "link.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    found = take_inventory(tmp_path / "raw", NOTHING)
    assert len(found) == 4
    assert found.loc[found["reason"].isna(), "path"].tolist() == ["LT2/a.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")
def test_a_name_that_is_no_text_is_refused_and_can_be_stored(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "LT2" / "a.jpg", 1)
    os.rename(os.fsencode(tmp_path / "raw" / "LT2" / "a.jpg"), os.fsencode(tmp_path / "raw" / "LT2") + b"/\xe9.jpg")  # noqa: PTH104
    found = take_inventory(tmp_path / "raw", NOTHING)
    assert "rename" in found.loc[0, "reason"]
    Lake(tmp_path / "lake").replace(IMAGE_INVENTORY, found)
