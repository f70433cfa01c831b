"""Draws and quantiles of every platform's uploads, public hours and hours after filtering, in every scenario.

Hours after filtering are the cumulative public hours, less near-duplicates, times the retention rate of the filters of training
sets. Both shares are common to all platforms; a ratio of its own per platform keeps them from being the same.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from moat.uncertainty.assumptions import long_draws, quantile_columns, read_assumptions, stacked

GRAIN = ("platform_id", "month", "draw")
CACHE = True
TABLES = {
    "int_platform__volume_draws": ("platform_id", "month", "draw"),
    "int_platform__volume_quantiles": ("platform_id", "month", "scenario_id"),
}

KEY = ("scenario_id", "platform_id", "month")


def model(
    int_platform__draws: pl.LazyFrame,
    int_platform__flow_quantiles: pl.LazyFrame,
    int_platform__wide_draws: pl.LazyFrame,
    int_platform__wide_quantiles: pl.LazyFrame,
    stg_reference__assumptions: pl.LazyFrame,
    settings: dict[str, Any],
) -> dict[str, pl.DataFrame | Iterator[pl.DataFrame]]:
    """Add hours after filtering, and lay the draws out one a row."""
    table = stg_reference__assumptions.collect()
    factor = float(table.filter(pl.col("name") == "wide_factor")["p50"][0])
    seed, n_draws = settings["seed"], settings["n_draws"]
    published: list[pl.DataFrame] = []
    usable: list[pl.DataFrame] = []
    columns = ("uploads_per_day", "mean_duration_seconds", "upload_hours_per_day", "stock_videos", "stock_hours")
    for scenario in ("baseline", "official_only", "wide"):
        given = read_assumptions(table, seed=seed, n_draws=n_draws, widen=factor if scenario == "wide" else 1.0)
        table_of = int_platform__wide_draws if scenario == "wide" else int_platform__draws
        drawn = table_of.filter(pl.col("scenario_id") == scenario).sort("platform_id", "month")
        needed = [f"{name}_draws" for name in (columns if scenario == "baseline" else ("stock_hours",))]
        for (platform,), mine in drawn.select(*KEY, *needed).collect().group_by("platform_id", maintain_order=True):
            ratio = np.exp(given.draw("yield_platform_ratio_log", str(platform)))
            share = np.minimum(given.draw("yield_hours_raw_to_pretrain") * ratio, 1.0) * (1 - given.draw("dup_share_hours"))
            values = {"usable_hours": stacked(mine, "stock_hours_draws") * share}
            usable.append(mine.select(KEY).with_columns(**quantile_columns(values, mine.height, ("usable_hours",))))
            if scenario == "baseline":
                recent = (mine["month"] >= settings["volume_draws_from"]).to_numpy()
                shown = mine.filter(recent)
                keys = {"platform_id": shown["platform_id"].to_list(), "month": shown["month"].to_list()}
                rows = long_draws(keys, {name: stacked(shown, f"{name}_draws") for name in columns}, n_draws, pl.Float32)
                hours = long_draws(keys, {"usable_hours": values["usable_hours"][recent]}, n_draws, pl.Float64)
                published.append(rows.with_columns(hours["usable_hours"]))
    quantiles = pl.concat([int_platform__flow_quantiles, int_platform__wide_quantiles]).collect()
    quantiles = quantiles.join(pl.concat(usable), on=KEY, how="inner", validate="1:1")
    return {"int_platform__volume_draws": iter(published), "int_platform__volume_quantiles": quantiles}
