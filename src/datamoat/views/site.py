"""Static pages of the published file: an index, one page a thing with its data and pictures, a page that runs SQL, a feed.

What is shown is content. `reports/site/site.yml` names the texts and the queries of the index; `reports/site/kinds/*.py` yield the
pages; `*.html.j2` are the templates; `data.py` yields the files that scripts read; other files are copied. A page `kind/id.html`
is beside `id.csv`, `id.json`, `id.svg`, `id-narrow.svg` and `id.png`, so that an address with another ending is the same thing in
another form. Nothing is loaded from another host.
"""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import duckdb
from markupsafe import Markup

from datamoat.errors import ContentError, UsageError
from datamoat.log import step
from datamoat.project.python_models import load
from datamoat.project.yaml_files import read_yaml
from datamoat.release.tables import checked_target
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published, retained_file
from datamoat.views.panels import Filled, Panel, exact_text, fill_panel, filled, queried, read_facts, read_panels
from datamoat.views.picture import (
    NARROW,
    OURS,
    WIDE,
    Words,
    dark_rules,
    draw_png,
    draw_svg,
    inside_a_page,
    with_hover,
    words_of,
)
from datamoat.views.render import fill
from datamoat.views.report import check_drawing, put, report_page

FOLDER = Path("reports") / "site"
PACKED = {".css", ".js", ".svg", ".txt"}  # files of the content's folder that are copied as they are
CHART = "chart"  # the kind whose pages are the panels of reports/charts
FILE = "datamoat.duckdb"
FEED_ENTRIES = 200


@dataclass(frozen=True)
class Extra:
    """One more table of a page: a title, SQL and what its columns are called; a form may follow a bar."""

    title: str
    sql: str
    headings: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """One page: its chart and table, what it is called in lists, a line about it, and further tables."""

    panel: Panel
    name: str
    note: str = ""
    extras: tuple[Extra, ...] = ()


@dataclass(frozen=True)
class Kind:
    """Pages of one kind: a slug, which is their folder, what a list of them is called, and the pages."""

    id: str
    title: str
    pages: tuple[Page, ...]


@dataclass(frozen=True)
class Site:
    """What was written: the folder, how many pages and files, and whether the page of SQL has its engine."""

    folder: Path
    n_pages: int
    n_files: int
    has_sql: bool


@dataclass(frozen=True)
class _Writer:
    """Where to write and what every page is given."""

    settings: Settings
    folder: Path
    con: duckdb.DuckDBPyConnection
    shared: dict[str, Any]
    written: list[Path]

    def file(self, name: str, body: bytes | str) -> None:
        """Write one file below the folder."""
        put(self.folder / name, body.encode() if isinstance(body, str) else body)
        self.written.append(self.folder / name)

    def page(self, name: str, template: str, **values: Any) -> None:  # noqa: ANN401  (whatever a template can show)
        """Write one page; `root` leads from it to the top of the site."""
        root = "../" * name.count("/")
        self.file(name, fill(self.settings.content / FOLDER, template, **self.shared, root=root, path=name, **values))


def write_site(settings: Settings, to: Path | None = None, address: str | None = None, only: str | None = None) -> Site:
    """Write the site to a folder.

    Args:
        settings: Where the published file and the content are.
        to: The folder; `site` in the exports if None. Files of the same names are replaced, nothing else is touched.
        address: Where the site will be served, for canonical links and the feed; links are relative without it.
        only: Write the pages of this kind only, and nothing else.

    Raises:
        UsageError: The libraries that draw are not installed, `to` is no folder, or the content declares no site.
        ContentError: A page does not load or draw.
        PublishRefusedError: Nothing is published, or the disk refuses.
    """
    check_drawing()
    source = settings.content / FOLDER
    if not (source / "site.yml").is_file():
        raise UsageError("this content tree declares no site", str(source), "write site.yml there.")
    folder = checked_target(to, replace=True) if to is not None else settings.exports / "site"
    about = read_yaml(source / "site.yml")
    with open_published(settings) as con:
        build = dict(
            zip(
                ("build_id", "as_of", "built_at"),
                con.sql("select build_id, as_of, built_at from meta.build").fetchall()[0],
                strict=True,
            )
        )
        address = address.rstrip("/") + "/" if address else None
        shared: dict[str, Any] = {"about": about, "address": address, "build": build, "licence": OURS}
        writer = _Writer(settings, folder, con, shared, [])
        kinds = [kind for kind in read_kinds(settings.content, con) if only in {None, kind.id}]
        shared["kinds"] = kinds
        drawn = {kind.id: dict(_write_kind(writer, kind)) for kind in kinds}
        has_sql = (source / "node_modules").is_dir()
        if only is None:
            _write_scripts(writer, source, about)
            _write_index(writer, about, drawn[CHART], has_sql=has_sql)
            shutil.copyfile(retained_file(settings), folder / FILE)
            writer.written.append(folder / FILE)
    return Site(folder, sum(path.suffix == ".html" for path in writer.written), len(writer.written), has_sql)


