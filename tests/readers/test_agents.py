"""Agents reach known rows in three calls, never an estimate without its interval, and nothing but the published tables."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psutil
import pytest
from mcp import Client, StdioServerParameters

from datamoat.errors import PublishRefusedError, UsageError
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views.agent import MOST_BYTES, Agent
from datamoat.views.agent_server import make_server
from datamoat.views.guard import check_result, check_statement, estimates

Call = Callable[..., dict[str, Any]]
TOOLS = {"answer", "find", "query", "why", "what_if", "cite"}


@pytest.fixture
def settings(published: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of the published content, which the child of a query finds in the environment."""
    monkeypatch.setenv("DATAMOAT_ROOT", str(published.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(published.data))
    return published


@pytest.fixture
def con(published: Settings) -> duckdb.DuckDBPyConnection:
    return open_published(published)


def asked(server: Any, calls: list[tuple[str, dict[str, Any]]]) -> list[tuple[bool, dict[str, Any], int]]:
    """Make calls with the SDK's own client; return for each whether it is an answer, what it holds, and its size in bytes."""

    async def run() -> list[tuple[bool, dict[str, Any], int]]:
        found = []
        async with Client(server) as client:
            for name, arguments in calls:
                result = await client.call_tool(name, arguments)
                text = result.content[0].text
                found.append((not result.is_error, json.loads(text), len(text.encode())))
        return found

    return asyncio.run(run())


def call(settings: Settings, name: str, /, **arguments: Any) -> dict[str, Any]:
    """Make one call; every reply states its build, its day and that texts are quoted, and is small."""
    ((is_good, reply, n_bytes),) = asked(make_server(settings), [(name, arguments)])
    assert n_bytes <= MOST_BYTES
    assert re.fullmatch(r"\d{8}-[0-9a-f]{8}", reply["build_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", reply["as_of"])
    assert "not instructions" in reply["note"]
    assert is_good == ("error" not in reply)
    return reply


# Questions and the value that the right reply holds, from tables other than those in which the calls look for it where there are any.
FAMILIES = {
    "company": (
        "How many hours of video can {name} use for training?", 10,
        ("select company_id, company_name, round(usable_hours_p50, 3) from marts.company_volume where scenario_id = 'baseline'"
        " and month = (select max(month) from marts.company_volume) order by usable_hours_p50 desc"),
    ),
    "platform": (
        "How many videos are uploaded to {name} per day?", 10,
        ("select platform_id, platform_name, round(uploads_per_day_p50, 3) from marts.platform_volume where scenario_id = 'baseline'"
        " and month = (select max(month) from marts.platform_volume) and is_in_totals order by uploads_per_day_p50 desc"),
    ),
    "board": (
        "Who leads the board {id}?", 8,
        ("select board_id, board_id, arg_min(entry_name, rank) from marts.leaderboard as b where captured_on ="
        " (select max(board_read_on) from marts.board_status as s where s.board_id = b.board_id and s.is_latest_usable)"
        " and rank is not null group by 1, 2 having count(*) filter (where rank = 1) = 1 order by 1"),
    ),
    "model": (
        "When was {name} released?", 14,
        ("select model_id, any_value(model_name), any_value(released_on)::varchar from marts.model_release where released_on is not null"
        " group by model_id order by hash(model_id)"),
    ),
    "claim": (
        "What is the verdict on the claim {id}?", 8,
        ("select claim_id, claim_id, arg_max(evidence, captured_on) from marts.claim_check where verdict <> 'no_data'"
        " group by claim_id having count(*) = 1 order by 1"),
    ),
    "assumption": (
        "What is the value of assumption {id}?", 6,
        "select assumption_id, name, p50 from meta.assumptions where p50 is not null order by hash(assumption_id)",
    ),
    "question": (
        "What is the verdict of the question {id}?", 6,
        "select question_id, question, verdict_reason from marts.moat_answer where as_of_kind = 'newest' order by question_number",
    ),
}  # fmt: skip


def questions(con: duckdb.DuckDBPyConnection, most: int | None = None) -> list[tuple[str, Any]]:
    listed = []
    for text, n_questions, sql in FAMILIES.values():
        rows = con.sql(sql).fetchall()[: most or n_questions]
        listed += [(text.format(id=row[0], name=row[1]), row[2]) for row in rows]
    return listed


def reach(settings: Settings, question: str, wanted: Any) -> tuple[int, int]:
    """Return how many calls a question takes, and the bytes of its largest reply; a fourth call is not made."""
    server = make_server(settings)
    ((_, found, largest),) = asked(server, [("find", {"words": question})])
    attempts = [hit["try"] for hit in found["hits"] if "try" in hit][:2]
    for n, sql in enumerate(attempts, start=2):
        ((is_good, reply, n_bytes),) = asked(server, [("query", {"sql": sql})])
        largest = max(largest, n_bytes)
        values = [value for row in reply.get("rows", []) for value in row.values()] if is_good else []
        if any(
            value == wanted
            or (isinstance(value, float) and value == pytest.approx(wanted) if isinstance(wanted, float) else False)
            for value in values
        ):
            return n, largest
    return 99, largest


def test_one_question_of_each_kind_is_reached_in_three_calls(settings: Settings, con: duckdb.DuckDBPyConnection) -> None:
    for question, wanted in questions(con, 1):
        n_calls, largest = reach(settings, question, wanted)
        assert n_calls <= 3, (question, wanted)
        assert largest <= MOST_BYTES, question


@pytest.mark.slow
def test_sixty_questions_are_reached_in_three_calls_and_eight_kilobytes(
    settings: Settings, con: duckdb.DuckDBPyConnection, record_property: Callable[[str, object], None]
) -> None:
    listed = questions(con)
    assert len(listed) >= 60
    found = {question: reach(settings, question, wanted) for question, wanted in listed}
    assert {question: n for question, (n, _) in found.items() if n > 3} == {}
    assert max(size for _, size in found.values()) <= MOST_BYTES
    calls = [n for n, _ in found.values()]
    record_property(
        "measured",
        f"{len(found)} questions, {sum(calls) / len(calls):.2f} calls, largest reply {max(s for _, s in found.values())} bytes",
    )


# What must not be had: files, other databases, settings, other statements, and estimates without their intervals.
ATTACKS = (
    "from read_text('/etc/passwd')", "from read_csv('/etc/passwd')", "from '/etc/passwd'", "from glob('/*')",
    "attach '/tmp/x.duckdb' as x", "copy (select 1) to '/tmp/x.csv'", "install httpfs", "load httpfs", "set threads = 1",
    "create table marts.t as select 1", "select 1; copy (select 1) to '/tmp/x'", "pragma database_list", "from duckdb_settings()",
    "from query('from read_text(''/etc/passwd'')')", "select getenv('HOME')", "export database '/tmp/x'", "call pragma_version()",
    "select sum(a.range * b.range) from range(100000000) a, range(100000000) b", "select len(list(range)) from range(3000000000)",
    "select repeat('x', 2000000000) as x",
    "select usable_hours_p50 from marts.company_volume", "select usable_hours_p50 as hours from marts.company_volume",
    "select sum(usable_hours_p50) as usable_hours_p50 from marts.company_volume", "select estimate from marts.moat_answer",
    "select max(estimate) as estimate from marts.moat_answer", "select * exclude (usable_hours_p05) from marts.company_volume",
    "select t['usable_hours_' || 'p50'] as v from marts.company_volume as t", "select to_json(t) as j from marts.company_volume as t",
    "with t(a) as (select usable_hours_p50 from marts.company_volume) select a from t",
    "select * from (select usable_hours_p50, usable_hours_p05, usable_hours_p95 from marts.company_volume) as t(a, b, c)",
    "select company_name from marts.company_volume union all select usable_hours_p50::varchar from marts.company_volume",
    "select (select usable_hours_p50 from marts.company_volume limit 1) as x", "select [usable_hours_p50] as x from marts.company_volume",
    "select median(usable_hours) as usable_hours from marts.company_moat_draws", "select avg(stock_hours) as x from marts.platform_volume_draws",
    "select * rename (usable_hours_p50 as x) from marts.company_volume", "select columns('usable_hours_p50') as x from marts.company_volume",
    "unpivot marts.company_volume on usable_hours_p50 into name n value v",
    "select estimate, 1 as estimate_p05, 2 as estimate_p95 from marts.moat_answer", "select estimate, estimate_p95, null as estimate_p05 from marts.moat_answer",
    "select usable_hours_p50 / 1e6 as usable_hours_p50, usable_hours_p05, usable_hours_p95 from marts.company_volume",
    "select a.estimate, b.estimate_p05, b.estimate_p95 from marts.moat_answer as a, marts.moat_answer as b",
    "select name, setting from pg_settings", "from pragma_database_list", "from sqlite_master", "from information_schema.tables",
    "from pg_catalog.pg_class",
)  # fmt: skip


def test_no_attack_succeeds(settings: Settings, record_property: Callable[[str, object], None]) -> None:
    agent = Agent(settings)
    began = time.monotonic()
    replies = {sql: agent.query(sql) for sql in ATTACKS}
    assert [sql for sql, (_, is_good) in replies.items() if is_good] == []
    assert all(json.loads(text)["fix"] for text, _ in replies.values())
    assert all(len(text.encode()) <= MOST_BYTES for text, _ in replies.values())
    assert "root:" not in "".join(text for text, _ in replies.values())
    assert [one for one in psutil.Process().children() if "query_child" in " ".join(one.cmdline())] == []
    record_property("measured", f"{len(ATTACKS)} attacks, 0 succeeded, {time.monotonic() - began:.0f} s")


FAIR = (
    "from marts.company_volume limit 1",
    "select company_id, usable_hours_p05, usable_hours_p50, usable_hours_p95 from marts.company_volume where usable_hours_p50 > 1e6 limit 1",
    ("select round(usable_hours_p05 / 1e6, 1) as million_hours_p05, round(usable_hours_p50 / 1e6, 1) as million_hours_p50,"
    " round(usable_hours_p95 / 1e6, 1) as million_hours_p95 from marts.company_volume order by usable_hours_p50 desc limit 1"),
    "select company_id, quantile_cont(usable_hours, [0.05, 0.5, 0.95]) as usable_hours from marts.company_moat_draws group by company_id",
    ("select quantile_cont(hours, [0.05, 0.5, 0.95]) as hours from"
    " (select draw, sum(stock_hours) as hours from marts.platform_volume_draws group by draw) as summed"),
    "with a as (select company_id, usable_hours_p05, usable_hours_p50, usable_hours_p95 from marts.company_volume) from a limit 1",
    "select company_id, row_number() over (order by usable_hours_p50 desc) as place from marts.company_volume limit 1",
    "select column_name from meta.columns where column_name = 'usable_hours_p50'",
    "from marts.leaders_on(date '2026-05-14')",
    "select question_id, estimate, round(a.estimate_p05) as low_p05, round(a.estimate_p95) as low_p95, estimate_p05, estimate_p95 from marts.moat_answer as a",
    "select count(*) as n, max(captured_on) as newest from marts.leaderboard",
)  # fmt: skip


@pytest.mark.parametrize("sql", FAIR)
def test_a_fair_statement_is_not_refused(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    names = estimates(con)
    check_statement(sql, names)
    check_result(sql, tuple(con.sql(sql).columns), names)


ENDS = "usable_hours_p05, usable_hours_p95 from marts.company_volume"


@pytest.mark.parametrize(
    "item",
    [
        "case when usable_hours_p50 > 1e6 then usable_hours_p50 end",
        "md5(usable_hours_p50::varchar)",
        "usable_hours_p50 > 1e6",
        "usable_hours_p50-usable_hours_p05",
    ],
)
def test_what_is_made_of_an_estimate_does_not_bear_its_name(con: duckdb.DuckDBPyConnection, item: str) -> None:
    with pytest.raises(UsageError, match=r"is computed from .*usable_hours_p50 under a name that does not show it"):
        check_statement(f"select {item} as usable_hours_p50, {ENDS}", estimates(con))


def test_every_statement_that_find_offers_runs(settings: Settings, con: duckdb.DuckDBPyConnection) -> None:
    agent = Agent(settings)
    names = estimates(con)
    for topic in agent.declared.topics:
        kind = topic.get("kind")
        one = con.sql(f"select id from ({agent.declared.kinds[kind]}) order by id limit 1").fetchall()[0][0] if kind else ""
        sql = topic["sql"].replace("{id}", f"'{one}'")
        check_statement(sql, names)
        check_result(sql, tuple(con.sql(sql).columns), names)


def test_the_answer_has_an_interval_beside_every_estimate(settings: Settings) -> None:
    rows = call(settings, "answer")["rows"]
    assert len(rows) == 6
    for row in rows:
        assert row["estimate"] is None or row["estimate_p05"] <= row["estimate"] <= row["estimate_p95"]


def test_why_leads_to_pages_and_what_if_to_other_hours(settings: Settings, con: duckdb.DuckDBPyConnection) -> None:
    found = call(
        settings,
        "why",
        table="company_volume",
        column="usable_hours_p50",
        row="company_id=kuaishou; month=2026-05-01; scenario_id=baseline",
    )
    assert any(str(row["url"]).startswith("https://") for row in found["rows"])
    for column, row, named in (
        ("usable_hours_p5", "company_id=kuaishou", "usable_hours_p5"),
        ("usable_hours_p50", "company_id=x", "no row"),
    ):
        assert named in call(settings, "why", table="company_volume", column=column, row=row)["error"]
    (row,) = call(settings, "what_if", settings={"usable_share": 0.1}, only="kuaishou")["rows"]
    wanted = con.sql(
        "select usable_hours_p05, usable_hours_p50, usable_hours_p95 from marts.moat_whatif(usable_share := 0.1) where company_id = 'kuaishou'"
    )
    assert [row["usable_hours_p05"], row["usable_hours_p50"], row["usable_hours_p95"]] == pytest.approx(
        list(wanted.fetchall()[0])
    )
    assert "usable_share" in call(settings, "what_if", settings={"x": 1})["fix"]
    assert "out of range" in call(settings, "what_if", settings={"usable_share": 2})["error"]
    assert call(settings, "what_if", settings={"usable_share": 0.1}, only="x' or true --")["rows"] == []


def test_cite_names_the_build_and_the_pages_behind_ids(settings: Settings, con: duckdb.DuckDBPyConnection) -> None:
    (row,) = call(settings, "cite")["rows"]
    assert row["credit_lines"]
    one, url = con.sql("select citation_id, url from meta.citations where url is not null order by 1 limit 1").fetchall()[0]
    assert [row["url"] for row in call(settings, "cite", ids=[one])["rows"]] == [url]
    assert "C99999" in call(settings, "cite", ids=[one, "C99999"])["error"]
    assert "'; drop table x" in call(settings, "cite", ids=[one, "'; drop table x"])["error"]


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("nope", {}, "there is no tool 'nope'"),
        ("cite", {"id": "C1174"}, "cite has no argument 'id'"),
        ("find", {}, "find needs words"),
        ("why", {"table": "company_volume"}, "why needs column, row"),
        ("what_if", {"settings": {"usable_share": "much"}}, "settings"),
    ],
)
def test_a_call_of_another_shape_is_refused_like_any_other(
    settings: Settings, name: str, arguments: dict[str, Any], error: str
) -> None:
    reply = call(settings, name, **arguments)
    assert error in reply["error"] + reply["fix"]
    assert reply["fix"]
    assert "pydantic" not in reply["error"]


@pytest.mark.usefixtures("settings")
def test_nothing_is_served_before_anything_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datamoat.cli.agents import mcp

    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path))
    with pytest.raises(PublishRefusedError, match="nothing is published yet"):
        mcp(http=True, port=8765)


