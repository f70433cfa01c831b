"""The answers to the questions of volume that other draws would give, by the same model and rule as the published ones.

Questions `amount` and `short` are asked again of the newest captures; `owning`, `size` and `dose` use no volume, and `prediction`
is not repeated. Perturbations are not repeated either, so that the verdicts are those of the primary specification alone.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from moat.link.field import Field, Hours
from moat.link.mixed import Floats
from moat.link.questions import Question, find
from moat.link.rule import Evidence, verdict

ASKED: tuple[Question, ...] = ("amount", "short")
# The companies and months whose draws the newest answer needs.
WANTED = """
    create table marts.company_moat as
        select distinct company_id, volume_month
        from published.marts.moat_entry
        where as_of_kind = 'newest' and owns_platform;
"""
ENTRIES = """
    select
        company_id, panel_model, board_id, rating, rating_se, released_on - date '2026-01-01' as day, is_open_weights, has_sound,
        is_fast_tier, is_high_resolution, owns_platform, volume_month
    from published.marts.moat_entry
    where as_of_kind = 'newest'
    order by board_id, entry_key
"""
SHOWN = (
    "question_id",
    "estimate",
    "estimate_p05",
    "estimate_p95",
    "verdict",
    "estimate_if",
    "estimate_p05_if",
    "estimate_p95_if",
    "verdict_if",
)
DAYS_OF_YEAR = 365.25


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Write the companies and months whose draws are needed into `marts.company_moat`."""
    con.execute(WANTED)


def compare_verdicts(
    con: duckdb.DuckDBPyConnection, reference: Path, draws: str
) -> Iterator[tuple[str, str, list[str], list[tuple[Any, ...]]]]:
    """Yield one table of the questions of volume as published and as they would be: name, title, columns, rows.

    Args:
        con: After `prepare`, with the published file attached as `published`.
        reference: The folder of reference tables; not needed here.
        draws: SQL of the volumes: company_id, month, draw, usable_hours, short_usable_hours, for the rows of company_moat.
    """
    del reference
    seed = con.sql("select (settings::json ->> 'seed')::bigint as seed from published.meta.build").fetchall()[0][0]
    rows = []
    for which in ("from published.marts.company_moat_draws", draws):
        field = _field(con, which)
        rows.append([_found(question, field, seed) for question in ASKED])
    table = [(question, *before, *after) for question, before, after in zip(ASKED, *rows, strict=True)]
    yield "questions", "Questions of volume, primary specification, as published and if", list(SHOWN), table


def _found(question: Question, field: Field, seed: int) -> tuple[Any, ...]:
    """Return estimate, interval and verdict of one question."""
    found = find(question, field, seed)
    if found is None:
        return (None, None, None, "cannot_tell")
    low, high = found.effect.interval
    word, _ = verdict(Evidence(found.effect.estimate, low, high, found.test.p), 20.0)
    return (*(round(value, 2) for value in (found.effect.estimate, low, high)), word)


def _field(con: duckdb.DuckDBPyConnection, draws: str) -> Field:
    """Return the newest entries with some draws of their owners' hours."""
    x = {name: np.asarray(values) for name, values in con.sql(ENTRIES).fetchnumpy().items()}
    drawn = con.sql(
        f"select d.* from ({draws}) as d semi join marts.company_moat as m on d.company_id = m.company_id and d.month = m.volume_month"
        " order by company_id, month, draw"
    ).fetchall()
    owners = sorted({row[0] for row in drawn})
    months: list[date] = sorted({row[1] for row in drawn})
    n_draws = len({row[2] for row in drawn})
    usable, short = (np.full((len(owners), len(months), n_draws), np.nan) for _ in range(2))
    columns = con.sql(f"from ({draws}) limit 0").columns
    where = [columns.index(name) for name in ("usable_hours", "short_usable_hours")]
    place, counts = {}, {}
    for row in drawn:
        key = (owners.index(row[0]), months.index(row[1])) if (row[0], row[1]) not in place else place[row[0], row[1]]
        place[row[0], row[1]] = key
        i = counts[key] = counts.get(key, -1) + 1
        usable[key][i], short[key][i] = (row[w] for w in where)
    return _with(x, owners, months, Hours(_filled(usable), _filled(short), np.zeros((1, 1, 1))))


def _filled(values: Floats) -> Floats:
    """Fill months that no entry needs with the nearest earlier ones, so that orders of owners can be tried."""
    out = values.copy()
    for j in range(1, out.shape[1]):
        out[:, j] = np.where(np.isnan(out[:, j]), out[:, j - 1], out[:, j])
    return out


def _with(x: dict[str, Any], owners: list[str], months: list[date], hours: Hours) -> Field:
    """Return the entries as arrays."""
    company, model, board = (np.unique(x[name], return_inverse=True)[1] for name in ("company_id", "panel_model", "board_id"))
    controls = np.column_stack(
        [x[name] for name in ("is_open_weights", "has_sound", "is_fast_tier", "is_high_resolution")]
    ).astype(float)
    owner = np.array([owners.index(name) if owns else -1 for name, owns in zip(x["company_id"], x["owns_platform"], strict=True)])
    month = np.searchsorted(np.array(months, dtype="datetime64[D]"), x["volume_month"].astype("datetime64[D]")).clip(
        0, len(months) - 1
    )
    nothing = np.full(len(company), np.nan)
    return Field(
        company, model, board, x["rating"], x["rating_se"], x["day"].astype(float) / DAYS_OF_YEAR, controls, owner, month, hours,
        nothing, np.zeros(len(company), dtype=bool),
    )  # fmt: skip
