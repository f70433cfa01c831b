"""Build the answer again with other seeds and numbers of draws, and print what moves: `make seeds` (minutes).

Everything that depends on random numbers is made again: the draws of platforms and
companies, the estimates, the random orders of permutation tests and the bootstraps; what does not is read from the lake. The verdict of a question has to be the same in
every build, for every choice of captures, and an estimate moves by less than a tenth of its standard error. Ends with 1 where that
does not hold.
"""

import sys
from typing import Any

import polars as pl
from scipy import stats

from datamoat.build.inputs import constants_of
from datamoat.build.record import read_build
from datamoat.project.model import Model
from datamoat.project.python_models import load
from datamoat.project.read import read_project
from datamoat.settings import read_settings
from datamoat.storage.lake import path_of

ANSWER = "intermediate.int_moat__statement"
KEY = ["as_of_kind", "as_of_on", "question_id"]
COLUMNS = [*KEY, "estimate", "estimate_p05", "estimate_p95", "verdict"]
N_SEEDS = 10
DRAWS = (400, 4_000)  # beside those published, 1,000
MOST_MOVED = 0.1  # of a standard error
DIFFERS = pl.col("verdict") != pl.col("verdict_again")
FAR = pl.col("moved") >= MOST_MOVED
Z90 = 2 * float(stats.norm.ppf(0.95))


def random_models(models: tuple[Model, ...]) -> list[Model]:
    """Return the Polars models that lead to the answer and take the settings, or read what those make, in graph order."""
    wanted, leading = {ANSWER}, []
    for model in reversed(models):
        if wanted & {table.id for table in model.tables}:
            leading.append(model)
            wanted |= set(model.reads)
    made: set[str] = set()
    chosen = []
    for model in reversed(leading):
        if not model.is_sql and ("settings" in model.constants or made & set(model.reads)):
            chosen.append(model)
            made |= {table.id for table in model.tables}
    return chosen


def built_again(**changed: int) -> pl.DataFrame:
    """Return verdicts and estimates as they are with other settings of transforms/build.yml; all else is read from the lake."""
    own = read_settings()
    project = read_project(own.content)
    constants = constants_of(project, read_build(own.lake).as_of)
    settings = {name: value for name, value in constants.items() if name != "as_of"} | changed
    made: dict[str, pl.LazyFrame] = {}
    for model in random_models(project.models):
        given: dict[str, Any] = {
            name.split(".")[1]: made[name] if name in made else pl.scan_parquet(path_of(own.lake, name)) for name in model.reads
        }
        given |= {name: {"settings": settings, "as_of": constants["as_of"]}[name] for name in model.constants}
        found = load(model.path).model(**given)
        frames = found if isinstance(found, dict) else {model.name: found}
        for table in model.tables:
            frame = frames.pop(table.name)
            frame = pl.DataFrame(frame) if not isinstance(frame, pl.DataFrame | pl.LazyFrame) else frame.lazy().collect()
            made[table.id] = frame.sort(table.grain).lazy()
    return made[ANSWER].select(COLUMNS).collect()


def moved(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return how far each estimate moved, in standard errors (90 % interval over 3.29), and both verdicts."""
    return before.join(after, on=KEY, suffix="_again").with_columns(
        moved=(pl.col("estimate_again") - pl.col("estimate")).abs() / ((pl.col("estimate_p95") - pl.col("estimate_p05")) / Z90)
    )


def main() -> int:
    """Print a line a build and one a question."""
    published = pl.read_parquet(path_of(read_settings().lake, ANSWER)).select(COLUMNS)
    builds = [(f"{n:,} draws", {"n_draws": n}) for n in DRAWS] + [(f"seed {k}", {"seed": k}) for k in range(1, N_SEEDS + 1)]
    sys.stdout.write(
        "| build | verdicts | verdicts that differ | largest move, standard errors | moves of a tenth or more |\n|---|---|---|---|---|\n"
    )
    found = []
    for name, changed in builds:
        one = moved(published, built_again(**changed))
        found.append(one)
        n_differing, n_far = one.filter(DIFFERS).height, one.filter(FAR).height
        sys.stdout.write(f"| {name} | {one.height} | {n_differing} | {one['moved'].max():.3f} | {n_far} |\n")
        sys.stdout.flush()
    every = pl.concat(found)
    sys.stdout.write(
        "\n| question | captures | verdicts | smallest estimate | largest estimate | largest move |\n|---|---|---|---|---|---|\n"
    )
    summary = every.group_by(KEY).agg(
        pl.concat_list("verdict", "verdict_again").explode().unique().sort().str.join(", "),
        low=pl.col("estimate_again").min(), high=pl.col("estimate_again").max(), moved=pl.col("moved").max(),
    )  # fmt: skip
    for kind, day, question, words, low, high, largest in summary.sort("question_id", "as_of_kind", "as_of_on").iter_rows():
        shown = (f"{value:.2f}" if value is not None else "" for value in (low, high, largest))
        sys.stdout.write(f"| {question} | {kind} {day} | {words.replace('_', ' ')} | {' | '.join(shown)} |\n")
    n_differing, n_far = every.filter(DIFFERS).height, every.filter(FAR).height
    sys.stdout.write(f"\n{n_differing} verdicts differ; {n_far} estimates move by a tenth of a standard error or more.\n")
    return int(n_differing + n_far > 0)


if __name__ == "__main__":
    raise SystemExit(main())
