"""From tables to tables: a small record is read, fitted and drawn, and each frame holds what its platform's draws amount to."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from moat.uncertainty.seeds import stratified_normals
from moat.volume.draws import Draws
from moat.volume.hyperparameters import fit
from moat.volume.scenarios import Record, drawn_tables, read_record
from moat.volume.totals import Volumes, volumes
from moat.volume.uploads import build_loss, month_index

PRIORS = pl.concat(
    [
        pl.read_csv(Path(__file__).with_name("priors.csv"), glob=False).with_row_index("n").select(
            pl.format("A{}", "n").alias("assumption_id"), "assumption_name", "distribution", "p05", "p50", "p95"
        ),
        pl.DataFrame(
            {"assumption_id": ["S1", "S2"], "assumption_name": ["share", "seconds"], "distribution": ["beta", "lognormal"],
             "p05": [0.1, 20.0], "p50": [0.2, 30.0], "p95": [0.35, 45.0]},
        ),
    ]
)  # fmt: skip
PLATFORMS = pl.DataFrame(
    {
        "platform_id": ["whole", "part", "class", "other", "left_out"], "class": ["long", "short", "short", "short", "short"],
        "parent_platform_id": [None, "whole", "whole", None, None], "launched_on": [date(2022, 1, 5), date(2023, 6, 1), date(2023, 1, 1), date(2023, 3, 1), date(2022, 1, 1)],
        "closed_on": [None, None, None, date(2024, 5, 3), None],
    }
)  # fmt: skip
SERIES = pl.DataFrame(
    {
        "platform_id": ["left_out", "whole", "part", "other", "class"], "is_modelled": [False, True, True, True, True],
        "assumed_launch_on": [None] * 5, "share_assumption_id": [None, None, "S1", None, None], "duration_assumption_id": [None, None, "S2", None, None],
    },
    schema_overrides={"assumed_launch_on": pl.Date},
)  # fmt: skip
EVENTS = pl.DataFrame(
    schema={"event_id": pl.String, "platform_id": pl.String, "process": pl.String, "starts_on": pl.Date, "step_sd": pl.Float64, "slope_sd": pl.Float64}
)  # fmt: skip
USED = pl.DataFrame(
    {
        "fact_id": ["F3", "F1", "F2", "F4", "F5"], "platform_id": ["other", "whole", "whole", "whole", "whole"],
        "observation_kind": ["users_monthly", "uploads_per_day", "users_monthly", "uploads_per_day", "uploads_per_day"],
        "log_value": [16.0, 14.0, 18.0, 15.0, None], "is_used": [True, True, True, False, True],
        "period_start_on": [date(2023, 8, 1), date(2024, 1, 1), date(2023, 1, 1), date(2024, 1, 1), date(2024, 1, 1)],
        "period_end_on": [date(2023, 8, 31), date(2024, 3, 31), date(2023, 12, 31), date(2024, 1, 31), date(2024, 1, 31)],
        "seen_on": [date(2024, 6, 1)] * 5, "source_key": ["s:users", "s:uploads", "s:users", "t", "t"],
        "noise_name": ["obs_sd_users_t2", "obs_sd_volume_t2", "obs_sd_users_t2", "obs_sd_volume_t2", "obs_sd_volume_t2"],
        "bias_name": ["obs_bias_users_t2", "obs_bias_volume_t2", "obs_bias_users_t2", "obs_bias_volume_t2", "obs_bias_volume_t2"],
        "noise_sd": [0.05, 0.15, 0.05, 0.15, 0.15], "bias_sd": [0.05, 0.15, 0.05, 0.15, 0.15], "extra_sd": [0.0] * 5,
        "contamination_share": [None] * 5, "contamination_sd": [None] * 5, "offset_low": [None] * 5, "offset_high": [None] * 5, "offset_sd": [None] * 5,
    },
    schema_overrides=dict.fromkeys(("contamination_share", "contamination_sd", "offset_low", "offset_high", "offset_sd"), pl.Float64),
)  # fmt: skip
AS_OF, N_DRAWS = date(2024, 6, 15), 40


@pytest.fixture(scope="module")
def record() -> Record:
    return read_record(USED.lazy(), PRIORS.lazy(), PLATFORMS.lazy(), SERIES.lazy(), EVENTS.lazy(), AS_OF)


@pytest.fixture(scope="module")
def draws(record: Record) -> Draws:
    fitted = fit(record.model(record.priors, record.rows), seed=1, freedom=None)
    return Draws(fitted, seed=1, n_draws=N_DRAWS)


def test_a_record_has_the_modelled_platforms_and_the_usable_statistics_in_order(record: Record) -> None:
    assert list(record.platforms) == ["other", "whole"]
    assert [item.key for item in record.platforms["whole"].lengths] == ["class"]
    assert [(part.platform.key, part.parent, part.share, part.seconds) for part in record.parts] == [
        ("part", "whole", "share", "seconds")
    ]
    assert [row.key for row in record.rows] == ["F1", "F2", "F3"]
    assert record.last == month_index(AS_OF)
    assert (record.ids["share"], record.priors["share"].p50) == ("S1", 0.2)
    assert set(record.ids) == set(record.priors) == set(PRIORS["assumption_name"])


def test_each_platform_class_and_part_has_its_months_its_draws_and_their_percentiles(record: Record, draws: Draws) -> None:
    drawn, quantiles = drawn_tables("a scenario", record, draws, record.priors)
    months = {
        "other": (date(2023, 3, 1), 16),
        "whole": (date(2022, 1, 1), 30),
        "class": (date(2023, 1, 1), 18),
        "part": (date(2023, 6, 1), 13),
    }
    assert [frame["platform_id"][0] for frame in drawn] == [frame["platform_id"][0] for frame in quantiles] == list(months)
    for rows, found in zip(drawn, quantiles, strict=True):
        begin, n = months[rows["platform_id"][0]]
        assert (rows.height, rows["month"][0], rows["month"][-1]) == (n, begin, date(2024, 6, 1))
        assert rows["month"].is_sorted()
        assert set(rows["scenario_id"]) == {"a scenario"}
        assert rows.select("scenario_id", "platform_id", "month").equals(found.select("scenario_id", "platform_id", "month"))
        assert rows.columns[3:] == [f"{name}_draws" for name in Volumes._fields]
        for name in Volumes._fields:
            values = np.array(rows[f"{name}_draws"].to_list(), dtype=np.float64)
            assert values.shape == (n, N_DRAWS)
            for level, end in ((5, "p05"), (50, "p50"), (95, "p95")):
                np.testing.assert_allclose(found[f"{name}_{end}"], np.percentile(values, level, axis=1), rtol=1e-6)
        errors = [name for name in found.columns if name.endswith("_mc_error")]
        assert errors == ["upload_hours_per_day_mc_error", "stock_hours_mc_error"]
    assert (np.array(drawn[0]["uploads_per_day_draws"].to_list())[15:] == 0).all()  # it closed in May


def test_a_part_is_its_share_of_the_uploads_at_its_own_length_draw_by_draw(record: Record, draws: Draws) -> None:
    drawn, _ = drawn_tables("a scenario", record, draws, record.priors)
    frames = {frame["platform_id"][0]: frame for frame in drawn}
    whole, part = (np.array(frames[name]["uploads_per_day_draws"].to_list()) for name in ("whole", "part"))
    share = record.priors["share"].at(stratified_normals(1, "z:part:share", 1, N_DRAWS)[0])
    seconds = record.priors["seconds"].at(stratified_normals(1, "z:part:duration", 1, N_DRAWS)[0])
    np.testing.assert_allclose(part, whole[17:] * share, rtol=1e-5)
    hours = np.array(frames["part"]["upload_hours_per_day_draws"].to_list())
    np.testing.assert_allclose(hours, part * seconds / 3600, rtol=1e-5)
    lengths = np.array(frames["part"]["mean_duration_seconds_draws"].to_list())
    np.testing.assert_allclose(lengths, np.broadcast_to(seconds, (13, N_DRAWS)), rtol=1e-6)


def test_the_draws_of_a_platform_are_those_of_its_processes_in_single_precision(record: Record, draws: Draws) -> None:
    drawn, _ = drawn_tables("a scenario", record, draws, record.priors)
    for frame, (key, processes) in zip((drawn[0], drawn[1]), draws, strict=True):
        found = volumes(processes, record.platforms[key], build_loss(record.priors))[key]
        for name in Volumes._fields:
            np.testing.assert_array_equal(
                np.array(frame[f"{name}_draws"].to_list(), dtype=np.float32), getattr(found, name).astype(np.float32)
            )
