"""An assumption is what is used: what is marked as read is read, and each of its percentiles moves something."""

import ast
import csv
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import duckdb
import numpy as np
import pytest

from datamoat.build.run import build_models
from datamoat.errors import UsageError
from datamoat.project.python_models import load
from datamoat.project.read import read_project
from datamoat.scenarios.rebuild import leading_to
from datamoat.settings import Settings
from datamoat.storage.lake import view
from moat.uncertainty.quantiles import Split
from moat.volume.uploads import Event, Platform, build_loss, build_series, theta_sds

BY_ID = ("volume_series.csv", "company_access.csv")  # tables that name an assumption by its id
CLASSES = ("short", "long", "social")
ENDS = ("p05", "p50", "p95")
# Thresholds: a tenth more or less moves nothing while no observation lies that near. Each is read, and a fault test moves it further.
THRESHOLDS = (
    "limit_", "unit_fault_factor", "contradiction_", "relay_log_distance", "measured_within_months",
)  # fmt: skip
# Read, but of today's record no row needs it: no statistic of volume of tier 1 is on record but pairs of removals, whose bias is A053,
# every rate that a text rounds repeats a pair that a file has exactly, and no study states a lower bound.
WITHOUT_ROWS = ("obs_bias_volume_t1", "rate_half_width_about", "overshoot_study")
OF_THE_FIT = ("prior_", "obs_", "early_loss", "late_loss", "wide_factor", "reels_share", "dur_mean_reels")
DRAWS = "intermediate.int_platform__draws"  # from 2020 on they are published as they are
STAGES = (
    DRAWS,
    "marts.company_volume",
    None,
)  # what is built in turn until something differs: the fit, the companies, everything
N_FEW = 16  # draws


def assumptions(folder: Path) -> list[dict[str, str]]:
    with (folder / "assumptions.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def of_the_fit(rows: list[dict[str, str]]) -> dict[str, Split]:
    return {row["name"]: Split(row["distribution"], *(float(row[end]) for end in ENDS)) for row in rows}


def literals(checkout: Path) -> Iterator[str]:
    """Yield every text that models, checks and the science hold as a value; comments and docstrings are none."""
    for path in sorted([*(checkout / "transforms").rglob("*.sql"), *(checkout / "expectations").rglob("*.sql")]):
        code = re.sub(r"/\*.*?\*/|--[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        yield from re.findall(r"'([^'\n]*)'", code)
    for path in [*sorted((checkout / "transforms").rglob("*.py")), *sorted((checkout / "src" / "moat").rglob("*.py"))]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        yield from (
            node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        )  # fmt: skip


def inputs_of_the_fit(priors: dict[str, Split]) -> np.ndarray:
    """Everything the fit gets of the assumptions but the sizes of the observations' noise, as one row of numbers."""
    found: list[np.ndarray] = []
    for kind in CLASSES:
        series = build_series(Platform("p", kind, -24, None, (Event("e", "rate", 0, 0.5, 0.5),)), 60, priors)
        for process in series.processes:
            loadings = [*process.shared.values(), *process.own.values()]
            found += [process.mean, np.array([process.gp_sd, process.gp_length]), *loadings]
    found.append(np.array(list(theta_sds(priors).values())))
    loss = build_loss(priors)
    found.append(loss.log_survival(np.array([-1.0, 0.0, 1.0]), np.array([-1.0, 0.0, 1.0]), np.array([30.0, 30.0, 30.0])))
    return np.concatenate(found)


def moved(split: Split, end: str) -> Split:
    """The assumption with one percentile a tenth further; of a fixed one all three, and of one around 0 a tenth of its width."""
    step = 0.1 * abs(split.p50) if split.p50 else 0.1 * (split.p95 - split.p05)
    change = {"p05": -step, "p50": min(step, 0.5 * (split.p95 - split.p50)), "p95": step}
    if split.distribution == "fixed":
        return Split("fixed", *(value * 1.1 for value in split[1:]))
    value = getattr(split, end)
    if split.distribution in {"lognormal", "beta"}:
        return split._replace(
            **{
                end: value
                * (1.05 if end == "p50" else 0.9 if end == "p05" else 1.0 + 0.1 * (1 - value) ** (split.distribution == "beta"))
            }
        )
    return split._replace(**{end: value + change[end]})


def test_an_assumption_is_marked_as_read_if_and_only_if_something_reads_it(checkout: Path) -> None:
    reference = checkout / "data" / "reference"
    rows, named = assumptions(reference), set(literals(checkout))
    ids = "\n".join((reference / name).read_text(encoding="utf-8") for name in BY_ID)
    priors = of_the_fit(rows)

    class Recorder(dict[str, Split]):
        """Priors that note which of them are taken."""

        def __getitem__(self, name: str) -> Split:
            named.add(name)
            return super().__getitem__(name)

    recorded = Recorder(priors)
    for kind in CLASSES:
        build_series(Platform("p", kind, -24, None, (Event("e", "rate", 0, 0.5, 0.5),)), 60, recorded)
    build_loss(recorded)
    named |= {f"obs_{what}_{family}_t{tier}" for what, family, tier in product(("sd", "bias"), ("users", "volume"), (1, 2, 3, 4))}
    read = {row["assumption_id"] for row in rows if row["name"] in named or re.search(rf"\b{row['assumption_id']}\b", ids)}
    assert read == {row["assumption_id"] for row in rows if row["is_read"] == "true"}


