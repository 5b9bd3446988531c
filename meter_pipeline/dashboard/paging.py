"""Long lists a page at a time: which page a person has chosen."""

from __future__ import annotations

import streamlit as st


def choose_page(count: int, size: int, key: str) -> int:
    """Ask which page to show where there are several, and return it, from 0.

    Args:
        count: how many there are in all.
        size: how many a page shows.
        key: of the choice; another list has another one.
    """
    pages = -(-count // size)
    return int(st.pagination(pages, key=key)) - 1 if pages > 1 else 0
