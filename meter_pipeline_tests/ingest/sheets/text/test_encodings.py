"""Tables in the encodings of the world are read as they were written."""

from __future__ import annotations

import random

import pytest

from meter_pipeline.ingest.sheets.text.encodings import decoded
from meter_pipeline_tests.support.bounds import takes_at_most
from meter_pipeline_tests.support.tables_in_languages import CASES, WRITERS, table


def _share_right(language: str, encoding: str, rows: int, seeds: int) -> float:
    texts = [table(language, rows, seed, share=share) for seed in range(seeds) for share in (1.0, 0.1)]
    return sum(decoded(text.encode(encoding)) == text for text in texts) / len(texts)


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_tables_of_a_few_rows(language: str, encoding: str) -> None:
    assert _share_right(language, encoding, 1, 10) >= 0.8
    assert _share_right(language, encoding, 4, 10) >= 0.9
    assert _share_right(language, encoding, 50, 3) == 1.0


@pytest.mark.parametrize("language", WRITERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_with_and_without_a_mark(language: str, encoding: str) -> None:
    text = table(language, 20, 1)
    assert decoded(text.encode(encoding)) == text


WORDS = [
    ("Zähler", "cp1252"),
    ("Straße", "cp1252"),
    ("fenêtre", "cp1252"),
    ("São Paulo", "cp1252"),
    ("5 m³", "cp1252"),
    ("20 °C", "cp1252"),
    ("12 €", "cp1252"),
    ("l’été", "cp1252"),
    ("正常", "gb18030"),
    ("备注", "gb18030"),
    ("備註", "big5"),
    ("写真", "cp932"),
    ("ﾒｰﾀｰ ﾊﾞﾝｺﾞｳ", "cp932"),
    ("写真", "iso2022_jp"),
    ("사진", "cp949"),
    ("Счёт", "cp1251"),
    ("Счёт", "koi8_r"),
    ("Zdjęcie", "cp1250"),
    ("Číslo", "cp1250"),
    ("Fotoğraf", "cp1254"),
    ("Μετρητής", "cp1253"),
    ("מונה", "cp1255"),
    ("عداد", "cp1256"),
    ("มิเตอร์", "cp874"),
]


@pytest.mark.parametrize(("word", "encoding"), WORDS)
@pytest.mark.parametrize("rows", [1, 4, 3000])
def test_one_word_in_a_whole_table(word: str, encoding: str, rows: int) -> None:
    text = "id,photo,remark\r\n" + "".join(f"{i},https://store.example/photo_{i}.jpg,\r\n" for i in range(rows))
    text += f"x,,{word}\r\n"
    assert decoded(text.encode(encoding)) == text


def test_a_broken_byte_is_no_other_encoding() -> None:
    rows = [f"{i},https://store.example/{i}.jpg,Zähler geprüft\n" for i in range(100_000)]
    content = "".join(rows).encode()
    at = content.index(b"\n", len(content) * 9 // 10) - 3
    broken = content[:at] + b"\xff" + content[at:]
    assert decoded(broken).count("Zähler geprüft") >= len(rows) - 1
    one = decoded("Zähler ja\nÖl\nTür\nGröße\n".encode() + b"Z\xe4hler\nabc\xc3\n")
    assert one == "Zähler ja\nÖl\nTür\nGröße\nZähler\nabc\ufffd\n"


def test_a_broken_byte_among_east_asian_text() -> None:
    text = table("Simplified Chinese", 200, 1)
    content = text.encode("gb18030")
    at = content.index(b"\r\n", 3000)
    found = decoded(content[:at] + b"\xff" + content[at:])
    assert found.replace("\ufffd", "") == text


def test_marks_inside_the_text_of_joined_files() -> None:
    assert decoded(b"\xef\xbb\xbfa,b\n\xef\xbb\xbfa,b\n") == "a,b\na,b\n"


def test_hostile_bytes_cost_little() -> None:
    drawn = random.Random(1)
    contents = [bytes(drawn.randrange(256) for _ in range(2000)) for _ in range(60)]
    contents += [b"\xe4" * 5_000_000, b"\xe4," * 2_500_000, b"a\x80" * 2_000_000, b"\x80\n" * 2_000_000]
    contents += [b"\xf0\x9f" * 1_000_000, b"\x81\x30" * 1_000_000, b"http://a/" * 500_000 + b"\xff"]
    with takes_at_most(30):
        for content in contents:
            decoded(content)
