"""A ten-line content tree to run the engine on, and the real captures where they are available."""

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from datamoat.build.run import build_models
from datamoat.project.read import read_project
from datamoat.publish.audit import audit_build
from datamoat.publish.gx_worker import Worker
from datamoat.publish.warehouse import publish_warehouse
from datamoat.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[1]
FAULTS = set(yaml.safe_load((CHECKOUT / "tests" / "faults" / "faults.yml").read_text(encoding="utf-8")))
COLUMNS = """
platform_id: {type: VARCHAR, description: "A platform, as a slug."}
lab_id: {type: VARCHAR, description: "A lab, as a slug."}
uploads: {type: DOUBLE, unit: videos a day, description: Videos uploaded a day.}
source_id: {type: VARCHAR, description: A source.}
status: {type: VARCHAR, description: Its state., values: [fresh]}
reason: {type: VARCHAR, description: Why.}
"""
FILES = {
    "transforms/columns.yml": COLUMNS,
    "transforms/build.yml": "seed: 1\nknown: {reference__facts: stated_on}\n",
    "transforms/staging/reference/stg_reference__facts.sql": """/*---
description: Facts.
grain: [platform_id]
---*/
select platform_id, uploads
from raw.reference__facts
""",
    "transforms/intermediate/lab/int_lab__uploads.py": '''"""Uploads by lab."""

import polars as pl

GRAIN = ("lab_id",)


def model(stg_reference__facts: pl.LazyFrame) -> pl.LazyFrame:
    """Sum them."""
    return stg_reference__facts.select(pl.col("platform_id").alias("lab_id"), "uploads")
''',
    "transforms/marts/volume/lab_volume.sql": """/*---
description: Uploads of each lab.
grain: [lab_id]
rows: {min: 1}
---*/
select
    lab_id,
    uploads
from intermediate.int_lab__uploads
order by lab_id
""",
    "transforms/marts/trust/source_freshness.sql": """/*---
description: How each source is.
grain: [source_id]
nullable: [reason]
---*/
select
    source_id,
    'fresh' AS status,
    null::varchar AS reason
from meta.sources
""",
    "expectations/marts/lab_volume.py": '''"""What must be true of marts.lab_volume."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="uploads", min_value=0, severity="critical", notes="Nobody uploads less than nothing."
    ),
]
''',
    "expectations/checks/no_lab_is_nameless.sql": """/*---
description: Every lab has a name.
severity: critical
---*/
select lab_id from marts.lab_volume where lab_id = ''
""",
    "reports/run/1_labs.sql": "/*---\ndescription: Labs\n---*/\nselect lab_id from marts.lab_volume order by 1",
    "data/reference/facts.csv": "platform_id,uploads,stated_on\ndouyin,5.0,2026-03-01\ntiktok,7.0,2026-05-01\n",
    "data/reference/datapackage.json": json.dumps(
        {
            "name": "facts",
            "resources": [
                {
                    "name": "facts",
                    "path": "facts.csv",
                    "schema": {
                        "fields": [
                            {"name": "platform_id", "type": "string", "constraints": {"required": True, "pattern": "[a-z-]+"}},
                            {"name": "uploads", "type": "number", "constraints": {"required": True, "minimum": 0}},
                            {"name": "stated_on", "type": "date", "constraints": {"required": True}},
                        ],
                        "primaryKey": ["platform_id"],
                    },
                }
            ],
        }
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a small content tree in a folder of its own."""
    root = tmp_path / "tree"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def settings(tree: Path) -> Settings:
    """Return settings that read the small tree and write beside it."""
    return Settings(content=tree, data=tree / "data", threads=2, memory_limit="1GB")


@pytest.fixture
def edit(tree: Path) -> Callable[[str, str, str], Path]:
    """Return a function that replaces a piece of text in a file of the small tree."""

    def replace(name: str, old: str, new: str) -> Path:
        path = tree / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        return path

    return replace


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    """Return a list to which every event of the log is added, those that only mark a start left out."""
    found: list[dict[str, Any]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.msg, dict) and record.msg.get("state") != "started":
                found.append(dict(record.msg))

    logger, listener = logging.getLogger("datamoat"), Listener()
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(listener)
    logger.setLevel(level)


@pytest.fixture(scope="session")
def captures() -> Path:
    """Return the folder of real upstream responses; skip where it is absent."""
    folder = Path(os.environ.get("DATAMOAT_CAPTURES") or CHECKOUT.parent / "shared" / "captures")
    if not folder.is_dir():
        pytest.skip("the captures of upstreams are not on this machine")
    return folder


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the checkout these tests are in."""
    return CHECKOUT


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Settings:
    """Return settings whose data folder holds a published build of the real content, from the reference facts alone.

    Built once a session, whichever worker comes first. What the checkout's own lake keeps of expensive models is taken
    over: it is addressed by the hash of its inputs, so it is what this build would compute.
    """
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    settings = Settings(content=checkout, data=shared / "published", threads=2, memory_limit="2GB")
    with FileLock(shared / "published.lock"):
        if not settings.published.is_file():
            kept = checkout / "data" / "lake" / "cache"
            if kept.is_dir():
                shutil.copytree(kept, settings.lake / "cache", copy_function=os.link, dirs_exist_ok=True)
            project = read_project(checkout)
            with Worker() as worker:
                build_models(settings, project)
                audit_build(settings, project, worker)
            publish_warehouse(settings, project)
    return settings


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured, from whichever process they ran in, and which faults were injected."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            if name == "measured" and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid.split('::')[-1]}: {value}")
    faults = {
        found.upper()
        for report in terminalreporter.stats.get("passed", [])
        if "test_index.py" not in report.nodeid
        for found in re.findall(
            r"(?<![a-z0-9])([a-g][0-9]{2})(?![a-z0-9])", report.nodeid.partition("::")[2].lower().replace("_", " ")
        )
    } & FAULTS
    if faults:
        terminalreporter.write_line(
            f"{len(faults)} of {len(FAULTS)} fault ids have a test that passed: {' '.join(sorted(faults))}"
        )
        if missing := sorted(FAULTS - faults) if len(faults) > len(FAULTS) / 2 else []:
            terminalreporter.write_line(f"not run, or not passed: {' '.join(missing)}")
