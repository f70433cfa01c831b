"""Small inputs that others made to break the product, where they are on this machine, each with the answer that they call right."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from datamoat.project.sources import Source
from datamoat.settings import Settings

CASES = {
    "eu_two_unnamed_columns.csv": ("eu_active_recipients", "tiktok", "eu_base.csv", "ok", "without a name or a value are dropped"),
    "eu_xvideos_as_x.csv": ("eu_active_recipients", "x", None, "suspicious", "the table is of 'XVideos'"),
    "tiktok_newest_quarter_zero.csv": ("tiktok_enforcement", "report", "tiktok_base.csv", "suspicious", "is zero where known values are"),
    "aa_names_shifted_by_one.json": ("aa_api", "text_to_video", "aa_base.json", "suspicious", "48 names are now on other keys"),
    "aa_gzip_raw.json": ("aa_api", "text_to_video", "aa_base.json", "ok", "gzip that no header announced"),
    "epoch_domain_gone.csv": ("epoch_models", "notable_models", "epoch_base.csv", "suspicious", "in 0.0% of rows"),
    "epoch_dates_with_time.csv": ("epoch_models", "notable_models", "epoch_base.csv", "ok", "new: 'Made Model 700'"),
    "epoch_numbers_thousands.csv": ("epoch_models", "notable_models", "epoch_base.csv", "ok", "new: 'Made Model 700'"),
    "arena_name_trailing_space.parquet": ("arena_dataset", "text_to_video", "arena_base.parquet", "ok", "is read as 'made-model-03'"),
    "arena_one_past_publication_gone.parquet": ("arena_dataset", "text_to_video", "arena_base.parquet", "revision", "2026-07-07 is withdrawn"),
    "arena_web_deep_wrapped.json": ("arena_web", "text_to_video", "arena_web_base.json", "error", "a list is now under 'data.models'"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_made_input_has_its_right_answer(
    captures: Path, place: Settings, source: Callable[[str], Source], bench_of: Any, name: str
) -> None:
    folder = captures.parent / "cases"
    if not folder.is_dir():
        pytest.skip("the made inputs are not on this machine")
    source_id, request, base, status, reason = CASES[name]
    bench = bench_of(place, source(source_id), date(2026, 9, 1))
    if base is not None:
        assert bench.feed((folder / base).read_bytes(), request, days=7).validation_status == "ok"
    landing = bench.feed((folder / name).read_bytes(), request)
    assert (landing.validation_status, reason in landing.reason) == (status, True), landing.reason
