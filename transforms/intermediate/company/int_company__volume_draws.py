"""Draws, quantiles and comparisons of what each company adds, holds and could train on, month by month.

A company's own part is the sum over the platforms it owns that month, draw by draw. What it could use is that, times the
share its labs may reach, plus licensed video where on record, plus the public web, all less near-repeats and, for usable
hours, times the filters' yield.
"""

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from moat.uncertainty.assumptions import Assumptions, long_draws, quantile_columns, read_assumptions, stacked
from moat.uncertainty.seeds import Floats
from moat.volume.attribution import eta_squared

GRAIN = ("company_id", "month", "draw")
CACHE = True
TABLES = {
    "int_company__volume_draws": ("company_id", "month", "draw"),
    "int_company__volume_quantiles": ("company_id", "month", "scenario_id"),
    "int_company__pair": ("company_a", "company_b", "month", "measure"),
    "int_company__importance": ("company_id", "measure", "input_id"),
    "int_volume__assumption_draws": ("assumption_name", "scope", "draw"),
}
OWN = (
    "first_party_videos_per_day", "first_party_hours_per_day", "first_party_stock_videos", "first_party_stock_hours",
    "available_first_party_hours", "usable_first_party_hours",
)  # fmt: skip
OWN_SHORT = ("first_party_short_videos_per_day", "first_party_short_hours_per_day", "first_party_short_stock_hours")
OTHERS = (
    "available_licensed_hours", "available_public_hours", "available_hours", "usable_hours", "short_available_hours",
    "short_usable_hours",
)  # fmt: skip
COLUMNS = (*OWN[:4], *OWN_SHORT, *OWN[4:], *OTHERS)
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
    "assumption_id",
    "fact_id",
    "variance_removed_by_one_more",
)
COMPARED = ("first_party_hours_per_day", "first_party_stock_hours", "available_hours", "usable_hours")
FLOW, STOCK = "upload_hours_per_day", "stock_hours"  # measures inside the fit
SAYS = {"users": "users_monthly", "rate": "uploads_per_day", "duration": "duration_new"}  # what would tell of a process
SCENARIOS = ("official_only", "wide", "no_prior_only_platforms", "baseline")  # the one with draws to keep comes last
PAIR = {"company_a": pl.String, "company_b": pl.String, "month": pl.Date, "measure": pl.String, "p_a_greater": pl.Float64}
SMALL = 5e-4  # shares below are summed up
Arrays = dict[str, Floats | None]
Bools = npt.NDArray[np.bool_]


