"""Frames asked in the words of published tables."""

import polars as pl
import pytest

from datamoat.errors import ContentError
from datamoat.kit.ask import ask

FRAMES = {"boards": pl.DataFrame({"board_id": ["a", "b"], "rank": [1, 2]})}
VIEWS = {"marts.leaderboard": "from boards where rank = 1"}


def test_a_query_speaks_of_a_view_as_if_it_were_published() -> None:
    answers = ask({"leads": "select board_id from marts.leaderboard"}, VIEWS, FRAMES)
    assert answers["leads"].rows() == [("a",)]


def test_a_query_that_does_not_run_is_named() -> None:
    with pytest.raises(ContentError, match="leads does not run"):
        ask({"leads": "select nothing from marts.leaderboard"}, VIEWS, FRAMES)
    with pytest.raises(ContentError, match=r"marts\.leaderboard does not run"):
        ask({}, {"marts.leaderboard": "from absent"}, FRAMES)
