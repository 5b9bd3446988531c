"""Which of a sheet's columns of URLs hold the photos: judged by what the URLs are, their headers, how much they vary.

What one URL is, is in `url_kinds`; what a header says, in `header_words`. Where the file alone does not decide, a few
URLs are in doubt: whoever reads the sheet may look at them and judge again with what was found there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import zip_longest

from meter_pipeline.ingest.sheets.columns.header_words import HeaderKind, kind_of_header, size_named
from meter_pipeline.ingest.sheets.columns.url_kinds import PICTURES, SeenUrl, UrlKind, kind_of_url, shape_of_url
from meter_pipeline.ingest.web.cell_urls import urls_in
from meter_pipeline.ingest.web.urls import MAX_URL_LENGTH

LOOKS_PER_COLUMN = 3
LOOKS_PER_FILE = 12
PHOTO_SHARE = 0.25
"""A column of whose URLs this share are photos holds photos, among documents or videos of the same rows."""
TEXT_SHARE = 0.3
"""Below this share of URLs among its filled cells a column is text with a link here and there."""
FEW_URLS_SHARE = 0.05
"""Below this share a text column with URLs that say nothing is no column of URLs at all."""
SAME_SHARE = 0.9
"""Two columns whose URLs are equal in this share of the rows that both fill are one."""
PROSE_SHARE = 0.5
"""From this share of sentences among its URLs a column is remarks, even if each has a URL in it."""
PROSE_WORDS = 4
"""Words beside a URL that are a sentence; a file's name or a label before it are fewer."""
_PUNCTUATION = ".,:;!?()[]\"'"
CONSTANT_FROM = 3
"""One URL in all rows is a logo if there are at least this many rows."""
LONGEST_JUDGED = 2_000
"""Characters of a cell that are judged: it may hold thousands of URLs."""
URLS_PER_CELL = 8
COPIES_COMPARED = 20
"""Columns that a URL is compared with to find copies; a sheet may have thousands of columns of one URL."""


class Rank(IntEnum):
    """How well a column serves as the photos' column; of a sheet's columns those of the best rank are taken."""

    PHOTOS = 0
    UNSURE = 1
    SMALL = 2
    OTHER_PICTURES = 3
    NO_PHOTOS = 4
    TEXT = 5
    """Never taken, unless a person names it."""


@dataclass(frozen=True)
class UrlColumn:
    """A column that has URLs, and what is needed to judge it.

    Attributes:
        place: index of the column in the sheet's rows.
        name: its name in the reports.
        header: the words above it; empty without a header.
        urls: number of its cells with URLs.
        filled: number of its filled cells below the header; words for "no photo" do not count.
        sample: row indexes and texts of some of the cells with URLs, in order.
        constant: whether all its URLs are one and the same.
    """

    place: int
    name: str
    header: str
    urls: int
    filled: int
    sample: Sequence[tuple[int, str]]
    constant: bool = False