def test_a_long_reply_is_shortened_and_says_so(settings: Settings) -> None:
    reply = call(settings, "query", sql="from marts.leaderboard")
    assert reply["has_more"]
    assert 0 < len(reply["rows"]) < 200
    assert "select fewer columns" in json.dumps(call(settings, "query", sql="select repeat('y', 100000) as x"))
    wide = call(settings, "query", sql="select " + ", ".join(f"repeat('y', 99) as a{n}" for n in range(120)))
    assert (wide["error"], wide["fix"], "rows" in wide) == ("the row is too long", "select fewer columns.", False)


def test_a_content_tree_that_declares_nothing_is_explained(made: Settings) -> None:
    with pytest.raises(UsageError, match="declares nothing for agents"):
        Agent(made)


def test_texts_of_others_stay_values(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAMOAT_ROOT", str(fresh.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(fresh.data))
    declared = {
        "instructions": "x",
        "answer": "from marts.lab_volume",
        "cite": "from meta.build",
        "kinds": {},
        "topics": [],
        "what_if": {"macro": "m", "key": "k", "parameters": {}},
    }
    (fresh.content / "reports" / "agents").mkdir(parents=True)
    (fresh.content / "reports" / "agents" / "agents.yml").write_text(json.dumps(declared))
    text, is_good = Agent(fresh).query("select title from marts.lab_volume order by title limit 100")
    assert is_good
    titles = {row["title"] for row in json.loads(text)["rows"]}
    assert {"'; drop table x; --", 'say "so"', "\u202egnp"} <= titles


@pytest.fixture
def served(settings: Settings) -> Iterator[str]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "datamoat", "mcp", "--http", "--port", str(port)], env=dict(os.environ)
    ) as process:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
        process.terminate()


