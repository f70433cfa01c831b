"""Ten plausible facts that a contributor may bring go through build, audit and publication, and move what they should."""

import csv
import os
import shutil
from pathlib import Path

import duckdb
import pytest

from datamoat.build.run import build_models
from datamoat.project.read import read_project
from datamoat.publish.audit import Audit, Worker, audit_build
from datamoat.publish.warehouse import publish_warehouse
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published

pytestmark = pytest.mark.slow

CITATION, LATEST = "C1165", "2026-03-31"


def observation(
    fact: str, platform: str, metric: str, value: str, unit: str, period: tuple[str, str], **other: str
) -> dict[str, str]:
    """A row of platform_observations.csv, read on a page."""
    return {
        "fact_id": fact, "platform_id": platform, "metric": metric, "value": value, "bound": "exact", "unit": unit,
        "period_start_on": period[0], "period_end_on": period[1], "period_basis": "stated", "geography": "global",
        "publisher": "Test", "originator": platform, "source_kind": "official_statement", "tier": "2", "verification": "page_read",
        "is_usable": "true", "value_as_stated": value, "figure_as_stated": value, "citation_id": CITATION, **other,
    }  # fmt: skip


FACTS = {
    "platforms.csv": [{
        "platform_id": "newtube", "name": "Newtube", "class": "short", "kind": "platform", "content": "filmed", "country": "US",
        "launched_on": "2022-05", "verification": "page_read", "citation_id": CITATION,
    }],
    "volume_series.csv": [{"platform_id": "newtube", "is_modelled": "true", "is_in_totals": "true", "reason": "A new platform."}],
    "platform_ownership.csv": [
        {"platform_id": "newtube", "company_id": "snap", "geography": "global", "kind": "owner", "verification": "page_read",
         "citation_id": CITATION, "valid_to": "2026-12-31"},
        {"platform_id": "newtube", "company_id": "meta", "geography": "global", "kind": "owner", "verification": "page_read",
         "citation_id": CITATION, "valid_from": "2027-01-01"},
    ],
    "platform_observations.csv": [
        observation("F9001", "facebook", "monthly_active_users", "3070000000", "users", ("2023-10-01", "2023-12-31"), source_kind="filing", tier="1"),
        observation("F9002", "x", "daily_active_users", "250000000", "users", ("2025-01-01", "2025-03-31")),
        observation("F9003", "newtube", "monthly_active_users", "40000000", "users", ("2025-01-01", "2025-03-31")),
        observation("F9004", "newtube", "uploads_per_day", "900000", "videos_per_day", ("2025-01-01", "2025-03-31")),
        observation("F9005", "tiktok", "videos_removed", "180000000", "videos", ("2026-01-01", LATEST), geography="global_excl_china", source_kind="official_file", tier="1"),
        observation("F9006", "tiktok", "removed_share_of_published", "0.005", "fraction", ("2026-01-01", LATEST), geography="global_excl_china", source_kind="official_file", tier="1"),
        observation("F9007", "douyin", "mean_duration_of_uploads_seconds", "45", "seconds", ("2025-01-01", "2025-12-31"), geography="china", source_kind="third_party", tier="4"),
        observation("F9008", "bilibili", "uploads_per_day", "2200000", "videos_per_day", ("2023-01-01", "2023-03-31"), geography="china", source_kind="press", tier="3", originator="another"),
        observation("F9009", "pinterest", "monthly_active_users", "601000000", "users", ("2025-07-01", "2025-09-30"), supersedes_fact_id="OLD"),
    ],
    "company_access.csv": [{
        "access_id": "X901", "company_id": "runway", "lab_id": "runway", "target": "Licensed films", "access_kind": "licensed", "status": "confirmed",
        "is_baseline": "true", "valid_from": "2024-06-01", "valid_to": "2027-06-01", "evidence_on": "2024-06-01", "assumption_id": "A029",
        "citation_id": CITATION, "verification": "page_read",
    }],
    "training_disclosures.csv": [{
        "disclosure_id": "D901", "model_id": "skyreels-v2", "model_kind": "video_generator", "company_id": "kunlun", "quantity": "hours",
        "stage": "raw_second", "stage_kind": "raw", "value": "90000000", "bound": "exact", "is_derived": "false", "source_kind": "academic", "tier": "2",
        "figure_as_stated": "90M hours", "verification": "page_read", "citation_id": CITATION,
    }],
}  # fmt: skip


