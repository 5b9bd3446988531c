r"""From what a cell says to the URLs in it: one grammar for lists, markup, labels and prose.

The principle: whatever surrounds them, the URLs of a cell come out once, in order, as they are.

- A URL begins at `http://` or `https://`, anywhere in the cell. Inside a URL another one begins only behind a blank, a
  separator, a quote or a bracket, or where the file name just ended (`1.jpghttp://`): `?u=http://` and `/http://`
  belong to the URL around them.
- It ends where the next one begins; at a line break, tab, `<`, `>` or double quote; at the closing quote or bracket of
  what it stands in. Brackets in pairs (`Foo_(bar)`), commas, semicolons and pipes inside a URL belong to it.
- A blank, or a comma or full stop of another script, belongs to the URL only if no photo's extension (`.jpg`) came
  before and one is still to come: `http://h/my photo 1.jpg` is one URL, `http://h/1.jpg front view` and
  `http://h/1, front view` are a URL and its description. In quotes and angle brackets blanks need no extension.
- Behind an extension, a pipe ends the URL (`http://h/1.jpg|front`), and so does a comma before words with blanks.
- Punctuation at the end, of any script, is not part of it; neither is an opening bracket, nor a closing one without its
  opening one. A shortened URL (`http://h/1...`) beside the whole one is left out.
- JSON is read as JSON: each text in it is a cell, thumbnails beside a URL are left out. HTML entities and the escapes
  of JSON (`\\/`, `\u0026`) are undone first.
- What else stands there is description, but never a URL that gets lost in silence: `ftp://`, `file:` and the like are
  entries with the reason; hosts without a scheme count where the file's extension or the whole cell speaks for them.

How one URL is cleaned, and why it is refused, is in `urls`. Everything takes time linear in the cell's length.
"""

from __future__ import annotations

import bisect
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import ClassVar

from meter_pipeline.ingest.web.urls import (
    HTTP,
    MAX_URL_LENGTH,
    NO_SCHEME,
    NOT_A_URL,
    PLAIN,
    CellUrl,
    UrlRefusedError,
    bare_text,
    clean_url,
    without_invisible,
)

MAX_HOST_LENGTH = 260
"""Characters, with a port."""
LONGEST_FILE_NAME = 255
"""Characters; the extension of a file name with blanks is looked for no further than this."""
_BEGINNING = re.compile(HTTP.pattern + r"(?=[\w\[])", re.IGNORECASE)
"""A scheme and the first character of a host: a lone `http://` in a text is none."""
_EXTENSION = re.compile(
    r"\.(?:jpe?g|jpe|jfif|pjpeg|png|gif|bmp|dib|webp|hei[cf]s?|avif|tiff?|jp2|svg|dng|cr2|nef|arw)(?![\w/.%\-])",
    re.IGNORECASE,
)
_EXTENSION_BEFORE_HTTP = re.compile(_EXTENSION.pattern.partition("(?!")[0], re.IGNORECASE)
_PLAIN_AND_MORE = re.compile(rf"({PLAIN.pattern}[.!:]*)[\s,;|]*")
"""A URL that needs no second look, and separators behind it."""
_MOST_READINGS = 4
"""How often what came out is read again until it stays as it is."""

