"""The link in a formula, worked out from constants and other cells: `HYPERLINK("http://store/"&A2&".jpg";"open")`.

Readers give a formula's stored result, which is the text shown and not the link, and which many programs leave out.
Only what links are made of is worked out: texts joined, cells looked up, simple text functions. Anything else raises
`UnknownResult` with the reason; a result is never guessed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote

from meter_pipeline.ingest.sheets.workbooks.error_cells import is_error
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import column_number

MAX_CHARACTERS = 8_192
"""Excel's limit of a formula; of a cell it is 32,767."""
MAX_RESULT_CHARACTERS = 32_767
MAX_DEPTH = 64
_MAX_JOINED_CELLS = 1_000

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"]|"")*")
    |(?P<sheet>'(?:[^']|'')+'!|[^\W\d][\w.]*!)?(?P<cell>\$?[A-Za-z]{1,3}\$?[1-9]\d{0,6})(?![\w.(])
    |(?P<sheet2>'(?:[^']|'')+'!|[^\W\d][\w.]*!)?(?P<columns>\$?[A-Za-z]{1,3}:\$?[A-Za-z]{1,3})(?![\w.(])
    |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<table>(?:[^\W\d][\w.]*)?\[(?:\[[^\[\]]*\]|[^\[\]])*\])
    |(?P<name>[^\W\d][\w.]*)\s*(?P<call>\()?
    |(?P<sign><=|>=|<>|[-+*/^&=<>(),;:%@])
    )""",
    re.VERBOSE,
)
_PREFIXES = ("_xlfn.", "_xlws.", "__xludf.", "com.sun.star.sheet.addin.")


class UnknownResult(Exception):
    """A formula whose result cannot be worked out from the sheet; the text says why."""


class Link(str):
    """The text that a cell with a link shows."""

    target: str = ""

    @classmethod
    def to(cls, target: str, shown: str) -> Link:
        """Return the text `shown` with a link behind it."""
        link = cls(shown)
        link.target = target
        return link


Value = str | float | bool | None
"""None is a blank cell."""


class Cells(Protocol):
    """Where a formula looks up other cells."""

    def value(self, sheet: str, row: int, column: int) -> Value:
        """Return a cell's value; the sheet's name is empty for the formula's own sheet.

        Raises:
            UnknownResult: there is no such sheet, or its value is not known.
        """
        ...

    def table_column(self, table: str, name: str) -> int:
        """Return the number of a table's column, by name; the table's name is empty for the one around the formula.

        Raises:
            UnknownResult: there is no such table or column.
        """
        ...


@dataclass(frozen=True)
class _At:
    """Where a formula is worked out."""

    cells: Cells
    row: int
    column: int
    down: int = 0
    right: int = 0


_Part = Callable[[_At], "Value | _Range"]


@dataclass(frozen=True)
class _Range:
    sheet: str
    first_row: int
    first_column: int
    last_row: int
    last_column: int

    def values(self, at: _At) -> Iterator[Value]:
        if (self.last_row - self.first_row + 1) * (self.last_column - self.first_column + 1) > _MAX_JOINED_CELLS:
            raise UnknownResult("it joins too many cells")
        for row in range(self.first_row, self.last_row + 1):
            for column in range(self.first_column, self.last_column + 1):
                yield at.cells.value(self.sheet, row, column)

    def one(self, at: _At) -> Value:
        """Return the cell in the formula's own row or column, as Excel takes it from a range."""
        row = self.first_row if self.first_row == self.last_row else at.row
        column = self.first_column if self.first_column == self.last_column else at.column
        inside = self.first_row <= row <= self.last_row and self.first_column <= column <= self.last_column
        if not inside:
            raise UnknownResult("it takes one cell from a range elsewhere")
        return at.cells.value(self.sheet, row, column)


@dataclass(frozen=True)
class Formula:
    """A formula of one cell.

    Attributes:
        text: as in the file, without `=`, in English, cells as `A1`.
        down: rows below the cell that the text was written for (formulas that many cells share).
        right: columns to the right of it.
    """

    text: str
    down: int = 0
    right: int = 0

    def result(self, cells: Cells, row: int, column: int) -> Value:
        """Work the formula out for the cell in this row and column.

        Raises:
            UnknownResult: it cannot be worked out.
        """
        return _one(_parsed(self.text), _At(cells, row, column, self.down, self.right))


def has_link(text: str) -> bool:
    """Return whether a formula makes a link or shows a picture."""
    return _LINKS.search(text) is not None


_LINKS = re.compile(r"\b(?:HYPERLINK|IMAGE)\s*\(", re.IGNORECASE)


