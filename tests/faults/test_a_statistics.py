"""What is wrong by less than a unit in statistics: known values that move, and new ones no history of theirs leads to."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import date
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.faults.conftest import RECIPIENTS

from datamoat.ingest.landings import Landing
from datamoat.project.sources import Source
from datamoat.settings import Settings

Bench = Any
Values = dict[tuple[str, str], float]
REMOVED, RATE, FAKE = "Total videos removed", "Video: Removal rate of published", "Videos removed from fake accounts"
QUARTERS = [f"{year} Q{quarter}" for year in range(2021, 2025) for quarter in (1, 2, 3, 4)]
STEPS = {  # of the made-up series; the largest are 1.38, 1.5 and 4
    REMOVED: (43_086_543, (1.1, 1.38, 0.9, 1.2, 0.8)),
    RATE: (0.006, (1.5, 1.0, 0.9, 1.0, 0.75)),
    FAKE: (13_635_469, (4, 0.5, 2.1, 0.25, 1.5)),
}
KNOWN: Values = {
    (metric, quarter): round(value, 3 if metric == RATE else 0)
    for metric, (first, steps) in STEPS.items()
    for quarter, value in zip(QUARTERS, accumulate((steps * 3), lambda value, step: value * step, initial=first), strict=True)
}
LAST = {metric: KNOWN[metric, QUARTERS[-1]] for metric in STEPS}


def release(values: Values, **new: float) -> str:
    """Return an enforcement report; of 2025 Q1 it has so many times the last known value of each metric that is named."""
    added = {
        (metric, "2025 Q1"): LAST[metric] * new[name]
        for name, metric in (("removed", REMOVED), ("rate", RATE), ("fake", FAKE))
        if name in new
    }
    rows = [
        [metric, quarter, f"{value:.3f}" if metric == RATE else f"{value:.0f}"]
        for (metric, quarter), value in (values | added).items()
    ]
    return written([["Metric", "Period", "Result"], *rows])


def written(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def times(factor: float, *metrics: str) -> Values:
    return {key: value * factor if key[0] in metrics else value for key, value in KNOWN.items()}


@pytest.fixture
def bench_on(place: Settings, source: Callable[[str], Source], bench_of: type[Bench]) -> Callable[[str], Bench]:
    """Return a function that makes a bench for a source, in September 2026."""
    return lambda name: bench_of(place, source(name), date(2026, 9, 1))


def after_known(bench: Bench, later: str) -> Landing:
    """Return what becomes of a release after the one with the known quarters."""
    assert bench.feed(release(KNOWN), "report", days=90).validation_status == "ok"
    landing: Landing = bench.feed(later, "report")
    return landing


LATE = {(metric, quarter): KNOWN[metric, before] for metric in STEPS for before, quarter in pairwise(QUARTERS)}
MOVED = {
    "every value is 1.4 times as much": (times(1.4, *STEPS), f"value of {REMOVED!r} is restated by more than 0.01 of it in 16 of 16"),
    "removals alone are": (times(1.49, REMOVED), f"value of {REMOVED!r} is 1.49 times the last good at the median"),
    "every removal is by 0.7 per cent": (times(1.007, REMOVED), "less than 1.005 is expected"),
    "the series is a quarter late": (KNOWN | LATE, f"value of {FAKE!r} is restated by more than 0.01 of it in 15 of 16"),
    "one quarter is by 1.2 per cent": (KNOWN | {(REMOVED, "2022 Q1"): KNOWN[REMOVED, "2022 Q1"] * 1.012}, "'Total videos removed 2022 Q1, "),
    "one share is by two of its last digits": (KNOWN | {(RATE, "2022 Q1"): KNOWN[RATE, "2022 Q1"] + 0.002}, "0.01 of it in 1 of 16"),
}  # fmt: skip


@pytest.mark.parametrize("what", MOVED)
def test_known_quarters_that_move_by_more_than_releases_restate_are_quarantined(
    bench_on: Callable[[str], Bench], what: str
) -> None:
    values, sign = MOVED[what]
    landing = after_known(bench_on("tiktok_enforcement"), release(values))
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert sign in landing.reason


RESTATED = {
    "one quarter by half a per cent": KNOWN | {(REMOVED, "2022 Q1"): KNOWN[REMOVED, "2022 Q1"] * 1.005},
    "one share by its last digit": KNOWN | {(RATE, "2022 Q1"): KNOWN[RATE, "2022 Q1"] - 0.001},
}


@pytest.mark.parametrize("what", RESTATED)
def test_a_quarter_restated_as_releases_do_is_a_revision_with_its_row(bench_on: Callable[[str], Bench], what: str) -> None:
    landing = after_known(bench_on("tiktok_enforcement"), release(RESTATED[what]))
    assert landing.validation_status == "revision"
    assert "restated: 1 of 48 known rows have other values" in landing.reason
    assert "2022 Q1" in landing.reason


def test_a_new_quarter_that_copies_the_last_is_quarantined_and_an_equal_rate_alone_is_none(
    bench_on: Callable[[str], Bench],
) -> None:
    landing = after_known(bench_on("tiktok_enforcement"), release(KNOWN, removed=1.0, rate=1.0, fake=1.0))
    assert landing.validation_status == "suspicious"
    for metric, is_copy in ((REMOVED, True), (FAKE, True), (RATE, False)):
        assert (
            f"value of the new '{metric} 2025 Q1' is that of '{metric} 2024 Q4' to the last digit" in landing.reason
        ) is is_copy


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ({"removed": 1.45}, "ok"),
        ({"removed": 1.55}, "suspicious"),
        ({"rate": 2.9}, "suspicious"),
        ({"removed": 1.6, "rate": 1.2}, "ok"),
    ],
)
def test_a_new_quarter_of_one_of_two_series_is_within_the_bound_of_their_quotient(
    bench_on: Callable[[str], Bench], new: dict[str, float], status: str
) -> None:
    landing = after_known(bench_on("tiktok_enforcement"), release(KNOWN, **{"removed": 1.01, "rate": 1.0, "fake": 1.5, **new}))
    assert landing.validation_status == status
    assert ("in 2025 Q1 what it is in 2024 Q4; 1.5 times at most" in landing.reason) is (status == "suspicious")


def test_a_new_quarter_with_the_value_of_the_year_ago_quarter_is_a_copy(bench_on: Callable[[str], Bench]) -> None:
    ago = {(metric, "2025 Q1"): KNOWN[metric, "2024 Q1"] for metric in STEPS}
    reason = after_known(bench_on("tiktok_enforcement"), release(KNOWN | ago)).reason
    for metric, is_copy in ((REMOVED, True), (FAKE, True), (RATE, False)):
        assert (f"value of the new '{metric} 2025 Q1' is that of '{metric} 2024 Q1' to the last digit" in reason) is is_copy


def test_a_release_that_skips_a_quarter_or_a_series_of_its_newest_is_quarantined(bench_on: Callable[[str], Bench]) -> None:
    later = {(metric, "2025 Q2"): LAST[metric] * step for metric, step in ((REMOVED, 1.01), (RATE, 1.0), (FAKE, 1.5))}
    landing = after_known(bench_on("tiktok_enforcement"), release(KNOWN | later))
    assert landing.validation_status == "suspicious"
    assert all(f"{metric} has no 2025 Q1, and quarters before it" in landing.reason for metric in STEPS)
    landing = after_known(bench_on("tiktok_enforcement"), release(KNOWN, removed=1.01, rate=1.0))
    assert landing.validation_status == "suspicious"
    assert f"{FAKE} has no 2025 Q1, and quarters before it" in landing.reason
    assert f"{REMOVED} has no" not in landing.reason


def test_a_conversion_that_does_not_state_its_scope_is_refused(bench_on: Callable[[str], Bench], captures: Path) -> None:
    page = json.loads((captures / REAL).read_text())
    landing = bench_on("tiktok_enforcement").feed({key: value for key, value in page.items() if key != "scope"}, "report")
    assert (landing.validation_status, "the key 'scope' is not there" in landing.reason) == ("error", True)


REAL = "tiktok_cger/cger_global_video_rows_selected_quarters.json"


@pytest.mark.parametrize(
    ("metric", "factor", "status"),
    [(REMOVED, 1.0, "ok"), (REMOVED, 1.9, "suspicious"), (REMOVED, 1 / 1.9, "suspicious"), (RATE, 2.9, "suspicious"), (RATE, 0.5, "suspicious")],
)  # fmt: skip
@pytest.mark.parametrize("newest", ["2024 Q1", "2025 Q1", "2025 Q4"])
def test_of_the_real_series_a_newest_quarter_of_one_metric_times_a_factor_is_quarantined(
    captures: Path, bench_on: Callable[[str], Bench], newest: str, metric: str, factor: float, status: str
) -> None:
    page = json.loads((captures / REAL).read_text())

    def until(quarter: str, times: float) -> dict[str, Any]:
        rows = [[*row[:-1], row[-1] * times] if row[:2] == [newest, metric] else row for row in page["rows"]]
        return {**page, "rows": [row for row in rows if row[0] < newest or row[0] == quarter]}

    bench = bench_on("tiktok_enforcement")
    assert bench.feed(until("", 1.0), "report", days=90).validation_status == "ok"
    assert bench.feed(until(newest, factor), "report").validation_status == status


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ({"removed": 1.7, "rate": 1.2}, "ok"), ({"removed": 1.8, "rate": 1.4}, "suspicious"), ({"removed": 1 / 1.7, "rate": 0.8}, "ok"),
        ({"removed": 1 / 1.8}, "suspicious"), ({"removed": 2.9, "rate": 2.9}, "suspicious"), ({"rate": 2.9}, "suspicious"),
        ({"removed": 1 / 2.9, "rate": 1.0}, "suspicious"), ({"fake": 10.2}, "ok"), ({"fake": 12.0}, "suspicious"),
    ],
)  # fmt: skip
def test_a_new_quarter_is_within_the_steps_of_its_own_series(
    bench_on: Callable[[str], Bench], new: dict[str, float], status: str
) -> None:
    landing = after_known(bench_on("tiktok_enforcement"), release(KNOWN, **{"removed": 1.01, "rate": 1.2, "fake": 1.5, **new}))
    assert landing.validation_status == status
    assert ("times that of" in landing.reason) is (status == "suspicious")


def test_the_first_of_two_new_quarters_is_held_to_the_last_known_one(bench_on: Callable[[str], Bench]) -> None:
    two = KNOWN | {(REMOVED, quarter): LAST[REMOVED] * step for quarter, step in (("2025 Q1", 1.8), ("2025 Q2", 1.81))}
    reason = after_known(bench_on("tiktok_enforcement"), release(two)).reason
    assert f"'{REMOVED} 2025 Q1' is 1.8 times that of '{REMOVED} 2024 Q4'; the known rows moved by 1.38 times at most" in reason
    assert f"'{REMOVED} 2025 Q2' is" not in reason


def test_a_quarter_before_the_first_is_held_to_the_first(bench_on: Callable[[str], Bench]) -> None:
    earlier = KNOWN | {(REMOVED, "2020 Q4"): KNOWN[REMOVED, "2021 Q1"] * 1.8}
    reason = after_known(bench_on("tiktok_enforcement"), release(earlier)).reason
    assert f"'{REMOVED} 2020 Q4' is 1.8 times that of '{REMOVED} 2021 Q1'" in reason


def test_the_real_quarters_released_one_after_another_are_all_served(bench_on: Callable[[str], Bench], captures: Path) -> None:
    page = json.loads((captures / "tiktok_cger" / "cger_global_video_rows_selected_quarters.json").read_text())
    quarters = sorted({row[0] for row in page["rows"]})
    assert len(quarters) == 22
    bench = bench_on("tiktok_enforcement")
    for newest in quarters[10:]:
        landing = bench.feed({**page, "rows": [row for row in page["rows"] if row[0] <= newest]}, "report")
        assert landing.validation_status == "ok", landing.reason


@pytest.mark.parametrize("factor", [2.9, 1 / 2.9])
def test_the_newest_real_quarter_near_three_times_or_a_third_is_quarantined(
    bench_on: Callable[[str], Bench], captures: Path, factor: float
) -> None:
    page = json.loads((captures / "tiktok_cger" / "cger_global_video_rows_selected_quarters.json").read_text())
    bench = bench_on("tiktok_enforcement")
    bench.feed({**page, "rows": [row for row in page["rows"] if row[0] < "2025 Q4"]}, "report", days=90)
    rows = [[*row[:-1], round(row[-1] * factor, 3)] if row[0] == "2025 Q4" else row for row in page["rows"]]
    landing = bench.feed({**page, "rows": rows}, "report")
    assert landing.validation_status == "suspicious"
    for metric in (REMOVED, "Videos restored"):
        assert f"value of the new '{metric} 2025 Q4' is" in landing.reason


ALL = {"TOTAL": sum(RECIPIENTS.values()), **RECIPIENTS}
STATES = list(RECIPIENTS)


def states(half: str = "2025-07-01/2025-12-31", factor: float = 1.0, **stated: int | str) -> str:
    """Return table 10 of a platform that rounds to 100,000; what is stated in words is not rounded."""
    indicator = "Number of average monthly active recipients during the reporting period"
    values = {scope: stated.get(scope, round(value * factor)) for scope, value in ALL.items()}
    rows = [
        ["All", "TikTok", half, indicator, scope, value if isinstance(value, str) else f"{value:,}"]
        for scope, value in values.items()
    ]
    return written([["Applicability", "Service", "Reporting period", "Indicator", "Scope", "Value"], *rows])


NEXT = "2026-01-01/2026-06-30"
TABLES = {
    "the same half year, 1.1 times": (states(factor=1.1), "suspicious", "value is restated by more than 0.005 of it in 28 of 28"),
    "the same half year, a state by a tenth": (states(NL=8_000_000), "suspicious", "'TikTok NL, 7200000 to 8000000'"),
    "the same half year, a state by its last digit": (states(AT=3_800_000), "revision", "restated: 1 of 28 known rows have other values ('TikTok AT')"),
    "the same half year, 1.004 times": (states(factor=1.004), "revision", "restated: 28 of 28"),
    "the next, 1.9 times": (states(NEXT, 1.9), "suspicious", "value is 1.9 times the last good at the median"),
    "the next, that part": (states(NEXT, 1 / 1.9), "suspicious", "value is 0.5263 times the last good at the median"),
    "the next, 1.3 times": (states(NEXT, 1.3), "suspicious", "less than 1.25 is expected"),
    "the next, a state 1.8 times": (states(NEXT, 1.05, NL=13_010_000), "suspicious", "value of 'TikTok NL' is 1.807 times"),
    "the next, as in the year to 2025": (states(NEXT, 1.136), "ok", ""),
    "the next, the smallest state a step down": (states(NEXT, 1.0, LU=200_000), "ok", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", TABLES)
def test_recipients_of_the_same_half_year_stay_and_of_the_next_move_by_tenths(
    bench_on: Callable[[str], Bench], what: str
) -> None:
    body, status, sign = TABLES[what]
    bench = bench_on("eu_active_recipients")
    assert bench.feed(states(), "tiktok", days=180).validation_status == "ok"
    landing = bench.feed(body, "tiktok")
    assert (landing.validation_status, landing.is_served) == (status, status != "suspicious")
    assert sign in landing.reason


FIRST_TABLES = {  # a change of a first table, and what is found
    "values in thousands": ({name: value // 1000 for name, value in ALL.items()}, "the total is 180,300; 45,000,000 to 450,380,800"),
    "ten times": ({name: value * 10 for name, value in ALL.items()}, "the total is 1,803,000,000; 45,000,000 to"),
    "scopes shifted by one": (dict(zip(STATES, [*[*RECIPIENTS.values()][1:], ALL["AT"]], strict=True)), "more than 10 recipients for each person of the state: MT 7,200,000"),
    "the total 1.7 times": ({"TOTAL": round(1.7 * ALL["TOTAL"])}, "the member states add up to 180,300,000, and the total is 306,510,000"),
    "the total below its states": ({"TOTAL": 150_000_000}, "the member states add up to 180,300,000, and the total is 150,000,000"),
    "the total missing": ({"TOTAL": "N/A"}, "no number for EU, and one for others"),
    "a state missing": ({"DE": "N/A"}, "no number for DE, and one for others"),
}  # fmt: skip


@pytest.mark.parametrize("what", FIRST_TABLES)
def test_a_first_table_that_no_very_large_platform_can_have_is_quarantined(bench_on: Callable[[str], Bench], what: str) -> None:
    stated, sign = FIRST_TABLES[what]
    landing = bench_on("eu_active_recipients").feed(states(**stated).replace("TikTok", "Facebook"), "facebook")
    assert landing.validation_status == "suspicious"
    assert sign in landing.reason


@pytest.mark.parametrize(
    "half", ["2025-07-01/2025-09-30", "2025-07-01/2025-12-30", "2025-07-02/2025-12-31", "2025-07-01/2026-06-30"]
)
def test_a_period_that_is_no_half_year_is_quarantined(bench_on: Callable[[str], Bench], half: str) -> None:
    landing = bench_on("eu_active_recipients").feed(states(half), "tiktok")
    assert (landing.validation_status, "is no half year" in landing.reason) == ("suspicious", True)


def test_the_last_table_under_a_new_period_is_a_copy_and_with_one_other_value_none(bench_on: Callable[[str], Bench]) -> None:
    bench = bench_on("eu_active_recipients")
    assert bench.feed(states(), "tiktok", days=180).validation_status == "ok"
    landing = bench.feed(states(NEXT), "tiktok")
    assert landing.validation_status == "suspicious"
    assert "period_end went on from 2025-12-31 to 2026-06-30, and no value of 28 known entries changed" in landing.reason
    assert bench.feed(states(NEXT, AT=3_800_000), "tiktok").validation_status == "ok"


def test_a_table_without_numbers_is_no_copy_of_one_without(bench_on: Callable[[str], Bench]) -> None:
    bench = bench_on("eu_active_recipients")
    for half in ("2025-07-01/2025-12-31", NEXT):
        table = states(half, **dict.fromkeys(["TOTAL", *STATES], "See another report")).replace("TikTok", "YouTube")
        assert bench.feed(table, "youtube").validation_status == "ok"


def test_the_real_tables_are_within_the_people_of_their_states_and_add_up(
    bench_on: Callable[[str], Bench], captures: Path
) -> None:
    bench = bench_on("eu_active_recipients")
    tables = sorted((captures / "eu_dsa_reports" / "2025-H2").glob("*/*10_AMAR.csv"))
    assert [bench.feed(path.read_bytes(), path.parent.name).validation_status for path in tables] == ["ok"] * 4
    body = next(path for path in tables if path.parent.name == "snapchat").read_text(encoding="utf-8")
    assert bench.feed(body.replace('"97,153,476"', '"99,153,476"'), "snapchat").validation_status == "suspicious"


def hub(n: int = 100, first: int = 0, likes: float = 1, downloads: float = 1) -> list[dict[str, Any]]:
    """Return a list of the hub: so many repositories from a number on."""
    return [
        {"id": f"studio/{number}", "author": "studio", "gated": False, "likes": round(1000 * likes) + number, "downloads": round(9000 * downloads) + number,
         "tags": ["video"], "pipeline_tag": "text-to-video", "createdAt": "2025-12-30T00:00:00.000Z"}
        for number in range(first, first + n)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "page", "status"),
    [
        (1, hub(likes=1.4), "suspicious"), (7, hub(likes=1.9), "ok"), (7, hub(likes=2.4), "suspicious"),
        (1, hub(downloads=2.2), "suspicious"), (7, hub(downloads=3), "ok"), (7, hub(downloads=4), "suspicious"),
        (1, hub(first=60), "suspicious"), (7, hub(first=60), "ok"), (1, hub(n=160), "suspicious"),
    ],
)  # fmt: skip
def test_counts_of_the_hub_move_with_the_days_between_two_lists(
    bench_on: Callable[[str], Bench], days: int, page: list[dict[str, Any]], status: str
) -> None:
    bench = bench_on("huggingface_models")
    assert bench.feed(hub(), days=days).validation_status == "ok"
    assert bench.feed(page).validation_status == status
