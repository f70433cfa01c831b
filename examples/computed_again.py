"""Compute six numbers of docs/answer.md and a row of dose_pair again with SQL and scipy, from the published tables alone.

Usage: python examples/computed_again.py [data/warehouse/datamoat.duckdb]

The questions `owning`, `size` and `amount`, with a mixed model on full matrices; the permutation p of `owning`; the gain of
question `prediction`; a row of dose_pair; and the chance that the next entry of a company leads a board.
"""

import sys

import duckdb
import numpy as np
import pandas as pd
from scipy import linalg, optimize, stats

PUBLISHED = sys.argv[1] if len(sys.argv) > 1 else "data/warehouse/datamoat.duckdb"
ANSWER = "select {column} from marts.moat_answer where as_of_kind = 'newest' and question_id = ?"
ENTRIES = """
    select *, (released_on - date '2026-01-01') / 365.25 as year, log10(size_usd) as log_size, coalesce(size_measure = 'funding', false) as is_funding
    from marts.moat_entry
    where as_of_kind = 'newest'
    order by board_id, entry_key
"""
HOURS = """
    select entry.board_id || entry.entry_key as entry, draws.draw, log2(draws.usable_hours) as log_hours
    from marts.moat_entry as entry
    join marts.company_moat_draws as draws on entry.company_id = draws.company_id and entry.volume_month = draws.month
    where entry.as_of_kind = 'newest' and entry.owns_platform
"""
DOSE = """
    select (rating_to - rating_from - expected_change) / log2(dose_ratio) as here, change_per_doubling
    from marts.dose_pair
    where change_per_doubling is not null
    order by pair_id, board_id
    limit 1
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
N_ORDERS = 20_000


def published(con: duckdb.DuckDBPyConnection, question: str, column: str = "estimate") -> float:
    """Return a published number about the newest captures."""
    return float(con.execute(ANSWER.format(column=column), [question]).fetchall()[0][0])


def same(values: pd.Series) -> np.ndarray:
    """Return 1 for each two rows with the same value, else 0."""
    return (values.to_numpy()[:, None] == values.to_numpy()[None, :]).astype(float)


def controls(frame: pd.DataFrame) -> np.ndarray:
    """Return levels of the boards, a quadratic trend and the controls."""
    year = frame["year"] - frame["year"].mean()
    flags = frame[["is_open_weights", "has_sound", "is_fast_tier", "is_high_resolution"]].astype(float)
    return np.column_stack([pd.get_dummies(frame["board_id"]).astype(float), year, year**2, flags])


def inverse_covariance(frame: pd.DataFrame, x: np.ndarray) -> np.ndarray:
    """Return the inverse of the covariance of ratings, its standard deviations by restricted maximum likelihood."""
    y, board = frame["rating"].to_numpy(), np.unique(frame["board_id"], return_inverse=True)[1]
    company, model, error = same(frame["company_id"]), same(frame["panel_model"]), frame["rating_se"].to_numpy() ** 2

    def covariance(log_sd: np.ndarray) -> np.ndarray:
        sd2 = np.exp(2 * log_sd)
        return sd2[0] * company + sd2[1] * model + np.diag(sd2[2:][board] + error)

    def criterion(log_sd: np.ndarray) -> float:
        lower = linalg.cholesky(covariance(log_sd), lower=True)
        white = linalg.solve_triangular(lower, np.column_stack([x, y]), lower=True)
        r = linalg.qr(white, mode="r")[0]
        return float(np.log(np.diag(lower)).sum() + np.log(np.abs(np.diag(r)[:-1])).sum() + 0.5 * r[x.shape[1], -1] ** 2)

    found = optimize.minimize(criterion, np.full(2 + board.max() + 1, np.log(25.0)), bounds=[(-6.0, 8.0)] * (3 + board.max()))
    return linalg.inv(covariance(found.x))


def coefficient(frame: pd.DataFrame, x: np.ndarray) -> float:
    """Return the last coefficient by generalised least squares."""
    inverse = inverse_covariance(frame, x)
    return float(linalg.solve(x.T @ inverse @ x, x.T @ inverse @ frame["rating"].to_numpy())[-1])


def owning(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return how many points owners are ahead, and the published estimate."""
    frame = con.sql(ENTRIES).df()
    return coefficient(frame, np.column_stack([controls(frame), frame["owns_platform"]])), published(con, "owning")


