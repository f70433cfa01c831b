"""Every number in the report is the mart's, and the page loads, runs and hides nothing."""

import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from math import floor, log10
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import pictures

from datamoat.errors import ContentError, UsageError
from datamoat.project.python_models import load
from datamoat.project.yaml_files import read_yaml
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views.panels import SURE, Credit, Filled, Panel, exact_text, fill_panel, panels_of, read_panels, words
from datamoat.views.picture import NARROW, OURS, WIDE, Words, draw_png, draw_svg, words_of
from datamoat.views.report import SHOWN_ROWS, check_drawing, write_report
from moat.link.rule import two_digits

pytest.importorskip("altair")
pytest.importorskip("vl_convert")


class Page(HTMLParser):
    """The tables, facts and loose text of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.facts: dict[str, list[tuple[str, str | None, str]]] = {}
        self.loose: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._section, self._table, self._fact = "lead", "", ""
        self._value: str | None = None
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "section":
            self._section = given.get("id") or "notes"
        if tag == "table":
            self._table = given["data-panel"] or ""
            self.tables[self._table] = []
        if tag == "tr" and self._table:
            self.tables[self._table].append([])
        if self._table and "data-value" in given:
            self.tables[self._table][-1].append(given["data-value"] or "")
        if "data-fact" in given:
            self._fact, self._value = given["data-fact"] or "", given.get("value")
        if tag in {"style", "title", "nav", "p"} and (
            tag != "p" or given.get("class") == "credit"
        ):  # repeats titles; names of sources
            self._depth += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._table = ""
        if tag in {"data", "span"}:
            self._fact = ""
        if tag in {"style", "title", "nav"} or (tag == "p" and self._depth):
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._fact:
            self.facts.setdefault(self._section, []).append((self._fact, self._value, data))
        elif not self._table and not self._depth:
            self.loose[self._section] = self.loose.get(self._section, "") + data


@pytest.fixture(scope="module")
def con(published: Settings) -> duckdb.DuckDBPyConnection:
    return open_published(published)


@pytest.fixture(scope="module")
def page(published: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(published, tmp_path_factory.mktemp("report")).page


@pytest.fixture(scope="module")
def read(page: Path) -> Page:
    parsed = Page()
    parsed.feed(page.read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def panels(published: Settings, con: duckdb.DuckDBPyConnection) -> list[Panel]:
    return read_panels(published.content, con)


@pytest.fixture(scope="module")
def drawn(con: duckdb.DuckDBPyConnection, panels: list[Panel]) -> list[Filled]:
    return [fill_panel(con, panel) for panel in panels]


def cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else exact_text(value)


def test_every_table_of_the_page_is_the_marts_cell_by_cell(
    con: duckdb.DuckDBPyConnection, panels: list[Panel], read: Page
) -> None:
    assert set(read.tables) == {panel.id for panel in panels}
    n_cells = 0
    for panel in panels:
        wanted = [[cell(value) for value in row] for row in con.sql(panel.sql).fetchall()[:SHOWN_ROWS]]
        assert read.tables[panel.id][1:] == wanted, panel.id
        n_cells += sum(map(len, wanted))
    assert n_cells > 500


def test_every_number_in_a_sentence_is_the_marts(
    published: Settings, con: duckdb.DuckDBPyConnection, panels: list[Panel], read: Page
) -> None:
    about = read_yaml(published.content / "reports" / "report.yml")
    queries = {"lead": str(about["facts"]), **{panel.id: panel.facts for panel in panels}}
    n_facts = 0
    for section, facts_shown in read.facts.items():
        relation = con.sql(queries[section])
        facts = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
        for name, value, _ in facts_shown:
            assert value is None or value == exact_text(facts[name]), (section, name)
            n_facts += 1
    assert set(read.facts) == set(queries)
    assert n_facts > 60


def test_no_number_is_typed_into_a_sentence(read: Page) -> None:
    allowed = re.compile(
        r"95 %|90 %|5 %|0\.5|14 May 2026|May 2026|mid-May 2026|CC BY 4\.0|[\d,]+ rows|[\d,]+ of [\d,]+ rows|Build \S+|\d{4}-\d\d-\d\d"
    )
    for section, text in read.loose.items():
        left = re.findall(r"\d+", allowed.sub("", text))
        assert left == [], (section, left)


def test_a_number_in_a_sentence_is_the_exact_value_rounded(read: Page) -> None:
    for facts_shown in read.facts.values():
        for name, value, shown_text in facts_shown:
            if value is None or not re.fullmatch(r"-?\d+\.\d+", value) or not re.fullmatch(r"[−\d.,]+", shown_text):
                continue
            shown = float(shown_text.replace("−", "-").replace(",", ""))
            assert shown == pytest.approx(
                float(value),
                abs=1e-9
                + max(0.5 * 10 ** -len(shown_text.partition(".")[2]), 0.5 * 10 ** (floor(log10(abs(float(value)) or 1)) - 1)),
            ), name


def test_the_page_loads_and_runs_nothing(page: Path, read: Page) -> None:
    text = page.read_text(encoding="utf-8")
    assert not {tag for tag, _ in read.tags} & {"script", "iframe", "object", "embed", "link", "form", "base", "svg"}
    for tag, attrs in read.tags:
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"src", "srcset", "href"}:
                assert (value or "").startswith(("data:image/svg+xml;base64,", "#")), (tag, value)
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "url(" not in text


def test_the_page_is_built_for_screen_readers_and_keyboards(read: Page) -> None:
    tags = read.tags
    assert next(attrs for tag, attrs in tags if tag == "html")["lang"] == "en-GB"
    assert all(attrs.get("alt") for tag, attrs in tags if tag == "img")
    assert all(attrs.get("scope") for tag, attrs in tags if tag == "th")
    assert [tag for tag, _ in tags if tag == "h1"] == ["h1"]
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    anchors = {(attrs["href"] or "").removeprefix("#") for tag, attrs in tags if tag == "a"}
    assert anchors <= set(ids)


def test_each_chart_is_a_png_and_two_svgs_without_a_link(page: Path, panels: list[Panel]) -> None:
    charts = page.parent / "charts"
    assert {path.name for path in charts.iterdir()} == {
        f"{panel.id}{end}" for panel in panels for end in (".png", ".svg", "-narrow.svg")
    }
    for path in charts.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(href|src)=\"(?!#)", text), path.name
        assert len(text) > 2000
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in charts.glob("*.png"))


def test_every_picture_carries_title_unit_day_sources_and_licence(
    page: Path, con: duckdb.DuckDBPyConnection, drawn: list[Filled]
) -> None:
    known = dict(con.sql("select source_id, attribution from meta.sources").fetchall())
    for found in drawn:
        cited = {
            source
            for (source,) in con.sql(
                "select distinct c.source_id from (select unnest(citation_ids) as citation_id from"
                f" ({found.panel.citations})) join meta.citations as c using (citation_id)"
            ).fetchall()
        }
        for end in (".svg", "-narrow.svg", ".png"):
            texts = pictures.texts(page.parent / "charts" / f"{found.panel.id}{end}")
            record = json.loads(texts["Record"])
            assert texts["Title"] == record["title"] == found.title.striptags()
            assert record["as_of"] == found.as_of.isoformat()
            assert record["unit"] == found.panel.unit
            assert {source["source_id"]: source["credit"] for source in record["sources"]} == {
                name: known[name] for name in cited
            }
            if end != ".png":
                for text in (
                    found.title.striptags(),
                    f"As of {record['as_of']}",
                    OURS,
                    *(credit.line for credit in found.credits),
                ):
                    assert text in texts["shown"], (found.panel.id, text)
            else:
                assert all(credit.line in texts["Source"] for credit in found.credits)
                assert (texts["Copyright"], texts["Creation Time"]) == (OURS, record["as_of"])


# Charts that draw more than the table behind them: the leader alone on days when a few ranks are known, every capture as a tick.
BEHIND = {
    "ratings": "select captured_on, leader_rating from marts.board_status where leader_rating is not null",
    "coverage": "select board_id, captured_on from marts.board_status where status <> 'missing'",
}


def tables_behind(
    published: Settings, con: duckdb.DuckDBPyConnection, drawn: list[Filled]
) -> Iterator[tuple[Filled, str, list[tuple[object, ...]], dict[str, str]]]:
    """Yield each chart, the name of its file, the rows it was drawn from, and what readers call a board."""
    style = load(published.content / "reports" / "style.py")
    for found in drawn:
        rows = found.rows + (con.sql(BEHIND[found.panel.id]).fetchall() if found.panel.id in BEHIND else [])
        for end, width in ((".svg", WIDE), ("-narrow.svg", NARROW)):
            yield found, f"{found.panel.id}{end}", rows, {board: style.board(board, width) for board in style.BOARDS}


def test_every_number_and_day_that_a_chart_draws_is_in_one_row_of_the_table_behind_it(
    published: Settings, page: Path, con: duckdb.DuckDBPyConnection, drawn: list[Filled]
) -> None:
    n_compared, n_lines = 0, 0
    for found, name, rows, known in tables_behind(published, con, drawn):
        svg = (page.parent / "charts" / name).read_text(encoding="utf-8")
        wrong, n_numbers = pictures.misfits(svg, rows, known)
        assert wrong == [], name
        assert n_numbers >= len(found.rows), name
        n_compared += n_numbers
        for line in pictures.lines(svg):  # in steps: each value but the last is drawn to the day of the next
            assert line[1::2] == line[:-1:2], name
            assert any(pictures.runs_in(line[::2], column) for column in zip(*found.rows, strict=True)), (name, line[:3])
            n_lines += 1
    assert n_compared > 2000
    assert n_lines >= 14  # best ratings of seven companies, on two widths


def test_a_number_that_is_changed_in_a_picture_is_noticed(
    published: Settings, page: Path, con: duckdb.DuckDBPyConnection, drawn: list[Filled]
) -> None:
    for _, name, rows, known in tables_behind(published, con, drawn):
        svg = (page.parent / "charts" / name).read_text(encoding="utf-8")
        wrong, _ = pictures.misfits(pictures.with_a_change(svg), rows, known)
        assert wrong, name


def test_a_png_is_its_svg_drawn(page: Path, drawn: list[Filled]) -> None:
    for found in drawn:
        svg = (page.parent / "charts" / f"{found.panel.id}.svg").read_text(encoding="utf-8")
        png = (page.parent / "charts" / f"{found.panel.id}.png").read_bytes()
        assert draw_png(svg, words_of(found, "any")).split(b"IDAT", 1)[1] == png.split(b"IDAT", 1)[1], found.panel.id


def test_a_title_says_only_what_is_probable(drawn: list[Filled]) -> None:
    for found in drawn:
        is_sure = found.facts["title_probability"] >= SURE
        template = found.panel.title if is_sure else found.panel.unclear
        assert is_sure or "unclear" in template
        shown = found.title.striptags()
        literal = [part for part in re.split(r"\{[^}]*\}", template) if part]
        assert all(part in shown for part in literal), found.panel.id


@pytest.mark.parametrize(
    ("verdict", "beginning"),
    [
        ("supported", "Owners of video platforms rate "),
        ("not_supported", "Owners of video platforms do not rate higher"),
        ("cannot_tell", "Whether owners of video platforms rate higher is unclear"),
    ],
)
def test_the_first_title_is_the_verdict_and_never_more(
    con: duckdb.DuckDBPyConnection, checkout: Path, verdict: str, beginning: str
) -> None:
    with duckdb.connect() as copy:
        for schema, tables in {"marts": ("moat_answer", "moat_effect"), "meta": ("citations", "sources")}.items():
            copy.execute(f"create schema {schema}")
            for table in tables:
                copy.register("frame", con.sql(f"from {schema}.{table}").arrow())
                copy.execute(f"create table {schema}.{table} as from frame")
        copy.execute("update marts.moat_answer set verdict = ? where as_of_kind = 'newest' and question_id = 'owning'", [verdict])
        (panel,) = panels_of(checkout / "reports" / "charts" / "1_questions.py", copy, load(checkout / "reports" / "style.py"))
        assert fill_panel(copy, panel).title.striptags().startswith(beginning)


def test_no_title_names_a_platform_without_data(drawn: list[Filled], con: duckdb.DuckDBPyConnection) -> None:
    names = con.sql(
        "select distinct platform_name from marts.platform_volume where scenario_id = 'baseline' and month = (select max(month) from marts.platform_volume)"
        " and basis = 'prior_only' union select distinct company_name from marts.company_volume where scenario_id = 'baseline'"
        " and month = (select max(month) from marts.company_volume) and has_platform and basis = 'prior_only'"
    ).fetchall()
    assert names
    for found in (
        found for found in drawn if found.panel.id in {"uploads", "public-hours"} or found.panel.id.startswith("rating-by")
    ):
        assert not [name for (name,) in names if name in found.title.striptags()]


def test_a_chart_of_a_source_that_may_not_be_plotted_is_refused(con: duckdb.DuckDBPyConnection, panels: list[Panel]) -> None:
    barred = "select [citation_id] as citation_ids from meta.citations where source_id = 'transcriber_memory'"
    with pytest.raises(ContentError, match="transcriber_memory may not be plotted"):
        fill_panel(con, replace(panels[0], citations=barred))
    with pytest.raises(ContentError, match="no source is behind"):
        fill_panel(con, replace(panels[0], citations="select []::varchar[] as citation_ids"))


def test_a_query_that_does_not_run_is_named(con: duckdb.DuckDBPyConnection, panels: list[Panel]) -> None:
    with pytest.raises(ContentError, match=r"questions does not run.*no_such_column"):
        fill_panel(con, replace(panels[0], sql="select no_such_column from marts.moat_answer"))


def test_the_same_file_gives_the_same_page(published: Settings, page: Path, tmp_path: Path) -> None:
    again = write_report(published, tmp_path).page
    assert again.read_bytes() == page.read_bytes()


def test_no_chart_draws_a_line_across_a_change_of_scale(panels: list[Panel]) -> None:
    ratings = next(panel for panel in panels if panel.id == "ratings")
    lines = [layer for layer in ratings.draw(720).to_dict()["layer"] if layer["mark"].get("type") == "line"]
    assert [line["encoding"]["detail"]["field"] for line in lines] == ["scale"]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (3_212_345.0, "many", "3.2 million"), (72e6, "many", "72 million"), (501.6e6, "many", "500 million"), (2.65e9, "many", "2.6 billion"),
        (999.6e6, "many", "1.0 billion"), (1e6, "many", "1.0 million"), (1e9, "many", "1.0 billion"), (1e12, "many", "1.0 trillion"),
        (date(2026, 5, 4), "day", "4 May 2026"), (date(2026, 5, 4), "month", "May 2026"), (999.0, "many", "1,000"), (0.0, "many", "0"), (0.456, "share", "46 %"), (1.0, "share", "100 %"), (1.0, "p", "> 99.9 %"), (0.0, "p", "< 0.1 %"), (0.5, "p", "50 %"),
        (0.99994, "share", "> 99.9 %"), (0.996, "share", "99.6 %"), (0.0001, "share", "< 0.1 %"), (62.46, "e", "+62"), (-5.04, "e", "−5.0"),
        (0.0106, "two", "0.011"), (101.7, "two", "102"), (4.2e-5, "two", "0.000042"), (-0.2, "r2", "−0.20"), (1322.4, "n", "1,322"), (None, "n", "unknown"), ("<b>", "", "<b>"),
    ],
)  # fmt: skip
def test_values_are_written_as_people_write_them(value: object, form: str, text: str) -> None:
    assert words(value, form) == text


@given(st.floats(-1e5, 1e5).filter(lambda value: value == 0 or abs(value) > 1e-6))
def test_pages_and_verdicts_round_alike(value: float) -> None:
    for form, sign in (("two", "-"), ("e", "+")):
        assert words(value, form).replace("−", "-").replace(",", "") == two_digits(value, sign)


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (WIDE, {("18", "bold"): 71, ("12", "normal"): 116, ("11", "normal"): 128}),
        (NARROW, {("15", "bold"): 38, ("11", "normal"): 59, ("10", "normal"): 62}),
    ],
)
def test_every_line_of_a_picture_has_as_many_letters_as_its_width_has_room_for(
    width: int, lines: dict[tuple[str, str], int]
) -> None:
    import altair as alt

    text = " ".join(["ab"] * 150)
    credit = Credit("x", "", "", text, "", None, None, 1)
    chart = alt.Chart(alt.Data(values=[{"a": 1}])).mark_point().encode(x="a:Q").properties(width=60, height=20)
    svg = draw_svg(chart, Words(text, text, "2026-03-01", "", (credit,), ""), width)
    found = re.findall(r'<text x="8" y="[\d.]+" font-size="(\d+)" font-weight="(\w+)"[^>]*>([^<]*)<', svg)
    first = {(size, weight): len(line) for size, weight, line in reversed(found)}
    assert first == lines


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{0}"
CHART = """
import altair as alt
from datamoat.views.panels import Panel
def panels(con, style):
    draw = lambda width: alt.Chart(alt.Data(values=[{{"a": 1, "n": {name!r}}}])).mark_text().encode(x="a:Q", text="n:N")
    facts = "select {sql} as n, 1.0 as title_probability, date '2026-01-02' as as_of_on"
    cited = "select citation_ids from marts.board_status limit 100"
    return [Panel("one", "{{n}}", "", "unit {{n}}", ("Text {{n}}.",), facts, "select {sql} as n, 1 as m", cited, ("name <i>", "m"), draw)]
