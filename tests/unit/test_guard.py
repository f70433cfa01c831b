"""Which statements of an agent are refused, and why: a table of both sides of each rule, without any published file."""

import pytest

from datamoat.errors import UsageError
from datamoat.views.guard import check_result, check_statement

COLUMNS = frozenset({"hours", "hours_p05", "hours_p50", "hours_p95", "rate_p05", "rate_p50", "rate_p95"})
FAIR = (
    "from marts.volume",
    "select 1",
    "from meta.columns",
    "from volume",
    "from duckdb_tables()",
    "from MARTS.volume",
    "select hours_p50 from marts.volume",
    "select hours_p50 as hours_p50 from marts.volume",
    "select hours_p50 as other_p50 from marts.volume",
    "select HOURS_P50 as Other_P50 from marts.volume",
    "select hours as hours from marts.volume",
    "select hours_p50 + rate_p50 as sum_p50 from marts.volume",
    "select round(hours_p50, 1) as hours_p50 from marts.volume",
    "select count(*) as n from marts.volume",
    "select max(day) as newest from marts.volume",
    "select rank() over (order by hours_p50) as place from marts.volume",
    "select * from marts.volume",
    "select hours_p50, hours_p05, hours_p95 from marts.volume",
    "select hours_p50 / 2 as hours_p50, hours_p05 / 2 as hours_p05, hours_p95 / 2 as hours_p95 from marts.volume",
    "select a.hours_p50, a.hours_p05 from marts.volume as a, marts.volume as b",
    "select 1 as hours_p05, 2 as hours_p95 from marts.volume",
    "select avg(x) as m, draw from marts.x_draws group by draw",
    "select quantile_cont(x, [0.05, 0.5, 0.95]) as x from marts.x_draws",
    "select quantile_cont(x, 0.05) as low, quantile_cont(x, 0.95) as high from marts.x_draws",
    "select x from marts.x_draws",
    "select t.hours_p50 from marts.volume as t",
    "select a from (select day as a from marts.volume) as t(b)",
    "with t(b) as (select day from marts.volume) select b from t",
    "with t as (select hours_p50 from marts.volume) select hours_p50 from t",
    "select * exclude (day) from marts.volume",
    "select day from marts.volume union all select day from marts.volume",
    "select 'hours_p50' as name from meta.columns",
    "select 'hours' as name from marts.volume",
    "select 'hours_p90' as name from marts.volume",
)
HIDDEN = "is computed from {} under a name that does not show it"
AGGREGATED = "{}: a quantile is not added up, averaged or picked out by an aggregate"
REFUSED = {
    "select 1; select 2": "these are 2 statements",
    "insert into marts.volume values (1)": "this is not one SELECT: Only SELECT statements can be serialized to json!",
    "select getenv('HOME')": "getenv may not be used",
    "select query('x') from read_csv('a')": "query, read_csv may not be used",
    "from other.volume": "other.volume may not be read",
    "from pg_class": ".pg_class may not be read",
    "from duckdb_tables": ".duckdb_tables may not be read",
    "pivot marts.volume on a using sum(b)": "this is not one SELECT: Only SELECT statements can be serialized to json!",
    "unpivot marts.volume on a into name n value v": "PIVOT, UNPIVOT and SHOW may not be used",
    "show tables": "PIVOT, UNPIVOT and SHOW may not be used",
    "select hours_p50 as other from marts.volume": "other " + HIDDEN.format("hours_p50"),
    "select hours_p50 as other_p95 from marts.volume": "other_p95 " + HIDDEN.format("hours_p50"),
    "select hours as other from marts.volume": "other " + HIDDEN.format("hours"),
    "select hours_p50 + rate_p95 as sum_p50 from marts.volume": "sum_p50 " + HIDDEN.format("hours_p50, rate_p95"),
    "select sqrt(hours_p50) as hours_p50 from marts.volume": "hours_p50 " + HIDDEN.format("hours_p50"),
    "select max(hours_p50) as hours_p50 from marts.volume": AGGREGATED.format("hours_p50"),
    "select count(hours_p50) as n from marts.volume": "n " + HIDDEN.format("hours_p50"),
    "select case when hours_p50 > 1 then hours_p50 end as hours_p50 from marts.volume": "hours_p50 " + HIDDEN.format("hours_p50"),
    "select hours_p50 > 1 as hours_p50 from marts.volume": "hours_p50 " + HIDDEN.format("hours_p50"),
    "select (select hours_p50 from marts.volume) as hours_p50": "hours_p50 " + HIDDEN.format("hours_p50"),
    "select [hours_p50] as hours_p50 from marts.volume": AGGREGATED.format("hours_p50"),
    "select list_transform([hours_p50], lambda x: x) as hours_p50 from marts.volume": AGGREGATED.format("hours_p50"),
    "select sum(n) over (order by hours_p50) as hours_p50 from marts.volume": "hours_p50 " + HIDDEN.format("hours_p50"),
    "select max(hours_p50) over () as hours_p50 from marts.volume": "hours_p50 " + HIDDEN.format("hours_p50"),
    "select lag(hours_p50) over (order by day) as hours_p50 from marts.volume": "hours_p50 " + HIDDEN.format("hours_p50"),
    "select hours_p50 / 2 as hours_p50, hours_p05, hours_p95 from marts.volume": "hours_p05, hours_p50, hours_p95 are not computed in the same way",
    "select a.hours_p50, b.hours_p05 from marts.volume as a, marts.volume as b": "hours_p05, hours_p50 are not computed in the same way",
    "select hours, 1 as hours_p05 from marts.volume": "hours, hours_p05 are not computed in the same way",
    "select avg(x) as m from marts.x_draws": "an aggregate over draws would be given without its interval",
    "select avg(x) as m, company from marts.x_draws group by company": "an aggregate over draws would be given without its interval",
    "select quantile_cont(x, [0.05, 0.5]) as x from marts.x_draws": "an aggregate over draws would be given without its interval",
    "select sum(x) + 0.05 + 0.95 as x from marts.x_draws": "an aggregate over draws would be given without its interval",
    "select t from marts.volume as t": "t is a whole row",
    "select volume from marts.volume": "volume is a whole row",
    "select t['a'] as v from marts.volume as t": "t is a whole row",
    "select b from (select hours_p50 from marts.volume) as t(b)": "columns of a table are renamed in FROM",
    "select * from (select day from marts.volume) as t(b)": "columns of a table are renamed in FROM",
    "with t(b) as (select hours_p50 from marts.volume) select b from t": "columns of a WITH are renamed",
    "select columns('hours_p50') as x from marts.volume": "COLUMNS gives several columns one name",
    "select columns('hours_p50') from marts.volume": "an estimate is named in a text",
    "select columns('day') as x from marts.volume": "COLUMNS gives several columns one name",
    "select #1 from marts.volume": "a column is named by its place",
    "select * rename (hours_p50 as x) from marts.volume": "columns are renamed or replaced in *",
    "select * replace (1 as hours_p50) from marts.volume": "columns are renamed or replaced in *",
    "select hours_p50 from marts.volume union all select rate_p50 from marts.volume": "UNION and the like give an estimate the name of another column",
    "select 'hours_p50' as name from marts.volume": "an estimate is named in a text",
    "select 'hours_p50' as name from meta.columns, marts.volume": "an estimate is named in a text",
    "select 'total hours_p50 a day' as name from marts.volume": "an estimate is named in a text",
}


