"""What if from the draws: it says what it did, agrees with the macro and with what is published, and refuses what it cannot."""

import duckdb
import pytest

from datamoat.errors import UsageError
from datamoat.published import open_published
from datamoat.settings import Settings
from datamoat.whatif_draws import BOARD_COLUMNS, acts_after_the_fit, answer_from_draws


@pytest.fixture(scope="module")
def con(published: Settings) -> duckdb.DuckDBPyConnection:
    return open_published(published)


def test_what_acts_after_the_fit_is_told_from_what_needs_a_new_one(con: duckdb.DuckDBPyConnection) -> None:
    assert acts_after_the_fit(con, {"A021": "0.1", "dup_share_hours": "0.2", "access.bytedance.tiktok": "none"})
    assert not acts_after_the_fit(con, {"A021": "0.1", "A001": "20"})
    assert not acts_after_the_fit(con, {"A021": "0.05,0.1,0.2"})
    assert not acts_after_the_fit(con, {"no_such_assumption": "1"})


def test_a_number_held_in_the_draws_gives_what_the_macro_gives(published: Settings, con: duckdb.DuckDBPyConnection) -> None:
    found = {row[0]: row for row in answer_from_draws(published, {"A021": "0.1"}).volumes}
    wanted = con.sql(
        "select company_id, usable_hours_p05, usable_hours_p50, usable_hours_p95 from marts.moat_whatif(usable_share := 0.1)"
    ).fetchall()
    assert len(found) > 50
    for company, *quantiles in wanted:
        assert list(found[company][4:7]) == pytest.approx(quantiles, rel=1e-9), company


def test_without_an_effect_nothing_changes_and_the_verdicts_are_the_published_ones(
    published: Settings, con: duckdb.DuckDBPyConnection
) -> None:
    found = answer_from_draws(published, {"access.bytedance.tiktok": "0.5"}, "first_party_stock_hours")
    assert found.volumes == []  # access does not change what a platform holds
    boards = [
        dict(zip(BOARD_COLUMNS, row, strict=True)) for row in answer_from_draws(published, {"tiktok_us_share": "0.1"}).boards
    ]
    assert len(boards) == 4
    for board in boards:
        assert board["spearman_if"] == pytest.approx(board["spearman"], abs=0.02), board["board_id"]
    n_same = sum(board["verdict"] == board["verdict_if"] for board in boards)
    assert n_same >= 3
    assert con.sql("select count(*) as n from marts.moat_test where board_role = 'primary'").fetchall()[0][0] > 4


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
    found = answer_from_draws(published, {"access.bytedance.tiktok": "none"})
    assert [row[0] for row in found.volumes] == ["bytedance"]
    assert found.volumes[0][-1] < 1


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({"access.bytedance.youtube": "none"}, "no access to youtube"),
        ({"access.bytedance": "none"}, "no access"),
        ({"A021": "much"}, "is no number"),
        ({"A021": "nan"}, "is not finite"),
        ({"access.x'; drop table y; --.z": "none"}, "no access"),
    ],
)
def test_a_mistake_is_named(published: Settings, numbers: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as failure:
        answer_from_draws(published, numbers)
    assert told in str(failure.value)


def test_a_quantity_the_draws_do_not_have_is_refused(published: Settings) -> None:
    with pytest.raises(UsageError, match="choose one of"):
        answer_from_draws(published, {"A021": "0.1"}, "users")
