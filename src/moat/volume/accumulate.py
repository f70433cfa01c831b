"""Cumulative totals over months with losses, draw by draw."""

import numpy as np

from moat.uncertainty.seeds import Floats

MONTH_N_DAYS = 30.4375  # 365.25 / 12


def public_total(per_day: Floats, *, early_loss: Floats | float = 0.0, late_hazard: Floats | float = 0.0) -> Floats:
    """Return what was added up to and including each month and is still there.

    An early loss takes its share of every month's additions at once; afterwards a constant hazard takes its share of
    the whole every month. Both are exponential, so one running sum is exact.

    Args:
        per_day: Additions per day of each month, shape (T, n) or (T,).
        early_loss: Share lost within the first months, shape (n,) or a number.
        late_hazard: Yearly hazard afterwards, shape (n,) or a number.

    Returns:
        The total at the end of each month, same shape; a month's own additions have age 0.
    """
    keep = np.exp(-np.asarray(late_hazard) / 12)
    added = per_day * MONTH_N_DAYS * (1 - np.asarray(early_loss))
    out = np.empty_like(added)
    running = np.zeros_like(added[0])
    for month, new in enumerate(added):
        running = running * keep + new
        out[month] = running
    return np.asarray(out)