"""


def test_hostile_names_are_inert(published: Settings, tmp_path: Path) -> None:
    shutil.copytree(published.content / "reports", tmp_path / "content" / "reports", ignore=shutil.ignore_patterns("charts"))
    (tmp_path / "content" / "reports" / "charts").mkdir()
    sql = "'" + HOSTILE.replace("'", "''").replace('"', '\\"') + "'"
    (tmp_path / "content" / "reports" / "charts" / "1_x.py").write_text(CHART.format(name=HOSTILE, sql=sql))
    here = _Elsewhere(content=tmp_path / "content", data=published.data)
    made = write_report(here, tmp_path / "out")
    parsed = Page()
    text = made.page.read_text(encoding="utf-8")
    parsed.feed(text)
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert all("onerror" not in attrs for _, attrs in parsed.tags)
    assert "<script>" not in text
    assert "<script>" not in (made.page.parent / "charts" / "one.svg").read_text(encoding="utf-8")


class _Elsewhere(Settings):
    """Settings whose reports are not the checkout's."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def panels(con, style):\n    return 1 / 0\n", "does not draw"),
        ("import nothing_at_all\n", "does not import"),
        ("x = 1\n", "does not draw"),
    ],
)
def test_a_broken_panel_is_named(
    published: Settings, con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str, message: str
) -> None:
    folder = tmp_path / "reports" / "charts"
    folder.mkdir(parents=True)
    shutil.copy(published.content / "reports" / "style.py", tmp_path / "reports" / "style.py")
    (folder / "1_broken.py").write_text(text)
    with pytest.raises(ContentError) as failure:
        read_panels(replace(published, content=tmp_path).content, con)
    assert message in str(failure.value)
    assert "1_broken.py" in str(failure.value)


@pytest.mark.parametrize("missing", ["altair", "vl_convert"])
def test_without_either_library_that_draws_the_step_to_take_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(UsageError, match=r"install datamoat\[reports\]"):
        check_drawing()
