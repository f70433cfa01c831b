"""How the parts of a streamed source are read, counted and checked, as `source.yml` declares it."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from datamoat.project.check_models import Bound, Frozen, Sentence, Strict
from datamoat.project.column_types import check_type

ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
ColumnType = Annotated[str, AfterValidator(check_type)]

# Stamped on every row of counts by the engine.
PART_STAMPS = {
    "_part": "VARCHAR", "_part_on": "DATE", "_captured_on": "DATE", "_n_listed": "BIGINT", "_is_cut": "BOOLEAN",
    "_label": "VARCHAR", "_licence": "VARCHAR",
    "_capture": "VARCHAR",  # instant, name and hash: orders the captures of one day
}  # fmt: skip


class Beside(Strict):
    """How far the total of a part may be from that of another part of the source.

    Attributes:
        factor: How many times the total of the nearest part it may be, or that part of it; widens with the days between the two.
        days: Parts further apart than this are not compared.
        again: The same for an earlier capture of the same part.
    """

    factor: Bound
    days: Annotated[int, Field(gt=0)]
    again: Bound


class Part(Strict):
    """The parts of a streamed source: large files of which only counts are stored, one Parquet file for each part.

    Attributes:
        columns: The upstream columns that `counts.sql` may read, with the type each is cast to; a row with a present value that
            cannot be cast is rejected.
        is_exact: Whether a header must be exactly these columns in this order.
        required: Columns that a row must have; a row without one is rejected and counted.
        reject: A sentence for each condition on an upstream row (SQL, may use `_part_on`) under which it is rejected.
        counts: The columns that `counts.sql` yields.
        grain: What one row of counts is, within one part.
        total: The column of counts whose sum is what was counted.
        counts_every_row: Whether that sum must equal the rows read.
        cut_at: The number of rows at which the publisher cuts a file without saying so.
        refuse: A sentence for each condition on a row of counts (SQL, may use `_part_on`) that makes a part an error.
        beside: The bounds of a total against those of other parts.
        labels: What a person must say of a file that is added: `label` (which set it belongs to), `licence`.
        first_on: The day of the first part.
        again_after: A part is fetched this many days after its day, once for each number (its vintages).
        catch_up_days: For how many days a missed fetch is made up for.
        checksum: What the publisher appends to a part's address to give its checksum, of the kind that the ending names.
        max_gigabytes: Cap on one part; 0 means that nothing is ever fetched and files are only added.
        keep_bytes: Whether a part stays on disk after its counts are verified.
    """

    columns: Annotated[Mapping[ColumnName, ColumnType], Field(min_length=1), Frozen]
    is_exact: bool = False
    required: tuple[str, ...] = ()
    reject: Annotated[Mapping[Sentence, str], Frozen] = Field(default_factory=dict)
    counts: Annotated[Mapping[ColumnName, ColumnType], Field(min_length=1), Frozen]
    grain: tuple[str, ...]
    total: str
    counts_every_row: bool = False
    cut_at: Annotated[int, Field(gt=0)] | None = None
    refuse: Annotated[Mapping[Sentence, str], Frozen] = Field(default_factory=dict)
    beside: Beside | None = None
    labels: tuple[Literal["label", "licence"], ...] = ()
    first_on: str | None = None
    again_after: tuple[Annotated[int, Field(ge=0)], ...] = ()
    catch_up_days: Annotated[int, Field(ge=0)] = 7
    checksum: Literal[".sha1", ".sha256"] | None = None
    max_gigabytes: Annotated[float, Field(ge=0)] = 5.0
    keep_bytes: bool = False

    @model_validator(mode="after")
    def _columns_exist(self) -> "Part":
        unknown = [name for name in self.required if name not in self.columns]
        unknown += [name for name in (*self.grain, self.total) if name not in self.counts]
        if unknown:
            message = f"{unknown} are not among its columns"
            raise ValueError(message)
        if self.first_on is not None:
            date.fromisoformat(self.first_on)
        return self

    @property
    def all_counts(self) -> dict[str, str]:
        """The columns of counts and the stamps of the engine."""
        return {**self.counts, **PART_STAMPS}
