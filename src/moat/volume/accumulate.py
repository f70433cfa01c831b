"""Cumulative totals over months with losses, draw by draw."""

import numpy as np

from moat.uncertainty.seeds import Floats

MONTH_N_DAYS = 30.4375  # 365.25 / 12


def public_total(
    per_day: Floats, *, early_loss: Floats | float = 0.0, late_hazard: Floats | float = 0.0, early_months: float = 0.0
) -> Floats:
    """Return what was added up to and including each month and is still there.

    A share of every month's additions is lost early, most of it within `early_months`; what is there also falls by a constant
    hazard. Both are exponential, so two running sums are exact.

    Args:
        per_day: Additions per day of each month, shape (T, n) or (T,).
        early_loss: Share lost early, shape (n,) or a number.
        late_hazard: Yearly hazard, shape (n,) or a number.
        early_months: Months in which all but a third of the early loss happens; 0 for at once.

    Returns:
        The total at the end of each month, same shape; a month's own additions have age 0.
    """
    hazard = np.exp(-np.asarray(late_hazard) / 12)
    early = np.exp(-1 / early_months) * hazard if early_months > 0 else 0.0 * hazard
    added = per_day * MONTH_N_DAYS
    out = np.empty_like(added)
    lasting, passing = np.zeros_like(added[0]), np.zeros_like(added[0])
    for month, new in enumerate(added):
        lasting = lasting * hazard + new * (1 - np.asarray(early_loss))
        passing = passing * early + (new * np.asarray(early_loss) if early_months > 0 else 0.0)
        out[month] = lasting + passing
    return np.asarray(out)
