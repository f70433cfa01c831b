"""Assumptions are drawn once by name and scope, and draws become columns with nulls where nothing is known."""

import numpy as np
import polars as pl
import pytest

from moat.uncertainty.assumptions import Assumptions, long_draws, quantile_columns, stacked
from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import stratified_normals

SPLIT = Split("normal", 1.0, 3.0, 5.0)


@pytest.mark.parametrize("widen", [1.0, 2.0])
def test_an_assumption_is_its_distribution_at_the_normals_of_its_name_and_scope(widen: float) -> None:
    given = Assumptions({"a": SPLIT}, {"a": "A1"}, seed=4, n_draws=9, widen=widen)
    for scope in ("all", "here"):
        z = stratified_normals(4, f"z:a:{scope}", 1, 9)[0]
        np.testing.assert_allclose(given.draw("a", scope), 3 + widen * 2 * z / 1.6448536269514722)
        assert given.draw("a", scope) is given.draw("a", scope)
    assert given.draw("a") is given.draw("a", "all")
    assert not np.array_equal(given.draw("a", "here"), given.draw("a"))


def test_quantiles_and_their_errors_are_columns_and_what_is_not_known_is_null() -> None:
    values = np.array([[1.0, 2.0, 3.0, 4.0], [np.nan] * 4])
    found = quantile_columns({"v": values, "w": None}, 2, ("v",))
    assert list(found) == ["v_p05", "v_p50", "v_p95", "v_mc_error", "w_p05", "w_p50", "w_p95"]
    assert found["v_p50"].to_list() == [2.5, None]
    assert found["v_mc_error"].to_list() == [pytest.approx(1.0), None]
    assert found["w_p95"].to_list() == [None, None]
    assert {series.dtype for series in found.values()} == {pl.Float64()}


def test_draws_are_cut_to_the_number_wanted_and_rows_follow_their_keys() -> None:
    values = np.array([[1.0, 2.0, 9.0], [np.nan, 4.0, 9.0]])
    rows = long_draws({"k": ["a", "b"], "m": [1, 2]}, {"v": values, "w": None}, 2, pl.Float32)
    assert rows.rows() == [("a", 1, 1, 1.0, None), ("a", 1, 2, 2.0, None), ("b", 2, 1, None, None), ("b", 2, 2, 4.0, None)]
    assert rows.schema["v"] == rows.schema["w"] == pl.Float32
    assert rows.schema["draw"] == pl.Int32
    assert stacked(pl.DataFrame({"x": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}), "x").shape == (2, 3)
