"""The verdict for one board on one day, by a rule written down before any number was looked at.

The rule stands in `docs/decisions/0010-what-would-count.md`, its thresholds in `data/reference/moat_thresholds.csv`.
"""

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from datamoat.errors import ContentError
from moat.link.association import (
    TRIPLE,
    Effect,
    Groups,
    Tested,
    arrangements,
    corrected_effect,
    hold_fixed,
    partial_test,
    permutation_test,
    product_matrix,
    projection,
    ranks_without,
    reliability,
    standard_ranks,
    worst_p_without_one,
)
from moat.uncertainty.seeds import Floats

Verdict: TypeAlias = Literal["supported", "not_supported", "cannot_tell"]


@dataclass(frozen=True)
class Thresholds:
    """What counts as enough; the reasons are with the numbers, in the reference table."""

    min_n_companies: float
    min_n_with_platform: float
    min_volume_reliability: float
    max_p: float
    max_p_leave_one_out: float
    min_partial_share: float
    vanishing_partial_share: float
    effect_of_interest: float

    @classmethod
    def from_rows(cls, rows: dict[str, float]) -> "Thresholds":
        """Return the thresholds from (threshold_id, value); rows for other uses are ignored.

        Raises:
            ContentError: One is missing.
        """
        missing = sorted({field.name for field in fields(cls)} - set(rows))
        if missing:
            raise ContentError(
                f"no threshold {', '.join(missing)}", "data/reference/moat_thresholds.csv", "add the row; see decision 0010."
            )
        return cls(**{field.name: rows[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class Evidence:
    """What the headline's test found on one board and day; None where it could not be computed."""

    n_companies: int
    n_with_platform: int
    are_ratings_tied: bool
    are_volumes_tied: bool
    volume_reliability: float | None = None
    rating_reliability: float | None = None
    effect: Effect | None = None
    test: Tested | None = None
    partial: float | None = None
    p_partial: float | None = None
    worst_p_without_one: float | None = None
    carrier: int | None = None


@dataclass(frozen=True)
class Looks:
    """How hard to look.

    Attributes:
        n_random: Permutations of the headline's test, and of the test without the company that raises p most.
        n_random_again: Of other definitions, of the headline's partial tests and of the search for that company.
        n_random_pairs: Of Kendall's statistic, which runs over pairs of pairs.
        n_draws_other: Draws, from the first, for definitions other than the headline.
        n_draws_again: Draws, from the first, for Kendall's statistic and for partial tests of other definitions.
        seed: Of all permutations.
    """

    n_random: int = 99_999
    n_random_again: int = 1_999
    n_random_pairs: int = 999
    n_draws_other: int = 400
    n_draws_again: int = 200
    seed: int = 0


def examine(v: Floats, r: Floats, owners: Groups, controls: Floats, rule: Thresholds, looks: Looks) -> Evidence:
    """Return what the headline's test finds.

    Args:
        v: Draws of log volume, shape (n_draws, n_companies).
        r: Draws of the best rating, same shape; a board whose ratings are all equal comes as equal draws.
        owners: Which companies own a platform, shape (n_companies,).
        controls: What is held fixed in the partial test, shape (n_companies, k).
        rule: The thresholds; leaving one out is looked at only where the rest of the rule can still be met.
        looks: How hard to look.
    """
    n = v.shape[1]
    tied = [bool((x == x[:, :1]).all()) for x in (r, v)]
    if n < TRIPLE or any(tied):
        return Evidence(n, int(owners.sum()), tied[0], tied[1])
    ranks_v, ranks_r, reliabilities = standard_ranks(v), standard_ranks(r), (reliability(v), reliability(r))
    test = permutation_test(product_matrix(ranks_v, ranks_r), arrangements(v, r), n_random=looks.n_random, seed=looks.seed)
    held = hold_fixed(ranks_r, projection(controls), n_random=looks.n_random_again, seed=looks.seed)
    partial = partial_test(ranks_v, held)
    worst = carrier = None
    if n >= rule.min_n_companies and test.value > 0 and test.p < rule.max_p:
        worst, carrier = worst_p_without_one(
            ranks_without(v), ranks_without(r), n_random=looks.n_random, n_random_again=looks.n_random_again, seed=looks.seed
        )
    return Evidence(
        n_companies=n,
        n_with_platform=int(owners.sum()),
        are_ratings_tied=False,
        are_volumes_tied=False,
        volume_reliability=reliabilities[0],
        rating_reliability=reliabilities[1],
        effect=corrected_effect(v, r, reliabilities),
        test=test,
        partial=None if partial is None else partial.value,
        p_partial=None if partial is None else partial.p,
        worst_p_without_one=worst,
        carrier=carrier,
    )


def untestable(found: Evidence, rule: Thresholds) -> str | None:
    """Return why there is nothing to test, as a word, or None if there is."""
    if found.n_companies < rule.min_n_companies:
        return "too_few_companies"
    if found.n_with_platform < rule.min_n_with_platform:
        return "too_few_platform_owners"
    if found.are_ratings_tied:
        return "ratings_tied"
    if found.are_volumes_tied:
        return "volumes_tied"
    if found.volume_reliability is None or found.volume_reliability < rule.min_volume_reliability:
        return "volumes_too_uncertain"
    return None


def judge(found: Evidence, rule: Thresholds) -> tuple[Verdict, str]:
    """Return the verdict and, as a word, the reason that decided it."""
    nothing = untestable(found, rule)
    if nothing is not None:
        return "cannot_tell", nothing
    if found.test is None or found.effect is None:
        return "cannot_tell", "not_computable"
    spearman = found.test.value
    is_positive = spearman > 0 and found.test.p < rule.max_p
    kept = None if found.partial is None or spearman <= 0 else found.partial / spearman
    doubts = [
        ("test_not_positive", not is_positive),
        ("interval_includes_zero", found.effect.p05 <= 0),
        ("one_company_carries_it", found.worst_p_without_one is None or found.worst_p_without_one > rule.max_p_leave_one_out),
        ("partly_date_and_openness", kept is None or kept < rule.min_partial_share),
    ]
    doubt = next((word for word, holds in doubts if holds), None)
    if doubt is None:
        return "supported", "all_conditions_met"
    if found.effect.p95 < rule.effect_of_interest:
        return "not_supported", "effect_below_interest"
    if is_positive and kept is not None and kept < rule.vanishing_partial_share:
        return "not_supported", "explained_by_date_and_openness"
    return "cannot_tell", doubt
