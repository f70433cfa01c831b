"""One score for each model over the newest complete captures of the four primary boards: differences within boards count, levels never.

Secondary to the boards themselves: it shows how a model does where boards disagree, and how far one model's rating strays
between boards beyond voting noise.
"""

import numpy as np
import polars as pl

from moat.link.crossboard import cross_board_scores
from moat.uncertainty.quantiles import Split

GRAIN = ("model_id",)


def model(
    int_board__entry: pl.LazyFrame, int_moat__board: pl.LazyFrame, stg_reference__assumptions: pl.LazyFrame
) -> pl.DataFrame:
    """Return models that a person matched, by their best entry on each board."""
    primaries = int_moat__board.filter(pl.col("board_role") == "primary").select("board_id")
    entries = (
        int_board__entry.join(primaries, on="board_id", how="semi")
        .filter(
            pl.col("capture_status") == "ok",
            pl.col("is_ranked"),
            pl.col("rating").is_not_null(),
            pl.col("match_status").is_in(["confirmed", "probable"]),
        )
        .filter(pl.col("captured_on") == pl.col("captured_on").max().over("board_id"))
        .with_columns(se=(pl.col("rating_high") - pl.col("rating_low")) / (2 * 1.96))
        .with_columns(se=pl.when(pl.col("se") > 0).then("se").otherwise(pl.col("se").median().over("board_id")).fill_null(0.0))
        .sort("board_id", "model_id", "rating", "entry_key", descending=[False, False, True, False])
        .unique(["board_id", "model_id"], keep="first", maintain_order=True)
        .collect()
    )
    models, boards = (entries[name].unique().sort() for name in ("model_id", "board_id"))
    assumed = stg_reference__assumptions.filter(pl.col("name") == "arena_cross_board_sd").collect()
    scores = cross_board_scores(
        np.searchsorted(models.to_numpy(), entries["model_id"].to_numpy()),
        np.searchsorted(boards.to_numpy(), entries["board_id"].to_numpy()),
        entries["rating"].to_numpy(),
        entries["se"].to_numpy(),
        Split(*assumed.select("distribution", "p05", "p50", "p95").row(0)).checked("arena_cross_board_sd"),
    )
    listed = entries.group_by("model_id").agg(
        company_id=pl.col("company_id").sort().first(),
        n_boards=pl.len().cast(pl.Int32),
        boards_read=pl.format("{} {}", "board_id", "captured_on").sort(),
        citation_ids=pl.col("citation_ids").list.explode().unique().sort(),
    )
    return (
        pl.DataFrame({"model_id": models, "cross_board_score": scores.mean.round(6), "cross_board_score_sd": scores.sd.round(6)})
        .join(listed, on="model_id")
        .with_columns(
            between_board_sd=pl.lit(round(scores.omega, 6)),
            is_between_board_sd_assumed=pl.lit(scores.is_assumed),
            assumption_ids=pl.lit(assumed["assumption_id"].to_list(), dtype=pl.List(pl.String)),
        )
    )
