"""Fit the questions `owning` and `size` again with statsmodels, from the published tables alone.

Usage: python examples/mixed_model.py [data/warehouse/datamoat.duckdb]

statsmodels knows one residual variance. The published model has one for each board beside the known standard error of each
rating; rows are therefore weighted by the published residual variances, and companies and models enter as variance components.
"""

import sys

import duckdb
import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

PUBLISHED = sys.argv[1] if len(sys.argv) > 1 else "data/warehouse/datamoat.duckdb"
ENTRIES = """
    select
        board_id, company_id, panel_model, rating, rating_se, (released_on - date '2026-01-01') / 365.25 as year, is_open_weights, has_sound,
        is_fast_tier, is_high_resolution, owns_platform, log10(size_usd) as log_size, coalesce(size_measure = 'funding', false) as is_funding
    from marts.moat_entry
    where as_of_kind = 'newest' and (size_usd is not null or not ?)
"""
EFFECTS = "select estimate, (estimate_p95 - estimate_p05) / 2 as half, residual_sds from marts.moat_effect where as_of_kind = 'newest' and board_id = 'all' and specification_id = ?"


def indicators(values: np.ndarray) -> np.ndarray:
    """Return one column for each value."""
    return (values[:, None] == np.unique(values)[None, :]).astype(float)


def fit(con: duckdb.DuckDBPyConnection, question: str) -> tuple[float, float]:
    """Return estimate and standard error of owning; for `size` controlling for the size of the company."""
    frame = con.execute(ENTRIES, [question == "size"]).df()
    flags = ["is_open_weights", "has_sound", "is_fast_tier", "is_high_resolution"]
    year = frame["year"] - frame["year"].mean()
    columns = [indicators(frame["board_id"].to_numpy()), np.column_stack([year, year**2]), frame[flags].astype(float)]
    if question == "size":
        columns.append(frame[["log_size", "is_funding"]].astype(float))
    design = np.hstack([*columns, frame[["owns_platform"]].astype(float)])
    residual = np.array(con.execute(EFFECTS, [question]).fetchall()[0][2])
    board = np.unique(frame["board_id"].to_numpy(), return_inverse=True)[1]
    weight = 1 / np.hypot(residual[board], frame["rating_se"].to_numpy())
    parts = {name: indicators(frame[name].to_numpy()) * weight[:, None] for name in ("company_id", "panel_model")}
    labels = [[f"{name}{i}" for i in range(part.shape[1])] for name, part in parts.items()]
    components = VCSpec(list(parts), [[label] for label in labels], [[part] for part in parts.values()])
    model = MixedLM(frame["rating"].to_numpy() * weight, design * weight[:, None], np.ones(len(frame)), exog_vc=components)
    found = model.fit(reml=True, method=["bfgs", "cg"])
    return float(found.fe_params[-1]), float(found.bse_fe[-1])


def main() -> None:
    """Print both questions, fitted here and as published."""
    with duckdb.connect(PUBLISHED, read_only=True) as con:
        for question in ("owning", "size"):
            estimate, error = fit(con, question)
            published, half, _ = con.execute(EFFECTS, [question]).fetchall()[0]
            print(f"{question}: statsmodels {estimate:+.1f} ± {error:.1f}, published {published:+.1f} (90 % ± {half:.1f})")


if __name__ == "__main__":
    main()
