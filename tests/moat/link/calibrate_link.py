"""Print the table of docs/method.md: verdicts, coverage and power of every question on the real field with simulated ratings.

The field is that of the published file: companies, owners, dates, boards, standard errors, sizes and draws of hours are real, the
ratings are simulated, with one effect at a time and the volume that acts drawn again. Verdicts are those of the primary
specification alone. `wrong` counts those against the truth, `wrong, robust` those of them that are the same without each company and
each board, with the best models alone and in each set of draws. Run as `python tests/moat/link/calibrate_link.py [N]`.
"""

import sys
from dataclasses import replace
from typing import get_args

import numpy as np
from fields import SCENARIOS, ratings, real_field

from moat.link.field import Field
from moat.link.perturb import Context, perturbations
from moat.link.questions import Finding, Question, find
from moat.link.rule import Evidence, verdict

SMALLEST = 20.0
HEADINGS = ("acting", "question", "truth", "mean", "sd", "coverage 90", "supported", "not supported", "wrong", "wrong, robust")


def is_robust(question: Question, field: Field, word: str, seed: int) -> bool:
    """Return whether a verdict is the same without each company and board, with best models alone and in each set of draws."""
    nothing = np.zeros(field.hours.own.shape[0], dtype=bool)
    context = Context(
        [str(i) for i in range(int(field.company.max()) + 1)], [str(i) for i in range(int(field.board.max()) + 1)], [str(i) for i in range(len(nothing))], nothing,
        np.ones_like(field.hours.own), {}, {}, np.column_stack([field.rating, field.se]), field.log_size, nothing,
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
    """Return the true value of an estimand; None where it is not one number, as owning where size or hours act."""
    if question == "owning" and set(acting) - {"owning"}:
        return None
    if question == "size" and set(acting) & {"amount", "short"}:
        return None
    return acting.get("owning" if question == "size" else question, 0.0)


def rates(field: Field, name: str, n_sets: int) -> list[tuple[object, ...]]:
    """Return a row a question over simulated data sets of one scenario."""
    found: dict[Question, list[tuple[float, float, float, str, bool]]] = {question: [] for question in get_args(Question)}
    for i in range(n_sets):
        simulated = replace(field, rating=ratings(field, np.random.default_rng([i, 64]), **SCENARIOS[name]))
        for question, rows in found.items():
            one = find(question, simulated, i, 999)
            if one is None:
                continue
            word, truth = verdict(evidence_of(one), SMALLEST)[0], truth_of(question, SCENARIOS[name])
            is_wrong = truth is not None and word == ("supported" if truth == 0 else "not_supported")
            rows.append((one.effect.estimate, *one.effect.interval, word, is_wrong and is_robust(question, simulated, word, i)))
    table = []
    for question, rows in found.items():
        truth = truth_of(question, SCENARIOS[name])
        estimates, lows, highs = (np.array([row[k] for row in rows]) for k in range(3))
        supported, against = (float(np.mean([row[3] == word for row in rows])) for word in ("supported", "not_supported"))
        known: tuple[float | None, ...] = (None, None, None)
        if truth is not None:
            wrong = supported if truth == 0 else against
            known = (float(np.mean((lows <= truth) & (truth <= highs))), wrong, float(np.mean([row[4] for row in rows])))
        covered, wrong_alone, wrong_robust = (value if value is None else round(value, 3) for value in known)
        row = (
            name,
            question,
            truth,
            round(float(estimates.mean()), 1),
            round(float(estimates.std()), 1),
            covered,
            round(supported, 3),
            round(against, 3),
        )
        table.append((*row, wrong_alone, wrong_robust))
    return table


def main(arguments: list[str]) -> int:
    """Simulate every scenario and print one table."""
    n_sets = int(arguments[0]) if arguments else 1_000
    field = real_field(n_draws=400)
    sys.stdout.write("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS) + "\n")
    for name in SCENARIOS:
        for row in rates(field, name, n_sets):
            sys.stdout.write("| " + " | ".join("" if value is None else str(value) for value in row) + " |\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
