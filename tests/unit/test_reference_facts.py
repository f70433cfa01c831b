"""The transcribed facts hold together: with their descriptor, with each other, and with the captures they were read in."""

import csv
import json
import math
import re
from calendar import monthrange
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import duckdb
import frictionless
import pytest

from datamoat.project.reference import read_reference

Row = dict[str, str]
REFERENCE = Path(__file__).resolve().parents[2] / "data" / "reference"
STAGING = REFERENCE.parents[1] / "transforms" / "staging" / "reference"
CAPTURED = {
    "Total videos removed": "videos_removed",
    "Video: Removal rate of published": "removed_share_of_published",
    "Videos restored": "videos_restored",
    "Videos removed from fake accounts": "videos_removed_with_fake_accounts",
}
SCALES = {
    "thousand": 1e3, "million": 1e6, "billion": 1e9, "bn": 1e9, "k": 1e3, "m": 1e6, "b": 1e9, "%": 0.01, "percent": 0.01,
    "per cent": 0.01, "lakh": 1e5, "тыс": 1e3, "млн": 1e6, "миллионов": 1e6, "млрд": 1e9, "万": 1e4, "亿": 1e8, "億": 1e8,
}  # fmt: skip


def rows(name: str) -> list[Row]:
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def last_day(partial: str) -> date:
    """Return the last day a date of year, month or day can mean."""
    match len(partial):
        case 4:
            return date(int(partial), 12, 31)
        case 7:
            year, month = int(partial[:4]), int(partial[5:])
            return date(year, month, monthrange(year, month)[1])
        case _:
            return date.fromisoformat(partial)


@pytest.fixture(scope="module")
def observations() -> list[Row]:
    return rows("platform_observations")


@pytest.fixture(scope="module")
def citations() -> dict[str, Row]:
    return {row["citation_id"]: row for row in rows("citations")}


def test_the_standards_own_validator_accepts_every_table() -> None:
    package = json.loads((REFERENCE / "datapackage.json").read_text(encoding="utf-8"))
    tables = [resource for resource in package["resources"] if (REFERENCE / resource["path"]).is_file()]
    names = {"", *(resource["name"] for resource in tables)}
    for resource in tables:  # a folder of texts is a table of ours alone; the standard knows files
        keys = resource["schema"].get("foreignKeys", [])
        resource["schema"]["foreignKeys"] = [key for key in keys if key["reference"]["resource"] in names]
    described = {"name": package["name"], "resources": tables}
    report = frictionless.Package.from_descriptor(described, basepath=str(REFERENCE)).validate()
    assert report.valid, [error.message for error in [*report.errors, *(e for task in report.tasks for e in task.errors)]][:10]
    assert len(report.tasks) == len(tables) > 20


def test_every_table_is_described() -> None:
    described = {resource["path"] for resource in json.loads((REFERENCE / "datapackage.json").read_text())["resources"]}
    assert described == {
        path.name for path in REFERENCE.iterdir() if path.suffix == ".csv" or (path.is_dir() and path.name != "rules")
    }


def test_a_date_given_in_part_is_still_a_date() -> None:
    described = json.loads((REFERENCE / "datapackage.json").read_text())["resources"]
    fields = [field for resource in described for field in resource["schema"]["fields"] if "[0-9]{4}(-" in str(field)]
    assert fields
    for field in fields:
        allowed = re.compile(field["constraints"]["pattern"])
        assert [bool(allowed.match(text)) for text in ("2026", "2026-02", "2026-02-28")] == [True, True, True]
        assert [bool(allowed.match(text)) for text in ("2026-13", "2026-00-01", "2026-02-32", "26-02")] == [False] * 4


def test_every_described_column_has_words() -> None:
    package = json.loads((REFERENCE / "datapackage.json").read_text(encoding="utf-8"))
    bare = [
        f"{resource['name']}.{field['name']}"
        for resource in package["resources"]
        for field in resource["schema"]["fields"]
        if not field.get("description", "").strip()
    ]
    assert bare == []


def test_pages_of_an_assumption_exist_and_only_a_judgement_may_do_without(citations: dict[str, Row]) -> None:
    for row in rows("assumptions"):
        cited = [text for text in row["citation_ids"].split(";") if text]
        assert set(cited) <= set(citations), row["assumption_id"]
        assert len(cited) == len(set(cited)), row["assumption_id"]
        assert cited or row["basis"] in {"judgement", "derived"}, row["assumption_id"]


