"""A note on what was done last saves work; a damaged one never stops any."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.storage.notes import note_problem, read_note, write_note


@pytest.mark.parametrize("content", [b"", b"\x00\xffgarbage{", b"[1, 2]", b'{"may": "1', b'{"may": "other"}'])
def test_a_damaged_note_is_said_in_the_log_and_counts_as_none(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    note = tmp_path / "note.json"
    write_note(note, {"may": "digest"})
    assert (note_problem(note), read_note(note, what_follows="")) == (None, {"may": "digest"})
    note.write_bytes(content)
    assert read_note(note, what_follows="All is written again.") == {}
    assert note_problem(note)
    assert f"{note} " in caplog.text and "All is written again." in caplog.text


def test_no_note_is_nothing_to_be_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_note(tmp_path / "none.json", what_follows="") == {}
    assert not caplog.text
