"""Draws, quantiles and comparisons of what each company adds, holds and could train on, month by month.

What is a company's own is the sum over the platforms it owns that month, draw by draw. What it could use is that, times the share
its labs may reach, plus licensed video where on record, plus the public web, all less near-duplicates and, for hours after
filtering, times the filters' retention rate.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from math import fsum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from moat.uncertainty.assumptions import Assumptions, long_draws, quantile_columns, read_assumptions, stacked
from moat.uncertainty.seeds import Floats
from moat.volume.attribution import Term, log_linear_shares

GRAIN = ("company_id", "month", "draw")
CACHE = True
TABLES = {
    "int_company__volume_draws": ("company_id", "month", "draw"),
    "int_company__volume_quantiles": ("company_id", "month", "scenario_id"),
    "int_company__pair": ("company_a", "company_b", "month", "measure"),
    "int_company__importance": ("company_id", "measure", "input_id"),
    "int_volume__assumption_draws": ("assumption_name", "scope", "draw"),
}
COLUMNS = {
    "videos_per_day": "uploads_per_day", "hours_per_day": "upload_hours_per_day", "stock_videos": "stock_videos",
    "stock_hours": "stock_hours",
}  # fmt: skip
QUANTITIES = tuple(COLUMNS)
OWN = (*(f"first_party_{name}" for name in QUANTITIES), "available_first_party_hours", "usable_first_party_hours")
OWN_SHORT = ("first_party_short_videos_per_day", "first_party_short_hours_per_day", "first_party_short_stock_hours")
OTHERS = (
    "available_licensed_hours", "available_public_hours", "available_hours", "usable_hours", "short_available_hours",
    "short_usable_hours",
)  # fmt: skip
NULLABLE = (
    "first_party_videos_per_day",
    "first_party_hours_per_day",
    "first_party_stock_videos",
    "first_party_stock_hours",
    "available_first_party_hours",
    "usable_first_party_hours",
    "first_party_short_videos_per_day",
    "first_party_short_hours_per_day",
    "first_party_short_stock_hours",
    "first_party_videos_per_day_p05",
    "first_party_videos_per_day_p50",
    "first_party_videos_per_day_p95",
    "first_party_hours_per_day_p05",
    "first_party_hours_per_day_p50",
    "first_party_hours_per_day_p95",
    "first_party_stock_videos_p05",
    "first_party_stock_videos_p50",
    "first_party_stock_videos_p95",
    "first_party_stock_hours_p05",
    "first_party_stock_hours_p50",
    "first_party_stock_hours_p95",
    "available_first_party_hours_p05",
    "available_first_party_hours_p50",
    "available_first_party_hours_p95",
    "usable_first_party_hours_p05",
    "usable_first_party_hours_p50",
    "usable_first_party_hours_p95",
    "first_party_short_videos_per_day_p05",
    "first_party_short_videos_per_day_p50",
    "first_party_short_videos_per_day_p95",
    "first_party_short_hours_per_day_p05",
    "first_party_short_hours_per_day_p50",
    "first_party_short_hours_per_day_p95",
    "first_party_short_stock_hours_p05",
    "first_party_short_stock_hours_p50",
    "first_party_short_stock_hours_p95",
    "first_party_hours_per_day_mc_error",
    "first_party_stock_hours_mc_error",
    "assumption_id",
    "fact_id",
    "variance_removed_by_one_more",
)
COMPARED = ("first_party_hours_per_day", "first_party_stock_hours", "available_hours", "usable_hours")
PER_DAY, PUBLIC = "upload_hours_per_day", "stock_hours"  # measures inside the fit
INFORMED_BY = {"users": "users_monthly", "rate": "uploads_per_day", "duration": "duration_new"}  # what would inform a process
DROPPED = "without"
SCENARIOS = {  # and whose draws of platforms each takes; the one with draws to keep comes last
    "official_only": "official_only", "wide": "wide", "with_prior_only_platforms": "baseline", "baseline": "baseline",
}  # fmt: skip
PAIR = {"company_a": pl.String, "company_b": pl.String, "month": pl.Date, "measure": pl.String, "p_a_greater": pl.Float64}
SMALL = 5e-4  # shares below are summed up
Arrays = dict[str, Floats | None]
Bools = npt.NDArray[np.bool_]
Platforms = Mapping[str, Mapping[str, Floats]]


class Owned(NamedTuple):
    """Months in which a company's hold on a platform is of one kind.

    Attributes:
        platform_id: The platform.
        owned_part: The part of the world it covers.
        assumption: Name of the assumption for the share its labs reach.
        scope: For which that is drawn.
        is_in_totals: Whether it counts in the totals.
        is_short: Whether it is short video.
        months: Where these months lie in the grid.
    """

    platform_id: str
    owned_part: str
    assumption: str
    scope: str
    is_in_totals: bool
    is_short: bool
    months: npt.NDArray[np.intp]


class Company(NamedTuple):
    """What one company owns, licenses and states to have gathered.

    Attributes:
        owned: Its platforms that a statistic is about.
        prior_only: Its platforms without one; they count in one scenario.
        is_licensed: Whether licensed video is on record, by month.
        pool: Raw hours it states to have gathered, by month; 0 where it states none.
    """

    owned: tuple[Owned, ...]
    prior_only: tuple[Owned, ...]
    is_licensed: Bools
    pool: Floats


def model(
    int_platform__draws: pl.LazyFrame,
    int_platform__wide_draws: pl.LazyFrame,
    int_company__platform_access: pl.LazyFrame,
    int_company__other_access: pl.LazyFrame,
    int_company__disclosed_pool: pl.LazyFrame,
    int_platform__loading: pl.LazyFrame,
    int_platform__gain: pl.LazyFrame,
    int_platform__evidence: pl.LazyFrame,
    stg_reference__assumptions: pl.LazyFrame,
    settings: dict[str, Any],
) -> dict[str, pl.DataFrame | Iterator[pl.DataFrame]]:
    """Sum the platforms of each company in every scenario, and show which inputs its interval comes from."""
    table = stg_reference__assumptions.sort("assumption_id").collect()
    named = dict(zip(table["assumption_id"], table["name"], strict=True))
    factor = float(table.filter(pl.col("name") == "wide_factor")["p50"][0])
    since, n_draws = settings["company_draws_from"], settings["n_draws"]
    access = int_company__platform_access.filter(pl.col("month") >= since).sort("company_id", "platform_id", "month").collect()
    others = int_company__other_access.sort("company_id", "access_kind").collect()
    drawn = pl.concat([int_platform__draws, int_platform__wide_draws]).filter(pl.col("month") >= since)
    months = drawn.select(pl.col("month").unique().sort()).collect()["month"].to_list()
    pools = int_company__disclosed_pool.sort("company_id", "valid_from").collect()
    companies = _companies(access, others, pools, months, named)
    is_official = (pl.col("scenario_id") == "official_only") & (pl.col("n_observations") > 0)
    official = set(int_platform__evidence.filter(is_official).select(pl.col("platform_id").unique()).collect().to_series())
    quantiles: list[pl.DataFrame] = []
    baseline: dict[str, Arrays] = {}
    platforms: Platforms = {}
    taken = ""
    for scenario, fitted in SCENARIOS.items():
        if fitted != taken:
            taken, platforms = fitted, _platforms(drawn.filter(pl.col("scenario_id") == fitted), months)
        given = read_assumptions(table, seed=settings["seed"], n_draws=n_draws, widen=factor if scenario == "wide" else 1.0)
        without: tuple[Arrays, dict[str, pl.Series]] | None = None
        for name, company in companies.items():
            mine = company
            if scenario == "with_prior_only_platforms":
                mine = company._replace(owned=company.owned + company.prior_only)
            elif scenario == "official_only":  # a platform without an official statistic is prior alone there
                mine = company._replace(owned=tuple(one for one in company.owned if one.platform_id in official))
            if mine.owned or mine.is_licensed.any() or mine.pool.any():
                found = _volumes(name, mine, platforms, len(months), given)
                columns = quantile_columns(found, len(months), COMPARED)
            else:  # every such company reaches the same public web in every month
                without = without or _of_nobody(given, len(months))
                found, columns = without
            quantiles.append(pl.DataFrame({
                "company_id": [name] * len(months), "month": months, "scenario_id": [scenario] * len(months), **columns,
            }))  # fmt: skip
            if scenario == "baseline":
                baseline[name] = found
    loadings = int_platform__loading.collect()
    return {
        "int_company__volume_draws": (
            long_draws({"company_id": [name] * len(months), "month": months}, found, n_draws, pl.Float64)
            for name, found in baseline.items()
        ),
        "int_company__volume_quantiles": pl.concat(quantiles),
        "int_company__pair": _pairs(baseline, months),
        "int_company__importance": _importance(companies, platforms, months, given, loadings, int_platform__gain.collect()),
        "int_volume__assumption_draws": _assumption_draws(companies, given, n_draws),
    }


def _companies(
    access: pl.DataFrame, others: pl.DataFrame, pools: pl.DataFrame, months: list[date], named: dict[str, str]
) -> dict[str, Company]:  # fmt: skip
    """Return every company by name, in alphabetical order."""
    kinds = ("is_prior_only", "platform_id", "owned_part", "assumption_id", "scope", "is_in_totals", "is_short")
    place = {month: i for i, month in enumerate(months)}
    owned: dict[tuple[str, bool], list[Owned]] = {}
    for (company, alone, platform, part, assumption, scope, totals, short), rows in access.group_by(
        "company_id", *kinds, maintain_order=True
    ):
        at = np.array([place[month] for month in rows["month"]], dtype=np.intp)
        in_totals = bool(totals) or bool(alone)
        owned.setdefault((str(company), bool(alone)), []).append(
            Owned(str(platform), str(part), named[str(assumption)], str(scope), in_totals, bool(short), at)
        )
    licensed: dict[str, Bools] = {}
    for company, since in others.filter(pl.col("access_kind") == "licensed").select("company_id", "valid_from").iter_rows():
        licensed[company] = np.array([since is None or month >= since for month in months])
    stated: dict[str, Floats] = {}
    for company, since, hours in pools.select("company_id", "valid_from", "disclosed_pool_hours").iter_rows():
        stated.setdefault(company, np.zeros(len(months)))[[month >= since for month in months]] = hours  # they only grow
    never, none = np.zeros(len(months), dtype=bool), np.zeros(len(months))
    return {
        name: Company(
            tuple(owned.get((name, False), ())), tuple(owned.get((name, True), ())), licensed.get(name, never), stated.get(name, none)
        )
        for name in others["company_id"].unique().sort()
    }  # fmt: skip


def _platforms(drawn: pl.LazyFrame, months: list[date]) -> Platforms:
    """Return the arrays of every platform, with the lists they come from gone when they are there."""
    names = [f"{column}_draws" for column in COLUMNS.values()]
    ordered = drawn.select("platform_id", "month", *names).sort("platform_id", "month").collect()
    return {str(key): _arrays(mine, months) for (key,), mine in ordered.group_by("platform_id", maintain_order=True)}


def _arrays(mine: pl.DataFrame, months: list[date]) -> dict[str, Floats]:
    """Return uploads and hours of one platform over all months, zero before its launch, each of shape (M, n)."""
    first = months.index(mine["month"][0])
    found = {name: stacked(mine, f"{column}_draws") for name, column in COLUMNS.items()}
    return {name: np.vstack([np.zeros((first, values.shape[1])), values]) if first else values for name, values in found.items()}


def _owned_share(part: str, given: Assumptions) -> Floats:
    """Return the share of a platform that an ownership of a part of the world covers, shape (n,)."""
    if part == "whole":
        return np.ones(given.n_draws)
    inside = given.draw("tiktok_us_share")
    return inside if part == "us_only" else 1 - inside


def _retained(platform: str, given: Assumptions) -> Floats:
    """Return the share of a platform's hours that is left after filtering, shape (n,)."""
    ratio = np.exp(given.draw("yield_platform_ratio_log", platform))
    return np.minimum(given.draw("yield_hours_raw_to_pretrain") * ratio, 1.0)


