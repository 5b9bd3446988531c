"""`meter erase` shows by numbers and names what would go, asks, and says what it cannot find."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from meter_pipeline.cli.main import app
from meter_pipeline.defs.history_traces import traces
from meter_pipeline.defs.metadata import markdown_table
from meter_pipeline.erasure import erasing
from meter_pipeline.erasure.look import look
from meter_pipeline.erasure.target import drop_target
from meter_pipeline.errors import MeterError
from meter_pipeline.storage.bare_links import no_link
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS
from meter_pipeline_tests.support.erasable_data import write_erasable_data


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return write_erasable_data(tmp_path_factory.mktemp("erase") / "data").layout


@pytest.fixture(autouse=True)
def _this_directory(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_DATA_DIR", str(layout.root))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def test_it_shows_numbers_and_names_of_files_and_no_rows_and_erases_nothing_unasked(layout: Layout) -> None:
    asked = CliRunner().invoke(app, ["erase", "batch77"], input="n\n")
    as_json = CliRunner().invoke(app, ["erase", "--column", "Customer=R. Vanderquist", "--json"])
    assert asked.exit_code == as_json.exit_code == 1
    assert "batch77.csv" in asked.output
    shown = json.loads(as_json.stdout)
    assert (shown["photos"], shown["drops"], shown["erased"]) == (2, {"batch77": 2}, False)
    assert not any(word in asked.output + as_json.output for word in ("Vanderquist", "p.example", "KEY"))
    assert layout.lake.count(DROP_ROWS) == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["batch7"], "Nearly called so: batch77"),
        (["--column", "Custmer=x"], "Columns beside the photos' URLs: Customer"),
        ([], "One of a drop, --url, --column and --unused"),
        (["batch77", "--url", "http://h/1.jpg"], "One of a drop, --url, --column and --unused"),
        (["--unused", "--url", "http://h/1.jpg"], "One of a drop, --url, --column and --unused"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["erase", *arguments])
    assert isinstance(result.exception, MeterError)
    assert said in str(result.exception)


def test_a_url_that_is_nowhere_is_nothing_to_erase() -> None:
    result = CliRunner().invoke(app, ["erase", "--url", "http://u:pw@p.example/none.jpg?token=abc", "--yes"])
    assert result.exit_code == 0
    assert "Nothing is here of the URL http://***@p.example/none.jpg?token=***" in result.output.replace("\n", "")


def test_an_erasure_that_was_cut_off_does_not_pass_for_the_one_asked_for(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asked, is_an_error in ((["batch77.csv", "--json"], False), (["erroneous", "--json"], True)):
        copy = Layout(tmp_path / asked[0])
        shutil.copytree(layout.root, copy.root)
        monkeypatch.setenv("METER_DATA_DIR", str(copy.root))
        with monkeypatch.context() as cut:
            cut.setattr(erasing, "STEPS", erasing.STEPS[:-1])
            erasing.erase(copy, look(copy, drop_target(copy, "batch77")))
        result = CliRunner().invoke(app, ["erase", *asked])
        assert not copy.erasing.exists()
        if is_an_error:
            assert "There is no drop called erroneous" in str(result.exception)
        else:
            assert result.exit_code == 0
            assert json.loads(result.stdout)["carried_on"] == {"kind": "drop", "column": None}


def test_traces_in_a_history_are_counted(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "run.db") as connection:
        connection.execute("CREATE TABLE event_logs (run_id TEXT, event TEXT)")
        said = [("1", json.dumps("Read jün.xlsx")), ("1", "Read jün.xlsx"), ("2", "Read may.xlsx")]
        connection.executemany("INSERT INTO event_logs VALUES (?, ?)", said)
    (tmp_path / "broken.db").write_bytes(b"no database")
    found = traces(tmp_path, ["jün.xlsx", "ab"])
    assert (found.entries, found.runs, found.logs) == (2, ("1",), 0)
    assert "still mentions it in 2 entries of 1 run (1):" in found.sentence
    assert "1 of its files cannot be read" in found.sentence
    assert "ab" not in found.sentence and "fewer than 3 characters was not looked for" in found.sentence


@pytest.mark.parametrize(
    ("word", "stored"),
    [
        ("http://u:pw@p.example/a_b.jpg?sig=KEY", no_link("Not fetched: http://***@p.example/a_b.jpg?sig=***")),
        ("http://u:pw@p.example/a_b.jpg?sig=KEY", "404 at http://***@p.example/a_b.jpg (try 2)"),
        ("Rao_[B] #4|x", str(markdown_table(pd.DataFrame({"customer": ["rao_[b]  #4|x"]})).value)),
        ("may_" + "2026" * 16, str(markdown_table(pd.DataFrame({"drop": ["may_" + "2026" * 16]})).value)),
    ],
)
@pytest.mark.parametrize("table", ["asset_keys (last_run_id, last_materialization)", "event_logs (run_id, event)"])
def test_a_history_is_searched_in_the_spellings_that_it_has(tmp_path: Path, word: str, stored: str, table: str) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "index.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode=wal")
        connection.execute(f"CREATE TABLE {table}")
        values = [json.dumps({"text": text}) for text in (stored, "another")]
        connection.executemany(f"INSERT INTO {table.partition(' ')[0]} VALUES ('1', ?)", [(each,) for each in values])
    found = traces(tmp_path, [word])
    assert (found.entries, found.runs) == (1, ("1",))
    assert [path.name for path in tmp_path.iterdir()] == ["index.db"]
    assert traces(tmp_path, ["June"]).sentence.endswith("does not mention it.")
