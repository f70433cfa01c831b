"""The published answer, computed again from the public tables alone, with statsmodels, numpy and the queries themselves."""

import importlib.util
import json
import os
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import ModuleType

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scoringrules
from scipy import stats

from datamoat.release.bundle import make_release
from datamoat.release.verify import verify_bundle
from datamoat.settings import Settings
from datamoat.storage.files import sha256_of
from datamoat.storage.warehouse import open_published
from datamoat.views.sections import FORECAST, as_markdown, read_answer, read_answer_object, read_sections


@pytest.fixture(scope="module")
def con(published: Settings) -> duckdb.DuckDBPyConnection:
    return open_published(published)


def example_of(published: Settings, name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, published.content / "examples" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def example(published: Settings) -> ModuleType:
    return example_of(published, "mixed_model")


@pytest.mark.parametrize("question", ["owning", "size"])
def test_statsmodels_finds_the_published_estimate_to_a_tenth_of_a_standard_error(
    con: duckdb.DuckDBPyConnection, example: ModuleType, question: str
) -> None:
    estimate, error = example.fit(con, question)
    published = con.execute(
        "select estimate from marts.moat_answer where as_of_kind = 'newest' and question_id = ?",
        [question],
    ).fetchall()[0][0]
    assert abs(estimate - published) < 0.1 * error


def test_generalised_least_squares_with_the_published_spreads_gives_owning_and_its_interval(
    con: duckdb.DuckDBPyConnection,
) -> None:
    # Generalised least squares with full matrices, from moat_entry and the spreads of moat_effect.
    rows = con.sql("from marts.moat_entry where as_of_kind = 'newest' order by board_id, entry_key").pl()
    company_sd, model_sd, residual_sds, published, high, degrees = con.sql(
        "select company_sd, model_sd, residual_sds, estimate, estimate_p95, degrees_of_freedom from marts.moat_effect"
        " where as_of_kind = 'newest' and board_id = 'all' and specification_id = 'owning'"
    ).fetchall()[0]
    board, company, model = (
        np.unique(rows[name].to_numpy(), return_inverse=True)[1] for name in ("board_id", "company_id", "panel_model")
    )
    day = (rows["released_on"] - rows["released_on"].min()).dt.total_days().to_numpy() / 365.25
    flags = (
        rows.select("is_open_weights", "has_sound", "is_fast_tier", "is_high_resolution", "owns_platform")
        .cast(pl.Float64)
        .to_numpy()
    )
    x = np.column_stack([np.eye(board.max() + 1)[board], day, day**2, flags])
    v = company_sd**2 * (company[:, None] == company) + model_sd**2 * (model[:, None] == model)
    v = v + np.diag(np.array(residual_sds)[board] ** 2 + rows["rating_se"].to_numpy() ** 2)
    weighted = np.linalg.solve(v, np.column_stack([x, rows["rating"].to_numpy()]))
    beta = np.linalg.solve(x.T @ weighted[:, :-1], x.T @ weighted[:, -1])
    assert beta[-1] == pytest.approx(published, abs=0.02)
    error = np.sqrt(np.linalg.inv(x.T @ weighted[:, :-1])[-1, -1])
    assert high - published == pytest.approx(stats.t.ppf(0.95, degrees) * error, rel=1e-3)


# Points; the published p has 9,999 random orders and the example twice as many.
TOLERANCE = {"owning": 0.02, "size": 0.02, "amount": 0.02, "permutation_p": 5e-3}


@pytest.mark.parametrize("number", ["owning", "size", "amount", "permutation_p", "prediction", "dose", "chance_to_lead"])
def test_a_sceptic_finds_numbers_of_the_answer_with_sql_and_scipy(
    published: Settings, con: duckdb.DuckDBPyConnection, number: str
) -> None:
    here, stated = getattr(example_of(published, "computed_again"), number)(con)
    assert here == pytest.approx(stated, abs=TOLERANCE.get(number, 2e-3))


def test_every_verdict_is_that_of_every_row_of_robustness(con: duckdb.DuckDBPyConnection) -> None:
    # Each row's verdict from its own numbers; that an effect vanishes with size needs numbers that the row does not have.
    rows = con.sql(
        """
        select a.verdict as stated, a.verdict_reason as reason, r.verdict, r.estimate_p05, r.estimate_p95, r.p_permutation, a.smallest_effect
        from marts.moat_robustness as r join marts.moat_answer as a using (as_of_kind, as_of_on, question_id)
        where r.estimate is not null
        """
    ).fetchall()
    assert len(rows) > 500
    for stated, reason, verdict, low, high, p, smallest in rows:
        clear = low > 0 and p is not None and p < 0.05
        by_numbers = "supported" if clear else "not_supported" if high < smallest else "cannot_tell"
        assert verdict == by_numbers or (verdict, by_numbers) == ("not_supported", "cannot_tell")
        assert stated in {"cannot_tell", verdict}, reason


CHANGES = {
    "a row of robustness with another verdict": "update moat_robustness set verdict = 'cannot_tell' where {row} and perturbation = (select max(perturbation) from moat_robustness where {row})",
    "a row of robustness whose interval reaches zero": "update moat_robustness set estimate_p05 = -1 where {row} and perturbation = (select min(perturbation) from moat_robustness where {row})",
    "a row of robustness that chance explains": "update moat_robustness set p_permutation = 0.06 where {row} and perturbation = (select min(perturbation) from moat_robustness where {row})",
    "no robustness at all": "delete from moat_robustness where {row}",
    "an interval of its own that reaches zero": "update moat_answer set estimate_p05 = -1 where {row}",
    "a verdict that is withheld though no row differs": "update moat_answer set verdict = 'cannot_tell' where {row}",
    "a p of its own that is too large": "update moat_answer set p_permutation = 0.06 where {row}",
}
SUPPORTED = "as_of_kind = 'story' and question_id = 'owning'"


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_a_verdict_that_a_row_of_robustness_or_its_own_numbers_contradict_is_found(
    published: Settings, con: duckdb.DuckDBPyConnection, change: str | None
) -> None:
    found = rows_of_check(published, con, "verdicts_follow_the_rule", CHANGES[change].format(row=SUPPORTED) if change else "")
    assert found == ([(("story", "owning"))] if change else [])


@pytest.mark.parametrize(
    ("change", "n_found"),
    [
        ("", 0),
        ("update moat_answer set verdict = 'cannot_tell' where " + SUPPORTED, 1),
        ("update moat_answer set sentence = replace(sentence, 'support one', 'support none') where as_of_kind = 'story'", 1),
        ("update moat_answer set sentence = 'Something else.' where " + SUPPORTED, 1),
        ("delete from moat_answer where " + SUPPORTED, 1),
    ],
)
def test_a_sentence_that_contradicts_its_table_is_found(
    published: Settings, con: duckdb.DuckDBPyConnection, change: str, n_found: int
) -> None:
    assert len(rows_of_check(published, con, "no_sentence_contradicts_its_table", change)) == n_found


def rows_of_check(published: Settings, con: duckdb.DuckDBPyConnection, name: str, change: str) -> list[tuple[str, str]]:
    """Return kind and question, or kind and day, of the rows that a check finds after a change of the published tables."""
    sql = (published.content / "expectations" / "checks" / f"{name}.sql").read_text(encoding="utf-8")
    tables = {table: con.sql(f"from marts.{table}").pl() for table in ("moat_answer", "moat_effect", "moat_robustness")}
    with duckdb.connect() as copy:
        copy.execute("create schema marts")
        for table, frame in tables.items():
            copy.register("frame", frame)
            copy.execute(f"create table marts.{table} as from frame")
        if change:
            before = copy.execute(
                f"select count(*) from marts.moat_answer where {SUPPORTED} and verdict = 'supported'"
            ).fetchall()
            assert before == [(1,)], "the verdict that the changes are made to is not there any more: name another"
            assert copy.execute(change.replace("moat_", "marts.moat_")).fetchall()[0][0] > 0
        found = copy.sql(sql)
        place = found.columns.index("question_id") if "question_id" in found.columns else 1
        return [(row[0], str(row[place])) for row in found.fetchall()]


def test_an_effect_that_was_not_clear_without_size_does_not_vanish_with_it(
    published: Settings, con: duckdb.DuckDBPyConnection
) -> None:
    vanished = (
        "update moat_answer set verdict = 'not_supported', verdict_reason = 'vanishes_with_size', estimate = 5, estimate_p95 = 60"
        " where as_of_kind = 'story' and question_id = 'size'"
    )
    clear = (
        "update moat_effect set estimate_p05 = {low}, p_permutation = 0.01"
        " where as_of_kind = 'story' and specification_id = 'owning_where_size_is_known'"
    )
    agreeing = "update moat_robustness set verdict = 'not_supported' where as_of_kind = 'story' and question_id = 'size'"
    for low, found in ((10, []), (-1, [("story", "size")])):
        changes = ";".join((vanished, clear.format(low=low), agreeing))
        assert rows_of_check(published, con, "verdicts_follow_the_rule", changes) == found


def test_pairs_of_generations_are_of_video_and_only_changed_ones_count(con: duckdb.DuckDBPyConnection) -> None:
    quantities = con.sql("select distinct quantity from marts.dose_pair").fetchall()
    assert {quantity for (quantity,) in quantities} <= {"hours", "clips", "videos"}
    families = con.sql("select count(distinct family) from marts.dose_pair where change_per_doubling is not null").fetchall()
    assert (
        con.sql("select n_companies from marts.moat_answer where as_of_kind = 'newest' and question_id = 'dose'").fetchall()
        == families
    )


def test_companies_that_a_reader_might_count_otherwise_are_turned_round_in_every_question_but_dose(
    con: duckdb.DuckDBPyConnection,
) -> None:
    contested = con.sql(
        "select distinct company_id from marts.moat_entry where as_of_kind = 'newest' and is_owner_contested"
    ).fetchall()
    assert {"alibaba", "xai"} <= {company for (company,) in contested}
    for (company,) in contested:
        asked = con.execute(
            "select question_id from marts.moat_robustness where as_of_kind = 'newest' and starts_with(perturbation, ?) order by 1",
            [f"{company} counts as "],
        ).fetchall()
        assert [question for (question,) in asked] == ["amount", "owning", "prediction", "short", "size"], company


def test_a_sentence_has_the_days_of_its_captures(con: duckdb.DuckDBPyConnection) -> None:
    for sentence, captures in con.sql("select distinct sentence, captures from marts.moat_answer").fetchall():
        days = sorted(capture.split()[1] for capture in captures)
        assert (f"({days[0]} to {days[-1]})" if days[0] != days[-1] else f"({days[0]})") in sentence


def test_quantiles_for_other_tools_are_those_of_the_forecasts_and_have_their_ratings(con: duckdb.DuckDBPyConnection) -> None:
    frame = con.sql(
        """
        select q.*, f.forecast_mean, f.forecast_scale, f.degrees_of_freedom, f.rating, o.oracle_value
        from marts.forecast_quantile as q join marts.forecast as f using (forecast_model, board_id, entry_key, captured_until)
        left join marts.forecast_oracle as o using (board_id, entry_key)
        """
    ).pl()
    shape = (frame[name].to_numpy() for name in ("output_type_id", "degrees_of_freedom", "forecast_mean", "forecast_scale"))
    np.testing.assert_allclose(stats.t.ppf(*shape), frame["value"].to_numpy(), atol=1e-2)
    assert frame["oracle_value"].equals(frame["rating"], null_equal=True)
    assert set(frame["output_type_id"].unique()) == {0.05, 0.25, 0.5, 0.75, 0.95}
    assert frame["oracle_value"].null_count() > 0  # issued rows, which nobody has seen


def test_scores_and_gains_are_means_of_the_published_forecasts(con: duckdb.DuckDBPyConnection) -> None:
    frame = con.sql("from marts.forecast where is_retrospective").pl()
    names = ("rating", "degrees_of_freedom", "forecast_mean", "forecast_scale")
    scored = stats.t.logpdf(*(frame[name].to_numpy() for name in names))
    np.testing.assert_allclose(scored, frame["log_score"].to_numpy(), atol=2e-3)
    means = frame.group_by("forecast_model").agg(pl.col("log_score").mean(), pl.len())
    published = con.sql(
        "select forecast_model, log_score, n_forecasts, gain_over_date from marts.forecast_score"
        " where as_of_kind = 'newest' qualify quarter_on = max(quarter_on) over ()"
    ).pl()
    both = means.join(published, on="forecast_model", suffix="_published")
    assert both.height == 6
    np.testing.assert_allclose(both["log_score"].to_numpy(), both["log_score_published"].to_numpy(), atol=1e-3)
    base = both.filter(pl.col("forecast_model") == "date")["log_score"].item()
    np.testing.assert_allclose((both["log_score"] - base).to_numpy(), both["gain_over_date"].to_numpy(), atol=2e-3)


def test_issued_forecasts_are_for_every_company_on_a_board_and_name_no_listed_model(con: duckdb.DuckDBPyConnection) -> None:
    missing = con.sql(
        """
        select distinct board_id, company_id from marts.moat_entry where as_of_kind = 'newest'
        except
        select distinct board_id, company_id from marts.forecast where not is_retrospective
        """
    ).fetchall()
    assert missing == []
    assert con.sql(
        "select count(*) from marts.forecast where not is_retrospective and (model_id is not null or rating is not null)"
    ).fetchall() == [(0,)]


def test_a_released_forecast_is_the_printed_one_and_nobody_alters_it_unnoticed(published: Settings, tmp_path: Path) -> None:
    settings = replace(published, data=tmp_path / "data")
    shutil.copytree(published.warehouse, settings.warehouse, copy_function=os.link)
    entry, bundle = make_release(settings, to=tmp_path / "released")
    forecasts = bundle / "parquet" / "forecast.parquet"
    with open_published(settings) as con:
        printed = read_sections(con, settings.content / FORECAST)[0].records
    knowing = pl.col("forecast_model") == printed[0]["knowing"]
    released = pl.read_parquet(forecasts).filter(~pl.col("is_retrospective"), knowing).sort("board_id", "company_id")
    shown = pl.DataFrame(printed).sort("board_id", "company_id")
    assert released.height == shown.height > 50
    for quantile in ("p05", "p50", "p95"):
        np.testing.assert_allclose(released[f"forecast_{quantile}"], shown[f"rating_{quantile}"], atol=0.501)
    np.testing.assert_allclose(released["leads_probability"], shown["chance_to_lead"], atol=0.00501)
    assert verify_bundle(settings, bundle).is_good
    # Another rating in the file, and then its new hash in the list too: each time what was altered is named.
    pl.read_parquet(forecasts).with_columns(pl.col("forecast_p50") + 50).write_parquet(tmp_path / "altered.parquet")
    forecasts.unlink()
    shutil.copyfile(tmp_path / "altered.parquet", forecasts)
    assert [finding.path for finding in verify_bundle(settings, bundle).findings] == ["parquet/forecast.parquet"]
    sums = bundle / "SHA256SUMS"
    lines = [
        f"{sha256_of(forecasts)}{line[64:]}" if line.endswith("/forecast.parquet") else line
        for line in sums.read_text().splitlines()
    ]
    sums.unlink()
    sums.write_text("\n".join(lines) + "\n")
    assert {finding.path for finding in verify_bundle(settings, bundle, entry.checksum).findings} == {"SHA256SUMS"}


def test_no_verdict_depends_on_whether_400_or_all_draws_are_used(con: duckdb.DuckDBPyConnection) -> None:
    differing = con.sql(
        """
        select as_of_kind, question_id, perturbation from marts.moat_robustness as r join marts.moat_answer as a
        using (as_of_kind, as_of_on, question_id)
        where r.perturbation = 'draws: the first 400' and r.verdict <> case
            when a.estimate_p05 > 0 and a.p_permutation < 0.05 then 'supported' when a.estimate_p95 < 20 then 'not_supported' else 'cannot_tell' end
        """
    ).fetchall()
    assert differing == []


def test_every_claim_computed_again_from_its_own_query_gives_its_own_rows(con: duckdb.DuckDBPyConnection) -> None:
    claims = con.sql("select claim_id, sql from marts.claim order by claim_id").fetchall()
    assert len(claims) >= 25
    columns = ["board_id", "captured_on", "verdict", "evidence", "gap_to_leader", "gap_exceeds_interval"]
    for claim_id, sql in claims:
        again = con.sql(sql).pl().select(columns).sort("board_id", "captured_on").rows()
        published = con.sql(
            f"select {', '.join(columns)} from marts.claim_check where claim_id = ? order by board_id, captured_on",
            params=[claim_id],
        ).pl()
        assert again == published.cast({"gap_to_leader": pl.Float64}).rows(), claim_id


def test_every_claim_in_the_reference_has_a_query_and_rows(published: Settings, con: duckdb.DuckDBPyConnection) -> None:
    listed = set(pl.read_csv(published.content / "data" / "reference" / "claims.csv", glob=False)["claim_id"])
    files = {path.stem for path in (published.content / "data" / "reference" / "claim_queries").glob("*.sql")}
    decided = {claim_id for (claim_id,) in con.sql("select distinct claim_id from marts.claim_check").fetchall()}
    assert listed == files == decided


def test_an_association_never_decides_that_data_is_decisive(con: duckdb.DuckDBPyConnection) -> None:
    assert con.sql(
        "select count(*) from marts.claim_check where claim_id = 'data-is-decisive' and verdict = 'true'"
    ).fetchall() == [(0,)]


def test_the_answer_starts_with_its_sentence_and_leaves_no_gap(published: Settings, con: duckdb.DuckDBPyConnection) -> None:
    sections = read_answer(con, published.content)
    page = as_markdown(sections)
    sentence = con.sql("select distinct sentence from marts.moat_answer where as_of_kind = 'newest'").fetchall()[0][0]
    assert sections[0].sentences is not None
    assert sections[0].sentences[0] == sentence
    assert "None" not in page
    prose = " ".join(" ".join(section.sentences) for section in sections if section.sentences is not None)
    assert len(prose.split()) <= 600


def test_the_answer_for_programs_is_one_object_with_six_questions_a_choice(
    published: Settings, con: duckdb.DuckDBPyConnection
) -> None:
    found = read_answer_object(con, published.content)
    assert isinstance(found, dict)
    assert list(found) == ["as_of", "build_id", "sentence", "questions"]
    newest = [row for row in found["questions"] if row["as_of_kind"] == "newest"]
    assert [row["question_id"] for row in newest] == ["owning", "amount", "short", "size", "prediction", "dose"]
    assert json.loads(json.dumps(found, default=str))["sentence"] == found["sentence"]
    assert con.sql("select as_of from meta.build").fetchall() == [(found["as_of"],)]


@pytest.fixture(scope="module")
def scorer(published: Settings) -> ModuleType:
    return example_of(published, "score_forecasts")


@pytest.fixture(scope="module")
def issued(published: Settings) -> pd.DataFrame:
    with open_published(published) as con:
        return con.execute((published.content / "data" / "forecasts" / "issued.sql").read_text(encoding="utf-8")).df()


def test_an_issued_forecast_is_scored_by_the_first_model_of_its_company_that_was_released_later(
    con: duckdb.DuckDBPyConnection, scorer: ModuleType, issued: pd.DataFrame
) -> None:
    day = date(2026, 6, 1)
    found = scorer.score(con, issued, day)
    newest = con.sql("from marts.moat_entry where as_of_kind = 'newest'").pl()
    later = newest.filter(pl.col("released_on") > day).sort("released_on", "rating", descending=[False, True])
    first = {row["board_id"] + row["company_id"]: row for row in reversed(later.to_dicts())}
    assert len(found) == 6 * sum(key in first for key in set(issued["board_id"] + issued["company_id"])) > 60
    for row in found.to_dict("records"):
        entry = first[row["board_id"] + row["company_id"]]
        assert row["rating"] == entry["rating"]
        score = -scoringrules.logs_t(entry["rating"], row["degrees_of_freedom"], row["forecast_mean"], row["forecast_scale"])
        assert row["log_score"] == pytest.approx(float(score), abs=1e-9)
        assert row["pit"] < 0.5 if entry["rating"] < row["forecast_mean"] else row["pit"] >= 0.5


def test_no_forecast_is_scored_by_a_model_released_up_to_its_day_or_on_another_scale(
    con: duckdb.DuckDBPyConnection, scorer: ModuleType, issued: pd.DataFrame
) -> None:
    last = con.sql("select max(released_on) from marts.moat_entry where as_of_kind = 'newest'").fetchall()[0][0]
    assert len(scorer.score(con, issued, last)) == 0
    assert len(scorer.score(con, issued.assign(scale_id=issued["scale_id"].str.replace("/1", "/0")), date(2026, 6, 1))) == 0


def test_every_issued_forecast_has_a_spread_and_is_of_captures_before_its_day(published: Settings, issued: pd.DataFrame) -> None:
    files = sorted((published.content / "data" / "forecasts").glob("*.csv"))
    assert files
    for path in files:
        rows = pd.read_csv(path)
        assert list(rows.columns) == list(issued.columns), path.name
        assert not rows.duplicated(["board_id", "company_id", "forecast_model"]).any(), path.name
        assert rows["captured_until"].max() < path.stem, path.name
        assert rows.notna().all(axis=None), path.name
        assert (rows["forecast_scale"] > 0).all(), path.name
        assert rows["leads_probability"].between(0, 1).all(), path.name