def model(
    int_platform__draws: pl.LazyFrame,
    int_company__platform_access: pl.LazyFrame,
    int_company__other_access: pl.LazyFrame,
    int_platform__observation_use: pl.LazyFrame,
    int_platform__attribution: pl.LazyFrame,
    int_platform__worth: pl.LazyFrame,
    stg_reference__assumptions: pl.LazyFrame,
    stg_reference__volume_series: pl.LazyFrame,
    stg_reference__platforms: pl.LazyFrame,
    settings: dict[str, Any],
) -> dict[str, pl.DataFrame]:
    """Sum the platforms of each company in every scenario, and say which inputs its interval comes from."""
    table = stg_reference__assumptions.sort("assumption_id").collect()
    named = dict(zip(table["assumption_id"], table["name"], strict=True))
    factor = float(table.filter(pl.col("name") == "wide_factor")["p50"][0])
    since = settings["company_draws_from"]
    access = int_company__platform_access.filter(pl.col("month") >= since).sort("company_id", "platform_id", "month").collect()
    others = int_company__other_access.sort("company_id", "access_kind").collect()
    observed = set(
        int_platform__observation_use.filter(pl.col("is_used") & pl.col("log_value").is_not_null())
        .select("platform_id").unique().collect()["platform_id"]
    )  # fmt: skip
    parents = (
        stg_reference__volume_series.filter(pl.col("share_assumption_id").is_not_null())
        .join(stg_reference__platforms, on="platform_id")
        .select("platform_id", "parent_platform_id")
        .collect()
    )
    observed |= {part for part, parent in parents.iter_rows() if parent in observed}
    draws: list[pl.DataFrame] = []
    quantiles: list[pl.DataFrame] = []
    rest: dict[str, pl.DataFrame] = {}
    for scenario in SCENARIOS:
        fitted = "baseline" if scenario == "no_prior_only_platforms" else scenario
        drawn = (
            int_platform__draws.filter((pl.col("scenario_id") == fitted) & (pl.col("month") >= since))
            .sort("platform_id", "month")
            .collect()
        )
        n_draws = drawn["stock_hours_draws"].list.len()[0]
        given = read_assumptions(table, seed=settings["seed"], n_draws=n_draws, widen=factor if scenario == "wide" else 1.0)
        months = drawn["month"].unique().sort().to_list()
        platforms = {mine["platform_id"][0]: _arrays(mine, months) for mine in drawn.partition_by("platform_id")}
        del drawn  # the lists are a quarter of a gigabyte, and are arrays by now
        mine = access.filter(pl.col("platform_id").is_in(sorted(observed))) if scenario == "no_prior_only_platforms" else access
        published: dict[str, Arrays] = {}
        for company, kinds in others.group_by("company_id", maintain_order=True):
            name = str(company[0])
            own = mine.filter(pl.col("company_id") == name)
            # without a platform and with nothing dated, every month is the first
            is_steady = own.is_empty() and kinds["valid_from"].is_null().all()
            found = _company(name, kinds, own, platforms, months[:1] if is_steady else months, given, named)
            quantiles.append(_quantile_rows(name, scenario, months, found))
            if scenario == "baseline":
                n = settings["n_published_draws"]
                shown = {
                    column: None if values is None else np.broadcast_to(values[:, :n], (len(months), n))
                    for column, values in found.items()
                }
                keys = {"company_id": [name] * len(months), "month": months}
                draws.append(long_draws(keys, shown, n, pl.Float64))
                published[name] = {  # copies: a view would keep all draws of all columns in memory
                    measure: None if (values := shown[measure]) is None else values.copy() for measure in COMPARED
                }
        if scenario == "baseline":
            shares, worths = int_platform__attribution.collect(), int_platform__worth.collect()
            rest = {
                "int_company__pair": _pairs(published, months),
                "int_company__importance": _importance(others, access, platforms, months, given, named, shares, worths),
                "int_volume__assumption_draws": _assumption_draws(others, access, given, named, settings["n_published_draws"]),
            }
    return {"int_company__volume_draws": pl.concat(draws), "int_company__volume_quantiles": pl.concat(quantiles), **rest}


def _arrays(mine: pl.DataFrame, months: list[date]) -> dict[str, Floats]:
    """Return flow and stock of one platform over all months, zero before its launch, each of shape (M, n)."""
    first = months.index(mine["month"][0])
    videos, seconds, stock_videos, stock_hours = (
        stacked(mine, f"{name}_draws") for name in ("uploads_per_day", "mean_duration_seconds", "stock_videos", "stock_hours")
    )
    found = {
        "videos_per_day": videos, "hours_per_day": videos * seconds / 3600, "stock_videos": stock_videos, "stock_hours": stock_hours,
    }  # fmt: skip
    return {name: np.vstack([np.zeros((first, values.shape[1])), values]) for name, values in found.items()}


def _owned_share(part: str, given: Assumptions) -> Floats | float:
    """Return the share of a platform that an ownership of a part of the world covers."""
    if part == "whole":
        return 1.0
    inside = given.draw("tiktok_us_share")
    return inside if part == "us_only" else 1 - inside


