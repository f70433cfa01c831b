"""Make a sample of mutants, run for each the tests that reach it, and record which the tests kill.

    python tests/mutation/mutate.py WORK [--mutants 400] [--seed 1] [--workers 2]

WORK holds two copies of the tree, which tests reach which line, and `results.csv`: one row for each mutant, added when it is
known, so that a run that was stopped goes on where it was. Of the mutants, a fifth are of SQL models. A test is fit for a
mutant if it reaches its line in a recorded run of the fast tests and needs no published build; a mutant that ends in no answer
within its time is killed. For a SQL model, its own cases run first, then a build with its audit and the tests of what is published.
"""

import argparse
import contextlib
import csv
import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from mutants import Mutant, python_mutants, sql_mutant, sql_places

ROOT = Path(__file__).resolve().parents[2]
SQL_SHARE = 0.2
LEFT_OUT = {
    "src/datamoat/ingest/spark.py": "needs a Spark server: `make test-spark`",
    "src/datamoat/orchestration/airflow_local.py": "needs Airflow: `make test` runs it against a real scheduler",
}
NEEDS_A_BUILD = {"published", "boards", "driven", "scheduler"}  # fixtures
FAST = "not slow and not celery and not spark and not airflow"
AFTER_A_BUILD = [
    "tests/unit/test_boards.py", "tests/other_engine", "tests/link", "tests/readers/test_trace.py", "tests/readers/test_whatif.py",
]  # fmt: skip
LIBRARIES = ("duckdb", "numpy", "scipy.special", "polars", "pyarrow.parquet", "pytest", "yaml", "sqlglot", "pydantic", "typer")
# What is run where the tests that reach a line let the mutant live: a fixture that is made once is reached by its first test only.
SUITES = {
    "src/datamoat/release/": "tests/readers/test_release.py tests/readers/test_verify.py tests/readers/test_standards.py",
    "src/datamoat/views/": "tests/unit/test_cli.py tests/unit/test_every_command.py tests/readers",
    "src/datamoat/cli/": "tests/unit/test_every_command.py tests/unit/test_cli.py tests/unit/test_cli_sources.py tests/unit/test_notify.py"
    " tests/scale/test_rejected_rows.py",
    "src/datamoat/scenarios/": "tests/unit/test_whatif.py tests/readers/test_whatif.py",
    "src/datamoat/project/": "tests/unit/test_project.py tests/unit/test_declared.py tests/unit/test_reference.py tests/unit/test_mistakes.py"
    " tests/unit/test_parsers.py tests/faults/test_g_promises.py",
    "src/datamoat/ingest/": "tests/unit/test_bounds.py tests/unit/test_cli_sources.py tests/unit/test_tasks.py tests/faults/test_a_lies.py"
    " tests/faults/test_a_columns.py tests/faults/test_b_transport.py tests/faults/test_c_time.py tests/scale/test_streamed.py"
    " tests/scale/test_rejected_rows.py",
    "src/datamoat/orchestration/": "tests/unit/test_tasks.py tests/unit/test_notify.py tests/unit/test_declared.py tests/scale/test_streamed.py",
    "src/datamoat/settings.py": "tests/unit/test_settings.py tests/unit/test_cli.py",
    "src/datamoat/parsing/": "tests/unit/test_parsers.py tests/unit/test_samples.py tests/faults/test_a_lies.py",
    "src/datamoat/log.py": "tests/unit/test_log.py",
    "src/datamoat/": "tests/unit/test_build.py tests/unit/test_publish.py",
    "src/moat/volume/": "tests/moat/volume --deselect tests/moat/volume/test_simulation.py::test_the_published_calibration_is_of_the_code_as_it_is",
    "src/moat/link/": "tests/moat/link",
    "src/moat/": "tests/moat/uncertainty tests/scale/test_posts.py tests/moat/volume/test_uploads.py",
}
COLUMNS = ("id", "file", "line", "change", "outcome", "seconds", "killed_by")


def sample(n: int, seed: int) -> list[Mutant]:
    """Return `n` mutants, the same for a seed as long as the code is the same."""
    rng = random.Random(seed)  # noqa: S311
    modules = [path for path in sorted((ROOT / "src").rglob("*.py")) if path.relative_to(ROOT).as_posix() not in LEFT_OUT]
    python = [mutant for path in modules for mutant in python_mutants(ROOT, path)]
    models = [path for path in sorted((ROOT / "transforms").glob("*/*/*.sql")) if path.name != "counts.sql"]
    places = [place for path in models for place in sql_places(ROOT, path)]
    n_sql = round(n * SQL_SHARE)
    chosen = rng.sample(python, n - n_sql) + [sql_mutant(ROOT, *place) for place in rng.sample(places, n_sql)]
    rng.shuffle(chosen)  # so that a run that is stopped has tried a sample too
    return chosen


