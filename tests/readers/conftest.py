"""A small published file with awkward texts in it, and its release; made once for each worker."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from datamoat.build.run import build_models
from datamoat.project.read import read_project
from datamoat.publish.audit import audit_build
from datamoat.publish.gx_worker import Worker
from datamoat.publish.results import Result
from datamoat.publish.warehouse import publish_warehouse
from datamoat.release.bundle import make_release
from datamoat.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
AWKWARD = (
    "=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", " =1", "'=1", "'plain", "''", "a,b", 'say "so"', "two\nlines", "快手",
    "null", "NaN", "007", "1e5", "-", "{x}", "[1]", "%s", "$$", "'; drop table x; --", "Аlibaba", "e\u0301", "\u202egnp", " blank ", "a|b",
)  # fmt: skip
COLUMNS = """
platform_id: {type: VARCHAR, description: "A platform, as a slug."}
title: {type: VARCHAR, description: "What it calls itself: any text."}
tags: {type: "VARCHAR[]", description: A list of texts.}
uploads: {type: DOUBLE, unit: videos a day, description: Videos uploaded a day.}
n_seen: {type: BIGINT, description: A whole number.}
is_open: {type: BOOLEAN, description: Yes or no.}
stated_on: {type: DATE, description: A day.}
draw: {type: BIGINT, description: The number of a joint draw.}
source_id: {type: VARCHAR, description: A source.}
status: {type: VARCHAR, description: Its state., values: [fresh]}
reason: {type: VARCHAR, description: Why.}
citation_ids: {type: "VARCHAR[]", description: The pages it was read from.}
"""
HEADER = "/*---\ndescription: {description}\ngrain: [{grain}]\n{more}---*/\n"
MODELS = {
    "staging/reference/stg_reference__facts.sql": ("Facts.", "platform_id", "nullable: [title]\n", "select * replace (title::json ->> '$' as title, string_split(citation_ids, ';') as citation_ids) from raw.reference__facts"),
    "intermediate/lab/int_lab__uploads.sql": (
        "Facts.", "platform_id", "nullable: [title, tags]\n",
        "select platform_id, title, string_split(title, ',') as tags, uploads, n_seen, is_open, stated_on, citation_ids from staging.stg_reference__facts",
    ),
    "marts/volume/lab_volume.sql": (
        "Uploads of each lab.", "platform_id", "nullable: [title, tags]\nrows: {min: 1}\n", "select * from intermediate.int_lab__uploads",
    ),
    "marts/volume/lab_volume_draws.sql": (
        "Draws.", "platform_id, draw", "",
        "select platform_id, unnest([1, 2, 3])::bigint as draw, uploads from intermediate.int_lab__uploads",
    ),
    "marts/trust/source_freshness.sql": (
        "How each source is.", "source_id", "nullable: [reason]\n",
        "select source_id, 'fresh' as status, null::varchar as reason from meta.sources",
    ),
}  # fmt: skip
CITATIONS = (
    "citation_id,title,publisher,url,published_on,read_on,verification,tier,page_sha256,source_id\n"
    "C1,A report,A press,https://example.org/a,2026-01-02,2026-11-22,page_read,1,,press\n"
)
SOURCES = (
    "source_id,title,publisher,licence,licence_url,attribution,url\n"
    "press,The press,Several,Their own,,Source: the press,\n"
    "unused,Never cited,Nobody,None,,Source: nobody,\n"
)


def facts(texts: tuple[str, ...]) -> str:
    """Return the reference file of the small tree, one row a text."""
    lines = ["platform_id,title,uploads,n_seen,is_open,stated_on,citation_ids"]
    for i, text in enumerate(texts):
        cell = '"' + json.dumps(text).replace('"', '""') + '"'  # as JSON: a reference cell holds no carriage return
        lines.append(f"p{i:02d},{cell},{-0.1 * i + 1e-7},{-i},{'true' if i % 2 else 'false'},2026-03-{1 + i % 28:02d},C1")
    return "\n".join(lines) + "\n"


def _field(name: str, kind: str, *, required: bool = True) -> dict[str, object]:
    return {"name": name, "type": kind, "constraints": {"required": True} if required else {}}


def descriptor() -> dict[str, object]:
    """Return the descriptor of the small tree's reference files."""
    shapes = {
        "facts": [
            _field("platform_id", "string"), _field("title", "string", required=False), _field("uploads", "number"),
            _field("n_seen", "integer"), _field("is_open", "boolean"), _field("stated_on", "date"), _field("citation_ids", "string"),
        ],
        "citations": [_field(n, "string", required=n in {"citation_id", "title", "url"}) for n in CITATIONS.splitlines()[0].split(",")],
        "sources": [_field(n, "string", required=n in {"source_id", "title"}) for n in SOURCES.splitlines()[0].split(",")],
    }  # fmt: skip
    keys = {"facts": "platform_id", "citations": "citation_id", "sources": "source_id"}
    return {
        "name": "facts",
        "resources": [
            {"name": name, "path": f"{name}.csv", "schema": {"fields": fields, "primaryKey": [keys[name]]}}
            for name, fields in shapes.items()
        ],
    }


