"""The real record on one process and on several: two builds from an empty lake, so that nothing is taken from a cache."""

from pathlib import Path
from typing import Any

import pytest

from datamoat.build import run as build
from datamoat.build.polars_models import run_polars
from datamoat.build.run import build_models
from datamoat.project.model import Model
from datamoat.project.read import read_project
from datamoat.settings import Settings


@pytest.mark.slow
def test_every_table_of_the_real_record_has_the_same_bytes_from_one_process_and_from_several(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = read_project(checkout)
    expensive = {model.name for model in project.models if model.is_cached and not model.is_sql}
    computed_here: set[str] = set()

    def noted(lake: Path, model: Model, taken: dict[str, Any], paths: dict[str, Path]) -> None:
        computed_here.add(model.name)
        run_polars(lake, model, taken, paths)

    monkeypatch.setattr(build, "run_polars", noted)
    files, rows = {}, {}
    for threads, here in ((1, expensive), (2, set())):
        computed_here.clear()
        tables = build_models(Settings(content=checkout, data=tmp_path / str(threads), threads=threads), project).tables
        assert computed_here & expensive == here
        files[threads] = {name: table["sha256"] for name, table in tables.items()}
        rows[threads] = {name: table["content_hash"] for name, table in tables.items() if "content_hash" in table}
    assert len(rows[1]) == len(project.marts)
    assert rows[1] == rows[2]
    assert files[1] == files[2]
