"""Texts as cells of a sheet may hold them."""

from __future__ import annotations

from hypothesis import strategies as st

ANY_TEXT = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("=+-@'\t\r\n,\";_x0D")), max_size=20
)
"""Any text, often with what starts a formula, separates columns or is escaped in a workbook."""
