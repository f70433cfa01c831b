"""The files of the site: every page has its forms, every link leads somewhere, every picture and table carries its terms."""

import csv
import json
import re
from datetime import date
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from tests import pictures

from datamoat.project.python_models import load
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views.picture import NARROW, WIDE
from datamoat.views.site import Site

pytestmark = pytest.mark.site
FORMS = (".csv", ".json", ".svg", "-narrow.svg", ".png")


def things(site: Site) -> list[Path]:
    """Return the pages of things, without lists."""
    return sorted(path for path in site.folder.glob("*/*.html") if path.name != "index.html")


def test_there_is_a_page_for_every_board_platform_claim_and_company(site: Site, published: Settings) -> None:
    counted = {
        "board": "select count(distinct board_id) from marts.board_status where is_latest_usable",
        "platform": "select count(distinct platform_id) from marts.platform_volume where scenario_id = 'baseline'",
        "claim": "select count(distinct claim_id) from marts.claim_check",
        "company": (
            "select count(distinct company_id) from (select company_id from marts.company_moat where scenario_id = 'baseline'"
            " and (board_id, captured_on) in (select (board_id, max(captured_on)) from marts.company_moat group by board_id)"
            " union select company_id from marts.company_volume where owns_platform and scenario_id = 'baseline'"
            " and month = (select max(month) from marts.company_volume))"
        ),
    }
    with open_published(published) as con:
        wanted = {kind: con.sql(sql).fetchall()[0][0] for kind, sql in counted.items()}
    found = {kind: len([path for path in things(site) if path.parent.name == kind]) for kind in wanted}
    assert found == wanted
    assert min(found.values()) > 10


def test_every_page_stands_beside_its_other_forms_with_unit_source_licence_and_day(site: Site) -> None:
    for page in things(site):
        base = page.with_suffix("")
        forms = {end: base.with_name(base.name + end) for end in FORMS}
        assert all(path.stat().st_size > 100 for path in forms.values() if path.suffix != ".csv"), page
        record = json.loads(forms[".json"].read_text(encoding="utf-8"))
        assert all(record[name] for name in ("unit", "licence", "sources")), page
        date.fromisoformat(record["as_of"])
        with forms[".csv"].open(newline="", encoding="utf-8") as handle:
            rows = list(csv.reader(handle))
        assert rows[0] == list(record["columns"])
        assert len(rows) - 1 == len(record["rows"]), page
        text = page.read_text(encoding="utf-8")
        for source in record["sources"]:
            assert source["credit"] in unescape(text), (page, source["credit"])
        for end in (".svg", "-narrow.svg", ".png"):
            carried = json.loads(pictures.texts(forms[end])["Record"])
            assert carried["sources"], (page, end)
            assert carried == {key: record[key] for key in carried}, (page, end)


OPEN = dict.fromkeys(("cannot_tell", "not_testable", "no_data"), "open")  # as pages of claims draw these verdicts
# What the pages of companies draw beside the table of ranks: hours by month.
HOURS = """
    select month, usable_hours_p05, usable_hours_p50, usable_hours_p95 from marts.company_volume
    where scenario_id = 'baseline' and replace(company_id, '_', '-') = '{}' order by month
"""


def test_every_number_that_a_picture_draws_is_in_the_table_behind_it(site: Site, published: Settings) -> None:
    style = load(published.content / "reports" / "style.py")
    n_compared, n_edges = 0, 0
    with open_published(published) as con:
        for page in (page for page in things(site) if page.parent.name != "chart"):  # charts: tests/readers/test_report.py
            table = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["rows"]
            rows = [tuple(map(as_day, row.values())) for row in table]
            hours = (
                con.sql(HOURS.format(page.stem)).fetchall()
                if page.parent.name == "company"
                else sorted(rows, key=lambda row: str(row[0]))
            )
            for end, width in ((".svg", WIDE), ("-narrow.svg", NARROW)):
                svg = page.with_name(page.stem + end).read_text(encoding="utf-8")
                wrong, n_numbers = pictures.misfits(
                    svg, rows, OPEN | {board: style.board(board, width) for board in style.BOARDS}
                )
                assert wrong == [], (page, end)
                n_compared += n_numbers
                for line in pictures.lines(svg):
                    assert any(pictures.runs_in(line, column) for column in zip(*hours, strict=True)), (page, end, line[:3])
                    n_edges += 1
    assert n_compared > 2000
    assert n_edges > 300