def test_quantiles_of_an_assumption_rise_and_suit_its_distribution() -> None:
    for row in rows("assumptions"):
        low, middle, high = (float(row[name]) for name in ("p05", "p50", "p95"))
        assert low <= middle <= high, row["assumption_id"]
        assert row["distribution"] != "lognormal" or low > 0, row["assumption_id"]
        assert row["distribution"] != "beta" or (low > 0 and high < 1), row["assumption_id"]


def test_a_row_that_no_estimate_may_read_says_why_and_no_other_row_does(observations: list[Row]) -> None:
    for row in observations:
        assert (row["is_usable"] == "false") == bool(row["unusable_reason"]), row["fact_id"]
        assert (row["verification"] == "UNVERIFIED") == (row["unusable_reason"] == "unverified"), row["fact_id"]


def test_a_verified_figure_never_rests_on_a_page_nobody_read(observations: list[Row], citations: dict[str, Row]) -> None:
    for row in observations:
        page = citations[row["citation_id"]]
        if row["verification"] != "UNVERIFIED":
            assert page["verification"] != "UNVERIFIED", row["fact_id"]
            assert page["read_on"], row["fact_id"]
            assert page["url"] or page["page_sha256"], row["fact_id"]
    for page in citations.values():
        assert page["source_kind"] != "memory" or not page["read_on"], page["citation_id"]


def test_the_number_phrase_says_the_value(observations: list[Row]) -> None:
    scales = "|".join(scale + (r"\b" if len(scale) == 1 and scale.isascii() and scale.isalpha() else "") for scale in SCALES)
    number = re.compile(rf"(\d+(?:\.\d+)?(?:e\+\d+)?|\b(?:one|two|five)\b)\s*({scales})?")
    words = {"one": 1.0, "two": 2.0, "five": 5.0}
    in_words = {"F0235", "F0249", "F0429", "F0494", "F0625", "F0632", "F0668", "F0669"}  # "half", "a third", "doubled", …
    as_printed = {  # minutes for seconds, years for hours, milliseconds for seconds
        **dict.fromkeys(("F0349", "F0604"), 1 / 60), **dict.fromkeys(("F0617", "F0655"), 1 / 8766),
        **dict.fromkeys(("F0677", "F0678", "F0679"), 1000),
    }  # fmt: skip
    growth = {"F0637"}  # "increased by 75 per cent": the ratio to the earlier period is kept
    for row in observations:
        if row["fact_id"] in in_words or row["unusable_reason"] == "computed_from_other_rows":
            continue
        phrase = re.sub(r"(\d),(\d{1,2})(?!\d)", r"\1.\2", row["figure_as_stated"].lower()).replace(",", "")
        stated = [(words.get(digits) or float(digits)) * SCALES.get(scale, 1.0) for digits, scale in number.findall(phrase)]
        value = float(row["value"]) * as_printed.get(row["fact_id"], 1) - (row["fact_id"] in growth)
        is_middle = row["value_low"] and float(row["value_low"]) + float(row["value_high"] or 0) == 2 * float(row["value"])
        expected = float(row["value_high"]) if is_middle else value
        assert any(math.isclose(digits, expected, rel_tol=0.006) for digits in stated), row


def test_no_figure_speaks_for_days_after_its_page(observations: list[Row], citations: dict[str, Row]) -> None:
    for row in observations:
        published = citations[row["citation_id"]]["published_on"]
        assert row["period_start_on"] <= row["period_end_on"], row["fact_id"]
        if published:
            assert date.fromisoformat(row["period_end_on"]) <= last_day(published), row["fact_id"]


def test_a_metric_has_one_unit(observations: list[Row]) -> None:
    units = defaultdict(set)
    for row in observations:
        units[row["metric"]].add(row["unit"])
    assert {metric for metric, found in units.items() if len(found) > 1} == set()


