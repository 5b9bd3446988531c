"""HTML pages for people, from the templates of a package: texts are escaped, and a missing value is an error.

Class names, file names and URLs come from outside; `autoescape` shows them as they stand, and nothing in them runs.
"""

from __future__ import annotations

import base64
import math

import jinja2


def render(package: str, template: str, /, **values: object) -> str:
    """Return a page from a template of a package.

    Templates have two filters beside those of Jinja: `base64` (bytes as text, for pictures inside the page) and
    `percent` (a share of 0 to 1; a dash where it is not defined).

    Args:
        package: the package whose folder `templates` holds the template, as it is imported.
        template: the template's file name.
        **values: what the template shows, by the names it uses.

    Raises:
        jinja2.UndefinedError: the template uses a name that was not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"base64": _base64, "percent": _percent}
    return environment.get_template(template).render(values)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _percent(share: float | None, decimals: int = 1) -> str:
    return "–" if share is None or math.isnan(share) else f"{share:.{decimals}%}"
