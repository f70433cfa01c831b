"""Print the table of docs/method.md: verdicts, coverage and power of every question on the real field with simulated ratings.

The field is that of the published file: companies, owners, dates, boards, standard errors, sizes and draws of hours are real, the
ratings are simulated, with one effect at a time and the volume that acts drawn again. Verdicts are those of the primary
specification alone. `wrong` counts those against the truth, `wrong, robust` those of them that are the same without each company and
each board, with the best models alone and in each set of draws. `hours known` has one draw only, the one that acts: what is left is
what the mixed model itself does. Run as `python tests/moat/link/calibrate_link.py [N [QUESTION ...]]`; two processes, minutes.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import repeat
from multiprocessing import get_context
from typing import get_args

import numpy as np
from fields import SCENARIOS, ratings, real_field

from moat.link.field import Field
from moat.link.perturb import Context, perturbations
from moat.link.questions import Finding, Question, find
from moat.link.rule import Evidence, verdict

SMALLEST = 20.0
N_DRAWS = 400
N_PROCESSES = 2
HEADINGS = (
    "acting", "question", "truth", "mean", "sd", "coverage 90", "supported", "not supported", "right", "wrong", "wrong, robust",
)  # fmt: skip
KNOWN = ", hours known"


@dataclass(frozen=True)
class Found:
    """What one question finds on one simulated data set."""

    estimate: float
    low: float
    high: float
    word: str
    is_wrong_and_robust: bool


@cache
def field_of(n_draws: int) -> Field:
    """Return the real field."""
    return real_field(n_draws)


def is_robust(question: Question, field: Field, word: str, seed: int) -> bool:
    """Return whether a verdict is the same without each company and board, with best models alone and in each set of draws."""
    nothing, never = np.zeros(field.hours.own.shape[0], dtype=bool), np.zeros(len(field.rating), dtype=bool)
    context = Context(
        [str(i) for i in range(int(field.company.max()) + 1)], [str(i) for i in range(int(field.board.max()) + 1)], [str(i) for i in range(len(nothing))], nothing,
        np.ones_like(field.hours.own), np.column_stack([field.rating, field.se]), field.log_size, never, never, never,
    )  # fmt: skip
    wanted = ("without", "best model", "draws")
    changes = (change for change in perturbations(field, context) if change.name.startswith(wanted))
    return all(verdict_of(question, change.changed(), seed) == word for change in changes if question in change.questions)


def verdict_of(question: Question, field: Field, seed: int) -> str:
    """Return the verdict of one field."""
    one = find(question, field, seed, 999)
    return "cannot_tell" if one is None else verdict(evidence_of(one), SMALLEST)[0]


def evidence_of(one: Finding) -> Evidence:
    """Return what the rule reads of a finding."""
    beside = evidence_of(one.without_size) if one.without_size else None
    return Evidence(one.effect.estimate, *one.effect.interval, one.test.p if one.test else None, beside)


def truth_of(question: Question, acting: dict[str, float]) -> float | None:
    """Return the true value of an estimand; None where it is not one number, because what acts goes with what is estimated."""
    with_it = {"owning": {"amount", "short", "size"}, "amount": {"short"}, "short": set(), "size": {"amount", "short"}}
    if set(acting) & with_it[question]:
        return None
    return acting.get("owning" if question == "size" else question, 0.0)


def right_word(question: Question, acting: dict[str, float], truth: float | None) -> str | None:
    """Return the verdict that is right; None where there is no truth."""
    if question == "size" and "size" in acting:
        return "not_supported"
    if truth is None:
        return None
    return "supported" if truth > 0 else "not_supported"


def simulate(name: str, i: int, asked: tuple[Question, ...]) -> dict[str, Found]:
    """Return what every question finds on one simulated data set."""
    acting, is_known = SCENARIOS[name.removesuffix(KNOWN)], name.endswith(KNOWN)
    field = field_of(N_DRAWS)
    rng = np.random.default_rng([i, 64])
    if is_known:
        field = replace(field, hours=field.hours.drawn(slice(draw := i % N_DRAWS, draw + 1)))
    field = replace(field, rating=ratings(field, rng, **acting))
    out: dict[str, Found] = {}
    for question in asked:
        one = find(question, field, i, 999)
        if one is not None:
            word, truth = verdict(evidence_of(one), SMALLEST)[0], truth_of(question, acting)
            is_wrong = truth is not None and not is_known and word == ("supported" if truth == 0 else "not_supported") and word != right_word(question, acting, truth)  # fmt: skip
            out[question] = Found(
                one.effect.estimate, *one.effect.interval, word, is_wrong and is_robust(question, field, word, i)
            )
    return out


def rates(name: str, found: list[dict[str, Found]]) -> list[tuple[object, ...]]:
    """Return a row a question over the simulated data sets of one scenario."""
    table: list[tuple[object, ...]] = []
    acting = SCENARIOS[name.removesuffix(KNOWN)]
    for question in get_args(Question):
        rows = [one[question] for one in found if question in one]
        if not rows:
            continue
        truth = truth_of(question, acting)
        estimates = np.array([row.estimate for row in rows])
        share = {word: round(float(np.mean([row.word == word for row in rows])), 3) for word in ("supported", "not_supported")}
        right = right_word(question, acting, truth)
        covered = wrong = robust = None
        if truth is not None:
            covered = round(float(np.mean([row.low <= truth <= row.high for row in rows])), 3)
            wrong = share["supported" if truth == 0 else "not_supported"]
            robust = None if name.endswith(KNOWN) else round(float(np.mean([row.is_wrong_and_robust for row in rows])), 3)
        table.append((
            name, question, truth, round(float(estimates.mean()), 1), round(float(estimates.std()), 1), covered, share["supported"],
            share["not_supported"], share[right] if right else None, wrong, robust,
        ))  # fmt: skip
    return table


def main(arguments: list[str]) -> int:
    """Simulate every scenario and print one table."""
    n_sets = int(arguments[0]) if arguments else 1_000
    asked = tuple(question for question in get_args(Question) if question in arguments[1:] or not arguments[1:])
    of_hours = tuple(question for question in asked if question in {"amount", "short"})
    names = dict.fromkeys(SCENARIOS, asked) | {name + KNOWN: of_hours for name in ("date only", "amount", "short")}
    sys.stdout.write("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS) + "\n")
    with ProcessPoolExecutor(N_PROCESSES, mp_context=get_context("spawn")) as pool:
        for name, questions in names.items():
            found = list(pool.map(simulate, repeat(name), range(n_sets), repeat(questions), chunksize=20))
            for row in rates(name, found):
                sys.stdout.write("| " + " | ".join("" if value is None else str(value) for value in row) + " |\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
