"""The anomaly checks of a table as `source.yml` declares them: each bound with the history it was taken from."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# A frozen model with a plain dict inside is not frozen; a view of it is.
Frozen = AfterValidator(MappingProxyType)
Sentence = Annotated[str, Field(min_length=8)]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as failure:
        message = f"{pattern!r} is no regular expression: {failure}"
        raise ValueError(message) from failure
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class Strict(BaseModel):
    """Frozen, and an unknown key is an error: a misspelt bound must not be silently absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Bound(Strict):
    """A limit on how far a vintage may be from the last good one.

    Attributes:
        max: The limit; beyond it the vintage is quarantined.
        per_day: What is added to the limit for every day beyond the first between the two vintages.
        note: Beyond this the vintage is served, with a line in its reason.
        reason: What in the history the limit was taken from.
    """

    max: Annotated[float, Field(ge=0)]
    per_day: Annotated[float, Field(ge=0)] = 0.0
    ceiling: Annotated[float, Field(ge=0)] | None = None
    note: Annotated[float, Field(ge=0)] | None = None
    reason: Sentence

    def after(self, days: int) -> float:
        """Return the limit for two vintages `days` apart."""
        limit = self.max + self.per_day * max(days - 1, 0)
        return limit if self.ceiling is None else min(limit, self.ceiling)


class Within(Strict):
    """The values that a column can have at all, checked without a look at any other vintage.

    Attributes:
        least: The smallest; `most` the largest.
        reason: What in the history the two were taken from.
    """

    least: float
    most: float
    reason: Sentence


class Leaders(Strict):
    """The best entries of a board, of which none may leave it or lose its rank without a person.

    Attributes:
        places: How many they are.
        days: How far apart two vintages may be for all of them to be checked; beyond it only the best entry is.
        reason: What in the history the two were taken from.
    """

    places: Annotated[int, Field(gt=0)]
    days: Annotated[int, Field(gt=0)]
    reason: Sentence


class Score(Strict):
    """A rating on an interval scale (Elo-like): only differences mean something.

    Attributes:
        column: The rating; `votes` the count it rests on; `rank` the place upstream gave it.
        shift: The median move of shared entries beyond which the board counts as re-anchored (a revision).
        stretch: How much wider or narrower the spread may get before it is another scale.
        move: The largest move of one entry, against the median, in points.
        still: The same for an entry without a single new vote.
        crossed: The share of entries whose votes may grow by a quarter while those of as many fall by a fifth.
        growth: How many times the last good the votes of the median entry may be, on a board of eight entries or more.
        ahead: How far above all others a new entry may be, in points.
        within: The ratings that are possible in a first response; a later one may have another anchor.
        leaders: How many of the best entries may not leave.
    """

    column: str
    votes: str | None = None
    rank: str | None = None
    shift: Bound
    stretch: Bound
    move: Bound
    still: Bound | None = None
    crossed: Bound | None = None
    growth: Bound | None = None
    ahead: Bound | None = None
    within: Within | None = None
    leaders: Leaders | None = None


class Step(Strict):
    """How far a new row of a series may be from the row beside it; with fewer than eight known rows, `one` of the measure counts.

    Attributes:
        along: The column in whose order the series runs.
        power: The largest factor between two known neighbours, to this power, is the largest that is expected.
        least: A factor that is expected even where no known neighbours are so far apart.
        reason: What in the history the two were taken from.
    """

    along: str
    power: Annotated[float, Field(ge=1)]
    least: Annotated[float, Field(gt=1)]
    reason: Sentence


class Quotient(Strict):
    """Two series whose quotient moves less than either: a value of one alone that is wrong shows in it.

    Attributes:
        over: What `by` of the measure names the dividend; `under` the divisor.
        along: The column in whose order both series run.
        most: The largest factor between two neighbours, of which one is new.
        reason: What in the history it was taken from.
    """

    over: str
    under: str
    along: str
    most: Annotated[float, Field(gt=1)]
    reason: Sentence


class Measure(Strict):
    """A column of positive quantities.

    Attributes:
        factor: How many times its last good value the median row may be, up or down: beyond it, another unit.
        few: The same where fewer than eight rows are compared.
        one: The same for a single row.
        step: The bound of a new row, where the rows of one `by` are a series.
        quotient: The bound of the quotient of two such series.
        by: A column that names what a row measures, where rows measure different things; each is checked on its own.
        share: Whether every value must lie between 0 and 1.
        within: By what `by` names, the values that are possible.
        zero: Whether 0 is an honest value; if not, a 0 among positive values is an error.
        crossed: The share of rows that may grow by a twentieth while as many shrink by one: beyond it, values of other rows.
    """

    column: str
    by: str | None = None
    factor: Bound
    few: Bound | None = None
    one: Bound | None = None
    step: Step | None = None
    quotient: Quotient | None = None
    share: bool = False
    within: Annotated[Mapping[str, Within], Frozen] = Field(default_factory=dict)
    zero: bool = False
    crossed: Bound | None = None


