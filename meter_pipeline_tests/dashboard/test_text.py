"""Words of the dashboard: text from sheets and folders is shown as it stands, whatever Markdown it would be."""

from __future__ import annotations

import time
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from meter_pipeline.dashboard.text import ago, moment, percent, plain
from meter_pipeline.storage.bare_links import PARTING

MARKDOWN_SIGNS = "*_`~[]()<>#+-.!|$:&\\/=^{}@ \nab1"


@given(st.text(st.sampled_from(MARKDOWN_SIGNS), max_size=40))
def test_markdown_shows_plain_text_as_it_stands_on_one_line(text: str) -> None:
    one_line = " ".join(text.split())
    rendered = MarkdownIt("commonmark").render(plain(text)).strip().replace(PARTING, "")
    assert rendered == (f"<p>{escape(one_line)}</p>" if one_line else "")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "![x](https://evil.example/track.png)",
        "[click](javascript:alert(1))",
        "https://evil.example",
        ":red[x] :material/home: $x^2$",
        "1. one",
    ],
)
def test_nothing_is_run_linked_or_fetched(text: str) -> None:
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(plain(text))
    assert rendered.strip().replace(PARTING, "") == f"<p>{escape(text)}</p>"
    assert "://" not in rendered  # Streamlit makes links of it after escapes are undone
    assert not {":red[", ":material/", "$x"} & {plain(text)[i : i + n] for i in range(len(text)) for n in (2, 5, 10)}


def test_shares_ages_and_counts_in_words() -> None:
    assert (percent(0.123), percent(None), percent(float("nan")), percent(1, 0)) == ("12.3%", "–", "–", "100%")
    assert [ago(seconds) for seconds in (3, 61, 7_200, 90_000)] == [
        "just now",
        "1 minute ago",
        "2 hours ago",
        "1 day ago",
    ]


@pytest.mark.parametrize(("zone", "shown"), [("UTC", "28 Nov 2026, 23:35"), ("Asia/Kolkata", "29 Nov 2026, 05:05")])
def test_a_time_is_that_of_the_clock_on_the_wall(zone: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert moment("2026-11-28T23:35:47+00:00") == shown
    finally:
        monkeypatch.undo()
        time.tzset()
