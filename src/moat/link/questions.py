"""The four questions that the mixed model answers: owning, amount, short video and size."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from moat.link.effects import Drawn, Effect, Permuted, coefficient, independent, permute_labels, permute_paths
from moat.link.field import Field
from moat.link.mixed import Floats, Projection, reml

Question = Literal["owning", "amount", "short", "size"]
FEWEST_COMPANIES = 8
FEWEST_OWNERS = 3


@dataclass(frozen=True)
class Finding:
    """What a question finds on a field.

    Attributes:
        effect: The coefficient asked for.
        test: Its permutation test; None where it was not wanted because the interval alone decides.
        without_size: For `size` the effect and test of owning on the same companies without their size; else None.
        n_companies: Companies in the fit.
        n_owners: Owners of platforms among them.
        n_models: Models.
        log_sd: Logarithms of the fitted standard deviations: companies, models, boards.
        null_log_sd: Those fitted without the tested terms, for the permutation test.
    """

    effect: Effect
    test: Permuted | None
    without_size: "Finding | None"
    n_companies: int
    n_owners: int
    n_models: int
    log_sd: Floats
    null_log_sd: Floats


def find(question: Question, field: Field, seed: int, n_random: int = 9_999, like: Finding | None = None) -> Finding | None:
    """Return what a question finds, or None where too few companies or owners are there, or differ, to ask it.

    Args:
        question: The question.
        field: The entries; for `size` those of unknown size are left out here, for `amount` and `short` owners of unknown hours.
        seed: Of the random orders of companies.
        n_random: How many random orders.
        like: The finding on nearly the same field: its standard deviations are where the fits start, and there is no
            permutation test where the interval includes zero, because p could not change the verdict.
    """
    if question == "size":
        field = field.only(field.has_size)
    if question in ("amount", "short"):
        field = field.only(field.has_hours)
    groups = field.groups
    n_companies = int(groups.company.max()) + 1 if len(field.rating) else 0
    n_owners = field.n_owners
    if n_companies < FEWEST_COMPANIES or n_owners < FEWEST_OWNERS or n_owners > n_companies - FEWEST_OWNERS:
        return None
    like = like if like is not None and len(like.log_sd) == groups.n_spreads + 2 else None
    without = find("owning", field, seed, n_random, like.without_size if like else None) if question == "size" else None
    base, tested = design(question, field)
    whole = np.hstack([base, tested.mean()])
    if len(independent(whole)) < whole.shape[1]:
        return None
    effect, fit = coefficient(groups, base, field.rating, tested, like.log_sd if like else None)
    test, null_log_sd = None, fit.v.log_sd
    if like is None or effect.interval[0] > 0:
        null = reml(groups, base, field.rating, like.null_log_sd if like else fit.v.log_sd)
        test, null_log_sd = _test(question, field, null, n_random, seed), null.v.log_sd
    n_models = len(np.unique(field.model))
    return Finding(effect, test, without, n_companies, n_owners, n_models, fit.v.log_sd, null_log_sd)


def design(question: Question, field: Field) -> tuple[Floats, Drawn]:
    """Return the controls, shape (n, k), and the tested terms; the coefficient of interest is the last."""
    owns = field.owns[:, None]
    if question == "owning":
        return field.base, Drawn.fixed(owns)
    if question == "size":
        return np.hstack([field.base, _varying(field.sizes)]), Drawn.fixed(owns)
    base = np.hstack([field.base, owns])
    if question == "amount":
        return base, field.drawn(field.hours.log_hours)
    return base, field.drawn(field.hours.log_hours, field.hours.log_share)


def _varying(columns: Floats) -> Floats:
    """Return the columns that are not constant."""
    return np.asarray(columns[:, np.ptp(columns, axis=0) > 0])


def _test(question: Question, field: Field, null: Projection, n_random: int, seed: int) -> Permuted:
    """Permute ownership over all companies, or hours or shares over owners."""
    if question in ("owning", "size"):
        labels = np.zeros(int(field.groups.company.max()) + 1)
        np.maximum.at(labels, field.groups.company, field.owns)
        return permute_labels(null, labels, n_random, seed)
    if question == "amount":
        return permute_paths(null, field.member, field.paths(field.hours.log_hours), n_random, seed)
    hours = field.drawn(field.hours.log_hours).mean()
    beside = Projection(null.v, np.column_stack([null.x, hours]), null.y)
    return permute_paths(beside, field.member, field.paths(field.hours.log_share), n_random, seed)