@lru_cache(maxsize=512)
def _parsed(text: str) -> _Part:
    if len(text) > MAX_CHARACTERS:
        raise UnknownResult(f"it is longer than {MAX_CHARACTERS:,} characters")
    parser = _Parser(text.strip().removeprefix("="))
    part = parser.comparison()
    if parser.token is not None:
        raise UnknownResult(f"{parser.shown()} is not understood")
    return part


class _Parser:
    """Recursive descent, with the strengths of operators that spreadsheet programs have."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._depth = 0
        self.token: re.Match[str] | None = None
        self.next()

    def next(self) -> None:
        """Go on to the next token."""
        start = self._end
        self.token = _TOKEN.match(self._text, start)
        if self.token is None and self._text[start:].strip():
            raise UnknownResult(f"{self._text[start : start + 20].strip()!r} is not understood")
        self._end = self.token.end() if self.token else start

    def shown(self) -> str:
        """Return the token for a message."""
        return repr(self.token.group().strip()[:40]) if self.token else "its end"

    def sign(self, *signs: str) -> str | None:
        """Return the token and go on, if it is one of the signs."""
        found = self.token.group("sign") if self.token else None
        if found in signs:
            self.next()
            return found
        return None

    def comparison(self) -> _Part:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnknownResult("it is nested too deep")
        left = self._joined()
        while found := self.sign("=", "<>", "<", ">", "<=", ">="):
            left = _comparing(found, left, self._joined())
        self._depth -= 1
        return left

    def _joined(self) -> _Part:
        parts = [self._sum()]
        while self.sign("&"):
            parts.append(self._sum())
        if len(parts) == 1:
            return parts[0]
        return lambda at: _limited("".join(text_of(_one(part, at)) for part in parts))

    def _sum(self) -> _Part:
        left = self._product()
        while found := self.sign("+", "-"):
            left = _reckoning(operator.add if found == "+" else operator.sub, left, self._product())
        return left

    def _product(self) -> _Part:
        left = self._signed()
        while found := self.sign("*", "/"):
            left = _reckoning(operator.mul if found == "*" else operator.truediv, left, self._signed())
        return left

    def _signed(self) -> _Part:
        minus = 0
        while found := self.sign("+", "-", "@"):
            minus += found == "-"
        part = self._primary()
        return _reckoning(operator.mul, _always(-1.0), part) if minus % 2 else part

    def _primary(self) -> _Part:
        token = self.token
        if token is None:
            raise UnknownResult("it is cut off")
        if self.sign("("):
            part = self.comparison()
            self._expect(")")
            return part
        if token["text"] is not None:
            text = token["text"][1:-1].replace('""', '"')
            self.next()
            return _always(text)
        if token["number"] is not None:
            number = float(token["number"])
            self.next()
            return _always(number)
        if token["cell"] is not None or token["columns"] is not None:
            return self._reference(token)
        if token["table"] is not None:
            self.next()
            return _of_table(token["table"])
        if token["name"] is not None:
            return self._named(token)
        raise UnknownResult(f"{self.shown()} is not understood")

    def _reference(self, token: re.Match[str]) -> _Part:
        self.next()
        sheet = (token["sheet"] or token["sheet2"] or "").removesuffix("!")
        if sheet.startswith("'"):
            sheet = sheet[1:-1].replace("''", "'")
        if token["columns"] is not None:
            first, last = (_column(letters) for letters in token["columns"].split(":"))
            return lambda at: _Range(sheet, 1, first(at), 1_048_576, last(at))
        row, column = _row(token["cell"]), _column(token["cell"])
        if self.sign(":"):
            end = self.token
            if end is None or end["cell"] is None:
                raise UnknownResult(f"{self.shown()} is not understood")
            self.next()
            last_row, last_column = _row(end["cell"]), _column(end["cell"])
            return lambda at: _Range(sheet, row(at), column(at), last_row(at), last_column(at))
        return lambda at: at.cells.value(sheet, row(at), column(at))

    def _named(self, token: re.Match[str]) -> _Part:
        name = token["name"]
        self.next()
        for prefix in _PREFIXES:
            while name.lower().startswith(prefix):
                name = name[len(prefix) :]
        name = name.upper()
        if token["call"] is None:
            if name in {"TRUE", "FALSE"}:
                return _always(name == "TRUE")
            raise UnknownResult(f"the name {token['name']!r} is not looked up")
        arguments: list[_Part] = []
        while not self.sign(")"):
            if arguments:
                self._expect(",", ";")
            blank = self.token is not None and self.token["sign"] in {",", ";", ")"}
            arguments.append(_always(None) if blank else self.comparison())
        function = _FUNCTIONS.get(name)
        if function is None:
            raise UnknownResult(f"the function {name[:40]} is not worked out")
        return lambda at: function(at, arguments)

    def _expect(self, *signs: str) -> None:
        if self.sign(*signs) is None:
            raise UnknownResult(f"{signs[0]!r} is missing before {self.shown()}")


def _always(value: Value) -> _Part:
    return lambda _at: value


def _row(reference: str) -> Callable[[_At], int]:
    head, absolute, digits = re.split(r"(\$?)(?=\d)", reference, maxsplit=1)
    number = int(digits)
    return lambda at: number if absolute or not head else number + at.down


def _column(reference: str) -> Callable[[_At], int]:
    number = column_number(re.sub(r"[^A-Za-z]", "", reference).upper()) - 1
    return lambda at: number if reference.startswith("$") else number + at.right


def _of_table(reference: str) -> _Part:
    """Return a table's cell in the formula's row: `Table1[[#This Row],[Meter]]`, `[@Meter]`, `Table1[@[Meter no]]`."""
    table, _, inside = reference.partition("[")
    inside = inside.removesuffix("]")
    this_row = re.fullmatch(
        r"\s*\[#This Row\]\s*,\s*\[([^\[\]]+)\]\s*|\s*@\s*\[?([^\[\]]+)\]?\s*", inside, re.IGNORECASE
    )
    if this_row is None:
        raise UnknownResult(f"{reference[:40]} is not a cell of the same row")
    name = re.sub(r"'(.)", r"\1", (this_row[1] or this_row[2]).strip())
    return lambda at: at.cells.value("", at.row, at.cells.table_column(table, name))


def _one(part: _Part, at: _At) -> Value:
    value = part(at)
    if isinstance(value, _Range):
        value = value.one(at)
    if isinstance(value, str) and is_error(value):
        raise UnknownResult(f"it needs a cell that holds the error {value.strip()}")
    return value


def text_of(value: Value) -> str:
    """Return a value as a formula joins it to other text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(value, ".15g")
    return str(value)


