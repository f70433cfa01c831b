"""The published link, worked out again without our statistics: plain scipy on the public tables, and the claims asked again."""

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy import stats

from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views.sections import as_markdown, read_answer
from moat.uncertainty.seeds import normals

# Definitions whose companies are those of company_moat and whose volume is one of its columns.
BY_RANK = {
    "headline": "usable_hours_p50",
    "headline-kendall": "usable_hours_p50",
    "available-hours": "available_hours_p50",
    "short-usable-hours": "short_usable_hours_p50",
    "first-party-hours": "available_first_party_hours_p50",
    "first-party-stock-hours": "first_party_stock_hours_p50",
    "first-party-stock-videos": "first_party_stock_videos_p50",
    "first-party-videos-per-day": "first_party_videos_per_day_p50",
}


@pytest.fixture(scope="module")
def con(published: Settings) -> duckdb.DuckDBPyConnection:
    return open_published(published)


def boards(con: duckdb.DuckDBPyConnection) -> list[tuple[str, object]]:
    return con.sql(
        """select board_id, captured_on from marts.moat_test where n_companies >= 4
        qualify row_number() over (partition by board_id order by captured_on desc) <= 4 order by all"""
    ).fetchall()


def companies(con: duckdb.DuckDBPyConnection, board_id: str, captured_on: object) -> pl.DataFrame:
    return con.sql(
        """select * from marts.company_moat
        where scenario_id = 'baseline' and board_id = ? and captured_on = ?""",
        params=[board_id, captured_on],
    ).pl()


def found(con: duckdb.DuckDBPyConnection, board_id: str, captured_on: object) -> dict[str, dict[str, object]]:
    rows = con.sql(
        "select * from marts.moat_association where board_id = ? and captured_on = ?", params=[board_id, captured_on]
    ).pl()
    return {row["definition_id"]: row for row in rows.iter_rows(named=True)}


def test_plain_scipy_finds_the_same_statistic_in_the_public_table(con: duckdb.DuckDBPyConnection) -> None:
    compared = 0
    for board_id, captured_on in boards(con):
        standing, rows = companies(con, board_id, captured_on), found(con, board_id, captured_on)
        ratings = standing["best_rating"].to_numpy()
        for definition_id, column in BY_RANK.items():
            row = rows[definition_id]
            if row["value_at_medians"] is None or row["link_reason"] != "computed":
                continue
            volume = standing[column].fill_null(-1.0).to_numpy()
            scipy = stats.kendalltau if row["statistic"] == "kendall_tau_b" else stats.spearmanr
            assert row["value_at_medians"] == pytest.approx(scipy(volume, ratings).statistic, abs=1e-9), (board_id, definition_id)
            compared += 1
        owners = standing["has_platform"].to_numpy()
        if 0 < owners.sum() < len(owners):
            difference, auc = rows["has-platform-difference"], rows["has-platform-auc"]
            assert difference["value"] == pytest.approx(ratings[owners].mean() - ratings[~owners].mean(), abs=1e-9)
            chance = stats.mannwhitneyu(ratings[owners], ratings[~owners]).statistic / owners.sum() / (~owners).sum()
            assert auc["value_at_medians"] == pytest.approx(chance, abs=1e-9)
            published = con.sql(
                "select auc_platform from marts.moat_test where board_id = ? and captured_on = ?", params=[board_id, captured_on]
            ).fetchall()
            assert published == [(auc["value"],)]
            compared += 2
    assert compared >= 50