_STOPS = (
    "\u3002\uff0c\u3001\uff1b\uff01\uff1f\uff1a\uff0e\uff61\uff64\u061b\u060c\u061f\u06d4"
    "\u0964\u0965\u1362\u1363\u1364\u17d4\u104a\u104b\u0589\u0f0d"
)
"""Commas and full stops of scripts that set no blank behind them, or whose URLs are seldom written out."""
_BRACKETS = {
    "(": ")",
    "[": "]",
    "{": "}",
    "\uff08": "\uff09",
    "\u3010": "\u3011",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
    "\u3008": "\u3009",
    "\u300a": "\u300b",
    "\u2039": "\u203a",
}
_OPENING_OF = {closing: opening for opening, closing in _BRACKETS.items()}
_WIDE_OPENING = "\uff08\u3010\u300c\u300e\u3008\u300a"
_WALLS = '\t\n\r\f\v\x1c-\x1e\x85\u2028\u2029<>"`\u201c\u201d\u201e\u201f\u00ab\u00bb\uff1c\uff1e\uff02\uff5c'
"""Characters, as in a regular expression's set, that no URL goes across."""
_WALL = re.compile(f"[{_WALLS}]|https?[:\uff1a][/\\\\\uff0f\uff3c]", re.IGNORECASE)
_SPECIAL = re.compile(
    rf"(?P<next>https?[:\uff1a][/\\\uff0f\uff3c])|(?P<wall>[{_WALLS}]|\[/[a-z]{{1,9}}\])|(?P<soft>[\s{_STOPS}{_WIDE_OPENING}])"
    rf"|(?P<pipe>\|)|(?P<opening>[(\[{{])|(?P<closing>[)\]}}\uff09\u3011\u300d\u300f\u3009\u300b\u203a])|(?P<apostrophe>['\u2018\u2019])",
    re.IGNORECASE,
)
_PARTING = re.compile(rf"(?P<next>https?[:\uff1a][/\\\uff0f\uff3c])|[\s|{_WALLS}{_STOPS}]", re.IGNORECASE)
"""What ends a URL that is too long anyway."""
_BEHIND_CLOSING = re.compile(r"$|[\s,;|<>\"'()\[\]{}\\&]|[.:!?*](?=\s|$)|[^\x00-\x7f]")
_NAMES_THE_NEXT = re.compile(r"\s*[(\[{:=\uff1a\uff08]")
_HOST_END = re.compile(r"[/\\?#\uff0f]")
_QUOTES_BEFORE = ("'", '"', "<", "\u201c", "\u2018", "\u201e", "\u201a", "`", "\u00ab")
_NEW_BEHIND = frozenset("\t\n\r ,;|\"'<>()[]{}`*")
_TRAILING = "#.,;:!?'\"<>|`"
_EMPHASIS = "*_~"
_AMPERSANDS = re.compile(r"&(?:amp;|#0{0,5}38;|#x0{0,5}26;)+", re.IGNORECASE)
_ENTITY = re.compile(
    r"&(?:(lt|gt|quot|apos|nbsp|sol|colon|equals|quest)|#0{0,5}([0-9]{1,5})|#x0{0,5}([0-9a-f]{1,4}));", re.IGNORECASE
)
_ENTITIES = {
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "apos": "'",
    "nbsp": " ",
    "sol": "/",
    "colon": ":",
    "equals": "=",
    "quest": "?",
}
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-f])", re.IGNORECASE)
_BETWEEN_TOKENS = re.compile(r"[\s,;|]+")
_OTHER_URL = re.compile(
    r"(?<![a-z0-9+.\-])(?:[a-z0-9+.\-]{1,20}://|file:|data:|javascript:|mailto:|\\\\)[^\s<>\",;|]+", re.IGNORECASE
)
_TOKEN = re.compile(r"[^\s,;|<>\"'()\[\]{}]+")
_ADDRESS_KEYS = ("url", "href", "src", "link", "uri", "downloadurl", "contenturl")
_SMALL_COPIES = ("thumb", "preview", "icon")


def urls_in(cell: str) -> list[CellUrl]:
    """Return the URLs of a cell, once each and in order; other text gives one refused entry, an empty cell nothing."""
    if _is_plain(cell):
        return [CellUrl(cell)]
    return list(dict.fromkeys(map(_settled, _read(cell))))


def _is_plain(text: str) -> bool:
    return PLAIN.fullmatch(text) is not None and len(text) <= MAX_URL_LENGTH and text.find("http", 4) < 0


def _settled(entry: CellUrl) -> CellUrl:
    """Return the entry that is read from an entry's own URL: what came out once is the same when it is dropped again.

    A text that is mended to something else each time it is read, or to several, is no URL.
    """
    for _ in range(_MOST_READINGS):
        if entry.reason is not None or _is_plain(entry.url):
            return entry
        again = [other for other in _read(entry.url) if other.reason is None]
        if again == [entry]:
            return entry
        if len(again) != 1:
            break
        entry = again[0]
    return CellUrl(entry.url, NOT_A_URL)


def _read(cell: str) -> list[CellUrl]:
    """Return what one reading finds, once each and in order."""
    text = without_invisible(cell)
    texts = _json_texts(text.strip())
    if texts is None:
        found = list(_in_text(text, quoted=False))
    else:
        found = [entry for one in texts if _speaks_of_a_url(one) for entry in _in_text(one, quoted=True)]
    if found:
        return list(dict.fromkeys(found))
    bare = bare_text(text)
    return [_entry(bare)] if bare else []


