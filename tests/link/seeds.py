"""Build the answer again with other seeds and numbers of draws, and print what moves: `make seeds` (minutes).

Everything that depends on random numbers is made again from the reference facts and the snapshots: the draws of platforms and
companies, the estimates, the random orders of permutation tests and the bootstraps. The verdict of a question has to be the same in
every build, for every choice of captures, and an estimate moves by less than a tenth of its standard error. Ends with 1 where that
does not hold.
"""

import sys
from pathlib import Path

import polars as pl
from scipy import stats

from datamoat.scenarios.rebuild import scenario_build
from datamoat.settings import read_settings
from datamoat.storage.lake import path_of

KEY = ["as_of_kind", "as_of_on", "question_id"]
N_SEEDS = 10
DRAWS = (400, 1_000, 4_000)
MOST_MOVED = 0.1  # of a standard error
Z90 = 2 * float(stats.norm.ppf(0.95))


def with_settings(**changed: int) -> pl.DataFrame:
    """Return moat_answer as it is built with other settings of transforms/build.yml."""

    def change(reference: Path) -> list[str]:
        path = reference.parents[1] / "transforms" / "build.yml"
        lines = path.read_text(encoding="utf-8").splitlines()
        for name, value in changed.items():
            (place,) = [i for i, line in enumerate(lines) if line.startswith(f"{name}:")]
            lines[place] = f"{name}: {value}"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return []

    with scenario_build(read_settings(), change, "marts.moat_answer") as lake:
        columns = [*KEY, "estimate", "estimate_p05", "estimate_p95", "verdict"]
        return pl.read_parquet(path_of(lake, "marts.moat_answer")).select(columns)


def moved(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return how far each estimate moved, in standard errors (90 % interval over 3.29), and both verdicts."""
    return before.join(after, on=KEY, suffix="_again").with_columns(
        moved=(pl.col("estimate_again") - pl.col("estimate")).abs() / ((pl.col("estimate_p95") - pl.col("estimate_p05")) / Z90)
    )


def main() -> int:
    """Print a line a build and one a question."""
    builds = {"as published": with_settings()}
    builds |= {f"seed {k}": with_settings(seed=k) for k in range(1, N_SEEDS + 1)}
    builds |= {f"{n:,} draws": with_settings(n_draws=n) for n in DRAWS}
    both = {name: moved(builds["as published"], found) for name, found in builds.items()}
    sys.stdout.write("| build | verdicts | verdicts that differ | largest move, standard errors | moves of a tenth or more |\n|---|---|---|---|---|\n")
    for name, found in both.items():
        differing = found.filter(pl.col("verdict") != pl.col("verdict_again"))
        largest = found["moved"].max()
        far = found.filter(pl.col("moved") >= MOST_MOVED)
        sys.stdout.write(f"| {name} | {found.height} | {differing.height} | {largest:.3f} | {far.height} |\n")
    every = pl.concat(both.values())
    sys.stdout.write("\n| question | captures | verdicts | smallest estimate | largest estimate | largest move |\n|---|---|---|---|---|---|\n")
    summary = every.group_by(KEY).agg(
        pl.col("verdict_again").unique().sort().str.join(", "), low=pl.col("estimate_again").min(), high=pl.col("estimate_again").max(), moved=pl.col("moved").max(),
    )  # fmt: skip
    for kind, day, question, words, low, high, largest in summary.sort("question_id", "as_of_kind", "as_of_on").iter_rows():
        shown = (f"{value:.2f}" if value is not None else "" for value in (low, high, largest))
        sys.stdout.write(f"| {question} | {kind} {day} | {words.replace('_', ' ')} | {' | '.join(shown)} |\n")
    n_differing = every.filter(pl.col("verdict") != pl.col("verdict_again")).height
    n_far = every.filter(pl.col("moved") >= MOST_MOVED).height
    sys.stdout.write(f"\n{n_differing} verdicts differ; {n_far} estimates move by a tenth of a standard error or more.\n")
    return int(n_differing + n_far > 0)


if __name__ == "__main__":
    raise SystemExit(main())