def _company(
    name: str, kinds: pl.DataFrame, access: pl.DataFrame, platforms: dict[str, dict[str, Floats]], months: list[date],
    given: Assumptions, named: dict[str, str],
) -> Arrays:  # fmt: skip
    """Return every quantity of one company, each of shape (M, n), or None where it owns nothing of the kind."""
    shape = (len(months), given.n_draws)
    found: dict[str, Floats] = {column: np.zeros(shape) for column in (*OWN, *OWN_SHORT)}
    reach = {key: np.zeros(shape) for key in ("raw", "filtered", "short_raw", "short_filtered")}
    new = 1 - given.draw("dup_share_hours")
    common = given.draw("yield_hours_raw_to_pretrain")
    owns, owns_short = np.zeros(len(months), dtype=bool), np.zeros(len(months), dtype=bool)
    for row in access.iter_rows(named=True):
        i, values = months.index(row["month"]), platforms.get(row["platform_id"])
        if values is None:
            continue
        owned = _owned_share(row["owned_part"], given)
        assumption = named[row["assumption_id"]]
        scope = row["scope"]
        reached = owned * given.draw(assumption, scope) * values["stock_hours"][i]
        kept = np.minimum(common * np.exp(given.draw("yield_platform_ratio_log", row["platform_id"])), 1.0)
        if row["is_in_totals"]:
            owns[i] = True
            for target, source in zip(OWN[:4], ("videos_per_day", "hours_per_day", "stock_videos", "stock_hours"), strict=True):
                found[target][i] += owned * values[source][i]
            reach["raw"][i] += reached
            reach["filtered"][i] += reached * kept
        if row["is_short"]:
            owns_short[i] = True
            for target, source in zip(OWN_SHORT, ("videos_per_day", "hours_per_day", "stock_hours"), strict=True):
                found[target][i] += owned * values[source][i]
            reach["short_raw"][i] += reached
            reach["short_filtered"][i] += reached * kept
    public = np.broadcast_to(given.draw("scrape_hours") * new, shape)
    licensed = np.zeros(shape)
    for row in kinds.filter(pl.col("access_kind") == "licensed").iter_rows(named=True):
        since = np.array([row["valid_from"] is None or month >= row["valid_from"] for month in months])
        licensed[since] = given.draw("licensed_hours", name) * new
    elsewhere = public + licensed
    found["available_first_party_hours"] = reach["raw"] * new
    found["usable_first_party_hours"] = reach["filtered"] * new
    usable_elsewhere = elsewhere * np.minimum(common, 1.0)
    own_hours, own_usable = reach["raw"] * new, reach["filtered"] * new
    out: Arrays = {column: _known(found[column], owns) for column in OWN}
    out |= {column: _known(found[column], owns_short) for column in OWN_SHORT}
    return out | {
        "available_licensed_hours": licensed,
        "available_public_hours": np.array(public),
        "available_hours": own_hours + elsewhere,
        "usable_hours": own_usable + usable_elsewhere,
        "short_available_hours": reach["short_raw"] * new + elsewhere,
        "short_usable_hours": reach["short_filtered"] * new + usable_elsewhere,
    }


def _known(values: Floats, months: Bools) -> Floats | None:
    """Return the values of the months a company owns something in; the others are unknown, never zero."""
    if not months.any():
        return None
    return np.where(months[:, None], values, np.nan)


def _quantile_rows(name: str, scenario: str, months: list[date], found: Arrays) -> pl.DataFrame:
    """Return the quantiles of one company in one scenario, one row a month, from draws of all months or of the first."""
    n_months, n_rows = len(months), len(next(values for values in found.values() if values is not None))
    columns = quantile_columns(found, n_rows)
    if n_rows == 1:
        columns = {column: values.new_from_index(0, n_months) for column, values in columns.items()}
    return pl.DataFrame({
        "company_id": [name] * n_months, "month": months, "scenario_id": [scenario] * n_months, **columns,
    })  # fmt: skip


