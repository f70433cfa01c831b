"""The table of alerts: one row for each, with the fault that a test brings about where there is one; `docs/operations.md` shows it.

python tests/dags/alert_table.py writes it there again.
"""

import csv
import re
from pathlib import Path

TABLE = Path(__file__).with_name("alerts.csv")
PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BLOCK = re.compile(r"(<!-- alerts: made from tests/dags/alerts.csv -->\n).*?(<!-- end of alerts -->)", re.DOTALL)
HEAD = "| alert | what it means | now | in the morning |\n| --- | --- | --- | --- |\n"


def rows() -> list[dict[str, str]]:
    """Return the rows of the table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shape(row: dict[str, str]) -> re.Pattern[str]:
    """Return the pattern of a row's alert: `…` is any text, `<name>` one word."""
    text = re.escape(row["alert"]).replace("…", ".*")
    return re.compile(re.sub(r"<\w+>", r"[\\w.]+", text).replace(r"\ .*", ".*").replace(r".*\ ", ".*"), re.DOTALL)


def refreshed(page: str) -> str:
    """Return a page with the table as it is now."""
    lines = [f"| `{row['alert']}` | {row['means']} | {row['now']} | {row['in_the_morning']} |\n" for row in rows()]
    return BLOCK.sub(lambda match: f"{match[1]}\n{HEAD}{''.join(lines)}\n{match[2]}", page)


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
