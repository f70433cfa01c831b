"""The perturbations of decision 0060: the same data with one thing changed, and the questions it can move."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from functools import partial
from typing import Literal

import numpy as np

from moat.link.field import Field, Flags, Hours
from moat.link.mixed import Floats
from moat.link.questions import Question

Asked = Question | Literal["prediction"]
MODELLED: tuple[Asked, ...] = ("owning", "amount", "short", "size")
ALL: tuple[Asked, ...] = (*MODELLED, "prediction")
DRAWN: tuple[Asked, ...] = ("amount", "short")
VOLUME: tuple[Asked, ...] = (*DRAWN, "prediction")
SIZED: tuple[Asked, ...] = ("size", "prediction")
REACHES = (0.1, 1.0)
WEB_FACTORS = (10.0, 0.1)
N_BLOCKS = 10
FEW_DRAWS = 400
WHOLE = 1e-9  # a share that lacks less than this of all is all


@dataclass(frozen=True)
class Perturbation:
    """One change of the data.

    Attributes:
        name: What is changed, in words.
        questions: The questions it can move.
        changed: Makes the changed field.
    """

    name: str
    questions: tuple[Asked, ...]
    changed: Callable[[], Field]


@dataclass(frozen=True)
class Context:
    """What the perturbations need to know beside the field.

    Attributes:
        companies: Names of companies, by index.
        boards: Names of boards, by index.
        owners: Names of owners, by place.
        unobserved: For each owner whether none of its platforms has an observation, shape (n_owners,).
        reached: Share of the hours on its platforms that each owner can use, shape (n_owners, n_months, n_draws).
        contested: Share of each owner's hours that is on a platform whose kind is disputed, shape (n_owners, n_months), by
            platform, with whether it counts as short now.
        unverified: Share of each owner's hours that rests on an UNVERIFIED ownership row, shape (n_owners, n_months), by platform.
        first: Ratings and standard errors of the first capture of each entry on its scale, shape (n, 2).
        log_revenue: Base-10 logarithm of revenue at release, shape (n,); NaN where unknown.
        is_size_later: Whether the size became public after release only, shape (n,).
        is_expense: Whether the size is a stated R&D expense, shape (n,).
        is_contested: Whether a fair reader might count the company otherwise, as owner or as none, shape (n,).
    """

    companies: Sequence[str]
    boards: Sequence[str]
    owners: Sequence[str]
    unobserved: Flags
    reached: Floats
    first: Floats
    log_revenue: Floats
    is_size_later: Flags
    is_expense: Flags
    is_contested: Flags
    contested: Mapping[str, tuple[Floats, bool]] = attribute(default_factory=dict)
    unverified: Mapping[str, Floats] = attribute(default_factory=dict)


def perturbations(field: Field, context: Context) -> Iterator[Perturbation]:
    """Return every perturbation that applies to a field, in a fixed order."""
    for company in np.unique(field.company):
        yield Perturbation(f"without {context.companies[company]}", MODELLED, partial(field.only, field.company != company))
    for board in np.unique(field.board):
        yield Perturbation(f"without {context.boards[board]}", MODELLED, partial(field.only, field.board != board))
    seen = field.has_hours & ~np.isin(field.owner, np.flatnonzero(context.unobserved))
    if not seen.all():
        yield Perturbation("without owners that have no observation", ALL, partial(field.only, seen))
    for company in np.unique(field.company[context.is_contested]):
        chosen = context.is_contested & (field.company == company)
        other = "no owner" if field.is_owner[chosen].any() else "an owner"
        yield Perturbation(f"{context.companies[company]} counts as {other} of a platform", ALL, partial(_flipped, field, chosen))
    for platform, share in context.unverified.items():
        if share[field.members].any():
            yield Perturbation(f"{platform} not owned (ownership unverified)", ALL, partial(_disowned, field, share))
    yield Perturbation("best model of each company on each board", ALL, field.best_of_company)
    first = {"rating": context.first[:, 0], "se": context.first[:, 1]}
    yield Perturbation("first capture of each entry", ALL, partial(replace, field, **first))
    for name, hours, questions in _volumes(field, context):
        yield Perturbation(name, questions, partial(replace, field, hours=hours))
    yield Perturbation("R&D expense only", SIZED, partial(field.only, context.is_expense))
    revenue = {"log_size": context.log_revenue, "is_funding": np.zeros_like(field.is_funding)}
    yield Perturbation("revenue for size", SIZED, partial(replace, field, **revenue))
    yield Perturbation("sizes public before release only", SIZED, partial(field.only, ~context.is_size_later))


def _volumes(field: Field, context: Context) -> Iterator[tuple[str, Hours, tuple[Asked, ...]]]:
    """Return the perturbations of hours: name, hours and the questions they can move."""
    hours = field.hours
    for owner in field.members:
        for reach in REACHES:
            yield (
                f"{context.owners[owner]} reaches {reach:g} of its video",
                _reaching(hours, context.reached, owner, reach),
                VOLUME,
            )
    for platform, (share, is_short) in context.contested.items():
        if share[field.members].any():
            moved = -share if is_short else share
            yield f"{platform} counts as {'not short' if is_short else 'short'}", _reclassified(hours, moved), ("short",)
    for factor in WEB_FACTORS:
        yield f"public web times {factor:g}", replace(hours, other=hours.other * factor), VOLUME
    for block in range(N_BLOCKS):
        chosen = np.arange(block, hours.own.shape[2], N_BLOCKS)
        yield f"draws: set {block + 1} of {N_BLOCKS}", hours.drawn(chosen), DRAWN
    yield f"draws: the first {FEW_DRAWS}", hours.drawn(slice(0, FEW_DRAWS)), DRAWN


def _reaching(hours: Hours, reached: Floats, owner: int, reach: float) -> Hours:
    """Return hours where one owner can use a given share of what is on its platforms."""
    factor = np.ones_like(hours.own)
    factor[owner] = reach / reached[owner]
    return replace(hours, own=hours.own * factor, own_short=hours.own_short * factor)


def _reclassified(hours: Hours, moved: Floats) -> Hours:
    """Return hours where a share of the hours on own platforms moves to short video, or away from it where negative."""
    short = np.clip(hours.own_short + moved[:, :, None] * hours.own, 0.0, hours.own)
    return replace(hours, own_short=short)


def _flipped(field: Field, chosen: Flags) -> Field:
    """Return a field where the chosen entries are of owners if they were not, and the other way round; new owners have no known hours."""
    return replace(field, is_owner=field.is_owner ^ chosen, owner=np.where(chosen, -1, field.owner))


def _disowned(field: Field, share: Floats) -> Field:
    """Return a field without the hours of a platform; an owner with nothing else owns no platform."""
    left = (1 - share)[:, :, None]
    gone = np.flatnonzero((share > 1 - WHOLE).any(axis=1))
    hours = replace(field.hours, own=field.hours.own * left, own_short=np.minimum(field.hours.own_short, field.hours.own * left))
    without = np.isin(field.owner, gone)
    return replace(field, hours=hours, is_owner=field.is_owner & ~without, owner=np.where(without, -1, field.owner))
