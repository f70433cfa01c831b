"""Where the width of an estimate comes from."""

from dataclasses import replace

import numpy as np
import pytest
from SALib.analyze import rbd_fast

from moat.volume.attribution import Attribution, Term, log_linear_shares, log_sum_gradient
from moat.volume.conditioning import Model
from moat.volume.processes import LogSum, Process, Row, Series

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
    return Row(key, of, value, (LogSum(names, 6, 7),), source, 0.1, 0.1)


ROWS = [count("a", "p", ("users", "rate"), "A"), count("b", "p", ("users",), "A", 21.0), count("c", "q", ("users", "rate"), "B")]
WHOLE = LogSum(("users", "rate"), 0, 12)


def test_squares_of_loadings_are_the_posterior_variance_of_any_weighted_sum() -> None:
    solution = Model([series("p"), series("q")], ROWS).solve(np.zeros(0))
    targets = [log_sum_gradient(solution, {key: (WHOLE, 1.0)}) for key in ("p", "q")]
    taken = Attribution(solution, targets)
    weights = np.array([0.3, 0.7])
    whole = sum(float((item.loadings @ weights) ** 2) for item in taken.loadings)
    stacked = np.concatenate([weights[j] * targets[j][key] for j, key in enumerate(("p", "q"))])
    parts = [np.vstack([solution.model.shared[key] for key in ("p", "q")])]
    prior = parts[0] @ parts[0].T
    for i, key in enumerate(("p", "q")):
        at = slice(24 * i, 24 * (i + 1))
        prior[at, at] += solution.model.own[key] @ solution.model.own[key].T
        process, span = solution.model.series[key].drifts[0]
        gp = slice(24 * i + span.start, 24 * i + span.stop)
        prior[gp, gp] += solution.model.gp(process, np.zeros(0))
    cross = np.vstack([solution.cross(key) for key in ("p", "q")])
    posterior = prior - cross @ solution.precision @ cross.T
    assert whole == pytest.approx(stacked @ posterior @ stacked, rel=1e-6)


def test_dropping_a_row_does_what_the_closed_form_says() -> None:
    full = Model([series("p")], ROWS[:2]).solve(np.zeros(0))
    less = Model([series("p")], ROWS[1:2]).solve(np.zeros(0))
    target = {"p": np.eye(24)[15]}
    before, after = Attribution(full, [target]), Attribution(less, [target])
    rise, shift = before.without()
    assert after.variance - before.variance == pytest.approx(rise[0] ** 2, rel=1e-6)
    assert less.states["p"][15] - full.states["p"][15] == pytest.approx(shift[0, 0], rel=1e-9)


@pytest.mark.parametrize(("sd", "bias_sd", "extra_sd"), [(0.1, 0.1, 0.0), (0.05, 0.2, 0.3)])
def test_one_more_observation_takes_off_the_square_of_its_gain(sd: float, bias_sd: float, extra_sd: float) -> None:
    target = {"p": np.eye(24)[15]}
    new = replace(count("new", "p", ("users", "rate"), "C"), sd=sd, bias_sd=bias_sd, extra_sd=extra_sd)
    before = Attribution(Model([series("p"), series("q")], ROWS[1:]).solve(np.zeros(0)), [target])
    after = Attribution(Model([series("p"), series("q")], [*ROWS[1:], new]).solve(np.zeros(0)), [target])
    assert before.gain(new) ** 2 == pytest.approx(before.variance - after.variance, rel=1e-6)


def test_shares_of_a_product_are_the_shares_of_its_logs_and_nothing_is_left() -> None:
    z = np.random.default_rng(4).normal(size=(3, 50_000))
    sds = np.array([2.0, 1.0, 0.5])
    factors = {name: np.exp(sd * row) for name, sd, row in zip("abc", sds, z, strict=True)}
    shares = log_linear_shares([Term(np.prod(list(factors.values()), axis=0), factors)])
    assert [shares.blocks[name] for name in "abc"] == pytest.approx(sds**2 / (sds @ sds), abs=0.01)
    assert shares.rest == pytest.approx(0, abs=0.01)


def test_shares_of_a_sum_are_near_the_first_order_indices_of_the_library_and_sum_to_one() -> None:
    x = np.random.default_rng(5).uniform(-1, 1, size=(3, 20_000))
    factors = {name: np.exp(size * row) for name, size, row in zip("abc", (0.8, 0.6, 0.4), x, strict=True)}
    terms = [
        Term(factors["a"] * factors["c"], {"a": factors["a"], "c": factors["c"]}),
        Term(2 * factors["b"] * factors["c"], {"b": factors["b"], "c": factors["c"]}),
    ]
    shares = log_linear_shares(terms)
    assert sum(shares.blocks.values()) + shares.rest == pytest.approx(1, abs=1e-12)
    assert min(*shares.blocks.values(), shares.rest) >= 0
    problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[-1, 1]] * 3}
    library = rbd_fast.analyze(problem, x.T, np.log(terms[0].size + terms[1].size), seed=1)["S1"]
    assert [shares.blocks[name] for name in "abc"] == pytest.approx(library, abs=0.04)


def test_factors_that_depend_on_each_other_share_one_block() -> None:
    z = np.random.default_rng(6).normal(size=(3, 20_000))
    a, b = np.exp(z[0] + z[1]), np.exp(z[0] - 0.5 * z[1])
    c = np.exp(z[2])
    shares = log_linear_shares([Term(a * c, {"a": a, "c": c}), Term(b * c, {"b": b, "c": c})], {"a": "both", "b": "both"})
    assert set(shares.blocks) == {"both", "c"}
    assert shares.blocks["both"] + shares.blocks["c"] + shares.rest == pytest.approx(1, abs=1e-12)
    assert min(*shares.blocks.values(), shares.rest) >= 0


def test_shares_are_not_negative_whatever_the_draws() -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        draws = np.exp(rng.normal(size=(4, 200)) * rng.uniform(0, 3, size=(4, 1)))
        terms = [
            Term(draws[0] * draws[1], {"a": draws[0], "b": draws[1]}),
            Term(draws[2] * np.minimum(draws[3], 1), {"c": draws[2], "d": draws[3]}),
        ]
        shares = log_linear_shares(terms)
        assert min(*shares.blocks.values(), shares.rest) >= 0
        assert sum(shares.blocks.values()) + shares.rest == pytest.approx(1, abs=1e-12)
