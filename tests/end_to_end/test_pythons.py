"""One build id is one content: every supported Python computes the same marts."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def contents(tree: Path) -> dict[str, str]:
    """Return the content hash of every mart of a tree's build."""
    tables = json.loads((tree / "data" / "lake" / "build.json").read_text())["tables"]
    return {name: table["content_hash"] for name, table in tables.items() if name.startswith("marts.")}


@pytest.mark.slow
def test_the_oldest_and_the_newest_python_build_the_same_marts(checkout: Path, tmp_path: Path) -> None:
    supported = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest, below = (text.strip("<>=") for text in supported.split(","))
    newest = f"3.{int(below.split('.')[1]) - 1}"
    found = {}
    for version in (oldest, newest):
        python = sys.executable if version == f"3.{sys.version_info.minor}" else shutil.which(f"python{version}")
        if python is None or subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
            pytest.skip(f"no Python {version} here")
        tree = tmp_path / version
        subprocess.run(["git", "clone", "-q", str(checkout), str(tree)], check=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATAMOAT_", "PYTHON"))}
        subprocess.run(["make", "-s", "run", f"PYTHON={python}"], cwd=tree, check=True, env=clean, capture_output=True)
        found[version] = contents(tree)
    assert len(found[oldest]) > 30
    assert {name for name in found[oldest] if found[oldest][name] != found[newest].get(name)} == set()
