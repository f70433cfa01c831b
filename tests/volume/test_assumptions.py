"""The table of assumptions describes itself correctly."""

import csv
import re
from pathlib import Path

PATTERNS = ("prior_", "obs_")  # read by pattern: one for every process, family and tier
BY_ID = ("volume_series.csv", "company_access.csv")  # tables that name an assumption by its id


def test_an_assumption_is_marked_as_read_if_and_only_if_something_reads_it(checkout: Path) -> None:
    reference = checkout / "data" / "reference"
    folders = ("transforms", "expectations", "reports", "src")
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((checkout / folder).rglob("*"))
        if path.suffix in {".py", ".sql"}
    )
    ids = "\n".join((reference / name).read_text(encoding="utf-8") for name in BY_ID)
    with (reference / "assumptions.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    read = {
        row["assumption_id"]
        for row in rows
        if row["name"].startswith(PATTERNS)
        or re.search(rf"\b{row['name']}\b", code)
        or re.search(rf"\b{row['assumption_id']}\b", ids)
    }
    assert read == {row["assumption_id"] for row in rows if row["is_read"] == "true"}
