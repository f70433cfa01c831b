"""One self-contained HTML file, and each chart as PNG and SVG, drawn from the published file.

What is drawn and written is content: `reports/report.yml` (title, lead, notes), `reports/report.html.j2` (the page),
`reports/style.py` (colours and axes) and the panels of `reports/charts/` (`datamoat.views.panels`). Here they become a page:
charts through Vega without a browser, at two widths; numbers in sentences as `<data>` with the exact value of the mart; the
table behind each chart. The page loads nothing and runs nothing.
"""

import base64
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import UsageError
from datamoat.log import step
from datamoat.project.yaml_files import read_yaml
from datamoat.release.tables import checked_target
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, write_whole
from datamoat.storage.warehouse import open_published
from datamoat.views.panels import Filled, fill_panel, filled, read_facts, read_panels
from datamoat.views.picture import NARROW, WIDE, Words, draw_png, draw_svg, words_of
from datamoat.views.render import fill

SHOWN_ROWS = 60  # rows of a table in the page; the rest are in the mart


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


def check_drawing() -> None:
    """Check that the libraries that draw are there.

    Raises:
        UsageError: They are not.
    """
    if importlib.util.find_spec("altair") is None or importlib.util.find_spec("vl_convert") is None:
        raise UsageError("charts need altair and vl-convert", "this environment", "install datamoat[reports].")


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
    check_drawing()
    folder = checked_target(to, replace=True) if to is not None else settings.exports / "report"
    files: list[Path] = []
    with open_published(settings) as con:
        build_id = con.sql("select build_id from meta.build").fetchall()[0][0]
        panels, drawn = read_panels(settings.content, con), []
        for n, panel in enumerate(panels, start=1):
            with step("chart", chart=panel.id, n=n, of=len(panels)) as logged:
                found = fill_panel(con, panel)
                words = words_of(found, build_id)
                pictures = {width: _draw(found, words, width, folder / "charts", files) for width in (WIDE, NARROW)}
                drawn.append((found, words, pictures))
                logged["rows"] = len(found.rows)
        page = folder / "report.html"
        write_whole(page, report_page(settings, con, drawn).encode())
    return Report(page, (page, *files), len(panels))


def report_page(settings: Settings, con: duckdb.DuckDBPyConnection, drawn: Sequence[tuple[Filled, Words, dict[int, str]]]) -> str:
    """Return the page with charts, sentences and tables in one file that loads and runs nothing.

    Args:
        settings: Where the content is.
        con: The published file.
        drawn: For each panel its facts, its words and its SVG by width.
    """
    about = read_yaml(settings.content / "reports" / "report.yml")
    build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
    facts = read_facts(con, str(about["facts"]), "report.yml")
    lead = [filled(text, facts, "report.yml") for text in about["lead"]]
    shown = [_context(found, words, pictures) for found, words, pictures in drawn]
    texts = {name: about[name] for name in ("title", "notes", "footer")}
    return fill(settings.content / "reports", "report.html.j2", **texts, lead=lead, panels=shown, build_id=build_id, as_of=as_of)


def _draw(found: Filled, words: Words, width: int, folder: Path, files: list[Path]) -> str:
    """Write one chart at one width, the wide one also as PNG, add the files to the list, and return the SVG."""
    svg = draw_svg(found.panel.draw(width), words, width)
    pictures = {folder / f"{found.panel.id}{'' if width == WIDE else '-narrow'}.svg": svg.encode()}
    if width == WIDE:
        pictures[folder / f"{found.panel.id}.png"] = draw_png(svg, words)
    for path, body in pictures.items():
        put(path, body)
        files.append(path)
    return svg


def put(path: Path, body: bytes) -> None:
    """Write a file that can be made again, so the disk is not waited for.

    Raises:
        PublishRefusedError: The disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError as failure:
        raise cannot_write(path, failure, len(body)) from failure


def _context(found: Filled, words: Words, pictures: dict[int, str]) -> dict[str, Any]:
    """Return what the template needs of one panel: sentences, pictures at two widths, the table behind the chart."""
    return {
        "id": found.panel.id,
        "title": found.title,
        "heading": words.title,
        "alternative": words.text,
        "text": found.text,
        "unit": words.unit,
        "as_of": words.as_of,
        "credits": found.credits,
        "wide": _picture(pictures[WIDE], WIDE),
        "narrow": _picture(pictures[NARROW], NARROW),
        "headings": found.headings,
        "n_rows": len(found.rows),
        "rows": found.cells[:SHOWN_ROWS],
    }


def _picture(svg: str, width: int) -> dict[str, str]:
    """Return a chart as an address that needs no file, with its size in pixels."""
    size = re.search(r'width="(\d+)[^"]*" height="(\d+)', svg)
    wide, high = (size[1], size[2]) if size else (str(width), str(width))
    return {"uri": f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}", "width": wide, "height": high}
