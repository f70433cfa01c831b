"""Each perturbation changes the one thing that its name states."""

import numpy as np
import pytest
from fields import made_field

from moat.link.field import Field
from moat.link.perturb import Context, perturbations


@pytest.fixture
def field() -> Field:
    return made_field(1)


@pytest.fixture
def changed(field: Field) -> dict[str, Field]:
    shape = field.hours.own.shape
    share = np.zeros(shape[:2])
    share[2] = 0.5
    whole = np.zeros(shape[:2])
    whole[4] = 1.0
    context = Context(
        companies=[f"c{i}" for i in range(24)], boards=[f"b{i}" for i in range(4)], owners=[f"c{i}" for i in range(6)],
        unobserved=np.arange(6) == 1, reached=np.full(shape, 0.5), contested={"p": (share, False)}, unverified={"q": whole},
        first=np.column_stack([field.rating - 5, field.se * 2]), log_revenue=field.log_size + 1, is_size_later=field.company == 3,
        is_expense=np.isin(field.company, (0, 1, 2, 9)), is_contested=np.isin(field.company, (5, 9)),
    )  # fmt: skip
    return {found.name: found.changed() for found in perturbations(field, context)}


def test_e04_companies_boards_and_owners_leave(field: Field, changed: dict[str, Field]) -> None:
    assert 7 not in changed["without c7"].company
    assert len(changed["without c7"].rating) == (field.company != 7).sum()
    assert 2 not in changed["without b2"].board
    assert 1 not in changed["without owners that have no observation"].owner
    disowned = changed["q not owned (ownership unverified)"]
    assert 4 not in disowned.owner
    assert len(disowned.rating) == len(field.rating)


def test_a_company_that_a_reader_might_count_otherwise_is_an_owner_or_none_in_turn(
    field: Field, changed: dict[str, Field]
) -> None:
    without = changed["c5 counts as no owner of a platform"]
    assert not without.is_owner[field.company == 5].any()
    assert (without.owner[field.company == 5] == -1).all()
    other = changed["c9 counts as an owner of a platform"]
    assert other.is_owner[field.company == 9].all()
    assert not other.has_hours[field.company == 9].any()  # so that it is left out of amount and short
    rest = ~np.isin(field.company, (5, 9))
    for found in (without, other):
        np.testing.assert_array_equal(found.is_owner[rest], field.is_owner[rest])
        np.testing.assert_array_equal(found.owner[rest], field.owner[rest])


def test_ratings_are_those_of_the_best_or_the_first(field: Field, changed: dict[str, Field]) -> None:
    best = changed["best model of each company on each board"]
    assert len(best.rating) == len({*zip(field.company.tolist(), field.board.tolist(), strict=True)})
    for company, board, rating in zip(best.company, best.board, best.rating, strict=True):
        assert rating == field.rating[(field.company == company) & (field.board == board)].max()
    np.testing.assert_array_equal(changed["first capture of each entry"].rating, field.rating - 5)


def test_hours_follow_reach_web_and_kind(field: Field, changed: dict[str, Field]) -> None:
    np.testing.assert_allclose(changed["c3 reaches 1 of its video"].hours.own[3], 2 * field.hours.own[3])
    np.testing.assert_allclose(changed["c3 reaches 0.1 of its video"].hours.own[3], field.hours.own[3] / 5)
    np.testing.assert_array_equal(changed["c3 reaches 1 of its video"].hours.own[0], field.hours.own[0])
    np.testing.assert_allclose(changed["public web times 10"].hours.other, 10 * field.hours.other)
    moved = changed["p counts as short"].hours
    expected = np.minimum(field.hours.own_short[2] + 0.5 * field.hours.own[2], field.hours.own[2])
    np.testing.assert_allclose(moved.own_short[2], expected)


def test_draws_are_disjoint_sets_and_sizes_are_what_they_say(field: Field, changed: dict[str, Field]) -> None:
    sets = [changed[f"draws: set {i} of 10"].hours.own[0, 0] for i in range(1, 11)]
    np.testing.assert_array_equal(np.sort(np.concatenate(sets)), np.sort(field.hours.own[0, 0]))
    assert set(changed["R&D expense only"].company) == {0, 1, 2, 9}  # an expense that was imputed is none
    np.testing.assert_array_equal(changed["revenue for size"].log_size, field.log_size + 1)
    assert 3 not in changed["sizes public before release only"].company
