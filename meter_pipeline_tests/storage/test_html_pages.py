"""Pages from templates: what comes from outside is shown and never run, and a missing value is not left blank."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from meter_pipeline.storage.html_pages import render

Rendered = Callable[..., str]


@pytest.fixture
def rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rendered:
    """Render the text of a template that lies in a package of its own."""
    package = f"templates_of_{tmp_path.name}"
    templates = tmp_path / package / "templates"
    templates.mkdir(parents=True)
    (tmp_path / package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))

    def render_text(text: str, **values: object) -> str:
        (templates / "page.html").write_text(text, encoding="utf-8")
        return render(package, "page.html", **values)

    return render_text


def test_names_from_outside_are_shown_and_never_run(rendered: Rendered) -> None:
    page = rendered('<p title="{{ name }}">{{ name }}</p>', name='"><script>alert(1)</script>')
    shown = "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"
    assert page == f'<p title="{shown}">{shown}</p>'


def test_a_value_that_was_not_given_is_an_error_and_no_blank(rendered: Rendered) -> None:
    with pytest.raises(jinja2.UndefinedError, match="accuracy"):
        rendered("{{ accuracy }}")


def test_shares_and_pictures(rendered: Rendered) -> None:
    assert rendered("{{ share | percent }} {{ share | percent(0) }}", share=0.1234) == "12.3% 12%"
    assert rendered("{{ none | percent }} {{ nan | percent }}", nan=float("nan")) == "– –"
    assert rendered("{{ picture | base64 }}", picture=b"\xff\xd8") == "/9g="