def _speaks_of_a_url(text: str) -> bool:
    return HTTP.search(text) is not None or ("/" in text and NO_SCHEME.match(text) is not None) or "://" in text


def _in_text(text: str, *, quoted: bool) -> Iterator[CellUrl]:
    """Yield the URLs of a text that is not JSON.

    Args:
        text: without invisible characters.
        quoted: whether the text stood in quotes, so that blanks in it need no reason.
    """
    text = _unescaped(text)
    if _BEGINNING.search(text) is None:
        yield from _without_http(text)
        return
    found: list[tuple[CellUrl, bool]] = []
    known: dict[str, CellUrl] = {}
    place = 0
    while (http := _BEGINNING.search(text, place)) is not None:
        found.extend((entry, False) for entry in _in_the_gap(text, place, http.start()))
        start = http.start()
        end = _easy_end(text, http) or _Ending(text, http, place, quoted=quoted).find()
        piece, shortened = _without_trailing(text, start, end)
        if piece not in known:
            known[piece] = _entry(piece)
        found.append((known[piece], shortened))
        place = max(end, http.end())
    found.extend((entry, False) for entry in _in_the_gap(text, place, len(text)))
    yield from _without_shortened(found)


def _entry(text: str) -> CellUrl:
    if PLAIN.fullmatch(text) and len(text) <= MAX_URL_LENGTH:
        return CellUrl(text)
    try:
        return CellUrl(clean_url(text))
    except UrlRefusedError as error:
        return CellUrl(text, str(error))


def _unescaped(text: str) -> str:
    """Return the text without HTML entities and without JSON's escapes, as far as URLs and what surrounds them go."""
    if "&" in text and ";" in text:
        text = _ENTITY.sub(_character, _AMPERSANDS.sub("&", text))
    if "\\/" in text:
        text = text.replace("\\/", "/")
    if "\\u00" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text)
    return text


def _character(match: re.Match[str]) -> str:
    """Return what an entity means; a letter or digit is not undone, so that nothing becomes an entity by it."""
    name, decimal, hexadecimal = match.groups()
    if name:
        return _ENTITIES[name.lower()]
    character = chr(int(decimal) if decimal else int(hexadecimal, 16))
    plain = character.isprintable() and not character.isalnum() and character not in "&#;\\"
    return character if plain or character == "\u00a0" else match.group()


def _easy_end(text: str, http: re.Match[str]) -> int:
    """Return where a URL without special characters ends, if it is easy to see; 0 otherwise.

    It is followed by separators only, or by a blank behind a photo's extension.
    """
    easy = _PLAIN_AND_MORE.match(text, http.start())
    if easy is None or text.find("http", http.end(), easy.end(1)) >= 0:
        return 0
    end = easy.end(1)
    if easy.end() == len(text) or HTTP.match(text, easy.end()):
        return end
    named = text[end].isspace() and text.find("/", http.end(), end - 4) >= 0
    extension = _EXTENSION.search(text, end - 5, end) if named else None
    return end if extension and extension.end() == end else 0


