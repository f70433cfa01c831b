"""The entries of some captures with what is known about each at its release: the data behind every question."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from moat.link.effects import Drawn, independent
from moat.link.mixed import Floats, Groups, Indices

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hours:
    """Hours after filtering that owners of platforms could use, by month and draw.

    Attributes:
        own: Hours on own platforms, shape (n_owners, n_months, n_draws); NaN before a company owns one.
        own_short: Those of short video among them.
        other: Hours of the public web and under licence, same shape; the public web is the same for all owners in a draw.
    """

    own: Floats
    own_short: Floats
    other: Floats

    @cached_property
    def log_hours(self) -> Floats:
        """Binary logarithm of all hours; months before a company owns a platform take the first known value."""
        return _from_first(np.log2(self.own + self.other))

    @cached_property
    def log_share(self) -> Floats:
        """Binary logarithm of the share of all hours that is left when only short video counts on own platforms."""
        return _from_first(np.log2((self.own_short + self.other) / (self.own + self.other)))

    def drawn(self, draws: slice | Indices) -> "Hours":
        """Return the same with some draws only."""
        return Hours(self.own[:, :, draws], self.own_short[:, :, draws], self.other[:, :, draws])


def _from_first(values: Floats) -> Floats:
    """Fill leading NaN along the months with the first known value."""
    first = np.argmax(np.isfinite(values[:, :, 0]), axis=1)
    month = np.maximum(np.arange(values.shape[1])[None, :], first[:, None])
    return np.asarray(np.take_along_axis(values, month[:, :, None], axis=1))


@dataclass(frozen=True)
class Field:
    """Ranked entries of one capture a board.

    Attributes:
        company: Company of each entry, an index, shape (n,).
        model: Model of each entry.
        board: Board of each entry.
        rating: Ratings in points.
        se: Their standard errors; the residual of the model comes on top.
        day: Release, in years from any day.
        controls: What else is controlled for, shape (n, k).
        is_owner: Whether the company owned a video platform at release.
        owner: For each entry the index of its company among the owners of `hours`; -1 where the company owns no platform, or only
            such as have no statistic, so that its hours are unknown.
        month: Month of release, an index into the months of `hours`.
        hours: Hours of owners.
        log_size: Base-10 logarithm of the company's size at release; NaN where unknown.
        is_funding: Whether that size is funding and not R&D expense.
    """

    company: Indices
    model: Indices
    board: Indices
    rating: Floats
    se: Floats
    day: Floats
    controls: Floats
    is_owner: Flags
    owner: Indices
    month: Indices
    hours: Hours
    log_size: Floats
    is_funding: Flags

    @cached_property
    def groups(self) -> Groups:
        """Companies, models and boards, numbered without gaps."""
        company, model, board = (np.unique(x, return_inverse=True)[1] for x in (self.company, self.model, self.board))
        return Groups(company, model, board, self.se)

    @property
    def owns(self) -> Floats:
        """1 where the company owned a platform at release, else 0."""
        return self.is_owner.astype(np.float64)

    @property
    def n_owners(self) -> int:
        """Companies that own a platform."""
        return len(np.unique(self.company[self.is_owner]))

    @property
    def has_hours(self) -> Flags:
        """Whether the hours of the company are known, or it owns no platform."""
        return np.asarray(~self.is_owner | (self.owner >= 0))

    @cached_property
    def base(self) -> Floats:
        """Levels of the boards, trend of the release date and controls, without redundant columns."""
        levels = np.eye(self.groups.n_spreads)[self.groups.spread]
        day = (self.day - self.day.mean())[:, None]
        columns = np.hstack([levels, day, day**2, self.controls])
        return np.asarray(columns[:, independent(columns)])

    @cached_property
    def has_size(self) -> Flags:
        """Whether the size of the company is known."""
        return np.asarray(np.isfinite(self.log_size))

    @cached_property
    def sizes(self) -> Floats:
        """Logarithm of size and the indicator of funding, for entries of known size."""
        return np.column_stack([self.log_size, self.is_funding])

    @cached_property
    def members(self) -> Indices:
        """Indices of the owners on the boards whose hours are known."""
        return np.unique(self.owner[self.owner >= 0])

    @cached_property
    def member(self) -> Indices:
        """Owner of each entry, numbered without gaps among those on the boards; -1 for others."""
        return np.where(self.owner >= 0, np.searchsorted(self.members, self.owner), -1)

    @cached_property
    def _cells(self) -> tuple[Indices, Indices, Floats]:
        """Owners and months that occur together at release, and which entry has which, shape (n, n_cells)."""
        owner, month = self.owner[self.owner >= 0], self.month[self.owner >= 0]
        cells = np.unique(np.column_stack([owner, month]), axis=0)
        has = (self.owner[:, None] == cells[:, 0]) & (self.month[:, None] == cells[:, 1])
        return cells[:, 0], cells[:, 1], has.astype(np.float64)

    def drawn(self, *values: Floats) -> Drawn:
        """Return owners' values at release, less their mean, each of shape (n_owners, n_months, n_draws); zero for other companies."""
        owner, month, has = self._cells
        centred = np.stack([value[owner, month] - self.drawn_centre(value) for value in values])
        return Drawn(has, np.moveaxis(centred, 0, 2))  # the draws of a regressor lie side by side in memory

    def paths(self, values: Floats) -> Floats:
        """Return the value of every owner on the day of every entry, a mean over draws, minus their mean; shape (n, n_members)."""
        return np.asarray(values.mean(axis=2)[self.members][:, self.month].T - self.drawn_centre(values))

    def drawn_centre(self, values: Floats) -> float:
        """Return the mean of owners' values at release over entries and draws."""
        is_owner = self.owner >= 0
        return float(values[self.owner[is_owner], self.month[is_owner]].mean())

    @property
    def by_entry(self) -> dict[str, Any]:
        """Every array that has one row an entry, by its name."""
        return {part.name: getattr(self, part.name) for part in fields(self) if part.name != "hours"}

    def only(self, chosen: Flags) -> "Field":
        """Return the chosen entries."""
        return replace(self, **{name: values[chosen] for name, values in self.by_entry.items()})

    def best_of_company(self) -> "Field":
        """Return the highest rated entry of each company on each board."""
        order = np.lexsort((self.se, -self.rating, self.company, self.board))
        is_first = np.r_[True, (np.diff(self.company[order]) != 0) | (np.diff(self.board[order]) != 0)]
        chosen = np.zeros(len(order), dtype=bool)
        chosen[order[is_first]] = True
        return self.only(chosen)
