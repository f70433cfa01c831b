"""What each call of an agent returns is compared whole, on a small published file and with queries run in this process."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat.errors import UsageError
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views import agent as agents
from datamoat.views.agent import MOST_BYTES, MOST_HITS, MOST_ROWS, MOST_TEXT, NOTE, Agent
from datamoat.views.query import run_query
from datamoat.views.query_child import Found, Query, _packed, _unpacked, statement_of

DECLARED = {
    "instructions": "Ask.", "answer": "select 1 as n", "cite": "select 'Cite it.' as credit",
    "kinds": {"platform": "select * from (values ('dy', 'Douyin App'), ('ks', 'Kuaishou'), ('k2', 'Kuaishou')) as t(id, name)"},
    "topics": [
        {"kind": "platform", "words": "uploads per day", "sql": "from marts.lab_volume\n  where platform_id = {id}"},
        {"words": "verdict of questions", "sql": "from marts.change"},
    ],
    "what_if": {
        "macro": "(select * from range(3)", "key": "range", "parameters": {"share": {"about": "A share.", "low": 0.0, "high": 1.0}},
    },
}  # fmt: skip


@pytest.fixture
def agent(made: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """Return an agent of the small published file whose queries run in this process."""
    path = tmp_path / "reports" / "agents" / "agents.yml"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(DECLARED))

    def run(settings: Settings, query: Query) -> Found:
        with open_published(settings) as con:
            return run_query(con, query.sql, query.limit, query.seconds)

    monkeypatch.setattr(agents, "run_apart", run)
    return Agent(replace(made, content=tmp_path, data=made.data))


def reply(call: tuple[str, bool]) -> tuple[dict[str, Any], bool]:
    """Return a reply without what each has, and whether it is an answer."""
    text, is_good = call
    found = json.loads(text)
    assert len(text.encode()) <= MOST_BYTES
    assert found.pop("note") == NOTE
    assert found.pop("build_id").startswith("20260328-")
    assert found.pop("as_of") == "2026-03-28"
    return found, is_good


def test_an_answer_and_citations_are_rows_and_ids_that_there_are_not_are_named(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reply(agent.answer()) == ({"n_rows": 1, "has_more": False, "rows": [{"n": 1}]}, True)
    assert reply(agent.cite()) == ({"n_rows": 1, "has_more": False, "rows": [{"credit": "Cite it."}]}, True)
    sent: list[str] = []
    columns = ("id", "title")
    monkeypatch.setattr(
        agents, "run_apart", lambda _, query: sent.append(query.sql) or Found(columns, ("VARCHAR",) * 2, [("C1", "A report")])
    )
    assert reply(agent.cite(["C1", "C1"])) == (
        {"n_rows": 1, "has_more": False, "rows": [{"id": "C1", "title": "A report"}]},
        True,
    )
    assert sent[0].count("in ('C1')") == 2
    assert reply(agent.cite(["C1", "C3", "C2"])) == (
        {"error": "there is no citation or assumption C2, C3", "fix": "take ids from citation_ids and assumption_ids."},
        False,
    )
    assert reply(agent.refuse("It is wrong.", "Correct it.")) == ({"error": "It is wrong.", "fix": "Correct it."}, False)


@pytest.mark.parametrize(
    ("n", "n_rows", "has_more"), [(MOST_ROWS, MOST_ROWS, False), (MOST_ROWS + 1, MOST_ROWS, True), (0, 0, False)]
)
def test_a_reply_has_two_hundred_rows_at_most(agent: Agent, n: int, n_rows: int, has_more: bool) -> None:
    found, is_good = reply(agent.query(f"select range as n from range({n})"))
    assert (is_good, found["n_rows"], found["has_more"], len(found["rows"])) == (True, n_rows, has_more, n_rows)


def test_a_statement_or_question_of_four_thousand_signs_passes_and_one_more_does_not(agent: Agent) -> None:
    assert reply(agent.query("select 1 as n --".ljust(MOST_TEXT, "x")))[1]
    assert reply(agent.query("select 1 as n --".ljust(MOST_TEXT + 1, "x"))) == (
        {"error": f"that is {MOST_TEXT + 1} characters", "fix": f"send at most {MOST_TEXT}."}, False,
    )  # fmt: skip
    assert reply(agent.find("x" * MOST_TEXT)) == ({"hits": []}, True)
    assert not reply(agent.find("x" * (MOST_TEXT + 1)))[1]


def test_what_is_named_comes_first_then_the_dictionary_by_how_many_words_fit(agent: Agent) -> None:
    found, is_good = reply(agent.find("How many uploads does the Douyin-App have?"))
    assert is_good
    assert found["hits"][0] == {
        "kind": "platform", "id": "dy", "what": "uploads per day", "try": "from marts.lab_volume where platform_id = 'dy'",
    }  # fmt: skip
    assert {
        "kind": "table",
        "id": "marts.lab_volume",
        "what": "Uploads of each lab.",
        "try": "from marts.lab_volume limit 5",
    } in found["hits"]
    assert {
        "kind": "column", "id": "lab_volume.uploads", "what": ["Videos uploaded a day", "[videos a day]"][0], "try": "from marts.lab_volume limit 5",
    } in found["hits"]  # fmt: skip
    assert len(found["hits"]) <= MOST_HITS
    both, _ = reply(agent.find("kuaishou"))
    assert [(hit["kind"], hit["id"]) for hit in both["hits"]] == [("platform", "k2"), ("platform", "ks")]
    topic, _ = reply(agent.find("the question's verdict"))
    assert topic["hits"][0] == {"kind": "topic", "id": None, "what": "verdict of questions", "try": "from marts.change"}
    assert reply(agent.find("zebra")) == ({"hits": []}, True)


def test_inputs_of_a_scenario_are_within_their_bounds_and_known(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(agents, "run_apart", lambda _, query: sent.append(query.sql) or Found(("n",), ("INTEGER",), [(1,)]))
    for value in (0, 1.0, 0.5):
        assert reply(agent.what_if({"share": value}))[1]
    assert reply(agent.what_if({"share": 0.5}, "it's"))[1]
    call = 'from (select * from range(3)("share" := {})'
    assert sent == [call.format("0.0"), call.format("1.0"), call.format("0.5"), call.format("0.5") + " where range = 'it''s'"]
    for given, error, fix in (
        ({}, "no input is changed", "give one or more of share: A share. (0.0 to 1.0)."),
        ({"shard": 1}, "there is no input 'shard'", "take one of share."),
        ({"share": 1.01}, "share = 1.01 is out of range", "0.0 to 1.0."),
        ({"share": -0.01}, "share = -0.01 is out of range", "0.0 to 1.0."),
    ):
        assert reply(agent.what_if(given)) == ({"error": error, "fix": fix}, False)
    assert reply(agent.why("t", "c", "k=v"))[1]
    assert sent[-1].endswith("from marts.why('t', 'c', 'k=v')")
    monkeypatch.setattr(agents, "run_apart", lambda *_: Found(("n",), ("INTEGER",), []))
    assert reply(agent.why("t", "c", "k=v")) == (
        {"error": "there is nothing", "fix": "no row has that key: name every column of it."},
        False,
    )


def test_a_reply_that_is_too_long_loses_rows_then_the_ends_of_texts_then_its_rows(agent: Agent) -> None:
    many, is_good = reply(agent.query("select range as n, repeat('x', 100) as t from range(100)"))
    assert is_good
    assert many["has_more"]
    assert 40 < len(many["rows"]) < 100
    assert [row["n"] for row in many["rows"]] == list(range(len(many["rows"])))
    one, is_good = reply(agent.query("select 1 as n, repeat('y', 9000) as t, 'short' as s"))
    assert is_good
    assert one["rows"] == [{"n": 1, "t": '"' + "y" * 299 + "…", "s": "short"}]
    assert (one["hint"], one["has_more"]) == ("the row is too long: select fewer columns", True)


@pytest.mark.parametrize("missing", ["topics", "answer"])
def test_a_declaration_without_one_of_its_parts_is_refused(agent: Agent, missing: str) -> None:
    path = agent.settings.content / "reports" / "agents" / "agents.yml"
    path.write_text(json.dumps({key: value for key, value in DECLARED.items() if key != missing}))
    with pytest.raises(UsageError, match="declares nothing for agents"):
        Agent(agent.settings)


VALUES = [
    None, True, 1, 0.5, "text", [1, [None, "a"]], (1, 2), {"a": [date(2026, 1, 2)], 3: {"b": None}}, datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    date(2026, 1, 2), time(3, 4), Decimal("1.50"), b"\x00\xff", {},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_of_a_query_returns_from_its_process_as_it_was(value: object) -> None:
    again = _unpacked(json.loads(json.dumps(_packed(value))))
    wanted = list(value) if isinstance(value, tuple) else value
    assert again == wanted
    assert type(again) is type(wanted)
    with duckdb.connect() as con:
        assert _packed(con.sql("select uuid() as u").fetchall()[0][0]).__class__ is str


def test_a_statement_is_the_text_a_file_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("select 2")
    (tmp_path / "empty.sql").write_text(" \n")

    def given() -> str:
        return "select 3"

    assert statement_of("select 1", given) == "select 1"
    assert statement_of(str(tmp_path / "a.sql"), given) == "select 2"
    assert statement_of("-", given) == "select 3"
    assert statement_of("from a.sql", given) == "from a.sql"
    with pytest.raises(UsageError, match="the file cannot be read"):
        statement_of(str(tmp_path / "none.sql"), given)
    for text, where in ((str(tmp_path / "empty.sql"), str(tmp_path / "empty.sql")), ("", "the command line"), ("  ", "  ")):
        with pytest.raises(UsageError, match="there is no statement") as refused:
            statement_of(text, given)
        assert refused.value.where == where
