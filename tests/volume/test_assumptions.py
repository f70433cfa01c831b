"""An assumption is what is used: what is marked as read is read, and each of its percentiles moves something."""

import ast
import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import polars.selectors as cs
import pytest

from datamoat.build.record import read_build
from datamoat.build.run import build_models
from datamoat.errors import UsageError
from datamoat.project.model import Model as ProjectModel
from datamoat.project.model import Project
from datamoat.project.python_models import load
from datamoat.project.read import read_project
from datamoat.scenarios.rebuild import leading_to
from datamoat.settings import Settings
from datamoat.storage.lake import parquet, path_of, view
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
ASSUMPTIONS, PRIORS = "staging.stg_reference__assumptions", "intermediate.int_volume__priors"
OF_THE_FIT = ("int_platform__fit", "int_volume__held_out", "int_volume__priors")
# Their percentiles reach the fit by the test above; those that only the fit's own file reads are moved by the slow builds below.
THROUGH_THE_FIT = ("prior_", "obs_", "early_loss", "late_loss", "wide_factor", "reels_share", "dur_mean_reels")
N_FEW = 48  # draws


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


class Readers:
    """The models and checks that read the table of assumptions besides the fit, run again with another table on the published lake."""

    def __init__(self, published: Settings) -> None:
        project = read_project(published.content)
        self.lake, self.con = published.lake, duckdb.connect(config={"threads": "1"})
        self.checks = [check for check in project.checks if "meta.assumptions" in check.sql]
        self.models = [model for model in project.models if ASSUMPTIONS in model.reads or PRIORS in model.reads]
        self.models = [model for model in self.models if model.name not in OF_THE_FIT]
        as_of = read_build(published.lake).as_of
        self.taken = {"settings": {**project.build, "n_draws": N_FEW}, "as_of": as_of}
        self.con.execute(f"set variable as_of = date '{as_of}'")
        for schema in ("staging", "intermediate", "marts", "meta"):
            self.con.execute(f"create schema {schema}")
        tables = project.tables.keys() | {f"meta.{path.stem}" for path in (self.lake / "meta").glob("*.parquet")}
        for name in sorted(tables - {ASSUMPTIONS, PRIORS, "meta.assumptions"}):
            view(self.con, name, path_of(self.lake, name))
        self.con.execute(f"create table {ASSUMPTIONS} as from {parquet(path_of(self.lake, ASSUMPTIONS))}")
        self.con.execute(f"create view meta.assumptions as from {ASSUMPTIONS}")
        self.con.execute(f"create view {PRIORS} as {next(m.text for m in project.models if m.tables[0].id == PRIORS)}")
        for model in self.models:
            assert any(
                table.layer == "marts" for target in project.models for table in target.tables if leads(project, model, target)
            )
        self.before = {model.name: self.result(model) for model in self.models}
        self.before |= {check.name: self.rows(check.sql) for check in self.checks}

    def rows(self, sql: str) -> str:
        """Return a hash of the rows of a query, whatever their order."""
        return str(
            self.con.execute(f"select count(*) as n, bit_xor(md5_number(t::varchar)) as digest from ({sql}) as t").fetchall()
        )

    def result(self, model: ProjectModel) -> str:
        """Return a hash of what a model returns."""
        if model.is_sql:
            return self.rows(model.text)
        given = {read.split(".")[1]: self.few(read) for read in model.reads}
        found = load(model.path).model(**given, **{name: self.taken[name] for name in model.constants})
        frames = found if isinstance(found, dict) else {model.name: found}
        return str([(name, frame.lazy().collect().hash_rows(0).sum()) for name, frame in sorted(frames.items())])

    def few(self, read: str) -> pl.LazyFrame:
        """Return a table as a model gets it, with the first of its draws alone."""
        frame = (
            self.con.sql(f"from {read}").pl().lazy()
            if read in {ASSUMPTIONS, PRIORS}
            else pl.scan_parquet(path_of(self.lake, read))
        )
        return frame.with_columns(cs.ends_with("_draws").list.head(N_FEW))

    def changed(self, assumption: str, found: Split) -> bool:
        """Whether some model, or some check that keeps a build from publication, returns something else with another distribution."""
        self.con.execute(f"update {ASSUMPTIONS} set p05 = ?, p50 = ?, p95 = ? where name = ?", [*found[1:], assumption])
        text = f"\b{assumption}\b"
        likely = sorted(self.models, key=lambda model: (not re.search(text, model.text), not model.is_sql))
        return any(self.rows(check.sql) != self.before[check.name] for check in self.checks) or any(
            self.result(model) != self.before[model.name] for model in likely
        )

    def restore(self, assumption: str, was: Split) -> None:
        """Set a distribution back."""
        self.con.execute(f"update {ASSUMPTIONS} set p05 = ?, p50 = ?, p95 = ? where name = ?", [*was[1:], assumption])


