"""The real history of every source, landed in order of date by the code that lands live responses."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Any

import duckdb
import pytest

from datamoat.build.run import build_models
from datamoat.ingest.inbox import bring_in
from datamoat.ingest.land import land_source
from datamoat.ingest.landings import Landing, raw_relations, read_landings
from datamoat.project.model import Project
from datamoat.project.read import read_project
from datamoat.project.sources import Source, find_source
from datamoat.settings import Settings

BOARDS = ("text-to-video", "image-to-video")
PATTERNS: dict[str, list[tuple[str, str]]] = {
    "aa_api": [
        *[(board.replace("-", "_"), f"artificial_analysis/api_v2_data_media/{{date}}/{board}.json") for board in BOARDS],
        ("text_to_video", "artificial_analysis/api_v2_media_free/{date}/text-to-video.json"),
        ("text_to_video_audio", "artificial_analysis/api_v2_media_free/{date}/text-to-video-audio.json"),
    ],
    "aa_web": [
        (board.replace("-", "_"), f"artificial_analysis/web_arena_preferences/{{date}}/{board}.json")
        for board in (*BOARDS, "text-to-image", "text-to-speech")
    ],
    "arena_dataset": [
        (board, f"arena_ai/hf_leaderboard_dataset/{{date}}/{board}.json")
        for board in ("text_to_video", "image_to_video", "video_edit")
    ],
    "arena_web": [
        (board.replace("-", "_"), f"arena_ai/web_leaderboard/{{date}}/{board}.json")
        for board in (*BOARDS, "video-edit", "text", "text-to-image")
    ],
    "epoch_models": [
        (f"{name}_models", f"epoch_ai/{{date}}/{name}_ai_models.csv") for name in ("all", "notable", "large_scale", "frontier")
    ],
    "huggingface_models": [("trending", "hugging_face/{date}/trending.derived.json")],
}
COUNTS = {
    "aa_api": {"ok": 84, "revision": 16, "error": 2},
    "aa_web": {"ok": 22, "revision": 6, "suspicious": 6},
    "arena_dataset": {"ok": 7, "unchanged": 8},
    "arena_web": {"ok": 42, "unchanged": 19, "suspicious": 2},
    "epoch_models": {"ok": 5, "revision": 2},
    "huggingface_models": {"ok": 3},
}
KNOWN_BAD = {  # what each answer that is not served really is; nothing else may be held back
    "aa_api": {("text_to_video", "2026-02-10"), ("image_to_video", "2026-02-10")},  # an error body stored as data
    "aa_web": {
        (board, day) for board in ("text_to_video", "image_to_video") for day in ("2026-05-15", "2026-06-15", "2026-07-10")
    },  # empty lists
    "arena_web": {("text", "2026-04-10"), ("text", "2026-05-14")},  # the first twenty of more than three hundred
}


def replayed(captures: Path, place: Settings, source: Source) -> list[Landing]:
    """Bring a source's whole history in, land it once, and return what became of it."""
    for request, pattern in PATTERNS[source.id]:
        bring_in(place, source, request, str(captures / pattern))
    land_source(place, source)
    return read_landings(place, source)


@pytest.mark.parametrize("name", PATTERNS)
def test_the_real_history_gives_these_verdicts_and_holds_back_nothing_but_the_known_bad(
    captures: Path, place: Settings, source: Callable[[str], Source], name: str
) -> None:
    landings = replayed(captures, place, source(name))
    assert Counter(landing.validation_status for landing in landings) == COUNTS[name]
    held = {
        (landing.request, landing.captured_on.isoformat())
        for landing in landings
        if landing.validation_status in {"suspicious", "error"}
    }
    assert held == KNOWN_BAD.get(name, set())
    assert all(
        not landing.files and not landing.is_served
        for landing in landings
        if landing.validation_status in {"suspicious", "error"}
    )


def test_the_days_on_which_votes_were_withdrawn_are_served_as_revisions(
    captures: Path, place: Settings, source: Callable[[str], Source]
) -> None:
    landings = replayed(captures, place, source("aa_api"))
    found = {(landing.request, landing.captured_on.isoformat()): landing for landing in landings}
    for day, before, after in (("2026-02-26", "572,159", "437,131"), ("2026-05-01", "577,774", "547,010")):
        landing = found["text_to_video", day]
        assert (landing.validation_status, landing.is_served) == ("revision", True)
        assert f"votes withdrawn: {before} to {after}" in landing.reason
        assert found["image_to_video", day].validation_status == "revision"


