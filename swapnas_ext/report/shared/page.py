"""The frame of a self-contained HTML page, and the elements of its templates. A page fetches nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from swapnas_ext.report.shared.charts import Chart

_FOLDER = Path(__file__).parents[1] / "templates"
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?( ?[%a-zA-Z]{1,2})?|[-+]?inf|exp\(.*\)|-|")

# ---- elements --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Architecture:
    """A cell with a short name of an architecture, its whole text folded away, and a button that copies it."""

    name: str
    text: str


@dataclass(frozen=True)
class Table:
    """A table of cells by heading. The cells of the first column are the headings of the rows.

    Attributes:
        caption: says what it shows.
        columns: cells are texts, or objects that a template shows, such as `Architecture`.
        ids: anchors of the rows; none if empty.
    """

    caption: str
    columns: Mapping[str, Sequence[Any]]
    ids: Sequence[str] = ()

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        for cells in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, cells, strict=True))

    def is_number(self, heading: str) -> bool:
        """Whether all cells of the column are numbers, which are aligned to the right."""
        return heading in self._numbers

    @cached_property
    def _numbers(self) -> set[str]:
        return {
            heading
            for heading, cells in self.columns.items()
            if all(isinstance(cell, str) and _NUMBER.fullmatch(cell) for cell in cells)
        }


@dataclass(frozen=True)
class DataSet:
    """Rows that several charts draw, each with an ``architecture``, its ``name``, and in ``row`` the anchor of its row
    in a table; empty where it has none.

    Attributes:
        name: by which charts name it.
        fields: by name.
        told: titles of the fields that a row which is picked in a chart shows, by name.
    """

    name: str
    fields: Mapping[str, Sequence[Any]]
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Markup:
        rows = list(zip(*self.fields.values(), strict=True))
        return json_markup({"fields": list(self.fields), "rows": rows, "told": self.told})


def json_markup(content: Any) -> Markup:
    """JSON for a script element. NaN and infinities become null, floats have seven digits."""
    text = json.dumps(_rounded(content), separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


def _rounded(content: Any) -> Any:
    if isinstance(content, float):
        return float(f"{content:.7g}") if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: _rounded(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return content


# ---- pages -----------------------------------------------------------------------------------------


def page(
    template: str,
    *,
    heading: str,
    lead: Sequence[str] = (),
    about: float | None = None,
    charts: Sequence[Chart] = (),
    sets: Sequence[DataSet] = (),
    **content: Any,
) -> str:
    """A whole page.

    Args:
        template: file name of its template, which extends ``base.html``.
        heading: what the page is about; the title has it too, with the date.
        lead: lines below it.
        about: when what it tells of began, in seconds since the epoch; by default, the title has the date of the page.
        charts: all charts of the page, which the template places.
        sets: what they draw, beside what is in themselves.
        content: names for the template.
    """
    parts = {"css": text_of("page.css"), "page_js": text_of("page.js")}
    scripts = [parts["page_js"]]
    if charts:
        parts |= {"vega": text_of("vega.js"), "charts_js": text_of("charts.js")}
        scripts = [parts["vega"], parts["charts_js"], *scripts]
    policy = (
        f"default-src 'none'; style-src {digest(parts['css'])}; script-src "
        f"{' '.join(map(digest, scripts))}; base-uri 'none'; form-action 'none'"
    )
    return render(
        template,
        **{name: Markup(text) for name, text in parts.items()},
        policy=policy,
        title=f"{heading}, {date_text(about)}",
        heading=heading,
        lead=[line for line in lead if line],
        has_charts=bool(charts),
        sets=sets if charts else (),
        **content,
    )


def render(template: str, **content: Any) -> str:
    """A template with its content; texts are escaped."""
    return _environment().get_template(template).render(**content)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )


@cache
def text_of(name: str) -> str:
    """A style or script of the pages."""
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def digest(text: str) -> str:
    """By which a content security policy allows a style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def date_text(seconds: float | None = None) -> str:
    """A day and a time, in UTC; by default now."""
    now = datetime.now(timezone.utc)
    try:
        when = now if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):  # a run file may come from anyone
        return "at an unknown time"
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def settings_text(about: Mapping[str, Any]) -> str:
    """The settings that something was made with, as a page shows them."""
    return json.dumps(about, indent=2)
