"""Forecasts of ratings in the order of release, their scores, and whether knowing owners and their hours predicts the next model better.

`int_moat__forecast` holds retrospective forecasts of the newest captures and those of models to come; `int_moat__forecast_score` their
scores by quarter; `int_moat__predicted` the finding of question `prediction` and `int_moat__predicted_perturbed` its perturbations.
"""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from moat.link import forecast, rule
from moat.link.effects import Permuted, sign_flips
from moat.link.field import Field, Flags
from moat.link.forecast import PREDICTORS, Predicted
from moat.link.mixed import Floats
from moat.link.perturb import Context, perturbations
from moat.link.tables import DAYS_OF_YEAR, EPOCH, MEASURES, context_of, known_of_owners, names_of, read_field, read_hours

CACHE = True
SMALLEST = 0.05  # smallest gain of interest in log score per forecast
N_RANDOM = 9_999
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DECIMALS = 4
KEY = ("as_of_kind", "as_of_on")
ESTIMATE = ("estimate", "estimate_p05", "estimate_p95", "p_permutation")
TABLES = {
    "int_moat__forecast": ("board_id", "entry_key", "company_id", "forecast_model"),
    "int_moat__forecast_score": ("as_of_kind", "as_of_on", "forecast_model", "quarter_on"),
    "int_moat__predicted": ("as_of_kind", "as_of_on"),
    "int_moat__predicted_perturbed": ("as_of_kind", "as_of_on", "perturbation"),
}
NULLABLE = (
    "model_id", "rating", "rating_se", "pit", "log_score", "crps", "leads_probability", "estimate", "estimate_p05", "estimate_p95",
    "p_permutation", "min_possible_p",
)  # fmt: skip


def model(
    int_moat__panel: pl.LazyFrame,
    int_company__volume_draws: pl.LazyFrame,
    int_company__evidence: pl.LazyFrame,
    int_volume__assumption_draws: pl.LazyFrame,
    settings: dict[str, Any],
) -> dict[str, pl.DataFrame]:
    """Walk through the days of release of every choice of captures, and forecast models to come from the newest."""
    panel = int_moat__panel.filter(pl.col("board_role") == "primary").sort("board_id", "entry_key").collect()
    owners = panel.filter("owns_platform")["company_id"].unique()
    months = panel.select(first=pl.col("volume_month").min(), last=pl.col("volume_month").max()).row(0)
    drawn = (
        int_company__volume_draws.filter(pl.col("company_id").is_in(owners.implode()), pl.col("month").is_between(*months))
        .filter(pl.col("usable_first_party_hours").is_not_null())
        .select("company_id", "month", "draw", *MEASURES)
        .collect()
    )
    owned = read_hours(drawn)
    common = known_of_owners(owned, drawn, int_company__evidence, int_volume__assumption_draws, months[1])
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    done: dict[tuple[Any, ...], dict[str, list[dict[str, Any]]]] = {}
    order = pl.col("as_of_kind").replace_strict({"newest": 0, "story": 1, "quarter": 2}, return_dtype=pl.Int8)
    for kind, day in panel.select(KEY).unique().sort(order, "as_of_on").iter_rows():
        entries = panel.filter(pl.col("as_of_kind") == kind, pl.col("as_of_on") == day)
        captures = tuple(entries.select(pl.format("{} {}", "board_id", "captured_on").unique().sort()).to_series())
        if captures not in done:
            field = read_field(entries, owned)
            done[captures] = predict(kind, entries, field, context_of(entries, owned, common), settings["seed"])
            if kind == "newest":
                rows["int_moat__forecast"] += done[captures].pop("int_moat__forecast", []) + issue(day, entries, field)
        for name in set(done[captures]) - ({"int_moat__forecast_score"} if kind == "quarter" else set()):
            rows[name] += [{"as_of_kind": kind, "as_of_on": day} | row for row in done[captures][name]]
    return {
        name: pl.DataFrame(found, infer_schema_length=None).with_columns(pl.col(pl.Float64).round(DECIMALS)).sort(TABLES[name])
        for name, found in rows.items()
    }


