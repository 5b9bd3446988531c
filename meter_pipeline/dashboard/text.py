"""Words of the pages: text that is shown as it stands, shares, ages, and what the rules are called."""

from __future__ import annotations

import re

from meter_pipeline.labels import Rule

RULES: dict[str, str] = {
    Rule.ACCEPTED: "named",
    Rule.THRESHOLD: "unsure",
    Rule.GUARD: "unlike the known photos",
    Rule.DARK: "too dark",
    Rule.ERROR: "no photo",
}
"""What decided, in the words of the filters."""
DECIDED_BY: dict[str, str] = {
    Rule.ACCEPTED: "Passed the confidence rule and the guard.",
    Rule.THRESHOLD: "Decided by the confidence rule.",
    Rule.GUARD: "Decided by the guard, which compares with the known photos.",
    Rule.DARK: "Decided by the brightness.",
    Rule.ERROR: "There was nothing to decide on.",
}
"""The same in a sentence."""
MEASURES = {
    "brightness": "Brightness (0 to 255)",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "glare": "Glare (share of the photo)",
    "green_ratio": "Green (share of the photo)",
}
ORDERS = {"doubtful": "Most doubtful first", "sure": "Surest first", "sheet": "As in the sheet"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=/@])")


def plain(text: object) -> str:
    """Return text so that Markdown shows it as it stands, on one line: nothing in it is formatted, linked or run."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share of 0 to 1 in percent; a dash where there is none."""
    return "–" if share is None or share != share else f"{share:.{decimals}%}"  # noqa: PLR0124


def ago(seconds: float) -> str:
    """Return an age in words."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def counted(number: int, word: str, plural: str = "") -> str:
    """Return a number with its word: `1 row`, `2 rows`."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"
