"""Decisions in spreadsheets: the photos in review as a sheet to fill in, and classes read back from sheets and folders.

A sheet to be read has the columns `class` and one of `image_id`, `image_url` and `file`, in any order; a folder has
`<CLASS>/<photo>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.sheets.accepted_files import SUFFIXES, TEXT_SUFFIXES
from meter_pipeline.ingest.sheets.sheet_files import Sheet, read_sheets
from meter_pipeline.ingest.web.urls import looks_like_url
from meter_pipeline.labels import Action, class_key
from meter_pipeline.review.agreement import Said, sift
from meter_pipeline.review.class_names import ClassNames
from meter_pipeline.review.deciding import decide, known_classes
from meter_pipeline.review.decisions import Decision
from meter_pipeline.review.review_table import DECISION_COLUMN, REVIEW_COLUMNS
from meter_pipeline.review.selection import PhotoFinder, photo_files
from meter_pipeline.storage.csv_cells import unsafe_cell
from meter_pipeline.storage.layout import Layout

SOURCE = "import"
CLASS_COLUMN = "class"
PHOTO_COLUMNS = ("image_id", "image_url", "file")
"""Which photo a row is about; the first that is filled in counts."""
NO_HEADER = f"no header with the column {CLASS_COLUMN} and one of {', '.join(PHOTO_COLUMNS)}"
HEADER_SEARCH_ROWS = 50
OTHERS_WORD = "It was {sentence}. With --replace yours counts."
DECIDED_SINCE = "It was {sentence} since this sheet was written. With --replace yours counts."


@dataclass(frozen=True)
class RowProblem:
    """A row or file that could not be taken.

    Attributes:
        sheet: the sheet's name; empty for a text file and a folder.
        row_number: as the spreadsheet program shows it, from 1; None for a file in a folder and for a whole sheet.
        what: what stands there: the photo's id, URL or file, without a URL's query string; empty for a whole sheet.
        reason: why it was not taken, in a sentence.
    """

    sheet: str
    row_number: int | None
    what: str
    reason: str


@dataclass(frozen=True)
class Imported:
    """What became of the rows of a sheet or the files of a folder.

    Attributes:
        decisions: the decisions made, one for each class.
        already: rows whose photo is of that class by an earlier decision.
        without_class: rows in which no class is filled in.
        problems: rows that could not be taken.
    """

    decisions: tuple[Decision, ...]
    already: int
    without_class: int
    problems: tuple[RowProblem, ...]

    @property
    def nothing_taken(self) -> bool:
        """Whether there was something to take, and none of it could be."""
        return bool(self.problems) and not self.decisions and not self.already


@dataclass(frozen=True)
class _Row:
    """A row with a class, or a file in the folder of a class.

    Attributes:
        sheet: as in `RowProblem`.
        row_number: as in `RowProblem`.
        column: which of `PHOTO_COLUMNS` says which photo.
        photo: what stands there.
        class_name: the class as it was typed.
        known_decision: the decision on the photo that the sheet shows, empty for none; None if the sheet shows none.
    """

    sheet: str
    row_number: int | None
    column: str
    photo: str
    class_name: str
    known_decision: str | None = None

    def problem(self, reason: str) -> RowProblem:
        what = self.photo.partition("#")[0].partition("?")[0] if looks_like_url(self.photo) else self.photo
        return RowProblem(self.sheet, self.row_number, what, reason)


@dataclass(frozen=True)
class _Wish:
    """A row that was understood: this photo is to be of that class; None: junk."""

    row: _Row
    image_id: str
    label: str | None


def import_classes(layout: Layout, path: Path, *, by: str, replace: bool = False) -> Imported:
    """Take the classes that people filled into a sheet, or gave to photos by sorting them into folders.

    Every row stands for itself: what cannot be taken is a problem, the others are decided. Taking in the same file
    again decides nothing new.

    Args:
        layout: the data directory.
        path: a spreadsheet, or a folder with a folder for each class.
        by: who decides; may be empty.
        replace: whether to overrule what somebody else decided, or what was decided since the sheet was exported.

    Raises:
        MeterError: it is not there, cannot be read, has no column of classes, or holds the cluster folders.
        StorageError: the disk is full or not ours to write.
    """
    if not path.exists():
        raise MeterError("There is no such file or folder.", where=path)
    finder = PhotoFinder(layout)
    rows, problems = _folder_rows(layout, path) if path.is_dir() else _sheet_rows(path)
    filled = [row for row in rows if row.class_name]
    names = known_classes(layout, finder.state)
    wishes = list(_understood(filled, finder, names, path, problems))
    wishes = _without_contradictions(wishes, problems)
    already = len(wishes)
    wishes = [wish for wish in wishes if not _is_already(wish, finder)]
    already -= len(wishes)
    if not replace:
        wishes = list(_uncontested(wishes, finder, by, problems))
    decisions = tuple(_decide(layout, wishes, finder, by))
    return Imported(decisions, already, len(rows) - len(filled), tuple(problems))


def _decide(layout: Layout, wishes: Sequence[_Wish], finder: PhotoFinder, by: str) -> Iterator[Decision]:
    """Make one decision for each class, in the order in which the classes come."""
    by_label: dict[str | None, list[str]] = {}
    for wish in wishes:
        by_label.setdefault(wish.label, []).append(wish.image_id)
    for label, image_ids in by_label.items():
        action = Action.JUNK if label is None else Action.NAME
        yield decide(layout, action, image_ids, by=by, target=label, source=SOURCE, state=finder.state)


def _understood(
    rows: Sequence[_Row], finder: PhotoFinder, names: ClassNames, path: Path, problems: list[RowProblem]
) -> Iterator[_Wish]:
    """Yield the rows whose photo and class are known; the others become problems."""
    for row in rows:
        try:
            label = None if class_key(row.class_name) == Action.JUNK else names.resolve(row.class_name)
            yield _Wish(row, _photo_of(row, finder, path), label)
        except MeterError as error:
            problems.append(row.problem(f"{error.what} {error.fix}".strip()))


def _photo_of(row: _Row, finder: PhotoFinder, path: Path) -> str:
    if row.column != "file":
        return finder.photo(row.photo)
    for folder in (path if path.is_dir() else path.parent, finder.layout.root, finder.layout.clusters):
        if (folder / row.photo).is_file():
            return finder.by_file(folder / row.photo)
    image_id = finder.by_name(Path(row.photo.replace("\\", "/")).name)
    if image_id is None:
        raise MeterError("There is no such file, and its name carries no id of a photo.")
    return image_id


def _without_contradictions(wishes: Sequence[_Wish], problems: list[RowProblem]) -> list[_Wish]:
    """Return one wish per photo; of photos that are given two classes none, as each may be the wrong one."""
    by_photo: dict[str, list[_Wish]] = {}
    for wish in wishes:
        by_photo.setdefault(wish.image_id, []).append(wish)
    kept = []
    for same in by_photo.values():
        labels = list(dict.fromkeys(wish.label or Action.JUNK.value for wish in same))
        if len(labels) == 1:
            kept.append(same[0])
        else:
            problems += [
                wish.row.problem(f"This photo is given several classes: {', '.join(labels)}.") for wish in same
            ]
    return kept


def _is_already(wish: _Wish, finder: PhotoFinder) -> bool:
    word = finder.state.words.get(wish.image_id)
    return word is not None and word.decided and word.label == wish.label


def _uncontested(wishes: Sequence[_Wish], finder: PhotoFinder, by: str, problems: list[RowProblem]) -> Iterator[_Wish]:
    """Yield the wishes that overrule nobody, and no decision that the sheet does not know of."""
    for wish in wishes:
        action = Action.JUNK if wish.label is None else Action.NAME
        agreement = sift(finder.state, [wish.image_id], action, wish.label, by)
        word, known = finder.state.words.get(wish.image_id), wish.row.known_decision
        was: tuple[Said, ...] = agreement.contested
        if known is not None:  # the person saw in the sheet what was decided, by whomever
            seen = word is None or not word.decided or word.decision.decision_id == known
            was = () if seen else (*agreement.contested, *agreement.taken_back)
        if was:
            text = OTHERS_WORD if known is None else DECIDED_SINCE
            problems.append(wish.row.problem(text.format(sentence=was[0].sentence)))
        else:
            yield wish


def _folder_rows(layout: Layout, folder: Path) -> tuple[list[_Row], list[RowProblem]]:
    own, given = layout.clusters.resolve(), folder.resolve()
    if own == given or own in given.parents or given in own.parents:
        raise MeterError(
            "What was moved between the cluster folders is not read back: they are written anew by each update.",
            where=folder,
            fix="Sort copies of the photos into folders somewhere else, one for each class, and import that folder.",
        )
    rows: list[_Row] = []
    problems: list[RowProblem] = []
    for path in photo_files(folder):
        place = path.relative_to(folder).as_posix()
        class_name, slash, _ = place.partition("/")
        if slash:
            rows.append(_Row("", None, "file", place, class_name))
        else:
            problems.append(RowProblem("", None, place, "It is in no folder of a class: <CLASS>/<photo>."))
    if not rows:
        raise MeterError("There is no photo in a folder of a class.", where=folder, fix="It has to be <CLASS>/<photo>.")
    return rows, problems


def _sheet_rows(path: Path) -> tuple[list[_Row], list[RowProblem]]:
    if path.suffix.lower() not in SUFFIXES:
        raise MeterError("This is not a spreadsheet.", where=path, fix=f"It may be one of {', '.join(SUFFIXES)}.")
    is_text = path.suffix.lower() in TEXT_SUFFIXES
    rows: list[_Row] = []
    problems: list[RowProblem] = []
    is_there = False
    for sheet in read_sheets(path):
        if not any(any(cells) for cells in sheet.rows):
            continue
        found = _header(sheet)
        if found is None:
            problems.append(RowProblem(sheet.name, None, "", f"It has {NO_HEADER}."))
        elif sheet.hidden:
            problems.append(RowProblem(sheet.name, None, "", "It is hidden. Show it, and import it again."))
        else:
            is_there = True
            rows += _rows_of(sheet, *found, unquote=is_text and _is_ours(sheet, found[0]))
    if not is_there:
        raise MeterError(
            f"No sheet can be read: {problems[0].reason}" if problems else "The sheet is empty.",
            where=path,
            fix="A sheet to fill in: meter review export FILE.xlsx",
        )
    return rows, problems


def _header(sheet: Sheet) -> tuple[int, dict[str, int]] | None:
    """Return the row number of the header and the place of each of our columns in it; None if there is no header."""
    wanted = {CLASS_COLUMN, DECISION_COLUMN, *PHOTO_COLUMNS}
    for row_number, cells in sheet.numbered():
        if row_number >= sheet.first_row + HEADER_SEARCH_ROWS:
            break
        places: dict[str, int] = {}
        for place, cell in enumerate(cells):
            name = class_key(cell)
            if name in wanted:
                places.setdefault(name, place)
        if CLASS_COLUMN in places and places.keys() & set(PHOTO_COLUMNS):
            return row_number, places
    return None


def _is_ours(sheet: Sheet, header: int) -> bool:
    """Return whether a text file was exported here, so that the quotes before texts like `=x` are not a person's."""
    cells = sheet.rows[header - sheet.first_row]
    return [cell.strip() for cell in cells[: len(REVIEW_COLUMNS)]] == list(REVIEW_COLUMNS)


def _rows_of(sheet: Sheet, header: int, places: Mapping[str, int], *, unquote: bool) -> Iterator[_Row]:
    for row_number, cells in sheet.numbered():
        if row_number <= header:
            continue
        values = {name: cells[place].strip() for name, place in places.items() if place < len(cells)}
        if unquote:
            values = {name: unsafe_cell(value) for name, value in values.items()}
        if "image_url" in places:
            link = sheet.links.get((row_number, sheet.first_column + places["image_url"]))
            if link and not looks_like_url(values.get("image_url", "")):
                values["image_url"] = link
        column = next((name for name in PHOTO_COLUMNS if values.get(name)), None)
        if column is None and not values.get(CLASS_COLUMN):
            continue  # a blank row
        known = values.get(DECISION_COLUMN, "") if DECISION_COLUMN in places else None
        yield _Row(
            sheet.name,
            row_number,
            column or PHOTO_COLUMNS[0],
            values[column] if column else "",
            values.get(CLASS_COLUMN, ""),
            known,
        )
