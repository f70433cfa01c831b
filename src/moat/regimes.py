"""Level shifts of a daily series that has back-fills, outages and weekly rhythm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW = 14  # days on either side
GAP = 21  # days between two shifts at least
FACTOR = 1.9  # times the level before, up or down
FEWEST = 7  # days with a value on either side


@dataclass(frozen=True)
class Shift:
    """One shift of level.

    Attributes:
        index: The first day of the new level, counted from zero.
        factor: The new level over the one before.
    """

    index: int
    factor: float


def level_shifts(
    values: NDArray[np.float64], *, window: int = WINDOW, gap: int = GAP, factor: float = FACTOR
) -> tuple[Shift, ...]:
    """Return the shifts of level in a series of positive daily values, in order of time.

    The level before and after a day is the median of the logarithms of `window` days; a median is not moved by a
    back-fill or an outage of less than half a window, nor by a weekly rhythm as `window` is a multiple of seven. The
    largest shift is taken first and days nearer than `gap` to it are left out, until none reaches `factor`
    (non-maximum suppression).

    Args:
        values: Shape (days,), one for every calendar day; NaN or zero where a day is missing.
        window: Days on either side.
        gap: Least number of days between two shifts.
        factor: The least factor, up or down.

    Returns:
        No shift nearer than `window` days to either end of the series.
    """
    logs = np.full(len(values), np.nan)
    logs[values > 0] = np.log(values[values > 0])
    change = np.zeros(len(values))
    for day in range(window, len(values) - window + 1):
        before, after = logs[day - window : day], logs[day : day + window]
        before, after = before[np.isfinite(before)], after[np.isfinite(after)]
        if min(len(before), len(after)) >= FEWEST:
            change[day] = np.median(after) - np.median(before)
    size = np.abs(change)
    found = []
    while len(size) and size.max() >= np.log(factor):
        day = int(size.argmax())
        found.append(Shift(day, float(np.exp(change[day]))))
        size[max(0, day - gap + 1) : day + gap] = 0.0
    return tuple(sorted(found, key=lambda shift: shift.index))


def level(values: NDArray[np.float64], *, window: int = WINDOW) -> float:
    """Return the level at the begin of a stretch: the median of its first days with a value, in logarithms; NaN without any."""
    first = values[:window]
    first = first[first > 0]
    return float(np.exp(np.median(np.log(first)))) if len(first) else float("nan")
