"""Time and memory of the main jobs, medians of five in one run: `make bench`, or `make bench RUNS=3`.

Runs on a copy of the checkout's content in a throw-away folder: a first run with nothing cached, a run with one new fact (users of X
in another quarter, so that every platform is fitted again), a run in which nothing changed, and single commands after them.
Memory is that of the largest process. Absolute times depend on the machine and on what else it does: the load is printed.
"""

import csv
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RUNS = int(os.environ.get("RUNS", "5"))
CHECKOUT = Path(__file__).parents[1]
DATAMOAT = str(Path(sys.executable).with_name("datamoat"))
COMMANDS = {
    "build": [DATAMOAT, "build"],
    "publish": [DATAMOAT, "publish"],
    "query": [DATAMOAT, "query", "from marts.board_status where is_latest_usable"],
    "status": [DATAMOAT, "status"],
    "boards alone, in pandas": [sys.executable, str(CHECKOUT / "tests" / "other_engine" / "boards_in_pandas.py")],
}
QUARTERS = [
    (f"{year}-{month:02d}-01", f"{year}-{month + 2:02d}-{30 if month in (4, 7) else 31}")
    for year in (2023, 2024)
    for month in (1, 4, 7, 10)
]
BOARDS = ("board__capture_entry", "board__capture", "board__entry", "board__status")  # what the pandas script does


def measure(words: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run one command and return wall seconds, CPU seconds and peak megabytes of its largest process."""
    began = time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode not in ({0, 1} if words[-1] == "status" else {0}):  # a stale board is no failure of the program
        sys.exit(f"{' '.join(words)} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def add_fact(reference: Path, number: int) -> None:
    """Append users of X in a quarter about which nothing is on record."""
    path = reference / "platform_observations.csv"
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    like = next(row for row in rows if row["metric"] == "daily_active_users" and row["is_usable"] == "true")
    starts, ends = QUARTERS[number]
    new = {
        **like, "fact_id": f"F95{number:02d}", "platform_id": "x", "value": str(240_000_000 + number), "period_start_on": starts,
        "period_end_on": ends, "observed_on": "", "geography": "global", "originator": "x", "supersedes_fact_id": "", "bound": "exact",
        "value_low": "", "value_high": "", "note": "", "citation_id": "C1165",
    }  # fmt: skip
    with path.open("a", newline="", encoding="utf-8") as handle:
        csv.DictWriter(handle, list(rows[0]), lineterminator="\n").writerow(new)


def main() -> None:
    """Print the table."""
    if not 1 <= RUNS <= len(QUARTERS):
        sys.exit(
            f"RUNS={RUNS}: each run adds a fact in a quarter of its own, and there are {len(QUARTERS)}. Set RUNS to 1 to {len(QUARTERS)}."
        )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"load of the machine before: {load}; {os.cpu_count()} cores")  # noqa: T201
    print(f"{'job':<26}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'runs':>6}")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        content, data = Path(folder) / "content", Path(folder) / "data"
        for name in ("transforms", "expectations", "reports"):
            shutil.copytree(CHECKOUT / name, content / name, ignore=shutil.ignore_patterns("node_modules"))
        shutil.copytree(CHECKOUT / "data" / "reference", content / "data" / "reference")
        environment = {**os.environ, "DATAMOAT_ROOT": str(content), "DATAMOAT_DATA": str(data)}
        numbers = itertools.count()

        def report(name: str, words: list[str], before: Callable[[], object] = lambda: None, n_runs: int = RUNS) -> None:
            found = []
            for _ in range(n_runs):
                before()
                found.append(measure(words, environment))
            wall, cpu, peak = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{name:<26}{wall:>9.2f}{cpu:>9.2f}{peak:>9.0f}{n_runs:>6}", flush=True)  # noqa: T201

        run = [DATAMOAT, "run"]
        report("first run", run, lambda: shutil.rmtree(data, ignore_errors=True))
        report("run, one new fact", run, lambda: add_fact(content / "data" / "reference", next(numbers)))
        report("run, nothing changed", run)
        for name, words in COMMANDS.items():
            report(name, words)
        built = json.loads((data / "lake" / "build.json").read_text())["tables"]
        wall = sum(built[f"intermediate.int_{name}"]["seconds"] for name in BOARDS)
        print(f"{'the same boards, in build':<26}{wall:>9.2f}{'':>18}{1:>6}")  # noqa: T201


if __name__ == "__main__":
    main()