def _volumes(name: str, company: Company, platforms: Platforms, n_months: int, given: Assumptions) -> Arrays:
    """Return every quantity of one company, each of shape (M, n), or None where it owns nothing of the kind."""
    shape = (n_months, given.n_draws)
    found: dict[str, Floats] = {column: np.zeros(shape) for column in (*OWN, *OWN_SHORT)}
    reach = {key: np.zeros(shape) for key in ("raw", "filtered", "short_raw", "short_filtered")}
    new = 1 - given.draw("dup_share_hours")
    owns, owns_short = np.zeros(n_months, dtype=bool), np.zeros(n_months, dtype=bool)
    for item in company.owned:
        at, share = item.months, _owned_share(item.owned_part, given)
        parts = {source: share * platforms[item.platform_id][source][at] for source in QUANTITIES}
        reached = given.draw(item.assumption, item.scope) * parts["stock_hours"]
        filtered = reached * _retained(item.platform_id, given)
        if item.is_in_totals:
            owns[at] = True
            for source, values in parts.items():
                found[f"first_party_{source}"][at] += values
            reach["raw"][at] += reached
            reach["filtered"][at] += filtered
        if item.is_short:
            owns_short[at] = True
            for target, source in zip(OWN_SHORT, ("videos_per_day", "hours_per_day", "stock_hours"), strict=True):
                found[target][at] += parts[source]
            reach["short_raw"][at] += reached
            reach["short_filtered"][at] += filtered
    licensed = np.where(company.is_licensed[:, None], given.draw("licensed_hours", name), 0.0)
    # what a company states to have gathered is the least it can reach; what its platforms and licences leave is from the public web
    public = np.maximum(given.draw("scrape_hours"), company.pool[:, None] - reach["raw"] - licensed)
    public, licensed = public * new, licensed * new
    elsewhere = public + licensed
    usable_elsewhere = elsewhere * np.minimum(given.draw("yield_hours_raw_to_pretrain"), 1.0)
    found["available_first_party_hours"] = reach["raw"] * new
    found["usable_first_party_hours"] = reach["filtered"] * new
    out: Arrays = {column: _known(found[column], owns) for column in OWN}
    out |= {column: _known(found[column], owns_short) for column in OWN_SHORT}
    return out | {
        "available_licensed_hours": licensed,
        "available_public_hours": public,
        "available_hours": reach["raw"] * new + elsewhere,
        "usable_hours": reach["filtered"] * new + usable_elsewhere,
        "short_available_hours": reach["short_raw"] * new + elsewhere,
        "short_usable_hours": reach["short_filtered"] * new + usable_elsewhere,
    }


