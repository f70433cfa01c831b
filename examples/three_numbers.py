"""Compute three numbers of docs/answer.md again with SQL and scipy, from the published tables alone.

Usage: python examples/three_numbers.py [data/warehouse/datamoat.duckdb]

The questions `dose` and `prediction`, and the chance that the next entry of a company leads a board.
"""

import sys

import duckdb
import numpy as np
from scipy import stats

PUBLISHED = sys.argv[1] if len(sys.argv) > 1 else "data/warehouse/datamoat.duckdb"
ANSWER = "select estimate from marts.moat_answer where as_of_kind = 'newest' and question_id = ?"
DOSE = """
    select family, avg(n_doublings) as doublings, avg(rating_change - expected_change) as unexplained
    from marts.dose_pair
    group by family
"""
FORECASTS = """
    select board_id, entry_key, forecast_model, rating, forecast_mean as centre, forecast_scale as scale, degrees_of_freedom as df
    from marts.forecast
    where is_retrospective and forecast_model in ('date', 'volume')
    order by board_id, entry_key, forecast_model
"""
NEXT = """
    select forecast_mean, forecast_scale, degrees_of_freedom, leads_probability, top.rating, top.rating_se
    from marts.forecast
    join (
        select board_id, max_by(rating, rating) as rating, max_by(rating_se, rating) as rating_se
        from marts.moat_entry
        where as_of_kind = 'newest'
        group by board_id
    ) as top using (board_id)
    where not is_retrospective and board_id = 'arena_text_to_video' and company_id = 'bytedance' and forecast_model = 'size'
"""


def dose(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return the slope through the origin of unexplained points on doublings of data over families, and the published one."""
    found = con.sql(DOSE).df()
    slope = (found["doublings"] @ found["unexplained"]) / (found["doublings"] @ found["doublings"])
    return float(slope), con.execute(ANSWER, ["dose"]).fetchall()[0][0]


def prediction(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return the mean gain in log score that owning and hours bring over date and controls, and the published one."""
    found = con.sql(FORECASTS).df()
    found["score"] = stats.t.logpdf(found["rating"], found["df"], found["centre"], found["scale"])
    mean = found.groupby("forecast_model")["score"].mean()
    return float(mean["volume"] - mean["date"]), con.execute(ANSWER, ["prediction"]).fetchall()[0][0]


def chance_to_lead(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return the chance that ByteDance's next entry leads Arena's text-to-video board, and the published one."""
    centre, scale, df, published, top, error = con.sql(NEXT).fetchall()[0]
    return float(stats.t.sf(top, df, centre, np.hypot(scale, error))), published


def main() -> None:
    """Print each number as computed here and as published."""
    with duckdb.connect(PUBLISHED, read_only=True) as con:
        for name, compute in (("dose", dose), ("prediction", prediction), ("chance to lead", chance_to_lead)):
            here, published = compute(con)
            print(f"{name}: computed {here:.4f}, published {published:.4f}")


if __name__ == "__main__":
    main()