def test_the_headline_is_the_mean_over_draws_of_scipys_correlation(published: Settings, con: duckdb.DuckDBPyConnection) -> None:
    seed = read_project(published.content).build["seed"]
    draws = pl.scan_parquet(published.lake / "intermediate" / "int_company__volume_draws.parquet")
    days = [day for day in boards(con) if day[0] in {"aa_text_to_video", "arena_text_to_video"}][-2:]
    for board_id, captured_on in days:
        standing = companies(con, board_id, captured_on).sort(
            ["best_rating", "best_rating_se", "best_entry_key"], descending=[True, False, False]
        )
        wanted = standing.select("company_id", month="volume_month", place=pl.int_range(pl.len())).lazy()
        volume = (
            draws.join(wanted, on=["company_id", "month"])
            .select("draw", "place", "usable_hours")
            .sort("draw", "place")
            .collect()["usable_hours"]
            .to_numpy()
            .reshape(-1, standing.height)
        )
        half = normals(seed, "rating", len(volume) // 2 + 1, 256)
        noise = np.stack([half, -half], axis=1).reshape(-1, 256)[: len(volume), : standing.height]
        rating = standing["best_rating"].to_numpy() + standing["best_rating_se"].to_numpy() * noise
        rho = [stats.spearmanr(v, r).statistic for v, r in zip(volume, rating, strict=True)]
        said = found(con, board_id, captured_on)["headline"]["value"]
        assert said == pytest.approx(np.mean(rho), abs=1e-9)


def test_the_comparison_of_medians_has_the_interval_numpy_finds(published: Settings, con: duckdb.DuckDBPyConnection) -> None:
    answer = con.sql("from marts.moat_answer order by quarter_on desc limit 1").pl().row(0, named=True)
    read = {tuple(board.rsplit(" ", 1)) for board in answer["boards_read"]}
    found = pl.read_parquet(published.lake / "intermediate" / "int_moat__association.parquet")
    values: dict[str, list[tuple[float, dict[str, float]]]] = {"headline": [], "short-usable-hours": []}
    for row in found.iter_rows(named=True):
        if (row["board_id"], str(row["captured_on"])) in read and row["definition_id"] in values:
            without = dict(zip(row["company_ids"], row["values_without_one"], strict=True))
            values[row["definition_id"]].append((row["value"], without))
    companies = sorted({company for boards in values.values() for _, without in boards for company in without})
    left_out = np.array(
        [
            np.median([without.get(company, value) for value, without in values["short-usable-hours"]])
            - np.median([without.get(company, value) for value, without in values["headline"]])
            for company in companies
        ]
    )
    half = 1.6448536 * np.sqrt((len(companies) - 1) / len(companies) * ((left_out - left_out.mean()) ** 2).sum())
    difference = answer["median_short_spearman"] - answer["median_spearman"]
    assert answer["short_difference"] == pytest.approx(difference, abs=1e-6)
    assert answer["short_difference_p05"] == pytest.approx(difference - half, abs=1e-5)
    assert answer["short_difference_p95"] == pytest.approx(difference + half, abs=1e-5)


def test_every_claim_asked_again_in_its_own_words_gives_its_own_rows(con: duckdb.DuckDBPyConnection) -> None:
    claims = con.sql("select distinct claim_id, sql from marts.claim_check order by claim_id").fetchall()
    assert len(claims) >= 25
    columns = ["board_id", "captured_on", "verdict", "evidence", "gap_to_leader", "gap_exceeds_interval"]
    for claim_id, sql in claims:
        again = con.sql(sql).pl().select(columns).sort("board_id", "captured_on").rows()
        said = con.sql(
            f"select {', '.join(columns)} from marts.claim_check where claim_id = ? order by board_id, captured_on",
            params=[claim_id],
        ).pl()
        assert again == said.cast({"gap_to_leader": pl.Float64}).rows(), claim_id


def test_every_claim_in_the_reference_has_a_query_and_rows(published: Settings, con: duckdb.DuckDBPyConnection) -> None:
    listed = set(pl.read_csv(published.content / "data" / "reference" / "claims.csv")["claim_id"])
    kept = {path.stem for path in (published.content / "data" / "reference" / "claim_queries").glob("*.sql")}
    said = {claim_id for (claim_id,) in con.sql("select distinct claim_id from marts.claim_check").fetchall()}
    assert listed == kept == said


def test_the_answer_names_its_verdict_and_leaves_no_gap(published: Settings, con: duckdb.DuckDBPyConnection) -> None:
    sections = read_answer(con, published.content)
    verdict = con.sql("select verdict_text from marts.moat_answer order by quarter_on desc limit 1").fetchall()[0][0]
    page = as_markdown(sections)
    assert verdict in page
    assert len(sections) >= 6
    assert all(section.rows for section in sections)
