"""Which rows of a part are rejected, as one SQL expression for every engine that reads it."""

from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from datamoat.project.part import Part
from datamoat.storage.lake import identifier, quoted

INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
REAL = {"DOUBLE", "FLOAT"}
WHY = "_why"  # what is wrong with a row; null where nothing is


def casts(part: Part) -> str:
    """Return the select list that gives every upstream column its declared type."""
    return ", ".join(f"try_cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in part.columns.items())


def checked(part: Part, part_on: date | None, relation: str) -> str:
    """Return a SELECT of the typed rows of a relation and, as `_why`, what is wrong with each.

    A row is wrong without a required column, with a present value that does not cast to its column's type as a whole (a
    fraction is no integer, a time of day no date, an infinity no number), or under a condition of `reject`.
    """
    wrong = [f"when {identifier(name)} is null then {quoted(f'{name} is missing')}" for name in part.required]
    for name, kind in part.columns.items():
        if kind == "VARCHAR":
            continue
        column, typed = identifier(name), f"try_cast({identifier(name)} as {kind})"
        bad = f"{typed} is null"
        if kind in INTEGERS:
            bad += f" or try_cast({column} as double) is distinct from cast({typed} as double)"
        elif kind == "DATE":
            bad += f" or try_cast({column} as timestamp) is distinct from cast({typed} as timestamp)"
        elif kind in REAL:
            bad += f" or not (abs({typed}) < 1e300)"
        value = f"left(cast({column} as varchar), 60)"
        wrong.append(
            f"when {column} is not null and ({bad}) then {quoted(f'{name} is ')} || {value} || {quoted(f', not of type {kind}')}"
        )
    rejected = [f"when {condition} then {quoted(sentence)}" for sentence, condition in part.reject.items()]
    day = "cast(null as date)" if part_on is None else f"cast({quoted(str(part_on))} as date)"
    columns = ", ".join(map(identifier, part.columns))
    return (
        f"select {columns}, coalesce(_wrong, {_case(rejected)}) as {WHY} from"
        f" (select {casts(part)}, {day} as _part_on, {_case(wrong)} as _wrong from {relation}) as typed"
    )


def _case(branches: list[str]) -> str:
    return f"case {' '.join(branches)} end" if branches else "cast(null as varchar)"


class RowCheck:
    """What is wrong with the rows of text batches; a database in memory of its own, so that another may pull the batches."""

    def __init__(self, part: Part, part_on: date | None) -> None:
        """Open the database."""
        self.con = duckdb.connect(config={"threads": "1"})
        self.con.execute("set timezone = 'UTC'")
        self.query = f"select {WHY} from ({checked(part, part_on, '_batch')}) as checked"

    def sound(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, str | None]:
        """Return the sound rows of a batch, and what is wrong with the first of the others."""
        self.con.register("_batch", pa.Table.from_batches([batch]))
        why = self.con.sql(self.query).to_arrow_table()[WHY].combine_chunks()
        self.con.unregister("_batch")
        if why.null_count == len(why):
            return batch, None
        return batch.filter(pc.is_null(why)), str(why.drop_null()[0])
