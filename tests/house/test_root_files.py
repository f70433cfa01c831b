"""The files that a code host, an editor and a commit hook read agree with the Makefile and the project's metadata."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml


def makefile(checkout: Path) -> str:
    return (checkout / "Makefile").read_text(encoding="utf-8")


def recipe(checkout: Path, target: str) -> str:
    """Return the commands of one target, without the Makefile's own variables."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile(checkout), re.MULTILINE)
    assert found, f"no target {target}"
    return found[1].replace("$(BIN)", ".venv/bin")


def test_the_workflow_runs_the_submission_on_every_python_that_is_supported(checkout: Path) -> None:
    metadata = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", metadata["project"]["requires-python"]).groups()  # type: ignore[union-attr]
    (job,) = yaml.safe_load((checkout / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"].values()
    assert job["strategy"]["matrix"]["python-version"] == [f"3.{minor}" for minor in range(int(low), int(high))]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == [".ci/run"]
    assert (checkout / ".ci" / "run").stat().st_mode & 0o100
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("custom.github-workflows-require-timeout", ".github/workflows/*.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
    ],
)
def test_the_files_for_the_code_host_pass_its_schemas(checkout: Path, schema: str, pattern: str) -> None:
    files = sorted(str(path) for path in checkout.glob(pattern))
    assert files
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_every_commit_hook_runs_a_command_of_the_makefile(checkout: Path) -> None:
    (repository,) = yaml.safe_load((checkout / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    tools = set(re.findall(r"@(\.venv/bin/\S+(?: [a-z]+)?)", recipe(checkout, "check")))
    for hook in repository["hooks"]:
        program, *words = hook["entry"].split()
        if program == "make":
            assert all(recipe(checkout, word) for word in words), hook
        else:
            assert " ".join([program, *words[:1]]) in tools, hook


def test_every_make_target_and_page_that_a_root_file_names_exists(checkout: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", makefile(checkout), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", ".github/pull_request_template.md"):
        text = (checkout / name).read_text(encoding="utf-8")
        for words in re.findall(r"(?:`|^)make ([a-z -]+)", text, re.MULTILINE):
            assert set(words.split()) <= targets, (name, words)
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (checkout / link).exists(), (name, link)
