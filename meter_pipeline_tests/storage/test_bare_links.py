"""Addresses in texts from outside lead nowhere: what Markdown makes links of is parted by a sign without width."""

from __future__ import annotations

import re

import pytest

from meter_pipeline.storage.bare_links import PARTING, no_link

# What remark-gfm, which Streamlit and the Dagster UI draw Markdown with, turns into links after all else is done.
LINKED = (
    re.compile(r"(https?://|www(?=\.))([-.\w]+)([^ \t\r\n]*)", re.IGNORECASE),
    re.compile(r"([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)"),
)


@pytest.mark.parametrize(
    "text",
    ["http://h", "a HTTPS://h/x?y", "www.h.example", "WWW.h", "to anna@h.example", "ftp://h", "(http://h)(www.x.y)"],
)
def test_no_address_is_a_link_and_it_looks_the_same(text: str) -> None:
    shown = no_link(text)
    assert not any(pattern.search(shown) for pattern in LINKED)
    assert shown.replace(PARTING, "") == text
    assert no_link(shown) == shown


@pytest.mark.parametrize("text", ["", "HPL_SMART", "C:/photos", "10:30", "50 % @ 3", "a: b", "www"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert no_link(text) == text
