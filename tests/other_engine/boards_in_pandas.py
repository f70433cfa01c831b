"""The board tables once more, as a plain pandas script that shares no line with the models: an oracle, and a pace-maker.

It reads the transcribed CSVs and follows the sentences of docs/decisions/0020 and of the tables' descriptions. Run as a
program it prints how long it took.
"""

import sys
import time
from pathlib import Path

import pandas as pd

REFERENCE = Path(__file__).resolve().parents[2] / "data" / "reference"
ROUTES = ["api", "dataset", "page", "web", "api_free"]  # the order of preference between captures that are equally full
DAY = ["board_id", "captured_on"]


def read(name: str) -> pd.DataFrame:
    """Return a CSV of ours with its days as days."""
    frame = pd.read_csv(REFERENCE / f"{name}.csv", low_memory=False)
    for column in {"captured_on", "board_published_on"} & set(frame.columns):
        frame[column] = pd.to_datetime(frame[column])
    return frame


def serving_captures(captures: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """Return the one capture that serves each day.

    Complete before partial, the publisher's later one, one that marks retired entries, fuller before emptier, then by route.
    """
    filled = entries.groupby("capture_id")[["rating", "rating_low", "n_votes"]].count().sum(axis=1).rename("n_filled")
    usable = captures[captures["status"].isin(["ok", "partial"]) & (captures["verification"] != "UNVERIFIED")]
    usable = usable.merge(filled, on="capture_id")  # inner: a capture of which no entry is held serves nobody
    usable = usable.merge(
        (~entries["is_ranked"].astype(bool)).groupby(entries["capture_id"]).any().rename("tells_retired"), on="capture_id"
    )
    usable["is_partial"] = usable["status"] != "ok"
    usable["place"] = usable["route"].map({route: place for place, route in enumerate(ROUTES)}).fillna(len(ROUTES))
    order = ["is_partial", "board_published_on", "tells_retired", "n_filled", "place", "capture_id"]
    usable = usable.sort_values(order, ascending=[True, False, False, False, True, True])
    return usable.drop_duplicates(DAY)


def inherit_retired(board: pd.DataFrame, captures: pd.DataFrame, entries: pd.DataFrame) -> pd.Series:
    """Return whether each entry is ranked: as stated, or as by the nearest complete capture that marks retired entries."""
    usable = captures[(captures["status"] == "ok") & (captures["verification"] != "UNVERIFIED")]
    stated = entries.merge(usable[["capture_id", *DAY]], on="capture_id").astype({"is_ranked": bool})
    stated = stated[stated.groupby("capture_id")["is_ranked"].transform(lambda flags: not flags.all())]
    known_ranks = {key: group[["captured_on", "is_ranked"]] for key, group in stated.groupby(["board_id", "entry_key"])}
    marking = set(stated["capture_id"])
    found = []
    for row in board.itertuples():
        known = known_ranks.get((row.board_id, row.entry_key))
        if row.status != "ok" or row.capture_id in marking or known is None:
            found.append(bool(row.is_ranked))
            continue
        far = (known["captured_on"] - row.captured_on).abs()
        nearest = known[far == far.min()].sort_values(["captured_on", "is_ranked"])
        found.append(bool(nearest["is_ranked"].iloc[0]))
    return pd.Series(found, index=board.index)


def leaderboard() -> pd.DataFrame:
    """Return the entries of the capture that serves each day, with the rank over the entries the board ranks."""
    captures = read("leaderboard_captures")
    entries = pd.concat(
        [read(f"leaderboard_entries_{publisher}") for publisher in ("arena", "artificial_analysis", "vbench")], ignore_index=True
    )
    served = serving_captures(captures, entries)[["capture_id", *DAY, "status", "n_listed", "board_published_on"]]
    board = entries.merge(served, on="capture_id")
    board["is_ranked"] = inherit_retired(board, captures, entries)
    by_rating = board.loc[board["is_ranked"]].groupby(DAY)["rating"].rank(method="min", ascending=False)
    board["rank"] = by_rating.where(board["status"] == "ok", board["listed_rank"])
    return board


def board_status(board: pd.DataFrame) -> pd.DataFrame:
    """Return every calendar day of every board with its status and its leader."""
    captures = read("leaderboard_captures")
    leaders = (
        board[board["rank"] == 1]
        .sort_values(["rating", "listed_rank", "entry_name", "entry_key"], ascending=[False, True, True, True])
        .drop_duplicates(DAY)
        .rename(columns={"entry_name": "leader_entry_name", "rating": "leader_rating"})
    )[[*DAY, "leader_entry_name", "leader_rating"]]
    days = board.drop_duplicates(DAY)[[*DAY, "status", "n_listed", "board_published_on"]]
    days = days.merge(board.groupby(DAY)["n_votes"].sum(min_count=1).rename("n_votes_total").reset_index(), on=DAY)
    days = days.merge(board.groupby(DAY)["is_ranked"].sum().rename("n_ranked").reset_index(), on=DAY)
    days = days.merge(leaders, on=DAY, how="left")
    complete = days[days["status"] == "ok"].sort_values(DAY)
    repeats: list[int] = []
    for board_id, captured in complete.groupby("board_id"):
        newest, previous = pd.NaT, None
        for index, day in captured.iterrows():
            held = board[(board["board_id"] == board_id) & (board["captured_on"] == day["captured_on"])]
            shown = {
                (key, None if pd.isna(rating) else int(rating + 0.5), None if pd.isna(votes) else int(votes))
                for key, rating, votes in zip(held["entry_key"], held["rating"], held["n_votes"], strict=True)
            }
            if shown == previous or day["board_published_on"] <= newest:
                repeats.append(index)
            if not pd.isna(day["board_published_on"]) and not day["board_published_on"] <= newest:
                newest = day["board_published_on"]
            previous = shown
    days.loc[repeats, "status"] = "unchanged"
    spans = captures.groupby("board_id")["captured_on"].agg(["min", "max"])
    calendar = pd.concat(
        pd.DataFrame({"board_id": board_id, "captured_on": pd.date_range(span["min"], span["max"])})
        for board_id, span in spans.iterrows()
    )
    status = calendar.merge(days, on=DAY, how="left")
    empty = captures.loc[captures["status"] == "empty", DAY].drop_duplicates().assign(is_empty=True)
    status = status.merge(empty, on=DAY, how="left")
    status["status"] = status["status"].fillna(status["is_empty"].map({True: "empty"})).fillna("missing")
    return status.drop(columns="is_empty").sort_values(DAY, ignore_index=True)


if __name__ == "__main__":
    began = time.perf_counter()
    days = board_status(leaderboard())
    sys.stdout.write(f"{len(days)} days in {time.perf_counter() - began:.2f} s\n")
