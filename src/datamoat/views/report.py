"""One self-contained HTML file, and each chart as PNG and SVG, drawn from the published file.

What is drawn and said is content: `reports/report.yml` (title and lead), `reports/style.py` (colours and axes) and one
file for each panel in `reports/charts/`, each with `panels(con, style)` that returns `Panel`s. Here is only how they become
a page: charts through Vega without a browser, at two widths; numbers in sentences as `<data>` with the exact value of the
mart; the table behind each chart. The page loads nothing and runs nothing.
"""

import base64
import html
import importlib.util
import json
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb

from datamoat.errors import ContentError
from datamoat.project.yaml_files import read_yaml
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, write_whole
from datamoat.storage.warehouse import open_published

WIDE, NARROW = 720, 340  # pixels of a chart on a desk and on a phone
SCALE = 2  # pixels of a PNG for each of the chart's
SHOWN_ROWS = 60  # rows of a table in the page; the rest are in the mart
LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


@dataclass(frozen=True)
class Panel:
    """One chart with what is said about it and the table behind it.

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


def write_report(settings: Settings, to: Path, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Write `report.html` and `charts/` to a folder.

    Args:
        settings: Where the published file and the content are.
        to: The folder; made where absent. Files of the same names are replaced, nothing else is touched.
        progress: Called with one line for each panel.

    Raises:
        ContentError: A panel does not load, or names a fact it does not have.
        PublishRefusedError: Nothing is published, or the disk refuses.
    """
    import vl_convert

    about = read_yaml(settings.content / "reports" / "report.yml")
    files, sections = [], []
    with open_published(settings) as con:
        build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
        lead = _paragraphs(tuple(about["lead"]), _facts(con, str(about["facts"]), "report.yml"), "report.yml")
        for panel in read_panels(settings.content, con):
            facts = _facts(con, panel.facts, panel.id)
            pictures = {}
            for width, suffix in ((WIDE, ""), (NARROW, "-narrow")):
                spec = json.dumps(panel.draw(width).to_dict())
                svg = vl_convert.vegalite_to_svg(spec)
                path = to / "charts" / f"{panel.id}{suffix}.svg"
                _put(path, svg.encode())
                files.append(path)
                pictures[width] = svg
                if width == WIDE:
                    path = path.with_suffix(".png")
                    _put(path, vl_convert.svg_to_png(svg, scale=SCALE))
                    files.append(path)
            sections.append(_section(con, panel, facts, pictures))
            progress(panel.id)
    page = to / "report.html"
    text = _page(settings.content, about, lead, sections, f"Build {build_id}, inputs as of {as_of}")
    write_whole(page, text.encode())
    return Report(page, (page, *files), len(sections))


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
    style = _module(content / "reports" / "style.py")
    panels: list[Panel] = []
    for path in sorted((content / "reports" / "charts").glob("*.py")):
        try:
            found = _module(path).panels(con, style)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, duckdb.Error) as failure:
            raise ContentError(
                f"the panel does not draw: {type(failure).__name__}: {failure}", str(path), "mend the file."
            ) from failure
        panels += found
    ids = [panel.id for panel in panels]
    if len(set(ids)) != len(ids) or not all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for name in ids):
        raise ContentError(f"panels need slugs that differ: {ids}", str(content / "reports" / "charts"), "rename one.")
    return panels


def words(value: object, form: str = "") -> str:
    """Return a value as it is said in a sentence.

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
    """Return a number as it is said."""
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


def _module(path: Path) -> ModuleType:
    """Load a file of the content tree."""
    specification = importlib.util.spec_from_file_location(f"reports_{path.stem}", path)
    if specification is None or specification.loader is None or not path.is_file():
        raise ContentError(f"{path.name} cannot be loaded", str(path), "bring it back, or mend it.")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as failure:
        raise ContentError(
            f"{path.name} does not load: {type(failure).__name__}: {failure}", str(path), "mend the file."
        ) from failure
    return module


def _facts(con: duckdb.DuckDBPyConnection, sql: str, where: str) -> dict[str, Any]:
    """Return the one row of facts."""
    relation = con.sql(sql)
    found = relation.fetchall()
    if len(found) != 1:
        raise ContentError(f"the facts of {where} are {len(found)} rows", where, "make the query yield exactly one.")
    return dict(zip(relation.columns, found[0], strict=True))


def _filled(template: str, facts: dict[str, Any], where: str, *, marked: bool) -> str:
    """Return a sentence with its facts; with `marked`, as HTML in which each carries its exact value."""
    parts = []
    for literal, name, form, _ in string.Formatter().parse(template):
        parts.append(html.escape(literal) if marked else literal)
        if name is None:
            continue
        if name not in facts:
            raise ContentError(f"{where} has no fact {name!r}", where, f"it has {', '.join(facts)}.")
        said = words(facts[name], form or "")
        if marked and not isinstance(facts[name], str):
            exact = html.escape(exact_text(facts[name]), quote=True)
            said = f'<data value="{exact}" data-fact="{name}">{html.escape(said)}</data>'
        elif marked:
            said = f'<span data-fact="{name}">{html.escape(said)}</span>'
        parts.append(said)
    return "".join(parts)


def exact_text(value: object) -> str:
    """Return a value so that it can be compared with the mart's without loss."""
    return repr(value) if isinstance(value, float) else str(value)


