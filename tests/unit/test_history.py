"""History from the inbox: one partition for each source and day; what is unfinished is named; a second time changes nothing."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from datamoat.ingest.landings import read_landings
from datamoat.orchestration import tasks
from datamoat.project.sources import find_source
from datamoat.settings import Settings

WEEKLY = {  # of the sources that are fetched once a week: where their captures of each day are
    "arena_dataset": ("arena_ai/hf_leaderboard_dataset/*/{}.json", ("text_to_video", "image_to_video", "video_edit")),
    "epoch_models": ("epoch_ai/*/{}.csv", ("all_ai_models", "notable_ai_models", "large_scale_ai_models", "frontier_ai_models")),
    "huggingface_models": ("hugging_face/*/{}.derived.json", ("trending",)),
}
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@pytest.fixture
def here(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DATAMOAT_ROOT", str(checkout))
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path))
    return Settings(content=checkout, data=tmp_path)


def put(settings: Settings, source: str, request: str, name: str, body: bytes) -> Path:
    path = settings.data / "inbox" / source / request / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def state_of(folder: Path) -> dict[str, str]:
    """Return the hash of every file of the snapshots and the raw tables."""
    files = [path for part in ("snapshots", "lake") for path in (folder / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def land(partitions: list[str]) -> dict[str, dict[str, Any]]:
    """Do what a run of `land_capture` does for each partition."""
    done = {}
    for partition in partitions:
        tasks.fetch(*partition.split("|"))
        landed = tasks.land(*partition.split("|"))
        done[partition] = landed | tasks.validate(*partition.split("|"))
    return done


def test_the_13_captured_days_of_weekly_sources_land_and_a_second_time_changes_nothing(here: Settings, captures: Path) -> None:
    for source, (pattern, names) in WEEKLY.items():
        for name in names:
            for path in captures.glob(pattern.format(name)):
                day = next(match[0] for match in map(DAY.fullmatch, path.parts) if match)
                put(here, source, name.replace("_ai_models", "_models"), f"{day}{path.suffix}", path.read_bytes())
    listed = tasks.captures()
    assert (len(listed["partitions"]), listed["skipped"]) == (13, [])
    first = land(listed["partitions"])
    assert all(set(one["states"].values()) <= {"ok", "unchanged", "revision"} for one in first.values())
    landed = {f"{name}|{one.captured_on}" for name in WEEKLY for one in read_landings(here, find_source(here.content, name)) if one.is_served}  # fmt: skip
    assert landed == set(listed["partitions"])
    before = state_of(here.data)
    assert land(tasks.captures()["partitions"]).keys() == first.keys()
    assert state_of(here.data) == before


@pytest.fixture
def board(here: Settings, captures: Path) -> bytes:
    """Return a whole response of the board."""
    del here
    return (captures / "arena_ai/web_leaderboard/2026-07-15/text-to-video.json").read_bytes()


def test_a_file_that_was_truncated_in_its_upload_is_replaced_when_it_is_whole(here: Settings, board: bytes) -> None:
    request = ("arena_web", "text_to_video", "2026-07-15.json")
    put(here, *request, board[: len(board) // 2])
    with pytest.raises(Exception, match="text_to_video of 2026-07-15 is error"):
        land(["arena_web|2026-07-15"])
    put(here, *request, board)
    assert tasks.fetch("arena_web", "2026-07-15")["responses"] == {"new": 1}
    assert tasks.land("arena_web", "2026-07-15")["n_rows"] > 30
    assert tasks.validate("arena_web")["states"]["text_to_video"] == "fresh"


def test_what_is_unfinished_linked_misnamed_or_of_the_future_is_named_and_stops_no_other(here: Settings, board: bytes) -> None:
    for name in ("2026-07-15.json", "2026-07-16.json.part", "2026-07-17.json.tmp", "notes.txt", "2999-01-01.json"):
        put(here, "arena_web", "text_to_video", name, board)
    outside = here.data / "outside.json"
    shutil.copy(here.data / "inbox/arena_web/text_to_video/2026-07-15.json", outside)
    (here.data / "inbox/arena_web/text_to_video/2026-07-18.json").symlink_to(outside)
    fetched = tasks.fetch("arena_web")
    assert fetched["responses"] == {"new": 1}
    named = {sentence.partition(":")[0].partition("/")[2]: sentence for sentence in fetched["skipped"]}
    assert set(named) == {"2026-07-16.json.part", "2026-07-17.json.tmp", "notes.txt", "2999-01-01.json", "2026-07-18.json"}
    assert "a link" in named["2026-07-18.json"]
    assert "in the future" in named["2999-01-01.json"]
    assert tasks.captures("arena_web")["partitions"] == ["arena_web|2026-07-15"]
