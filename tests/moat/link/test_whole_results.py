"""Every number of every question and forecast on a small made field is as it was: a change of method shows here, and what it moves.

`python tests/moat/link/test_whole_results.py` writes the known results again where the method is meant to change.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fields import made_field, ratings

from moat.link.crossboard import cross_board_scores
from moat.link.dose import slope
from moat.link.effects import coefficient, permute_labels, permute_paths, sign_flips
from moat.link.field import Field
from moat.link.forecast import PREDICTORS, ahead, gain_interval, walk
from moat.link.mixed import reml
from moat.link.perturb import Context, perturbations
from moat.link.questions import Question, design, find
from moat.uncertainty.quantiles import Split

KNOWN = Path(__file__).with_name("whole_results.json")
QUESTIONS: tuple[Question, ...] = ("owning", "amount", "short", "size")


def plain(value: Any) -> Any:
    """Return a result as numbers, lists and dictionaries."""
    if is_dataclass(value):
        return {part.name: plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value.tolist()]
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else float(f"{value:.7g}")
    return int(value) if isinstance(value, np.integer) else value


def small() -> Field:
    """Return a field of 14 companies in which hours act, so that draws of hours differ in weight."""
    field = made_field(31, n_companies=14, n_owners=5, n_draws=8)
    rated = replace(field, rating=ratings(field, np.random.default_rng(5), amount=25.0, size=30.0))
    size = np.where(field.company == 6, np.nan, field.log_size)  # a company of unknown size, and an owner of unknown hours
    return replace(rated, log_size=size, owner=np.where(field.company == 1, -1, field.owner))


def context(field: Field) -> Context:
    """Return what perturbations of the small field need to know."""
    shape = field.hours.own.shape
    part, whole = np.zeros((2, *shape[:2]))
    part[2], whole[4] = 0.5, 1.0
    return Context(
        companies=[f"c{i}" for i in range(14)], boards=[f"b{i}" for i in range(4)], owners=[f"o{i}" for i in range(5)],
        unobserved=np.arange(5) == 1, reached=np.full(shape, 0.5), contested={"p": (part, False), "r": (part, True), "s": (0 * part, True)},
        unverified={"q": whole, "t": part, "u": 0 * part}, first=np.column_stack([field.rating - 5, field.se * 2]),
        log_revenue=field.log_size + 1, is_size_later=field.company == 3, is_expense=field.company != 2, is_contested=np.isin(field.company, (4, 9)),
    )  # fmt: skip


def of_question(question: Question) -> Iterator[tuple[str, Any]]:
    """Yield what a question finds, what it finds on a changed field from there, and what its permutations are at random."""
    field = small()
    first = find(question, field, seed=1, n_random=99)
    yield f"{question}: found", first
    yield (
        f"{question}: without a company, from there",
        find(question, field.only(field.company != 7), seed=1, n_random=99, like=first),
    )
    kept = field.only(field.has_size)
    base, tested = design(question, kept)
    equal, _ = coefficient(kept.groups, base, kept.rating, tested, is_integrated=False)
    yield f"{question}: draws counted equally", [equal, equal.se]
    yield f"{question}: best of each company", find(question, field.best_of_company(), seed=2, n_random=99)


def of_permutations() -> Iterator[tuple[str, Any]]:
    """Yield tests with random orders, and the fit behind them."""
    many = made_field(32, n_companies=26, n_owners=8, n_draws=3)
    null = reml(many.groups, many.base, many.rating)
    yield "fit", {
        "log_sd": null.v.log_sd, "beta": null.beta, "criterion": null.criterion, "information": null.information,
        "average": null.average_information, "df": null.degrees_of_freedom(np.eye(null.x.shape[1])[0]),
    }  # fmt: skip
    labels = (np.arange(26) < 8).astype(float)
    yield "labels in random orders", permute_labels(null, labels, 199, seed=3)
    yield "paths in random orders", permute_paths(null, many.member, many.paths(many.hours.log_hours), 199, seed=3)
    yield "signs in random patterns", sign_flips(np.linspace(-1, 2, 15), 199, np.random.default_rng(3))
    yield "signs", sign_flips(np.linspace(-1, 2, 7), 199, np.random.default_rng(3))


def of_forecasts() -> Iterator[tuple[str, Any]]:
    """Yield forecasts by each predictor, of entries that are on the boards and of one to come, and their scores."""
    field = small()
    coming = replace(field.only(np.arange(len(field.rating)) < 2), model=np.array([901, 902]), day=np.full(2, 0.6))
    for predictor in PREDICTORS:
        found = walk(predictor, field)
        known = np.isfinite(found.mean)
        yield f"{predictor}: walk", {
            "n": int(known.sum()), "fits": found.fits, "mean": found.mean[known][::7], "scale": found.scale[known][::7],
            "df": found.df[known][::7], "log_score": found.log_score(field.rating)[known].mean(),
            "crps": found.crps(field.rating)[known].mean(), "pit": found.pit(field.rating)[known].mean(),
            "quantiles": found.quantiles((0.05, 0.5, 0.95))[known].mean(axis=0),
            "above": found.chance_above(field.rating, field.se)[known].mean(),
        }  # fmt: skip
        yield f"{predictor}: ahead", ahead(predictor, field, coming)
    gains = np.random.default_rng(8).normal(0.1, 1, 60)
    yield "gains", gain_interval(gains, np.arange(60) % 9, seed=4)


def of_the_rest() -> Iterator[tuple[str, Any]]:
    """Yield each perturbation with the field it makes, scores over boards, and a dose."""
    field = small()
    for found in perturbations(field, context(field)):
        changed = found.changed()
        yield found.name, {
            "questions": found.questions, "n": len(changed.rating), "owners": np.bincount(changed.owner + 1), "rating": changed.rating.sum(), "se": changed.se.sum(),
            "sizes": [np.nansum(changed.log_size), changed.is_funding.sum()], "n_owning": changed.is_owner.sum(),
            "hours": [np.nansum(changed.hours.own), np.nansum(changed.hours.own_short), np.nansum(changed.hours.other)],
        }  # fmt: skip
    model, board = np.tile(np.arange(9), 3)[:22], np.repeat(np.arange(3), 9)[:22]
    rng = np.random.default_rng(2)
    scores = cross_board_scores(model, board, rng.normal(1000, 60, 22), np.full(22, 6.0), Split("lognormal", 15, 35, 70))
    yield "scores over boards", scores
    yield "dose", slope(rng.normal(30, 20, 11), rng.normal(10, 5, 11), rng.uniform(0.5, 4, 11), np.arange(11) // 2, 5)


PARTS = {
    **{question: (lambda question=question: of_question(question)) for question in QUESTIONS},
    "permutations": of_permutations, "forecasts": of_forecasts, "the rest": of_the_rest,
}  # fmt: skip


def near(value: Any) -> Any:
    """Return what a known result may differ from by rounding."""
    if isinstance(value, dict):
        return {name: near(one) for name, one in value.items()}
    if isinstance(value, list):
        return [near(one) for one in value]
    return pytest.approx(value, rel=2e-4, abs=2e-5) if isinstance(value, float) else value


@pytest.mark.parametrize("part", list(PARTS))
def test_every_result_on_a_small_field_is_as_before(part: str) -> None:
    known = json.loads(KNOWN.read_text(encoding="utf-8"))[part]
    found = {name: plain(value) for name, value in PARTS[part]()}
    assert list(found) == list(known)
    for name, value in found.items():
        assert value == near(known[name]), name


if __name__ == "__main__":
    written = {part: {name: plain(value) for name, value in made()} for part, made in PARTS.items()}
    lines = (f"{json.dumps(part)}: {json.dumps(results)}" for part, results in written.items())
    KNOWN.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