def predict(kind: str, entries: pl.DataFrame, field: Field, context: Context, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Forecast every entry from models released before it, score the forecasts, and find what volume adds."""
    walked = {name: forecast.walk(name, field) for name in PREDICTORS}
    scored: Flags = np.isfinite(sum(found.mean for found in walked.values()))
    counts = {
        "n_companies": len(np.unique(field.company[scored])), "n_models": len(np.unique(field.model[scored])),
        "n_owners": len(np.unique(field.company[scored & field.is_owner])),
    }  # fmt: skip
    if scored.sum() < forecast.FEWEST_ENTRIES or counts["n_owners"] == 0:
        empty = dict.fromkeys((*ESTIMATE, "min_possible_p"))
        undecided = {"smallest_effect": SMALLEST, "verdict": "cannot_tell", "verdict_reason": "too_few_companies"}
        return {"int_moat__predicted": [empty | counts | undecided]}
    logs = {name: found.log_score(field.rating) for name, found in walked.items()}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES if name != "int_moat__forecast" or kind == "newest"}
    if kind == "newest":
        rows["int_moat__forecast"] = [
            row for name in PREDICTORS for row in entry_rows(entries, field, scored, name, walked[name])
        ]
    crps = {name: found.crps(field.rating) for name, found in walked.items()}
    rows["int_moat__forecast_score"] = score_rows(entries, field, scored, logs, crps, seed)
    primary, test = gain(field, logs, scored, seed)
    word, reason = verdict(primary)
    rows["int_moat__predicted"] = [
        estimate_of(primary)
        | counts
        | {"smallest_effect": SMALLEST, "min_possible_p": test.min_p, "verdict": word, "verdict_reason": reason}
    ]
    companies, boards = names_of(entries, "company_id"), names_of(entries, "board_id")
    apart = [(f"without {companies[c]}", scored & (field.company != c)) for c in np.unique(field.company[scored])]
    apart += [(f"without {boards[b]}", scored & (field.board != b)) for b in np.unique(field.board[scored])]
    for name, chosen in apart:
        again, _ = gain(field, logs, chosen, seed)
        rows["int_moat__predicted_perturbed"].append({"perturbation": name, "verdict": verdict(again)[0]} | estimate_of(again))
    if kind != "quarter" or word != "cannot_tell":
        rows["int_moat__predicted_perturbed"] += [
            walked_again(change.name, change.changed(), field, walked, seed)
            for change in perturbations(field, context)
            if "prediction" in change.questions
        ]
    return rows


def walked_again(name: str, changed: Field, field: Field, walked: dict[str, Predicted], seed: int) -> dict[str, Any]:
    """Return the row of a perturbation that changes what the forecasts are made from: hours alone, which only some read, or more."""
    is_same = all(values is changed.by_entry[part] for part, values in field.by_entry.items())
    again = ("volume", "size_and_volume") if is_same else ("date", "volume", "size", "size_and_volume")
    known = walked | {predictor: forecast.walk(predictor, changed, walked[predictor]) for predictor in again}
    scored: Flags = np.isfinite(sum(known[predictor].mean for predictor in again))
    if scored.sum() < forecast.FEWEST_ENTRIES or not (scored & changed.is_owner).any():
        return {"perturbation": name, "verdict": "cannot_tell"} | dict.fromkeys(ESTIMATE)
    logs = {predictor: known[predictor].log_score(changed.rating) for predictor in ("date", "volume", "size", "size_and_volume")}
    evidence, _ = gain(changed, logs, scored, seed)
    return {"perturbation": name, "verdict": verdict(evidence)[0]} | estimate_of(evidence)


def gain(field: Field, logs: dict[str, Floats], chosen: Flags, seed: int) -> tuple[rule.Evidence, Permuted]:
    """Return what owning and hours add to date and openness, and beside it what they add once size is known."""
    company = field.company[chosen]
    plain = (logs["volume"] - logs["date"])[chosen]
    totals = np.bincount(np.unique(company, return_inverse=True)[1], weights=plain).astype(np.float64)
    test = sign_flips(totals, N_RANDOM, np.random.default_rng([seed, 63]))
    beside_size = float((logs["size_and_volume"] - logs["size"])[chosen].mean())
    estimate, low, high = forecast.gain_interval(plain, company, seed)
    return rule.Evidence(estimate, low, high, test.p, rule.Evidence(beside_size, low, high, test.p)), test


def verdict(evidence: rule.Evidence) -> tuple[str, str]:
    """Return the verdict on a gain: one of which less than a third is left once size is known is not one of volume."""
    beside_size = evidence.without_size
    if beside_size is not None and evidence.is_clear and beside_size.estimate < rule.VANISHED * evidence.estimate:
        return "not_supported", "vanishes_with_size"
    return rule.verdict(replace(evidence, without_size=None), SMALLEST)


def estimate_of(evidence: rule.Evidence) -> dict[str, float | None]:
    """Return the columns of an estimate."""
    return {
        "estimate": evidence.estimate,
        "estimate_p05": evidence.p05,
        "estimate_p95": evidence.p95,
        "p_permutation": evidence.p,
    }


def score_rows(
    entries: pl.DataFrame, field: Field, scored: Flags, logs: dict[str, Floats], crps: dict[str, Floats], seed: int
) -> list[dict[str, Any]]:
    """Return mean scores and gains of all forecasts up to the end of each quarter of release."""
    quarters = entries["released_on"].dt.truncate("1q").to_numpy()
    rows = []
    for name in PREDICTORS:
        for quarter in np.unique(quarters[scored]):
            chosen = scored & (quarters <= quarter)
            row = {
                "forecast_model": name, "quarter_on": quarter.astype("datetime64[D]").item(), "n_forecasts": int(chosen.sum()),
                "n_companies": len(np.unique(field.company[chosen])), "log_score": float(logs[name][chosen].mean()), "crps": float(crps[name][chosen].mean()),
            }  # fmt: skip
            for other in ("date", "owning", "size"):
                found = forecast.gain_interval((logs[name] - logs[other])[chosen], field.company[chosen], seed)
                row |= dict(zip((f"gain_over_{other}", f"gain_over_{other}_p05", f"gain_over_{other}_p95"), found, strict=True))
            rows.append(row)
    return rows


def distributions(found: Predicted) -> list[dict[str, float]]:
    """Return centre, scale, degrees of freedom and quantiles of each forecast."""
    names = (f"forecast_p{round(100 * q):02d}" for q in QUANTILES)
    table = {"forecast_mean": found.mean, "forecast_scale": found.scale, "degrees_of_freedom": found.df}
    table |= dict(zip(names, found.quantiles(QUANTILES).T, strict=True))
    return pl.DataFrame(table).to_dicts()


def entry_rows(entries: pl.DataFrame, field: Field, scored: Flags, name: str, found: Predicted) -> list[dict[str, Any]]:
    """Return retrospective forecasts with their scores."""
    shapes = distributions(found)
    scores = {"pit": found.pit(field.rating), "log_score": found.log_score(field.rating), "crps": found.crps(field.rating)}
    until = entries["captured_on"].max()
    rows = []
    for i in np.flatnonzero(scored).tolist():
        row = entries.row(i, named=True)
        kept = {
            column: row[column]
            for column in (
                "board_id",
                "entry_key",
                "company_id",
                "model_id",
                "released_on",
                "rating",
                "rating_se",
                "citation_ids",
            )
        }
        made = {"forecast_model": name, "captured_until": until, "is_retrospective": True, "leads_probability": None}
        rows.append(kept | made | {key: float(values[i]) for key, values in scores.items()} | shapes[i])
    return rows


def issue(day: date, entries: pl.DataFrame, field: Field) -> list[dict[str, Any]]:
    """Forecast the next entry of every company on every board, released on the day of the newest capture and like its last in kind."""
    order = entries.with_row_index("i").sort("released_on", "rating", "entry_key")
    last = np.sort(order.group_by("board_id", "company_id", maintain_order=True).last()["i"].to_numpy())
    coming = replace(
        field.only(np.isin(np.arange(len(entries)), last)), model=int(field.model.max()) + 1 + np.arange(len(last)), rating=np.zeros(len(last)),
        day=np.full(len(last), (day - EPOCH).days / DAYS_OF_YEAR), month=np.full(len(last), field.hours.own.shape[1] - 1),
        se=np.array([np.median(field.se[field.board == field.board[i]]) for i in last]),
    )  # fmt: skip
    leaders = {
        board: max(np.flatnonzero(field.board == board), key=lambda i: field.rating[i]) for board in np.unique(field.board)
    }
    rows = []
    for name in PREDICTORS:
        found = forecast.ahead(name, field, coming)
        first = [leaders[field.board[i]] for i in last.tolist()]
        chances = found.chance_above(field.rating[first], field.se[first])
        for i, shape, chance in zip(last.tolist(), distributions(found), chances.tolist(), strict=True):
            row = entries.row(i, named=True)
            rows.append({
                "board_id": row["board_id"], "entry_key": f"next:{row['company_id']}", "company_id": row["company_id"], "model_id": None,
                "forecast_model": name, "released_on": day, "captured_until": day, "is_retrospective": False, "rating": None, "rating_se": None,
                "leads_probability": chance, "citation_ids": row["citation_ids"], "pit": None, "log_score": None, "crps": None,
            } | shape)  # fmt: skip
    return rows
