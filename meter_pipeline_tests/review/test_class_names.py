"""Names of classes: folders that every file system takes, and never two spellings of one class."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import class_key
from meter_pipeline.review.class_names import LARGEST_BYTES, ClassNames, safe_spelling

HINDI = "\u0928\u092f\u093e \u092e\u0940\u091f\u0930"


@pytest.mark.parametrize(
    ("typed", "folder"),
    [
        ("HPL_SMART", "HPL_SMART"),
        ("  LT 2 ", "LT 2"),
        ("LT/2", "LT_2"),
        ("a\\b:c*d", "a_b_c_d"),
        ("v1.2", "v1.2"),
        ("ends with dots...", "ends with dots"),
        ("..secret", "secret"),
        ("CON", "class_CON"),
        ("com1.old", "class_com1.old"),
        ("conin$", "class_conin$"),
        (HINDI, HINDI),
        ("e\u0301", "\u00e9"),
        ("line\nbreak", "line break"),
    ],
)
def test_a_new_class_gets_a_name_that_every_file_system_takes(typed: str, folder: str) -> None:
    assert safe_spelling(typed) == folder
    assert safe_spelling(folder) == folder


@pytest.mark.parametrize("typed", ["", "  ", ".", "..", "/", "unknown", "Dark", "ERROR", "junk", "Noise", "x" * 151])
def test_what_cannot_be_a_class_is_refused_with_what_to_do(typed: str) -> None:
    with pytest.raises(MeterError) as refused:
        ClassNames().resolve(typed)
    assert refused.value.fix


def test_a_long_name_is_refused_by_its_bytes_and_never_cut() -> None:
    assert ClassNames().resolve("\u0928" * (LARGEST_BYTES // 3))
    with pytest.raises(MeterError, match="bytes"):
        ClassNames().resolve("\u0928" * (LARGEST_BYTES // 3 + 1))


@pytest.mark.parametrize("typed", ["lt2", " LT2 ", "Lt2", "\uff2c\uff34\uff12"])
def test_a_class_that_is_there_keeps_its_spelling(typed: str) -> None:
    assert ClassNames(["LT2", "HPL"]).resolve(typed) == "LT2"


def test_a_folder_that_is_there_is_a_class_whatever_its_name_but_not_an_answer_of_the_pipeline() -> None:
    names = ClassNames(["x" * 200, "__", "UNKNOWN"])
    assert [names.resolve(typed) for typed in ("X" * 200, "__")] == ["x" * 200, "__"]
    with pytest.raises(MeterError, match="answer of the pipeline"):
        names.resolve("unknown")


def test_the_first_spelling_of_a_new_class_stays() -> None:
    names = ClassNames(["LT2"])
    assert [names.resolve(typed) for typed in ("New A", "NEW  A", "new a", "New/A")] == ["New A"] * 3 + ["New_A"]


def test_nearly_equal_names_are_found_and_equal_ones_are_not_nearly_equal() -> None:
    names = ClassNames(["HPL_SMART_BLUE", "LT2"])
    assert names.nearly_equal("HPL_SMRT_BLUE") == ["HPL_SMART_BLUE"]
    assert names.nearly_equal("hpl_smart_blue") == []


@given(st.text(max_size=40))
def test_a_name_is_a_folder_of_its_own_or_is_refused(typed: str) -> None:
    try:
        name = ClassNames().resolve(typed)
    except MeterError:
        return
    assert not set(name) & set('<>:"/\\|?*\x00')
    assert name == name.strip(" .") == unicodedata.normalize("NFC", name)
    assert 0 < len(name.encode()) <= LARGEST_BYTES
    assert ClassNames([name]).resolve(typed) == name
    assert class_key(ClassNames().resolve(name)) == class_key(name)
