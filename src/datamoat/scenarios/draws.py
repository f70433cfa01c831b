"""What if, at once: assumptions that act after the fit are held at a number in the published draws.

Volumes and verdicts are worked out anew from them. No table is built; what the fit depends on is refused here.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from datamoat.errors import UsageError
from datamoat.project.sql import read_snippet
from datamoat.scenarios.verdicts import Verdicts, at_hand, verdicts_if
from datamoat.settings import Settings

ACCESS = "access."  # access.COMPANY.PLATFORM: the share of its platform a company's labs may reach
NONE = "none"
# The platforms and months that the last month's volumes and the readings at hand need, and no more of the draws than that.
NEEDED = """
    create table marts.company_platform as
        select p.* from published.marts.company_platform as p
        where p.month = (select max(month) from published.marts.company_platform)
            or (p.company_id, p.month) in (select (company_id, volume_month) from marts.company_moat);
    create table marts.platform_volume_draws as
        select v.platform_id, v.month, v.draw, v.upload_hours_per_day, v.stock_hours
        from published.marts.platform_volume_draws as v semi join marts.company_platform using (platform_id, month);
    create view marts.company_volume as from published.marts.company_volume;
    create table marts.assumption_draws as from published.marts.assumption_draws;
"""
MACROS = ("moat_whatif", "whatif_moat_draws")
QUANTITIES = ("first_party_hours_per_day", "first_party_stock_hours", "available_hours", "usable_hours")


@dataclass(frozen=True)
class Answer:
    """What follows.

    Attributes:
        columns: What the columns of `volumes` are called.
        volumes: By company: quantiles before and after, and the ratio of the medians; the median that moves by most hours first.
        verdicts: As published, and as they would be.
        n_draws: How many draws both sides come from.
    """

    columns: tuple[str, ...]
    volumes: list[tuple[Any, ...]]
    verdicts: Verdicts
    n_draws: int


def answer_from_draws(
    settings: Settings,
    numbers: Mapping[str, str],
    quantity: str = "usable_hours",
    told: Callable[[tuple[str, ...], list[tuple[Any, ...]], int], None] = lambda *_: None,
) -> Answer | None:
    """Return volumes and verdicts with some assumptions held at a number; None where one of them acts before the fit.

    Args:
        settings: Where the published file and the content are.
        numbers: By assumption id or name, or `access.COMPANY.PLATFORM`: one number, or `none`.
        quantity: Which volume to compare.
        told: Called with the volumes as soon as they are known; the verdicts take a moment more.

    Raises:
        UsageError: A number is none or impossible, or nobody has such an access or quantity.
    """
    with at_hand(settings) as con:
        if not _act_after_the_fit(con, numbers):
            return None
        if quantity not in QUANTITIES:
            raise UsageError(f"the draws have no {quantity}", "--of", f"choose one of {', '.join(QUANTITIES)}.")
        con.execute(NEEDED)
        for name in MACROS:
            con.execute(read_snippet(settings.content / "transforms" / "macros" / f"{name}.sql", {"description"}).sql)
        before = _volumes(con, quantity)
        for name, value in numbers.items():
            _hold(con, name, value)
        after = {row[0]: row for row in _volumes(con, quantity)}
        changed = [
            (*row, *after[row[0]][1:], after[row[0]][2] / row[2])
            for row in before
            if row[0] in after and row[2] and any(abs(a - b) > 1e-9 * b for a, b in zip(after[row[0]][1:], row[1:], strict=True))
        ]
        changed.sort(key=lambda row: (-abs(row[5] - row[2]), row[0]))
        n_draws = con.sql("select max(draw) as n from marts.assumption_draws").fetchall()[0][0]
        columns = ("company_id", *(f"{side}_{end}" for side in ("before", "after") for end in ("p05", "p50", "p95")), "ratio")
        told(columns, changed, n_draws)
        return Answer(columns, changed, verdicts_if(settings, con, "from marts.whatif_moat_draws()"), n_draws)


def number_of(name: str, value: str, distribution: str) -> float:
    """Return a number that was typed, if what has this distribution can be it: a share is within 0 and 1, an amount not below 0.

    Raises:
        UsageError: It is no number, or cannot be this one.
    """
    try:
        number = float(value)
    except ValueError as failure:
        raise UsageError(f"{value!r} is no number", f"--set {name}", "say a number, or none for an access.") from failure
    if not math.isfinite(number):
        raise UsageError(f"{value!r} is not finite", f"--set {name}", "say a number.")
    if distribution == "beta" and not 0 <= number <= 1:
        raise UsageError(f"{value} is not a share", f"--set {name}", "say a number from 0 to 1.")
    if distribution == "lognormal" and number < 0:
        raise UsageError(f"{value} is below 0, and an amount cannot be", f"--set {name}", "say 0 or more.")
    return number


def _act_after_the_fit(con: duckdb.DuckDBPyConnection, numbers: Mapping[str, str]) -> bool:
    """Return whether every number asked for can be set in the draws."""
    drawn = {name for (name,) in con.sql("select distinct assumption_name from published.marts.assumption_draws").fetchall()}
    names = dict(con.sql("select assumption_id, name from published.meta.assumptions").fetchall())
    return all(
        "," not in value and (name.startswith(ACCESS) or names.get(name, name) in drawn) for name, value in numbers.items()
    )


def _hold(con: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    """Hold one assumption at a number in the draws."""
    if not name.startswith(ACCESS):
        own, distribution = con.execute(
            "select name, distribution from published.meta.assumptions where assumption_id = ? or name = ?", [name, name]
        ).fetchall()[0]
        con.execute(
            "update marts.assumption_draws set assumption_value = ? where assumption_name = ?",
            [number_of(name, value, distribution), own],
        )
        return
    company, _, platform = name.removeprefix(ACCESS).partition(".")
    number = 0.0 if value.lower() == NONE else number_of(name, value, "beta")
    scopes = con.execute(
        "select distinct scope from published.marts.company_platform where company_id = ? and platform_id = ?",
        [company, platform],
    ).fetchall()
    if not scopes:
        raise UsageError(
            f"{company} has no access to {platform} to change", f"--set {name}", "marts.company_platform lists who owns what."
        )
    con.execute(
        "update marts.assumption_draws set assumption_value = ?"
        " where starts_with(assumption_name, 'access_') and list_contains(?, scope)",
        [number, [scope for (scope,) in scopes]],
    )


def _volumes(con: duckdb.DuckDBPyConnection, quantity: str) -> list[tuple[str, float, float, float]]:
    """Return the quantiles of a volume by company, in the last month."""
    ends = ", ".join(f"{quantity}_{end}" for end in ("p05", "p50", "p95"))
    return con.sql(
        f"select company_id, {ends} from marts.moat_whatif() where {quantity}_p50 is not null order by company_id"
    ).fetchall()