async def _listed(server: Any) -> tuple[set[str], list[Any]]:
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
        reply = await client.call_tool("query", {"sql": "select 7 as n"})
        return {tool.name for tool in tools if tool.description}, json.loads(reply.content[0].text)["rows"]


def test_the_program_serves_agents_on_standard_input_and_output(settings: Settings) -> None:
    server = StdioServerParameters(command=sys.executable, args=["-m", "datamoat", "mcp"], env=dict(os.environ))
    assert asyncio.run(_listed(server)) == (TOOLS, [{"n": 7}])


def test_the_program_serves_agents_over_http_on_this_machine_alone(served: str) -> None:
    assert asyncio.run(_listed(served)) == (TOOLS, [{"n": 7}])
    port = urlsplit(served).port
    headers = {"Host": "example.org", "Content-Type": "application/json", "Accept": "application/json"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port or 0, timeout=5)) as connection:
        connection.request("POST", "/mcp", b"{}", headers)
        with connection.getresponse() as response:
            assert response.status in {403, 421}  # a page of another host cannot reach it through a browser
    listening = {one.laddr.ip for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.laddr.port == port}
    assert listening == {"127.0.0.1"}


def test_a_port_that_is_none_is_explained(settings: Settings) -> None:
    from datamoat.cli.agents import mcp

    with pytest.raises(UsageError, match="is not a port"):
        mcp(http=True, port=0)
