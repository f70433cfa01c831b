"""The board tables against another engine: pandas, on the same CSVs, by the same sentences, with no line in common."""

import importlib.util
from pathlib import Path
from types import ModuleType

import duckdb
import pandas as pd
import pytest

from datamoat.settings import Settings

TIED = 0.006  # ratings are kept to two decimals


@pytest.fixture(scope="module")
def pandas_says() -> ModuleType:
    """Return the script as a module."""
    specification = importlib.util.spec_from_file_location("boards_in_pandas", Path(__file__).with_name("boards_in_pandas.py"))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def published_rows(published: Settings, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(published.published), read_only=True) as con:
        return con.sql(sql).df()


def test_every_entry_of_every_board_has_the_rank_and_rating_that_pandas_gives_it(
    published: Settings, pandas_says: ModuleType
) -> None:
    ours = published_rows(
        published, "select board_id, captured_on, entry_key, entry_name, rank, rating, n_votes from marts.leaderboard"
    )
    theirs = pandas_says.leaderboard()
    theirs = theirs[theirs["status"] == "ok"]
    both = ours.merge(theirs, on=["board_id", "captured_on", "entry_key"], how="outer", suffixes=("", "_pandas"), indicator=True)
    assert len(ours) > 10_000
    assert both["_merge"].eq("both").all()
    for column in ("rank", "n_votes"):
        assert both[column].astype(float).equals(both[f"{column}_pandas"].astype(float))
    assert both["entry_name"].equals(both["entry_name_pandas"])
    assert both["rating"].sub(both["rating_pandas"]).abs().fillna(0).max() < TIED


def test_every_day_of_every_board_has_the_status_and_leader_that_pandas_gives_it(
    published: Settings, pandas_says: ModuleType
) -> None:
    ours = published_rows(
        published,
        "select board_id, captured_on, status, leader_entry_name, leader_rating, n_ranked, n_votes_total from marts.board_status",
    )
    theirs = pandas_says.board_status(pandas_says.leaderboard())
    both = ours.merge(theirs, on=["board_id", "captured_on"], how="outer", suffixes=("", "_pandas"), indicator=True)
    assert len(ours) > 2_000
    assert both["_merge"].eq("both").all()
    assert both.loc[both["status"] != both["status_pandas"], ["board_id", "captured_on", "status", "status_pandas"]].empty
    named = both[both["leader_entry_name"].notna() | both["leader_entry_name_pandas"].notna()]
    assert len(named) > 200
    assert named["leader_entry_name"].equals(named["leader_entry_name_pandas"])
    complete = both[both["status"].isin(["ok", "unchanged"])]
    for column in ("n_ranked", "n_votes_total"):
        assert complete[column].fillna(0).astype(int).equals(complete[f"{column}_pandas"].fillna(0).astype(int))
