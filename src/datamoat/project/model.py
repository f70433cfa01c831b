"""What a content tree consists of, as frozen values."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LAYERS = ("staging", "intermediate", "marts")


@dataclass(frozen=True)
class Column:
    """One word of the dictionary: what a column of this name is, in every table that has it."""

    name: str
    type: str
    description: str
    unit: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table that a model makes, and what its header promises."""

    name: str
    layer: str
    description: str
    grain: tuple[str, ...]
    nullable: frozenset[str] = frozenset()
    caveats: tuple[str, ...] = ()
    min_rows: int = 0
    max_rows: int | None = None

    @property
    def id(self) -> str:
        """Schema and name, as in SQL."""
        return f"{self.layer}.{self.name}"


@dataclass(frozen=True)
class Model:
    """One file in `transforms/` and the table or tables it yields."""

    name: str
    layer: str
    path: Path
    is_sql: bool
    text: str
    reads: tuple[str, ...]
    tables: tuple[Table, ...]
    is_cached: bool = False
    constants: tuple[str, ...] = ()  # of `settings` and `as_of`, those a Polars model takes

    @property
    def source_id(self) -> str | None:
        """The source a staging model belongs to."""
        return self.path.parent.name if self.layer == "staging" else None


@dataclass(frozen=True)
class Snippet:
    """A SQL file that is not a model: a macro, a check, or a table that `run` prints at its end."""

    name: str
    path: Path
    sql: str
    header: dict[str, Any] = field(hash=False)

    @property
    def description(self) -> str:
        """The description in the header."""
        return str(self.header["description"])


@dataclass(frozen=True)
class Project:
    """Everything in the content tree."""

    content: Path
    models: tuple[Model, ...]
    columns: dict[str, Column] = field(hash=False)
    macros: tuple[Snippet, ...] = ()
    checks: tuple[Snippet, ...] = ()
    expectations: tuple[Path, ...] = ()
    build: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by its id, in graph order."""
        return {table.id: table for model in self.models for table in model.tables}

    @property
    def marts(self) -> tuple[Table, ...]:
        """The tables that are published, by name."""
        return tuple(sorted((t for t in self.tables.values() if t.layer == "marts"), key=lambda t: t.name))

    def model_of(self, table_id: str) -> Model:
        """Return the model that yields a table."""
        return next(model for model in self.models if any(table.id == table_id for table in model.tables))
