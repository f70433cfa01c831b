"""How often the intervals of a fit hold the truth, in made worlds: `make calibrate` writes the table the build reads.

The table is a reference file: it costs minutes, depends on nothing but the code of the kit and the seeds, and says so.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from datamoat.fingerprint import code_hash
from datamoat.kit import worlds

FIELDS = (
    "world_kind", "quantity", "n_worlds", "n_truths", "covered_50_share", "covered_90_share", "rmse", "mean_sd", "log_score",
    "first_seed", "code_sha256",
)  # fmt: skip


def stamp() -> str:
    """Return the hash of the code the table depends on."""
    return code_hash(Path(worlds.__file__))


def calibrate(kind: str, n_worlds: int, n_places: int = 15, first_seed: int = 1_000) -> list[dict[str, object]]:
    """Return one row for each quantity: coverage, error and width at the last month of `n_worlds` worlds of a kind.

    The log score is the mean log density a normal with the draws' mean and sd gives the truth.
    """
    covered, errors, sds = [], [], []
    for seed in range(first_seed, first_seed + n_worlds):
        world = worlds.make_world(seed, n_places, kind=kind)
        draws = worlds.fit_world(world)
        covered.append(worlds.coverage(world, draws))
        truth = np.array([world.truth[key] for key in sorted(world.truth)])
        errors.append(draws.mean(axis=2) - truth)
        sds.append(draws.std(axis=2))
    inside, error, sd = (np.concatenate(parts) for parts in (covered, errors, sds))
    score = -0.5 * (error / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    return [
        {
            "world_kind": kind,
            "quantity": quantity,
            "n_worlds": n_worlds,
            "n_truths": len(error),
            "covered_50_share": round(float(inside[:, i, 0].mean()), 4),
            "covered_90_share": round(float(inside[:, i, 1].mean()), 4),
            "rmse": round(float(np.sqrt((error[:, i] ** 2).mean())), 4),
            "mean_sd": round(float(sd[:, i].mean()), 4),
            "log_score": round(float(score[:, i].mean()), 4),
            "first_seed": first_seed,
            "code_sha256": stamp(),
        }
        for i, quantity in enumerate(worlds.QUANTITIES)
    ]


def main(arguments: list[str]) -> int:
    """Run `python -m datamoat.calibrate OUT [WORLDS]`: worlds of every kind, one table."""
    out, n_worlds = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 50
    rows = [row for kind in worlds.KINDS for row in calibrate(kind, n_worlds)]
    with out.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return 0


if __name__ == "__main__":  # pragma: no cover
    raise SystemExit(main(sys.argv[1:]))
