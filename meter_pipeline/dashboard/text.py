"""Words of the pages: text from outside shown as it stands, shares and ages in words, and what our own terms mean."""

from __future__ import annotations

import re
from datetime import datetime

from meter_pipeline.labels import FinalLabel, Rule
from meter_pipeline.storage.bare_links import no_link

RULES: dict[str, str] = {
    Rule.ACCEPTED: "named",
    Rule.THRESHOLD: "confidence too low",
    Rule.GUARD: "unlike the known photos",
    Rule.DARK: "too dark",
    Rule.ERROR: "no photo",
}
"""What decided, in the words of the filters."""
DECIDED_BY: dict[str, str] = {
    Rule.ACCEPTED: "Named: the confidence is high enough, and the photo looks like the known ones.",
    Rule.THRESHOLD: "UNKNOWN: the confidence is below the threshold.",
    Rule.GUARD: "UNKNOWN: the confidence is high enough, but the photo does not look enough like the known ones.",
    Rule.DARK: "DARK: the mean brightness is too low to judge the photo.",
    Rule.ERROR: "ERROR: there is no photo to judge.",
}
"""The same in a sentence."""
DROP = "A drop is one spreadsheet of photo URLs that was put into the folder drops."
RAW_CONFIDENCE = "Softmax probability of the best guess. Below the threshold the photo is UNKNOWN."
CALIBRATED_CONFIDENCE = (
    "Probability that the best guess is right if the meter is of a known type: the softmax at the temperature that was "
    "fitted on held-out photos."
)
GUARD = (
    "The guard checks whether a photo looks like the known (labelled) photos. Its score, the likeness, is a sum of "
    "standard deviations: 0 is a typical known photo, far below 0 is unlike them."
)
NOISE_PHOTOS = "Photos that look like too few others for a cluster: junk, spoiled photos, single meters of a rare type."
FINAL_LABELS: dict[str, str] = {
    "Named": "Rows whose photo was given a class.",
    FinalLabel.UNKNOWN: "Rows whose photo the model is not sure of, or that does not look like the known photos.",
    FinalLabel.DARK: "Rows whose photo is too dark to judge.",
    FinalLabel.ERROR: "Rows without a photo: the URL was refused, the download failed or the file is damaged.",
}
"""What the final labels mean."""
MEASURES = {
    "brightness": "Brightness (0 to 255)",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "glare": "Glare (share of the photo)",
    "green_ratio": "Green (share of the photo)",
}
ORDERS = {"doubtful": "Most doubtful first", "sure": "Highest confidence first", "sheet": "As in the sheet"}
DOUBTFUL = "Most doubtful: the smallest difference between the confidences of the two best guesses."
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=/@])")


def plain(text: object) -> str:
    """Return text so that Markdown shows it as it stands, on one line: nothing in it is formatted, linked or run."""
    return _MARKDOWN.sub(r"\\\1", no_link(" ".join(str(text).split())))


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


def moment(iso: str) -> str:
    """Return a time, given in ISO 8601, as the clock on the wall shows it."""
    return f"{datetime.fromisoformat(iso).astimezone():%d %b %Y, %H:%M}"
