"""The example runs on the published file as it is, and the questions are all there."""

import re
import subprocess
import sys
from pathlib import Path

from datamoat.settings import Settings


def test_the_example_runs_and_prints_what_it_states(published: Settings, checkout: Path) -> None:
    command = [sys.executable, "-W", "error", str(checkout / "examples" / "read.py"), str(published.published)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"TikTok adds more hours than YouTube in \d+% of joint draws", done.stdout)
    assert "http" in done.stdout


def test_the_twelve_questions_each_have_a_statement_and_an_answer(checkout: Path) -> None:
    text = (checkout / "docs" / "questions.md").read_text(encoding="utf-8")
    parts = re.split(r"^## \d+\. ", text, flags=re.MULTILINE)[1:]
    assert len(parts) == 12
    for part in parts:
        blocks = re.findall(r"```console\n\$ datamoat query \"[^\n]+\"\n(.*?)```", part, re.DOTALL)
        assert blocks, part[:40]
        assert all(len(block.splitlines()) >= 2 for block in blocks), part[:40]


def test_every_page_that_docs_link_to_is_there(checkout: Path) -> None:
    for page in [checkout / "README.md", *(checkout / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), (page.name, link)
