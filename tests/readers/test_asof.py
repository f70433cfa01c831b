"""What today's models compute as of an earlier day, and the commands for readers."""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from datamoat.build.as_of import rebuild_as_of
from datamoat.build.run import build_models
from datamoat.cli.app import app
from datamoat.errors import UsageError
from datamoat.project.read import read_project
from datamoat.settings import Settings

DAY = date(2026, 3, 10)


def test_a_build_as_of_a_day_leaves_out_what_became_public_later(fresh: Settings) -> None:
    build, con = rebuild_as_of(fresh, DAY)
    with con:
        days = con.sql("select max(stated_on) as newest, count(*) as n from marts.lab_volume").fetchall()[0]
    assert build.as_of == DAY
    assert days[0] <= DAY
    assert 0 < days[1] < 30


def test_the_same_day_is_built_once_until_an_input_changes(fresh: Settings, events: list[dict[str, Any]]) -> None:
    def n_built() -> int:
        return sum(event["event"] == "build" for event in events)

    first, con = rebuild_as_of(fresh, DAY)
    con.close()
    assert n_built() == 1
    again, con = rebuild_as_of(fresh, DAY)
    con.close()
    assert n_built() == 1
    assert again.build_id == first.build_id
    facts = fresh.reference / "facts.csv"
    facts.write_text(facts.read_text() + 'zz,"""new""",7.5,1,true,2026-03-02,C1\n')
    changed, con = rebuild_as_of(fresh, DAY)
    con.close()
    assert n_built() == 2
    assert changed.build_id != first.build_id


def test_a_late_fact_about_an_early_day_changes_no_answer_of_before_it_was_public(fresh: Settings) -> None:
    def answer() -> list[tuple[object, ...]]:
        _, con = rebuild_as_of(fresh, DAY)
        with con:
            return con.sql("select * from marts.lab_volume order by 1").fetchall()

    before = answer()
    facts = fresh.reference / "facts.csv"
    facts.write_text(facts.read_text() + 'late,"""of March, stated in November""",7.5,1,true,2026-11-02,C1\n')
    assert answer() == before


def test_a_fact_whose_page_came_later_is_left_out_and_moves_no_builds_date(fresh: Settings) -> None:
    about = fresh.content / "transforms" / "build.yml"
    page = "(select c.published_on::date from raw.reference__citations as c where c.citation_id = reference__facts.citation_ids)"
    about.write_text(about.read_text() + f"public: {{reference__facts: '{page} + 60'}}\n")  # the page is of 2026-01-02

    def n_facts(day: date) -> int:
        _, con = rebuild_as_of(fresh, day)
        with con:
            return int(con.sql("select count(*) as n from marts.lab_volume").fetchall()[0][0])

    assert n_facts(date(2026, 3, 31)) == 30
    assert build_models(fresh, read_project(fresh.content)).as_of == date(2026, 3, 28)  # of the newest fact, not of a page
    about.write_text(about.read_text().replace("+ 60", "+ 90"))
    assert n_facts(date(2026, 3, 31)) == 0


def test_nothing_but_the_build_can_be_reached_and_the_published_file_stays(fresh: Settings) -> None:
    stamp = fresh.published.stat().st_mtime_ns
    _, con = rebuild_as_of(fresh, DAY)
    with con, pytest.raises(duckdb.Error):
        con.sql("select * from read_csv('/etc/hostname')").fetchall()
    assert fresh.published.stat().st_mtime_ns == stamp


@pytest.fixture
def here(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that runs a command on the small tree and returns what it prints."""
    monkeypatch.setenv("DATAMOAT_ROOT", str(fresh.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(fresh.data))

    def run(*words: str, exit_code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        if isinstance(done.exception, UsageError):
            raise done.exception
        assert done.exit_code == exit_code, done.output
        return done.output

    return run


def test_query_as_of_names_the_release_it_reads(here: Callable[..., str]) -> None:
    output = here("query", "--as-of", "2026-05-01", "select count(*) as n from marts.lab_volume")
    assert re.search(r"release +datamoat-2026-04-01-\S+ +released_on 2026-04-01 +as_of 2026-03-28", output)
    assert "30" in output
    with pytest.raises(UsageError, match="nothing had been released"):
        here("query", "--as-of", "2026-03-01", "select 1 as one")
    with pytest.raises(UsageError, match="two questions"):
        here("query", "--as-of", "2026-05-01", "--rebuild-as-of", "2026-05-01", "select 1 as one")


def test_query_rebuild_as_of_names_the_build_and_that_it_is_not_audited(here: Callable[..., str]) -> None:
    output = here("query", "--rebuild-as-of", "2026-03-10", "select count(*) as n from marts.lab_volume")
    assert re.search(r"rebuilt +build_id 20260310-\S+ +as_of 2026-03-10 +is_audited no", output)


def test_export_and_verify_from_the_command_line(
    here: Callable[..., str], fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = here("export", "--release", "--to", str(tmp_path / "out"), "--record")
    folder = next((tmp_path / "out").iterdir())
    assert str(folder.name) in output
    assert "checksum " in output
    assert "as released" in here("verify", str(folder))
    reported = json.loads(here("verify", str(folder), "--json"))
    assert reported["is_good"]
    assert reported["registered_on"] == "2026-04-01"
    assert "as released" in here("verify", str(folder), "--rebuild")
    (tmp_path / "nobody").mkdir()
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path / "nobody"))
    (fresh.content / "data" / "releases.csv").unlink()
    assert "No register here knows this checksum" in here("verify", str(folder), exit_code=3)
    assert "the checksum that was given" in here("verify", str(folder), "--checksum", reported["checksum"])
    readme = folder / "README.md"
    readme.chmod(0o644)
    readme.write_text("other")
    assert "README.md: not the bytes that were released" in here("verify", str(folder), exit_code=1)
    assert not json.loads(here("verify", str(folder), "--json", exit_code=1))["is_good"]
