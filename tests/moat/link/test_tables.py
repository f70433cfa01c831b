"""Draws of owners become arrays in which a missing month takes the month before."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from moat.link.tables import known_of_owners, read_hours


def drawn(skipped: tuple[str, date] | None = None) -> pl.DataFrame:
    rows = [
        {"company_id": company, "month": month, "draw": draw, "usable_hours": hours + draw, "short_usable_hours": hours / 2}
        for company, hours in (("b", 100.0), ("a", 10.0))
        for hours, month in zip(
            (hours, 2 * hours, 3 * hours), (date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1)), strict=True
        )
        for draw in (1, 0)
        if (company, month) != skipped
    ]
    return pl.DataFrame(rows)


def test_hours_are_by_company_month_and_draw() -> None:
    owned = read_hours(drawn())
    assert (owned.owners, owned.first_month) == (["a", "b"], date(2024, 11, 1))
    assert owned.hours.own.tolist() == [[[10, 11], [20, 21], [30, 31]], [[100, 101], [200, 201], [300, 301]]]
    assert owned.hours.own.shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("skipped", "expected"),
    [(date(2024, 12, 1), [[10, 11], [10, 11], [30, 31]]), (date(2025, 1, 1), [[10, 11], [20, 21], [20, 21]])],
)
def test_a_month_that_is_missing_takes_the_month_before(skipped: date, expected: list[list[float]]) -> None:
    assert read_hours(drawn(("a", skipped))).hours.own[0].tolist() == expected


def test_another_column_of_the_same_draws_has_the_same_places() -> None:
    owned = read_hours(drawn())
    cube = owned.cube(drawn(), "short_usable_hours")
    assert cube.tolist() == [[[5, 5], [10, 10], [15, 15]], [[50, 50], [100, 100], [150, 150]]]
    assert not np.isnan(cube).any()


def test_a_company_without_draws_has_no_place_and_months_outside_take_the_nearest() -> None:
    owner, month = read_hours(drawn()).places(
        pl.Series(["b", "c", "a", "a"]), pl.Series([date(2024, 12, 1), date(2025, 1, 1), date(2020, 1, 1), date(2030, 1, 1)])
    )
    assert owner.to_list() == [1, -1, 0, 0]
    assert month.to_list() == [1, 2, 0, 2]


def test_months_are_counted_over_years() -> None:
    months = pl.date_range(date(2023, 11, 1), date(2026, 2, 1), "1mo", eager=True)
    long = pl.DataFrame(
        {"company_id": "a", "month": months, "draw": 0, "usable_hours": [float(i) for i in range(28)], "short_usable_hours": 0.0}
    )
    owned = read_hours(long)
    assert (owned.first_month, owned.hours.own.shape) == (date(2023, 11, 1), (1, 28, 1))
    assert owned.hours.own[0, :, 0].tolist() == list(range(28))
    given = [date(2023, 11, 1), date(2024, 1, 1), date(2025, 12, 1), date(2026, 2, 1), date(2026, 3, 1)]
    assert owned.places(pl.Series(["a"] * 5), pl.Series(given))[1].to_list() == [0, 2, 25, 27, 27]


def test_of_the_last_month_an_owner_without_observation_is_known_and_duplicates_are_no_hours_that_could_be_reached() -> None:
    hours = drawn().with_columns(
        available_first_party_hours=pl.col("short_usable_hours"), first_party_stock_hours="short_usable_hours"
    )
    last, before = date(2025, 1, 1), date(2024, 12, 1)
    evidence = pl.LazyFrame(
        [
            ("a", last, "baseline", "prior_only"), ("b", last, "baseline", "observed"), ("b", before, "baseline", "prior_only"),
            ("b", last, "narrow", "prior_only"),
        ],
        schema=["company_id", "month", "scenario_id", "basis"], orient="row",
    )  # fmt: skip
    assumed = pl.LazyFrame(
        {
            "assumption_name": ["dup_share_hours", "dup_share_hours", "another"],
            "draw": [1, 0, 0],
            "assumption_value": [0.5, 0.2, 0.9],
        }
    )
    known = known_of_owners(read_hours(hours), hours, evidence, assumed, last)
    assert known["reached"].shape == (2, 3, 2)
    assert np.allclose(known["reached"], [1 / 0.8, 1 / 0.5])
    assert known["unobserved"].tolist() == [True, False]
