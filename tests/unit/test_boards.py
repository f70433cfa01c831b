"""The boards on the facts we hold: who led, what each entry is, what is missing, and the traps of the real data."""

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from datamoat.project.read import read_columns, read_model
from datamoat.project.reference import read_reference
from datamoat.project.sql import read_snippet

LIVE = ("aa_api", "aa_web", "arena_dataset", "arena_web")
LIVE_COLUMNS = (
    "board_id", "captured_on", "route", "snapshot_id", "entry_key", "entry_name", "entry_slug", "creator_name", "listed_rank",
    "is_ranked", "rating", "rating_low", "rating_high", "n_votes", "released_as_stated", "is_open_weights", "licence_as_stated",
    "board_published_on",
)  # fmt: skip
ORDER = (
    "staging/reference/stg_reference__boards.sql",
    "staging/reference/stg_reference__leaderboard_captures.sql",
    "staging/reference/stg_reference__leaderboard_entries.sql",
    "staging/reference/stg_reference__models.sql",
    "staging/reference/stg_reference__entry_aliases.sql",
    "staging/reference/stg_reference__creator_aliases.sql",
    "intermediate/board/int_board__capture_entry.sql",
    "intermediate/board/int_board__capture.sql",
    "intermediate/board/int_board__scale_link.sql",
    "intermediate/board/int_board__scale.sql",
    "intermediate/entry/int_entry__match.sql",
    "intermediate/model/int_model__release.sql",
    "intermediate/board/int_board__entry.sql",
    "intermediate/board/int_board__status.sql",
    "intermediate/board/int_board__change.sql",
    "intermediate/board/int_board__missing_entry.sql",
    "marts/boards/board_status.sql",
    "marts/boards/leaderboard.sql",
    "marts/boards/board_scale.sql",
    "marts/boards/rating_change.sql",
    "marts/boards/entity_match.sql",
    "marts/boards/missing_entry.sql",
    "marts/releases/model_release.sql",
)