@pytest.mark.parametrize("sql", FAIR)
def test_a_fair_statement_passes(sql: str) -> None:
    check_statement(sql, COLUMNS)


@pytest.mark.parametrize("sql", REFUSED)
def test_a_statement_is_refused_for_its_reason_and_with_a_way_out(sql: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_statement(sql, COLUMNS)
    assert refused.value.what.partition(": Only SELECT")[0] == REFUSED[sql].partition(": Only SELECT")[0]
    assert refused.value.where == sql
    assert refused.value.fix


@pytest.mark.parametrize(
    ("sql", "ending"),
    [("select hours_p95 as other from marts.volume", "_p95"), ("select hours as other from marts.volume", "the same name")],
)
def test_the_way_out_names_the_ending_that_a_name_needs(sql: str, ending: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_statement(sql, COLUMNS)
    assert refused.value.fix == f"give it a name that ends in {ending}, with _p05 and _p95 beside it."


def test_where_no_table_holds_draws_an_aggregate_needs_no_interval() -> None:
    check_statement("select avg(x) as m from marts.x_draws", COLUMNS, has_draws=False)


def test_a_long_statement_is_cut_in_the_refusal() -> None:
    for length, shown in ((300, 300), (301, 301)):
        sql = "from other.t --".ljust(length, "x")
        with pytest.raises(UsageError) as refused:
            check_statement(sql, COLUMNS)
        assert refused.value.where == (sql if length == 300 else sql[:300] + "…")
        assert len(refused.value.where) == shown


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("hours_p50",), "hours_p50 would be given without its interval: hours_p05 and hours_p95"),
        (("Hours",), "hours would be given without its interval: hours_p05 and hours_p95"),
        (("hours_p05",), "hours_p05 would be given without its interval: hours_p95"),
        (("other_p50", "other_p05"), "other_p50 would be given without its interval: other_p95"),
        (("hours_p50", "HOURS_P05", "hours_p95"), None),
        (("hours", "hours_p05", "hours_p95"), None),
        (("other", "day", "other_p05"), None),
    ],
)
def test_a_result_has_both_ends_of_an_interval_beside_each_estimate(names: tuple[str, ...], missing: str | None) -> None:
    if missing is None:
        check_result("select", names, COLUMNS)
        return
    with pytest.raises(UsageError) as refused:
        check_result("select", names, COLUMNS)
    assert f"{refused.value.what}: {refused.value.fix.removeprefix('select ').removesuffix(' too.')}" == missing
