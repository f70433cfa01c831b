"""Panels: a chart with its sentences, the table behind it, and the lines that credit its sources.

A file of `reports/charts/` has `panels(con, style)`, which returns `Panel`s. The title is a sentence that the draws carry: where
the facts give it a probability below `SURE`, the other title, which leaves the question open, is shown.
"""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from math import floor, isfinite, log10
from pathlib import Path
from typing import Any

import duckdb
from markupsafe import Markup, escape

from datamoat.errors import ContentError
from datamoat.project.python_models import load

SURE = 0.9  # a title states only what is at least this probable
LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
CREDITS = """
    with used as (select distinct unnest(citation_ids) as citation_id from ({sql})),
    credits as (
    select
        s.source_id, s.title, s.publisher, s.attribution, s.licence, s.licence_url, s.url, s.may_plot, s.must_credit,
        count(*) as n_pages
    from used as u
    inner join meta.citations as c using (citation_id)
    inner join meta.sources as s on c.source_id = s.source_id
    group by all
    )
    from credits order by licence_url is null, n_pages desc, source_id
"""


@dataclass(frozen=True)
class Panel:
    """One chart with its text and the table behind it.

    Attributes:
        id: A slug; the names of its files.
        title: What it shows, as a sentence; `{name}` and `{name:form}` stand for facts.
        unclear: The title where the probability of `title` is below `SURE`.
        unit: What the axis counts, as a reader would say it.
        text: Paragraphs below, with the same placeholders; the first is the chart's text alternative.
        facts: SQL that yields one row: the numbers and names of the sentences, among them `title_probability` (1 for a
            count of what was observed) and `as_of_on`, the last day of what is drawn.
        sql: SQL that yields the table behind the chart.
        citations: SQL that yields the citation_ids of what is drawn.
        headings: What the columns of that table are called, in order; a form may follow a bar, as in `hours|many`.
        draw: Returns the chart at a width.
        has_hover: Whether its marks have a `description` that a page shows when the pointer is on one.
    """

    id: str
    title: str
    unclear: str
    unit: str
    text: tuple[str, ...]
    facts: str
    sql: str
    citations: str
    headings: tuple[str, ...]
    draw: Callable[[int], Any] = field(hash=False)
    has_hover: bool = False


@dataclass(frozen=True)
class Credit:
    """One source behind a chart and how many of its pages are cited."""

    source_id: str
    title: str
    publisher: str
    attribution: str
    licence: str
    licence_url: str | None
    url: str | None
    n_pages: int

    @property
    def line(self) -> str:
        """The publisher's own credit line, with the number of pages where there are several."""
        return self.attribution.removeprefix("Data: ").split(", each named", maxsplit=1)[0].rstrip(".") + (
            f" ({self.n_pages} pages)" if self.n_pages > 1 else ""
        )


@dataclass(frozen=True)
class Filled:
    """A panel with its facts.

    Attributes:
        panel: The panel.
        facts: Its facts by name.
        title: The title that is shown.
        text: Its paragraphs.
        credits: The sources behind what is drawn, those with terms of their own first.
        columns: Columns of the table behind it.
        rows: Rows of that table.
    """

    panel: Panel
    facts: dict[str, Any]
    title: Markup
    text: tuple[Markup, ...]
    credits: tuple[Credit, ...]
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    @property
    def as_of(self) -> date:
        """The last day of what is drawn."""
        found: date = self.facts["as_of_on"]
        return found

    @property
    def headings(self) -> list[str]:
        """What the columns are called."""
        return [name.partition("|")[0] for name in self.panel.headings]

    @property
    def cells(self) -> list[list[dict[str, Any]]]:
        """The table as a page shows it: for each cell its exact value, its text, and whether it is a number or a day."""
        forms = [name.partition("|")[2] for name in self.panel.headings]
        return [[_cell(value, form) for value, form in zip(row, forms, strict=True)] for row in self.rows]


def read_panels(content: Path, con: duckdb.DuckDBPyConnection) -> list[Panel]:
    """Return every panel of the content tree, in the order of their files.

    Raises:
        ContentError: A file does not load or returns something else, or two panels share an id.
    """
    style = load(content / "reports" / "style.py")
    panels: list[Panel] = []
    for path in sorted((content / "reports" / "charts").glob("*.py")):
        panels += panels_of(path, con, style)
    ids = [panel.id for panel in panels]
    if len(set(ids)) != len(ids) or not all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for name in ids):
        raise ContentError(f"panels need slugs that differ: {ids}", str(content / "reports" / "charts"), "rename one.")
    return panels


def panels_of(path: Path, con: duckdb.DuckDBPyConnection, style: Any) -> list[Panel]:  # noqa: ANN401  (a module of the content)
    """Return the panels of one file.

    Raises:
        ContentError: The file does not load, or what it computes fails.
    """
    try:
        found: list[Panel] = load(path).panels(con, style)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, duckdb.Error) as failure:
        raise ContentError(
            f"the panel does not draw: {type(failure).__name__}: {failure}", str(path), "correct the file."
        ) from failure
    return found


