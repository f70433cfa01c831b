"""The answers to the questions of volume that other draws would give, by the same model and rule as the published ones.

Questions `amount` and `short` are computed again for the newest captures; `owning`, `size` and `dose` use no volume, and `prediction`
is not repeated. Perturbations are not repeated either, so that the verdicts are those of the primary specification alone.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from moat.link.field import Field
from moat.link.questions import Question, find
from moat.link.rule import Evidence, verdict
from moat.link.tables import read_field, read_hours

COMPUTED: tuple[Question, ...] = ("amount", "short")
# The companies and months whose draws the verdicts are computed from, as published.
WANTED = """
    create table marts.company_moat as
        select distinct company_id, month as volume_month
        from published.marts.company_moat_draws;
"""
ENTRIES = "from published.marts.moat_entry where as_of_kind = 'newest' order by board_id, entry_key"
SHOWN = (
    "question_id",
    "estimate",
    "estimate_p05",
    "estimate_p95",
    "p_permutation",
    "verdict",
    "estimate_if",
    "estimate_p05_if",
    "estimate_p95_if",
    "p_permutation_if",
    "verdict_if",
)


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
        rows.append([_found(question, field, seed) for question in COMPUTED])
    table = [(question, *before, *after) for question, before, after in zip(COMPUTED, *rows, strict=True)]
    yield "questions", "Questions of volume, primary specification, as published and if", list(SHOWN), table


def _found(question: Question, field: Field, seed: int) -> tuple[Any, ...]:
    """Return estimate, interval, permutation p and verdict of one question."""
    found = find(question, field, seed)
    if found is None:
        return (None, None, None, None, "cannot_tell")
    low, high = found.effect.interval
    p = found.test.p if found.test else None
    word, _ = verdict(Evidence(found.effect.estimate, low, high, p), 20.0)
    return (found.effect.estimate, low, high, p, word)


def _field(con: duckdb.DuckDBPyConnection, draws: str) -> Field:
    """Return the newest entries with some draws of their owners' hours."""
    wanted = f"select d.* from ({draws}) as d semi join marts.company_moat as m on d.company_id = m.company_id and d.month = m.volume_month"
    columns = "company_id, month, draw, usable_hours, short_usable_hours"
    return read_field(con.sql(ENTRIES).pl(), read_hours(con.sql(f"select {columns} from ({wanted})").pl()))