class _Ending:
    """Looks for the end of the URL that begins with `http`, one special character after the other.

    Args:
        text: the cell.
        http: the URL's beginning in it.
        gap_start: where the URL before it ended.
        quoted: whether the text stood in quotes.
    """

    def __init__(self, text: str, http: re.Match[str], gap_start: int, *, quoted: bool) -> None:
        self._text = text
        self._first = http.end()
        slash = _HOST_END.search(text, self._first, self._first + MAX_HOST_LENGTH)
        self._path = slash.end() if slash else self._first + MAX_HOST_LENGTH
        start = http.start()
        before = text[start - 1] if start else ""
        self._in_quotes = quoted or before in _QUOTES_BEFORE
        self._apostrophe = {"'": "'", "\u2018": "\u2019", "\u201a": "\u2018"}.get(before, "")
        gap = text[gap_start:start]
        # What the URL stands in: brackets that were opened before it and are not closed again.
        self._around = {o for o, c in _BRACKETS.items() if o in gap and gap.count(o) > gap.count(c)}
        self._depth = dict.fromkeys(_BRACKETS, 0)
        self._closed = -1
        self._named = False
        self._looked = self._path
        self._joined_to = -1

    def find(self) -> int:
        """Return where the URL ends, trailing punctuation included."""
        far = self._first + MAX_URL_LENGTH
        for special in _SPECIAL.finditer(self._text, self._first):
            if special.start() > far:
                return self._too_long(far)
            end = self._STEPS[special.lastgroup or ""](self, special.group(), special.start())
            if end is not None:
                return end
        return len(self._text) if self._closed < 0 else self._closed

    def _too_long(self, far: int) -> int:
        """Return where a URL ends that is refused for its length, whatever its brackets and blanks mean."""
        for special in _PARTING.finditer(self._text, far):
            if special.lastgroup != "next" or _begins_anew(self._text, self._path, special.start()):
                return special.start()
        return len(self._text)

    def _wall(self, _character: str, place: int) -> int:
        return place if self._closed < 0 else self._closed

    def _next(self, _http: str, place: int) -> int | None:
        if not _begins_anew(self._text, self._path, place):
            return None
        return place if self._closed < 0 else self._closed

    def _pipe(self, _character: str, place: int) -> int | None:
        ended = _EXTENSION.search(self._text, max(self._path, place - 8), place + 1)
        return place if ended and ended.end() == place and not _extension_to_come(self._text, place) else None

    def _opening(self, character: str, _place: int) -> None:
        self._depth[character] += 1

    def _closing(self, character: str, place: int) -> int | None:
        pair = _OPENING_OF[character]
        if self._depth[pair]:
            self._depth[pair] -= 1
            return None
        if _BEHIND_CLOSING.match(self._text, place + 1):
            return place if self._closed < 0 else self._closed
        if pair in self._around and self._closed < 0:
            self._closed = place
        return None

    def _quote(self, character: str, place: int) -> int | None:
        ends = character == self._apostrophe and _BEHIND_CLOSING.match(self._text, place + 1)
        return place if ends else None

    def _soft(self, character: str, place: int) -> int | None:
        """A blank or the like: it belongs to a file name whose extension is still to come."""
        if place >= self._joined_to:
            end = self._without_name(place)
            if end is not None:
                return end
            if not (self._in_quotes and character.isspace()):
                self._joined_to = _extension_to_come(self._text, place)
                if not self._joined_to:
                    return place if self._closed < 0 else self._closed
        if character in self._depth:
            self._depth[character] += 1
        return None

    def _without_name(self, place: int) -> int | None:
        """Return the end if a photo's extension came before `place`."""
        if not self._named:
            came = _EXTENSION.search(self._text, self._looked, place + 1)
            self._looked = max(self._path, place - 8)
            if came is None:
                return None
            self._named = True
            word = self._text[came.end() : place]
            if word[:1] in ("|", ",", ";") and word[1:].isalpha() and self._text[place + 1 : place + 2].isalnum():
                return came.end()
        return place if self._closed < 0 else self._closed

    _STEPS: ClassVar = {
        "wall": _wall,
        "next": _next,
        "pipe": _pipe,
        "opening": _opening,
        "closing": _closing,
        "apostrophe": _quote,
        "soft": _soft,
    }


def _begins_anew(text: str, path: int, place: int) -> bool:
    """Return whether the `http://` at `place`, met inside a URL, is a new URL and not part of that one."""
    before = text[place - 1]
    if before in _NEW_BEHIND or before.isspace():
        return True
    if text[place - 2 : place] in ("\\n", "\\r", "\\t", ";#"):
        return True
    if not before.isascii():
        return unicodedata.category(before)[0] in "PSZ"
    skipped = place - 1 if before in "&+-" else place
    return any(match.end() == skipped for match in _EXTENSION_BEFORE_HTTP.finditer(text, max(path, place - 8), skipped))


def _extension_to_come(text: str, place: int) -> int:
    """Return the end of the next extension of the same file name; 0 if none is to come."""
    window = min(len(text), place + LONGEST_FILE_NAME)
    wall = _WALL.search(text, place + 1, window)
    end = wall.start() if wall else window
    extension = _EXTENSION.search(text, place, end)
    if extension is None:
        return 0
    # Otherwise it is the name of the next photo, as in `http://h/1 back.jpg (http://h/2)`.
    return 0 if _NAMES_THE_NEXT.match(text, extension.end(), end) else extension.end()