def _pairs(published: dict[str, Arrays], months: list[date]) -> pl.DataFrame:
    """Return for pairs with at least one platform owner how often the first is larger, at quarter ends and the last month."""
    shown = [i for i, month in enumerate(months) if month.month % 3 == 0 or i == len(months) - 1]
    owners = {name for name, found in published.items() if found["first_party_stock_hours"] is not None}
    parts = []
    for a in sorted(published):
        for b in sorted(published):
            if a >= b or not {a, b} & owners:
                continue
            for measure in COMPARED:
                x, y = published[a][measure], published[b][measure]
                if x is None or y is None:
                    continue
                both = [i for i in shown if not np.isnan(x[i, 0] + y[i, 0])]
                greater = (x[both] > y[both]).mean(axis=1) + 0.5 * (x[both] == y[both]).mean(axis=1)
                parts.append({
                    "company_a": [a] * len(both), "company_b": [b] * len(both), "month": [months[i] for i in both],
                    "measure": [measure] * len(both), "p_a_greater": greater,
                })  # fmt: skip
    return pl.concat([pl.DataFrame(part, schema=PAIR) for part in parts])


def _importance(
    others: pl.DataFrame,
    access: pl.DataFrame,
    platforms: dict[str, dict[str, Floats]],
    months: list[date],
    given: Assumptions,
    named: dict[str, str],
    attribution: pl.DataFrame,
    worth: pl.DataFrame,
) -> pl.DataFrame:
    """Return first-order shares of the log variance of each company's answer in the last month.

    Inputs are each platform's draws and one standard normal per assumption and scope. A platform's share is handed on to
    the observations and priors behind it by the exact shares inside the fit. What the first order leaves is interaction.
    """
    last = len(months) - 1
    now = {key: {source: values[source][last:] for source in values} for key, values in platforms.items()}
    out: list[dict[str, Any]] = []
    for name in sorted(set(others["company_id"])):
        mine = access.filter((pl.col("company_id") == name) & (pl.col("month") == months[last]) & pl.col("is_in_totals"))
        kinds = others.filter(pl.col("company_id") == name)
        found = _company(name, kinds, mine, now, months[last:], given, named)
        for measure in COMPARED:
            answer = found[measure]
            if answer is None:
                continue
            inputs = _inputs(name, measure, mine, kinds, now, given, named)
            shares = eta_squared(np.array(list(inputs.values())), np.log(answer[0]))
            rows: dict[str, dict[str, Any]] = {}
            for (kind, key), share in zip(inputs, shares, strict=True):
                if kind == "assumption":
                    assumption, _, scope = key.partition(":")
                    _add(rows, f"{given.ids[assumption]}:{scope}", "assumption", given.ids[assumption], None, float(share), None)
                else:
                    _hand_on(rows, key, FLOW if measure == COMPARED[0] else STOCK, float(share), named, attribution, worth)
            small = sum(row["variance_share"] for row in rows.values() if row["variance_share"] < SMALL)
            kept = {key: row for key, row in rows.items() if row["variance_share"] >= SMALL}
            _add(kept, "other_inputs", "remainder", None, None, small, None)
            _add(kept, "interactions", "interaction", None, None, 1 - sum(row["variance_share"] for row in kept.values()), None)
            out += [
                {"company_id": name, "measure": measure, "month": months[last], "input_id": key, **row}
                for key, row in kept.items()
            ]
    schema = {
        "company_id": pl.String,
        "measure": pl.String,
        "month": pl.Date,
        "input_id": pl.String,
        "input_kind": pl.String,
        "assumption_id": pl.String,
        "fact_id": pl.String,
        "variance_share": pl.Float64,
        "variance_removed_by_one_more": pl.Float64,
    }
    return pl.DataFrame(out, schema=schema, orient="row")


