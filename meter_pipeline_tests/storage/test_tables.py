"""The tables' descriptions: they are what people read in the UI and in the warehouse."""

from __future__ import annotations

from meter_pipeline.storage.tables import ALL_TABLES, BATCH_PREDICTIONS, DECISION_COLUMNS, EXPORT_COLUMNS


def test_every_table_and_column_is_described_in_whole_sentences() -> None:
    texts = {spec.name: spec.description for spec in ALL_TABLES}
    texts |= {f"{spec.name}.{name}": column.description for spec in ALL_TABLES for name, column in spec.columns.items()}
    for place, text in texts.items():
        assert len(text) >= 15, place
        assert text.endswith("."), place
        assert text == " ".join(text.split()), place
        assert "<" not in text, f"{place}: the UI reads descriptions as Markdown and drops what looks like a tag"


def test_keys_and_volatile_columns_are_columns_of_their_table() -> None:
    for spec in ALL_TABLES:
        assert spec.key, spec.name
        assert {*spec.key, *spec.volatile} <= set(spec.columns), spec.name
        assert not spec.volatile & set(spec.key), spec.name


def test_predictions_hold_what_is_decided_on_a_photo_and_what_is_exported() -> None:
    assert {*DECISION_COLUMNS, *EXPORT_COLUMNS} <= set(BATCH_PREDICTIONS.columns)
