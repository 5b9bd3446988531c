"""The review page's own screen: one component in HTML, CSS and JavaScript, without a build and without a frame.

Selection, order and keys live in the browser; what is decided travels over the routes of `server.review_routes`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def part(ending: str) -> str:
    """Return the HTML, CSS or JavaScript of the component, by the ending of its file."""
    return (files(__package__) / f"review.{ending}").read_text(encoding="utf-8")