def test_a_figure_is_superseded_by_a_later_one_of_the_same_kind_and_is_then_not_usable(observations: list[Row]) -> None:
    by_id = {row["fact_id"]: row for row in observations}
    later = [row for row in observations if row["supersedes_fact_id"]]
    assert {row["fact_id"] for row in later} == {"F0216"}
    for row in later:
        earlier = by_id[row["supersedes_fact_id"]]
        assert earlier["unusable_reason"] == "superseded"
        assert (earlier["platform_id"], earlier["metric"]) == (row["platform_id"], row["metric"])


def test_twenty_three_quarters_of_removals_add_up_to_the_stated_total(observations: list[Row]) -> None:
    quarters = {
        row["period_start_on"]: int(row["value"])
        for row in observations
        if row["platform_id"] == "tiktok"
        and row["metric"] == "videos_removed"
        and row["geography"] == "global_excl_china"
        and row["verification"] == "page_read"
        and row["bound"] == "exact"
        and row["unusable_reason"] != "sum_of_other_rows"
    }
    (total,) = (row for row in observations if row["unusable_reason"] == "sum_of_other_rows")
    assert len(quarters) == 23
    assert sum(quarters.values()) == int(total["value"])


def test_the_yearly_uploads_of_a_youtube_sample_add_up_to_its_stock(observations: list[Row]) -> None:
    sample = [row for row in observations if row["observed_on"] == "2024-06-17"]
    (total,) = (
        int(row["value"])
        for row in observations
        if row["metric"] == "videos_public_total" and row["period_start_on"] == "2024-06-17"
    )
    assert len(sample) == 20
    assert abs(sum(int(row["value"]) for row in sample) - total) <= len(sample)  # each is rounded to a whole video


def test_the_country_rows_of_a_quarter_stay_within_the_world(observations: list[Row]) -> None:
    quarter = [
        row
        for row in observations
        if row["platform_id"] == "tiktok" and row["metric"] == "videos_removed" and row["period_start_on"] == "2023-07-01"
    ]
    countries = [int(row["value"]) for row in quarter if len(row["geography"]) == 2]
    world = {int(row["value"]) for row in quarter if row["geography"] == "global_excl_china"}
    assert len(countries) == 50
    assert len(world) == 1
    assert 0.85 < sum(countries) / world.pop() < 1


def test_tiktoks_series_is_the_captured_one_digit_by_digit(observations: list[Row], captures: Path) -> None:
    stored = json.loads((captures / "tiktok_cger" / "cger_global_video_rows_selected_quarters.json").read_text(encoding="utf-8"))
    captured: dict[tuple[str, str], float] = {}
    for period, metric, policy, issue, _task_type, task, _unit, value in stored["rows"]:
        if (policy, issue) == ("All", "All") and metric in CAPTURED and task in {"All", "Automation"}:
            ours = "videos_removed_by_automation" if task == "Automation" else CAPTURED[metric]
            captured[(period, ours)] = value
    transcribed: dict[tuple[str, str], float] = {}
    for row in observations:
        if row["source_kind"] == "official_file" and row["platform_id"] == "tiktok" and row["geography"] == "global_excl_china":
            start = date.fromisoformat(row["period_start_on"])
            key = (f"{start.year} Q{(start.month + 2) // 3}", row["metric"])
            assert key not in transcribed, row["fact_id"]
            transcribed[key] = float(row["value"])
    assert {key: value for key, value in transcribed.items() if captured.get(key) != value} == {}
    for metric in ("videos_removed", "removed_share_of_published"):
        assert sum(key[1] == metric for key in transcribed) == 22


