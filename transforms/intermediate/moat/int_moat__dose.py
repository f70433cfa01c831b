"""Pairs of generations of a family whose video data are disclosed: the change of rating beyond the date trend, per doubling of the data.

`int_moat__dose` holds the pairs on each board of the newest captures, `int_moat__dosed` the finding of question `dose`.
"""

from typing import Any

import numpy as np
import polars as pl

from moat.link import dose, rule
from moat.link.effects import independent
from moat.link.mixed import Groups, reml
from moat.link.tables import CONTROLS, DAYS_OF_YEAR, EPOCH

SMALLEST = 20.0  # smallest effect of interest, in points per doubling
FEWEST_DOUBLINGS = 0.1
DECIMALS = 4
VIDEO = ("hours", "clips", "videos")  # what counts as data of video; images do not
STAGES = {
    "pretrain": 0,
    "filtered": 1,
    "raw": 2,
    "finetune": 3,
    "unstated": 4,
}  # of the stages disclosed for both the first counts
KEY = ("as_of_kind", "as_of_on")
TABLES = {"int_moat__dose": ("pair_id", "board_id", "captured_on"), "int_moat__dosed": ("as_of_kind", "as_of_on")}
ESTIMATE = ("estimate", "estimate_p05", "estimate_p95", "p_permutation", "min_possible_p")
NULLABLE = ("change_per_doubling", "estimate", "estimate_p05", "estimate_p95", "p_permutation", "min_possible_p")
PAIR_COLUMNS = (
    "pair_id", "board_id", "captured_on", "family", "model_id_from", "model_id_to", "quantity", "stage_kind", "dose_ratio", "dose_ratio_bound",
    "n_doublings", "rating_from", "rating_to", "rating_change", "expected_change", "change_per_doubling", "citation_ids",
)  # fmt: skip


def model(
    int_moat__panel: pl.LazyFrame, stg_reference__dose_pairs: pl.LazyFrame, settings: dict[str, Any]
) -> dict[str, pl.DataFrame]:
    """Find the pairs of every choice of captures."""
    panel = int_moat__panel.filter(pl.col("board_role") == "primary").sort("board_id", "entry_key").collect()
    pairs = (
        stg_reference__dose_pairs.filter("is_usable", pl.col("dose_ratio").is_not_null(), pl.col("quantity").is_in(VIDEO))
        .sort(pl.col("stage_kind").replace_strict(STAGES, return_dtype=pl.Int8), "pair_id")
        .unique(["model_id_from", "model_id_to"], keep="first", maintain_order=True)
        .collect()
    )
    shown, rows = [], []
    for kind, day in panel.select(KEY).unique().sort(KEY).iter_rows():
        joined = joined_pairs(panel.filter(pl.col("as_of_kind") == kind, pl.col("as_of_on") == day), pairs)
        rows.append({"as_of_kind": kind, "as_of_on": day} | finding(joined, settings["seed"]))
        if kind == "newest":
            shown.append(joined.select(PAIR_COLUMNS))
    return {
        "int_moat__dose": pl.concat(shown).with_columns(pl.col(pl.Float64).round(DECIMALS)).sort(TABLES["int_moat__dose"]),
        "int_moat__dosed": pl.DataFrame(rows, schema_overrides=dict.fromkeys(ESTIMATE, pl.Float64)).with_columns(
            pl.col(pl.Float64).round(DECIMALS)
        ),
    }


def joined_pairs(entries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return each pair on each board that lists both, with what the date trend and the controls alone would have changed."""
    company, model_, board = (
        entries[name].rank("dense").cast(pl.Int64).to_numpy() - 1 for name in ("company_id", "panel_model", "board_id")
    )
    day = ((entries["released_on"] - EPOCH).dt.total_days() / DAYS_OF_YEAR).to_numpy()
    x = np.column_stack([np.eye(int(board.max()) + 1)[board], day, day**2, entries.select(CONTROLS).cast(pl.Float64).to_numpy()])
    x = x[:, independent(x)]
    fit = reml(Groups(company, model_, board, entries["rating_se"].to_numpy()), x, entries["rating"].to_numpy())
    known = (
        entries.with_columns(expected=pl.Series(x @ fit.beta))
        .group_by("board_id", "captured_on", "model_id")
        .agg(pl.col("rating").mean(), pl.col("expected").mean())
    )
    return (
        pairs.join(known.rename({"model_id": "model_id_from", "rating": "rating_from", "expected": "expected_from"}), on="model_id_from")
        .join(known.rename({"model_id": "model_id_to", "rating": "rating_to", "expected": "expected_to"}), on=["model_id_to", "board_id", "captured_on"])
        .with_columns(
            rating_change=pl.col("rating_to") - pl.col("rating_from"), expected_change=pl.col("expected_to") - pl.col("expected_from"),
            n_doublings=pl.col("dose_ratio").log(2),
        )
        .with_columns(
            change_per_doubling=pl.when(pl.col("n_doublings").abs() >= FEWEST_DOUBLINGS).then(
                (pl.col("rating_change") - pl.col("expected_change")) / pl.col("n_doublings")
            )
        )
        .sort("pair_id", "board_id")
    )  # fmt: skip


def finding(joined: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Return the finding over families whose data changed: one with as much data as before cannot show what more does."""
    joined = joined.filter(pl.col("change_per_doubling").is_not_null())
    family = joined["family"].rank("dense").cast(pl.Int64).to_numpy()
    change, expected, doublings = (joined[name].to_numpy() for name in ("rating_change", "expected_change", "n_doublings"))
    found = dose.slope(change, expected, doublings, family, seed)
    counts = {
        "n_companies": joined["family"].n_unique(),
        "n_owners": 0,
        "n_models": pl.concat([joined["model_id_from"], joined["model_id_to"]]).n_unique(),
    }
    if found is None:
        empty = dict.fromkeys(ESTIMATE)
        return empty | counts | {"smallest_effect": SMALLEST, "verdict": "cannot_tell", "verdict_reason": "too_few_families"}
    word, reason = rule.verdict(rule.Evidence(found.estimate, found.p05, found.p95, found.test.p), SMALLEST)
    return counts | {
        "estimate": found.estimate, "estimate_p05": found.p05, "estimate_p95": found.p95, "p_permutation": found.test.p,
        "min_possible_p": found.test.min_p, "smallest_effect": SMALLEST, "verdict": word, "verdict_reason": reason,
    }  # fmt: skip
