"""What if from the draws: it agrees with the macro and with what is published, and refuses what it cannot compute."""

import json
from types import ModuleType
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from datamoat.cli.app import app
from datamoat.errors import UsageError
from datamoat.project.python_models import load
from datamoat.scenarios.whatif import FOLDER, Change, Table, whatif
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published


@pytest.fixture(scope="module")
def con(published: Settings) -> duckdb.DuckDBPyConnection:
    return open_published(published)


@pytest.fixture(scope="module")
def volumes(published: Settings) -> ModuleType:
    return load(published.content / FOLDER / "volumes.py")


@pytest.fixture(scope="module")
def unchanged(published: Settings) -> dict[str, list[dict[str, Any]]]:
    """Return the verdicts that the published draws give."""
    verdicts = load(published.content / FOLDER / "verdicts.py")
    with duckdb.connect() as beside:
        beside.execute(f"attach '{published.published}' as published (read_only)")
        beside.execute("create schema marts")
        verdicts.prepare(beside)
        found = verdicts.compare_verdicts(beside, published.reference, "from published.marts.company_moat_draws")
        return {name: [dict(zip(columns, row, strict=True)) for row in rows] for name, _, columns, rows in found}


def tables(published: Settings, numbers: dict[str, str], quantity: str | None = None) -> dict[str, Table]:
    return {table.name: table for table in whatif(published, Change(numbers), quantity)}


def answered(published: Settings, numbers: dict[str, str], quantity: str | None = None) -> Table:
    return next(whatif(published, Change(numbers), quantity))


@pytest.mark.parametrize("numbers", [{"A021": "0.1", "A001": "20"}, {"A021": "0.05,0.1,0.2"}, {"no_such_assumption": "1"}])
def test_what_needs_a_new_fit_is_not_computed_from_the_draws(
    published: Settings, volumes: ModuleType, numbers: dict[str, str]
) -> None:
    with duckdb.connect() as beside:
        beside.execute(f"attach '{published.published}' as published (read_only)")
        assert not volumes.acts_after_fit(beside, numbers)
        assert volumes.acts_after_fit(beside, {"A021": "0.1"})


def test_a_number_set_in_the_draws_gives_what_the_macro_gives(published: Settings, con: duckdb.DuckDBPyConnection) -> None:
    found = {row[0]: row for row in answered(published, {"A021": "0.1"}).rows}
    wanted = con.sql(
        "select company_id, usable_hours_p05, usable_hours_p50, usable_hours_p95 from marts.moat_whatif(usable_share := 0.1)"
    ).fetchall()
    assert len(found) > 50
    for company, *quantiles in wanted:
        assert list(found[company][5:8]) == pytest.approx(quantiles, rel=1e-9), company


