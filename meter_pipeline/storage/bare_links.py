"""Texts from outside that look like addresses are no links where people read them.

Markdown (of Streamlit and of the Dagster UI) and some spreadsheet programs turn a bare `http://...`, `www.` or mail
address into a link, whether or not its signs are escaped. A class that somebody calls `http://...` must not lead
anywhere. The signs that make a link of a text are parted by a character that nobody sees (U+2060, WORD JOINER).
"""

from __future__ import annotations

import re

PARTING = "\u2060"
"""A word joiner: it has no width, and no line breaks at it."""
_LINKED = re.compile(
    r"(?i:\b[a-z][a-z0-9+.\-]{0,30}:)(?=//)"  # the colon of https://
    r"|(?i:\b(?:mailto|xmpp|javascript|data|vbscript|tel|sms|news|urn|callto|skype|zoommtg|ms-[a-z]+):)(?=\S)"
    r"|(?i:\bwww)(?=\.)"
    r"|@(?=[\w\-]+\.)"  # of a mail address
)


def no_link(text: str) -> str:
    """Return a text that looks the same and that no program turns into a link; once is as good as twice."""
    return _LINKED.sub(lambda found: found[0] + PARTING, text)
