"""One definition of a link, put to one board: the statistic, its p, its effect, its power and what one company does to it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import stats

from moat.link.association import (
    PAIR,
    TRIPLE,
    Effect,
    Groups,
    Halves,
    Tested,
    arrangements,
    auc_effect,
    auc_matrix,
    corrected_effect,
    difference_matrix,
    group_power,
    kendall_test,
    leave_one_out,
    leave_one_out_auc,
    leave_one_out_difference,
    leave_one_out_kendall,
    mean_difference_effect,
    permutation_test,
    plain_spearman,
    product_matrix,
    rank_power,
    ranks_without,
    reliability,
    standard_ranks,
)
from moat.link.verdict import Looks
from moat.uncertainty.seeds import Floats

LATENT_OF_INTEREST = 0.5  # the correlation whose power is printed beside every p
# For each statistic of two groups: its matrix, its effect, itself without one company, and its value where groups do not differ.
GROUP_STATISTICS = {
    "mean_difference": (difference_matrix, mean_difference_effect, leave_one_out_difference, 0.0),
    "auc": (auc_matrix, auc_effect, leave_one_out_auc, 0.5),
}


@dataclass(frozen=True)
class Rated:
    """The ratings of a field of companies, with what every definition asks of them worked out once.

    Attributes:
        r: Draws, shape (n_draws, n).
        points: Published ratings, shape (n,).
    """

    r: Floats
    points: Floats

    @cached_property
    def ranks(self) -> Floats:
        """Standardised ranks of the draws."""
        return standard_ranks(self.r) if self.r.size else self.r

    @cached_property
    def reliability(self) -> float:
        """Share of their variance that is between companies."""
        return reliability(self.r)

    @cached_property
    def without(self) -> Halves:
        """Ranks without each company."""
        return ranks_without(self.r)


@dataclass(frozen=True)
class Link:
    """What one definition finds on one board; None where it cannot be computed, and then `reason` says why.

    Attributes:
        n_companies: Companies the definition counts.
        reason: `computed`, or why there is no number.
        test: The statistic, a mean over draws, and its permutation test.
        plain: The same statistic once, on medians of volume and published ratings: what a reader can recompute.
        effect: Corrected rank correlation for rank statistics; rating points or the chance of being ahead for groups.
        reliability_v: Share of the variance of volumes that is between companies; 1 for membership of a group.
        reliability_r: The same of ratings.
        power: Chance of p < 0.05 if the latent correlation were 0.5.
        without: The statistic without each company, shape (n_companies,); NaN where a group would be empty.
    """

    n_companies: int
    reason: str
    test: Tested | None = None
    plain: float | None = None
    effect: Effect | None = None
    reliability_v: float | None = None
    reliability_r: float | None = None
    power: float | None = None
    without: Floats | None = None

    @property
    def range_without_one(self) -> tuple[float, float, int] | None:
        """Lowest and highest value without one company, and the index of the one that moves it most."""
        if self.test is None or self.without is None or not np.isfinite(self.without).any():
            return None
        moved = np.abs(self.without - self.test.value)
        return float(np.nanmin(self.without)), float(np.nanmax(self.without)), int(np.nanargmax(moved))


def scale_for_means(v: Floats) -> Floats:
    """Return volumes on the scale on which draws are averaged: logarithms, or ranks where some have none."""
    return np.log(v) if np.isfinite(v).all() and (v > 0).all() else standard_ranks(v)


def link(
    statistic: str,
    v: Floats,
    medians: Floats,
    rated: Rated,
    looks: Looks,
    ranks: Floats | None = None,
    test: Tested | None = None,
) -> Link:
    """Return what a definition finds.

    Args:
        statistic: spearman, kendall_tau_b, mean_difference or auc.
        v: Draws of volume, shape (n_draws, n); minus infinity for none; for groups 1 and 0.
        medians: Median volumes, shape (n,); minus infinity for none.
        rated: Ratings of the same companies, with as many draws or more.
        looks: How hard to look; Kendall's statistic uses the first `n_draws_again` draws.
        ranks: `standard_ranks(v)`, where a caller has them already.
        test: The permutation test, where a caller has looked harder already.
    """
    n = v.shape[1]
    is_group = statistic in GROUP_STATISTICS
    if n < TRIPLE:
        return Link(n, "too_few_companies")
    if np.ptp(rated.points) == 0:
        return Link(n, "ratings_tied")
    if (v == v[:, :1]).all():
        return Link(n, "volumes_tied")
    if is_group:
        return _of_groups(statistic, v[0] > 0, rated, looks)
    return _of_ranks(statistic, v, medians, rated, looks, standard_ranks(v) if ranks is None else ranks, test)


def _of_ranks(statistic: str, v: Floats, medians: Floats, rated: Rated, looks: Looks, ranks: Floats, test: Tested | None) -> Link:
    """Return a link by ranks."""
    r = rated.r[: len(v)]
    lowest = np.where(np.isneginf(medians), np.finfo(float).min, medians)
    if statistic == "spearman":
        matrix = product_matrix(ranks, rated.ranks[: len(v)])
        test = test or permutation_test(matrix, arrangements(v, r), n_random=looks.n_random_again, seed=looks.seed)
        without = leave_one_out(ranks_without(v), rated.without[..., : len(v)])
        plain = plain_spearman(lowest, rated.points)
    else:
        some = slice(None, looks.n_draws_again)
        test = test or kendall_test(v[some], r[some], n_random=looks.n_random_pairs, seed=looks.seed)
        without = leave_one_out_kendall(v[some], r[some])
        plain = float(stats.kendalltau(lowest, rated.points).statistic)
    scaled = scale_for_means(v)
    reliabilities = reliability(scaled), rated.reliability
    return Link(
        n_companies=v.shape[1],
        reason="computed",
        test=test,
        plain=_number(plain),
        effect=corrected_effect(scaled, r, reliabilities),
        reliability_v=reliabilities[0],
        reliability_r=reliabilities[1],
        power=_number(rank_power(v.shape[1], LATENT_OF_INTEREST, *reliabilities)),
        without=without,
    )


def _of_groups(statistic: str, group: Groups, rated: Rated, looks: Looks) -> Link:
    """Return a link by membership, which is known and has no draws."""
    (matrix_of, effect_of, without_one, nothing), n_in = GROUP_STATISTICS[statistic], int(group.sum())
    n, r = group.size, rated.r
    ties = arrangements(group[None].astype(float), r)
    test = permutation_test(matrix_of(group, r), ties, n_random=looks.n_random_again, seed=looks.seed)
    return Link(
        n_companies=n,
        reason="computed" if min(n_in, n - n_in) >= PAIR else "one_company_is_a_group",
        test=replace(test, value=nothing + test.value),
        plain=nothing + float(np.trace(matrix_of(group, rated.points[None]))),
        effect=effect_of(group, r),
        reliability_v=1.0,
        reliability_r=rated.reliability,
        power=_number(group_power(n_in, n - n_in, LATENT_OF_INTEREST, rated.reliability)),
        without=without_one(group, r),
    )


def _number(x: float) -> float | None:
    """Return None for NaN: a table says null."""
    return None if np.isnan(x) else x
