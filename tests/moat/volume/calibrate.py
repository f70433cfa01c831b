"""Write the calibration table that the build reads: simulated data sets of every kind, fitted, against their truth.

The table is a reference file: it costs minutes and depends on nothing but the code and the seeds, whose hash it carries.
Run as `python tests/moat/volume/calibrate.py OUT [N]`.
"""

import csv
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import polars as pl

from datamoat.project.fingerprint import code_hash
from moat.volume import simulation
from moat.volume.observations import read_priors

REFERENCE = Path(__file__).parents[3] / "data" / "reference"
PRIORS = read_priors(pl.read_csv(REFERENCE / "assumptions.csv", glob=False).rename({"name": "assumption_name"}))

FIELDS = (
    "simulation_kind", "quantity", "n_simulations", "n_truths", "covered_50_share", "covered_90_share", "rmse", "mean_sd", "log_score",
    "first_seed", "code_sha256",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Simulate, fit and write one table."""
    out, n_simulations = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 50
    stamp = {"code_sha256": code_hash(Path(simulation.__file__))}
    with ProcessPoolExecutor(2) as pool:
        found = pool.map(partial(simulation.calibrate, PRIORS, n_simulations=n_simulations), simulation.KINDS)
        rows = [row | stamp for of_kind in found for row in of_kind]
    with out.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
