"""The texts use the words of the field: no word of tests/house/words.yml is in a file.

Python, SQL, YAML and Markdown are checked whole, code and comments alike; in Markdown the names in backticks are left
out, and so is what a command prints in a console block, because both are checked where they come from. Facts that people
transcribed are in the words of their publishers and are not checked.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHECKED = {".md", ".py", ".sql", ".yml", ".yaml", ".toml"}
OURS = {  # of data/reference, the tables whose texts this project wrote
    "assumptions.csv", "claims.csv", "datapackage.json", "glossary.csv",
    "observation_rulings.csv", "platform_events.csv", "volume_series.csv",
}  # fmt: skip
LIST = "tests/house/words.yml"
# Rules that were fixed before the verdicts were computed are not reworded.
REGISTERED = {"docs/decisions/0010-what-would-count.md", "docs/decisions/0060-six-questions.md"}
PRINTED = re.compile(r"^```console\n.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Banned:
    """One entry of the list: what must not be written, what is written instead, and an example of each use."""

    pattern: re.Pattern[str]
    write: str
    example: str
    plain: str | None


def read_banned(checkout: Path) -> list[Banned]:
    """Return the list of banned words."""
    entries = yaml.safe_load((checkout / LIST).read_text(encoding="utf-8"))
    return [Banned(re.compile(e["ban"], re.IGNORECASE), e["write"], e["as"], e.get("not")) for e in entries]


def texts(checkout: Path) -> Iterator[tuple[str, str]]:
    """Yield path and text of every tracked file that is in this project's own words."""
    listed = subprocess.run(["git", "ls-files"], cwd=checkout, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        path = checkout / name
        is_ours = path.name in OURS or path.suffix in CHECKED or path.name in {"Makefile", "Dockerfile"}
        if is_ours and name not in {LIST, *REGISTERED} and path.is_file():
            text = path.read_text(encoding="utf-8")
            yield name, PRINTED.sub(_blank, text) if path.suffix == ".md" else text


def _blank(found: re.Match[str]) -> str:
    """Return as many empty lines as the piece of text has, so that the numbers of the lines after it stay."""
    return "\n" * found[0].count("\n")


def hits(checkout: Path) -> list[str]:
    """Return, for every line with a banned word, where it is, the word and what to write."""
    banned = read_banned(checkout)
    return [
        f"{name}:{number}: {found[0]!r}, write {word.write}"
        for name, text in texts(checkout)
        for number, line in enumerate(text.splitlines(), start=1)
        for word in banned
        if (found := word.pattern.search(line))
    ]


def test_every_pattern_finds_its_example_and_leaves_its_plain_use_alone(checkout: Path) -> None:
    for word in read_banned(checkout):
        assert word.pattern.search(word.example), word
        assert word.plain is None or not word.pattern.search(word.plain), word


def test_no_file_has_a_banned_word(checkout: Path) -> None:
    found = hits(checkout)
    assert found == [], "\n".join(found)
