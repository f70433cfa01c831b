"""One self-contained HTML file, and each chart as PNG and SVG, drawn from the published file.

What is drawn and written is content: `reports/report.yml` (title, lead, notes), `reports/report.html.j2` (the page),
`reports/style.py` (colours and axes) and one file for each panel in `reports/charts/`, each with `panels(con, style)` that
returns `Panel`s. Here they become a page: charts through Vega without a browser, at two widths; numbers in sentences as
`<data>` with the exact value of the mart; the table behind each chart. The page loads nothing and runs nothing.
"""

import base64
import importlib.util
import json
import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
from markupsafe import Markup, escape

from datamoat.errors import ContentError, UsageError
from datamoat.log import step
from datamoat.project.python_models import load
from datamoat.project.yaml_files import read_yaml
from datamoat.release.tables import checked_target
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, write_whole
from datamoat.storage.warehouse import open_published
from datamoat.views.render import fill

WIDE, NARROW = 720, 340  # pixels of a chart on a desk and on a phone
SCALE = 2  # pixels of a PNG for each of the chart's
SHOWN_ROWS = 60  # rows of a table in the page; the rest are in the mart
LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


@dataclass(frozen=True)
class Panel:
    """One chart with its text and the table behind it.

    Attributes:
        id: A slug; the names of its files.
        title: What it shows, as a sentence; `{name}` and `{name:form}` stand for facts.
        text: Paragraphs below, with the same placeholders; the first is the chart's text alternative.
        facts: SQL that yields one row: the numbers and names of the sentences.
        sql: SQL that yields the table behind the chart.
        headings: What the columns of that table are called, in order.
        draw: Returns the chart at a width.
    """

    id: str
    title: str
    text: tuple[str, ...]
    facts: str
    sql: str
    headings: tuple[str, ...]
    draw: Callable[[int], Any] = field(hash=False)


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        page: The HTML file.
        files: Every file, the page among them.
        n_panels: How many charts there are.
    """

    page: Path
    files: tuple[Path, ...]
    n_panels: int


def write_report(settings: Settings, to: Path | None = None) -> Report:
    """Write `report.html` and `charts/` to a folder.

    Args:
        settings: Where the published file and the content are.
        to: The folder; `report` in the exports if None. Files of the same names are replaced, nothing else is touched.

    Raises:
        UsageError: The libraries that draw are not installed, or `to` is no folder.
        ContentError: A panel does not load or names a fact it does not have, or the template fails.
        PublishRefusedError: Nothing is published, or the disk refuses.
    """
    if importlib.util.find_spec("altair") is None or importlib.util.find_spec("vl_convert") is None:
        raise UsageError("the report needs altair and vl-convert", "this environment", "install datamoat[reports].")
    folder = checked_target(to, replace=True) if to is not None else settings.exports / "report"
    about = read_yaml(settings.content / "reports" / "report.yml")
    files: list[Path] = []
    with open_published(settings) as con:
        build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
        facts = _facts(con, str(about["facts"]), "report.yml")
        lead = [_filled(text, facts, "report.yml") for text in about["lead"]]
        panels, shown = read_panels(settings.content, con), []
        for n, panel in enumerate(panels, start=1):
            with step("chart", chart=panel.id, n=n, of=len(panels)) as logged:
                pictures = {width: _draw(panel, width, folder / "charts", files) for width in (WIDE, NARROW)}
                shown.append(_context(con, panel, pictures))
                logged["rows"] = shown[-1]["n_rows"]
    page = folder / "report.html"
    texts = {name: about[name] for name in ("title", "notes", "footer")}
    filled = fill(
        settings.content / "reports", "report.html.j2", **texts, lead=lead, panels=shown, build_id=build_id, as_of=as_of
    )
    write_whole(page, filled.encode())
    return Report(page, (page, *files), len(panels))


def _draw(panel: Panel, width: int, folder: Path, files: list[Path]) -> str:
    """Write one chart at one width, the wide one also as PNG, add the files to the list, and return the SVG."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(json.dumps(panel.draw(width).to_dict()))
    pictures = {folder / f"{panel.id}{'' if width == WIDE else '-narrow'}.svg": svg.encode()}
    if width == WIDE:
        pictures[folder / f"{panel.id}.png"] = vl_convert.svg_to_png(svg, scale=SCALE)
    for path, body in pictures.items():
        _put(path, body)
        files.append(path)
    return svg


