"""Fields of entries to test on: made ones, and the real one with simulated ratings."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np

from moat.link.field import Field, Hours
from moat.link.mixed import Floats
from moat.link.tables import read_field, read_hours

CHECKOUT = Path(__file__).resolve().parents[3]
PUBLISHED = CHECKOUT / "data" / "warehouse" / "datamoat.duckdb"
SCENARIOS: dict[str, dict[str, float]] = {
    "date only": {},
    "owning": {"owning": 60.0},
    "amount": {"amount": 20.0},
    "short": {"short": 20.0},
    "size": {"size": 60.0},
}
COMPANY_SD, MODEL_SD, RESIDUAL_SD = 26.0, 30.0, 20.0  # about those fitted on the newest captures


def made_field(seed: int, n_companies: int = 24, n_owners: int = 6, n_boards: int = 4, n_draws: int = 50) -> Field:
    """Return a field with random companies, models, boards and volumes, and ratings without any effect."""
    rng = np.random.default_rng(seed)
    rows = [
        (company, company * 10 + model, board)
        for company in range(n_companies)
        for model in range(rng.integers(1, 6))
        for board in range(n_boards)
        if rng.random() < 0.7 or board == model % n_boards
    ]
    company, model, board = (np.array(column) for column in zip(*rows, strict=True))
    day_of = dict(zip(np.unique(model), rng.uniform(-1.5, 0.5, len(np.unique(model))), strict=True))
    day = np.array([day_of[m] for m in model])
    months = 25
    level = (
        rng.normal(22, 1.5, (n_owners, 1, 1))
        + np.linspace(0, 1, months)[None, :, None]
        + rng.normal(0, 0.5, (n_owners, 1, n_draws))
    )
    own = 2**level
    hours = Hours(
        own,
        own * rng.uniform(0.05, 1.0, (n_owners, 1, n_draws)),
        np.full((n_owners, months, n_draws), 2e5) * rng.lognormal(0, 0.5, (1, 1, n_draws)),
    )
    size = rng.normal(8.5, 0.8, n_companies) + 1.2 * (np.arange(n_companies) < n_owners)
    field = Field(
        company, model, board, np.zeros(len(rows)), rng.uniform(3, 12, len(rows)), day,
        np.column_stack([np.isin(model, np.unique(model)[::3]), rng.random(len(rows)) < 0.2]).astype(float),
        company < n_owners, np.where(company < n_owners, company, -1), np.clip(((day + 1.5) * 12).astype(int), 0, months - 1), hours,
        size[company], (size < 8.3)[company],
    )  # fmt: skip
    return replace(field, rating=ratings(field, rng))


def ratings(field: Field, rng: np.random.Generator, **effects: float) -> Floats:
    """Return simulated ratings in which only the named effects act; the volume that acts is one of the draws.

    Args:
        field: Who is on the boards, when, with which volumes, sizes and standard errors.
        rng: Random numbers.
        effects: Points of `owning`, `amount`, `short` (per doubling) and `size` (per factor of ten).
    """
    groups, n = field.groups, len(field.company)
    one = field.hours.drawn(slice(draw := int(rng.integers(field.hours.own.shape[2])), draw + 1))
    size = np.where(field.has_size, field.log_size, np.nanmean(field.log_size))
    fixed = (
        1000 + 120 * field.day - 15 * field.day**2 + effects.get("owning", 0.0) * field.owns + effects.get("size", 0.0) * (size - 9)
        + effects.get("amount", 0.0) * field.drawn(one.log_hours).mean()[:, 0] + effects.get("short", 0.0) * field.drawn(one.log_share).mean()[:, 0]
    )  # fmt: skip
    company = COMPANY_SD * rng.normal(size=int(groups.company.max()) + 1)[groups.company]
    model = MODEL_SD * rng.normal(size=int(groups.model.max()) + 1)[groups.model]
    return np.asarray(fixed + company + model + np.hypot(RESIDUAL_SD, field.se) * rng.normal(size=n))


def real_field(n_draws: int | None = None) -> Field:
    """Return the newest captures of the published file as a field: real companies, owners, dates, boards, errors, sizes and hours."""
    with duckdb.connect(str(PUBLISHED), read_only=True) as con:
        panel = con.sql("from marts.moat_entry where as_of_kind = 'newest' order by board_id, entry_key").pl()
        draws = "from marts.company_moat_draws" + ("" if n_draws is None else f" where draw <= {n_draws}")
        return read_field(panel, read_hours(con.sql(draws).pl()))