def test_the_first_empty_day_is_found_on_that_day(captures: Path, place: Settings, source: Callable[[str], Source]) -> None:
    landings = replayed(captures, place, source("aa_web"))
    first = min(landing.captured_on for landing in landings if landing.validation_status == "suspicious")
    assert first == date(2026, 5, 15)


def test_fed_one_by_one_or_at_once_the_history_lands_the_same(
    captures: Path, place: Settings, source: Callable[[str], Source], tmp_path: Path
) -> None:
    web = source("arena_web")
    at_once = replayed(captures, place, web)
    other = Settings(place.content, tmp_path / "other")
    for path in sorted((captures / "arena_ai/web_leaderboard").iterdir(), reverse=True):
        for request in ("text_to_video", "image_to_video", "video_edit"):
            file = path / f"{request.replace('_', '-')}.json"
            if file.is_file():
                bring_in(other, web, request, file, path.name)
        land_source(other, web)
    mine = {landing.snapshot_id: landing for landing in read_landings(other, web)}
    for landing in at_once:
        if landing.request in {"text_to_video", "image_to_video", "video_edit"}:
            assert mine[landing.snapshot_id] == landing


def test_a_hundred_answers_land_in_one_command_within_ten_seconds(
    captures: Path, place: Settings, source: Callable[[str], Source]
) -> None:
    api = source("aa_api")
    for request, pattern in PATTERNS["aa_api"][:2]:
        bring_in(place, api, request, str(captures / pattern))
    began = monotonic()
    landed, known = land_source(place, api)
    assert monotonic() - began < 10
    assert (len(landed), known) == (100, 0)
    began = monotonic()
    assert land_source(place, api) == ([], 100)
    assert monotonic() - began < 1


def test_table_ten_lands_in_all_four_readings_and_the_missing_number_is_missing(
    captures: Path, place: Settings, source: Callable[[str], Source]
) -> None:
    eu = source("eu_active_recipients")
    for path in sorted((captures / "eu_dsa_reports/2025-H2").glob("*/*10_AMAR.csv")):
        bring_in(place, eu, path.parent.name, path, "2026-02-28")
    landed, _ = land_source(place, eu)
    assert {(landing.request, landing.validation_status, landing.n_rows) for landing in landed} == {
        ("instagram", "ok", 28), ("snapchat", "ok", 28), ("tiktok", "ok", 28), ("youtube", "ok", 3),
    }  # fmt: skip
    import polars as pl

    rows = pl.concat([pl.read_parquet(path) for path in raw_relations(place, [eu])["eu_active_recipients__recipients"].paths])
    total = dict(rows.filter(pl.col("scope") == "EU").select("service", "value").iter_rows())
    assert total == {"TikTok": 178_300_000, "Instagram": 288_737_559, "Snap": 97_153_476, "YouTube": None}
    assert rows.filter(pl.col("service") != "YouTube").group_by("service").len()["len"].to_list() == [28, 28, 28]


def test_the_enforcement_report_gives_removed_videos_and_their_rate_for_every_quarter(
    captures: Path, place: Settings, source: Callable[[str], Source]
) -> None:
    tiktok = source("tiktok_enforcement")
    path = captures / "tiktok_cger/cger_global_video_rows_selected_quarters.json"
    bring_in(place, tiktok, "report", path, "2026-07-01")
    restated = json.loads(path.read_text())
    restated["rows"] = [
        row if row[:2] != ["2021 Q2", "Total videos removed"] or row[5] != "All" else [*row[:-1], row[-1] + 1000]
        for row in restated["rows"]
    ]
    later = place.data / "later.json"
    later.write_text(json.dumps(restated))
    bring_in(place, tiktok, "report", later, "2026-10-01")
    landed, _ = land_source(place, tiktok)
    assert [landing.validation_status for landing in landed] == ["ok", "revision"], (
        "a restatement is a new vintage, not an overwrite"
    )
    assert "restated: 1 of 86" in landed[1].reason
    assert len(raw_relations(place, [tiktok])["tiktok_enforcement__statistics"].paths) == 2


def needed_for(project: Project, wanted: set[str]) -> Project:
    """Return the project with nothing in it but what some tables are made of."""
    models = []
    for model in reversed(project.models):
        if wanted & {table.id for table in model.tables}:
            models.append(model)
            wanted |= set(model.reads)
    return replace(project, models=tuple(reversed(models)))