def _of_nobody(given: Assumptions, n_months: int) -> tuple[Arrays, dict[str, pl.Series]]:
    """Return quantities and percentiles of a company that owns, licenses and states nothing: one month, repeated."""
    one = _volumes("", Company((), (), np.zeros(1, dtype=bool), np.zeros(1)), {}, 1, given)
    found: Arrays = {
        name: None if values is None else np.broadcast_to(values, (n_months, given.n_draws)) for name, values in one.items()
    }
    columns = quantile_columns(one, 1, COMPARED)
    return found, {name: values.new_from_index(0, n_months) for name, values in columns.items()}


def _known(values: Floats, months: Bools) -> Floats | None:
    """Return the values of the months a company owns something in; the others are unknown, never zero."""
    if months.all():
        return values
    return np.where(months[:, None], values, np.nan) if months.any() else None


def _pairs(baseline: dict[str, Arrays], months: list[date]) -> pl.DataFrame:
    """Return for pairs with at least one platform owner how often the first is larger, at quarter ends and the last month."""
    shown = [i for i, month in enumerate(months) if month.month % 3 == 0 or i == len(months) - 1]
    owners = {name for name, found in baseline.items() if found["first_party_stock_hours"] is not None}
    at_shown = {
        name: {measure: None if (values := found[measure]) is None else values[shown] for measure in COMPARED}
        for name, found in baseline.items()
    }  # fmt: skip
    parts = []
    for a in sorted(baseline):
        for b in sorted(baseline):
            if a >= b or not {a, b} & owners:
                continue
            for measure in COMPARED:
                x, y = at_shown[a][measure], at_shown[b][measure]
                if x is None or y is None:
                    continue
                both = np.flatnonzero(~np.isnan(x[:, 0] + y[:, 0]))
                greater = ((x > y).mean(axis=1) + 0.5 * (x == y).mean(axis=1))[both]
                parts.append({
                    "company_a": [a] * len(both), "company_b": [b] * len(both), "month": [months[shown[i]] for i in both],
                    "measure": [measure] * len(both), "p_a_greater": greater,
                })  # fmt: skip
    columns = {name: [value for part in parts for value in part[name]] for name in PAIR}
    return pl.DataFrame(columns, schema=PAIR)


