"""Tables under a licence that a user stated stay out of exports unless asked for, and out of releases."""

import shutil
from pathlib import Path

import pytest

from datamoat.build.run import build_models
from datamoat.errors import PublishRefusedError
from datamoat.project.read import read_project
from datamoat.publish.audit import audit_build
from datamoat.publish.warehouse import publish_warehouse
from datamoat.release.bundle import make_release
from datamoat.release.tables import export_tables
from datamoat.settings import Settings

MART = """/*---
description: Posts that a user added.
grain: [platform_id]
---*/
select
    platform_id,
    'CC BY-NC 4.0' as licence
from staging.stg_reference__facts
order by platform_id
"""


def test_a_licensed_table_is_exported_on_request_only_and_never_released(tree: Path, checkout: Path) -> None:
    (tree / "transforms" / "marts" / "volume" / "added_posts.sql").write_text(MART, encoding="utf-8")
    with (tree / "transforms" / "columns.yml").open("a", encoding="utf-8") as handle:
        handle.write("licence: {type: VARCHAR, description: A licence.}\n")
    shutil.copytree(checkout / "reports" / "release", tree / "reports" / "release")
    settings = Settings(tree, tree / "data")
    project = read_project(tree)
    build_models(settings, project)
    audit_build(settings, project)
    publish_warehouse(settings, project)
    without = export_tables(settings, tree / "without")
    assert not list(without.rglob("added_posts*"))
    assert list(without.rglob("lab_volume*"))
    with_it = export_tables(settings, tree / "with", include_licensed=True)
    assert list(with_it.rglob("added_posts*"))
    with pytest.raises(PublishRefusedError, match=r"marts\.added_posts has rows under licences"):
        make_release(settings, None, tree / "releases")