def read_kinds(content: Path, con: duckdb.DuckDBPyConnection) -> list[Kind]:
    """Return the kinds of pages: the charts, then those of the content's folder in the order of their files.

    Raises:
        ContentError: A kind does not load.
    """
    style = load(content / "reports" / "style.py")
    charts = tuple(Page(panel, re.sub(r"[-_]", " ", panel.id)) for panel in read_panels(content, con))
    kinds = [Kind(CHART, "Charts", charts)]
    for path in sorted((content / FOLDER / "kinds").glob("*.py")):
        try:
            kinds.append(load(path).kind(con, style))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, duckdb.Error) as failure:
            raise ContentError(
                f"the pages do not load: {type(failure).__name__}: {failure}", str(path), "correct the file."
            ) from failure
    return kinds


def _write_kind(writer: _Writer, kind: Kind) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write the pages of a kind and the list of them, and yield each page's id with what the index may show of it."""
    listed = []
    with step("pages", kind=kind.id, of=len(kind.pages)):
        for page in kind.pages:
            found = fill_panel(writer.con, page.panel)
            words = words_of(found, writer.shared["build"]["build_id"])
            base = f"{kind.id}/{page.panel.id}"
            pictures = {width: draw_svg(page.panel.draw(width), words, width) for width in (WIDE, NARROW)}
            if page.panel.has_hover:
                pictures = {width: with_hover(svg) for width, svg in pictures.items()}
            writer.file(f"{base}.svg", pictures[WIDE])
            writer.file(f"{base}-narrow.svg", pictures[NARROW])
            writer.file(f"{base}.png", draw_png(pictures[WIDE], words))
            writer.file(f"{base}.csv", _as_csv(found))
            writer.file(f"{base}.json", _as_json(found, words))
            shown = _shown(found, words, base, pictures)
            extras = [_extra(writer.con, extra, page.panel.id) for extra in page.extras]
            writer.page(f"{base}.html", "page.html.j2", kind=kind, page=page, shown=shown, extras=extras)
            listed.append({"name": page.name, "note": page.note, "path": f"{page.panel.id}.html", "title": words.title})
            yield page.panel.id, shown | {"found": found, "words": words, "pictures": pictures}
        writer.page(f"{kind.id}/index.html", "list.html.j2", kind=kind, listed=listed)


def _shown(found: Filled, words: Words, base: str, pictures: dict[int, str]) -> dict[str, Any]:
    """Return what a template shows of a panel."""
    sizes = {width: re.findall(r'width="(\d+)" height="(\d+)"', svg)[0] for width, svg in pictures.items()}
    return {
        "base": base, "title": found.title, "heading": words.title, "alternative": words.text, "text": found.text, "unit": words.unit,
        "as_of": words.as_of, "credits": found.credits, "headings": found.headings, "rows": found.cells, "n_rows": len(found.rows),
        "wide": sizes[WIDE], "narrow": sizes[NARROW],
        "inside": [Markup(inside_a_page(pictures[width])) for width in (WIDE, NARROW)] if found.panel.has_hover else [],  # noqa: S704  (drawn here)
    }  # fmt: skip


def _extra(con: duckdb.DuckDBPyConnection, extra: Extra, where: str) -> dict[str, Any]:
    """Return one more table with its cells."""
    columns, rows = queried(con, extra.sql, where)
    if len(columns) != len(extra.headings):
        raise ContentError(f"{where}: {extra.title} has {len(columns)} columns", where, "give a heading for each.")
    plain = Panel(where, "", "", "", (), "", extra.sql, "", extra.headings, _nothing)
    cells = Filled(plain, {}, filled("", {}, where), (), (), tuple(columns), rows)
    return {"title": extra.title, "headings": cells.headings, "rows": cells.cells}


def _nothing(width: int) -> None:
    """Draw nothing."""
    del width


