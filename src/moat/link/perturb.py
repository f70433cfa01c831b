"""The perturbations of decision 0060: the same data with one thing changed, and the questions it can move."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moat.link.field import Field, Flags, Hours
from moat.link.mixed import Floats
from moat.link.questions import Question

ALL: tuple[Question, ...] = ("owning", "amount", "short", "size")
VOLUME: tuple[Question, ...] = ("amount", "short")
REACHES = (0.1, 1.0)
WEB_FACTORS = (10.0, 0.1)
N_BLOCKS = 10
FEW_DRAWS = 400


@dataclass(frozen=True)
class Perturbation:
    """One change of the data.

    Attributes:
        name: What was changed, in words.
        questions: The questions it can move.
        change: Returns the changed field.
    """

    name: str
    questions: tuple[Question, ...]
    change: Callable[[Field], Field]


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
    """

    companies: Sequence[str]
    boards: Sequence[str]
    owners: Sequence[str]
    unobserved: Flags
    reached: Floats
    contested: Mapping[str, tuple[Floats, bool]]
    unverified: Mapping[str, Floats]
    first: Floats
    log_revenue: Floats
    is_size_later: Flags


def perturbations(field: Field, context: Context) -> Iterator[Perturbation]:
    """Return every perturbation that applies to a field, in a fixed order."""
    for company in np.unique(field.company):
        yield Perturbation(f"without {context.companies[company]}", ALL, lambda f, c=company: f.only(f.company != c))
    for board in np.unique(field.board):
        yield Perturbation(f"without {context.boards[board]}", ALL, lambda f, b=board: f.only(f.board != b))
    if context.unobserved[field.members].any():
        hidden = np.flatnonzero(context.unobserved)
        yield Perturbation("without owners that have no observation", ALL, lambda f: f.only(~np.isin(f.owner, hidden)))
    for platform, share in context.unverified.items():
        if share[field.members].any():
            yield Perturbation(f"{platform} not owned (ownership unverified)", ALL, lambda f, s=share: _disowned(f, s))
    yield Perturbation("best model of each company on each board", ALL, lambda f: f.best_of_company())
    yield Perturbation("first capture of each entry", ALL, lambda f: replace(f, rating=context.first[:, 0], se=context.first[:, 1]))
    yield from _volumes(field, context)
    yield Perturbation("R&D expense only", ("size",), lambda f: f.only(~f.is_funding))
    yield Perturbation("revenue for size", ("size",), lambda f: replace(f, log_size=context.log_revenue, is_funding=np.zeros_like(f.is_funding)))
    yield Perturbation("sizes public before release only", ("size",), lambda f: f.only(~context.is_size_later))


def _volumes(field: Field, context: Context) -> Iterator[Perturbation]:
    """Return the perturbations of hours."""
    for owner in field.members:
        for reach in REACHES:
            name = f"{context.owners[owner]} reaches {reach:g} of its video"
            yield Perturbation(name, VOLUME, lambda f, o=owner, r=reach: _with_hours(f, _reaching(f.hours, context.reached, o, r)))
    for platform, (share, is_short) in context.contested.items():
        if share[field.members].any():
            name = f"{platform} counts as {'not short' if is_short else 'short'}"
            sign = -1.0 if is_short else 1.0
            yield Perturbation(name, ("short",), lambda f, s=share, g=sign: _with_hours(f, _reclassified(f.hours, g * s)))
    for factor in WEB_FACTORS:
        yield Perturbation(
            f"public web times {factor:g}", VOLUME, lambda f, k=factor: _with_hours(f, replace(f.hours, other=f.hours.other * k))
        )
    n_draws = field.hours.own.shape[2]
    for block in range(N_BLOCKS):
        chosen = np.arange(block, n_draws, N_BLOCKS)
        yield Perturbation(
            f"draws: set {block + 1} of {N_BLOCKS}", VOLUME, lambda f, c=chosen: _with_hours(f, f.hours.drawn(c))
        )
    yield Perturbation(f"draws: the first {FEW_DRAWS}", VOLUME, lambda f: _with_hours(f, f.hours.drawn(slice(0, FEW_DRAWS))))


def _with_hours(field: Field, hours: Hours) -> Field:
    return replace(field, hours=hours)


def _reaching(hours: Hours, reached: Floats, owner: int, reach: float) -> Hours:
    """Return hours where one owner can use a given share of what is on its platforms."""
    factor = np.ones_like(hours.own)
    factor[owner] = reach / reached[owner]
    return replace(hours, own=hours.own * factor, own_short=hours.own_short * factor)


def _reclassified(hours: Hours, moved: Floats) -> Hours:
    """Return hours where a share of the hours on own platforms moves to short video, or away from it where negative."""
    short = np.clip(hours.own_short + moved[:, :, None] * hours.own, 0.0, hours.own)
    return replace(hours, own_short=short)


def _disowned(field: Field, share: Floats) -> Field:
    """Return a field without the hours of a platform; an owner with nothing else owns no platform."""
    left = 1 - share
    gone = np.flatnonzero((left < 1e-9).any(axis=1))
    hours = replace(field.hours, own=field.hours.own * left[:, :, None], own_short=np.minimum(field.hours.own_short, field.hours.own * left[:, :, None]))
    return replace(field, hours=hours, owner=np.where(np.isin(field.owner, gone), -1, field.owner))
