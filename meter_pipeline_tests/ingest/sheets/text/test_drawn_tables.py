"""Tables drawn with dashes and bars."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.ingest.sheets.text.tables import read_text_table

SAP = """01.05.2026            Dynamic List Display           1
--------------------------------------------------------
|Account   |Photo                  |Remark             |
|------------------------------------------------------|
|4711      |http://p.example/1.jpg |ok                 |
|4712      |http://p.example/2.jpg |3" pipe            |
--------------------------------------------------------
01.05.2026            Dynamic List Display           2
--------------------------------------------------------
|Account   |Photo                  |Remark             |
|------------------------------------------------------|
|4713      |http://p.example/3.jpg |                   |
--------------------------------------------------------
"""
PSQL = """ account |          photo
---------+------------------------
    4711 | http://p.example/1.jpg
    4712 | http://p.example/2.jpg
(2 rows)
"""
MYSQL = """+---------+------------------------+
| account | photo                  |
+---------+------------------------+
|    4711 | http://p.example/1.jpg |
|    4712 | http://p.example/2.jpg |
+---------+------------------------+
2 rows in set (0.00 sec)
"""
MARKDOWN = """| account | photo |
|---:|:--|
| 4711 | http://p.example/1.jpg |
| 4712 | http://p.example/2.jpg |
"""
MARKDOWN_WITHOUT_ENDS = """account | photo
--- | ---
4711 | http://p.example/1.jpg
4712 | http://p.example/2.jpg
"""
BOX = """┌─────────┬────────────────────────┐
| account | photo                  |
├─────────┼────────────────────────┤
| 4711    | http://p.example/1.jpg |
| 4712    | http://p.example/2.jpg |
└─────────┴────────────────────────┘
"""
GRID = """+---------+------------------------+
| account | photo                  |
+=========+========================+
| 4711    | http://p.example/1.jpg |
+---------+------------------------+
| 4712    | http://p.example/2.jpg |
+---------+------------------------+
"""
SQLCMD = """account,photo
-------,----------------------
4711   ,http://p.example/1.jpg
4712   ,http://p.example/2.jpg
"""
SQLCMD_TABS = SQLCMD.replace(",", "\t")


def _read(text: str) -> list[list[str]]:
    return read_text_table(Path("a.txt"), text.encode())


def test_sap_list() -> None:
    rows = _read(SAP)
    assert len(rows) == SAP.count("\n")
    assert {number: row for number, row in enumerate(rows, 1) if row} == {
        1: ["01.05.2026            Dynamic List Display           1"],
        3: ["Account", "Photo", "Remark"],
        5: ["4711", "http://p.example/1.jpg", "ok"],
        6: ["4712", "http://p.example/2.jpg", '3" pipe'],
        10: ["Account", "Photo", "Remark"],
        12: ["4713", "http://p.example/3.jpg", ""],
    }


@pytest.mark.parametrize("text", [PSQL, MYSQL, MARKDOWN, MARKDOWN_WITHOUT_ENDS, GRID, SQLCMD, SQLCMD_TABS, BOX])
def test_consoles_and_markdown(text: str) -> None:
    rows = _read(text)
    assert len(rows) == text.count("\n")
    assert [row for row in rows if row] == [
        ["account", "photo"],
        ["4711", "http://p.example/1.jpg"],
        ["4712", "http://p.example/2.jpg"],
    ]


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_other_ends_of_lines(ends: str) -> None:
    assert next(row for row in _read(MYSQL.replace("\n", ends)) if row) == ["account", "photo"]


@pytest.mark.parametrize(
    "text",
    [
        "a|b\n1|x\n|y\n",
        "a|b|c\n|1|\n2||3\n4|5|6\n",
        "a,b\n---,x\n-,--\n",
        "id,url\n1,-----\n2,http://p.example/2.jpg\n",
    ],
)
def test_dashes_and_blanks_in_other_tables_stay(text: str) -> None:
    delimiter = "|" if "|" in text else ","
    assert _read(text) == [line.split(delimiter) for line in text.splitlines()]
