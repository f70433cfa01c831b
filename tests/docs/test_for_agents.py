"""What agents read first is generated, its links lead somewhere, and every command in it runs."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datamoat.cli.app import app
from datamoat.errors import DatamoatError
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.views.docs import for_agents

FILES = ("AGENTS.md", "llms.txt")
LINK = re.compile(r"\]\(([^)#]+)\)")
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
STALE = {"status": {0, 1}, "add": {0}}  # status exits 1 where a board is stale


def commands(checkout: Path, word: str) -> list[list[str]]:
    blocks = COMMANDS.findall((checkout / "AGENTS.md").read_text(encoding="utf-8"))
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words[0] == word]


def test_the_files_are_as_the_content_and_the_commands_are_now(checkout: Path) -> None:
    made = for_agents(read_project(checkout), app)
    assert set(made) == set(FILES)
    for name, text in made.items():
        assert (checkout / name).read_text(encoding="utf-8") == text, "run `make docs`"


@pytest.mark.parametrize("name", FILES)
def test_every_link_leads_to_a_file(checkout: Path, name: str) -> None:
    links = LINK.findall((checkout / name).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (checkout / link).is_file()] == []


def test_the_index_for_models_begins_as_its_format_asks(checkout: Path) -> None:
    lines = [line for line in (checkout / "llms.txt").read_text(encoding="utf-8").splitlines() if line]
    assert lines[0].startswith("# ")
    assert lines[1].startswith("> ")
    assert {line for line in lines if line.startswith("#")} >= {"## Answer and data", "## Optional"}


def test_every_make_target_exists(checkout: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (checkout / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {word for words in commands(checkout, "make") for word in words}
    assert named
    assert named <= targets


@pytest.mark.slow
def test_every_command_runs(checkout: Path, published: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAMOAT_ROOT", str(checkout))
    monkeypatch.setenv("DATAMOAT_DATA", str(published.data))
    failed = {}
    listed = [words for words in commands(checkout, "datamoat") if words[0] not in {"add", "diff"}]
    for words in listed:
        done = CliRunner().invoke(app, words)
        if done.exit_code not in STALE.get(words[0], {0}) or not done.stdout:
            failed[" ".join(words)] = done.output + str(done.exception)
    assert failed == {}
    assert len(listed) > 8
    assert isinstance(CliRunner().invoke(app, ["add", "nothing"]).exception, DatamoatError)