class NoWorker(Worker):
    """Contracts and checks alone."""

    def __init__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def validate(self, jobs: list[dict[str, object]]) -> list[Result]:  # noqa: ARG002
        return []


def write_tree(root: Path, texts: tuple[str, ...] = AWKWARD) -> Settings:
    """Write the small tree and return settings that read it and write beside it."""
    files = {
        "transforms/columns.yml": COLUMNS,
        "transforms/build.yml": "seed: 1\nknown: {reference__facts: stated_on}\n",
        "data/reference/facts.csv": facts(texts),
        "data/reference/citations.csv": CITATIONS,
        "data/reference/sources.csv": SOURCES,
        "data/reference/datapackage.json": json.dumps(descriptor()),
    }
    for name, (description, grain, more, sql) in MODELS.items():
        files[f"transforms/{name}"] = HEADER.format(description=description, grain=grain, more=more) + sql + "\n"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    shutil.copytree(CHECKOUT / "reports" / "release", root / "reports" / "release")
    return Settings(content=root, data=root / "data", threads=2, memory_limit="1GB")


def publish_tree(settings: Settings) -> Settings:
    """Build, audit and publish a small tree."""
    project = read_project(settings.content)
    build_models(settings, project)
    audit_build(settings, project, NoWorker())
    publish_warehouse(settings, project)
    return settings


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a small tree whose build is published and released on 2026-04-01; read it, never write to it."""
    settings = publish_tree(write_tree(tmp_path_factory.mktemp("made") / "tree"))
    make_release(settings, date(2026, 4, 1))
    return settings


@pytest.fixture(scope="session")
def released_bundle(made: Settings) -> Path:
    """Return the folder of the small release."""
    return next(path for path in (made.exports / "releases").iterdir() if path.is_dir())


@pytest.fixture
def bundle(released_bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the small release that may be damaged."""
    copy = tmp_path / released_bundle.name
    shutil.copytree(released_bundle, copy)
    for path in copy.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    return copy


@pytest.fixture
def fresh(tmp_path: Path, made: Settings) -> Settings:
    """Return a copy of the small published tree to write to."""
    shutil.copytree(made.content, tmp_path / "fresh", copy_function=shutil.copy)
    for path in (tmp_path / "fresh").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    return replace(made, content=tmp_path / "fresh", data=tmp_path / "fresh" / "data")


Publish = Callable[[Settings], Settings]


@pytest.fixture
def publish() -> Publish:
    """Return the function that builds, audits and publishes a small tree."""
    return publish_tree


@pytest.fixture
def tree_of(tmp_path: Path) -> Callable[..., Settings]:
    """Return a function that writes a small tree with the given texts."""
    return lambda *texts: write_tree(tmp_path / "tree_of", texts)