def as_day(value: object) -> object:
    """Return a day of JSON as a day."""
    return date.fromisoformat(value) if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) else value


def test_every_link_leads_to_a_file_or_a_place_in_it(site: Site) -> None:
    n_links = 0
    ids: dict[Path, set[str]] = {}
    for page in site.folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for kind, written in re.findall(r'<[^<>]*?(href|src|srcset)="([^"]+)"', text):
            link = unescape(written)
            if link.startswith(("http", "data:")):
                assert kind == "href" or link.startswith("data:"), (page, link)  # other hosts are named, never loaded
                continue
            name, _, place = link.partition("#")
            target = (page.parent / unquote(name)).resolve() if name else page
            assert target.is_file(), (page, link)
            n_links += 1
            if place and not place.startswith("sql="):
                known = ids.setdefault(target, set(re.findall(r'id="([^"]+)"', target.read_text(encoding="utf-8"))))
                assert place in known, (page, link)
    assert n_links > 2000


def test_the_twelve_questions_are_links_with_their_sql_in_the_address(site: Site, checkout: Path) -> None:
    wanted = re.findall(r"^## \d+\. (.*)$", (checkout / "docs" / "questions.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = (site.folder / "sql.html").read_text(encoding="utf-8")
    found = re.findall(r'<a class="question" href="#sql=([^"]+)">(.*?)</a>', text)
    assert [unescape(title) for _, title in found] == wanted
    assert len(wanted) >= 12
    assert all(re.match(r"(?i)(select|with|from)\b", unquote(unescape(sql))) for sql, _ in found)


def test_a_board_is_stale_from_the_day_that_its_own_bound_gives(site: Site, published: Settings) -> None:
    with open_published(published) as con:
        boards = con.sql(
            "select series_id, newest_on, stale_since_on, stale_since_on <= (select built_at::date from meta.build)"
            " from marts.series_freshness where series_kind = 'board'"
        ).fetchall()
    assert len({stale_on - newest_on for _, newest_on, stale_on, _ in boards}) > 2  # the bounds differ
    text = (site.folder / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<tr data-board="([^"]+)"', text)) == {board for board, *_ in boards}
    for board, newest_on, stale_on, is_stale in boards:
        row = re.search(rf'<tr data-board="{board}".*?</tr>', text, flags=re.DOTALL)
        assert row is not None
        assert re.findall(r'<td class="day">(\d{4}-\d\d-\d\d)\b', row[0]) == [str(newest_on), str(stale_on)]
        assert ("<strong>stale</strong>" in row[0]) == is_stale


def test_the_first_lines_state_the_answer_with_its_day_and_its_interval(site: Site, published: Settings) -> None:
    with open_published(published) as con:
        estimate, low, high, day = con.sql(
            "select estimate, estimate_p05, estimate_p95, as_of_on from marts.moat_answer where as_of_kind = 'newest' and question_id = 'owning'"
        ).fetchall()[0]
    text = (site.folder / "index.html").read_text(encoding="utf-8")
    exact = re.findall(
        r'<data value="([^"]+)" data-fact="(owning|owning_low|owning_high|as_of_on)">', text.split("</picture>")[0]
    )
    assert {name: value for value, name in exact} == {
        "owning": repr(estimate), "owning_low": repr(low), "owning_high": repr(high), "as_of_on": str(day),
    }  # fmt: skip
