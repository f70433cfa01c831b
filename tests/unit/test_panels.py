"""A panel on a small file: its sentences, its credits and its cells, whole, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat.errors import ContentError
from datamoat.views.panels import SURE, Credit, Panel, exact_text, fill_panel, filled, read_panels, words
from datamoat.views.site import read_questions

META = """
create schema meta;
create table meta.citations as select * from (values ('C1', 'press'), ('C2', 'press'), ('C3', 'office'), ('C4', 'barred'), ('C5', 'agency'))
    as t(citation_id, source_id);
create table meta.sources as select * from (values
    ('press', 'The press', 'Several', 'Data: the press.', 'Their own', null, null, 'yes', 'no'),
    ('office', 'Office', 'An office', 'An office, each named in the table', 'Open', 'https://example.org/l', 'https://example.org', 'yes', 'yes'),
    ('agency', 'Agency', 'An agency', 'An agency', 'Open', 'https://example.org/l', null, 'yes', 'yes'),
    ('barred', 'Barred', 'Nobody', 'Nobody', 'None', null, null, 'no', 'no')
) as t(source_id, title, publisher, attribution, licence, licence_url, url, may_plot, must_credit);
"""
PANEL = Panel(
    "one", "{who} leads by {gap:e} points", "Who leads is unclear", "points", ("Of {n:n} entries.", "As of {as_of_on:day}."),
    "select 'A <b>' as who, 12.34::double as gap, 1234 as n, 0.95::double as title_probability, date '2026-03-05' as as_of_on",
    "select 'x_y' as name, 1 as n, 0.25::double as share, true as is_on", "select ['C1', 'C2', 'C3', 'C5'] as citation_ids",
    ("name|word", "how many", "share|share", "on"), lambda width: width,
)  # fmt: skip


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute(META)
        yield made


def test_a_panel_is_filled_with_its_facts_its_credits_and_its_table(con: duckdb.DuckDBPyConnection) -> None:
    found = fill_panel(con, PANEL)
    assert (
        found.title == '<span data-fact="who">A &lt;b&gt;</span> leads by <data value="12.34" data-fact="gap">+12</data> points'
    )
    assert found.text == (
        'Of <data value="1234" data-fact="n">1,234</data> entries.',
        'As of <data value="2026-03-05" data-fact="as_of_on">5 March 2026</data>.',
    )
    assert (found.as_of, found.columns, found.headings) == (
        date(2026, 3, 5),
        ("name", "n", "share", "is_on"),
        ["name", "how many", "share", "on"],
    )
    assert found.cells == [[
        {"exact": "x_y", "shown": "x y", "is_number": False, "is_day": False}, {"exact": "1", "shown": "1", "is_number": True, "is_day": False},
        {"exact": "0.25", "shown": "25 %", "is_number": True, "is_day": False},
        {"exact": "True", "shown": "yes", "is_number": False, "is_day": False},
    ]]  # fmt: skip
    assert [credit.source_id for credit in found.credits] == ["agency", "office", "press"]  # those with terms of their own first
    assert [credit.line for credit in found.credits] == ["An agency", "An office", "the press (2 pages)"]
    assert found.credits[2] == Credit("press", "The press", "Several", "Data: the press.", "Their own", None, None, 2)


@pytest.mark.parametrize(
    ("probability", "title"), [(SURE, "{who}"), (SURE - 0.001, "Who leads is unclear"), (1, "{who}"), (0, "Who leads is unclear")]
)
def test_a_title_is_shown_from_its_probability_on(con: duckdb.DuckDBPyConnection, probability: float, title: str) -> None:
    facts = PANEL.facts.replace("0.95", str(probability))
    assert fill_panel(con, replace(PANEL, title="{who}", facts=facts)).title.striptags() == title.replace("{who}", "A <b>")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"facts": "select 1 as title_probability"}, "one has no fact as_of_on"),
        ({"facts": "select date '2026-01-01' as as_of_on"}, "one has no fact title_probability"),
        ({"facts": PANEL.facts + " limit 0"}, "the facts of one are 0 rows"),
        ({"facts": PANEL.facts + " union all " + PANEL.facts}, "the facts of one are 2 rows"),
        ({"headings": ("one",)}, "one has 4 columns and 1 headings"),
        ({"text": ("{nobody}",)}, "one has no fact 'nobody'"),
        ({"sql": "select nothing"}, "a query of one does not run"),
        ({"citations": "select ['C1', 'C4'] as citation_ids"}, "values of barred may not be plotted"),
        ({"citations": "select []::varchar[] as citation_ids"}, "no source is behind the chart"),
    ],
)
def test_a_panel_that_cannot_be_shown_is_refused(con: duckdb.DuckDBPyConnection, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContentError, match=message):
        fill_panel(con, replace(PANEL, **change))


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0.0005, "share", "0 %"), (0.00049, "share", "< 0.1 %"), (0.9995, "share", "> 99.9 %"), (0.9994, "share", "99.9 %"), (0.99, "share", "99 %"),
        (0.991, "share", "99.1 %"), (0, "share", "0 %"), (1, "p", "> 99.9 %"), (9.96, "two", "10"), (0.0, "e", "0"), (-0.5, "e", "−0.50"),
        (float("inf"), "two", "inf"), (1e6 - 1, "many", "1.0 million"), (949_000.0, "many", "950,000"), (-2e9, "many", "−2.0 billion"), (1.5, "r0", "2"),
        (12345.6, "", "12,346"), (True, "", "True"), (["a", 1], "", "a, 1"), (datetime(2026, 1, 2, 3, tzinfo=UTC), "month", "January 2026"), (date(2026, 1, 2), "", "2 January 2026"),
    ],
)  # fmt: skip
def test_a_number_is_written_in_its_form_on_both_sides_of_each_limit(value: object, form: str, shown: str) -> None:
    assert words(value, form) == shown


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (100, ("100", "100", True, False)), (99.5, ("99.5", "100", True, False)), (99.0, ("99.0", "99", True, False)), (-250.7, ("-250.7", "−251", True, False)),
        (2.5, ("2.5", "2.5", True, False)), (False, ("False", "no", False, False)), (None, ("None", "–", False, False)),
        (date(2026, 1, 2), ("2026-01-02", "2026-01-02", False, True)), (["a", "b"], ("a, b", "a, b", False, False)), ("a_b", ("a_b", "a_b", False, False)),
    ],
)  # fmt: skip
def test_a_cell_has_its_exact_value_and_what_is_shown(
    con: duckdb.DuckDBPyConnection, value: object, cell: tuple[str, str, bool, bool]
) -> None:
    found = replace(fill_panel(con, replace(PANEL, headings=("a", "b", "c", "d"))), rows=[(value,) * 4])
    assert found.cells == [[dict(zip(("exact", "shown", "is_number", "is_day"), cell, strict=True))] * 4]


def test_a_sentence_is_one_line_and_its_texts_are_escaped() -> None:
    assert filled("a\n  <i> {x}", {"x": "&"}, "here") == 'a &lt;i&gt; <span data-fact="x">&amp;</span>'
    assert (exact_text(0.1), exact_text(1), exact_text(None)) == ("0.1", "1", "None")


def test_panels_of_a_tree_have_slugs_that_differ(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    charts = tmp_path / "reports" / "charts"
    charts.mkdir(parents=True)
    (tmp_path / "reports" / "style.py").write_text('"""A style."""\n')
    text = (
        '"""A chart."""\nfrom datamoat.views.panels import Panel\ndef panels(con, style):\n    return [Panel("{}", *[""] * 10)]\n'
    )
    for name, slug in (("2", "b"), ("1", "a-1")):
        (charts / f"{name}.py").write_text(text.format(slug))
    assert [panel.id for panel in read_panels(tmp_path, con)] == ["a-1", "b"]
    for slug in ("a-1", "B", "1a", "a_b"):
        (charts / "2.py").write_text(text.format(slug))
        with pytest.raises(ContentError, match="panels need slugs that differ"):
            read_panels(tmp_path, con)
    (charts / "2.py").write_text('"""A chart."""\ndef panels(con, style):\n    return 1 / 0\n')
    with pytest.raises(ContentError, match="the panel does not draw: ZeroDivisionError: division by zero"):
        read_panels(tmp_path, con)


def test_questions_of_a_page_are_its_numbered_headings_with_their_first_query(tmp_path: Path) -> None:
    page = tmp_path / "questions.md"
    page.write_text(
        '# T\n\n## 1. First?\n\n$ datamoat query "from a"\n$ datamoat query "from b"\n\n## 2. None?\n\n## 10. Last?\n$ datamoat query "from c"\n'
    )
    assert read_questions(page) == [{"title": "First?", "sql": "from a"}, {"title": "Last?", "sql": "from c"}]
    page.write_text("# T\n\n## First?\n")
    with pytest.raises(ContentError, match="no numbered question"):
        read_questions(page)
