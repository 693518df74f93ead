"""A page as one HTML file that needs nothing else: no script, no network."""

import base64
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports.page.content import Page, Picture

MARKS = {"best": "▲ best", "worst": "▼ worst"}
"""How the extremes of a row are marked: by shape and word, not by colour alone."""


def as_html(page: Page) -> str:
    """The whole file."""
    return _environment().get_template("report.html.j2").render(page=page, marks=MARKS)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    return environment


def _data_uri(picture: Picture) -> str:
    """An image within an address; an SVG in it can run no script, and clash with no other."""
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"