def _without_trailing(text: str, start: int, end: int) -> tuple[str, bool]:
    """Return a URL without punctuation at its end, and whether an ellipsis was among it."""
    if end - start > 2 * MAX_URL_LENGTH:
        return text[start:end], False  # refused for its length
    emphasis = text[start - 1] if start and text[start - 1] in _EMPHASIS else ""
    counts: dict[str, int] = {}
    shortened = False
    while end > start:
        last = text[end - 1]
        if last in _OPENING_OF or last in _BRACKETS:
            pair = _OPENING_OF.get(last, last)
            for bracket in (pair, _BRACKETS[pair]):
                if bracket not in counts:
                    counts[bracket] = text.count(bracket, start, end)
            if last != pair and counts[last] <= counts[pair]:
                break
            counts[last] -= 1
        elif last in "nrt" and text[end - 2] == "\\" and HTTP.match(text, end):
            end -= 1
        elif last == "\\":
            if text[end : end + 1] not in ('"', "'"):
                break
        elif not (last.isspace() or last == emphasis or _is_punctuation(last)):
            break
        shortened = shortened or last == "\u2026" or (last == "." and text.endswith("...", start, end))
        end -= 1
    return text[start:end], shortened


def _is_punctuation(character: str) -> bool:
    return character in _TRAILING if character.isascii() else unicodedata.category(character)[0] == "P"


def _without_shortened(found: list[tuple[CellUrl, bool]]) -> Iterator[CellUrl]:
    """Yield the URLs without those that are only the beginning of another, shortened for show."""
    if not any(shortened for _entry, shortened in found):
        yield from (entry for entry, _shortened in found)
        return
    whole = sorted({entry.url for entry, shortened in found if not shortened})
    for entry, shortened in found:
        if shortened:
            place = bisect.bisect_left(whole, entry.url)
            if place < len(whole) and whole[place].startswith(entry.url):
                continue
        yield entry


def _in_the_gap(text: str, start: int, end: int) -> Iterator[CellUrl]:
    """Yield what stands beside http URLs and is an address too: other schemes, photos without a scheme."""
    if end - start < 5:
        return
    gap = text[start:end]
    if ":" in gap or "\\" in gap:
        for other in _OTHER_URL.finditer(gap):
            yield _entry(bare_text(other.group()))
    if "/" in gap and "." in gap:
        for token in _TOKEN.finditer(gap):
            if _EXTENSION.search(token.group()) and NO_SCHEME.match(token.group()):
                yield _entry(bare_text(token.group()))


def _without_http(text: str) -> Iterator[CellUrl]:
    """Yield the URLs of a text in which no scheme is written, or one entry that says why there is none."""
    bare = bare_text(text)
    tokens = [token for token in _BETWEEN_TOKENS.split(bare) if bare_text(token)]
    if len(tokens) > 1 and all("/" in token and NO_SCHEME.match(bare_text(token)) for token in tokens):
        for token in tokens:
            yield from _in_text("http://" + bare_text(token), quoted=False)
    elif NO_SCHEME.match(bare):
        yield from _in_text("http://" + bare, quoted=False)
    elif bare:
        whole = _entry(bare)
        beside = [] if whole.reason != NOT_A_URL else list(_in_the_gap(text, 0, len(text)))
        yield from beside or [whole]


def _json_texts(text: str) -> list[str] | None:
    """Return the texts of a JSON value in order; None if it is none."""
    if text[:1] + text[-1:] not in ("[]", "{}", '""'):
        return None
    try:
        value = json.loads(text, strict=False, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, str) and value[:1] not in ("[", "{"):
        return None  # a URL in quotes: the grammar knows better than JSON what a backslash means
    texts: list[str] = []
    left: list[object] = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            inner = _json_texts(one.strip()) if one.lstrip()[:1] in ("[", "{") else None
            texts.extend([one] if inner is None else inner)
        elif isinstance(one, list):
            left.extend(reversed(one))
        elif isinstance(one, dict):
            left.extend(reversed(_members(one)))
    return texts


def _members(value: dict[str, object]) -> list[object]:
    """Return what of a JSON object may hold URLs: not the small copies of a photo beside its URL."""
    server, path = value.get("serverUrl"), value.get("serverRelativeUrl")
    if isinstance(server, str) and isinstance(path, str):
        return [server.rstrip("/") + "/" + path.lstrip("/")]  # a picture column of SharePoint
    keys = {key: key.casefold().replace("_", "") for key in value}
    if any(key in _ADDRESS_KEYS for key in keys.values()):
        keys = {key: plain for key, plain in keys.items() if not any(word in plain for word in _SMALL_COPIES)}
    return [part for key in keys for part in (key, value[key])]
