"""Draws and quantiles of every platform's flow, stock and usable hours, in every scenario.

Usable hours are the hours still public, less near-repeats, times the yield of the filters that training sets are cut
with. Both shares are common to all platforms; a ratio of its own per platform keeps them from being the same.
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
    """Cut the stock to what is usable, and keep the published part of the draws."""
    table = stg_reference__assumptions.collect()
    factor = float(table.filter(pl.col("name") == "wide_factor")["p50"][0])
    kept: list[pl.DataFrame] = []
    usable: list[pl.DataFrame] = []
    for scenario in ("baseline", "official_only", "wide"):
        drawn = int_platform__draws.filter(pl.col("scenario_id") == scenario).sort("platform_id", "month").collect()
        n_draws = drawn["stock_hours_draws"].list.len()[0]
        given = read_assumptions(table, seed=settings["seed"], n_draws=n_draws, widen=factor if scenario == "wide" else 1.0)
        for platform in drawn["platform_id"].unique().sort():
            mine = drawn.filter(pl.col("platform_id") == platform)
            ratio = np.exp(given.draw("yield_platform_ratio_log", platform))
            share = np.minimum(given.draw("yield_hours_raw_to_pretrain") * ratio, 1.0) * (1 - given.draw("dup_share_hours"))
            values = {"usable_hours": stacked(mine, "stock_hours_draws") * share}
            usable.append(
                mine.select("scenario_id", "platform_id", "month").with_columns(**quantile_columns(values, mine.height))
            )
            if scenario == "baseline":
                recent = (mine["month"] >= settings["volume_draws_from"]).to_numpy()
                shown = mine.filter(recent)
                uploads, seconds, videos, hours = (
                    stacked(shown, f"{name}_draws")
                    for name in ("uploads_per_day", "mean_duration_seconds", "stock_videos", "stock_hours")
                )
                quantities = {
                    "uploads_per_day": uploads,
                    "mean_duration_seconds": seconds,
                    "upload_hours_per_day": uploads * seconds / 3600,
                    "stock_videos": videos,
                    "stock_hours": hours,
                    "usable_hours": values["usable_hours"][recent],
                }
                keys = {"platform_id": shown["platform_id"].to_list(), "month": shown["month"].to_list()}
                published = long_draws(keys, quantities, settings["n_published_draws"], pl.Float32)
                kept.append(published.with_columns(pl.col("usable_hours").cast(pl.Float64)))
    quantiles = int_platform__flow_quantiles.collect().join(
        pl.concat(usable), on=["scenario_id", "platform_id", "month"], how="inner", validate="1:1"
    )
    return {"int_platform__volume_draws": pl.concat(kept), "int_platform__volume_quantiles": quantiles}