class When(Strict):
    """A column of dates: one that is no date, is earlier than `earliest`, or later than the capture by more than `slack_days`, is an error.

    Attributes:
        written: The format of a date that is not written as ISO 8601, as `strptime` reads it; a quarter (`2026 Q1`) or a half-year (`2026 H1`) is its last day.
        forward: Whether the newest date may not be before that of the last good vintage.
    """

    column: str
    earliest: str
    slack_days: Annotated[int, Field(ge=0)] = 1
    written: str | None = None
    forward: bool = False
    reason: Sentence


class Match(Strict):
    """A text column of which a model keeps, or can cast, only the values that match a pattern.

    Attributes:
        column: The column; its missing values count as no match.
        pattern: A regular expression for a whole value, whatever its case.
        least: The smallest share of rows that match.
        fall: The largest part of the last good share that may be lost.
        turned: Of the known rows that match, or did, the share that may begin or cease to.
        reason: What in the history `least` and `fall` were taken from.
    """

    column: str
    pattern: Pattern
    least: Annotated[float, Field(ge=0, le=1)]
    fall: Annotated[float, Field(ge=0, lt=1)]
    turned: Bound | None = None
    reason: Sentence


class Steady(Strict):
    """Columns that hardly ever change for a known key.

    Attributes:
        columns: The columns; each is checked on its own.
        changed: The share of known rows in which one may change; beside a share above 0, one row always may.
        no_exchange: Whether a known row that takes the value of another known row is an error, in any number.
        best: How many of the best entries of a board may not lose a value, and may change it only where all rows of it do.
        among: A column of `matches`: only rows that match it count.
        with_missing: Whether a value that is added or removed is a change too.
    """

    columns: tuple[str, ...]
    changed: Bound
    no_exchange: bool = False
    best: Annotated[int, Field(ge=0)] = 0
    among: str | None = None
    with_missing: bool = False


class Flag(Strict):
    """A true-or-false column; `jump` bounds the move of the share that is true."""

    column: str
    jump: Bound


class Route(Strict):
    """Which of the publisher's addresses a row is from, where not all give the same columns.

    Attributes:
        column: The column that names it.
        columns: Those that some of them do not give: missing values are compared between rows of one route only.
    """

    column: str
    columns: tuple[str, ...]


class Filled(Strict):
    """Columns of which a vintage has nearly all values, the first one included.

    Attributes:
        columns: The columns; each is checked on its own.
        least: The smallest share of rows with a value.
        most: The largest share of the values that may be the same.
        distinct: Whether it is a value of their own that so many rows have.
        among: A column of `matches`: only rows that match it count.
        not_from: Values of the column of `route` whose rows never have one, and are left out.
        reason: What in the history the shares were taken from.
    """

    columns: tuple[str, ...]
    least: Annotated[float, Field(ge=0, le=1)]
    most: Annotated[float, Field(gt=0, le=1)] | None = None
    distinct: bool = False
    among: str | None = None
    not_from: tuple[str, ...] = ()
    reason: Sentence


class Alias(Strict):
    """Two columns of which each value of one goes with one value of the other, within a vintage."""

    columns: tuple[str, str]
    reason: Sentence


class AnomalyChecks(Strict):
    """How a table of one vintage is compared with the last good vintage of the same request.

    Attributes:
        key: The publisher's own identity of a row; the last column names the row, those before it the board it is on.
        label: The column whose text names a row in a message.
        newest_of: A column of publication dates, where one vintage holds many: only the newest are compared.
        restated: By what share of its last good value a measure may be another for what was published before; within it, and
            within a unit of the last digit, it is a revision. Live counters have no such bound.
        gone: Share of the last good keys that may be missing; `new` share of keys that may be unknown.
        nulls: By column, `*` for all others: the share of known rows that may lose their value, and by which the share of
            missing values may rise; `filled` the share of values that a vintage has whatever the last good one had.
    """

    key: tuple[str, ...]
    label: str | None = None
    newest_of: str | None = None
    restated: Bound | None = None
    gone: Bound
    new: Bound
    nulls: Annotated[Mapping[str, Bound], Field(min_length=1), Frozen]
    filled: tuple[Filled, ...] = ()
    route: Route | None = None
    matches: tuple[Match, ...] = ()
    steady: tuple[Steady, ...] = ()
    aliases: tuple[Alias, ...] = ()
    score: Score | None = None
    measures: tuple[Measure, ...] = ()
    dates: tuple[When, ...] = ()
    flags: tuple[Flag, ...] = ()
