"""What is wrong in one column only, in files that people saved, and what waiting must not end."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from tests.faults.conftest import RECIPIENTS

from datamoat.errors import SourceChangedError
from datamoat.ingest.decisions import Choice, Decision, write_decision
from datamoat.ingest.inbox import take_inbox
from datamoat.ingest.land import land_source
from datamoat.ingest.landings import Landing, read_landings
from datamoat.ingest.source_state import states
from datamoat.parsing import fold, parse_count, parse_date, parse_interval, parse_number
from datamoat.project.sources import Source
from datamoat.settings import Settings

Bench = Any
INDICATOR = "number of average monthly active recipients during the reporting period"
EPOCH = ["Model", "Organization", "Domain", "Task", "Publication date", "Parameters", "Training compute (FLOP)", "Link"]


def table(rows: list[list[str]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


def epoch(change: Callable[[int, dict[str, str]], None] = lambda _n, _row: None, n: int = 700) -> str:
    """A list of models of which each ninth is of video; `change` edits a row by its number."""
    lines = [EPOCH]
    for number in range(n):
        row = {
            "Model": f"Net {number}", "Organization": f"Lab {number % 40}", "Domain": "Video,Vision" if number % 9 == 0 else ("Language", "Biology")[number % 2],
            "Task": "Generation", "Publication date": f"{2010 + number % 15}-0{1 + number % 9}-1{number % 10}",
            "Parameters": str(10**6 * (number + 1)), "Training compute (FLOP)": f"{number + 1}e+20", "Link": "https://example.org",
        }  # fmt: skip
        change(number, row)
        lines.append([row[name] for name in EPOCH])
    return table(lines)


def setting(column: str, value: Callable[[int, str], str]) -> Callable[[int, dict[str, str]], None]:
    def change(number: int, row: dict[str, str]) -> None:
        row[column] = value(number, row[column])

    return change


def recipients(
    service: str = "TikTok", half: str = "2025-07-01/2025-12-31", times: float = 1.0, more: int = 0
) -> list[list[str]]:
    header = ["Applicability", "Service", "Reporting period (start/end)", "Indicator", "Scope", "Value"]
    values = {"total": sum(RECIPIENTS.values()), **RECIPIENTS}
    rows = [["VLOP", service, half, INDICATOR, scope, f"{round(value * times):,}"] for scope, value in values.items()]
    return [header + [""] * more, *([*row, *[""] * more] for row in rows)]


def report(rate: str = "0.005", removed: int | None = None, newest: str = "2025 Q2") -> str:
    """An enforcement report of all quarters to the newest, which is as given."""
    rows = [["Metric", "Period", "Policy type", "Task", "Market", "Result"]]
    quarters = [f"{year} Q{quarter}" for year in (2022, 2023, 2024, 2025) for quarter in (1, 2, 3, 4)]
    for n, quarter in enumerate(quarters[: quarters.index(newest) + 1]):
        last = quarter == newest
        rows.append(
            [
                "Total videos removed",
                quarter,
                "All",
                "All",
                "All",
                str(removed if last and removed is not None else 80_000_000 + 10**6 * n),
            ]
        )
        rows.append(["Video: Removal rate of published", quarter, "All", "All", "All", rate if last else "0.005"])
        rows.append(["Videos removed from fake accounts", quarter, "All", "All", "All", str(10**6 + n)])
        rows.append(["Videos restored", quarter, "All", "All", "All", str(5 * 10**6 + n)])
    return table(rows)


def publications(days: dict[str, int], rename: dict[str, str] | None = None, rating: Any = float) -> bytes:
    """A history of a board: for each day of publication, how many points all entries are higher."""
    names = rename or {}
    rows = [
        {
            "leaderboard_publish_date": date.fromisoformat(day), "category": "overall", "rank": n + 1,
            "model_name": names.get(f"model {n}", f"model {n}"), "organization": f"Maker {n % 7}", "license": "Proprietary",
            "rating": rating(1400 - 8 * n + shift), "rating_lower": rating(1392 - 8 * n + shift),
            "rating_upper": rating(1408 - 8 * n + shift), "variance": 16.0, "vote_count": 3000 + 7 * n,
        }
        for day, shift in days.items() for n in range(30)
    ]  # fmt: skip
    out = io.BytesIO()
    pl.DataFrame(rows).write_parquet(out)
    return out.getvalue()


@pytest.fixture
def bench_on(place: Settings, source: Callable[[str], Source], bench_of: type[Bench]) -> Callable[[str], Bench]:
    """Return a function that makes a bench for a source, in September 2026."""
    return lambda name: bench_of(place, source(name), date(2026, 9, 1))


EPOCH_CHANGES = {
    "the word of the domain is another": (setting("Domain", lambda _n, text: text.replace("Video", "Clips")), "domain matches"),
    "it is another for half of the rows": (
        setting("Domain", lambda n, text: text.replace("Video", "Clips") if n % 2 else text), "domain matches"),
    "days are written day first": (setting("Publication date", lambda _n, text: "/".join(reversed(text.split("-")))), "publication_date"),
    "parameters are in thousands": (setting("Parameters", lambda _n, text: str(int(text) // 1000)), "parameters is 0.001 times"),
    "compute is in zettaFLOP": (setting("Training compute (FLOP)", lambda n, _text: str((n + 1) / 10)), "training_compute_flop is 1e-21"),
    "a column is empty": (setting("Parameters", lambda _n, _text: ""), "parameters is missing now in 700 of 700"),
    "a fifth of a column is empty": (setting("Organization", lambda n, text: text if n % 5 else ""), "organization is missing now in 140"),
    "parameters are by a fiftieth too many": (setting("Parameters", lambda _n, text: str(int(text) * 51 // 50)), "less than 1.01 is expected"),
    "compute is": (setting("Training compute (FLOP)", lambda n, _text: f"{1.02 * (n + 1)}e+20"), "less than 1.01 is expected"),
    "the domain is another for a fifth of the rows": (
        setting("Domain", lambda n, text: text.replace("Video", "Clips") if n % 5 == 0 else text), "domain matches"),
    "one maker in eleven is another": (setting("Organization", lambda n, text: text if n % 11 else "Lab"), "another for 64 of 700"),
    "one maker in 25 is gone": (setting("Organization", lambda n, text: text if n % 25 else ""), "organization is missing now in 28"),
    "a column slipped by a row": (setting("Organization", lambda n, _text: f"Lab {(n + 1) % 40}"), "organization is another for 700"),
}  # fmt: skip


@pytest.mark.parametrize("what", EPOCH_CHANGES)
def test_a_column_that_lost_its_meaning_is_quarantined(bench_on: Callable[[str], Bench], what: str) -> None:
    bench = bench_on("epoch_models")
    assert bench.feed(epoch(), "notable_models", days=7).validation_status == "ok"
    change, sign = EPOCH_CHANGES[what]
    landing = bench.feed(epoch(change), "notable_models")
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert sign in landing.reason


@pytest.mark.parametrize(("n", "status"), [(770, "ok"), (780, "suspicious")])
def test_unknown_models_beyond_a_tenth_of_the_list_in_a_week_are_quarantined(
    bench_on: Callable[[str], Bench], n: int, status: str
) -> None:
    bench = bench_on("epoch_models")
    bench.feed(epoch(), "large_scale_models", days=7)
    assert bench.feed(epoch(n=n), "large_scale_models").validation_status == status


def test_days_with_a_time_and_thousands_separators_are_read_as_what_they_were(bench_on: Callable[[str], Bench]) -> None:
    bench = bench_on("epoch_models")
    bench.feed(epoch(), "notable_models")

    def dressed(_n: int, row: dict[str, str]) -> None:
        row["Publication date"] += " 00:00:00"
        row["Parameters"] = f"{int(row['Parameters']):,}"

    landing = bench.feed(epoch(dressed), "notable_models")
    assert (landing.validation_status, landing.reason.split(" on ")[0]) == ("unchanged", "other bytes, the same rows as")


@pytest.mark.parametrize(
    ("made", "sign"),
    [
        (lambda: report(removed=0), "'Total videos removed 2025 Q2' is zero where known values are 8e+07"),
        (lambda: report(rate="0.000"), "'Video: Removal rate of published 2025 Q2' is zero where known values are 0.005"),
    ],
)
def test_a_newest_quarter_of_zero_is_quarantined(bench_on: Callable[[str], Bench], made: Callable[[], str], sign: str) -> None:
    bench = bench_on("tiktok_enforcement")
    assert bench.feed(report(newest="2025 Q1"), "report", days=90).validation_status == "ok"
    landing = bench.feed(made(), "report")
    assert landing.validation_status == "suspicious"
    assert sign in landing.reason


def test_a_quarter_like_the_others_is_served(bench_on: Callable[[str], Bench]) -> None:
    bench = bench_on("tiktok_enforcement")
    bench.feed(report(newest="2025 Q1"), "report", days=90)
    assert bench.feed(report(), "report").validation_status == "ok"


@pytest.mark.parametrize(("low", "high"), [(0, 60), (10, 12)])
def test_names_on_other_keys_are_quarantined_all_of_them_or_two(
    bench: Bench, board: Callable[..., dict[str, Any]], low: int, high: int
) -> None:
    bench.feed(board())
    moved = board(votes=10)
    names = [model["name"] for model in moved["data"]]
    for n in range(low, high):
        moved["data"][n]["name"] = names[low + (n - low + 1) % (high - low)]
    landing = bench.feed(moved)
    assert landing.validation_status == "suspicious"
    assert f"{high - low} names are now on other keys" in landing.reason


def test_makers_on_other_entries_are_quarantined_where_the_name_is_the_key(bench_on: Callable[[str], Bench]) -> None:
    def scrape(step: int, votes: int) -> dict[str, Any]:
        models = [
            {"rank": n + 1, "model": f"model {n}", "vendor": f"Maker {n + step}", "license": "Open", "score": 1400 - 8 * n, "votes": 900 + votes, "ci": 9}
            for n in range(30)
        ]  # fmt: skip
        return {"meta": {"model_count": 30}, "models": models}

    bench = bench_on("arena_web")
    assert bench.feed(scrape(0, 0)).validation_status == "ok"
    landing = bench.feed(scrape(1, 9))
    assert landing.validation_status == "suspicious"
    assert "vendor is another for 30 of 30 known rows" in landing.reason


@pytest.mark.parametrize(
    ("service", "request_name", "status"),
    [("XVideos", "x", "suspicious"), ("X", "x", "ok"), ("TikTok Lite", "tiktok", "suspicious"), ("Snap", "snapchat", "ok"), ("Instagram", "facebook", "suspicious")],
)  # fmt: skip
def test_a_table_of_another_service_is_quarantined_whatever_letters_they_share(
    bench_on: Callable[[str], Bench], service: str, request_name: str, status: str
) -> None:
    assert bench_on("eu_active_recipients").feed(table(recipients(service)), request_name).validation_status == status


SAVED = {
    "columns without a name": table(recipients(more=2)).encode(),
    "semicolons": table(recipients(), ";").encode(),
    "tabs": table(recipients(), "\t").encode(),
    "a first line sep=": b"sep=;\r\n" + table(recipients(), ";").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + table(recipients()).encode(),
    "UTF-16": table(recipients(), "\t").encode("utf-16"),
    "UTF-16, the other end first": b"\xfe\xff" + table(recipients()).encode("utf-16-be"),
    "gzip": gzip.compress(table(recipients()).encode()),
}


@pytest.mark.parametrize("how", SAVED)
def test_a_file_saved_in_another_way_gives_the_same_rows(bench_on: Callable[[str], Bench], how: str) -> None:
    bench = bench_on("eu_active_recipients")
    before = bench.feed(table(recipients()), "tiktok")
    landing = bench.feed(SAVED[how], "tiktok")
    assert (landing.validation_status, landing.rows_sha256) == ("unchanged", before.rows_sha256), landing.reason


def workbook() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return out.getvalue()


REFUSED = {
    "a workbook named CSV": (workbook(), "a workbook or a zip, whatever its name is"),
    "values under no name": (table([[*recipients()[0], ""], *([*row, "7"] for row in recipients()[1:])]).encode(), "has values and no name"),
    "a day written day first": (table(recipients(half="01.07.2025/31.12.2025")).encode(), "is not a date as this source writes them"),
    "a decimal comma": (table(recipients()).replace("900,000", "900,5").encode(), "'900,5'"),
    "a code page of Windows": (table(recipients(service="TikTök")).encode("cp1252"), "not UTF-8"),
    "UTF-16 cut in a character": (table(recipients()).encode("utf-16")[:-1], "not UTF-16"),
    "gzip that is truncated": (gzip.compress(table(recipients()).encode())[:-20], "gzip, truncated or damaged"),
    "digits of another script": (table(recipients()).replace("180,300,000", "١٨٠٣٠٠٠٠٠").encode(), "is not a count"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_by_its_own_reason(bench_on: Callable[[str], Bench], what: str) -> None:
    body, sign = REFUSED[what]
    landing = bench_on("eu_active_recipients").feed(body, "tiktok")
    assert landing.validation_status == "error"
    assert sign in landing.reason


def test_a_period_that_has_not_ended_is_quarantined(bench_on: Callable[[str], Bench]) -> None:
    landing = bench_on("eu_active_recipients").feed(table(recipients(half="2026-07-01/2026-12-31")), "tiktok")
    assert (landing.validation_status, "period_end lies in the future" in landing.reason) == ("suspicious", True)


@pytest.mark.parametrize("written", ["model 3  ", " model 3", "model\u00a03", "model  3"])
def test_a_key_with_other_spaces_is_the_same_entry_with_a_note(bench_on: Callable[[str], Bench], written: str) -> None:
    bench = bench_on("arena_dataset")
    bench.feed(publications({"2026-08-01": 0}))
    landing = bench.feed(publications({"2026-08-01": 0, "2026-08-20": 1}, {"model 3": written}))
    assert landing.validation_status == "ok"
    assert "is read as 'model 3' (2 times)" in landing.reason
    assert "new:" not in landing.reason


def test_a_key_in_composed_and_decomposed_letters_is_one_key() -> None:
    assert fold("Cafe\u0301 1") == fold("Caf\u00e9  1") == "Café 1"


@pytest.mark.parametrize("gone", ["2026-06-01", "2026-07-01"])
def test_a_publication_that_is_withdrawn_is_a_revision(bench_on: Callable[[str], Bench], gone: str) -> None:
    bench = bench_on("arena_dataset")
    days = {"2026-06-01": 0, "2026-07-01": 1, "2026-08-01": 2}
    bench.feed(publications(days))
    landing = bench.feed(publications({day: shift for day, shift in days.items() if day != gone}))
    assert (landing.validation_status, landing.is_served) == ("revision", True)
    assert f"leaderboard_publish_date {gone} is withdrawn" in landing.reason


def test_the_newest_publication_with_other_values_is_a_revision(bench_on: Callable[[str], Bench]) -> None:
    bench = bench_on("arena_dataset")
    bench.feed(publications({"2026-08-01": 0}))
    landing = bench.feed(publications({"2026-08-01": 9}))
    assert landing.validation_status == "revision"
    assert "leaderboard_publish_date 2026-08-01 has other values now: 30 of 30 rows" in landing.reason
    assert bench.feed(publications({"2026-08-20": 10})).validation_status == "ok"


def test_decimals_of_a_parquet_file_are_numbers(bench_on: Callable[[str], Bench]) -> None:
    bench = bench_on("arena_dataset")
    before = bench.feed(publications({"2026-08-01": 0}))
    landing = bench.feed(publications({"2026-08-01": 0}, rating=lambda value: Decimal(value).quantize(Decimal("0.1"))))
    assert (landing.validation_status, landing.rows_sha256) == ("unchanged", before.rows_sha256)


def test_a_truncated_list_stays_in_quarantine_however_long_it_lasts_and_the_right_list_ends_it(
    bench: Bench, board: Callable[..., dict[str, Any]]
) -> None:
    bench.feed(board())
    found = [bench.feed(board(drop=15, votes=10 * week), days=7) for week in range(1, 21)]
    assert {landing.validation_status for landing in found} == {"suspicious"}
    assert "time alone ends none" in found[-1].reason
    assert bench.feed(board(votes=500)).validation_status == "ok"
    assert [landing.validation_status for landing in read_landings(bench.settings, bench.source)].count("suspicious") == 20


def test_landed_one_by_one_or_at_once_a_quarantine_is_the_same(
    bench: Bench, board: Callable[..., dict[str, Any]], place: Settings, source: Callable[[str], Source]
) -> None:
    bodies = [board(), *(board(drop=15, votes=10 * week) for week in range(1, 15)), board(votes=500)]
    one_by_one: list[Landing] = [bench.feed(body, days=7) for body in bodies]
    (place.lake / "raw" / "aa_api" / "landing.json").unlink()
    land_source(place, source("aa_api"))
    assert read_landings(place, source("aa_api")) == one_by_one


def times_ten(body: dict[str, Any]) -> None:
    for model in body["data"]:
        model["appearances"] *= 10


def leader_moved(body: dict[str, Any]) -> None:
    body["data"][0]["elo"] += 55


def two_moved(body: dict[str, Any]) -> None:
    body["data"][0]["elo"] += 30
    body["data"][-1]["elo"] -= 30


def to_the_next_twenty(body: dict[str, Any]) -> None:
    for model in body["data"]:
        model["elo"] = 20 * round(model["elo"] / 20)


def two_without_interval(body: dict[str, Any]) -> None:
    for model in body["data"][:2]:
        model["ci95"] = "-0/0"


@pytest.mark.parametrize("spoil", [times_ten, leader_moved, two_moved, to_the_next_twenty, two_without_interval])
@pytest.mark.parametrize("days", [1, 40])
def test_new_votes_end_no_quarantine_and_the_right_board_does(
    bench: Bench, board: Callable[..., dict[str, Any]], spoil: Callable[[dict[str, Any]], None], days: int
) -> None:
    def grown(weeks: int) -> dict[str, Any]:
        body = board()
        for number, model in enumerate(body["data"]):
            model["appearances"] += weeks * (10 + number % 7 * 4)
        return body

    bench.feed(board())
    for weeks in range(4):
        body = grown(weeks)
        spoil(body)
        landing = bench.feed(body, days=days)
        assert (landing.validation_status, landing.is_served) == ("suspicious", False), landing.reason
    assert bench.feed(grown(4), days=days).validation_status == "ok"


def test_of_two_doubted_ratings_that_are_each_right_later_one_is_not_enough(
    bench: Bench, board: Callable[..., dict[str, Any]]
) -> None:
    bench.feed(board())
    wrong, half, right = board(), board(votes=20), board(votes=30)
    two_moved(wrong)
    half["data"][0]["elo"] += 29
    assert [bench.feed(body).validation_status for body in (wrong, half, right)] == ["suspicious", "suspicious", "ok"]
    assert "elo is as it was doubted then for 'Model 0'" in bench.landed[-2].reason


def test_what_was_doubted_between_the_first_and_the_newest_quarantined_vintage_is_not_forgotten(
    bench: Bench, board: Callable[..., dict[str, Any]]
) -> None:
    bench.feed(board())
    bodies = [board(drop=15), board(), board(votes=5), board(votes=9), board(votes=12)]
    for body in bodies[1:-1]:
        leader_moved(body)
    assert [bench.feed(body).validation_status for body in bodies] == ["suspicious"] * 4 + ["ok"]


def test_one_interval_that_became_zero_is_noted(bench: Bench, board: Callable[..., dict[str, Any]]) -> None:
    bench.feed(board())
    body = board(votes=10)
    body["data"][7]["ci95"] = "-0/10"
    landing = bench.feed(body)
    assert (landing.validation_status, "interval_down of 'Model 7' is 0 now" in landing.reason) == ("ok", True)


def test_a_person_ends_a_quarantine(
    place: Settings, bench_of: type[Bench], source: Callable[[str], Source], board: Callable[..., dict[str, Any]], tmp_path: Any
) -> None:
    reference = tmp_path / "content" / "data" / "reference"
    reference.mkdir(parents=True)
    bench = bench_of(Settings(tmp_path / "content", place.data), source("aa_api"))
    bench.feed(board())
    landing = bench.feed(board(drop=15, votes=10))
    assert landing.validation_status == "suspicious"
    write_decision(
        bench.settings,
        Decision(landing.snapshot_id, landing.sha256, Choice.ACCEPT, datetime(2026, 4, 1, tzinfo=UTC), "ann", "halved"),
    )
    assert bench.feed(board(drop=15, votes=20)).validation_status == "ok"


def test_a_date_of_the_future_stays_in_quarantine_when_its_day_has_come(
    bench: Bench, board: Callable[..., dict[str, Any]]
) -> None:
    bench.feed(board())
    wrong = board(61, votes=10)
    wrong["data"][60]["release_date"] = "2026-08"
    assert bench.feed(wrong, days=240).validation_status == "suspicious"
    again = board(61, votes=20)
    again["data"][60]["release_date"] = "2026-08"
    landing = bench.feed(again)
    assert (landing.validation_status, "was in the future then" in landing.reason) == ("suspicious", True)
    assert bench.feed(board(votes=30)).validation_status == "ok"


def test_entries_without_a_rank_are_retired_and_their_departure_truncates_no_list(
    bench: Bench, board: Callable[..., dict[str, Any]]
) -> None:
    bench.feed(board())
    retired = board(votes=10)
    for model in retired["data"][-9:]:
        model["rank"] = None
    landing = bench.feed(retired)
    assert landing.validation_status == "ok"
    assert "retired, listed without a rank from now on: 'Model 51', 'Model 52', 'Model 53' and 6 more" in landing.reason
    landing = bench.feed(board(votes=20, drop=9))
    assert landing.validation_status == "ok"
    assert "retired entries removed: 'Model 51'" in landing.reason


def test_ranked_entries_that_leave_in_such_a_number_truncate_the_list(bench: Bench, board: Callable[..., dict[str, Any]]) -> None:
    bench.feed(board())
    assert bench.feed(board(votes=20, drop=9)).validation_status == "suspicious"


@pytest.mark.parametrize("wrap", [lambda page: {"data": page}, lambda page: {"result": {"payload": page}}])
def test_a_list_that_moved_is_found_and_named(bench_on: Callable[[str], Bench], wrap: Callable[[Any], Any]) -> None:
    page = {"meta": {}, "models": [{"rank": n} for n in range(30)]}
    landing = bench_on("arena_web").feed(wrap(page))
    assert landing.validation_status == "error"
    assert "a list is now under" in landing.reason
    assert ".models' (30 entries)" in landing.reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Rate limit exceeded, come back tomorrow", "Rate limit exceeded, come back tomorrow"),
        ({"status": 429, "data": [], "message": "quota of the key is used up"}, "quota of the key is used up"),
        ({"ok": False, "reason": "maintenance until Monday"}, "maintenance until Monday"),
        ('"unavailable in your region"', "not an object"),
    ],
)
def test_an_error_text_with_success_is_refused_with_the_publishers_words(bench: Bench, body: Any, words: str) -> None:
    landing = bench.feed(body)
    assert (landing.validation_status, words in landing.reason) == ("error", True)


@pytest.mark.parametrize("written", ["1e400", "-1e400"])
def test_a_number_beyond_any_we_can_hold_is_refused(bench: Bench, board: Callable[..., dict[str, Any]], written: str) -> None:
    body = json.dumps(board()).replace('"elo": 1300', f'"elo": {written}')
    landing = bench.feed(body)
    assert (landing.validation_status, "larger than any 64-bit number" in landing.reason) == ("error", True)


@pytest.mark.parametrize("day", ["9999-01-01", "0001-01-01"])
def test_a_year_that_cannot_be_meant_is_refused(bench_on: Callable[[str], Bench], day: str) -> None:
    landing = bench_on("arena_dataset").feed(publications({day: 0}))
    assert (landing.validation_status, "in a year that cannot be meant" in landing.reason) == ("error", True)


@pytest.mark.parametrize(
    ("parse", "written"),
    [(parse_count, "١٢٣"), (parse_number, "१२"), (parse_interval, "±٩"), (parse_date, "٢٠٢٥-٠١-٠١"), (parse_count, "1e400"), (parse_date, "2025-02-31")],
)  # fmt: skip
def test_digits_of_other_scripts_and_days_that_do_not_exist_are_refused(parse: Callable[[str], object], written: str) -> None:
    with pytest.raises(SourceChangedError):
        parse(written)


def test_the_inbox_takes_the_whole_file_and_names_what_it_skips(
    place: Settings, source: Callable[[str], Source], board: Callable[..., dict[str, Any]], tmp_path: Any
) -> None:
    api = source("aa_api")
    inbox = place.data / "inbox" / "aa_api" / "text_to_video"
    inbox.mkdir(parents=True)
    whole = json.dumps(board()).encode()
    for body in (whole[:1500], whole):
        (inbox / "2026-09-01.json").write_bytes(body)
        take_inbox(place, api)
        land_source(place, api)
    assert sorted(landing.validation_status for landing in read_landings(place, api)) == ["error", "ok"]
    standing = {state.request: state.state for state in states(place, [api], date(2026, 9, 1))}
    assert standing["text_to_video"] == "fresh"
    for name in ("2026-09-02.json.part", "2026-09-02.json.tmp", "2099-01-01.json", "notes.txt"):
        (inbox / name).write_bytes(whole)
    (tmp_path / "outside.json").write_bytes(whole)
    (inbox / "2026-09-04.json").symlink_to(tmp_path / "outside.json")
    (inbox / "2026-09-03.json").write_text(json.dumps(board(votes=9)))
    report, skipped = take_inbox(place, api)
    assert [outcome.what for outcome in report.outcomes] == ["unchanged", "new"]
    assert [text.split("/", 1)[1].split(";")[0] for text in skipped] == [
        "2026-09-02.json.part: an unfinished upload", "2026-09-02.json.tmp: an unfinished upload",
        "2026-09-04.json: a link, which is not followed", "2099-01-01.json: 2099-01-01 is in the future",
        "notes.txt: 'notes.txt' is not a day",
    ]  # fmt: skip