def test_every_percentile_of_every_prior_reaches_the_fit(checkout: Path) -> None:
    priors = of_the_fit(assumptions(checkout / "data" / "reference"))
    before = inputs_of_the_fit(priors)
    by_value = {"prior_observation_freedom"}  # taken by the models, not by the series
    for name, split in priors.items():
        if name.startswith(("prior_", "early_loss", "late_loss")) and name not in by_value:
            for end in ENDS:
                after = inputs_of_the_fit({**priors, name: moved(split, end)})
                assert not np.array_equal(before, after), (name, end)
        elif name.startswith("obs_"):  # the median is joined to each observation, the spread is the prior of its multiplier
            for end in ("p05", "p95"):
                assert theta_sds({name: split}) != theta_sds({name: moved(split, end)}), (name, end)


def test_what_only_one_number_is_read_of_is_fixed(checkout: Path) -> None:
    rows = assumptions(checkout / "data" / "reference")
    sql = "\n".join(path.read_text(encoding="utf-8") for path in sorted((checkout / "transforms").rglob("*.sql")))
    for row in rows:
        read = set(re.findall(rf"(p05|p50|p95)\b[^\n]*name = '{row['name']}'", sql))
        if read == {"p50"} and row["is_read"] == "true":
            assert row["distribution"] == "fixed", row["name"]
        if row["distribution"] == "fixed":
            assert row["p05"] == row["p50"] == row["p95"], row["name"]


def test_whatif_writes_every_percentile_that_a_model_reads_and_refuses_the_others(checkout: Path, tmp_path: Path) -> None:
    volumes = load(checkout / "reports" / "whatif" / "volumes.py")
    source = checkout / "data" / "reference" / "assumptions.csv"
    before = assumptions(source.parent)
    with duckdb.connect() as con:
        for row in before:
            for end in ENDS:
                found = moved(Split(row["distribution"], *(float(row[e]) for e in ENDS)), end)
                shutil.copyfile(source, tmp_path / source.name)
                numbers = {row["assumption_id"]: ",".join(map(repr, found[1:]))}
                if row["is_read"] == "false":
                    with pytest.raises(UsageError, match=f"no model reads {row['assumption_id']}"):
                        volumes.change_inputs(tmp_path, numbers, (), con)
                    continue
                assert volumes.change_inputs(tmp_path, numbers, (), con) == ["assumptions"]
                differ = [(a, b) for a, b in zip(before, assumptions(tmp_path), strict=True) if a != b]
                assert [a["assumption_id"] for a, _ in differ] == [row["assumption_id"]]
                assert [float(differ[0][1][e]) for e in ENDS] == [float(value) for value in found[1:]]


class Rebuilds:
    """Builds of the real record with few draws and another table of assumptions; results of models are cached between them."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        for name in ("transforms", "expectations", "data/reference"):
            shutil.copytree(checkout / name, folder / name)
        self.path = folder / "data" / "reference" / "assumptions.csv"
        self.text, self.rows = self.path.read_text(encoding="utf-8"), assumptions(self.path.parent)
        self.settings = Settings(content=folder, data=folder / "out", threads=1)
        project = read_project(folder)
        self.checks = [check for check in project.checks if "meta.assumptions" in check.sql]
        self.project = replace(project, build={**project.build, "n_draws": N_FEW}, macros=(), checks=(), expectations=())
        self.before = {target: self.built(target) for target in STAGES}

    def built(self, target: str | None) -> dict[str, str]:
        """Build what a table depends on, or everything, and return what there is to compare: that table, or all marts and checks."""
        build = build_models(self.settings, leading_to(self.project, target) if target else self.project, date(2026, 10, 8))
        if target == DRAWS:
            return {DRAWS: build.tables[DRAWS]["sha256"]}
        found = {name: table["content_hash"] for name, table in build.tables.items() if "content_hash" in table}
        return found if target else found | self.checked()

    def checked(self) -> dict[str, str]:
        """Return the rows of every check that reads the assumptions: it can keep a build from publication."""
        with duckdb.connect(config={"threads": "1"}) as con:
            for schema in ("staging", "intermediate", "marts", "meta"):
                con.execute(f"create schema {schema}")
                for path in sorted((self.settings.lake / schema).glob("*.parquet")):
                    view(con, f"{schema}.{path.stem}", path)
            return {check.name: str(con.sql(check.sql).fetchall()) for check in self.checks}

    def moves_something(self, name: str, found: Split) -> bool:
        """Whether the fit's draws, a mart or the rows of a check are others with another distribution of an assumption."""
        written = dict(zip(ENDS, map(repr, found[1:]), strict=True))
        with self.path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(row | written if row["name"] == name else row for row in self.rows)
        try:
            return any(self.built(target) != self.before[target] for target in STAGES)
        finally:
            self.path.write_text(self.text, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("is_of_the_fit", [True, False], ids=["of the fit", "after the fit"])
def test_a_tenth_more_of_any_percentile_changes_the_draws_of_the_fit_or_some_mart_or_the_rows_of_a_check(
    checkout: Path, tmp_path: Path, is_of_the_fit: bool
) -> None:
    rebuilds, still = Rebuilds(checkout, tmp_path), []
    for row in rebuilds.rows:
        name = row["name"]
        if row["is_read"] == "false" or name in WITHOUT_ROWS or name.startswith(OF_THE_FIT) != is_of_the_fit:
            continue
        was = Split(row["distribution"], *(float(row[end]) for end in ENDS))
        for end in ENDS if row["distribution"] != "fixed" else ("p50",):
            if name.startswith(THRESHOLDS):  # moved until some statistic of the record is beyond it
                tried = [Split("fixed", *(value * factor for value in was[1:])) for factor in (0.001, 1000.0)]
            else:
                tried = [moved(was, end)]
            if not any(rebuilds.moves_something(name, found) for found in tried):
                still.append(f"{name}.{end}")
    assert still == []