class Inside(NamedTuple):
    """How inputs of the fit move the platforms, for one measure.

    Attributes:
        platforms: Their order.
        inputs: input_id, input_kind, assumption_id and fact_id of each row of loadings.
        loadings: Shape (rows, platforms).
        gains: By (input_id, observation_kind): what data more or less would change, shape (platforms,).
    """

    platforms: list[str]
    inputs: pl.DataFrame
    loadings: Floats
    gains: dict[tuple[str, str], Floats]


def _inside(measure: str, loadings: pl.DataFrame, gains: pl.DataFrame) -> Inside:
    """Return the loadings of one measure as arrays."""
    keys = ["input_id", "input_kind", "assumption_id", "fact_id", "part"]
    mine = loadings.filter(pl.col("measure") == measure).sort(*keys, "platform_id")
    platforms = mine["platform_id"].unique().sort().to_list()
    about = gains.filter(pl.col("measure") == measure).sort("input_id", "observation_kind", "platform_id")
    rows = about["log_loading"].to_numpy().reshape(-1, len(platforms))
    named = about[:: len(platforms)].select("input_id", "observation_kind").rows()
    return Inside(
        platforms, mine[:: len(platforms)].select(keys), mine["log_loading"].to_numpy().reshape(-1, len(platforms)),
        dict(zip(named, rows, strict=True)),
    )  # fmt: skip


