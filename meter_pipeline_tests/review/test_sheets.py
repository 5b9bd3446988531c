"""Classes read back from sheets and folders: each row for itself, the same file twice once, nobody overruled unseen."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from meter_pipeline.errors import MeterError, SpreadsheetError
from meter_pipeline.labels import Action
from meter_pipeline.review.deciding import decide, undo
from meter_pipeline.review.decisions import read_decisions
from meter_pipeline.review.review_table import REVIEW_COLUMNS, export_review
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.sheets import Imported, import_classes
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.photos_in_review import KEY, put_in_review

Ids = dict[str, list[str]]
Rows = list[dict[str, str]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def ids(layout: Layout) -> Ids:
    return put_in_review(layout)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    return path


def read_csv(path: Path) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def fill_in(path: Path, classes: dict[str, str]) -> Path:
    """Write classes into an exported CSV, by image id, as a person does in a spreadsheet program."""
    rows = read_csv(path)
    for row in rows:
        row["class"] = classes.get(row["image_id"], row["class"])
    return write_csv(path, list(rows[0]), [list(row.values()) for row in rows])


def labels(layout: Layout) -> dict[str, str | None]:
    """Return the class of each decided photo; None: junk."""
    return {image_id: word.label for image_id, word in current_state(layout).words.items() if word.decided}


def counts(imported: Imported) -> tuple[int, int, int, int]:
    photos = sum(len(decision.image_ids) for decision in imported.decisions)
    return photos, imported.already, imported.without_class, len(imported.problems)


def test_exported_filled_in_and_imported_it_is_what_the_person_wrote(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    file = tmp_path / "review.csv"
    assert export_review(layout, file) == 9
    red, blue = ids["RED"], ids["BLUE"]
    first, second = sorted(red[:2])  # in the sheet's order: the first spelling of a class counts
    fill_in(file, {first: "HPL Smart", second: "hpl  smart", blue[0]: "Junk"})
    imported = import_classes(layout, file, by="anna")
    assert counts(imported) == (3, 0, 6, 0)
    assert labels(layout) == {first: "HPL Smart", second: "HPL Smart", blue[0]: None}
    assert {(d.source, d.by) for d in imported.decisions} == {("import", "anna")}
    assert len(imported.decisions) == 2, "one for each class"
    again = import_classes(layout, file, by="anna")
    assert counts(again) == (0, 3, 6, 0)
    assert not again.nothing_taken
    assert len(read_decisions(layout).decisions) == 2


def test_the_export_has_decided_photos_last_and_says_by_whom(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    red = ids["RED"]
    made = decide(layout, Action.NAME, red[:1], by="=anna", target="-RED")
    decide(layout, Action.JUNK, ids["STRAY"], by="ben")
    file = tmp_path / "review.csv"
    export_review(layout, file)
    rows = read_csv(file)
    assert tuple(rows[0]) == REVIEW_COLUMNS
    assert [row["cluster_id"] for row in rows] == ["0"] * 3 + ["1"] * 3 + ["0", "-1", "-1"]
    assert [row["class"] for row in rows] == [""] * 6 + ["'-RED", "junk", "junk"]
    named = rows[6]
    assert (named["image_id"], named["by"], named["decision_id"]) == (red[0], "'=anna", made.decision_id)
    assert named["image_url"] == f"http://photos.example/RED/0.jpg{KEY}"
    assert (named["top1_class"], named["top1_confidence"]) == ("RED1", "40.00")
    assert counts(import_classes(layout, file, by="anna")) == (0, 3, 6, 0), "the quote is ours, not the class's"


def test_a_workbook_is_exported_with_the_same_cells_and_read_back(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    file = tmp_path / "review.xlsx"
    decide(layout, Action.NAME, ids["RED"][:1], by="anna", target="LT2")
    export_review(layout, file)
    book = load_workbook(file)
    sheet = book.active
    assert sheet is not None
    assert [cell.value for cell in sheet[1]] == list(REVIEW_COLUMNS)
    assert sheet.max_row == 10
    for row in range(2, 6):
        sheet.cell(row, 1 + REVIEW_COLUMNS.index("class")).value = "GENUS"
    book.save(file)
    imported = import_classes(layout, file, by="ben")
    assert counts(imported) == (4, 1, 4, 0)
    assert list(labels(layout).values()).count("GENUS") == 4


def test_an_export_does_not_overwrite_what_somebody_may_have_filled_in(
    layout: Layout, ids: Ids, tmp_path: Path
) -> None:
    file = tmp_path / "review.csv"
    export_review(layout, file)
    fill_in(file, {ids["RED"][0]: "LT2"})
    with pytest.raises(MeterError, match="is there already"):
        export_review(layout, file)
    assert "LT2" in file.read_text(encoding="utf-8")
    export_review(layout, file, overwrite=True)
    assert "LT2" not in file.read_text(encoding="utf-8")
    with pytest.raises(MeterError, match=r"end in \.csv or \.xlsx"):
        export_review(layout, tmp_path / "review.txt")


def test_photos_that_are_decided_and_in_no_table_any_more_are_still_exported(layout: Layout, tmp_path: Path) -> None:
    decide(layout, Action.NAME, ["ab" * 32], by="anna", target="LT2")
    export_review(layout, tmp_path / "review.csv")
    (row,) = read_csv(tmp_path / "review.csv")
    assert (row["image_id"], row["class"], row["image_url"], row["top1_confidence"]) == ("ab" * 32, "LT2", "", "")


def test_columns_in_any_order_under_a_title_and_only_one_that_names_the_photo(
    layout: Layout, ids: Ids, tmp_path: Path
) -> None:
    file = tmp_path / "own.csv"
    url = f"http://photos.example/BLUE/0.jpg{KEY}"
    write_csv(
        file, ["June", ""], [["", ""], ["CLASS", " Image_URL "], ["LT2", url], ["LT2", "photos.example/RED/0.jpg"]]
    )
    imported = import_classes(layout, file, by="anna")
    assert counts(imported) == (2, 0, 0, 0)
    assert labels(layout) == {ids["BLUE"][0]: "LT2", ids["RED"][0]: "LT2"}


def test_a_column_of_files_beside_the_sheet_or_by_the_ids_in_their_names(
    layout: Layout, ids: Ids, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(layout.image(ids["BLUE"][1]), tmp_path / "photos" / "IMG_7.jpg")
    names = ["photos/IMG_7.jpg", rf"C:\sorted\001_RED1_{ids['RED'][3][:12]}.jpg", "photos/IMG_8.jpg"]
    file = write_csv(tmp_path / "own.csv", ["file", "class"], [[name, "LT2"] for name in names])
    imported = import_classes(layout, file, by="anna")
    assert labels(layout) == {ids["BLUE"][1]: "LT2", ids["RED"][3]: "LT2"}
    (problem,) = imported.problems
    assert (problem.row_number, problem.what) == (4, "photos/IMG_8.jpg")
    assert "no such file" in problem.reason


def test_a_link_behind_a_cell_is_its_url(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["image_url", "class"])
    sheet.append(["open photo", "LT2"])
    sheet["A2"].hyperlink = f"http://photos.example/RED/0.jpg{KEY}"
    book.save(tmp_path / "own.xlsx")
    import_classes(layout, tmp_path / "own.xlsx", by="anna")
    assert labels(layout) == {ids["RED"][0]: "LT2"}


def test_rows_that_cannot_be_taken_are_listed_with_sheet_row_and_reason_and_the_others_go_in(
    layout: Layout, ids: Ids, tmp_path: Path
) -> None:
    red, blue = ids["RED"], ids["BLUE"]
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "June"
    rows = [
        ("image_id", "image_url", "class"),
        (red[0], None, "LT2"),
        ("f" * 64, None, "LT2"),
        (None, f"http://photos.example/never.jpg{KEY}", "LT2"),
        (red[1], None, "UNKNOWN"),
        (red[2], None, "x" * 300),
        (None, None, "LT2"),
        (None, None, None),
        (blue[0], None, "GENUS"),
        (blue[0][:12], None, "LT2"),
        (blue[1], None, "../../etc"),
    ]
    for row in rows:
        sheet.append(row)
    book.create_sheet("Notes").append(["Anna was here"])
    hidden = book.create_sheet("Old")
    hidden.sheet_state = "hidden"
    hidden.append(["image_id", "class"])
    hidden.append([blue[2], "LT2"])
    book.save(tmp_path / "own.xlsx")
    imported = import_classes(layout, tmp_path / "own.xlsx", by="anna")
    words = {
        ("June", 3): "No photo has an id",
        ("June", 4): "in no drop",
        ("June", 5): "an answer of the pipeline",
        ("June", 6): "bytes",
        ("June", 7): "neither an id nor a URL",
        ("June", 9): "several classes: GENUS, LT2",
        ("June", 10): "several classes: GENUS, LT2",
        ("Notes", None): "no header with the column class",
        ("Old", None): "hidden",
    }
    found = {(problem.sheet, problem.row_number): problem.reason for problem in imported.problems}
    assert found.keys() == words.keys()
    for place, word in words.items():
        assert word in found[place], place
    assert not any("secret" in problem.what + problem.reason for problem in imported.problems)
    assert labels(layout).keys() == {red[0], blue[1]}
    folder = labels(layout)[blue[1]]
    assert folder is not None
    assert Path(folder).name == folder, "a class's name stays a folder of its own"
    assert not imported.nothing_taken


def test_if_none_of_the_rows_can_be_taken_the_import_failed(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "own.csv", ["image_id", "class"], [["f" * 64, "LT2"]])
    assert import_classes(layout, file, by="anna").nothing_taken
    assert not read_decisions(layout).decisions


@pytest.mark.parametrize("cells", [[["image_id", "remark"], ["x", "y"]], [["class"], ["LT2"]], [["", ""], ["", ""]]])
def test_a_sheet_without_our_columns_is_refused_with_those_it_needs(
    layout: Layout, tmp_path: Path, cells: list[list[str]]
) -> None:
    file = write_csv(tmp_path / "own.csv", cells[0], cells[1:])
    with pytest.raises(MeterError, match=r"column class|empty"):
        import_classes(layout, file, by="anna")


def test_what_is_no_sheet_is_said(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="no such file or folder"):
        import_classes(layout, tmp_path / "gone.csv", by="anna")
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(MeterError, match="not a spreadsheet"):
        import_classes(layout, tmp_path / "photo.jpg", by="anna")
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(SpreadsheetError):
        import_classes(layout, tmp_path / "broken.xlsx", by="anna")


def test_somebody_elses_word_is_not_overruled_by_a_sheet_that_does_not_show_it(
    layout: Layout, ids: Ids, tmp_path: Path
) -> None:
    red = ids["RED"]
    decide(layout, Action.NAME, red[:1], by="anna", target="LT2")
    file = write_csv(tmp_path / "own.csv", ["image_id", "class"], [[red[0], "GENUS"], [red[1], "GENUS"]])
    imported = import_classes(layout, file, by="ben")
    (problem,) = imported.problems
    assert problem.reason == "It was named LT2 by anna. With --replace yours counts."
    assert labels(layout) == {red[0]: "LT2", red[1]: "GENUS"}
    assert counts(import_classes(layout, file, by="ben", replace=True)) == (1, 1, 0, 0)
    assert labels(layout)[red[0]] == "GENUS"
    assert not any(word.disputed for word in current_state(layout).words.values()), "ben knew of it"


def test_a_word_that_the_sheet_shows_is_changed_and_one_said_since_is_not(
    layout: Layout, ids: Ids, tmp_path: Path
) -> None:
    red = ids["RED"]
    decide(layout, Action.NAME, red[:1], by="anna", target="LT2")
    file = tmp_path / "review.csv"
    export_review(layout, file)
    fill_in(file, {red[0]: "GENUS", red[1]: "GENUS", red[2]: "GENUS"})
    decide(layout, Action.NAME, red[1:2], by="anna", target="LT2")
    decide(layout, Action.JUNK, red[2:3], by="ben")
    imported = import_classes(layout, file, by="ben")
    reasons = {problem.what: problem.reason for problem in imported.problems}
    assert reasons[red[1]].startswith("It was named LT2 by anna since this sheet was written.")
    assert reasons[red[2]].startswith("It was called junk by ben since"), "also one's own newer word stays"
    assert labels(layout) == {red[0]: "GENUS", red[1]: "LT2", red[2]: None}


def test_a_disputed_photo_is_not_settled_by_importing_the_sheet_unchanged(
    layout: Layout, ids: Ids, tmp_path: Path
) -> None:
    red = ids["RED"]
    before = current_state(layout)
    for who, label in (("anna", "LT2"), ("ben", "GENUS")):
        decide(layout, Action.NAME, red[:1], by=who, target=label, state=before)
    file = tmp_path / "review.csv"
    export_review(layout, file)
    assert [row["disputed"] for row in read_csv(file) if row["image_id"] == red[0]] == ["TRUE"]
    assert counts(import_classes(layout, file, by="anna")) == (0, 1, 8, 0)
    assert current_state(layout).words[red[0]].disputed
    fill_in(file, {red[0]: "HPL"})
    assert counts(import_classes(layout, file, by="carl")) == (1, 0, 8, 0)
    assert not current_state(layout).words[red[0]].disputed


def test_what_was_undone_can_be_imported_again(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "own.csv", ["image_id", "class"], [[ids["RED"][0], "LT2"]])
    (made,) = import_classes(layout, file, by="anna").decisions
    undo(layout, made.decision_id, by="anna")
    assert counts(import_classes(layout, file, by="anna")) == (1, 0, 0, 0)


def test_a_folder_of_classes_by_bytes_and_by_names(layout: Layout, ids: Ids, tmp_path: Path) -> None:
    red, blue = ids["RED"], ids["BLUE"]
    sorted_photos = tmp_path / "sorted"
    for class_name, image_id, name in (
        ("मीटर नया", red[0], "a.jpg"),
        ("मीटर नया/more", red[1], "b.jpg"),
        ("junk", blue[0], "c.jpg"),
    ):
        (sorted_photos / class_name).mkdir(parents=True, exist_ok=True)
        shutil.copy(layout.image(image_id), sorted_photos / class_name / name)
    (sorted_photos / "LT2").mkdir()
    (sorted_photos / "LT2" / f"007_BLUE1_{blue[1][:12]}.jpg").write_bytes(b"saved again by a photo program")
    (sorted_photos / "LT2" / "holiday.jpg").write_bytes(b"no photo of a drop")
    (sorted_photos / "LT2" / "contact_sheet.jpg").write_bytes(b"came along")
    (sorted_photos / "loose.jpg").write_bytes(b"in no class")
    imported = import_classes(layout, sorted_photos, by="anna")
    assert labels(layout) == {red[0]: "मीटर नया", red[1]: "मीटर नया", blue[0]: None, blue[1]: "LT2"}
    assert {problem.what for problem in imported.problems} == {"LT2/holiday.jpg", "loose.jpg"}
    assert counts(import_classes(layout, sorted_photos, by="anna")) == (0, 4, 0, 2)


def test_the_cluster_folders_themselves_are_not_read_back(layout: Layout, ids: Ids) -> None:
    (layout.clusters / "cluster_0000").mkdir(parents=True)
    (layout.clusters / "cluster_0000" / "a.jpg").write_bytes(b"x")
    for folder in (layout.clusters, layout.clusters / "cluster_0000", layout.root):
        with pytest.raises(MeterError, match="not read back"):
            import_classes(layout, folder, by="anna")
    assert not read_decisions(layout).decisions
