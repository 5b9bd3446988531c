"""Which encoding a text table is in, where neither a byte order mark nor UTF-8 says it.

Addresses are ASCII and drown what tells encodings apart, so only the words around other bytes are looked at: decoded
in each encoding, they are compared with the letters and pairs of letters of the languages written in it. That decides
from a single word; charset-normalizer, which needs a longer text, decides between encodings that fit equally well.
"""

from __future__ import annotations

import codecs
import functools
import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import charset_normalizer

from meter_pipeline.ingest.sheets.text.language_samples import (
    BALTIC,
    CENTRAL,
    CYRILLIC,
    EAST_ASIAN_SIGNS,
    HALF_WIDTH,
    HANGUL,
    KANA,
    KANJI,
    OTHERS,
    SIGNS,
    SIMPLIFIED,
    TRADITIONAL,
    USUAL_SIGNS,
    WESTERN,
)

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLED_BYTES = 3_000
"""Of the words looked at; 300 bytes are decisive in all languages that were measured."""
_SEARCHED_RUNS = 20_000
_WORD_BEFORE, _CELL_AFTER = 16, 240
_UTF8_SHARE = 0.6
"""Words in UTF-8 of all words, so that the rest are broken; words of other encodings are UTF-8 by chance only."""
_OTHER_BYTES = re.compile(rb"[\x80-\xff]+")
_CELL_END = re.compile(rb"[\r\n\t,;\"]")
_NUL_SHARE = 0.1
_ESCAPE_JAPANESE = (b"\x1b$B", b"\x1b$@")


def decoded(content: bytes) -> str:
    """Return the text; bytes that the encoding does not know are replaced, for one odd byte is no other encoding."""
    text = _decoded(content)
    # A mark stands at the beginning of each file that was appended to another.
    return text.replace("\ufeff", "") if "\ufeff" in text else text


def _decoded(content: bytes) -> str:
    said = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None) or _wide(content[:4000])
    if said is None and content.isascii() and any(escape in content for escape in _ESCAPE_JAPANESE):
        said = "iso2022_jp"
    encoding = said or "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        words = [] if said else _words(content)
    if said or _mostly_utf8(words):
        return content.decode(encoding, _ODD_BYTES if encoding.startswith("utf-8") else "replace")
    return content.decode(_likeliest(b"\n".join(words)), "replace")


