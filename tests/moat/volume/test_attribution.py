"""Where the width of an answer comes from."""

import numpy as np
import pytest
from SALib.analyze import rbd_fast

from moat.volume.attribution import Attribution, eta_squared, log_sum_gradient
from moat.volume.loggaussian import LogSum, Model, Process, Row, Series

ONES = np.ones(12)


def series(key: str) -> Series:
    """Two processes, one shared base normal."""
    return Series(
        key,
        (
            Process("users", 20 * ONES, own={"users": 1.5 * ONES}, gp_sd=0.4, gp_length=10),
            Process("rate", -3 * ONES, shared={"all": 0.8 * ONES}, own={"rate": 0.5 * ONES}),
        ),
    )


def count(key: str, of: str, names: tuple[str, ...], source: str, value: float = 18.0) -> Row:
    """A point observation of one month."""
    return Row(key, of, value, (LogSum(names, 6, 7),), source, "volume", 0.1, 0.1)


ROWS = [count("a", "p", ("users", "rate"), "A"), count("b", "p", ("users",), "A", 21.0), count("c", "q", ("users", "rate"), "B")]
WHOLE = LogSum(("users", "rate"), 0, 12)


def test_shares_sum_to_one_and_their_total_is_the_posterior_variance() -> None:
    solution = Model([series("p"), series("q")], ROWS).solve(np.zeros(5))
    gradient = log_sum_gradient(solution, {"p": (WHOLE, 1.0), "q": (WHOLE, 2.0)})
    taken = Attribution(solution, gradient)
    assert sum(share.share for share in taken.shares) == pytest.approx(1.0, abs=1e-9)
    stacked = np.concatenate([gradient[key] for key in ("p", "q")])
    parts = [np.vstack([solution.model.shared[key] for key in ("p", "q")])]
    prior = parts[0] @ parts[0].T
    for i, key in enumerate(("p", "q")):
        at = slice(24 * i, 24 * (i + 1))
        prior[at, at] += solution.model.own[key] @ solution.model.own[key].T
        process, span = next(iter(solution.model.gps(key)))
        gp = slice(24 * i + span.start, 24 * i + span.stop)
        prior[gp, gp] += solution.model.gp(process, 1.0)
    cross = np.vstack([solution.cross(key) for key in ("p", "q")])
    posterior = prior - cross @ solution.precision @ cross.T
    assert taken.variance == pytest.approx(stacked @ posterior @ stacked, rel=1e-9)


def test_dropping_a_row_does_what_the_closed_form_says() -> None:
    full = Model([series("p")], ROWS[:2]).solve(np.zeros(5))
    less = Model([series("p")], ROWS[1:2]).solve(np.zeros(5))
    target = {"p": np.eye(24)[15]}
    before, after = Attribution(full, target), Attribution(less, target)
    rise, shift = before.without()
    assert after.variance - before.variance == pytest.approx(rise[0], rel=1e-9)
    assert less.state_mean("p")[15] - full.state_mean("p")[15] == pytest.approx(shift[0], rel=1e-9)


def test_one_more_observation_is_worth_what_adding_it_removes() -> None:
    target = {"p": np.eye(24)[15]}
    new = count("new", "p", ("users", "rate"), "C")
    before = Attribution(Model([series("p"), series("q")], ROWS[1:]).solve(np.zeros(5)), target)
    after = Attribution(Model([series("p"), series("q")], [*ROWS[1:], new]).solve(np.zeros(5)), target)
    assert before.worth_of(new) == pytest.approx(1 - after.variance / before.variance, rel=1e-9)


def test_first_order_shares_match_a_linear_case_to_one_point() -> None:
    z = np.random.default_rng(4).normal(size=(4, 100_000))
    weights = np.array([2.0, 1.0, 0.5, 0.0])
    shares = eta_squared(z, weights @ z)
    assert shares == pytest.approx(weights**2 / (weights @ weights), abs=0.01)


def test_first_order_shares_agree_with_the_library_on_a_crooked_case() -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(-np.pi, np.pi, size=(3, 20_000))
    y = np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])  # Ishigami's function
    known = np.array([0.3139, 0.4424, 0.0])
    assert eta_squared(x, y) == pytest.approx(known, abs=0.02)
    problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[-np.pi, np.pi]] * 3}
    library = rbd_fast.analyze(problem, x.T, y, seed=1)["S1"]
    assert eta_squared(x, y) == pytest.approx(np.array(library), abs=0.03)