def _inputs(
    name: str,
    measure: str,
    mine: pl.DataFrame,
    kinds: pl.DataFrame,
    now: dict[str, dict[str, Floats]],
    given: Assumptions,
    named: dict[str, str],
) -> dict[tuple[str, str], Floats]:
    """Return the draws of everything one answer is a function of, by (kind, key)."""
    source = "hours_per_day" if measure == COMPARED[0] else "stock_hours"
    reaches = measure in ("available_hours", "usable_hours")
    inputs: dict[tuple[str, str], Floats] = {}
    for row in mine.iter_rows(named=True):
        key = row["platform_id"]
        inputs["platform", key] = np.log(now[key][source][0] + 1e-12)
        if row["owned_part"] != "whole":
            inputs["assumption", "tiktok_us_share:all"] = given.z("tiktok_us_share")
        if reaches:
            assumption = named[row["assumption_id"]]
            scope = row["scope"]
            inputs["assumption", f"{assumption}:{scope}"] = given.z(assumption, scope)
        if measure == "usable_hours":
            inputs["assumption", f"yield_platform_ratio_log:{key}"] = given.z("yield_platform_ratio_log", key)
    if reaches:
        inputs["assumption", "dup_share_hours:all"] = given.z("dup_share_hours")
        inputs["assumption", "scrape_hours:all"] = given.z("scrape_hours")
        if "licensed" in kinds["access_kind"].to_list():
            inputs["assumption", f"licensed_hours:{name}"] = given.z("licensed_hours", name)
    if measure == "usable_hours":
        inputs["assumption", "yield_hours_raw_to_pretrain:all"] = given.z("yield_hours_raw_to_pretrain")
    return inputs


def _hand_on(
    rows: dict[str, dict[str, Any]],
    platform: str,
    inner: str,
    share: float,
    named: dict[str, str],
    attribution: pl.DataFrame,
    worth: pl.DataFrame,
) -> None:
    """Hand a platform's share on to the observations and priors behind its draws."""
    inside = attribution.filter((pl.col("platform_id") == platform) & (pl.col("measure") == inner))
    about = worth.filter((pl.col("platform_id") == platform) & (pl.col("measure") == inner))
    gains = dict(about.select("observation_kind", "variance_removed").iter_rows())
    if inside.is_empty():  # a part that is an assumed share of a platform
        _add(rows, f"share:{platform}", "assumption", None, None, share, None)
    for row in inside.iter_rows(named=True):
        process = named.get(row["assumption_id"] or "", "").removeprefix("prior_").split("_")[0]
        is_own = row["input_id"].endswith(f":{platform}")
        gain = gains.get(SAYS.get(process, "")) if is_own else row["variance_without"]
        _add(
            rows,
            row["input_id"],
            row["input_kind"],
            row["assumption_id"],
            row["fact_id"],
            share * row["variance_share"],
            None if gain is None else share * gain,
        )


def _assumption_draws(
    others: pl.DataFrame, access: pl.DataFrame, given: Assumptions, named: dict[str, str], n_draws: int
) -> pl.DataFrame:
    """Return the published draws of every assumption that acts after the fit, in the scope it is drawn for."""
    scopes = {(name, "all") for name in ("dup_share_hours", "scrape_hours", "yield_hours_raw_to_pretrain", "tiktok_us_share")}
    for platform, assumption, scope in access.select("platform_id", "assumption_id", "scope").unique().iter_rows():
        scopes |= {("yield_platform_ratio_log", platform), (named[assumption], scope)}
    scopes |= {("licensed_hours", company) for company in others.filter(pl.col("access_kind") == "licensed")["company_id"]}
    ordered = sorted(scopes)
    keys = {
        "assumption_name": [name for name, _ in ordered],
        "scope": [scope for _, scope in ordered],
        "assumption_id": [given.ids[name] for name, _ in ordered],
    }
    values = {"assumption_value": np.array([given.draw(name, scope) for name, scope in ordered])}
    return long_draws(keys, values, n_draws, pl.Float64)


def _add(
    rows: dict[str, dict[str, Any]],
    key: str,
    kind: str,
    assumption: str | None,
    fact: str | None,
    share: float,
    gain: float | None,
) -> None:
    """Add a share to an input that may serve several platforms."""
    row = rows.setdefault(key, {
        "input_kind": kind, "assumption_id": assumption, "fact_id": fact, "variance_share": 0.0, "variance_removed_by_one_more": None,
    })  # fmt: skip
    row["variance_share"] += share
    if gain is not None:
        row["variance_removed_by_one_more"] = (row["variance_removed_by_one_more"] or 0.0) + gain