def _put(path: Path, body: bytes) -> None:
    """Write a picture; it can be drawn again, so the disk is not waited for."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError as failure:
        raise cannot_write(path, failure, len(body)) from failure


def read_panels(content: Path, con: duckdb.DuckDBPyConnection) -> list[Panel]:
    """Return every panel of the content tree, in the order of their files.

    Raises:
        ContentError: A file does not load or returns something else, or two panels share an id.
    """
    style = load(content / "reports" / "style.py")
    panels: list[Panel] = []
    for path in sorted((content / "reports" / "charts").glob("*.py")):
        try:
            found = load(path).panels(con, style)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, duckdb.Error) as failure:
            raise ContentError(
                f"the panel does not draw: {type(failure).__name__}: {failure}", str(path), "correct the file."
            ) from failure
        panels += found
    ids = [panel.id for panel in panels]
    if len(set(ids)) != len(ids) or not all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for name in ids):
        raise ContentError(f"panels need slugs that differ: {ids}", str(content / "reports" / "charts"), "rename one.")
    return panels


def words(value: object, form: str = "") -> str:
    """Return a value as a sentence shows it.

    Args:
        value: A number, text, date or None.
        form: `share` as a percentage, `many` with million and billion, `r2` with two decimals, `n` as a whole number with
            separators, `day` and `month` for dates; nothing for text as it is.
    """
    if value is None:
        return "unknown"
    if isinstance(value, date | datetime):
        return value.strftime("%B %Y") if form == "month" else f"{value.day} {value:%B %Y}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(float(value), form)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: float, form: str) -> str:
    """Return a number in one of the forms."""
    if form == "share":
        return f"{value:.0%}"
    if form.startswith("r") and form[1:].isdecimal():
        return f"{value:.{form[1:]}f}".replace("-", "−")
    if form == "many":
        for size, name in LARGE:
            if abs(value) >= size:
                return f"{_three(value / size)} {name}"
        return _three(value)
    return f"{value:,.0f}".replace("-", "−")


def _three(value: float) -> str:
    """Return a number with two to three significant digits and separators."""
    size = abs(value)
    if size >= 100:  # noqa: PLR2004
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.2g}" if size < 10 else f"{value:.0f}"  # noqa: PLR2004


def _facts(con: duckdb.DuckDBPyConnection, sql: str, where: str) -> dict[str, Any]:
    """Return the one row of facts."""
    relation = con.sql(sql)
    found = relation.fetchall()
    if len(found) != 1:
        raise ContentError(f"the facts of {where} are {len(found)} rows", where, "make the query yield exactly one.")
    return dict(zip(relation.columns, found[0], strict=True))


def _filled(template: str, facts: dict[str, Any], where: str) -> Markup:
    """Return a sentence with its facts as HTML in which each carries its exact value."""
    parts = []
    for literal, name, form, _ in string.Formatter().parse(" ".join(template.split())):
        parts.append(escape(literal))
        if name is None:
            continue
        if name not in facts:
            raise ContentError(f"{where} has no fact {name!r}", where, f"it has {', '.join(facts)}.")
        shown = words(facts[name], form or "")
        if isinstance(facts[name], str):
            parts.append(Markup('<span data-fact="{}">{}</span>').format(name, shown))
        else:
            parts.append(Markup('<data value="{}" data-fact="{}">{}</data>').format(exact_text(facts[name]), name, shown))
    return Markup("").join(parts)


def exact_text(value: object) -> str:
    """Return a value so that it can be compared with the mart's without loss."""
    return repr(value) if isinstance(value, float) else str(value)


def _context(con: duckdb.DuckDBPyConnection, panel: Panel, pictures: dict[int, str]) -> dict[str, Any]:
    """Return what the template needs of one panel: sentences, pictures at two widths, the table behind the chart."""
    facts = _facts(con, panel.facts, panel.id)
    title, *text = [_filled(template, facts, panel.id) for template in (panel.title, *panel.text)]
    relation = con.sql(panel.sql)
    if len(panel.headings) != len(relation.columns):
        raise ContentError(
            f"{panel.id} has {len(relation.columns)} columns and {len(panel.headings)} headings", panel.id, "name each."
        )
    records = relation.fetchall()
    return {
        "id": panel.id,
        "title": title,
        "heading": title.striptags(),
        "alternative": text[0].striptags(),
        "text": text,
        "wide": _picture(pictures[WIDE], WIDE),
        "narrow": _picture(pictures[NARROW], NARROW),
        "headings": panel.headings,
        "n_rows": len(records),
        "rows": [[_cell(value) for value in record] for record in records[:SHOWN_ROWS]],
    }


def _picture(svg: str, width: int) -> dict[str, str]:
    """Return a chart as an address that needs no file, with its size in pixels."""
    size = re.search(r'width="(\d+)[^"]*" height="(\d+)', svg)
    wide, high = (size[1], size[2]) if size else (str(width), str(width))
    return {"uri": f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}", "width": wide, "height": high}


def _cell(value: object) -> dict[str, Any]:
    """Return one cell: its exact value, its text, and whether it is a number."""
    if isinstance(value, bool):
        return {"exact": str(value), "shown": "yes" if value else "no", "is_number": False}
    if isinstance(value, int | float):
        shown = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004
        return {"exact": exact_text(value), "shown": shown.replace("-", "−"), "is_number": True}
    text = "–" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return {"exact": "None" if value is None else text, "shown": text, "is_number": False}
