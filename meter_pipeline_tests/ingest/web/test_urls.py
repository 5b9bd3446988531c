from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_pipeline.ingest.web.cell_urls import urls_in
from meter_pipeline.ingest.web.urls import (
    PLAIN,
    UrlRefusedError,
    clean_url,
    looks_like_schemeless_url,
    looks_like_url,
)

ODD_TEXT = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from(" \u200b\ufeff\u00a0<>\"'()[],;|:/\\?#@%&=."))
)
URL_LIKE = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP:\\\\", "http:/", " <http://", "'https://", "ftp://", "", "\\\\"]),
    st.sampled_from(
        ["a.example", "A.Example:8080", "10.0.0.1", "[::1]", "bücher.example", "user@host.example", "x y", ""]
    ),
    st.sampled_from(["/", "\\photos\\", "/?", "#", " "]),
    ODD_TEXT,
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("  http://photos.example/1.jpg \u200b", "http://photos.example/1.jpg"),
        ('"http://photos.example/1.jpg"', "http://photos.example/1.jpg"),
        ("<https://photos.example/1.jpg>,", "https://photos.example/1.jpg"),
        ("\ufeff\u201chttps://photos.example/1.jpg\u201d", "https://photos.example/1.jpg"),
        ("HTTP://Photos.Example:8080/A.JPG?Sig=aB", "http://photos.example:8080/A.JPG?Sig=aB"),
        ("http:\\\\photos.example\\may\\1.jpg", "http://photos.example/may/1.jpg"),
        ("http://photos.example/my photo.jpg", "http://photos.example/my%20photo.jpg"),
        ("http://photos.example/my%20photo.jpg", "http://photos.example/my%20photo.jpg"),
        ("photos.example/1.jpg", "http://photos.example/1.jpg"),
        ("10.1.2.3:8080/1.jpg", "http://10.1.2.3:8080/1.jpg"),
        ("photos.example:8080/1.jpg", "http://photos.example:8080/1.jpg"),
        ("http://bücher.example/ü.jpg", "http://xn--bcher-kva.example/ü.jpg"),
    ],
)
def test_what_people_paste_becomes_the_url_they_mean(typed: str, meant: str) -> None:
    assert clean_url(typed) == meant


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "no URL"),
        ("n/a", "not a URL"),
        ("see mail of 3.4.", "not a URL"),
        ("http://", "no host"),
        ("data:image/png;base64,AAAA", "data: is never fetched"),
        ("file:///etc/passwd", "file: is never fetched"),
        ("FTP://photos.example/1.jpg", "ftp: is never fetched"),
        ("javascript:alert(1)", "javascript: is never fetched"),
        ("\\\\server\\share\\1.jpg", "network drive"),
        ("C:\\photos\\1.jpg", "somebody's computer"),
        ("/home/me/1.jpg", "somebody's computer"),
        ("http://user:secret@photos.example/1.jpg", "user name or password"),
        ("http://photos.example@10.0.0.1/1.jpg", "user name or password"),
        ("http://photos.example:99999/1.jpg", "not a URL"),
        ("http://pho tos.example/1.jpg", "host"),
        ("http://photos.example/" + "x" * 9000, "characters"),
    ],
)
def test_what_is_never_fetched_is_refused_with_the_reason(typed: str, why: str) -> None:
    with pytest.raises(UrlRefusedError, match=why):
        clean_url(typed)


def test_a_cell_may_hold_several_urls_however_they_are_set_apart() -> None:
    cell = "http://a.example/1.jpg; https://a.example/2,b.jpg\n<http://a.example/3.jpg>, http://a.example/1.jpg"
    found = ["http://a.example/1.jpg", "https://a.example/2,b.jpg", "http://a.example/3.jpg"]
    assert [url.url for url in urls_in(cell)] == found
    assert urls_in("  \u200b ") == []


def test_a_url_inside_a_url_is_not_cut_out() -> None:
    assert [u.url for u in urls_in("http://proxy.example/?u=http://a.example/1.jpg")] == [
        "http://proxy.example/?u=http://a.example/1.jpg"
    ]


def test_dates_names_and_numbers_are_no_urls_without_scheme() -> None:
    for text in ("03/04/2026", "n/a", "1.5/2", "LT.2/5a", "A/B", "3.4.2026/x", "0.5"):
        assert not looks_like_url(text)
        assert not looks_like_schemeless_url(text), text


@given(st.one_of(ODD_TEXT, URL_LIKE))
def test_cleaning_a_clean_url_changes_nothing(text: str) -> None:
    try:
        once = clean_url(text)
    except UrlRefusedError:
        return
    assert clean_url(once) == once
    assert once.startswith(("http://", "https://"))
    assert not any(character.isspace() for character in once)


@settings(max_examples=40)
@given(st.from_regex(PLAIN, fullmatch=True))
def test_a_plain_url_is_one_that_cleaning_leaves_alone(url: str) -> None:
    assert clean_url(url) == url
    assert urls_in(f" {url} ") == urls_in(url)


@given(st.one_of(ODD_TEXT, URL_LIKE))
def test_no_cell_content_raises(text: str) -> None:
    for entry in urls_in(text):
        assert entry.reason is not None or clean_url(entry.url) == entry.url
