"""Where commands print: lines for people as they are, without markup, and JSON for programs."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from meter_pipeline.storage.masking import mask_urls

console = Console()
error_console = Console(stderr=True)


def say(text: str) -> None:
    """Print a line for people; nothing in it is taken for markup, and it is not broken."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """Print what went wrong, on the error output; secrets in URLs are masked."""
    error_console.print(mask_urls(text), style="red", markup=False, highlight=False, soft_wrap=True)


def say_json(content: object) -> None:
    """Print JSON for programs."""
    print(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def say_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; None is an empty cell. The first column is what commands ask for: it is never cut short."""
    longest = max((len(str(row[0])) for row in rows), default=0)
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, name in enumerate(header):
        table.add_column(name, no_wrap=number == 0, min_width=longest if number == 0 else None)
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    console.print(table)


def login_name() -> str:
    """Return who is logged in; empty where the system does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
