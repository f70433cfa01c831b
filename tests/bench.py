"""Time and memory of the main jobs, medians of five in one run: `make bench`.

Runs on the checkout's own content in a throw-away data folder; the first build fills what is kept, the timed ones find
it. Absolute times depend on the machine; compare within one run.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5
DATAMOAT = str(Path(sys.executable).with_name("datamoat"))
JOBS = {
    "run, from nothing kept": [DATAMOAT, "run"],
    "run, nothing changed": [DATAMOAT, "run"],
    "build": [DATAMOAT, "build"],
    "publish": [DATAMOAT, "publish"],
    "query": [DATAMOAT, "query", "from marts.board_status where is_latest_usable"],
    "status": [DATAMOAT, "status"],
    "boards alone, in pandas": [sys.executable, str(Path(__file__).parent / "other_engine" / "boards_in_pandas.py")],
}
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


def main() -> None:
    """Print the table."""
    print(f"{'job':<26}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'runs':>6}")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATAMOAT_DATA": folder}
        for name, words in JOBS.items():
            n_runs = 1 if "nothing kept" in name else RUNS
            found = [measure(words, environment) for _ in range(n_runs)]
            wall, cpu, peak = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{name:<26}{wall:>9.2f}{cpu:>9.2f}{peak:>9.0f}{n_runs:>6}")  # noqa: T201
        built = json.loads((Path(folder) / "lake" / "build.json").read_text())["tables"]
        wall = sum(built[f"intermediate.int_{name}"]["seconds"] for name in BOARDS)
        print(f"{'the same boards, in build':<26}{wall:>9.2f}{'':>18}{1:>6}")  # noqa: T201


if __name__ == "__main__":
    main()
