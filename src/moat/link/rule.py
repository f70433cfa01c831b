"""The rule of decision 0060: from an interval, a p and a table of perturbations to one verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, log10
from typing import Literal

Verdict = Literal["supported", "not_supported", "cannot_tell"]
MAX_P = 0.05
DIGITS = 2
VANISHED = 1 / 3  # less than this share left after controlling for size


@dataclass(frozen=True)
class Evidence:
    """What the rule reads of one specification.

    Attributes:
        estimate: The estimate.
        p05: Lower end of the 90 % interval.
        p95: Upper end.
        p: Permutation p; None where the interval includes zero and it was not computed.
        without_size: For questions about size, the same without size; else None.
    """

    estimate: float
    p05: float
    p95: float
    p: float | None
    without_size: "Evidence | None" = None

    @property
    def is_clear(self) -> bool:
        """Whether the interval lies above zero and p is below its limit."""
        return self.p05 > 0 and self.p is not None and self.p < MAX_P

    @property
    def has_vanished(self) -> bool:
        """Whether there is an effect without size of which less than a third is left."""
        other = self.without_size
        return other is not None and other.is_clear and self.estimate < VANISHED * other.estimate


def verdict(evidence: Evidence, smallest: float) -> tuple[Verdict, str]:
    """Return the verdict of one specification and its reason.

    Args:
        evidence: Interval, p and, for the question about size, the same without size.
        smallest: Smallest effect of interest, in the unit of the estimate.
    """
    if evidence.is_clear:
        return "supported", "above_zero"
    if evidence.p95 < smallest:
        return "not_supported", "below_smallest_effect"
    if evidence.has_vanished:
        return "not_supported", "vanishes_with_size"
    return "cannot_tell", "interval_too_wide" if evidence.p05 <= 0 else "chance_does_as_well"


def robust(primary: tuple[Verdict, str], perturbed: Iterable[tuple[str, Verdict]]) -> tuple[Verdict, str, list[str]]:
    """Return the verdict that survives every perturbation, its reason, and the perturbations that do not agree.

    Args:
        primary: Verdict and reason of the primary specification.
        perturbed: Perturbations with their verdicts.
    """
    other = [name for name, found in perturbed if found != primary[0]]
    if primary[0] == "cannot_tell" or not other:
        return *primary, other
    return "cannot_tell", "changes_under_a_perturbation", other


def owners_needed(evidence: Evidence, smallest: float, n_owners: int) -> int | None:
    """Return about how many owners the same estimate would need for a verdict, if intervals narrow with their square root."""
    low, high = evidence.estimate - evidence.p05, evidence.p95 - evidence.estimate
    to_support = low / evidence.estimate if evidence.estimate > 0 else inf
    to_reject = high / (smallest - evidence.estimate) if evidence.estimate < smallest else inf
    ratio = min(to_support, to_reject) ** 2
    return ceil(n_owners * ratio) if 1 < ratio < inf else None


def two_digits(value: float, sign: str = "-") -> str:
    """Return a number with two significant digits, or whole where it is larger; never with an exponent.

    Args:
        value: The number.
        sign: `+` to show the sign of positive numbers too.
    """
    if value == 0 or not isfinite(value):
        return f"{value:g}"
    places = max(DIGITS - 1 - floor(log10(abs(float(f"{value:.{DIGITS}g}")))), 0)  # of the rounded number: 9.96 is 10
    rounded = round(value, places)
    return f"{rounded:{sign}.{places}f}" if rounded else "0"


def interval_text(estimate: float | None, low: float | None, high: float | None) -> str | None:
    """Return an estimate with its 90 % interval for readers, as `62 (23 to 102)`; None where there is none."""
    if estimate is None or low is None or high is None:
        return None
    return f"{two_digits(estimate)} ({two_digits(low)} to {two_digits(high)})"