def test_european_user_counts_are_those_of_the_stored_reports(observations: list[Row], captures: Path) -> None:
    ours = {
        row["platform_id"]: row["value"]
        for row in observations
        if row["verification"] == "snapshot" and row["metric"] == "eu_monthly_active_recipients"
    }
    found = {}
    for path in (captures / "eu_dsa_reports" / "2025-H2").glob("*/*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                value = row["Value"].replace(",", "")
                if row["Scope"].lower() == "total" and value.isdigit():
                    found[path.parent.name] = value
    assert ours == found


def test_ownership_of_a_place_changes_hands_on_one_day_and_never_overlaps() -> None:
    held: dict[tuple[str, str], list[tuple[date, date]]] = defaultdict(list)
    for row in rows("platform_ownership"):
        if row["kind"] == "owner":
            start = date.fromisoformat((row["valid_from"] + "-01-01")[:10]) if row["valid_from"] else date.min
            end = date.fromisoformat(row["valid_to"]) if row["valid_to"] else date.max
            assert start <= end, row
            held[(row["platform_id"], row["geography"])].append((start, end))
    for spans in held.values():
        for (_, end), (start, _) in zip(sorted(spans), sorted(spans)[1:], strict=False):
            assert end < start
    tiktok = {
        row["geography"]: row for row in rows("platform_ownership") if row["platform_id"] == "tiktok" and row["kind"] == "owner"
    }
    assert tiktok["global_excl_china"]["valid_to"] == "2026-01-21"
    assert tiktok["us"]["valid_from"] == "2026-01-22"
    assert tiktok["us"]["company_id"] != "bytedance"


def test_baseline_access_is_first_party_licensed_or_public_once_for_a_thing() -> None:
    owned = {(row["company_id"], row["platform_id"]) for row in rows("platform_ownership") if row["kind"] == "owner"}
    terms: Counter[tuple[str, str, str, str]] = Counter()
    for row in rows("company_access"):
        if row["is_baseline"] != "true":
            continue
        assert row["access_kind"] != "alleged", row["access_id"]
        assert row["status"] not in {"alleged", "cancelled", "undisclosed"}, row["access_id"]
        if row["access_kind"] == "first_party":
            assert (row["company_id"], row["platform_id"]) in owned, row["access_id"]
        terms[(row["company_id"], row["access_kind"], row["platform_id"], row["geography"])] += 1
    assert [term for term, n in terms.items() if n > 1] == []


def test_a_disclosure_without_a_figure_says_so() -> None:
    for row in rows("training_disclosures"):
        assert (row["bound"] == "none") == (row["value"] == ""), row["disclosure_id"]
        assert row["quantity"] != "none_disclosed" or row["value"] == "", row["disclosure_id"]
        assert row["is_derived"] == "false" or row["note"], row["disclosure_id"]
        if row["value"] and row["value_low"] and row["value_high"]:
            assert float(row["value_low"]) <= float(row["value"]) <= float(row["value_high"]), row["disclosure_id"]


def test_every_disclosed_video_generator_is_a_known_model_of_that_company() -> None:
    company_of_lab = {row["lab_id"]: row["company_id"] for row in rows("labs")}
    company_of_model = {row["model_id"]: company_of_lab[row["lab_id"]] for row in rows("models")}
    for row in rows("training_disclosures"):
        if row["model_kind"] == "video_generator":
            assert company_of_model[row["model_id"]] == row["company_id"], row["disclosure_id"]


def test_yearly_user_counts_are_those_of_the_stored_table(
    observations: list[Row], citations: dict[str, Row], captures: Path
) -> None:
    ours = {
        (row["platform_id"], row["period_start_on"][:4]): float(row["value"])
        for row in observations
        if citations[row["citation_id"]]["source_id"] == "owid"
    }
    names = {"Facebook": "facebook", "YouTube": "youtube", "Twitter": "x", "Instagram": "instagram"}
    found = {}
    for path in sorted((captures / "owid").glob("*/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for entity, *_, year, value in csv.reader(file):
                if entity in names and int(year) >= 2010:
                    found[(names[entity], year)] = float(value)
    assert len(found) > 30
    assert ours == found


def test_a_company_s_size_has_its_page_its_rate_and_its_span(citations: dict[str, Row]) -> None:
    companies = {row["company_id"] for row in rows("companies")}
    spans = {"quarter": (89, 93), "half_year": (180, 185), "nine_months": (270, 276), "trailing_year": (364, 372)}
    for row in rows("company_resources"):
        key, page = row["resource_id"], citations[row["citation_id"]]
        assert row["company_id"] in companies, key
        assert (row["is_usable"] == "false") == bool(row["unusable_reason"]), key
        assert (row["verification"] == "UNVERIFIED") == (row["unusable_reason"] == "unverified"), key
        assert row["unusable_reason"] == "unverified" or (page["read_on"] and page["url"]), key
        assert row["unusable_reason"] == "unverified" or (row["basis"] == "projection") == (row["is_usable"] == "false"), key
        assert (row["quantity"] == "headcount") == (row["currency"] == "") == (row["value_usd"] == ""), key
        if row["currency"]:
            assert math.isclose(float(row["value"]) / float(row["usd_rate"]), float(row["value_usd"]), rel_tol=0.02, abs_tol=1), (
                key
            )
            assert row["currency"] != "USD" or row["usd_rate"] == "1", key
        if row["period_start_on"]:
            days = (last_day(row["as_of_on"]) - date.fromisoformat(row["period_start_on"])).days + 1
            low, high = spans.get(row["scope"], (364, 372) if row["scope"] == "group" else (364, 1100))
            assert low <= days <= high, (key, days)


def test_one_year_of_a_company_s_accounts_is_one_row() -> None:
    years = Counter(
        (row["company_id"], row["quantity"], row["as_of_on"])
        for row in rows("company_resources")
        if row["basis"] == "accounts" and row["scope"] == "group" and row["is_usable"] == "true"
    )
    assert [year for year, n in years.items() if n > 1] == []


def test_a_platform_of_licensed_video_is_not_modelled_and_adds_no_hours() -> None:
    licensed = {row["platform_id"] for row in rows("platforms") if row["class"] == "licensed"}
    assert {"youku", "iqiyi", "tencent-video", "prime-video"} <= licensed
    modelled = {
        row["platform_id"] for row in rows("volume_series") if row["is_modelled"] == "true" or row["is_in_totals"] == "true"
    }
    baseline = {row["platform_id"] for row in rows("company_access") if row["is_baseline"] == "true"}
    assert licensed & (modelled | baseline) == set()


def test_every_platform_that_counts_in_a_total_has_an_owner_with_a_page_and_a_usable_statistic(observations: list[Row]) -> None:
    owned = {
        row["platform_id"] for row in rows("platform_ownership") if row["verification"] != "UNVERIFIED" and row["kind"] == "owner"
    }
    counted = {row["platform_id"] for row in observations if row["is_usable"] == "true" and row["unit"] == "users"}
    totals = {row["platform_id"] for row in rows("volume_series") if row["is_in_totals"] == "true"}
    assert totals - owned == set()
    assert totals - counted == set()


def test_a_pair_of_models_compares_disclosures_of_its_own_models() -> None:
    disclosures = {row["disclosure_id"]: row for row in rows("training_disclosures")}
    ratios = {"data_ratio", "videos_ratio", "images_ratio"}
    for row in rows("dose_pairs"):
        later = disclosures[row["disclosure_id_to"]]
        earlier = disclosures.get(row["disclosure_id_from"])
        assert later["model_id"] == row["model_id_to"], row["pair_id"]
        assert earlier is None or earlier["model_id"] == row["model_id_from"], row["pair_id"]
        assert (earlier is None) == (later["quantity"] in ratios), row["pair_id"]
        assert (row["is_usable"] == "false") == bool(row["unusable_reason"]), row["pair_id"]
        if row["is_usable"] == "true":
            assert "UNVERIFIED" not in {later["verification"], earlier["verification"] if earlier else ""}, row["pair_id"]
            assert later["value"], row["pair_id"]
            assert earlier is None or earlier["value"], row["pair_id"]
            if earlier:
                moving = {"clips", "videos"}
                assert {earlier["quantity"], later["quantity"]} in ({row["quantity"]}, moving), row["pair_id"]
                assert later["stage_kind"] == earlier["stage_kind"] or row["note"], row["pair_id"]


def test_staging_splits_lists_and_reads_a_partial_date_as_its_last_day() -> None:
    with duckdb.connect() as con:
        con.execute("create schema raw")
        for table in read_reference(REFERENCE):
            if table.name in {"citations", "assumptions"}:
                con.register("frame", table.frame)
                con.execute(f"create table raw.reference__{table.name} as select * from frame")
        pages = (STAGING / "stg_reference__citations.sql").read_text(encoding="utf-8")
        numbers = (STAGING / "stg_reference__assumptions.sql").read_text(encoding="utf-8")
        seen = con.sql(
            f"select distinct published_as_stated, published_by_on from ({pages}) where published_as_stated is not null"
        )
        assert {stated: on for stated, on in seen.fetchall() if last_day(stated) != on} == {}
        lists = dict(con.sql(f"select assumption_id, citation_ids from ({numbers})").fetchall())
    for row in rows("assumptions"):
        assert lists[row["assumption_id"]] == [text for text in row["citation_ids"].split(";") if text]
