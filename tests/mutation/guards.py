"""Take each guard of tests/faults/faults.yml away, one at a time, and demand that the test of its fault fails.

    python tests/mutation/guards.py WORK [FAULT…]

WORK holds two copies of the tree and `guards.csv`, one row for each fault. A test must pass before its guard is taken away.
"""

import csv
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from mutate import LIBRARIES, ROOT, copy_of, run_tests

SECONDS = 900.0  # of a machine that does other work too


def without_guard(copy: Path, guard: list[dict[str, str]], test: str) -> tuple[str, str]:
    """Return how a test ends in a copy of the tree without a guard, which is put back."""
    before: dict[Path, str] = {}
    for patch in guard:
        path = copy / patch["file"]
        text = path.read_text(encoding="utf-8")
        before.setdefault(path, text)
        if text.count(patch["old"]) != 1:
            return "stale", f"{patch['file']} has {patch['old']!r} {text.count(patch['old'])} times"
        path.write_text(text.replace(patch["old"], patch["new"]), encoding="utf-8")
    try:
        return run_tests(copy, ["-x", test], SECONDS)
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")


def work_through(work: Path, name: str, faults: dict[str, dict[str, Any]]) -> None:
    """Try faults one after another; each result is written at once."""
    copy = copy_of(work, name)
    for fault, entry in faults.items():
        began = time.monotonic()
        outcome, by = run_tests(copy, ["-x", entry["test"]], SECONDS)
        if outcome == "survived":
            outcome, by = without_guard(copy, entry["guard"], entry["test"])
            outcome = {"killed": "fails", "survived": "PASSES"}.get(outcome, outcome)
        else:
            outcome = f"FAILS ANYWAY ({outcome})"
        with (work / "guards.csv").open("a", newline="") as handle:
            csv.writer(handle).writerow([fault, outcome, round(time.monotonic() - began, 1), " ".join(by.split())[:200]])


def main() -> None:
    """Try every fault, or those that are named, and exit 1 unless every test fails without its guard."""
    work, wanted = Path(sys.argv[1]).resolve(), sys.argv[2:]
    work.mkdir(parents=True, exist_ok=True)
    index = yaml.safe_load((ROOT / "tests" / "faults" / "faults.yml").read_text(encoding="utf-8"))
    faults = {fault: entry for fault, entry in index.items() if not wanted or fault in wanted}
    results = work / "guards.csv"
    results.write_text("fault,without_its_guard,seconds,by\n")
    for library in LIBRARIES:
        __import__(library)
    children = []
    for number in range(2):
        if (child := os.fork()) == 0:
            work_through(work, f"tree {number}", dict(list(faults.items())[number::2]))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    rows = list(csv.DictReader(results.open(newline="")))
    bad = [row for row in rows if row["without_its_guard"] != "fails"]
    for row in bad:
        sys.stdout.write(f"{row['fault']}: {row['without_its_guard']} {row['by']}\n")
    sys.stdout.write(f"{len(rows) - len(bad)} of {len(faults)} tests fail when their guard is taken away\n")
    sys.exit(1 if bad or len(rows) != len(faults) else 0)


if __name__ == "__main__":
    main()