def _odd_bytes(error: UnicodeError) -> tuple[str, int]:
    """A letter of Windows-1252 among UTF-8 is read as that; what is left of a cut letter is not readable."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    content, at = error.object, error.start
    after = content[at + 1 : at + 2]
    alone = error.end == at + 1 and content[at] >= 0xA0 and (after.isalpha() or content[at] >= 0xF5)
    return (content[at : at + 1].decode("cp1252") if alone else "\ufffd"), error.end


_ODD_BYTES = "meter_pipeline.odd_bytes"
codecs.register_error(_ODD_BYTES, _odd_bytes)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: addresses, digits and delimiters have a zero in every second byte, in any language."""
    half = max(len(head) // 2, 1)
    first, second = head[0::2].count(0) / half, head[1::2].count(0) / half
    if second > _NUL_SHARE and first < second / 4:
        return "utf-16-le"
    return "utf-16-be" if first > _NUL_SHARE and second < first / 4 else None


def _words(content: bytes) -> list[bytes]:
    """Return different pieces of text around bytes outside ASCII: letters before, and after up to the cell's end."""
    found: dict[bytes, None] = {}
    total = end = 0
    for count, run in enumerate(_OTHER_BYTES.finditer(content)):
        if run.start() < end:
            continue
        if total >= SAMPLED_BYTES or count >= _SEARCHED_RUNS:
            break
        start = run.start()
        while start > max(end, run.start() - _WORD_BEFORE) and content[start - 1 : start].isalpha():
            start -= 1
        stop = _CELL_END.search(content, run.start(), run.start() + _CELL_AFTER)
        end = stop.start() if stop else min(len(content), run.start() + _CELL_AFTER)
        piece = content[start:end]
        if (address := piece.find(b"://")) > 0:
            piece = piece[:address]
        if piece not in found:
            found[piece] = None
            total += len(piece)
    return list(found)


def _mostly_utf8(words: Iterable[bytes]) -> bool:
    good = bad = 0
    for word in words:
        text = word.decode("utf-8", "replace")
        broken = text.count("\ufffd")
        # The end of a piece may cut a letter.
        good += sum(ord(sign) > 0x7F for sign in text) - broken
        bad += max(0, broken - (len(word) >= _CELL_AFTER))
    return good > 0 and good / (good + bad) >= _UTF8_SHARE


@dataclass(frozen=True)
class _Language:
    """Letters outside ASCII and what they stand beside.

    Attributes:
        letters: logarithm of each letter's share among the letters outside ASCII.
        pairs: pairs of neighbours of which at least one is such a letter; none where letters are characters.
        latin: whether its letters stand beside ASCII letters in a word.
    """

    letters: Mapping[str, float]
    pairs: frozenset[str]
    latin: bool


_RARE = math.log(2e-5)
_SELDOM = math.log(2e-6)
_NEVER = math.log(1e-8)
_SIGNS_SHARE = 0.08
_PAIR = 1.2
"""How much a pair of neighbours that a language has speaks for it, and one that it has not speaks against it."""
_TWO_SCRIPTS = 3.0
_CASE_INSIDE = 2.0
_SIGN_CONTEXTS = " m³ m² °c 5°c 3° ° 12€ € €/ – ’s l’ d’ „ ” §1 § µa ±5 nº n° n°1 1º 2ª 1½ ×2 "


_SELDOM_MET = {"Icelandic": -3.0, "Catalan": -1.0, "Slovene": -0.5, "Japanese, half-width": -3.0}
"""Logarithm of how much rarer a language's tables are than those of others in its encoding."""
_LIBRARY_NEEDS_BYTES = 64


@dataclass(frozen=True)
class _Candidate:
    encoding: str
    languages: tuple[str, ...]
    prior: float = 0.0


_CANDIDATES = (
    _Candidate("cp1252", tuple(WESTERN), 2.0),
    _Candidate("cp1250", tuple(CENTRAL)),
    _Candidate("cp1251", tuple(CYRILLIC)),
    _Candidate("cp1253", ("Greek",)),
    _Candidate("cp1254", ("Turkish",)),
    _Candidate("cp1255", ("Hebrew",)),
    _Candidate("cp1256", ("Arabic", "Persian")),
    _Candidate("cp1257", tuple(BALTIC)),
    _Candidate("cp874", ("Thai",)),
    _Candidate("gb18030", ("Simplified Chinese",), 0.5),
    _Candidate("cp950", ("Traditional Chinese",)),
    _Candidate("cp932", ("Japanese", "Japanese, half-width")),
    _Candidate("cp949", ("Korean",)),
    _Candidate("euc_jp", ("Japanese",), -1.0),
    _Candidate("koi8_u", ("Russian", "Ukrainian"), -1.5),
    _Candidate("cp866", ("Russian",), -2.5),
    _Candidate("iso8859_5", ("Russian", "Bulgarian"), -4.0),
    _Candidate("iso8859_2", tuple(CENTRAL), -1.5),
    _Candidate("iso8859_15", ("French", "Finnish"), -4.0),
    _Candidate("iso8859_7", ("Greek",), -1.5),
    _Candidate("cp852", tuple(CENTRAL), -3.0),
    _Candidate("cp850", tuple(WESTERN), -3.0),
    _Candidate("cp857", ("Turkish",), -3.5),
    _Candidate("mac_roman", tuple(WESTERN), -3.5),
    _Candidate("mac_cyrillic", ("Russian",), -4.0),
)


@functools.lru_cache(maxsize=1)
def _languages() -> dict[str, _Language]:
    made = {name: _of_words(text, latin=True) for name, text in {**WESTERN, **CENTRAL, **BALTIC}.items()}
    made |= {name: _of_words(text, latin=name == "Turkish") for name, text in {**CYRILLIC, **OTHERS}.items()}
    made["Simplified Chinese"] = _of_characters(SIMPLIFIED)
    made["Traditional Chinese"] = _of_characters(TRADITIONAL)
    made["Japanese"] = _of_characters(KANJI, KANA)
    made["Korean"] = _of_characters(HANGUL)
    made["Japanese, half-width"] = _of_words(HALF_WIDTH, latin=False)
    return made


def _of_words(sample: str, *, latin: bool) -> _Language:
    text = f"{_SIGN_CONTEXTS} {sample} ".lower()
    counts = Counter(sign for sign in sample.lower() if ord(sign) > 0x7F)
    total = counts.total()
    letters = {sign: math.log(_SIGNS_SHARE * (0.12 if sign in USUAL_SIGNS else 0.01)) for sign in SIGNS}
    letters |= {sign: math.log((1 - _SIGNS_SHARE) * count / total) for sign, count in counts.items()}
    return _Language(letters, frozenset(_pairs(text)), latin)


def _of_characters(samples: tuple[str, str], syllables: str = "") -> _Language:
    """Make a language of characters, the most frequent first, and of those of lists, which are as frequent here."""
    frequent, of_lists = samples
    weights = {sign: 1 / (rank + 60) for rank, sign in enumerate(dict.fromkeys(frequent))}
    weights |= {sign: max(weights.get(sign, 0.0), 1 / 80) for sign in of_lists}
    share = 0.5 if syllables else 0.9
    total = sum(weights.values())
    letters = {sign: math.log(_SIGNS_SHARE / len(EAST_ASIAN_SIGNS)) for sign in EAST_ASIAN_SIGNS}
    letters |= {sign: math.log(share * weight / total) for sign, weight in weights.items()}
    counts = Counter(syllables)
    letters |= {sign: math.log(0.4 * count / counts.total()) for sign, count in counts.items()}
    return _Language(letters, frozenset(), latin=False)


def _pairs(text: str) -> Counter[str]:
    """Return pairs of neighbours with a letter outside ASCII; digits are alike, and so is what ends a word."""
    even = re.sub(r"[\x00-\x2f\x3a-\x60\x7b-\x7f]", " ", re.sub(r"[0-9]", "0", text))
    return Counter(pair for pair in map("".join, itertools.pairwise(even)) if not pair.isascii())


def _likeliest(sample: bytes) -> str:
    scores = {c.encoding: (_score(sample, c), sample.decode(c.encoding, "replace")) for c in _CANDIDATES}
    best = max(scores, key=lambda encoding: scores[encoding][0])
    rivals = [e for e, (score, text) in scores.items() if score > scores[best][0] - 1 and text != scores[best][1]]
    if not rivals or len(sample) < _LIBRARY_NEEDS_BYTES:
        return best
    found = charset_normalizer.from_bytes(sample, cp_isolation=[best, *rivals]).best()
    return found.encoding if found is not None and found.encoding in scores else best


def _score(sample: bytes, candidate: _Candidate) -> float:
    """Return the logarithm of how likely the bytes are, in the most fitting of the encoding's languages."""
    text = sample.decode(candidate.encoding, "replace")
    lower = text.lower()
    counts = Counter(sign for sign in lower if ord(sign) > 0x7F)
    pairs = _pairs(lower)
    rare = {sign: _unlisted(sign, candidate.encoding) for sign in counts}
    inside = _CASE_INSIDE * sum(
        first.islower() and second.isupper() and not (first + second).isascii()
        for first, second in itertools.pairwise(text)
    )
    mixed = 0
    for pair, count in pairs.items():
        first, second = pair[0], pair[1]
        if (first if second > "\x7f" else second).isascii() and (first if first.isascii() else second).isalpha():
            mixed += count * (first if first > "\x7f" else second).isalpha()
    best = -math.inf
    for name in candidate.languages:
        language = _languages()[name]
        score = sum(count * language.letters.get(sign, rare[sign]) for sign, count in counts.items())
        if language.pairs:
            known = sum(count for pair, count in pairs.items() if pair in language.pairs)
            score += _PAIR * (2 * known - pairs.total())
        if not language.latin:
            score -= mixed * _TWO_SCRIPTS
        best = max(best, score + _SELDOM_MET.get(name, 0.0))
    return best - inside + candidate.prior


_LEVEL_ONE = {
    "gb18030": ("gb2312", 0xB0, 0xD7),
    "cp950": ("big5", 0xA4, 0xC6),
    "cp932": ("euc_jp", 0xB0, 0xCF),
    "euc_jp": ("euc_jp", 0xB0, 0xCF),
    "cp949": ("euc_kr", 0xB0, 0xC8),
}
"""First bytes of the characters that a standard holds to be the frequent ones."""


def _unlisted(sign: str, encoding: str) -> float:
    """Return the logarithm of how likely a letter is that the samples do not have."""
    category = unicodedata.category(sign)
    if sign == "\ufffd" or category in {"Cc", "Cn", "Co", "Cs"}:
        return _NEVER
    if encoding in _LEVEL_ONE:
        standard, first, last = _LEVEL_ONE[encoding]
        encoded = sign.encode(standard, "ignore")
        if len(encoded) == 2 and first <= encoded[0] <= last:
            return math.log(5e-5)
        return _SELDOM
    return _RARE if category.startswith("L") or category == "Mn" else _SELDOM
