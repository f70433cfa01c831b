"""The tasks as a scheduler calls them: run twice they do nothing twice, and they do not get in each other's way."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from datamoat.build.run import build_models
from datamoat.errors import PublishRefusedError, SourceChangedError
from datamoat.ingest.inbox import bring_in
from datamoat.ingest.landings import read_landings
from datamoat.orchestration import tasks
from datamoat.project.read import read_project
from datamoat.project.scaffold import write_source
from datamoat.project.sources import find_source
from datamoat.publish.audit import audit_build
from datamoat.publish.warehouse import publish_warehouse
from datamoat.settings import Settings
from datamoat.storage.files import BusyError, one_client, one_writer, part_of

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DATAMOAT_ROOT", str(settings.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(settings.data))
    write_source(settings, "example_board")
    words = settings.content / "transforms" / "columns.yml"
    more = "entry_name: {type: VARCHAR, description: An entry.}\ncaptured_on: {type: DATE, description: Its day.}\nsnapshot_id: {type: VARCHAR, description: Its snapshot.}\nvalue: {type: DOUBLE, description: Its value.}\n"
    words.write_text(words.read_text() + more)
    return settings


def publish(settings: Settings) -> str:
    project = read_project(settings.content)
    build_models(settings, project)
    audit_build(settings, project)
    return publish_warehouse(settings, project).build_id


def put(settings: Settings, day: str, n: int = 3) -> None:
    folder = settings.data / "inbox" / "example_board" / "entries"
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"name": f"Entry {number}", "value": float(number)} for number in range(n)]
    (folder / f"{day}.json").write_text(json.dumps({"entries": listed}))


def test_what_is_landed_is_new_until_readers_have_seen_it(here: Settings, edit: Callable[[str, str, str], Path]) -> None:
    put(here, DAYS[0])
    assert tasks.fetch("example_board", DAYS[0])["responses"] == {"new": 1}
    assert [tasks.land("example_board")["is_new"], tasks.land("example_board")["is_new"]] == [True, True]
    assert tasks.land("reference")["is_new"]
    publish(here)
    assert [tasks.land("example_board")["is_new"], tasks.land("reference")["is_new"]] == [False, False]
    edit("data/reference/facts.csv", "5.0", "6.0")
    assert tasks.land("reference")["changed"] == ["reference/facts.csv"]


def test_a_day_brought_in_and_read_twice_is_the_same_day(here: Settings) -> None:
    for day in DAYS:
        put(here, day)
        tasks.fetch("example_board", day)
        tasks.land("example_board", day)
    source = find_source(here.content, "example_board")
    before = read_landings(here, source)
    assert [landing.captured_on.isoformat() for landing in before] == list(DAYS)
    assert tasks.fetch("example_board", DAYS[0])["snapshot_ids"] == []
    landed = tasks.land("example_board", DAYS[0])
    assert landed["n_read_now"] == 3  # what follows a day is validated again with it
    assert read_landings(here, source) == before


def test_files_of_the_inbox_that_name_no_day_are_left_alone(here: Settings) -> None:
    put(here, DAYS[0])
    (here.data / "inbox" / "example_board" / "entries" / "readme.txt").write_text("notes")
    fetched = tasks.fetch("example_board", DAYS[1])
    assert (fetched["responses"], fetched["skipped"][0].split(";")[0]) == ({}, "entries/readme.txt: 'readme.txt' is not a day")
    assert tasks.fetch("example_board", DAYS[0])["responses"] == {"new": 1}


def test_a_quarantined_response_is_named_with_the_data_that_stay_live(here: Settings) -> None:
    for day, n in ((DAYS[0], 3), (DAYS[1], 0)):
        put(here, day, n)
        tasks.fetch("example_board", day)
        tasks.land("example_board")
    with pytest.raises(SourceChangedError, match="entries is quarantined since 2026-03-02, data of 2026-03-01 stay live"):
        tasks.validate("example_board")


def test_a_build_that_is_not_this_run_s_is_not_published(here: Settings) -> None:
    publish(here)
    before = here.published.read_bytes()
    with pytest.raises(PublishRefusedError, match="this run is about build 20260101-00000000"):
        tasks.publish("20260101-00000000")
    assert here.published.read_bytes() == before


def test_a_sweep_spares_the_folder_of_a_source_that_is_being_fetched(here: Settings) -> None:
    folder = here.snapshots / "example_board"
    with one_client(folder):
        part = part_of(folder / "answer.json")
        part.write_text("half")
        with one_writer(here.data, "build"):
            assert part.exists()
        with pytest.raises(BusyError, match="another process is fetching example_board"), one_client(folder):
            pass
    with one_writer(here.data, "build"):
        assert not part.exists()


def test_a_source_is_brought_in_beside_a_build(here: Settings, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text('{"entries": [{"name": "a", "value": 1}]}')
    with one_writer(here.data, "build"):
        assert bring_in(here, "example_board", "entries", path, DAYS[0]).snapshot_ids != []
