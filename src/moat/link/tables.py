"""Fields from tables: entries as the published panel has them, hours from draws of companies."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from moat.link.field import Field, Hours
from moat.link.mixed import Floats
from moat.link.perturb import Context

DAYS_OF_YEAR = 365.25
EPOCH = date(2026, 1, 1)  # release days are counted from here; any day would do
MEASURES = (
    "usable_hours",
    "short_usable_hours",
    "usable_first_party_hours",
    "available_first_party_hours",
    "first_party_stock_hours",
)
CONTROLS = ("is_open_weights", "has_sound", "is_fast_tier", "is_high_resolution")


@dataclass(frozen=True)
class Owned:
    """The draws of hours of companies that own a platform.

    Attributes:
        owners: Companies, in the order of the arrays.
        first_month: First month of the arrays; the others follow without gaps.
        hours: Their hours.
    """

    owners: list[str]
    first_month: date
    hours: Hours

    def places(self, company: pl.Series, month: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Return the indices of companies, -1 for those that own no platform, and of months, within those of the draws."""
        last = self.hours.own.shape[1] - 1
        owner = company.replace_strict(self.owners, range(len(self.owners)), default=-1, return_dtype=pl.Int64)
        first = self.first_month
        return owner, ((month.dt.year().cast(pl.Int64) - first.year) * 12 + month.dt.month() - first.month).clip(0, last)

    def cube(self, frame: pl.DataFrame, column: str) -> Floats:
        """Return a column of company, month and draw as an array, shape (n_owners, n_months, n_draws); NaN where there is none."""
        return _cube(frame, column, self.owners, self.first_month, self.hours.own.shape[1:])


def read_hours(drawn: pl.DataFrame) -> Owned:
    """Return draws of companies that own platforms as arrays.

    Args:
        drawn: company_id, month, draw, usable_hours, short_usable_hours and, where known apart, usable_first_party_hours;
            months may be missing. Without usable_first_party_hours all hours count as on own platforms, which changes no
            estimate, only what a perturbation can move.
    """
    if "usable_first_party_hours" not in drawn.columns:
        drawn = drawn.with_columns(usable_first_party_hours="usable_hours")
    owners, first, last = (
        sorted(drawn["company_id"].unique()),
        *drawn.select(a=pl.col("month").min(), b=pl.col("month").max()).row(0),
    )
    shape = ((last.year - first.year) * 12 + last.month - first.month + 1, drawn["draw"].n_unique())
    usable, short, own = (
        _cube(drawn, name, owners, first, shape) for name in ("usable_hours", "short_usable_hours", "usable_first_party_hours")
    )
    return Owned(owners, first, Hours(own, np.maximum(short - (usable - own), 0.0), usable - own))


def _cube(frame: pl.DataFrame, column: str, owners: list[str], first: date, shape: tuple[int, ...]) -> Floats:
    """Return a column as an array; a month that is missing takes the month before."""
    rows = frame.sort("company_id", "month", "draw")
    values = rows[column].to_numpy().reshape(-1, shape[1])
    keys = rows.select("company_id", "month").unique(maintain_order=True)
    out = np.full((len(owners), *shape), np.nan)
    place = keys["company_id"].replace_strict(owners, range(len(owners)), return_dtype=pl.Int64).to_numpy()
    month = ((keys["month"].dt.year().cast(pl.Int64) - first.year) * 12 + keys["month"].dt.month() - first.month).to_numpy()
    out[place, month] = values
    for j in range(1, shape[0]):
        out[:, j] = np.where(np.isnan(out[:, j]), out[:, j - 1], out[:, j])
    return out


def read_field(panel: pl.DataFrame, owned: Owned) -> Field:
    """Return the entries of a panel as arrays.

    Args:
        panel: Columns of marts.moat_entry, one row an entry.
        owned: Draws of the owners' hours.
    """
    company, model, board = (
        panel[name].rank("dense").cast(pl.Int64).to_numpy() - 1 for name in ("company_id", "panel_model", "board_id")
    )
    owner, month = owned.places(panel["company_id"], panel["volume_month"])
    owner = pl.select(pl.when(panel["owns_platform"]).then(owner).otherwise(-1)).to_series()
    size = panel["size_usd"].log10().fill_null(float("nan"))
    return Field(
        company, model, board, panel["rating"].to_numpy(), panel["rating_se"].to_numpy(),
        (panel["released_on"] - EPOCH).dt.total_days().to_numpy() / DAYS_OF_YEAR,
        panel.select(CONTROLS).cast(pl.Float64).to_numpy(), panel["owns_platform"].to_numpy(), owner.to_numpy(), month.to_numpy(), owned.hours, size.to_numpy(),
        (panel["size_measure"] == "funding").fill_null(value=False).to_numpy(),
    )  # fmt: skip


def names_of(panel: pl.DataFrame, column: str) -> list[str]:
    """Return the names behind the indices of a field."""
    return sorted(panel[column].unique())


def known_of_owners(
    owned: Owned, drawn: pl.DataFrame, evidence: pl.LazyFrame, assumed: pl.LazyFrame, last_month: date
) -> dict[str, Any]:
    """Return which owners have no observation and what share of the hours on its platforms each can use, for a context.

    Args:
        owned: Draws of the owners' hours.
        drawn: The table they were read from, with all of `MEASURES`.
        evidence: company_id, month, scenario_id and basis of companies.
        assumed: assumption_name, draw and assumption_value of assumptions that act after the fit.
        last_month: Month whose basis counts.
    """
    duplicates = (
        assumed.filter(pl.col("assumption_name") == "dup_share_hours").sort("draw").collect()["assumption_value"].to_numpy()
    )
    basis = (
        evidence.filter(pl.col("scenario_id") == "baseline", pl.col("month") == last_month)
        .select("company_id", "basis")
        .collect()
    )
    return {
        "reached": owned.cube(drawn, "available_first_party_hours")
        / (owned.cube(drawn, "first_party_stock_hours") * (1 - duplicates)),
        "unobserved": np.array([dict(basis.iter_rows()).get(name) == "prior_only" for name in owned.owners]),
    }


def context_of(panel: pl.DataFrame, owned: Owned, common: dict[str, Any]) -> Context:
    """Return what the perturbations of a panel need to know.

    Args:
        panel: Columns of marts.moat_entry, first_rating, first_rating_se and revenue_usd, one row an entry.
        owned: Draws of the owners' hours.
        common: What is the same for every choice of captures: fields of `Context`, by name.
    """
    entries: dict[str, Any] = {
        "first": panel.select("first_rating", "first_rating_se").to_numpy(),
        "log_revenue": panel["revenue_usd"].log10().fill_null(float("nan")).to_numpy(),
        "is_size_later": panel["is_size_later"].to_numpy(),
        "is_expense": (panel["size_measure"] == "rd_expense").fill_null(value=False).to_numpy(),
        "is_contested": panel["is_owner_contested"].to_numpy(),
    }
    return Context(names_of(panel, "company_id"), names_of(panel, "board_id"), owned.owners, **entries, **common)