@pytest.fixture(scope="module")
def boards(checkout: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return the marts of boards and releases, built from the reference facts without the engine or a network."""
    transforms = checkout / "transforms"
    columns = read_columns(transforms / "columns.yml")
    with duckdb.connect() as con:
        for schema in ("raw", "staging", "intermediate", "marts", "meta"):
            con.execute(f"create schema {schema}")
        for facts in read_reference(checkout / "data" / "reference"):
            con.register("_facts", facts.frame.to_arrow())
            con.execute(f"create table raw.reference__{facts.name} as from _facts")
            con.unregister("_facts")
        con.execute(
            "create table meta.snapshots (snapshot_id varchar, source_id varchar, request varchar, captured_on date, "
            "validation_status varchar, is_served boolean, n_rows bigint, reason varchar)"
        )
        con.execute("create table staging.stg_reference__labs as from raw.reference__labs")
        con.execute("create table staging.stg_reference__citations as from raw.reference__citations")
        for source in LIVE:
            con.execute(
                f"create table staging.stg_{source}__entries ("
                + ", ".join(f"{name} {columns[name].type}" for name in LIVE_COLUMNS)
                + ")"
            )
        con.execute(
            "create table staging.stg_epoch_models__video_models (model_name varchar, captured_on date, "
            "released_as_stated varchar, first_published_on date)"
        )
        con.execute("set variable as_of = date '2026-10-08'")
        for name in ORDER:
            model = read_model(transforms / name, transforms)
            con.execute(f"create table {model.layer}.{model.name} as {model.text}")
        for name in ("as_of_board", "leaders_on"):
            con.execute(read_snippet(transforms / "macros" / f"{name}.sql", {"description"}).sql)
        yield con


def ask(con: duckdb.DuckDBPyConnection, question: str) -> list[tuple[Any, ...]]:
    return con.sql(question).fetchall()


def one(con: duckdb.DuckDBPyConnection, question: str) -> Any:
    answer = ask(con, question)
    assert len(answer) == 1, answer
    return answer[0][0] if len(answer[0]) == 1 else answer[0]


def test_the_text_to_video_board_was_led_by_these_from_these_days(boards: duckdb.DuckDBPyConnection) -> None:
    led = ask(
        boards,
        """
        with days as (
            select captured_on, leader_entry_name, lag(leader_entry_name) over (order by captured_on) as before
            from marts.board_status
            where board_id = 'aa_text_to_video' and status in ('ok', 'unchanged')
        )
        select captured_on::varchar, leader_entry_name from days where leader_entry_name is distinct from before order by 1
        """,
    )
    assert led == [
        ("2026-02-10", "Vidu Q3 Pro"),
        ("2026-02-12", "grok-imagine-video"),
        ("2026-02-14", "Kling 3.0 Pro"),
        ("2026-02-28", "Kling 3.0 1080p (Pro)"),
        ("2026-03-24", "Dreamina Seedance 2.0 720p"),
        ("2026-04-08", "HappyHorse-1.0"),
        ("2026-07-14", "Gemini Omni Flash"),
    ]


def test_no_day_without_a_usable_answer_pretends_to_be_a_board(boards: duckdb.DuckDBPyConnection) -> None:
    assert ask(
        boards,
        "select distinct status from marts.board_status where captured_on = date '2026-07-10' and board_id = 'aa_text_to_video'",
    ) == [("empty",)]
    assert (
        ask(
            boards,
            "from marts.board_status where status in ('empty', 'missing', 'error') and (leader_entry_name is not null or leader_rating is not null or n_listed > 0)",
        )
        == []
    )
    assert (
        ask(
            boards,
            "from marts.leaderboard join marts.board_status using (board_id, captured_on) where status not in ('ok', 'unchanged')",
        )
        == []
    )


def test_the_web_route_is_held_on_its_last_good_day_and_its_first_empty_one(boards: duckdb.DuckDBPyConnection) -> None:
    assert ask(
        boards,
        """
        select captured_on::varchar, capture_status, n_held from intermediate.int_board__capture
        where board_id = 'aa_text_to_video' and route = 'web' and captured_on between '2026-05-14' and '2026-05-31' order by 1
        """,
    ) == [("2026-05-14", "ok", 81), ("2026-05-15", "empty", 0)]


def test_every_board_with_a_reading_has_one_each_month_it_was_followed(boards: duckdb.DuckDBPyConnection) -> None:
    months = dict(
        ask(
            boards,
            "select board_id, count(distinct date_trunc('month', captured_on)) from marts.board_status "
            "where status in ('ok', 'unchanged', 'partial') and captured_on between '2026-02-01' and '2026-08-31' group by all",
        )
    )
    assert months["aa_text_to_video"] == months["aa_image_to_video"] == 7
    assert months["arena_text_to_video"] == 7
    assert months["arena_image_to_video"] == 7
    assert months["arena_video_edit"] == 6  # read from March


def test_kling_3_is_on_one_text_to_video_board_and_missing_from_the_other(boards: duckdb.DuckDBPyConnection) -> None:
    assert (
        one(boards, "select rank from marts.as_of_board('aa_text_to_video', date '2026-05-14') where model_id = 'kling-3-0-pro'")
        == 3
    )
    assert (
        one(
            boards, "select count(*) from marts.leaderboard where board_id = 'arena_text_to_video' and model_id = 'kling-3-0-pro'"
        )
        == 0
    )
    assert one(
        boards,
        "select reason, missing_to from marts.missing_entry where board_id = 'arena_text_to_video' and model_id = 'kling-3-0-pro'",
    ) == ("never_listed", None)
    assert ask(boards, "from marts.missing_entry where board_id = 'arena_image_to_video' and model_id = 'kling-3-0-pro'") == []


def test_an_id_issued_anew_is_the_same_model(boards: duckdb.DuckDBPyConnection) -> None:
    moves = ask(
        boards,
        "select entry_name, cause from marts.rating_change where board_id = 'aa_text_to_video' and captured_on = date '2026-06-05' and cause in ('entered', 'left') order by 2",
    )
    assert moves == [("HappyHorse-1.0", "entered"), ("HappyHorse-1.0", "left")]
    keys = ask(
        boards, "select distinct entry_key, model_id, company_id from marts.leaderboard where entry_name = 'HappyHorse-1.0'"
    )
    assert len(keys) == 2
    assert {key[1:] for key in keys} == {("happyhorse-1-0", "alibaba")}


def test_a_name_that_passed_to_another_model_means_both_in_turn(boards: duckdb.DuckDBPyConnection) -> None:
    named = "select distinct captured_on::varchar, model_id from marts.leaderboard where board_id = 'aa_text_to_video' and entry_name = 'PixVerse V5.6' and captured_on in ('2026-02-25', '2026-02-26') order by 1"
    assert ask(boards, named) == [("2026-02-25", "pixverse-v5-6-january"), ("2026-02-26", "pixverse-v5-6")]


def test_a_renamed_entry_stays_one_entry(boards: duckdb.DuckDBPyConnection) -> None:
    renamed = ask(
        boards,
        "select previous_entry_name, entry_name from marts.rating_change where cause = 'renamed' and captured_on = date '2026-02-28' and board_id = 'aa_text_to_video' order by 1",
    )
    assert renamed == [
        ("Kling 3.0 Omni Pro", "Kling 3.0 Omni 1080p (Pro)"),
        ("Kling 3.0 Omni Standard", "Kling 3.0 Omni 720p (Standard)"),
        ("Kling 3.0 Pro", "Kling 3.0 1080p (Pro)"),
        ("Kling 3.0 Standard", "Kling 3.0 720p (Standard)"),
    ]


@pytest.mark.parametrize(
    ("source_id", "entry_key", "model_id"),
    [
        ("arena", "kling-o3-pro", "kling-3-0-omni-pro"),
        ("arena", "kling-v3-pro", "kling-3-0-pro"),
        ("arena", "kling-2.6-pro", "kling-2-6-pro"),
        ("arena", "kling-2.5-turbo-1080p", "kling-2-5-turbo"),
        ("arena", "veo-3.1-fast-audio", "veo-3-1-fast-preview"),
        ("arena", "minimax-h3", "minimax-h3"),
        ("arena", "ltx-2-19b ltx-2-community-license-agreement", "ltx-2-pro"),
        ("vbench", "CogVideoX1.5-5B", "unmatched:vbench:CogVideoX1.5-5B"),
        ("vbench", "OpenSoraPlan V1.2", "unmatched:vbench:OpenSoraPlan V1.2"),
    ],
)
def test_near_names_are_told_apart(boards: duckdb.DuckDBPyConnection, source_id: str, entry_key: str, model_id: str) -> None:
    found = ask(boards, f"select model_id from marts.entity_match where source_id = '{source_id}' and entry_key = '{entry_key}'")
    assert found == [(model_id,)]


def test_a_derivative_counts_to_who_published_it(boards: duckdb.DuckDBPyConnection) -> None:
    of_fal = one(boards, "select distinct model_id, company_id from marts.leaderboard where entry_name like 'Minimax H3 Max%'")
    assert of_fal == ("minimax-h3-max", "fal")
    assert one(boards, "select distinct model_id, company_id from marts.leaderboard where entry_name = 'MiniMax H3'") == (
        "minimax-h3",
        "minimax",
    )
    assert dict(ask(boards, "select model_id, base_model_id from marts.model_release where base_model_id is not null")) == {
        "krea-realtime": "wan-2-1-14b",
        "minimax-h3-max": "minimax-h3",
    }
    hosted = ask(boards, "select distinct company_id from marts.leaderboard where entry_name like 'Hunyuan%(Fal)'")
    assert hosted == [("tencent",)]  # served by Fal, made by Tencent


@pytest.mark.parametrize(
    ("names", "company_id"),
    [
        (("ByteDance Seed", "Bytedance", "bytedance"), "bytedance"),
        (("KlingAI", "kling"), "kuaishou"),
        (("Alibaba", "Alibaba-ATH", "alibaba", "wan", "aorizon", "HappyHorse"), "alibaba"),
        (("xAI", "SpaceXAI", "xai"), "xai"),
        (("Vidu", "Shengshu", "shengshu"), "shengshu"),
    ],
)
def test_the_names_of_one_company_are_one_company(
    boards: duckdb.DuckDBPyConnection, names: tuple[str, ...], company_id: str
) -> None:
    found = dict(
        ask(
            boards,
            f"select creator_name, list_sort(list(distinct company_id)) from marts.leaderboard where creator_name in {names} group by all",
        )
    )
    assert set(found) == set(names)
    assert all(companies == [company_id] for companies in found.values())


def test_an_entry_without_a_maker_still_has_its_company(boards: duckdb.DuckDBPyConnection) -> None:
    nameless = ask(
        boards,
        "select distinct entry_key, company_id from marts.leaderboard where creator_name is null and board_id like 'arena_%_video' order by 1",
    )
    assert {("p-video", "pruna"), ("pixverse-v5.6", "pixverse"), ("ltx-2-19b", "lightricks")} <= set(nameless)


def test_open_source_is_no_laboratory_and_anonymous_no_family(boards: duckdb.DuckDBPyConnection) -> None:
    assert ask(boards, "select distinct lab_id from marts.leaderboard where creator_name = 'Open Source'") == [
        ("pyramid-flow-authors",)
    ]
    assert (
        ask(
            boards,
            "from staging.stg_reference__creator_aliases where creator_name = 'Open Source' and (lab_id is not null or company_id is not null)",
        )
        == []
    )
    assert ask(boards, "from marts.model_release where lower(family) = 'anonymous'") == []


def test_string_rules_alone_would_decide_less_than_half_of_arena(boards: duckdb.DuckDBPyConnection) -> None:
    exact, keys = one(
        boards,
        """
        with names as (select regexp_replace(lower(model_name), '[^a-z0-9]', '', 'g') as name from staging.stg_reference__models)
        select
            count(*) filter (where regexp_replace(lower(entry_key), '[^a-z0-9]', '', 'g') in (select name from names)),
            count(*)
        from marts.entity_match where source_id = 'arena' and is_curated and entry_key not like 'name:%'
        """,
    )
    assert exact < keys / 2


def test_daily_readings_of_arena_hold_few_distinct_boards(boards: duckdb.DuckDBPyConnection) -> None:
    counted = dict(
        ask(
            boards,
            "select status, count(*) from marts.board_status where board_id = 'arena_text_to_video' and captured_on between '2026-03-19' and '2026-08-05' group by 1",
        )
    )
    assert counted["ok"] <= 9
    assert counted["unchanged"] >= 14


def test_sounding_and_silent_variants_share_a_board_and_differ(boards: duckdb.DuckDBPyConnection) -> None:
    sounding, silent = (
        one(
            boards,
            f"select rating from marts.as_of_board('arena_text_to_video', date '2026-05-14') where entry_key = '{key}' and has_audio = {flag}",
        )
        for key, flag in (("veo-3-audio", "true"), ("veo-3", "false"))
    )
    assert 70 <= sounding - silent <= 100


def test_a_retired_entry_has_no_rank_by_any_route(boards: duckdb.DuckDBPyConnection) -> None:
    veo = "select captured_on::varchar, is_ranked, rank is null from marts.leaderboard where board_id = 'aa_text_to_video' and entry_name = 'Veo 3.1 Preview' and captured_on in ('2026-04-24', '2026-04-28') order by 1"
    assert ask(boards, veo) == [("2026-04-24", False, True), ("2026-04-28", False, True)]


def test_the_number_ranked_moves_only_with_entries_that_come_go_or_retire(boards: duckdb.DuckDBPyConnection) -> None:
    moves = """
        with days as (
            select board_id, captured_on, count(*) filter (where is_ranked) as n_ranked from marts.leaderboard group by all
        ), moved as (
            select *, n_ranked - lag(n_ranked) over (partition by board_id order by captured_on) as n_more from days
        )
        select board_id, captured_on::varchar, n_more from moved
        where abs(n_more) > 3 and abs(n_more) > (
            select count(*) from marts.rating_change as c
            where c.board_id = moved.board_id and c.captured_on = moved.captured_on
                and c.cause in ('entered', 'left', 'retired', 'restored', 'renamed')
        )
    """
    assert ask(boards, moves) == []
    assert one(boards, "select count(*) from marts.leaderboard where not is_ranked and board_id = 'aa_text_to_video'") > 300


def test_the_story_day_is_served_by_the_capture_that_tells_what_is_retired(boards: duckdb.DuckDBPyConnection) -> None:
    day = "select count(*), count(*) filter (where is_ranked) from marts.leaderboard where board_id = 'aa_text_to_video' and captured_on = date '2026-05-14'"
    assert one(boards, day) == (81, 74)


def test_votes_are_withdrawn_and_the_cause_says_so(boards: duckdb.DuckDBPyConnection) -> None:
    change, cause = one(
        boards,
        "select n_votes_change, cause from marts.rating_change where board_id = 'aa_text_to_video' and captured_on = date '2026-05-01' and entry_name = 'HappyHorse-1.0'",
    )
    assert (change, cause) == (-8712, "recount")  # nearly the whole board has fewer votes that day
    causes = {
        day: dict(
            ask(
                boards,
                f"select cause, count(*) from marts.rating_change where board_id = 'aa_text_to_video' and captured_on = date '{day}' group by 1",
            )
        )
        for day in ("2026-02-26", "2026-04-15", "2026-05-01")
    }
    assert causes["2026-02-26"]["recount"] > 50
    assert causes["2026-02-26"]["renamed"] == causes["2026-02-26"]["entered"] == 1
    assert causes["2026-04-15"]["refit"] >= 20
    assert causes["2026-05-01"]["recount"] > 70
    assert not any("votes_removed" in day for day in (causes["2026-02-26"], causes["2026-05-01"]))
    totals = [
        row[0]
        for row in ask(
            boards,
            "select n_votes_total from marts.board_status where board_id = 'aa_text_to_video' and captured_on in ('2026-02-25', '2026-02-26') order by captured_on",
        )
    ]
    assert totals == [572159, 440385]


def test_models_leave_and_come_back(boards: duckdb.DuckDBPyConnection) -> None:
    away = ask(
        boards,
        "select model_id, reason, missing_from::varchar, missing_to::varchar, last_rank from marts.missing_entry where board_id = 'aa_text_to_video' and reason in ('left', 'unranked') and missing_to is not null order by 1",
    )
    assert ("skyreels-v4", "unranked", "2026-05-04", "2026-06-01", 4) in away
    assert ("wan-2-7", "left", "2026-05-12", "2026-06-16", 26) in away


def test_shown_and_sold_are_two_days(boards: duckdb.DuckDBPyConnection) -> None:
    sora = one(
        boards,
        "select released_on, released_on_low, released_on_high, date_kind from marts.model_release where model_id = 'sora-1'",
    )
    assert sora == (date(2024, 12, 9), date(2024, 2, 15), date(2024, 12, 9), "available")


def test_some_models_were_on_a_board_before_their_release(boards: duckdb.DuckDBPyConnection) -> None:
    early = ask(boards, "select model_id from marts.model_release where first_seen_on < released_on_low order by 1")
    assert ("runway-gen-4-5",) in early


def test_each_pool_has_a_scale_and_an_anchor_of_its_own(boards: duckdb.DuckDBPyConnection) -> None:
    anchors = dict(
        ask(
            boards,
            "select scale_id, anchor_entry_name from marts.board_scale where scale_id like '%video%/1' and board_id like 'aa_%'",
        )
    )
    assert anchors == {
        "aa_text_to_video/1": "Mochi 1",
        "aa_image_to_video/1": "Wan 2.1 14B",
        "aa_text_to_video_audio/1": "Seedance 1.5 pro",
    }
    assert one(boards, "select count(*) from marts.leaderboard where is_anchor and rating <> 1000") == 0


def test_a23_an_unverified_statement_is_kept_and_never_serves(boards: duckdb.DuckDBPyConnection) -> None:
    kept = one(boards, "select count(*) from intermediate.int_board__capture where verification = 'UNVERIFIED'")
    assert kept >= 3
    assert ask(boards, "from intermediate.int_board__capture where verification = 'UNVERIFIED' and is_serving") == []
    assert one(
        boards,
        "select status, reason from marts.board_status where board_id = 'aa_text_to_video' and captured_on = date '2025-03-04'",
    ) == ("missing", "only an unverified statement is held for this day")


def test_a_board_too_old_is_no_board(boards: duckdb.DuckDBPyConnection) -> None:
    assert one(boards, "select distinct captured_on from marts.as_of_board('aa_text_to_video', date '2026-05-18')") == date(
        2026, 5, 16
    )
    assert ask(boards, "from marts.as_of_board('aa_text_to_video', date '2026-12-24')") == []
    assert (
        one(
            boards,
            "select count(distinct captured_on) from marts.as_of_board('aa_text_to_video', date '2026-09-20', max_age_n_days := 30)",
        )
        == 1
    )
    assert (
        one(boards, "select leader_entry_name from marts.leaders_on(date '2026-05-14') where board_id = 'arena_text_to_video'")
        == "dreamina-seedance-2.0-720p"
    )


def test_e11_labelled_pairs_are_told_apart_and_put_together(boards: duckdb.DuckDBPyConnection, checkout: Path) -> None:
    """Validate the alias tables on pairs of names that were labelled one by one, near misses above all."""
    with (checkout / "tests" / "samples" / "labelled_pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    assert len(pairs) >= 200

    def models_of(pair: dict[str, str], side: str) -> set[tuple[str, str]]:
        day = f"and captured_on = date '{pair['on_' + side]}'" if pair["on_" + side] else ""
        rows = ask(
            boards,
            f"""
            select distinct model_id, company_id from intermediate.int_board__entry
            where board_family = 'video' and source_id = '{pair["source_" + side]}' and entry_name = '{pair["name_" + side]}' {day}
            """,
        )
        assert len(rows) == 1, (pair, rows)
        return set(rows)

    verdicts = [(pair, models_of(pair, "a"), models_of(pair, "b")) for pair in pairs]
    joined = [(pair, a, b) for pair, a, b in verdicts if a == b]
    wrong = [pair for pair, _, _ in joined if pair["is_same_model"] == "false"]
    found = [pair for pair, _, _ in joined if pair["is_same_model"] == "true"]
    n_same = sum(pair["is_same_model"] == "true" for pair in pairs)
    assert len(found) / len(joined) >= 0.99, wrong
    assert len(found) / n_same >= 0.95, [p for p, a, b in verdicts if p["is_same_model"] == "true" and a != b]
    companies: dict[str, set[str]] = {}
    for model_id, company_id in ask(boards, "select distinct model_id, company_id from intermediate.int_board__entry"):
        companies.setdefault(model_id, set()).add(company_id)
    assert {model: owners for model, owners in companies.items() if len(owners) > 1} == {}


def test_overlapping_dates_of_one_key_are_found(boards: duckdb.DuckDBPyConnection, checkout: Path) -> None:
    check = read_snippet(
        checkout / "expectations" / "checks" / "aliases_of_a_key_do_not_overlap.sql", {"description", "severity"}
    )
    assert ask(boards, check.sql) == []
    with boards.cursor() as con:
        con.execute("begin")
        con.execute(
            "update staging.stg_reference__entry_aliases set valid_to = date '2025-07-29' where entry_key = 'name:veo-3' and valid_to is not null"
        )
        assert [row[2] for row in ask(con, check.sql)] == ["name:veo-3"]
        con.execute("rollback")


def test_the_reference_says_what_the_captures_say(captures: Path, checkout: Path) -> None:
    reference = checkout / "data" / "reference"
    held: dict[str, dict[str, tuple[str, ...]]] = {}
    with (reference / "leaderboard_entries_artificial_analysis.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cells = (row["entry_name"], row["creator_name"], row["listed_rank"], row["rating"], row["n_votes"])
            held.setdefault(row["capture_id"], {})[row["entry_key"]] = cells
    compared = 0
    for short, task in (("aa-t2v", "text-to-video"), ("aa-i2v", "image-to-video")):
        for path in sorted((captures / "artificial_analysis" / "api_v2_data_media").glob(f"2026-*/{task}.json")):
            if len(path.parent.name) > len("2026-05-14"):
                continue  # an error that was stored as a board
            served = {
                e["id"]: (e["name"], e["model_creator"]["name"], str(e["rank"]), str(e["elo"]), str(e["appearances"]))
                for e in json.loads(path.read_text(encoding="utf-8"))["data"]
            }
            assert held[f"{short}-{path.parent.name}-api"] == served
            compared += len(served)
    assert compared > 7000


def test_no_tracked_table_is_too_large(checkout: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in (checkout / "data" / "reference").glob("*.csv")}
    assert max(sizes.values()) < 1_500_000, pl.DataFrame(sizes).to_dicts()
