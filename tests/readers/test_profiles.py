"""Pages about one thing are declared by the content, and freshness is measured against how often data used to come."""

import json
from datetime import date, timedelta

import duckdb
import pytest
from typer.testing import CliRunner

from datamoat.cli.app import app
from datamoat.errors import ContentError, UsageError
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views.profiles import find_profile, profile_names, read_profile
from datamoat.views.sections import Section, print_sections
from datamoat.views.status import _stale_series, read_status
from datamoat.views.trace import trace_number

PROFILE = {
    "description": "Show one place.",
    "argument": "place",
    "about_argument": "Its id.",
    "example": "p00",
    "values": "select platform_id as value from marts.lab_volume",
}


@pytest.fixture
def declared(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder = fresh.content / "reports" / "profiles" / "place"
    folder.mkdir(parents=True)
    (folder / "profile.yml").write_text(json.dumps(PROFILE))
    (folder / "1_uploads.sql").write_text(
        "/*---\ndescription: Uploads\n---*/\nselect uploads from marts.lab_volume where platform_id = getvariable('place')\n"
    )
    monkeypatch.setenv("DATAMOAT_ROOT", str(fresh.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(fresh.data))
    return fresh


def test_a_profile_of_the_content_is_a_command(declared: Settings) -> None:
    done = CliRunner().invoke(app, ["place", "p01", "--json"])
    page = json.loads(done.stdout)
    assert (page["profile"], page["place"], page["as_of"]) == ("place", "p01", "2026-03-28")
    assert page["sections"] == [{"title": "Uploads", "rows": [{"uploads": pytest.approx(-0.0999999)}]}]
    assert "build" in CliRunner().invoke(app, ["place", "p01"]).stdout
    assert "Example: datamoat place p00" in CliRunner().invoke(app, ["place", "--help"]).stdout
    assert "place" in CliRunner().invoke(app, ["--help"]).stdout


def test_a_value_that_is_none_is_answered_with_similar_ones(declared: Settings) -> None:
    failure = CliRunner().invoke(app, ["place", "p0l"]).exception
    assert isinstance(failure, UsageError)
    assert failure.fix.startswith("did you mean p")
    with open_published(declared) as con, pytest.raises(UsageError, match="there is no place"):
        read_profile(con, find_profile(declared.content, "place"), "x' or true --")


def test_a_profile_with_other_keys_is_refused(declared: Settings) -> None:
    (declared.content / "reports" / "profiles" / "place" / "profile.yml").write_text(json.dumps({"description": "x"}))
    with pytest.raises(ContentError, match="it has"):
        find_profile(declared.content, "place")


def test_a_command_that_is_neither_is_a_mistake(declared: Settings) -> None:
    assert CliRunner().invoke(app, ["nonsuch"]).exit_code == 2


def test_every_profile_of_the_content_shows_its_example(published: Settings) -> None:
    assert set(profile_names(published.content)) == {"company", "leaders", "platform"}
    for name in profile_names(published.content):
        profile = find_profile(published.content, name)
        with open_published(published) as con:
            page = read_profile(con, profile, profile.example)
        assert all(section.rows for section in page.sections), name


def test_an_id_like_none_is_not_taken_for_another_one(published: Settings) -> None:
    profile = find_profile(published.content, "company")
    with open_published(published) as con:
        with pytest.raises(UsageError) as near:
            read_profile(con, profile, "bytdance")
        with pytest.raises(UsageError) as far:
            read_profile(con, profile, "nope")
    assert near.value.fix == "did you mean bytedance?"
    assert far.value.fix.startswith("take one of: adobe, ")


def test_a_section_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_sections([Section("Who led", ("board_id",), ())])
    assert capsys.readouterr().out.splitlines() == ["Who led", "board_id", "(0 rows)"]


@pytest.fixture
def con(published: Settings) -> duckdb.DuckDBPyConnection:
    return open_published(published)


def test_a_board_is_stale_from_the_day_of_its_bound_and_makes_the_status_bad(
    published: Settings, con: duckdb.DuckDBPyConnection
) -> None:
    board, since = con.sql(
        "select series_id, stale_since_on from marts.series_freshness where series_kind = 'board' order by 2 limit 1"
    ).fetchall()[0]
    before = _stale_series(con, published, since - timedelta(days=1)) or []
    on_the_day = _stale_series(con, published, since) or []
    assert board not in {row[1] for row in before}
    assert [(row[1], row[4]) for row in on_the_day if row[1] == board] == [(board, False)]
    assert read_status(published).is_good == all(row[4] for row in _stale_series(con, published, date.today()) or [])  # noqa: DTZ011


def test_every_board_has_a_bound_from_its_own_captures(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.sql(
        "select s.series_id, s.newest_on, s.stale_after_days, s.expected_every_days, max(b.captured_on)"
        " from marts.series_freshness as s left join marts.board_status as b on s.series_id = b.board_id and b.status in ('ok', 'unchanged')"
        " where s.series_kind = 'board' group by all"
    ).fetchall()
    assert len(rows) > 8
    assert all(stale == max(7, 3 * expected) for _, _, stale, expected, _ in rows)
    assert all(newest <= last for _, newest, _, _, last in rows)


def test_a_number_names_no_source_without_snapshots(con: duckdb.DuckDBPyConnection) -> None:
    served = {name for (name,) in con.sql("select distinct source_id from meta.snapshots where is_served").fetchall()}
    found = trace_number(con, "company_volume.usable_hours_p50", ["company_id=kuaishou"])
    named = {name.removeprefix("snapshots of ") for name in found.inputs if name.startswith("snapshots of ")}
    assert named <= served
    assert any(name.startswith("reference/") for name in found.inputs)
