"""Problems that a person can do something about, as a sentence in the page and not as a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from meter_pipeline.dashboard.text import plain
from meter_pipeline.errors import MeterError

_P = ParamSpec("_P")


def saying_problems(draw: Callable[_P, None]) -> Callable[_P, None]:
    """Return a function that draws, or says in its place what is wrong.

    For dialogs and other fragments too: Streamlit draws them again by themselves, outside the page that opened them.
    """

    @wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except MeterError as error:
            st.error(plain(str(error)))

    return drawn
