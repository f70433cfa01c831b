"""CPU seconds and peak memory of counting a made day: DuckDB, plain Python and, where it is installed, Spark, in one run.

Without `--full` the days have 100,000 and 1,000,000 rows; with it 5 and 50 million (6 GB of disk), as a ZIP of ZIPs and as
Parquet. Each engine counts in a process of its own. DuckDB must stay under 400 MB and 7 CPU seconds a million rows, and grow
by at most 1.3 and 11 times for ten times the rows; a bar that is missed is printed and makes the exit code 1.
"""

import csv
import io
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))
DAY = date(2025, 7, 1)
MOST_MB, MOST_SECONDS, MOST_GROWTH_MEMORY, MOST_GROWTH_CPU = 400, 7, 1.3, 11


def in_engine(path: Path, data: Path, **how: Any) -> dict[tuple[Any, ...], int]:
    """Count a day as `datamoat add-file` does."""
    import pyarrow.parquet as pq

    from datamoat.ingest.part_receipts import folder_of
    from datamoat.ingest.streamed import add_file
    from datamoat.project.sources import find_source
    from datamoat.settings import Settings

    settings = Settings(CHECKOUT, data)
    receipt = add_file(settings, find_source(CHECKOUT, "dsa_statements"), str(path), datetime.now(UTC), **how)[0]
    table = pq.read_table(folder_of(settings, "dsa_statements") / receipt.counts).to_pylist()
    return {tuple(list(row.values())[:6]): row["n_statements"] for row in table}


def in_python(path: Path, _: Path) -> dict[tuple[Any, ...], int]:
    """Count a day with the standard library alone."""
    from publisher_days import CONTENT, DECISIONS

    counted: Counter[tuple[Any, ...]] = Counter()
    with zipfile.ZipFile(path) as outer:
        for name in outer.namelist():
            with outer.open(name) as inner_file, zipfile.ZipFile(inner_file) as inner:
                for member in inner.namelist():
                    with inner.open(member) as handle:
                        for row in csv.DictReader(io.TextIOWrapper(handle, "utf-8", newline="")):
                            decision = DECISIONS[row["decision_visibility"], row["decision_account"]]
                            kind = CONTENT[row["content_type"]]
                            day = date.fromisoformat(row["created_at"][:10])
                            age = _age(row["content_date"], day)
                            counted[row["platform_name"], day, kind, decision, row["automated_detection"] == "Yes", age] += 1
    return dict(counted)


def _age(written: str, day: date) -> str:
    if not written:
        return "unknown"
    content = date.fromisoformat(written[:10])
    days = (day - content).days
    if content.year < 2005 or days < 0:
        return "impossible"
    return "0-1" if days <= 1 else "2-7" if days <= 7 else "8-30" if days <= 30 else "over 30"


def run(engine: str, made: Path, remote: str | None = None) -> dict[str, float]:
    """Count a day in a process of its own; return CPU seconds, peak memory in MB and differing cells."""
    call = [sys.executable, __file__, "--one", engine, str(made), str(remote)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(engine: str, made: Path, remote: str | None) -> None:
    """Count and print numbers; called in a process of its own."""
    day = pickle.loads(made.read_bytes())  # noqa: S301  (written by this program a moment ago)
    with tempfile.TemporaryDirectory() as folder:
        if engine == "python":
            counts = in_python(day.path, Path(folder))
        elif engine == "duckdb":
            counts = in_engine(day.path, Path(folder))
        else:
            counts = in_engine(day.path, Path(folder), engine="spark", remote=remote)
    wanted = {cell: times for cell, (times, _) in day.counts.items()}
    differing = len(set(counts.items()) ^ set(wanted.items()))
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"cpu": cpu, "mb": peak_mb("self"), "differing": differing}))  # noqa: T201


