"""Print the table of docs/method.md: verdicts, coverage and power of every question on the real field with simulated ratings.

The field is that of the published file: companies, owners, dates, boards, standard errors, sizes and draws of hours are real, the
ratings are simulated, with one effect at a time and the volume that acts drawn anew. Verdicts are those of the primary
specification alone; robustness can only make them fewer. Run as `python tests/moat/link/calibrate_link.py [N]`.
"""

import sys
from dataclasses import replace
from typing import get_args

import numpy as np
from fields import SCENARIOS, ratings, real_field

from moat.link.field import Field
from moat.link.questions import Question, find
from moat.link.rule import Evidence, verdict

SMALLEST = 20.0
HEADINGS = ("acting", "question", "truth", "mean", "sd", "coverage 90", "supported", "not supported", "wrong")


def truth_of(question: Question, acting: dict[str, float]) -> float | None:
    """Return the true value of an estimand; None where it is not one number, as owning where size or hours act."""
    if question == "owning" and set(acting) - {"owning"}:
        return None
    if question == "size" and set(acting) & {"amount", "short"}:
        return None
    return acting.get("owning" if question == "size" else question, 0.0)


def rates(field: Field, name: str, n_sets: int) -> list[tuple[object, ...]]:
    """Return a row a question over simulated data sets of one scenario."""
    found: dict[Question, list[tuple[float, float, float, str]]] = {question: [] for question in get_args(Question)}
    for i in range(n_sets):
        simulated = replace(field, rating=ratings(field, np.random.default_rng([i, 64]), **SCENARIOS[name]))
        for question, rows in found.items():
            one = find(question, simulated, i, 999)
            if one is None:
                continue
            other = one.without_size
            beside = Evidence(other.effect.estimate, *other.effect.interval, other.test and other.test.p) if other else None
            low, high = one.effect.interval
            rows.append(
                (
                    one.effect.estimate,
                    low,
                    high,
                    verdict(Evidence(one.effect.estimate, low, high, one.test and one.test.p, beside), SMALLEST)[0],
                )
            )
    table = []
    for question, rows in found.items():
        truth = truth_of(question, SCENARIOS[name])
        estimates, lows, highs = (np.array([row[k] for row in rows]) for k in range(3))
        supported, against = (np.mean([row[3] == word for row in rows]) for word in ("supported", "not_supported"))
        covered = wrong = None
        if truth is not None:
            covered = round(float(np.mean((lows <= truth) & (truth <= highs))), 3)
            wrong = round(float(supported if truth == 0 else against), 3)
        table.append(
            (
                name,
                question,
                truth,
                round(float(estimates.mean()), 1),
                round(float(estimates.std()), 1),
                covered,
                round(float(supported), 3),
                round(float(against), 3),
                wrong,
            )
        )
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
