"""Pictures that many URLs of a host gave are noted, and nothing else that is noted is lost."""

from __future__ import annotations

import pyarrow as pa

from meter_pipeline.ingest.alike_pictures import ALIKE_NOTE, MANY_ALIKE_URLS, notes_of_alike
from meter_pipeline.storage.tables import URL_IMAGES

Row = tuple[str, str | None, str | None]


def noted(rows: list[Row]) -> tuple[list[str | None] | None, int]:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)] or [pa.array([], pa.string())] * 3
    notes, alike = notes_of_alike(pa.table(columns, names=["image_url", "image_id", "notes"]))
    return None if notes is None else notes.to_pylist(), alike


def urls(count: int, image_id: str | None, *, host: str = "a.example", note: str | None = None) -> list[Row]:
    return [(f"https://{host}/{image_id}/{number}.jpg?x=1#y", image_id, note) for number in range(count)]


def test_a_picture_of_a_fifth_of_a_hosts_urls_is_noted() -> None:
    others = [row for number in range(20) for row in urls(1, f"photo {number}")]
    notes, alike = noted([*urls(5, "stand-in"), *others])
    assert (notes, alike) == ([f"4 other URLs{ALIKE_NOTE}"] * 5 + [None] * 20, 5)
    more = [row for number in range(21) for row in urls(1, f"photo {number}")]
    assert noted([*urls(5, "stand-in"), *more]) == (None, 0)
    assert noted(urls(4, "stand-in")) == (None, 0)


def test_very_many_are_noted_whatever_their_share() -> None:
    others = [row for number in range(1000) for row in urls(1, f"photo {number}")]
    assert noted([*urls(MANY_ALIKE_URLS, "stand-in"), *others])[1] == MANY_ALIKE_URLS
    assert noted([*urls(MANY_ALIKE_URLS - 1, "stand-in"), *others]) == (None, 0)


def test_hosts_are_counted_apart_with_their_ports_and_urls_without_a_photo_not_at_all() -> None:
    rows = [*urls(4, "stand-in"), *urls(4, "stand-in", host="b.example"), *urls(4, "stand-in", host="a.example:81")]
    assert noted([*rows, *urls(50, None)]) == (None, 0)
    notes, alike = noted([*urls(5, "stand-in"), *urls(4, "stand-in", host="b.example"), *urls(9, None)])
    assert (notes, alike) == ([f"4 other URLs{ALIKE_NOTE}"] * 5 + [None] * 13, 5)


def test_other_notes_stay_and_a_right_one_is_not_written_again() -> None:
    notes, _ = noted(urls(5, "stand-in", note="CMYK"))
    assert notes == [f"CMYK; 4 other URLs{ALIKE_NOTE}"] * 5
    assert noted(urls(5, "stand-in", note=notes[0])) == (None, 5)
    assert noted(urls(6, "stand-in", note=notes[0]))[0] == [f"CMYK; 5 other URLs{ALIKE_NOTE}"] * 6
    assert noted(urls(4, "stand-in", note=notes[0])) == (["CMYK"] * 4, 0), "it is true no longer"
    assert noted(urls(1, "stand-in", note=f"4 other URLs{ALIKE_NOTE}")) == ([None], 0)


def test_a_table_without_photos_has_no_notes() -> None:
    empty = URL_IMAGES.schema.empty_table()
    assert notes_of_alike(empty) == (None, 0)
    assert noted(urls(3, None)) == (None, 0)
