"""What a URL leads to, by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.ingest.sheets.columns.url_kinds import UrlKind, kind_of_url, shape_of_url
from meter_pipeline_tests.support.bounds import costs_at_most


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://h/1.jpg", UrlKind.PHOTO),
        ("http://h/1.JPG?lat=1.5&lon=2.5", UrlKind.PHOTO),
        ("http://h/1.jpg/view", UrlKind.PHOTO),
        ("http://h/d?response-content-disposition=attachment%3B%20filename%3D%221.heic%22", UrlKind.PHOTO),
        ("http://h/photos/12", UrlKind.LIKELY_PHOTO),
        ("http://h/getImage.ashx?id=5", UrlKind.LIKELY_PHOTO),
        ("http://h/show.php?photo=5", UrlKind.LIKELY_PHOTO),
        ("http://h/get/12", UrlKind.UNKNOWN),
        ("http://h/show.aspx?id=5", UrlKind.UNKNOWN),
        ("http://h/", UrlKind.SITE),
        ("http://h", UrlKind.SITE),
        ("http://h/week/w22/1.jpg", UrlKind.PHOTO),
        ("http://h/100/200/1.jpg", UrlKind.PHOTO),
        ("http://h/1.jpg?w=1600", UrlKind.PHOTO),
        ("http://h/1-1024x768.jpg", UrlKind.PHOTO),
        ("http://h/smallville/1.jpg", UrlKind.PHOTO),
        ("http://h/thumbelina/1.jpg", UrlKind.PHOTO),
        ("http://h/mapleton/1.jpg", UrlKind.PHOTO),
        ("http://maple.example/1", UrlKind.UNKNOWN),
        ("http://h/1-300x200.jpg", UrlKind.THUMBNAIL),
        ("http://h/signatures/1.png", UrlKind.SIGNATURE),
        ("http://h/1_signature.png", UrlKind.SIGNATURE),
        ("https://api.qrserver.com/v1/create-qr-code/?data=1", UrlKind.CODE),
        ("http://h/logo.png", UrlKind.PORTRAIT),
        ("https://www.gravatar.com/avatar/abc", UrlKind.PORTRAIT),
        ("https://www.dropbox.com/s/abc/1.jpg?dl=0", UrlKind.PHOTO),
        ("https://1drv.ms/i/s!abc", UrlKind.SHARED),
        ("https://photos.app.goo.gl/abc", UrlKind.SHARED),
        ("https://drive.google.com/file/d/1a/preview", UrlKind.SHARED),
        ("https://cloud.example/index.php/s/AbCdEfGhIjKlMnO", UrlKind.SHARED),
        ("http://127.0.0.1:8000/map/3", UrlKind.MAP),
        ("http://[::1]:80/x/1.jpg", UrlKind.PHOTO),
        ("http://[bad/1.jpg", UrlKind.UNKNOWN),
    ],
)
def test_kinds(url: str, kind: UrlKind) -> None:
    assert kind_of_url(url).kind is kind


def test_a_file_name_beside_it_counts_where_the_url_says_nothing() -> None:
    assert kind_of_url("http://h/abc", "IMG 1.jpg ( )").kind is UrlKind.PHOTO
    assert kind_of_url("http://h/abc", "manual.pdf ( )") == (UrlKind.FILE, ".pdf")
    assert kind_of_url("http://h/1.csv", "IMG 1.jpg ( )") == (UrlKind.FILE, ".csv")


def test_shapes_leave_out_what_differs_from_row_to_row() -> None:
    assert shape_of_url("http://h/a/12/x?id=1") == shape_of_url("http://h/a/13/y?id=2")
    assert shape_of_url("http://h/a/12/x?id=1") != shape_of_url("http://h/b/12/x?id=1")


@given(st.text(alphabet="ab1.-_/?&=%#@,;:+ x\u00fc", max_size=60), st.text(max_size=20))
def test_no_url_fails(rest: str, beside: str) -> None:
    assert isinstance(kind_of_url("http://h" + rest, beside).kind, UrlKind)


@pytest.mark.parametrize(
    "piece", ["a", "_", "-", ".", ",", "a.", "_thumb", "thumb_", "1", "photo", "/", "&a=1", "w_1,", "s/"]
)
def test_long_urls_cost_what_their_length_does(piece: str) -> None:
    url = "http://h/" + piece * (8_000 // len(piece)) + "!"
    with costs_at_most(1):
        for _ in range(5):
            kind_of_url(url, url)