def add(reference: Path) -> str:
    """Append the facts; the correction replaces the newest user count of its platform, whose id is returned."""
    path = reference / "platform_observations.csv"
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    older = max(
        (row for row in rows if row["platform_id"] == "pinterest" and row["metric"] == "monthly_active_users" and row["is_usable"] == "true"),
        key=lambda row: row["period_end_on"],
    )  # fmt: skip
    for name, new in FACTS.items():
        with (reference / name).open(newline="", encoding="utf-8") as handle:
            fields = list(csv.DictReader(handle).fieldnames or ())
        with (reference / name).open("a", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, fields, lineterminator="\n", extrasaction="ignore")
            writer.writerows({key: older["fact_id"] if value == "OLD" else value for key, value in row.items()} for row in new)
    return older["fact_id"]


@pytest.fixture(scope="module")
def result(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Audit]:
    root = tmp_path_factory.mktemp("facts")
    for folder in ("transforms", "expectations", "reports"):
        shutil.copytree(checkout / folder, root / folder)
    shutil.copytree(checkout / "data" / "reference", root / "data" / "reference")
    add(root / "data" / "reference")
    settings = Settings(content=root, data=root / "data", threads=2)
    kept = checkout / "data" / "lake" / "cache"
    if kept.is_dir():
        shutil.copytree(kept, settings.lake / "cache", copy_function=os.link)
    project = read_project(root)
    build_models(settings, project)
    with Worker() as worker:
        audit = audit_build(settings, project, worker)
    publish_warehouse(settings, project)
    return settings, audit


def test_no_critical_check_fails(result: tuple[Settings, Audit]) -> None:
    assert result[1].critical == ()


def test_each_fact_is_published_and_used_or_refused_with_a_reason(result: tuple[Settings, Audit]) -> None:
    with open_published(result[0]) as con:
        found = dict(con.sql("select fact_id, is_used from marts.platform_observation where fact_id like 'F90%'").fetchall())
        assert found == {f"F900{i}": True for i in range(1, 10)}
        named = con.sql("select contradicts_fact_ids from marts.platform_observation where fact_id = 'F9008'").fetchall()[0][0]
        assert named, "a count three times another source's names the ones it contradicts"


def test_each_fact_moves_what_it_is_about(result: tuple[Settings, Audit], published: Settings) -> None:
    def medians(settings: Settings) -> dict[str, float]:
        with open_published(settings) as con:
            return dict(con.sql(
                "select platform_id, upload_hours_per_day_p50 from marts.platform_volume"
                " where scenario_id = 'baseline' and month = date '2025-02-01'"
            ).fetchall())  # fmt: skip

    before, after = medians(published), medians(result[0])
    assert "newtube" in after
    for platform in ("facebook", "x", "douyin", "bilibili", "tiktok"):
        assert after[platform] != before[platform], platform
    assert after["douyin"] > before["douyin"]  # a mean length of 45 s is above what was assumed


def test_shares_of_variance_are_not_negative_and_sum_to_one(result: tuple[Settings, Audit]) -> None:
    with duckdb.connect() as con:
        path = result[0].lake / "marts" / "input_importance.parquet"
        worst = con.sql(
            f"select min(variance_share) as least, max(abs(total - 1)) as off from (select variance_share,"
            f" sum(variance_share) over (partition by company_id, measure) as total from read_parquet('{path}'))"
        ).fetchall()[0]
    assert worst[0] >= 0
    assert worst[1] < 1e-9