@dataclass(frozen=True)
class Verdict:
    """How a column was judged.

    Attributes:
        column: the column.
        rank: how well it serves.
        reason: what its URLs are, in words.
        kind: what most of its URLs are.
        seen: its sampled URLs, cleaned, with duplicates.
        places: row index to URL of the sampled cells.
        notes: what is to be said about its URLs even where they are taken.
    """

    column: UrlColumn
    rank: Rank
    reason: str
    kind: UrlKind
    seen: tuple[str, ...] = ()
    places: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def to_look_at(self) -> list[str]:
        """A few different URLs: the first, the last, one from between."""
        different = list(dict.fromkeys(self.seen))
        if len(different) <= LOOKS_PER_COLUMN:
            return different
        return [different[0], different[len(different) // 2], different[-1]]


@dataclass(frozen=True)
class Choice:
    """What is taken of a sheet.

    Attributes:
        taken: indexes of the columns whose URLs are photos, in the sheet's order.
        passed_over: names of the other columns with URLs, each with the reason.
        in_doubt: URLs that decide, where the file does not.
        notes: further words for the report.
        rank: of the columns that are taken; TEXT if none is.
    """

    taken: list[int] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    in_doubt: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rank: Rank = Rank.TEXT


def choose_columns(sheets: Sequence[Sequence[UrlColumn]], looked: Mapping[str, bool] | None = None) -> list[Choice]:
    """Return what is taken of each sheet of a file.

    A name that means photos in one sheet means photos in all. A sheet that has nothing but maps or documents gives
    nothing if another sheet has photos; if none has, its best column is taken, and its rows say what is wrong.

    Args:
        sheets: the URL columns of each sheet.
        looked: whether a URL that was in doubt is a photo; URLs that could not be reached are left out.
    """
    judged = [[judge(column, alone=len(columns) == 1) for column in columns] for columns in sheets]
    if looked:
        judged = [[_after_a_look(verdict, looked) for verdict in verdicts] for verdicts in judged]
    judged = [_alike(_without_copies(_largest_sizes(verdicts))) for verdicts in judged]
    named = {_key(v.column) for verdicts in judged for v in verdicts if v.rank == Rank.PHOTOS and v.column.header}
    judged = [
        [replace(v, rank=Rank.PHOTOS) if v.rank == Rank.UNSURE and _key(v.column) in named else v for v in verdicts]
        for verdicts in judged
    ]
    best = min((v.rank for verdicts in judged for v in verdicts), default=Rank.TEXT)
    choices = [_choice(verdicts, best) for verdicts in judged]
    if looked is None:
        return _few_in_doubt(choices)
    return [replace(choice, in_doubt=[]) for choice in choices]


def judge(column: UrlColumn, *, alone: bool = False) -> Verdict:
    """Return how one column is judged for itself.

    Args:
        column: the column.
        alone: whether it is the sheet's only column with URLs; then its photos may well be one for all rows.
    """
    cells = [(row, _beginning(text)) for row, text in column.sample]
    urls = [(r, url.url, text) for r, text in cells for url in urls_in(text)[:URLS_PER_CELL] if url.reason is None]
    kinds = Counter(kind_of_url(url, text.replace(url, " ", 1)) for _, url, text in urls)
    kind, detail, share_pages = _of_all(kinds)
    header = kind_of_header(column.header)
    rank, reason = _rank(kind, header, detail)
    share = column.urls / max(1, column.filled)
    prose = sum(is_prose(text) for _, text in column.sample) / max(1, len(column.sample))
    if prose >= PROSE_SHARE and header is not HeaderKind.PHOTO:
        rank = max(rank, Rank.OTHER_PICTURES if kind in PICTURES else Rank.NO_PHOTOS)
        reason = "sentences with URLs in them"
    if share < TEXT_SHARE and header is not HeaderKind.PHOTO:
        reason = f"text with a URL in {column.urls:,} of {column.filled:,} cells"
        if kind in PICTURES:
            rank = max(rank, Rank.OTHER_PICTURES)
        elif header is HeaderKind.REMARK or share < FEW_URLS_SHARE:
            rank = Rank.TEXT
        else:
            rank = max(rank, Rank.NO_PHOTOS)
    if not alone and column.constant and column.urls >= CONSTANT_FROM and rank < Rank.OTHER_PICTURES:
        rank, reason = Rank.OTHER_PICTURES, f"the same URL in all {column.urls:,} rows"
    notes = (f"its URLs are pages of {share_pages}, which show a photo but are none",) if share_pages else ()
    return Verdict(column, rank, reason, kind, tuple(url for _, url, _ in urls), {r: u for r, u, _ in urls}, notes)


def is_prose(text: str) -> bool:
    """Return whether a cell is a sentence with a URL in it, and not a URL with its label."""
    words = [word.strip(_PUNCTUATION) for word in _beginning(text).split()]
    return sum(len(word) > 1 and word.isalpha() for word in words) >= PROSE_WORDS


def _beginning(text: str) -> str:
    """Return a cell's text, of a very long one its beginning, which ends between two URLs."""
    if len(text) <= LONGEST_JUDGED:
        return text
    beginning = text[:LONGEST_JUDGED]
    return beginning[: beginning.rfind("http")] if beginning.rfind("http") > 0 else text[:MAX_URL_LENGTH]


def _of_all(kinds: Counter[SeenUrl]) -> tuple[UrlKind, str, str]:
    """Return the kind of a column by its URLs' kinds, what it was known by, and the service of its share pages."""
    total = sum(kinds.values())
    if not total:
        return UrlKind.UNKNOWN, "", ""
    by_kind: Counter[UrlKind] = Counter()
    for seen, count in kinds.items():
        by_kind[seen.kind] += count
    services = Counter({seen.detail: n for seen, n in kinds.items() if seen.kind is UrlKind.SHARED and seen.detail})
    service = services.most_common(1)[0][0] if services and services.total() * 2 >= total else ""
    pictures = sum(by_kind[kind] for kind in PICTURES)
    if pictures >= PHOTO_SHARE * total:
        kind = UrlKind.PHOTO if by_kind[UrlKind.PHOTO] * 2 >= pictures else UrlKind.LIKELY_PHOTO
    else:
        kind = by_kind.most_common(1)[0][0]
    details = Counter({seen.detail: n for seen, n in kinds.items() if seen.kind is kind and seen.detail})
    detail = " and ".join(name for name, _ in details.most_common(2)) if kind is UrlKind.FILE else ""
    return kind, detail, service


def _rank(kind: UrlKind, header: HeaderKind, detail: str) -> tuple[Rank, str]:
    """Return the rank of a column and what it holds, in words, by what its URLs are and what its header says."""
    called = f"called {header.value}"
    if kind is UrlKind.MAP:
        return Rank.NO_PHOTOS, kind.value
    if kind is UrlKind.FILE:
        return Rank.NO_PHOTOS, f"{detail} files" if detail else kind.value
    if kind in {UrlKind.RECORD, UrlKind.SITE}:
        return (Rank.UNSURE if header is HeaderKind.PHOTO else Rank.NO_PHOTOS), kind.value
    if header in {HeaderKind.SIGNATURE, HeaderKind.CODE, HeaderKind.PORTRAIT}:
        return Rank.OTHER_PICTURES, called
    if kind in {UrlKind.SIGNATURE, UrlKind.CODE, UrlKind.PORTRAIT}:
        return (Rank.PHOTOS if header is HeaderKind.PHOTO else Rank.OTHER_PICTURES), kind.value
    if kind is UrlKind.THUMBNAIL or header is HeaderKind.SMALL:
        return Rank.SMALL, kind.value if kind is UrlKind.THUMBNAIL else called
    if header is HeaderKind.PHOTO:
        return Rank.PHOTOS, called
    picture = kind in PICTURES
    if header in {HeaderKind.MAP, HeaderKind.FILE}:
        return (Rank.OTHER_PICTURES if picture else Rank.NO_PHOTOS), called
    if picture:
        return Rank.PHOTOS, kind.value
    if header in {HeaderKind.RECORD, HeaderKind.SITE}:
        return Rank.NO_PHOTOS, called
    return Rank.UNSURE, "nothing says that they are photos"


def _after_a_look(verdict: Verdict, looked: Mapping[str, bool]) -> Verdict:
    answers = [looked[url] for url in verdict.to_look_at if url in looked]
    if verdict.rank != Rank.UNSURE or not answers:
        return verdict
    if any(answers):
        return replace(verdict, rank=Rank.PHOTOS, reason="photos, by a look at some")
    count = f"{len(answers)} of its URLs" if len(answers) > 1 else "one of its URLs"
    return replace(verdict, rank=Rank.NO_PHOTOS, reason=f"no photo was behind {count}")


def _largest_sizes(verdicts: list[Verdict]) -> list[Verdict]:
    """Set back what is one photo in a smaller size, by headers that differ in a word for the size only."""
    sizes: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.rank <= Rank.SMALL:
            family, size = size_named(verdict.column.header)
            sizes[family] = min(sizes.get(family, size), size)
    result = []
    for verdict in verdicts:
        family, size = size_named(verdict.column.header)
        smaller = verdict.rank < Rank.SMALL and size > sizes.get(family, size)
        result.append(_set_back(verdict, Rank.SMALL, UrlKind.THUMBNAIL.value) if smaller else verdict)
    return result


def _without_copies(verdicts: list[Verdict]) -> list[Verdict]:
    """Set back a column that repeats the URLs of another one."""
    result: list[Verdict] = []
    by_url: dict[tuple[int, str], list[int]] = {}
    for verdict in sorted(verdicts, key=lambda v: v.rank):
        if verdict.rank > Rank.SMALL:
            result.append(verdict)
            continue
        equal = Counter(other for item in verdict.places.items() for other in by_url.get(item, ()))
        same = (o for o, n in equal.items() if n >= SAME_SHARE * len(result[o].places.keys() & verdict.places.keys()))
        if (copied := next(same, None)) is not None:
            reason = f"the same URLs as in {result[copied].column.name}"
            result.append(_set_back(verdict, Rank.NO_PHOTOS, reason))
            continue
        for item in verdict.places.items():
            known = by_url.setdefault(item, [])
            if len(known) < COPIES_COMPARED:
                known.append(len(result))
        result.append(verdict)
    return sorted(result, key=lambda v: v.column.place)


def _set_back(verdict: Verdict, rank: Rank, reason: str) -> Verdict:
    return replace(verdict, rank=rank, reason=reason)


def _alike(verdicts: list[Verdict]) -> list[Verdict]:
    """Take for photos what is in doubt but comes from the same place of the same store as photos do."""
    shapes = {
        shape_of_url(url) for v in verdicts if v.rank == Rank.PHOTOS and v.kind is UrlKind.UNKNOWN for url in v.seen
    }
    return [
        replace(v, rank=Rank.PHOTOS, reason="from where the photos are")
        if (v.rank, v.kind) == (Rank.UNSURE, UrlKind.UNKNOWN) and shapes.issuperset(map(shape_of_url, v.seen))
        else v
        for v in verdicts
    ]


def _choice(verdicts: list[Verdict], best_of_file: Rank) -> Choice:
    best = min((v.rank for v in verdicts), default=Rank.TEXT)
    if best == Rank.TEXT or (best == Rank.NO_PHOTOS and best_of_file < Rank.NO_PHOTOS):
        return Choice(passed_over=_names(verdicts))
    taken = [v for v in verdicts if v.rank == best]
    if best >= Rank.OTHER_PICTURES:
        # Only for want of photos: the one that varies, with most URLs.
        taken = [min(taken, key=lambda v: (v.column.constant, -v.column.urls, v.column.place))]
    places = {v.column.place for v in taken}
    notes = [f"{v.column.name}: {note}" for v in taken for note in v.notes]
    if best >= Rank.SMALL:
        notes += [f"{v.column.name} was taken for want of others ({v.reason})" for v in taken]
    unsure = [v for v in verdicts if v.rank == Rank.UNSURE]
    others = [v for v in verdicts if v.rank < Rank.NO_PHOTOS]
    in_doubt = _in_turn([v.to_look_at for v in unsure]) if len(others) > 1 else []
    left = [v for v in verdicts if v.column.place not in places]
    return Choice(sorted(places), _names(left), in_doubt, notes, best)


def _names(verdicts: Iterable[Verdict]) -> list[str]:
    return [f"{v.column.name} ({v.reason})" for v in verdicts]


def _few_in_doubt(choices: list[Choice]) -> list[Choice]:
    """Leave at most `LOOKS_PER_FILE` URLs in doubt, spread over the sheets and columns that are."""
    kept = set(_in_turn([choice.in_doubt for choice in choices])[:LOOKS_PER_FILE])
    return [replace(choice, in_doubt=[url for url in choice.in_doubt if url in kept]) for choice in choices]


def _in_turn(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return the first of each list, then the second of each, and so on; each once."""
    turns = zip_longest(*lists)
    return list(dict.fromkeys(url for turn in turns for url in turn if url is not None))


def _key(column: UrlColumn) -> str:
    return " ".join(column.header.split()).casefold()