def _paragraphs(templates: Sequence[str], facts: dict[str, Any], where: str) -> str:
    """Return paragraphs as HTML."""
    return "\n".join(f"<p>{_filled(' '.join(template.split()), facts, where, marked=True)}</p>" for template in templates)


def _section(con: duckdb.DuckDBPyConnection, panel: Panel, facts: dict[str, Any], pictures: dict[int, str]) -> str:
    """Return one panel as HTML."""
    told = [_filled(text, facts, panel.id, marked=False) for text in (panel.title, *panel.text)]
    uri = {width: f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" for width, svg in pictures.items()}
    size = {width: re.search(r'width="(\d+)[^"]*" height="(\d+)', svg) for width, svg in pictures.items()}
    ratio = {width: (found[1], found[2]) if found else (str(width), str(width)) for width, found in size.items()}
    return f"""<section id="{panel.id}" aria-labelledby="{panel.id}-title">
<h2 id="{panel.id}-title">{_filled(panel.title, facts, panel.id, marked=True)}</h2>
<figure>
<picture>
<source media="(max-width: 46rem)" srcset="{uri[NARROW]}" width="{ratio[NARROW][0]}" height="{ratio[NARROW][1]}">
<img src="{uri[WIDE]}" width="{ratio[WIDE][0]}" height="{ratio[WIDE][1]}" alt="{html.escape(f"Chart: {told[0]}. {told[1]}", quote=True)}">
</picture>
<figcaption>
{_paragraphs(panel.text, facts, panel.id)}
</figcaption>
</figure>
{_table(con, panel)}
</section>"""


def _table(con: duckdb.DuckDBPyConnection, panel: Panel) -> str:
    """Return the table behind a chart, each cell with its exact value."""
    relation = con.sql(panel.sql)
    records = relation.fetchall()
    if len(panel.headings) != len(relation.columns):
        raise ContentError(
            f"{panel.id} has {len(relation.columns)} columns and {len(panel.headings)} headings", panel.id, "name each."
        )
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in panel.headings)
    body = []
    for record in records[:SHOWN_ROWS]:
        first, *others = [_cell(value) for value in record]
        body.append(
            f'<tr><th scope="row"{first[0]}>{first[1]}</th>'
            + "".join(f"<td{attr}>{text}</td>" for attr, text in others)
            + "</tr>"
        )
    more = (
        f"<p>The first {SHOWN_ROWS} of {len(records):,} rows; the rest are in the published file.</p>"
        if len(records) > SHOWN_ROWS
        else ""
    )
    return f"""<details>
<summary>The table behind it: {len(records):,} rows</summary>
<div class="scroll" role="region" tabindex="0" aria-label="Table behind {panel.id.replace("-", " ")}">
<table data-panel="{panel.id}">
<thead><tr>{head}</tr></thead>
<tbody>
{chr(10).join(body)}
</tbody>
</table>
</div>{more}
</details>"""


def _cell(value: object) -> tuple[str, str]:
    """Return the attributes and the text of one cell."""
    if isinstance(value, bool):
        return f' data-value="{value}"', "yes" if value else "no"
    if isinstance(value, int | float):
        size = abs(value)
        shown = f"{value:,.0f}" if size >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004
        return f' class="number" data-value="{html.escape(exact_text(value), quote=True)}"', shown.replace("-", "−")
    if value is None:
        return ' data-value="None"', "–"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f' data-value="{html.escape(text, quote=True)}"', html.escape(text)


def _page(content: Path, about: dict[str, Any], lead: str, sections: list[str], built: str) -> str:
    """Return the whole page."""
    style = (content / "reports" / "report.css").read_text(encoding="utf-8")
    contents = "\n".join(
        f'<li><a href="#{match[1]}">{re.sub(r"<[^>]+>", "", match[2])}</a></li>'
        for section in sections
        if (match := re.search(r'<section id="([^"]+)".*?<h2[^>]*>(.*?)</h2>', section, re.DOTALL))
    )
    notes = "\n".join(f"<li>{html.escape(note)}</li>" for note in about["notes"])
    return f"""<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{html.escape(about["title"])}</title>
<style>
{style}
</style>
</head>
<body>
<a class="skip" href="#main">Skip to the answer</a>
<header>
<h1>{html.escape(about["title"])}</h1>
<p class="built">{html.escape(built)}</p>
</header>
<main id="main">
<div class="lead">
{lead}
</div>
<nav aria-label="Contents">
<ol>
{contents}
</ol>
</nav>
{chr(10).join(sections)}
<section aria-labelledby="notes-title">
<h2 id="notes-title">What this does not say</h2>
<ul>
{notes}
</ul>
</section>
</main>
<footer>
<p>{html.escape(about["footer"])}</p>
</footer>
</body>
</html>
"""
