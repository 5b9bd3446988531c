"""What headers say, and the words for "no photo"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.ingest.sheets.columns.header_words import (
    HeaderKind,
    kind_of_header,
    says_no_photo,
    size_named,
)
from meter_pipeline_tests.support.bounds import costs_at_most


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Location photo", HeaderKind.PHOTO),
        ("photoOfMeter", HeaderKind.PHOTO),
        ("Photo signature", HeaderKind.SIGNATURE),
        ("Company Logo", HeaderKind.PORTRAIT),
        ("GPS", HeaderKind.MAP),
        ("Mapping ID", HeaderKind.NONE),
        ("URL", HeaderKind.NONE),
        ("Link", HeaderKind.NONE),
        ("", HeaderKind.NONE),
        ("Bemerkungen", HeaderKind.REMARK),
        ("AUDIT_URL", HeaderKind.FILE),
        ("Record", HeaderKind.RECORD),
        ("Image thumbnail", HeaderKind.SMALL),
        ("ＰＨＯＴＯ", HeaderKind.PHOTO),
    ],
)
def test_kinds(header: str, kind: HeaderKind) -> None:
    assert kind_of_header(header) is kind


def test_sizes() -> None:
    assert size_named("download_large_url") == ("download url", 1)
    assert size_named("download_url") == size_named("download_original_url") == ("download url", 0)
    assert size_named("smallholding") == ("smallholding", 0)


@given(st.text(max_size=50))
def test_any_text_can_be_asked_about(text: str) -> None:
    assert isinstance(kind_of_header(text), HeaderKind)
    assert isinstance(says_no_photo(text), bool)


@pytest.mark.parametrize("piece", ["no ", "a", "-", "kein", " ", "n/", "無", "नहीं "])
def test_no_text_takes_long(piece: str) -> None:
    with costs_at_most(0.5):
        for length in range(1, 41):
            says_no_photo((piece * 40)[:length] + "!a")
