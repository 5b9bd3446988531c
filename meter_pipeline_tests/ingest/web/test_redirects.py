"""Redirects are read as browsers read them, and cookies stay with the host that set them."""

from __future__ import annotations

import pytest

from meter_pipeline.ingest.web.redirects import MAX_COOKIES, ChainCookies, redirected
from meter_pipeline.ingest.web.urls import UrlRefusedError

HERE = "https://h.example/a/b.jpg?x=1#part"


def sent(text: str) -> str:
    """A header as `http.client` gives it: each byte of the UTF-8 a character."""
    return text.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/Zähler 5.jpg", "https://h.example/Z%C3%A4hler%205.jpg"),
        ("/Z%C3%A4hler%205.jpg", "https://h.example/Z%C3%A4hler%205.jpg"),
        ("/Zähler%205.jpg", "https://h.example/Z%C3%A4hler%205.jpg"),
        ("/电表/照片.jpg", "https://h.example/%E7%94%B5%E8%A1%A8/%E7%85%A7%E7%89%87.jpg"),
        ("/à", "https://h.example/%C3%A0"),  # its last byte is a blank in latin-1
        ("/Å.jpg", "https://h.example/%C3%85.jpg"),  # ... or the end of a line
        ("/a?n=ä&p=%2F", "https://h.example/a?n=%C3%A4&p=%2F"),
        ("c.jpg", "https://h.example/a/c.jpg"),
        ("../ö.jpg", "https://h.example/%C3%B6.jpg"),
        ("?y=2", "https://h.example/a/b.jpg?y=2"),
        ("//o.example/ü", "https://o.example/%C3%BC"),
        ("http://o.example", "http://o.example/"),
        ("HTTP://O.Example:8080/A", "http://o.example:8080/A"),
        ("http://zähler.example/ä", "http://xn--zhler-gra.example/%C3%A4"),
        ("\\\\o.example\\ä\\b.jpg", "https://o.example/%C3%A4/b.jpg"),
        ("/a\\b.jpg?c\\d", "https://h.example/a/b.jpg?c%5Cd"),
        ("/a.jpg#Teil?ä", "https://h.example/a.jpg"),
        (" /a.jpg\t", "https://h.example/a.jpg"),
        ("/a\tb.jpg", "https://h.example/ab.jpg"),
        ("/100%.jpg", "https://h.example/100%25.jpg"),
        ("/(a),b;.jpg'", "https://h.example/(a),b;.jpg'"),
        ('/"a"<b>.jpg', "https://h.example/%22a%22%3Cb%3E.jpg"),
        ("/a.jpg?X-Sig=a+b/c==&e=~", "https://h.example/a.jpg?X-Sig=a+b/c==&e=~"),
    ],
)
def test_where_a_redirect_leads(location: str, leads_to: str) -> None:
    assert redirected(HERE, sent(location)) == leads_to
    assert redirected(HERE, leads_to) == leads_to


def test_bytes_that_are_no_utf8_stay_the_bytes_they_are() -> None:
    assert redirected(HERE, "/Z\xe4hler.jpg") == "https://h.example/Z%E4hler.jpg"


@pytest.mark.parametrize(
    "location",
    ["javascript:alert(1)", "file:///etc/passwd", "data:image/png;base64,AA", "ftp://h/a", "http://u:p@h/a", "http://",
     "http://[::1", "http://h:99999/", "http://h:0/", "https://h ost/a", "/" + "a" * 9_000],
)  # fmt: skip
def test_what_is_never_followed(location: str) -> None:
    with pytest.raises(UrlRefusedError):
        redirected(HERE, location)


def test_cookies_stay_with_their_host_and_scheme() -> None:
    cookies = ChainCookies()
    cookies.take("https://h.example/a", ["a=1; Path=/; Secure", "b=2; Domain=example", "evil=1\r\nX: y", "nothing"])
    assert cookies.header_of("https://h.example/other") == "a=1; b=2"
    for elsewhere in ("http://h.example/", "https://h.example:8443/", "https://o.example/", "https://example/"):
        assert cookies.header_of(elsewhere) == ""
    cookies.take("https://h.example/a", ["a=; Max-Age=0", "b=; expires=Thu, 01 Jan 1970 00:00:00 GMT", "c=3"])
    assert cookies.header_of("https://h.example/") == "c=3"
    cookies.take("http://h.example/", ["plain=1"])
    assert cookies.header_of("https://h.example/") == "plain=1; c=3"
    assert cookies.header_of("http://h.example/") == "plain=1"


def test_no_more_cookies_than_a_store_needs() -> None:
    cookies = ChainCookies()
    cookies.take("http://h.example/", [f"c{number}=1" for number in range(1000)] + ["long=" + "x" * 10_000])
    assert cookies.header_of("http://h.example/").count("=") == MAX_COOKIES