def _limited(text: str) -> str:
    if len(text) > MAX_RESULT_CHARACTERS:
        raise UnknownResult("its result is too long for a cell")
    return text


def _number(value: Value) -> float:
    if value is None:
        return 0.0
    try:
        return float(value)
    except ValueError:
        raise UnknownResult(f"{text_of(value)[:20]!r} is not a number") from None


def _reckoning(how: Callable[[float, float], float], left: _Part, right: _Part) -> _Part:
    def reckon(at: _At) -> Value:
        try:
            return how(_number(_one(left, at)), _number(_one(right, at)))
        except (ZeroDivisionError, OverflowError):
            raise UnknownResult("it divides by zero") from None

    return reckon


def _comparing(sign: str, left: _Part, right: _Part) -> _Part:
    how: Callable[[Any, Any], bool] = {
        "=": operator.eq, "<>": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
    }[sign]  # fmt: skip

    def compare(at: _At) -> Value:
        first, second = _one(left, at), _one(right, at)
        try:
            if text_of(first) and text_of(second):
                return how(float(first or 0), float(second or 0))
        except ValueError:
            pass
        return how(text_of(first).casefold(), text_of(second).casefold())

    return compare


_Arguments = Sequence[_Part]


def _argument(at: _At, arguments: _Arguments, place: int, missing: Value = None) -> Value:
    return _one(arguments[place], at) if place < len(arguments) else missing


def _text(at: _At, arguments: _Arguments, place: int, missing: str = "") -> str:
    return text_of(_argument(at, arguments, place, missing))


def _count(at: _At, arguments: _Arguments, place: int, missing: float = 1.0) -> int:
    number = int(_number(_argument(at, arguments, place, missing)))
    if number < 0:
        raise UnknownResult("it counts below zero")
    return number


def _hyperlink(at: _At, arguments: _Arguments) -> Value:
    target = _text(at, arguments, 0)
    try:
        shown = _text(at, arguments, 1, target)
    except UnknownResult:
        shown = ""  # the text shown is what the file stores; only the link is wanted
    return Link.to(target, shown)


def _image(at: _At, arguments: _Arguments) -> Value:
    target = _text(at, arguments, 0)
    return Link.to(target, target)


def _google(at: _At, arguments: _Arguments) -> Value:
    """Work out what a Google sheet exports as text: `__xludf.DUMMYFUNCTION("IMAGE(""http://..."")")`."""
    text = _text(at, arguments, 0)
    if not has_link(text):
        raise UnknownResult("it is a function of Google Sheets")
    return _one(_parsed(text), at)