def _importance(
    companies: dict[str, Company], platforms: Platforms, months: list[date], given: Assumptions, loadings: pl.DataFrame,
    gains: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """Return the shares of the log variance of each company's estimate in the last month; of one company and measure they sum to 1.

    The platforms' part is shared out over the statistics and priors behind it by their loadings inside the fit. What is not of first
    order is the interactions' share, which is not below 0.
    """
    inside = {measure: _inside(measure, loadings, gains) for measure in (PER_DAY, PUBLIC)}
    out: list[dict[str, Any]] = []
    for name, company in companies.items():
        for measure in COMPARED:
            terms = _terms(name, company, measure, platforms, len(months) - 1, given)
            if not terms:
                continue
            block_of = {f"platform:{key}": "platforms" for key in platforms}
            shares = log_linear_shares(terms, block_of)
            rows: dict[str, dict[str, Any]] = {}
            for block, share in shares.blocks.items():
                if block == "platforms":
                    rows |= _of_fit(inside[PER_DAY if measure == COMPARED[0] else PUBLIC], shares.weights, share, given)
                else:
                    assumption, _, scope = block.partition(":")
                    _add(rows, f"{given.ids[assumption]}:{scope}", "assumption", given.ids[assumption], None, share)
            kept = {key: row for key, row in rows.items() if row["variance_share"] >= SMALL}
            small = fsum(row["variance_share"] for key, row in rows.items() if key not in kept)
            _add(kept, "other_inputs", "remainder", None, None, small)
            _add(kept, "interactions", "interaction", None, None, shares.rest)
            out += [
                {"company_id": name, "measure": measure, "month": months[-1], "input_id": key, **row} for key, row in kept.items()
            ]
    schema = {
        "company_id": pl.String, "measure": pl.String, "month": pl.Date, "input_id": pl.String, "input_kind": pl.String,
        "assumption_id": pl.String, "fact_id": pl.String, "variance_share": pl.Float64, "variance_removed_by_one_more": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(out, schema=schema, orient="row")


def _terms(name: str, company: Company, measure: str, platforms: Platforms, month: int, given: Assumptions) -> list[Term]:
    """Return the terms whose sum is one company's estimate in a month, each with its factors; none where it owns nothing."""
    source = "hours_per_day" if measure == COMPARED[0] else "stock_hours"
    reaches, filters = measure in ("available_hours", "usable_hours"), measure == "usable_hours"
    new = {"dup_share_hours:all": 1 - given.draw("dup_share_hours")} if reaches else {}
    common = {"yield_hours_raw_to_pretrain:all": given.draw("yield_hours_raw_to_pretrain")} if filters else {}
    terms = []
    gathered = np.zeros(given.n_draws)
    for item in company.owned:
        values = platforms[item.platform_id][source][month]
        if not item.is_in_totals or month not in item.months or not values.any():
            continue
        factors = {f"platform:{item.platform_id}": values, **new}
        if item.owned_part != "whole":
            factors["tiktok_us_share:all"] = _owned_share(item.owned_part, given)
        if reaches:
            factors[f"{item.assumption}:{item.scope}"] = given.draw(item.assumption, item.scope)
        size = np.prod(list(factors.values()), axis=0)
        if reaches:
            gathered += size / new["dup_share_hours:all"]
        if filters:
            factors |= common
            factors[f"yield_platform_ratio_log:{item.platform_id}"] = np.exp(
                given.draw("yield_platform_ratio_log", item.platform_id)
            )
            size = size * _retained(item.platform_id, given)
        terms.append(Term(size, factors))
    if reaches:
        elsewhere = {"scrape_hours:all": given.draw("scrape_hours")}
        if company.is_licensed[month]:
            elsewhere[f"licensed_hours:{name}"] = given.draw("licensed_hours", name)
        retained = np.minimum(common["yield_hours_raw_to_pretrain:all"], 1.0) if filters else 1.0
        for key, values in elsewhere.items():
            gathered += values
            terms.append(Term(values * new["dup_share_hours:all"] * retained, {key: values, **new, **common}))
        stated = np.maximum(company.pool[month] - gathered, 0.0)  # of a stated pool, what nothing else gives
        terms.append(Term(stated * new["dup_share_hours:all"] * retained, {**new, **common}))
    return terms


def _of_fit(inside: Inside, weights: Mapping[str, float], share: float, given: Assumptions) -> dict[str, dict[str, Any]]:
    """Share the platforms' part out over the statistics and priors behind it."""
    of = np.array([weights.get(f"platform:{key}", 0.0) for key in inside.platforms])
    squares = (inside.loadings @ of) ** 2
    total = squares.sum()
    rows: dict[str, dict[str, Any]] = {}
    for (key, kind, assumption, fact, _), square in zip(inside.inputs.iter_rows(), squares, strict=True):
        if square > 0:
            _add(rows, key, kind, assumption, fact, float(share * square / total))
    for key, row in rows.items():
        process = next((name for name, own in given.ids.items() if own == row["assumption_id"]), "")
        scope = key.rpartition(":")[2]
        candidate = DROPPED if row["fact_id"] else INFORMED_BY.get(process.removeprefix("prior_").split("_")[0], "")
        gain = inside.gains.get((key if row["fact_id"] else scope, candidate))
        if gain is not None:
            row["variance_removed_by_one_more"] = float(share * (gain @ of) ** 2 / total)
    return rows


def _assumption_draws(companies: dict[str, Company], given: Assumptions, n_draws: int) -> pl.DataFrame:
    """Return the published draws of every assumption that acts after the fit, in the scope it is drawn for."""
    scopes = {(name, "all") for name in ("dup_share_hours", "scrape_hours", "yield_hours_raw_to_pretrain", "tiktok_us_share")}
    for name, company in companies.items():
        for item in company.owned:
            scopes |= {("yield_platform_ratio_log", item.platform_id), (item.assumption, item.scope)}
        if company.is_licensed.any():
            scopes.add(("licensed_hours", name))
    ordered = sorted(scopes)
    keys = {
        "assumption_name": [name for name, _ in ordered],
        "scope": [scope for _, scope in ordered],
        "assumption_id": [given.ids[name] for name, _ in ordered],
    }
    values = {"assumption_value": np.array([given.draw(name, scope) for name, scope in ordered])}
    return long_draws(keys, values, n_draws, pl.Float64)


def _add(rows: dict[str, dict[str, Any]], key: str, kind: str, assumption: str | None, fact: str | None, share: float) -> None:
    """Add a share to an input that may serve several terms."""
    row = rows.setdefault(key, {
        "input_kind": kind, "assumption_id": assumption, "fact_id": fact, "variance_share": 0.0, "variance_removed_by_one_more": None,
    })  # fmt: skip
    row["variance_share"] += share