def peak_mb(process: int | str) -> float:
    """Return the peak memory of a running process; `getrusage` would count its parent's, from before it was started."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def main() -> int:
    """Print one line for each engine, form and size; return how many bars were missed."""
    small = 5_000_000 if "--full" in sys.argv else 100_000
    missed = []
    print(f"{'rows':>12} {'form':>8} {'engine':>8} {'CPU s':>9} {'a million':>9} {'peak MB':>8} {'differing':>9}")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        first = make(Path(folder), small, 1)
        measured = {form: [_line(small, form, "duckdb", run("duckdb", day))] for form, day in first.items()}
        others = [_line(small, "ZIP", "python", run("python", first["ZIP"]))]
        others += [
            _line(small, form, "spark", found) for form, day in first.items() if (found := _spark(day, Path(folder) / form))
        ]
        for form, day in make(Path(folder), small, 10).items():
            measured[form].append(_line(10 * small, form, "duckdb", run("duckdb", day)))
    for found in [*others, *(one for pair in measured.values() for one in pair)]:
        missed += [f"{found['differing']:g} cells differ"] if found["differing"] else []
    for form, (one_time, ten_times) in measured.items():
        bars = {
            f"memory under {MOST_MB} MB": max(one_time["mb"], ten_times["mb"]) < MOST_MB,
            f"at most {MOST_SECONDS} CPU s a million rows": ten_times["cpu"] / small * 1e5 <= MOST_SECONDS,
            f"memory grows at most {MOST_GROWTH_MEMORY} times": ten_times["mb"] <= MOST_GROWTH_MEMORY * one_time["mb"],
            f"CPU grows at most {MOST_GROWTH_CPU} times": ten_times["cpu"] <= MOST_GROWTH_CPU * one_time["cpu"],
        }
        growth = f"memory {ten_times['mb'] / one_time['mb']:.2f}, CPU {ten_times['cpu'] / one_time['cpu']:.2f}"
        print(f"{form}: growth for ten times the rows: {growth}")  # noqa: T201
        for text, is_met in bars.items():
            print(f"  {'met   ' if is_met else 'MISSED'} {text}")  # noqa: T201
            missed += [] if is_met else [text]
    print("".join(f"missed: {text}\n" for text in missed), end="")  # noqa: T201
    return len(missed)


def make(folder: Path, n_rows: int, repeat: int) -> dict[str, Path]:
    """Write a day in both forms, and where it lies and its counts into a file each; return these files by form."""
    import duckdb
    from publisher_days import write_day

    from datamoat.ingest.archives import Tally
    from datamoat.ingest.counting import to_parquet
    from datamoat.project.sources import find_source

    made = write_day(folder / str(n_rows * repeat), DAY, n_rows, repeat=repeat)
    once, parquet = folder / "once.parquet", made.path.with_suffix(".parquet")
    if repeat == 1:
        part = find_source(CHECKOUT, "dsa_statements").part
        assert part is not None
        to_parquet(part, made.path, once, Tally())
    duckdb.sql(f"copy (select p.* from '{once}' as p cross join range({repeat})) to '{parquet}'")
    forms = {"ZIP": made, "Parquet": replace(made, path=parquet)}
    for form, day in forms.items():
        made.path.with_suffix(f".{form}.pkl").write_bytes(pickle.dumps(day))
    return {form: made.path.with_suffix(f".{form}.pkl") for form in forms}


def _spark(day: Path, folder: Path) -> dict[str, float] | None:
    """Count on a Spark Connect server of this machine; return what client and server used together, its start included."""
    try:
        import pyspark  # noqa: F401
        from connect import connect_server
    except ImportError:
        print("spark is not installed: `make test-spark` installs it")  # noqa: T201
        return None
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with connect_server(folder) as (remote, server):
        found = run("spark", day, remote)
        found["mb"] += peak_mb(server.pid)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found["cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found


def _line(size: int, form: str, engine: str, found: dict[str, float]) -> dict[str, float]:
    """Print one line and return its numbers."""
    a_million = found["cpu"] / size * 1e6
    print(  # noqa: T201
        f"{size:>12,} {form:>8} {engine:>8} {found['cpu']:>9.1f} {a_million:>9.1f} {found['mb']:>8.0f} {found['differing']:>9g}",
        flush=True,
    )
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    else:
        sys.exit(1 if main() else 0)