def _all_texts(at: _At, arguments: _Arguments) -> Iterator[str]:
    for argument in arguments:
        value = argument(at)
        for one in value.values(at) if isinstance(value, _Range) else [value]:
            if isinstance(one, str) and is_error(one):
                raise UnknownResult(f"it needs a cell that holds the error {one.strip()}")
            yield text_of(one)


def _joined_by(at: _At, arguments: _Arguments) -> Value:
    between, skip = _text(at, arguments, 0), bool(_argument(at, arguments, 1))
    return _limited(between.join(text for text in _all_texts(at, arguments[2:]) if text or not skip))


def _if(at: _At, arguments: _Arguments) -> Value:
    condition = _argument(at, arguments, 0)
    if isinstance(condition, str):
        word = condition.strip().upper()
        condition = word == "TRUE" if word in {"TRUE", "FALSE"} else _number(condition)
    return _argument(at, arguments, 1, True) if condition else _argument(at, arguments, 2, False)


def _first_known(at: _At, arguments: _Arguments) -> Value:
    # Not the second argument if the first is unknown: that would be a guess.
    return _argument(at, arguments, 0)


def _substitute(at: _At, arguments: _Arguments) -> Value:
    text, old, new = (_text(at, arguments, place) for place in range(3))
    if not old:
        return text
    if len(arguments) < 4:
        return _limited(text.replace(old, new)) if len(text) * max(1, len(new)) < 10_000_000 else _limited("x" * 40_000)
    pieces, which = text.split(old), _count(at, arguments, 3)
    if not 1 <= which < len(pieces):
        return text
    return _limited(old.join(pieces[:which]) + new + old.join(pieces[which:]))


def _middle(at: _At, arguments: _Arguments) -> Value:
    start = max(1, _count(at, arguments, 1)) - 1
    return _text(at, arguments, 0)[start : start + _count(at, arguments, 2)]


def _right(at: _At, arguments: _Arguments) -> Value:
    text, count = _text(at, arguments, 0), _count(at, arguments, 1)
    return text[max(0, len(text) - count) :]


def _formatted(at: _At, arguments: _Arguments) -> Value:
    value, code = _argument(at, arguments, 0), _text(at, arguments, 1)
    if re.fullmatch("0+", code):
        return f"{round(_number(value)):0{len(code)}d}"
    if code in {"@", "General"}:
        return text_of(value)
    raise UnknownResult(f"the format {code[:20]!r} is not worked out")


def _of_text(change: Callable[[str], Value]) -> Callable[[_At, _Arguments], Value]:
    return lambda at, arguments: change(_text(at, arguments, 0))


_FUNCTIONS: dict[str, Callable[[_At, _Arguments], Value]] = {
    "HYPERLINK": _hyperlink,
    "IMAGE": _image,
    "DUMMYFUNCTION": _google,
    "CONCATENATE": lambda at, arguments: _limited("".join(_all_texts(at, arguments))),
    "CONCAT": lambda at, arguments: _limited("".join(_all_texts(at, arguments))),
    "TEXTJOIN": _joined_by,
    "IF": _if,
    "IFERROR": _first_known,
    "IFNA": _first_known,
    "SINGLE": _first_known,
    "ARRAYFORMULA": _first_known,
    "SUBSTITUTE": _substitute,
    "TRIM": _of_text(lambda text: " ".join(text.split(" ")).strip() if "  " not in text else " ".join(text.split())),
    "CLEAN": _of_text(lambda text: re.sub(r"[\x00-\x1f]", "", text)),
    "LOWER": _of_text(str.lower),
    "UPPER": _of_text(str.upper),
    "T": _of_text(str),
    "VALUE": lambda at, arguments: _number(_argument(at, arguments, 0)),
    "LEN": _of_text(lambda text: float(len(text))),
    "LEFT": lambda at, arguments: _text(at, arguments, 0)[: _count(at, arguments, 1)],
    "RIGHT": _right,
    "MID": _middle,
    "TEXT": _formatted,
    "ENCODEURL": _of_text(lambda text: quote(text, safe="-_.~")),
    "CHAR": lambda at, arguments: bytes([_count(at, arguments, 0) % 256]).decode("cp1252", "replace"),
    "ISBLANK": lambda at, arguments: not _text(at, arguments, 0),
    "ROW": lambda at, arguments: float(at.row) if not arguments else _unknown("ROW of another cell"),
}


def _unknown(what: str) -> Value:
    raise UnknownResult(f"{what} is not worked out")