def test_what_was_transcribed_and_what_is_live_are_one_board(captures: Path, place: Settings, tmp_path: Path) -> None:
    project = needed_for(read_project(place.content), {"marts.leaderboard", "marts.board_status", "marts.board_scale"})
    alone = Settings(place.content, tmp_path / "alone")
    build_models(alone, project)
    for name in ("aa_api", "aa_web", "arena_dataset", "arena_web"):
        for request, pattern in PATTERNS[name]:
            bring_in(place, find_source(place.content, name), request, str(captures / pattern))
    build_models(place, project)
    with duckdb.connect() as con:
        for schema, settings in (("transcribed", alone), ("live", place)):
            con.execute(f"create schema {schema}")
            for table in ("leaderboard", "board_status", "board_scale"):
                con.execute(f"create view {schema}.{table} as from '{settings.lake}/marts/{table}.parquet'")
            con.execute(
                f"create view {schema}.int_board__capture as from '{settings.lake}/intermediate/int_board__capture.parquet'"
            )

        def ask(question: str) -> list[tuple[Any, ...]]:
            return con.sql(question).fetchall()

        # On a day with two routes the one that shows which entries are retired serves; the transcribed record has one of them.
        other_route = """
            from transcribed.int_board__capture as a
            inner join live.int_board__capture as b using (board_id, captured_on)
            where a.is_serving and b.is_serving and a.route <> b.route and board_id like 'aa%'
        """
        assert ask(f"select distinct a.route, b.route as live_route, a.n_retired, b.n_retired > 0 {other_route}") == [
            ("api", "web", 0, True)
        ]
        # Both routes list the same entries, hours apart: ratings differ by less than two points, and the record, which has the state of an
        # entry from the nearest capture that shows it, ranks the same ones but for one that was retired between two such captures.
        differing = ask(
            f"""
            with days as (select distinct board_id, captured_on {other_route}),
            record as (from transcribed.leaderboard semi join days using (board_id, captured_on)),
            served as (from live.leaderboard semi join days using (board_id, captured_on))
            select
                board_id, captured_on::varchar, count(*) filter (where record.entry_key is null or served.entry_key is null),
                max(abs(record.rating - served.rating)) < 2,
                list(record.entry_name) filter (where record.is_ranked is distinct from served.is_ranked)
            from record full join served using (board_id, captured_on, entry_key)
            group by all order by all
            """
        )
        days = ("2026-04-30", "2026-05-01", "2026-05-02", "2026-05-05", "2026-05-11", "2026-05-12")
        assert differing == [
            (board, day, 0, True, ["SkyReels V4"] if day == "2026-05-02" else None)
            for board in ("aa_image_to_video", "aa_text_to_video")
            for day in days
        ]
        aa = f"board_id like 'aa%' and (board_id, captured_on) not in (select (board_id, captured_on) {other_route})"
        held = "select * exclude (citation_ids) from {0}.leaderboard where " + aa
        assert ask(f"select count(*) > 5000 from live.leaderboard where {aa}") == [(True,)]
        assert ask(f"{held.format('transcribed')} except {held.format('live')}") == [], (
            "Artificial Analysis: the same, cell by cell"
        )
        assert ask(f"{held.format('live')} except {held.format('transcribed')}") == []
        assert (
            ask(
                "select board_id, captured_on from live.board_status except select board_id, captured_on from transcribed.board_status"
            )
            == []
        )
        assert ask("select scale_id from live.board_scale except select scale_id from transcribed.board_scale") == []
        assert ask("select board_id, captured_on, entry_key from live.leaderboard group by all having count(*) > 1") == [], (
            "the same entry captured twice is one row"
        )
        moved = ask(
            """
            select board_id, captured_on::varchar, max(abs(transcribed.rating - live.rating)) < 1
            from transcribed.leaderboard as transcribed
            inner join live.leaderboard as live using (board_id, captured_on, entry_key)
            where transcribed.rating <> live.rating and board_id like 'arena%'
            group by all
            """
        )
        # Arena's dataset is unrounded, and has the publication of a day on which the page still showed the one before
        assert {day for _, day, is_rounding in moved if is_rounding} == {"2026-07-08"}
        assert {(board, day) for board, day, is_rounding in moved if not is_rounding} == {
            ("arena_text_to_video", "2026-07-07"), ("arena_video_edit", "2026-05-12"), ("arena_video_edit", "2026-06-30"),
        }  # fmt: skip
