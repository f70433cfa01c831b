"""The one table of column types: what a type of the dictionary is called by everybody we read from or write for."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl


class Names(NamedTuple):
    """The names of one type.

    Attributes:
        polars: The class in Polars.
        frictionless: The type of a field in a Frictionless Table Schema.
        croissant: The data type in Croissant, which is schema.org's.
    """

    polars: str
    frictionless: str
    croissant: str


COLUMN_TYPES = {  # by the name DuckDB gives it
    "VARCHAR": Names("String", "string", "sc:Text"),
    "BIGINT": Names("Int64", "integer", "sc:Integer"),
    "INTEGER": Names("Int32", "integer", "sc:Integer"),
    "DOUBLE": Names("Float64", "number", "sc:Float"),
    "FLOAT": Names("Float32", "number", "sc:Float"),
    "BOOLEAN": Names("Boolean", "boolean", "sc:Boolean"),
    "DATE": Names("Date", "date", "sc:Date"),
    "TIMESTAMP": Names("Datetime", "datetime", "sc:DateTime"),
    "VARCHAR[]": Names("String", "array", "sc:Text"),
}
OF_SOURCES = ("VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "VARCHAR[]")  # what a source.yml may declare


def check_type(name: str) -> str:
    """Return the type of a column of a source.

    Raises:
        ValueError: No source may have it.
    """
    if name not in OF_SOURCES:
        message = f"{name!r} is none of {', '.join(OF_SOURCES)}"
        raise ValueError(message)
    return name


def polars_type(name: str) -> "pl.DataType":
    """Return the Polars type of a column of this type; timestamps in microseconds, as in DuckDB."""
    import polars as pl  # a DAG file reads source.yml and must not wait for it

    if name == "TIMESTAMP":
        return pl.Datetime("us")
    inner: pl.DataType = getattr(pl, COLUMN_TYPES[name].polars)()
    return pl.List(inner) if name.endswith("[]") else inner


def frictionless_type(name: str) -> str:
    """Return the Frictionless type; `any` for a type that is not in the table."""
    return COLUMN_TYPES[name].frictionless if name in COLUMN_TYPES else "any"


def croissant_type(name: str) -> str:
    """Return the Croissant type of a value; text for a type that is not in the table."""
    return COLUMN_TYPES[name].croissant if name in COLUMN_TYPES else "sc:Text"


def of_frictionless(kind: str) -> str:
    """Return the type that a Frictionless type is read as: the first in the table.

    Raises:
        KeyError: There is none.
    """
    return {names.frictionless: name for name, names in reversed(COLUMN_TYPES.items())}[kind]
