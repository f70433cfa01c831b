"""The index of the decisions is what their pages are: number, title, date, status, and what replaces what."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest


class Decision(NamedTuple):
    """One page, by what its first lines state."""

    number: str
    title: str
    date: str
    status: str
    note: str
    file: str


def read_decision(path: Path) -> Decision:
    """Return what a page states: `# NUMBER TITLE`, an empty line, `DATE · STATUS` and perhaps `· NOTE`."""
    heading, empty, state = path.read_text(encoding="utf-8").splitlines()[:3]
    number, title = re.fullmatch(r"# (\d{4}) (.+)", heading).groups()  # type: ignore[union-attr]
    assert empty == "", path
    assert path.name.startswith(f"{number}-"), path
    date, status, *notes = state.split(" · ")
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", date), path
    assert re.fullmatch(r"accepted|superseded by \d{4}", status), path
    return Decision(number, title, date, status, "; ".join(notes), path.name)


@pytest.fixture(scope="module")
def decisions(checkout: Path) -> list[Decision]:
    return [read_decision(path) for path in sorted((checkout / "docs" / "decisions").glob("[0-9]*.md"))]


def test_the_index_has_one_row_for_each_decision(checkout: Path, decisions: list[Decision]) -> None:
    index = (checkout / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    rows = [line for line in index.splitlines() if re.match(r"\| \d", line)]
    assert rows == [f"| {d.number} | [{d.title}]({d.file}) | {d.date} | {d.status} | {d.note} |" for d in decisions]


def test_a_decision_that_supersedes_another_is_named_by_it(decisions: list[Decision]) -> None:
    replaced = {(d.number, by) for d in decisions for by in re.findall(r"superseded by (\d{4})", d.status)}
    replaces = {(old, d.number) for d in decisions for old in re.findall(r"\bsupersedes (\d{4})", d.note)}
    assert replaced == replaces
