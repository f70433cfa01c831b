"""Draws and quantiles of every platform's uploads, public hours and hours after filtering, in every scenario.

Hours after filtering are the cumulative public hours, less near-duplicates, times the retention rate of the filters of training
sets. Both shares are common to all platforms; a ratio of its own per platform keeps them from being the same.
"""

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


def model(
    int_platform__draws: pl.LazyFrame,
    int_platform__flow_quantiles: pl.LazyFrame,
    stg_reference__assumptions: pl.LazyFrame,
    settings: dict[str, Any],
) -> dict[str, pl.DataFrame]:
    """Add hours after filtering, and lay the draws out one a row."""
    table = stg_reference__assumptions.collect()
    factor = float(table.filter(pl.col("name") == "wide_factor")["p50"][0])
    published: list[pl.DataFrame] = []
    usable: list[pl.DataFrame] = []
    columns = ("uploads_per_day", "mean_duration_seconds", "upload_hours_per_day", "stock_videos", "stock_hours")
    drawn = int_platform__draws.sort("scenario_id", "platform_id", "month").collect()
    for (scenario, platform), mine in drawn.group_by("scenario_id", "platform_id", maintain_order=True):
        widen = factor if scenario == "wide" else 1.0
        given = read_assumptions(table, seed=settings["seed"], n_draws=settings["n_draws"], widen=widen)
        ratio = np.exp(given.draw("yield_platform_ratio_log", str(platform)))
        share = np.minimum(given.draw("yield_hours_raw_to_pretrain") * ratio, 1.0) * (1 - given.draw("dup_share_hours"))
        values = {"usable_hours": stacked(mine, "stock_hours_draws") * share}
        found = quantile_columns(values, mine.height, ("usable_hours",))
        usable.append(mine.select("scenario_id", "platform_id", "month").with_columns(**found))
        if scenario == "baseline":
            recent = (mine["month"] >= settings["volume_draws_from"]).to_numpy()
            shown = mine.filter(recent)
            keys = {"platform_id": shown["platform_id"].to_list(), "month": shown["month"].to_list()}
            quantities = {name: stacked(shown, f"{name}_draws") for name in columns}
            drawn_rows = long_draws(keys, quantities, settings["n_draws"], pl.Float32)
            hours = long_draws(keys, {"usable_hours": values["usable_hours"][recent]}, settings["n_draws"], pl.Float64)
            published.append(drawn_rows.with_columns(hours["usable_hours"]))
    quantiles = int_platform__flow_quantiles.collect().join(
        pl.concat(usable), on=["scenario_id", "platform_id", "month"], how="inner", validate="1:1"
    )
    return {"int_platform__volume_draws": pl.concat(published), "int_platform__volume_quantiles": quantiles}
