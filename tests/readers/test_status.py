"""The lines of `status` and of `doctor` are compared whole: with and without findings, and on both sides of each limit."""

import re
import shutil
from collections import namedtuple
from datetime import date
from pathlib import Path

import pytest
from tests.readers.conftest import publish_tree, write_tree

from datamoat.ingest import source_state
from datamoat.ingest.source_state import RequestState
from datamoat.ingest.status import State
from datamoat.settings import Settings
from datamoat.storage.files import TEMPORARY
from datamoat.views.status import MOST_REASON, examine, read_status

CHECK = "/*---\ndescription: {description}\nseverity: warning\n---*/\nselect platform_id from marts.lab_volume limit {n}\n"
SERIES = """/*---
description: Series.
---*/
select
    'volume' as series_kind,
    unnest(['old', 'older', 'young']) as series_id,
    unnest([date '2026-01-01', date '2025-01-01', date '2026-03-01']) as newest_on,
    unnest([date '2026-02-01', date '2025-02-01', date '2026-04-01']) as stale_since_on,
    unnest([false, false, true]) as is_good
"""
SOURCES = """/*---
description: Sources.
---*/
select
    source_id,
    if(source_id = 'press', 'late', 'fresh') as status,
    'nothing came' as reason,
    source_id <> 'press' as is_good
from meta.sources
"""


@pytest.fixture(scope="module")
def warned(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a published tree with four warnings, a late source, and series of which two are to be looked at."""
    settings = write_tree(tmp_path_factory.mktemp("warned") / "tree", ("a",))
    for name, n in (("d", 1), ("c", 1), ("b", 1), ("a", 1), ("fine", 0)):
        path = settings.content / "expectations" / "checks" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CHECK.format(description=f"Check {name}.", n=n))
    folder = settings.content / "reports" / "status"
    folder.mkdir()
    publish_tree(settings)
    (folder / "series.sql").write_text(SERIES)
    (folder / "sources.sql").write_text(SOURCES)
    shutil.rmtree(settings.snapshots, ignore_errors=True)
    return settings


def test_without_findings_status_is_three_lines_and_good(made: Settings) -> None:
    found = read_status(made)
    assert re.fullmatch(r"audit      \d\d checks, 0 warnings", found.lines[2])
    assert found.facts["warnings"] == []
    assert found.lines[0].startswith(f"published  build {found.facts['published']['build_id']}, as of 2026-03-")
    assert found.lines[0].endswith(" UTC")
    assert found.lines[1:2] == ("sources    2 known, 0 to look at",)
    assert len(found.lines) == 3
    assert found.is_good
    assert found.facts["writer"] is None
    assert found.facts["stale"] == []
    assert [row["is_good"] for row in found.facts["sources"]] == [True] * 2


def test_findings_are_named_in_their_lines_and_make_status_bad(warned: Settings) -> None:
    found = read_status(warned)
    assert not found.is_good
    assert found.lines[1] == "sources    2 known, 1 to look at: press late: nothing came"
    assert re.sub(r"\d+ checks", "n checks", found.lines[2]) == (
        "audit      n checks, 4 warnings: checks.a: Check a.; checks.b: Check b.; checks.c: Check c."
    )
    assert found.lines[3] == (
        "series     3 stale, 2 to look at: old since 2026-02-01 (newest 2026-01-01); older since 2025-02-01 (newest 2025-01-01)"
    )
    assert [(row["table_name"], row["check_name"]) for row in found.facts["warnings"]] == [
        (f"checks.{name}", f"Check {name}.") for name in "abcd"
    ]
    assert [row["series_id"] for row in found.facts["stale"]] == ["old", "older", "young"]
    assert {row["source_id"]: row["status"] for row in found.facts["sources"]}["press"] == "late"


def state(
    source: str, request: str, name: State, since: date | None = None, reason: str = "", served: date | None = None
) -> RequestState:
    return RequestState(source, request, name, since, served, reason, None)


def test_what_landed_since_the_build_counts_before_what_was_published(warned: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    day, later = date(2026, 3, 1), date(2026, 3, 2)
    found_today = [
        state("press", "one", State.FRESH, day),
        state("late", "one", State.SILENT, day),
        state("late", "two", State.SILENT, later),
        state("late", "three", State.NEVER),
        state("cut", "one", State.FAILING, day, "x" * (MOST_REASON + 1), later),
        state("cut", "two", State.CLOCK, later, "ignored"),
        state("cut", "three", State.SILENT, day),
        state("held", "one", State.QUARANTINED, day, "y" * MOST_REASON),
        state("same", "one", State.UNCHANGED, day),
        state("absent", "one", State.NEVER),
    ]
    monkeypatch.setattr(source_state, "states", lambda *_: found_today)
    monkeypatch.setattr("datamoat.project.sources.read_sources", lambda _: [])
    warned.snapshots.mkdir()
    try:
        found = read_status(warned)
    finally:
        warned.snapshots.rmdir()
    assert found.lines[1] == (
        "sources    2 known, 3 to look at: "
        f"cut failing: one since 2026-03-01 (data of 2026-03-02 stay live), two since 2026-03-02 (data of no day stay live): {'x' * MOST_REASON}…; "
        f"held quarantined: one since 2026-03-01 (data of no day stay live): {'y' * MOST_REASON}; "
        "late silent: nothing fetched since 2026-03-02"
    )


def test_where_nothing_is_published_status_names_what_to_do(tmp_path: Path) -> None:
    found = read_status(write_tree(tmp_path / "tree", ("a",)))
    assert found.lines[0] == "nothing to read: nothing is published yet"
    assert "datamoat run" in found.lines[2]
    assert (found.is_good, found.facts, len(found.lines)) == (False, {"published": None}, 3)


Usage = namedtuple("Usage", "total used free")  # noqa: PYI024  (as shutil names it)


@pytest.mark.parametrize(("spare", "is_enough"), [(1, True), (0, False), (-1, False)])
def test_doctor_wants_more_room_than_a_build_needs(
    warned: Settings, monkeypatch: pytest.MonkeyPatch, spare: int, is_enough: bool
) -> None:
    monkeypatch.setattr("datamoat.views.status.shutil.disk_usage", lambda _: Usage(0, 0, warned.room + spare))
    room = next(finding for finding in examine(warned) if finding[1].endswith(" GB free"))
    assert room == (is_enough, "2.0 GB free", "free space: a build needs 2 GB")


def test_doctor_finds_a_whole_tree_good_and_names_what_is_left_behind(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamoat.views.status.shutil.disk_usage", lambda _: Usage(0, 0, 10**12))
    good = examine(fresh)
    assert [what for is_good, what, _ in good if not is_good and "mode" not in what] == []  # a copy of the tree may be written to
    assert any("every library in a version" in what for _, what, _ in good)
    (fresh.lake / f".left{TEMPORARY}").mkdir(parents=True)
    assert examine(fresh)[4][:2] == (True, "0 unfinished files")  # a folder is no file
    (fresh.lake / f".one{TEMPORARY}x").write_text("half")
    assert examine(fresh)[4] == (False, "1 unfinished files", "`datamoat run` sweeps them")


def test_a_data_folder_without_a_lake_is_for_reading(made: Settings, tmp_path: Path) -> None:
    warehouse = tmp_path / "reader" / "warehouse"
    shutil.copytree(made.warehouse, warehouse)
    reader = Settings(content=made.content, data=tmp_path / "reader")
    assert examine(reader)[-1] == (True, "no snapshots and no lake: this data folder is for reading", "")
    assert not (tmp_path / "reader" / "lake").exists()