def test_a_table_states_its_unit_and_month_and_how_many_rows_are_left_out(
    published: Settings, con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMOAT_ROOT", str(published.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(published.data))
    month = con.sql("select max(month) from marts.company_volume").fetchall()[0][0]
    call = ["whatif", "--set", "access.bytedance.tiktok=none", "--set", "access.kuaishou.kuaishou=none"]
    everything = json.loads(CliRunner().invoke(app, [*call, "--json"]).stdout)["volumes"]
    assert everything["title"] == "usable_hours in hours, from 1,000 published draws"
    assert [(row["company_id"], row["month"]) for row in everything["rows"]] == [
        ("bytedance", str(month)),
        ("kuaishou", str(month)),
    ]
    first = json.loads(CliRunner().invoke(app, [*call, "--json", "--limit", "1"]).stdout)["volumes"]
    assert first["rows"] == everything["rows"][:1]
    printed = CliRunner().invoke(app, [*call, "--limit", "1"]).stdout
    assert "… 1 more rows; --limit 2 prints all" in printed
    assert "kuaishou" not in printed
    assert "more rows" not in CliRunner().invoke(app, call).stdout


def test_the_published_volumes_give_the_published_estimates(
    con: duckdb.DuckDBPyConnection, unchanged: dict[str, list[dict[str, Any]]]
) -> None:
    assert [row["question_id"] for row in unchanged["questions"]] == ["amount", "short"]
    for row in unchanged["questions"]:
        published = con.execute(
            "select estimate from marts.moat_answer where as_of_kind = 'newest' and question_id = ?", [row["question_id"]]
        ).fetchall()[0][0]
        assert row["estimate_if"] == row["estimate"]
        assert row["estimate"] == pytest.approx(published, abs=0.01)
        assert row["verdict_if"] == row["verdict"]


def test_the_draws_of_the_link_are_made_again_from_what_they_were_made_of(con: duckdb.DuckDBPyConnection) -> None:
    n, worst = con.sql(
        "select count(*) as n, max(greatest(abs(a.usable_hours / b.usable_hours - 1), abs(a.short_usable_hours / b.short_usable_hours - 1)))"
        " as worst from marts.whatif_moat_draws() as a join marts.company_moat_draws as b using (company_id, month, draw)"
    ).fetchall()[0]
    assert n > 20_000
    assert worst < 1e-9


def test_without_an_effect_nothing_changes_and_the_verdicts_are_the_published_ones(published: Settings) -> None:
    found = answered(published, {"access.bytedance.tiktok": "0.5"}, "first_party_stock_hours")
    assert found.rows == []  # access does not change what a platform holds


def test_short_video_out_of_reach_changes_the_questions_of_volume(published: Settings) -> None:
    numbers = {f"access.{owned}": "none" for owned in ("bytedance.tiktok", "bytedance.douyin", "kuaishou.kuaishou")}
    found = tables(published, numbers)["questions"]
    rows = {row["question_id"]: row for row in (dict(zip(found.columns, values, strict=True)) for values in found.rows)}
    assert rows["amount"]["estimate_if"] != rows["amount"]["estimate"]
    assert rows["short"]["estimate_if"] != rows["short"]["estimate"]


def test_medians_from_the_draws_are_the_published_ones_within_their_error(
    published: Settings, con: duckdb.DuckDBPyConnection
) -> None:
    ratios = con.sql(
        "select m.usable_hours_p50 / v.usable_hours_p50 as ratio from marts.moat_whatif() as m join marts.company_volume as v"
        " on m.company_id = v.company_id and m.month = v.month and v.scenario_id = 'baseline'"
    ).fetchall()
    assert len(ratios) > 50
    assert max(abs(ratio - 1) for (ratio,) in ratios) < 0.25
    assert sorted(ratio for (ratio,) in ratios)[len(ratios) // 2] == pytest.approx(1, abs=0.06)


def test_taking_an_access_away_lowers_that_company_alone(published: Settings) -> None:
    found = answered(published, {"access.bytedance.tiktok": "none"})
    assert [row[0] for row in found.rows] == ["bytedance"]
    assert found.rows[0][-1] < 1


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"access.bytedance.youtube": "none"}, "no access to youtube"),
        ({"access.bytedance": "none"}, "no access"),
        ({"A021": "much"}, "is no number"),
        ({"A021": "nan"}, "is not finite"),
        ({"licensed_hours": "-1"}, "cannot be"),
        ({"A018": "1.5"}, "is not a share"),
        ({"A021": "1.5"}, "is not a share"),
        ({"A021": "-0.1"}, "is not a share"),
        ({"access.bytedance.tiktok": "2"}, "is not a share"),
        ({"access.x'; drop table y; --.z": "none"}, "no access"),
    ],
)
def test_a_mistake_is_named(published: Settings, numbers: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as failure:
        answered(published, numbers)
    assert message in str(failure.value)


def test_a_quantity_the_draws_do_not_have_is_refused(published: Settings) -> None:
    with pytest.raises(UsageError, match="choose one of"):
        answered(published, {"A021": "0.1"}, "users")