def fill_panel(con: duckdb.DuckDBPyConnection, panel: Panel) -> Filled:
    """Return a panel with its facts, its title, its table and its credits.

    Raises:
        ContentError: A query does not run, a fact is missing, the headings do not fit, or a source may not be plotted.
    """
    facts = read_facts(con, panel.facts, panel.id)
    for name in ("title_probability", "as_of_on"):
        if facts.get(name) is None:
            raise ContentError(f"{panel.id} has no fact {name}", panel.id, f"let its facts yield {name}.")
    title = panel.title if facts["title_probability"] >= SURE else panel.unclear
    columns, rows = queried(con, panel.sql, panel.id)
    if len(panel.headings) != len(columns):
        raise ContentError(f"{panel.id} has {len(columns)} columns and {len(panel.headings)} headings", panel.id, "name each.")
    return Filled(
        panel, facts, filled(title, facts, panel.id), tuple(filled(text, facts, panel.id) for text in panel.text),
        read_credits(con, panel), tuple(columns), rows,
    )  # fmt: skip


def read_credits(con: duckdb.DuckDBPyConnection, panel: Panel) -> tuple[Credit, ...]:
    """Return the sources behind what a panel draws.

    Raises:
        ContentError: There is none, or one of them may not be plotted.
    """
    columns, rows = queried(con, CREDITS.format(sql=panel.citations), panel.id)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    barred = [row["source_id"] for row in found if row["may_plot"] != "yes"]
    if barred or not found:
        problem = f"values of {', '.join(barred)} may not be plotted" if barred else "no source is behind the chart"
        raise ContentError(f"{panel.id}: {problem}", panel.id, "leave them out, or state their terms in sources.csv.")
    return tuple(
        Credit(**{name: value for name, value in row.items() if name not in {"may_plot", "must_credit"}}) for row in found
    )


def queried(con: duckdb.DuckDBPyConnection, sql: str, where: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns and rows that a query of the content yields.

    Raises:
        ContentError: The tables do not have what it names, or a value cannot be computed.
    """
    try:
        relation = con.sql(sql)
        return relation.columns, relation.fetchall()
    except duckdb.Error as failure:
        raise ContentError(f"a query of {where} does not run: {failure}", where, "compare it with `datamoat show`.") from failure


def read_facts(con: duckdb.DuckDBPyConnection, sql: str, where: str) -> dict[str, Any]:
    """Return the one row of facts.

    Raises:
        ContentError: The query does not run, or yields another number of rows.
    """
    columns, found = queried(con, sql, where)
    if len(found) != 1:
        raise ContentError(f"the facts of {where} are {len(found)} rows", where, "make the query yield exactly one.")
    return dict(zip(columns, found[0], strict=True))


def filled(template: str, facts: dict[str, Any], where: str) -> Markup:
    """Return a sentence with its facts as HTML in which each carries its exact value.

    Raises:
        ContentError: The sentence names a fact that there is not.
    """
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


def words(value: object, form: str = "") -> str:
    """Return a value as a sentence shows it.

    Args:
        value: A number, text, date or None.
        form: `share` as a percentage, `p` as a probability in per cent, `many` with two significant digits, million and billion,
            `two` with two significant digits or whole where it is larger, `e` the same with its sign, `r2` with two decimals,
            `n` as a whole number with separators, `day` and `month` for dates; nothing for text as it is.
    """
    if value is None:
        return "unknown"
    if isinstance(value, date | datetime):
        return value.strftime("%B %Y") if form == "month" else f"{value.day} {value:%B %Y}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(float(value), form).replace("-", "−")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: float, form: str) -> str:
    """Return a number in one of the forms."""
    if form in {"share", "p"}:
        return _share(value, is_certain=form == "share" and value in {0, 1})
    if form in {"e", "two"}:
        return f"{'+' if value > 0 and form == 'e' else ''}{_two(value)}"
    if form.startswith("r") and form[1:].isdecimal():
        return f"{value:.{form[1:]}f}"
    if form == "many":
        rounded = float(f"{value:.2g}")
        return next((f"{_two(rounded / size)} {name}" for size, name in LARGE if abs(rounded) >= size), _two(rounded))
    return f"{value:,.0f}"


def _share(value: float, *, is_certain: bool) -> str:
    """Return a percentage; a probability, or a share that is not whole, is never shown as if it were."""
    if not is_certain and (value >= 0.9995 or value < 0.0005):  # noqa: PLR2004
        return "> 99.9 %" if value > 0.5 else "< 0.1 %"  # noqa: PLR2004
    return f"{value:{'.1%' if 0.99 < value < 1 else '.0%'}}".replace("%", " %")  # noqa: PLR2004


def _two(value: float) -> str:
    """Return a number with two significant digits, or whole where it is larger, with separators; never with an exponent."""
    if value == 0 or not isfinite(value):
        return f"{value:g}"
    places = max(1 - floor(log10(abs(float(f"{value:.2g}")))), 0)  # of the rounded number: 9.96 is 10
    rounded = round(value, places)
    return f"{rounded:,.{places}f}" if rounded else "0"


def exact_text(value: object) -> str:
    """Return a value so that it can be compared with the mart's without loss."""
    return repr(value) if isinstance(value, float) else str(value)


def _cell(value: object, form: str) -> dict[str, Any]:
    """Return one cell: its exact value, its text, and whether it is a number or a day."""
    if isinstance(value, bool):
        return {"exact": str(value), "shown": "yes" if value else "no", "is_number": False, "is_day": False}
    if isinstance(value, int | float):
        shown = words(value, form or ("n" if abs(value) >= 100 or value == int(value) else "e")).removeprefix("+")  # noqa: PLR2004
        return {"exact": exact_text(value), "shown": shown, "is_number": True, "is_day": False}
    text = "–" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return {
        "exact": "None" if value is None else text,
        "shown": text.replace("_", " ") if form == "word" else text,
        "is_number": False,
        "is_day": isinstance(value, date),
    }
