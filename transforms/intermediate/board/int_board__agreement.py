"""How far two video boards order the models they share alike, day by day.

Each model counts once a board, by the best of its ranked entries. A pair is compared on every day one of the two
boards changed and the other has a complete capture of at most 14 days before. Only curated matches count.
"""

from datetime import date, timedelta
from itertools import combinations

import polars as pl

from moat.link.agreement import kendall_tau_b, spearman_rho

GRAIN = ("board_a", "board_b", "captured_on")
NULLABLE = ("spearman", "kendall")

MAX_AGE = timedelta(days=14)  # as in the macro as_of_board
FEWEST = 3  # two models are always in one order or the other
MATCHED = ("confirmed", "probable", "version_only")

Board = dict[str, tuple[float, bool]]  # model: its best rating, and whether the match is confirmed


def model(int_board__entry: pl.LazyFrame, int_board__status: pl.LazyFrame) -> pl.DataFrame:
    """Return one row per pair of boards and day."""
    best = (
        int_board__entry.filter(
            pl.col("capture_status") == "ok",
            pl.col("board_family") == "video",
            pl.col("match_status").is_in(MATCHED),
            pl.col("is_ranked"),
            pl.col("rating").is_not_null(),
        )
        .with_columns((pl.col("match_status") == "confirmed").alias("is_confirmed"))
        .sort("board_id", "captured_on", "model_id", "rating", "is_confirmed", descending=[False, False, False, True, True])
        .group_by("board_id", "captured_on", "model_id", maintain_order=True)
        .agg(pl.col("rating").first(), pl.col("is_confirmed").first())
        .collect()
    )
    boards: dict[str, dict[date, Board]] = {}
    for board_id, day, model_id, rating, is_confirmed in best.iter_rows():
        boards.setdefault(board_id, {}).setdefault(day, {})[model_id] = (rating, is_confirmed)
    changed = int_board__status.filter(pl.col("status") == "ok").select("board_id", "captured_on").collect()
    changes: dict[str, set[date]] = {}
    for board_id, day in changed.iter_rows():
        changes.setdefault(board_id, set()).add(day)
    rows = [
        {"board_a": a, "board_b": b, "captured_on": day, **compared(boards[a][on_a], boards[b][on_b])}
        for a, b in combinations(sorted(boards), 2)
        for day in sorted(changes.get(a, set()) | changes.get(b, set()))
        if (on_a := newest(boards[a], day)) is not None and (on_b := newest(boards[b], day)) is not None
    ]
    return pl.DataFrame(
        rows,
        schema={
            "board_a": pl.String,
            "board_b": pl.String,
            "captured_on": pl.Date,
            "n_shared": pl.Int32,
            "n_confirmed": pl.Int32,
            "spearman": pl.Float64,
            "kendall": pl.Float64,
            "n_only_a": pl.Int32,
            "n_only_b": pl.Int32,
        },
    )


def newest(days: dict[date, Board], day: date) -> date | None:
    """Return the newest capture on or before `day` that is not too old."""
    return max((held for held in days if day - MAX_AGE <= held <= day), default=None)


def compared(a: Board, b: Board) -> dict[str, float | int | None]:
    """Return how two boards agree on the models they share."""
    shared = sorted(a.keys() & b.keys())
    ratings_a, ratings_b = [a[name][0] for name in shared], [b[name][0] for name in shared]
    enough = len(shared) >= FEWEST
    return {
        "n_shared": len(shared),
        "n_confirmed": sum(a[name][1] and b[name][1] for name in shared),
        "spearman": spearman_rho(ratings_a, ratings_b) if enough else None,
        "kendall": kendall_tau_b(ratings_a, ratings_b) if enough else None,
        "n_only_a": len(a) - len(shared),
        "n_only_b": len(b) - len(shared),
    }