def _as_csv(found: Filled) -> str:
    """Return the table behind a chart as CSV with the columns of its query and exact values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows([["" if value is None else exact_text(value) for value in row] for row in found.rows])
    return text.getvalue()


def _as_json(found: Filled, words: Words) -> str:
    """Return the table behind a chart as JSON, with its title, unit, day, sources and licence."""
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    columns = dict(zip(found.columns, found.headings, strict=True))
    return json.dumps(words.record | {"columns": columns, "rows": rows}, default=str, ensure_ascii=False, indent=1)


def _write_scripts(writer: _Writer, source: Path, about: dict[str, Any]) -> None:
    """Copy scripts and styles, write the files that scripts read, and pack the libraries that are installed."""
    for path in sorted(source.iterdir()):
        if path.suffix in PACKED:
            writer.file(path.name, path.read_bytes())
    writer.file("charts.css", dark_rules())
    if (source / "data.py").is_file():
        for name, body in load(source / "data.py").files(writer.con).items():
            writer.file(name, body)
    for packed in about.get("packed", ()) if (source / "node_modules").is_dir() else ():
        path = source / "node_modules" / packed["from"]
        if not path.is_file():
            raise ContentError(f"{packed['from']} is not installed", str(source), "run `npm ci` there.")
        body = path.read_bytes()
        for pattern, other in packed.get("replace", {}).items():
            body = re.sub(pattern.encode(), other.encode(), body)
        writer.file(packed["to"], body)


def _write_index(writer: _Writer, about: dict[str, Any], charts: dict[str, dict[str, Any]], *, has_sql: bool) -> None:
    """Write the index, the page of SQL, the one file for mail, and the feed."""
    con = writer.con
    facts = read_facts(con, str(about["facts"]), "site.yml")
    lead = [filled(text, facts, "site.yml") for text in about["lead"]]
    tables = {name: _records(con, sql) for name, sql in about["queries"].items()}
    questions = read_questions(writer.settings.content / str(about["questions"])) if about.get("questions") else []
    writer.page(
        "index.html", "index.html.j2", charts=charts, facts=facts, lead=lead, tables=tables, questions=questions, has_sql=has_sql
    )
    writer.page("sql.html", "sql.html.j2", questions=questions, has_sql=has_sql)
    pictures = [(chart["found"], chart["words"], chart["pictures"]) for chart in charts.values()]
    writer.file("one-file.html", report_page(writer.settings, con, pictures))
    writer.file("feed.atom", _feed(con, writer.shared))


def _records(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query by the names of its columns."""
    relation = con.sql(sql)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def read_questions(path: Path) -> list[dict[str, str]]:
    """Return the questions of a page of the documentation: headings with a number, each with its first query.

    Raises:
        ContentError: The page has none.
    """
    parts = re.split(r"^## \d+\. ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = [(part.splitlines()[0], re.search(r'^\$ datamoat query "(.*)"$', part, flags=re.MULTILINE)) for part in parts]
    questions = [{"title": title, "sql": match[1]} for title, match in found if match]
    if not questions:
        raise ContentError("the page has no numbered question with a query", str(path), "write `## 1. …` and a console block.")
    return questions


def _feed(con: duckdb.DuckDBPyConnection, shared: dict[str, Any]) -> str:
    """Return what changed with this publication as Atom (RFC 4287): one entry a table and cause."""
    build, address = shared["build"], shared["address"]
    when = f"{build['built_at']:%Y-%m-%dT%H:%M:%SZ}"
    changes = con.execute(
        "select table_name, cause, count(*) as n, min(previous_build_id) as before from marts.change group by all order by n desc, 1, 2 limit ?",
        [FEED_ENTRIES],
    ).fetchall()
    entries = [
        (f"{table}: {n:,} cells changed, {cause.replace('_', ' ')}", f"{table}/{cause}", f"Compared with build {before}.")
        for table, cause, n, before in changes
    ] or [(f"Build {build['build_id']}, inputs as of {build['as_of']}", "build", "No change against a build before it.")]
    link = (
        f'<link href="{escape(address)}"/><link rel="self" href="{escape(address)}feed.atom"/>'
        if address
        else '<link href="index.html"/>'
    )
    body = "".join(
        f"<entry><id>urn:datamoat:{build['build_id']}:{escape(name)}</id><title>{escape(title)}</title><updated>{when}</updated>"
        f"<content>{escape(text)}</content></entry>"
        for title, name, text in entries
    )
    title = escape(str(shared["about"]["title"]))
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:datamoat:feed</id><title>{title}</title>'
        f"<updated>{when}</updated><author><name>{escape(str(shared['about']['publisher']))}</name></author>{link}{body}</feed>\n"
    )
