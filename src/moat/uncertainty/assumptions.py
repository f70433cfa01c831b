"""Assumptions applied to draws after a fit: each has one standard normal per scope and draw, stored nowhere, named."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from datamoat.errors import ContentError
from moat.uncertainty.quantiles import PERCENTILES, Split, percentiles
from moat.uncertainty.seeds import Floats, stratified_normals


@dataclass(frozen=True)
class Assumptions:
    """Named uncertain numbers, and the random numbers they are drawn with.

    Attributes:
        splits: By name.
        ids: Assumption id by name.
        seed: Of the base normals.
        n_draws: How many draws.
        widen: Multiplies every uncertainty.
    """

    splits: Mapping[str, Split]
    ids: Mapping[str, str]
    seed: int
    n_draws: int
    widen: float = 1.0
    _drawn: dict[tuple[str, str], Floats] = field(default_factory=dict, repr=False, compare=False)

    def draw(self, name: str, scope: str = "all") -> Floats:
        """Return its values, shape (n,). The same name and scope is the same number everywhere.

        Raises:
            ContentError: No assumption has that name.
        """
        if name not in self.splits:
            raise ContentError(
                f"no assumption is named {name!r}",
                "data/reference/assumptions.csv",
                "add it, with a reason, or correct the name.",
            )
        if (name, scope) not in self._drawn:
            split = self.splits[name]
            z = stratified_normals(self.seed, f"z:{name}:{scope}", 1, self.n_draws)[0]
            self._drawn[name, scope] = (split if self.widen == 1 else split.widened(self.widen)).at(z)
        return self._drawn[name, scope]


def read_assumptions(table: pl.DataFrame, *, seed: int, n_draws: int, widen: float = 1.0) -> Assumptions:
    """Return the assumptions of a table with columns assumption_id, name, distribution, p05, p50, p95."""
    splits = {
        row["name"]: Split(row["distribution"], row["p05"], row["p50"], row["p95"]).checked(row["name"])
        for row in table.iter_rows(named=True)
    }
    ids = dict(zip(table["name"], table["assumption_id"], strict=True))
    return Assumptions(splits, ids, seed, n_draws, widen)


def quantile_columns(draws: Mapping[str, Floats | None], n_rows: int, with_error: Collection[str] = ()) -> dict[str, pl.Series]:
    """Return `<name>_p05`, `_p50`, `_p95` of each array of shape (n_rows, n); nulls where it is None or nan.

    Args:
        draws: By name.
        n_rows: Rows of every array.
        with_error: Names that also get `<name>_mc_error`, the Monte Carlo error of the median.
    """
    columns = {}
    for name, values in draws.items():
        found = None if values is None else percentiles(values)
        for i, suffix in enumerate((*PERCENTILES, "mc_error")):
            if i < len(PERCENTILES) or name in with_error:
                column = f"{name}_{suffix}"
                columns[column] = pl.Series(column, [None] * n_rows if found is None else found[i], dtype=pl.Float64).fill_nan(
                    None
                )
    return columns


def stacked(table: pl.DataFrame, column: str) -> Floats:
    """Return a column of lists of equal length as an array of shape (rows, n), in float64."""
    flat = table[column].explode().to_numpy()
    return np.asarray(flat, dtype=np.float64).reshape(table.height, -1)


def long_draws(
    keys: Mapping[str, Sequence[object]], draws: Mapping[str, Floats | None], n_draws: int, dtype: type[pl.DataType]
) -> pl.DataFrame:
    """Return one row per key row and draw: `keys` of length r, `draws` of shape (r, >= n_draws) or None for nulls."""
    n_rows = len(next(iter(keys.values())))
    columns: dict[str, pl.Series] = {}
    for name, values in keys.items():
        columns[name] = pl.Series(name, values).gather(np.repeat(np.arange(n_rows), n_draws))
    columns["draw"] = pl.Series("draw", np.tile(np.arange(1, n_draws + 1, dtype=np.int32), n_rows))
    for name, array in draws.items():
        if array is None:
            columns[name] = pl.Series(name, [None], dtype=dtype).new_from_index(0, n_rows * n_draws)
        else:
            columns[name] = pl.Series(name, np.ascontiguousarray(array[:, :n_draws]).ravel()).cast(dtype).fill_nan(None)
    return pl.DataFrame(columns)