def leads(project: Project, model: ProjectModel, target: ProjectModel) -> bool:
    """Whether a model is among those that a table of another depends on."""
    return model in leading_to(project, target.tables[0].id).models


@pytest.mark.slow
def test_a_tenth_more_of_any_percentile_changes_what_a_model_returns_that_leads_to_a_mart(published: Settings) -> None:
    readers, still = Readers(published), []
    for row in assumptions(published.reference):
        if row["is_read"] == "false" or row["name"].startswith(THROUGH_THE_FIT) or row["name"] in WITHOUT_ROWS:
            continue
        was = Split(row["distribution"], *(float(row[end]) for end in ENDS))
        for end in ENDS if row["distribution"] != "fixed" else ("p50",):
            if row["name"].startswith(THRESHOLDS):  # moved until some statistic of the record is beyond it
                tried = [Split("fixed", *(value * factor for value in was[1:])) for factor in (0.001, 1000.0)]
            else:
                tried = [moved(was, end)]
            if not any(readers.changed(row["name"], found) for found in tried):
                still.append(f"{row['name']}.{end}")
            readers.restore(row["name"], was)
    assert still == []


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


@pytest.fixture(scope="module")
def trees(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> "Trees":
    return Trees(checkout, tmp_path_factory.mktemp("mutations"))


class Trees:
    """Builds of the real record with few draws and another table of assumptions; results of models are cached between them."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(checkout / "transforms", folder / "transforms")
        shutil.copytree(checkout / "data" / "reference", folder / "data" / "reference")
        shutil.copytree(checkout / "expectations", folder / "expectations")
        self.rows = assumptions(folder / "data" / "reference")
        self.settings = Settings(content=folder, data=folder / "out", threads=1)
        self.before = {target: self.built(target) for target in ("marts.company_volume", None)}

    def built(self, target: str | None) -> dict[str, str]:
        """Build and return the content hash of every mart."""
        project: Project = read_project(self.folder)
        project = replace(project, build={**project.build, "n_draws": 64}, macros=(), checks=(), expectations=())
        project = leading_to(project, target) if target else project
        build_models(self.settings, project, date(2026, 10, 8))
        tables = json.loads((self.settings.lake / "build.json").read_text())["tables"]
        return {name: table["content_hash"] for name, table in tables.items() if "content_hash" in table}

    def moves_something(self, name: str, end: str) -> bool:
        """Whether some mart has other content with one percentile of an assumption moved by a tenth."""
        changed = []
        for row in self.rows:
            if row["name"] == name:
                found = moved(Split(row["distribution"], *(float(row[e]) for e in ENDS)), end)
                changed.append(row | dict(zip(ENDS, map(repr, found[1:]), strict=True)))
            else:
                changed.append(row)
        path = self.folder / "data" / "reference" / "assumptions.csv"
        text = path.read_text(encoding="utf-8")
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(changed)
        try:
            return any(self.built(target) != self.before[target] for target in ("marts.company_volume", None))
        finally:
            path.write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_a_tenth_more_of_any_percentile_of_an_assumption_changes_some_mart(trees: Trees) -> None:
    still = [
        f"{row['name']}.{end}"
        for row in trees.rows
        if row["is_read"] == "true" and not row["name"].startswith(THRESHOLDS) and row["name"] not in WITHOUT_ROWS
        for end in (ENDS if row["distribution"] != "fixed" else ("p50",))
        if not trees.moves_something(row["name"], end)
    ]
    assert still == []
