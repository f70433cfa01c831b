"""The questions answer what they ask, and nothing that does not matter moves them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from fields import made_field, ratings

from moat.link.field import Field
from moat.link.questions import Question, find
from moat.link.rule import Evidence, verdict

QUESTIONS: tuple[Question, ...] = ("owning", "amount", "short", "size")


def estimates(field: Field) -> list[tuple[float, float, float]]:
    """Return estimate, standard error and p of every question."""
    found = [find(question, field, seed=1, n_random=199) for question in QUESTIONS]
    return [(one.effect.estimate, one.effect.se, one.test and one.test.p) for one in found if one is not None]


def test_a_constant_on_a_board_the_order_of_rows_and_the_names_of_companies_change_nothing() -> None:
    field = made_field(1)
    before = np.array(estimates(field))
    assert before.shape == (4, 3)
    shifted = replace(field, rating=field.rating + 100.0 * field.board)
    np.testing.assert_allclose(estimates(shifted), before, rtol=1e-3, atol=1e-2)
    order = np.random.default_rng(2).permutation(len(field.rating))
    columns = {part.name: getattr(field, part.name) for part in fields(field) if part.name != "hours"}
    shuffled = replace(field, **{name: np.array([values[i] for i in order.tolist()]) for name, values in columns.items()})
    np.testing.assert_allclose(np.array(estimates(shuffled))[:, :2], before[:, :2], rtol=1e-3, atol=1e-2)
    renamed = replace(field, company=97 - field.company, model=10_000 - field.model)
    np.testing.assert_allclose(np.array(estimates(renamed))[:, :2], before[:, :2], rtol=1e-3, atol=1e-2)


def test_companies_without_a_platform_are_tied_exactly() -> None:
    field = made_field(3)
    drawn = field.drawn(field.hours.log_hours)
    drawn = np.tensordot(drawn.basis, drawn.values, 1)
    assert (drawn[field.owner < 0] == 0).all()
    assert drawn[field.owner >= 0].mean() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("question", "effect"), [("owning", "owning"), ("size", "owning"), ("amount", "amount"), ("short", "short")]
)
def test_an_effect_is_found_by_its_question(question: Question, effect: str) -> None:
    found = []
    for seed in range(12):
        field = made_field(200 + seed, n_companies=30, n_owners=9)
        one = find(question, replace(field, rating=ratings(field, np.random.default_rng(seed), **{effect: 60.0})), seed, 99)
        assert one is not None
        found.append(one.effect.estimate)
    assert np.mean(found) == pytest.approx(60, abs=4 * np.std(found) / np.sqrt(12))


def test_e03_what_size_does_is_not_counted_as_owning() -> None:
    apart = []
    for seed in range(12):
        field = made_field(300 + seed)
        one = find("size", replace(field, rating=ratings(field, np.random.default_rng(seed), size=60.0)), seed, 99)
        assert one is not None
        assert one.without_size is not None
        apart.append((one.without_size.effect.estimate, one.effect.estimate))
    without, within = np.mean(apart, axis=0)
    assert without > 40
    assert abs(within) < without / 3


def test_e02_intervals_cover_and_verdicts_are_seldom_wrong_where_only_the_date_acts() -> None:
    covered, wrong = [], []
    for seed in range(60):
        field = made_field(400 + seed)
        for question in ("owning", "amount"):
            one = find(question, field, seed, 99)
            assert one is not None
            low, high = one.effect.interval
            covered.append(low <= 0 <= high)
            wrong.append(verdict(Evidence(one.effect.estimate, low, high, one.test and one.test.p), 20.0)[0] == "supported")
    assert np.mean(covered) >= 0.84
    assert np.mean(wrong) <= 0.05


def test_e12_too_few_owners_are_not_asked() -> None:
    field = made_field(5, n_owners=2)
    assert find("owning", field, seed=1) is None
    assert find("amount", field.only(field.company < 5), seed=1) is None


def test_three_owners_whose_hours_and_shares_are_one_number_are_not_asked() -> None:
    field = made_field(6, n_owners=3)
    alike = replace(field.hours, own_short=field.hours.own, other=field.hours.other * 0)
    assert find("short", replace(field, hours=alike), seed=1) is None
    assert find("amount", replace(field, hours=alike), seed=1) is not None


def test_an_owner_whose_hours_are_unknown_owns_and_is_left_out_of_amount_and_short() -> None:
    field = made_field(7)
    unknown = replace(field, owner=np.where(field.company == 2, -1, field.owner))
    one, before = find("owning", unknown, seed=1, n_random=99), find("owning", field, seed=1, n_random=99)
    assert one is not None
    assert before is not None
    assert (one.effect.estimate, one.n_owners) == (before.effect.estimate, 6)
    amount = find("amount", unknown, seed=1, n_random=99)
    without = find("amount", field.only(field.company != 2), seed=1, n_random=99)
    assert amount is not None
    assert without is not None
    assert (amount.n_owners, amount.effect.estimate) == (5, pytest.approx(without.effect.estimate))