def size(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return how many points owners are ahead of other companies of their size, and the published estimate."""
    frame = con.sql(ENTRIES).df().dropna(subset="log_size")
    x = np.column_stack([controls(frame), frame["log_size"], frame["is_funding"], frame["owns_platform"]]).astype(float)
    return coefficient(frame, x), published(con, "size")


def amount(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return the points per doubling of hours with the highest likelihood, a mean over draws, and the published estimate."""
    frame, drawn = con.sql(ENTRIES).df(), con.sql(HOURS).df()
    hours = drawn.pivot_table(index="entry", columns="draw", values="log_hours")
    entry = frame["board_id"] + frame["entry_key"]
    known = ~frame["owns_platform"] | entry.isin(hours.index)
    frame, entry = frame[known], entry[known]
    values = hours.reindex(entry).sub(float(hours.loc[entry[frame["owns_platform"]]].to_numpy().mean())).fillna(0.0).to_numpy()
    base, y = np.column_stack([controls(frame), frame["owns_platform"]]).astype(float), frame["rating"].to_numpy()
    weights = np.full(values.shape[1], 1 / values.shape[1])
    for _ in range(2):  # at the mean over draws, then at the mean that the likelihood weights
        inverse = inverse_covariance(frame, np.column_stack([base, values @ weights]))
        left = inverse - inverse @ base @ linalg.solve(base.T @ inverse @ base, base.T @ inverse)
        score, precision = values.T @ left @ y, ((left @ values) * values).sum(axis=0)
        log_mass = 0.5 * score**2 / precision - 0.5 * np.log(precision)
        weights = np.exp(log_mass - log_mass.max())
        weights /= weights.sum()

    def log_likelihood(slope: float) -> float:
        each = slope * score - 0.5 * slope**2 * precision
        return float(each.max() + np.log(np.exp(each - each.max()).sum()))

    grid = np.linspace(-80, 80, 321)
    best = max(grid, key=log_likelihood)
    found = optimize.minimize_scalar(lambda slope: -log_likelihood(slope), bounds=(best - 1, best + 1), method="bounded")
    return float(found.x), published(con, "amount")


def permutation_p(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return how often random owners are at least as far from the others as those of the table, and the published p."""
    frame = con.sql(ENTRIES).df()
    x, y = controls(frame), frame["rating"].to_numpy()
    inverse = inverse_covariance(frame, x)
    left = inverse - inverse @ x @ linalg.solve(x.T @ inverse @ x, x.T @ inverse)
    members = pd.get_dummies(frame["company_id"]).astype(float)
    owns = frame.groupby("company_id")["owns_platform"].max().reindex(members.columns).to_numpy().astype(float)
    score, spread = members.to_numpy().T @ left @ y, members.to_numpy().T @ left @ members.to_numpy()
    orders = np.random.default_rng(1).permuted(np.tile(owns, (N_ORDERS, 1)), axis=1)
    reached = [np.abs(rows @ score) / np.sqrt(((rows @ spread) * rows).sum(axis=1)) for rows in (orders, owns[None])]
    return float((reached[0] >= reached[1] - 1e-9).mean()), published(con, "owning", "p_permutation")


def dose(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return the change beyond the date trend per doubling of the first pair on its first board, and the published one."""
    here, stated = con.sql(DOSE).fetchall()[0]
    return float(here), float(stated)


def prediction(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return the mean gain in log score that owning and hours bring over date and controls, and the published one."""
    found = con.sql(FORECASTS).df()
    found["score"] = stats.t.logpdf(found["rating"], found["df"], found["centre"], found["scale"])
    mean = found.groupby("forecast_model")["score"].mean()
    return float(mean["volume"] - mean["date"]), published(con, "prediction")


def chance_to_lead(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Return the chance that ByteDance's next entry leads Arena's text-to-video board, and the published one."""
    centre, scale, df, stated, top, error = con.sql(NEXT).fetchall()[0]
    return float(stats.t.sf(top, df, centre, np.hypot(scale, error))), stated


def main() -> None:
    """Print each number as computed here and as published."""
    with duckdb.connect(PUBLISHED, read_only=True) as con:
        for compute in (owning, size, amount, permutation_p, prediction, dose, chance_to_lead):
            here, stated = compute(con)
            print(f"{compute.__name__.replace('_', ' ')}: computed {here:.4f}, published {stated:.4f}")


if __name__ == "__main__":
    main()