def record_reach(work: Path) -> dict[str, dict[int, list[str]]]:
    """Return for each module and line the fit tests that reach it, the fastest first."""
    path = work / "reach.json"
    if not path.exists():
        measured = work / "coverage"
        if not measured.exists():
            call = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-m", FAST, "-p", "no:cacheprovider", "--cov=src",
                    "--cov-context=test", "--cov-report=", f"--junitxml={work / 'junit.xml'}"]  # fmt: skip
            subprocess.run(call, cwd=ROOT, env={**os.environ, "COVERAGE_FILE": str(measured)}, check=False)
        path.write_text(json.dumps(_reach(measured, work / "junit.xml")))
    return {file: {int(line): tests for line, tests in lines.items()} for file, lines in json.loads(path.read_text()).items()}


def _reach(measured: Path, junit: Path) -> dict[str, dict[int, list[str]]]:
    import xml.etree.ElementTree as ET

    import pytest
    from coverage import CoverageData

    class Listener:
        fixtures: dict[str, set[str]] = {}  # noqa: RUF012

        def pytest_collection_finish(self, session: pytest.Session) -> None:
            self.fixtures.update({item.nodeid: set(item.fixturenames) for item in session.items})  # type: ignore[attr-defined]

    os.chdir(ROOT)
    pytest.main(["--collect-only", "-qq", "-m", FAST, "-p", "no:cacheprovider"], plugins=[Listener()])
    seconds = {}
    for case in ET.parse(junit).iter("testcase"):  # noqa: S314
        if not len(case):
            seconds[f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"] = float(case.get("time", "0"))
    fit = {
        name
        for name, fixtures in Listener.fixtures.items()
        if not name.endswith("of_the_code_as_it_is") and not fixtures & NEEDS_A_BUILD and seconds.get(name, 99) < 30
    }
    found: dict[str, dict[int, list[str]]] = {}
    data = CoverageData(str(measured))
    data.read()
    for file in data.measured_files():
        lines = {}
        for line, contexts in data.contexts_by_lineno(file).items():
            tests = {context.partition("|")[0] for context in contexts} & fit
            lines[line] = sorted(tests, key=seconds.__getitem__)
        found[Path(file).relative_to(ROOT).as_posix()] = lines
    return found


def fit_tests(reach: dict[str, dict[int, list[str]]], mutant: Mutant) -> list[str]:
    """Return the tests for a mutant of a module: those that reach its line, else those that reach its module most."""
    lines = reach.get(mutant.file, {})
    tests = lines.get(mutant.line) or next((lines[line] for line in range(mutant.line, 0, -1) if lines.get(line)), [])
    if not tests:
        counts: dict[str, int] = defaultdict(int)
        for reached in lines.values():
            for test in reached:
                counts[test] += 1
        tests = sorted(counts, key=lambda test: -counts[test])
    return tests[:30]


def run_tests(copy: Path, words: list[str], seconds: float) -> tuple[str, str]:
    """Run tests in a copy of the tree, in a process of its own that is forked from this one, and return how it ended."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(theirs, 1)
        os.dup2(theirs, 2)
        os.environ |= {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        os.environ.setdefault("DATAMOAT_CAPTURES", str(ROOT.parent / "shared" / "captures"))
        sys.path[:] = [
            str(copy / "src"),
            *(place for place in sys.path if place not in {str(ROOT / "src"), str(Path(__file__).parent)}),
        ]
        sys.dont_write_bytecode = True
        os.chdir(copy)
        import pytest

        own = f"--basetemp={copy.parent / 'temporary'}-{copy.name[-1]}"  # not cleared or filled by anybody else
        os._exit(int(pytest.main([own, "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=line", *words])))
    os.close(theirs)
    began, printed = time.monotonic(), b""
    os.set_blocking(ours, False)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        with contextlib.suppress(BlockingIOError):
            printed += os.read(ours, 1 << 20)
        if done:
            break
        if time.monotonic() - began > seconds:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(ours)
            return "killed", "no answer in time"
        time.sleep(0.05)
    os.close(ours)
    text = printed.decode(errors="replace")
    failed = [line.partition(" - ")[0] for line in text.splitlines() if line.startswith(("FAILED tests", "ERROR tests"))]
    match os.waitstatus_to_exitcode(status):
        case 0:
            return "survived", ""
        case 5:
            return "not reached", "no fit test"
        case _:
            return "killed", "\n".join(failed) or " ".join(text[-200:].split())


def copy_of(work: Path, name: str) -> Path:
    """Return a copy of the tree with its lake."""
    copy = work / name
    if not copy.exists():
        ignore = shutil.ignore_patterns(
            ".git", ".venv", "*.pyc", "__pycache__", "exports", "snapshots", "warehouse", "dist", ".*_cache", work.name
        )
        shutil.copytree(ROOT, copy, ignore=ignore, symlinks=True)
    return copy


def try_mutant(copy: Path, mutant: Mutant, tests: list[str], sound: dict[str, bool]) -> tuple[str, str]:
    """Run what is fit for a mutant, the fastest first, until something kills it; return how it ended and by what."""
    if mutant.file.startswith("src/"):
        suite = next(suite for start, suite in SUITES.items() if mutant.file.startswith(start))
        runs = [(tests, 240.0)] * bool(tests) + [(["-m", FAST, *suite.split()], 900.0)]
    else:
        runs = [(["tests/models", "-k", Path(mutant.file).stem], 120.0), (AFTER_A_BUILD, 900.0)]
    outcome, by = "not reached", "no fit test"
    for words, seconds in runs:
        outcome, by = run_with(copy, mutant, words, seconds, sound)
        if outcome == "killed":
            break
    return outcome, by


def run_with(copy: Path, mutant: Mutant, words: list[str], seconds: float, sound: dict[str, bool]) -> tuple[str, str]:
    """Put a mutant into a copy of the tree, run tests, and take it out again.

    What fails without the mutant too kills nothing: `sound` remembers such tests, and the others are run again.
    """
    path = copy / mutant.file
    before = path.read_text(encoding="utf-8")
    while True:
        call = ["-x", *(f"--deselect={test}" for test, is_sound in sound.items() if not is_sound), *words]
        path.write_text(mutant.text, encoding="utf-8")
        try:
            outcome, by = run_tests(copy, call, seconds)
        finally:
            path.write_text(before, encoding="utf-8")
        if outcome != "killed" or by == "no answer in time":
            return outcome, by
        if not by.startswith(("FAILED tests", "ERROR tests")):  # the run broke before any test
            is_sound = run_tests(copy, call, seconds)[0] == "survived"
            return (outcome, by) if is_sound else ("not reached", "these tests do not run without the mutant either")
        test = by.splitlines()[0].partition(" ")[2]
        if sound.get(test) is False:  # its file cannot be collected
            return "not reached", "these tests do not run without the mutant either"
        if test not in sound:  # its whole file, so that of several such tests each does not cost a run
            _, fail = run_tests(copy, [test.partition("::")[0]], 240)
            sound |= {line.partition(" ")[2]: False for line in fail.splitlines()}
            sound.setdefault(test, run_tests(copy, [test], 240)[0] == "survived")
        if sound[test]:
            return outcome, by


def work_through(work: Path, name: str, mutants: list[tuple[Mutant, list[str]]]) -> None:
    """Try mutants one after another in a copy of the tree; each result is written at once."""
    copy, sound = copy_of(work, name), dict[str, bool]()
    for mutant, tests in mutants:
        began = time.monotonic()
        outcome, by = try_mutant(copy, mutant, tests, sound)
        row = [
            mutant.id,
            mutant.file,
            mutant.line,
            mutant.change,
            outcome,
            round(time.monotonic() - began, 1),
            " ".join(by.split())[:160],
        ]
        with (work / "results.csv").open("a", newline="") as handle:
            csv.writer(handle).writerow(row)


def main() -> None:
    """Work through the sample and print the share that is killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("--mutants", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    given.work = given.work.resolve()  # the tests run in another folder
    given.work.mkdir(parents=True, exist_ok=True)
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    reach = record_reach(given.work)
    wanted = sample(given.mutants, given.seed)
    results = given.work / "results.csv"
    if not results.exists():
        results.write_text(",".join(COLUMNS) + "\n")
    known = {row["id"] for row in csv.DictReader(results.open(newline=""))}
    left = [mutant for mutant in wanted if mutant.id not in known]
    for library in LIBRARIES:
        __import__(library)  # once for all the processes that are forked from this one
    tried = [(mutant, fit_tests(reach, mutant)) for mutant in left]
    del reach  # half a gigabyte of objects, which the collector would walk through in every test
    gc.collect()
    gc.freeze()
    children = []
    for number in range(given.workers):
        if (child := os.fork()) == 0:
            work_through(given.work, f"tree {number}", tried[number :: given.workers])
            os._exit(0)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if any(ends):
        sys.exit(
            "a worker ended before its mutants were tried; what it tried is in results.csv, and the next run goes on from there"
        )
    ids = {mutant.id for mutant in wanted}
    rows = [row for row in csv.DictReader(results.open(newline="")) if row["id"] in ids]
    n_killed = sum(row["outcome"] == "killed" for row in rows)
    sys.stdout.write(f"{n_killed} of {len(rows)} mutants killed ({n_killed / len(rows):.1%})\n")


if __name__ == "__main__":
    main()
