"""The six questions asked of the newest captures, of those nearest to the day of the story, and of every quarter.

One row a question in `int_moat__answer`, with its verdict by the rule of decision 0060; one row a specification in
`int_moat__effect`; one row a question and perturbation in `int_moat__robustness`; forecasts in the order of release, and those
issued now, in `int_moat__forecast` with their scores in `int_moat__forecast_score`; pairs of generations in `int_moat__dose`.
"""

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, get_args

import numpy as np
import polars as pl

from moat.link import dose, effects, forecast, rule
from moat.link.field import Field, Flags, Hours
from moat.link.mixed import Floats, reml
from moat.link.perturb import Context, perturbations
from moat.link.questions import Finding, Question, design, find

CACHE = True
STORY = date(2026, 5, 14)  # the day of the press story whose claims are tested
CONTESTED = ("x", "taobao", "facebook")  # platforms that a fair reader might call short or not
SMALLEST = {"owning": 20.0, "amount": 20.0, "short": 20.0, "size": 20.0, "prediction": 0.05, "dose": 20.0}
UNIT = {
    "owning": "points",
    "amount": "points per doubling of hours",
    "short": "points per doubling of the share of short video",
    "size": "points",
    "prediction": "log score per forecast",
    "dose": "points per doubling of disclosed data",
}
N_RANDOM = 9_999  # random orders of companies, where there are too many to try all
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DECIMALS = 4
DAYS_OF_YEAR = 365.25
TABLES = {
    "int_moat__answer": ("as_of_kind", "as_of_on", "question_id"),
    "int_moat__effect": ("as_of_kind", "as_of_on", "board_id", "specification_id"),
    "int_moat__robustness": ("as_of_kind", "as_of_on", "question_id", "perturbation"),
    "int_moat__forecast": ("board_id", "entry_key", "company_id", "forecast_model"),
    "int_moat__forecast_score": ("as_of_kind", "as_of_on", "forecast_model", "quarter_on"),
    "int_moat__dose": ("pair_id", "board_id", "captured_on"),
    "int_moat__panel": ("as_of_kind", "as_of_on", "board_id", "entry_key"),
}
NULLABLE = (
    "estimate", "estimate_p05", "estimate_p95", "p_permutation", "min_possible_p", "n_owners_needed", "estimate_without_size",
    "within_se", "between_sd", "monte_carlo_se", "degrees_of_freedom", "company_sd", "model_sd", "residual_sd", "model_id", "rating", "rating_se", "pit", "log_score", "crps",
    "leads_probability", "gain_over_date", "gain_over_date_p05", "gain_over_date_p95", "gain_over_size", "gain_over_size_p05", "gain_over_size_p95", "dose_ratio",
    "rating_change", "expected_change", "n_doublings", "change_per_doubling", "size_measure", "size_usd", "usable_hours_p50", "short_share_p50",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Everything that does not depend on the captures chosen.

    Attributes:
        entries: Ranked entries of every complete capture, with place of the owner, month and size.
        companies: Names of companies; an index is a place in it. Likewise boards, models, owners.
        hours: Hours of owners by month and draw.
        shares: Share of each owner's hours that is on each platform, by platform.
    """

    entries: pl.DataFrame
    companies: list[str]
    boards: list[str]
    models: list[str]
    owners: list[str]
    first_month: date
    hours: Hours
    reached: Floats
    unobserved: Flags
    shares: dict[str, Floats]
    short: dict[str, bool]
    unverified: list[str]
    behind: pl.DataFrame
    assumption_ids: list[str]
    seed: int


@dataclass(frozen=True)
class AsOf:
    """One choice of captures: its kind and day, its entries as a frame and as a field."""

    kind: str
    day: date
    frame: pl.DataFrame
    source: Source

    @cached_property
    def field(self) -> Field:
        """The entries as arrays."""
        return to_field(self.frame, self.source)

    @cached_property
    def context(self) -> Context:
        """What the perturbations need."""
        frame, source = self.frame, self.source
        revenue = frame["revenue_usd"].fill_null(float("nan")).to_numpy()
        return Context(
            source.companies, source.boards, source.owners, source.unobserved, source.reached,
            {name: (source.shares[name], source.short[name]) for name in CONTESTED if name in source.shares},
            {name: source.shares[name] for name in source.unverified if name in source.shares},
            frame.select("first_rating", "first_rating_se").to_numpy(), np.log10(revenue), frame["is_size_later"].to_numpy(),
        )  # fmt: skip

    @property
    def key(self) -> dict[str, Any]:
        """The key of its rows."""
        return {"as_of_kind": self.kind, "as_of_on": self.day}

    @cached_property
    def reasons(self) -> dict[str, list[str]]:
        """The captures it is over, and the pages and assumptions behind it."""
        frame, behind = self.frame, self.source.behind
        mine = behind.join(frame.select("company_id", month="volume_month").unique(), on=["company_id", "month"], how="semi")
        pages = pl.concat([frame["citation_ids"], mine["citation_ids"], frame["size_citation_ids"].drop_nulls()])
        return {
            "captures": frame.select(pl.format("{} {}", "board_id", "captured_on").unique().sort()).to_series().to_list(),
            "citation_ids": pages.explode().drop_nulls().unique().sort().to_list(),
            "assumption_ids": sorted({*mine["assumption_ids"].explode(), *self.source.assumption_ids}),
        }


def model(
    int_moat__entry: pl.LazyFrame,
    int_moat__board: pl.LazyFrame,
    int_company__volume_draws: pl.LazyFrame,
    int_company__platform_access: pl.LazyFrame,
    int_company__evidence: pl.LazyFrame,
    int_company__size: pl.LazyFrame,
    int_platform__volume_quantiles: pl.LazyFrame,
    int_volume__assumption_draws: pl.LazyFrame,
    stg_reference__company_resources: pl.LazyFrame,
    stg_reference__platform_ownership: pl.LazyFrame,
    stg_reference__dose_pairs: pl.LazyFrame,
    stg_reference__assumptions: pl.LazyFrame,
    settings: dict[str, Any],
) -> dict[str, pl.DataFrame]:
    """Ask every question of every choice of captures."""
    entries = with_sizes(
        int_moat__entry.join(int_moat__board.select("board_id", "board_role"), on="board_id")
        .sort("board_id", "captured_on", "entry_key")
        .collect(),
        int_company__size.sort("company_id", "public_on").collect(),
        revenues(stg_reference__company_resources),
    )
    source = to_source(
        entries, int_company__volume_draws, int_company__platform_access, int_company__evidence,
        int_platform__volume_quantiles, int_volume__assumption_draws, stg_reference__platform_ownership, stg_reference__assumptions, settings["seed"],
    )  # fmt: skip
    pairs = stg_reference__dose_pairs.filter("is_usable").sort("pair_id").collect()
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    primary = source.entries.filter(pl.col("board_role") == "primary")
    done: dict[tuple[str, ...], AsOf] = {}
    for as_of in choices(primary, source):
        rows["int_moat__panel"] += panel_rows(as_of)
        same = done.setdefault(tuple(as_of.reasons["captures"]), as_of)
        if same is not as_of:  # a quarter whose last captures are the newest
            for name in ("int_moat__answer", "int_moat__effect", "int_moat__robustness"):
                rows[name] += [
                    row | as_of.key for row in rows[name] if row["as_of_kind"] == same.kind and row["as_of_on"] == same.day
                ]
            continue
        findings, answers = ask(as_of, rows)
        answers["prediction"] = predict(as_of, rows)
        answers["dose"] = doses(as_of, pairs, rows)
        rows["int_moat__effect"] += specifications(as_of, findings)
        if as_of.kind == "newest":
            rows["int_moat__forecast"] += issue(as_of)
            rows["int_moat__effect"].append(against_controls(as_of, source))
        rows["int_moat__answer"] += [answer_row(as_of, question, answers[question]) for question in SMALLEST]
    return {name: framed(name, found) for name, found in rows.items()}


def revenues(resources: pl.LazyFrame) -> pl.DataFrame:
    """Return yearly revenue by company from the day on which it counts as public."""
    return (
        resources.filter(
            pl.col("is_usable"), pl.col("quantity") == "revenue", pl.col("resource_scope") == "group", pl.col("value_usd") > 0,
            pl.col("verification") != "UNVERIFIED",
        )
        .group_by("company_id", public_on=pl.col("as_of_on").dt.offset_by("90d"))
        .agg(revenue_usd=pl.col("value_usd").max())
        .sort("company_id", "public_on")
        .collect()
    )  # fmt: skip


def with_sizes(entries: pl.DataFrame, sizes: pl.DataFrame, revenue: pl.DataFrame) -> pl.DataFrame:
    """Add size and revenue as last public before release, or else the first after it."""
    firsts = sizes.group_by("company_id", maintain_order=True).first()
    out = entries
    for frame, value in ((sizes, "value_usd"), (revenue, "revenue_usd")):
        first = frame.group_by("company_id", maintain_order=True).agg(pl.col(value).first().alias(f"first_{value}"))
        last = frame.select("company_id", "public_on", value)
        out = (
            out.sort("released_on", "board_id", "captured_on", "entry_key")
            .join_asof(
                last.sort("public_on", "company_id"),
                left_on="released_on",
                right_on="public_on",
                by="company_id",
                check_sortedness=False,
            )
            .drop("public_on")
            .join(first, on="company_id", how="left")
        )
    return (
        out.join(firsts.select("company_id", "size_measure", size_citation_ids="citation_ids"), on="company_id", how="left")
        .with_columns(
            size_usd=pl.coalesce("value_usd", "first_value_usd"),
            revenue_usd=pl.coalesce("revenue_usd", "first_revenue_usd"),
            is_size_later=pl.col("value_usd").is_null() & pl.col("first_value_usd").is_not_null(),
        )
        .sort("board_id", "captured_on", "entry_key")
    )


def to_source(
    entries: pl.DataFrame, drawn: pl.LazyFrame, access: pl.LazyFrame, evidence: pl.LazyFrame, platform_volume: pl.LazyFrame,
    assumed: pl.LazyFrame, ownership: pl.LazyFrame, chosen: pl.LazyFrame, seed: int,
) -> Source:  # fmt: skip
    """Return everything that does not depend on the captures chosen, as arrays."""
    entries = entries.with_columns(model_key=pl.concat_str("company_id", pl.coalesce("model_id", "entry_key"), separator="/"))
    names = {name: sorted(entries[name].unique()) for name in ("company_id", "board_id", "model_key")}
    owned = (
        access.filter("is_in_totals", pl.col("company_id").is_in(names["company_id"]))
        .sort("company_id", "month", "platform_id")
        .collect()
    )
    owners = sorted(owned["company_id"].unique())
    first, last = min(entries["volume_month"]), max(entries["volume_month"])
    measures = (
        "usable_hours",
        "short_usable_hours",
        "usable_first_party_hours",
        "available_first_party_hours",
        "first_party_stock_hours",
    )
    draws = (
        drawn.filter(pl.col("company_id").is_in(owners), pl.col("month").is_between(first, last))
        .select("company_id", "month", "draw", *measures).sort("company_id", "month", "draw").collect()
    )  # fmt: skip
    months = sorted(draws["month"].unique())
    shape = (len(owners), len(months), draws["draw"].n_unique())
    usable, short, own, available, stock = (draws[name].to_numpy().reshape(shape) for name in measures)
    dup = assumed.filter(pl.col("assumption_name") == "dup_share_hours").sort("draw").collect()["assumption_value"].to_numpy()
    at = {(name, month): (i, j) for i, name in enumerate(owners) for j, month in enumerate(months)}
    baseline = (
        platform_volume.filter(pl.col("scenario_id") == "baseline").select("platform_id", "month", "stock_hours_p50").collect()
    )
    stocks = {(platform, month): hours for platform, month, hours in baseline.iter_rows()}
    shares = {name: np.zeros(shape[:2]) for name in sorted(owned["platform_id"].unique())}
    for (company, month), rows in owned.group_by("company_id", "month", maintain_order=True):
        if (company, month) in at:
            held = {name: stocks.get((name, month), 0.0) for name in rows["platform_id"]}
            for name, value in held.items():
                shares[name][at[company, month]] = value / max(sum(held.values()), 1e-9)
    last_basis = (
        evidence.filter(pl.col("scenario_id") == "baseline", pl.col("month") == months[-1])
        .select("company_id", "basis")
        .collect()
    )
    unverified = (
        ownership.filter(pl.col("kind") == "owner", pl.col("verification") == "UNVERIFIED").select("platform_id").collect()
    )
    return Source(
        entries=located(entries, owned, owners, names),
        companies=names["company_id"], boards=names["board_id"], models=names["model_key"], owners=owners, first_month=months[0],
        hours=Hours(own, np.maximum(short - (usable - own), 0.0), usable - own),
        reached=available / np.maximum(stock * (1 - dup[: shape[2]]), 1e-9),
        unobserved=np.array([dict(last_basis.iter_rows()).get(name) == "prior_only" for name in owners]),
        shares=shares, short=dict(owned.select("platform_id", "is_short").unique().iter_rows()),
        unverified=sorted(set(unverified["platform_id"]) & set(shares)),
        behind=evidence.filter(pl.col("scenario_id") == "baseline", pl.col("has_platform")).select("company_id", "month", "citation_ids", "assumption_ids").collect(),
        assumption_ids=chosen.filter(pl.col("name") == "rating_se_per_root_vote").collect()["assumption_id"].to_list(), seed=seed,
    )  # fmt: skip


def located(entries: pl.DataFrame, owned: pl.DataFrame, owners: list[str], names: dict[str, list[str]]) -> pl.DataFrame:
    """Add places of company, board, model and owner to the entries."""
    places = {name: pl.DataFrame({name: values, f"{name}_place": range(len(values))}) for name, values in names.items()}
    ours = (
        owned.select("company_id", "month")
        .unique()
        .with_columns(owner=pl.col("company_id").replace_strict(owners, range(len(owners)), return_dtype=pl.Int64))
    )
    for name, place in places.items():
        entries = entries.join(place, on=name)
    return (
        entries.join(ours, left_on=["company_id", "volume_month"], right_on=["company_id", "month"], how="left")
        .with_columns(
            owner=pl.col("owner").fill_null(-1),
            has_both_sounds=pl.col("has_audio").n_unique().over("board_id") > 1,
        )
        .sort("board_id", "captured_on", "entry_key")
    )


def to_field(frame: pl.DataFrame, source: Source) -> Field:
    """Return entries as arrays."""
    month = (
        (pl.col("volume_month").dt.year() - source.first_month.year) * 12
        + pl.col("volume_month").dt.month()
        - source.first_month.month
    )
    sound = pl.col("has_audio").fill_null(value=False) & pl.col("has_both_sounds")
    x = frame.select(
        "company_id_place", "model_key_place", "board_id_place", "rating", "rating_se", "owner",
        day=(pl.col("released_on") - STORY).dt.total_days() / DAYS_OF_YEAR, month=month, log_size=pl.col("size_usd").log10().fill_null(float("nan")),
        is_funding=(pl.col("size_measure") == "funding").fill_null(value=False),
    )  # fmt: skip
    controls = (
        frame.select("is_open_weights", sound.alias("sound"), "is_fast_tier", "is_high_resolution").cast(pl.Float64).to_numpy()
    )
    return Field(
        x["company_id_place"].to_numpy(), x["model_key_place"].to_numpy(), x["board_id_place"].to_numpy(), x["rating"].to_numpy(),
        x["rating_se"].to_numpy(), x["day"].to_numpy(), controls, x["owner"].to_numpy(), x["month"].to_numpy(), source.hours,
        x["log_size"].to_numpy(), x["is_funding"].to_numpy(),
    )  # fmt: skip


def choices(entries: pl.DataFrame, source: Source) -> list[AsOf]:
    """Return the newest captures, those nearest to the day of the story, and the last of every quarter."""
    days = entries.select("board_id", "captured_on").unique().sort("board_id", "captured_on")
    quarter = pl.col("captured_on").dt.truncate("1q")
    wanted = [("newest", None, days.group_by("board_id").agg(pl.col("captured_on").max()))]
    if days["captured_on"].max() >= STORY:
        far = (pl.col("captured_on") - STORY).dt.total_days().abs()
        wanted.append(("story", STORY, days.sort(far, "captured_on").group_by("board_id", maintain_order=True).first()))
    wanted += [
        ("quarter", day, days.filter(quarter == day).group_by("board_id").agg(pl.col("captured_on").max()))
        for day in sorted(days.select(quarter)["captured_on"].unique())
    ]
    return [
        AsOf(kind, day or chosen["captured_on"].max(), entries.join(chosen, on=["board_id", "captured_on"], how="semi"), source)
        for kind, day, chosen in wanted
    ]


def panel_rows(as_of: AsOf) -> list[dict[str, Any]]:
    """Return the entries as the model sees them."""
    field, frame = as_of.field, as_of.frame
    columns = (
        "board_id",
        "captured_on",
        "entry_key",
        "entry_name",
        "company_id",
        "model_key",
        "rating",
        "rating_se",
        "released_on",
        "volume_month",
        "is_open_weights",
        "is_fast_tier",
        "is_high_resolution",
        "size_measure",
        "size_usd",
        "is_size_later",
        "citation_ids",
    )
    hours, share = (2**values for values in (field.hours.log_hours, field.hours.log_share))
    owner, month = field.owner, field.month
    found = frame.select(*columns).with_columns(
        has_sound=pl.Series(field.controls[:, 1] > 0), owns_platform=pl.Series(owner >= 0),
        usable_hours_p50=pl.Series([float(np.median(hours[o, m])) if o >= 0 else None for o, m in zip(owner, month, strict=True)], dtype=pl.Float64),
        short_share_p50=pl.Series([float(np.median(share[o, m])) if o >= 0 else None for o, m in zip(owner, month, strict=True)], dtype=pl.Float64),
    )  # fmt: skip
    return [as_of.key | row for row in found.rename({"model_key": "panel_model"}).to_dicts()]


@dataclass(frozen=True)
class Answer:
    """What one question comes to: evidence, verdict, and who it rests on."""

    evidence: rule.Evidence | None
    se: float
    verdict: rule.Verdict
    reason: str
    other: list[str]
    counts: dict[str, int]
    min_p: float | None


def evidence_of(found: Finding) -> rule.Evidence:
    """Return what the rule reads of a finding."""
    without = evidence_of(found.without_size) if found.without_size else None
    return rule.Evidence(found.effect.estimate, *found.effect.interval, found.test.p, without)


def counts_of(found: Finding) -> dict[str, int]:
    """Return how many companies, owners and models a finding is over."""
    return {"n_companies": found.n_companies, "n_owners": found.n_owners, "n_models": found.n_models}


def nothing(field: Field) -> Answer:
    """Return the answer where a question cannot be put."""
    counts = {
        "n_companies": len(np.unique(field.company)),
        "n_owners": len(field.members),
        "n_models": len(np.unique(field.model)),
    }
    return Answer(None, 0.0, "cannot_tell", "too_few_companies", [], counts, None)


def ask(as_of: AsOf, rows: dict[str, list[dict[str, Any]]]) -> tuple[dict[str, Finding], dict[str, Answer]]:
    """Ask the questions of the mixed model, and again under every perturbation where the primary specification has a verdict."""
    seed = as_of.source.seed
    asked = {question: find(question, as_of.field, seed, N_RANDOM) for question in get_args(Question)}
    primary = {question: found for question, found in asked.items() if found is not None}
    verdicts: dict[str, list[tuple[str, rule.Verdict]]] = {question: [] for question in primary}
    wanted = {
        question
        for question, found in primary.items()
        if as_of.kind != "quarter" or rule.verdict(evidence_of(found), SMALLEST[question])[0] != "cannot_tell"
    }
    for change in perturbations(as_of.field, as_of.context):
        questions = [question for question in change.questions if question in wanted]
        changed = change.changed() if questions else as_of.field
        for question in questions:
            found = find(question, changed, seed, N_RANDOM, primary[question])
            evidence = evidence_of(found) if found else None
            verdict = rule.verdict(evidence, SMALLEST[question])[0] if evidence else "cannot_tell"
            verdicts[question].append((change.name, verdict))
            rows["int_moat__robustness"].append(
                as_of.key | {"question_id": question, "perturbation": change.name, "verdict": verdict} | estimate_of(evidence)
            )
    answers = {question: nothing(as_of.field) for question in asked}
    for question, found in primary.items():
        evidence = evidence_of(found)
        settled = rule.robust(rule.verdict(evidence, SMALLEST[question]), verdicts[question])
        answers[question] = Answer(evidence, found.effect.se, *settled, counts_of(found), found.test.min_p)
    return primary, answers


def estimate_of(evidence: rule.Evidence | None) -> dict[str, float | None]:
    """Return the columns of an estimate."""
    if evidence is None:
        return dict.fromkeys(("estimate", "estimate_p05", "estimate_p95", "p_permutation"))
    return {
        "estimate": evidence.estimate,
        "estimate_p05": evidence.p05,
        "estimate_p95": evidence.p95,
        "p_permutation": evidence.p,
    }


def predict(as_of: AsOf, rows: dict[str, list[dict[str, Any]]]) -> Answer:
    """Forecast every entry from models released before it, score the forecasts and decide whether volume helps."""
    field, seed = as_of.field, as_of.source.seed
    walked = {name: forecast.walk(name, field) for name in forecast.PREDICTORS}
    scored = np.isfinite(np.sum([found.mean for found in walked.values()], axis=0))
    if scored.sum() < forecast.FEWEST_ENTRIES or len(field.members) == 0:
        return nothing(field)
    logs = {name: found.log_score(field.rating) for name, found in walked.items()}
    crps = {name: found.crps(field.rating) for name, found in walked.items()}
    if as_of.kind == "newest":
        for name, found in walked.items():
            pit = found.pit(field.rating)
            rows["int_moat__forecast"] += [
                entry_forecast(as_of, name, i, found)
                | {"pit": float(pit[i]), "log_score": float(logs[name][i]), "crps": float(crps[name][i])}
                for i in np.flatnonzero(scored)
            ]
    if as_of.kind in ("newest", "story"):
        quarters = as_of.frame["released_on"].dt.truncate("1q").to_numpy()
        for name in forecast.PREDICTORS:
            for quarter in np.unique(quarters[scored]):
                chosen = scored & (quarters <= quarter)
                gains = {
                    f"gain_over_{other}": forecast.gain_interval((logs[name] - logs[other])[chosen], field.company[chosen], seed)
                    for other in ("date", "size")
                }
                rows["int_moat__forecast_score"].append(
                    as_of.key
                    | {
                        "forecast_model": name,
                        "quarter_on": quarter.astype("datetime64[D]").item(),
                        "n_forecasts": int(chosen.sum()),
                        "n_companies": len(np.unique(field.company[chosen])),
                        "log_score": float(logs[name][chosen].mean()),
                        "crps": float(crps[name][chosen].mean()),
                    }
                    | {
                        f"{key}{end}": value
                        for key, values in gains.items()
                        for end, value in zip(("", "_p05", "_p95"), values, strict=True)
                    }
                )

    def evidence(chosen: Flags) -> rule.Evidence:
        gained = [(logs[name] - logs[other])[chosen] for name, other in (("size_and_volume", "size"), ("volume", "date"))]
        parts = []
        for gain in gained:
            totals = np.bincount(np.unique(field.company[chosen], return_inverse=True)[1], weights=gain)
            test = effects.sign_flips(totals, N_RANDOM, np.random.default_rng([seed, 63]))
            parts.append((*forecast.gain_interval(gain, field.company[chosen], seed), test))
        (size_estimate, *_), (estimate, low, high, test) = parts
        plain = rule.Evidence(estimate, low, high, test.p)
        tests["p"] = test
        # What is left once size is known decides whether the gain has vanished; the interval is that of the gain over the date.
        return replace(plain, without_size=plain if size_estimate < rule.VANISHED * estimate else None)

    tests: dict[str, effects.Permuted] = {}
    primary = evidence(scored)
    min_p = tests["p"].min_p
    found = prediction_verdict(primary)
    verdicts = []
    for label, chosen in [
        *((f"without {as_of.source.companies[c]}", scored & (field.company != c)) for c in np.unique(field.company[scored])),
        *((f"without {as_of.source.boards[b]}", scored & (field.board != b)) for b in np.unique(field.board[scored])),
    ]:
        again = evidence(chosen)
        verdicts.append((label, prediction_verdict(again)[0]))
        if as_of.kind != "quarter":
            rows["int_moat__robustness"].append(
                as_of.key | {"question_id": "prediction", "perturbation": label, "verdict": verdicts[-1][1]} | estimate_of(again)
            )
    counts = {
        "n_companies": len(np.unique(field.company[scored])),
        "n_owners": len(np.unique(field.owner[scored & (field.owner >= 0)])),
        "n_models": len(np.unique(field.model[scored])),
    }
    se = (primary.p95 - primary.p05) / (2 * rule.Z95)
    return Answer(primary, se, *rule.robust(found, verdicts), counts, min_p)


def prediction_verdict(evidence: rule.Evidence) -> tuple[rule.Verdict, str]:
    """Return the verdict on a gain in log score: one that vanishes once size is known is not one of volume."""
    if evidence.is_clear and evidence.without_size is not None:
        return "not_supported", "vanishes_with_size"
    return rule.verdict(replace(evidence, without_size=None), SMALLEST["prediction"])


def distribution(mean: float, sd: float) -> dict[str, float]:
    """Return mean, standard deviation and quantiles of a normal forecast."""
    return {"forecast_mean": mean, "forecast_sd": sd} | {
        f"forecast_p{round(100 * q):02d}": mean + sd * z
        for q, z in zip(QUANTILES, forecast.normal_quantiles(QUANTILES), strict=True)
    }


def entry_forecast(as_of: AsOf, name: str, i: int, found: forecast.Predicted) -> dict[str, Any]:
    """Return the row of one entry that is listed, forecast from models released before it."""
    row = as_of.frame.row(i, named=True)
    return {
        "board_id": row["board_id"], "entry_key": row["entry_key"], "company_id": row["company_id"], "model_id": row["model_id"], "forecast_model": name,
        "released_on": row["released_on"], "issued_on": as_of.day, "is_retrospective": True, "rating": row["rating"], "rating_se": row["rating_se"],
        "leads_probability": None, "citation_ids": row["citation_ids"],
    } | distribution(float(found.mean[i]), float(found.sd[i]))  # fmt: skip


def issue(as_of: AsOf) -> list[dict[str, Any]]:
    """Forecast the next entry of every company on every board: released on the day of issue, as its last model is in kind."""
    frame, field = as_of.frame, as_of.field
    order = frame.with_row_index("i").sort("released_on", "rating", "entry_key")
    last = np.sort(order.group_by("board_id", "company_id", maintain_order=True).last()["i"].to_numpy())
    months = as_of.source.hours.own.shape[1] - 1
    place = np.full(len(last), (as_of.day - STORY).days / DAYS_OF_YEAR)
    coming = replace(
        field.only(np.isin(np.arange(len(frame)), last)),
        model=len(as_of.source.models) + np.arange(len(last)), day=place, month=np.full(len(last), months), rating=np.zeros(len(last)),
        se=np.array([np.median(field.se[field.board == field.board[i]]) for i in last]),
    )  # fmt: skip
    best = {
        board: (
            field.rating[field.board == board].max(),
            field.se[field.board == board][field.rating[field.board == board].argmax()],
        )
        for board in np.unique(field.board)
    }
    rows = []
    for name in forecast.PREDICTORS:
        found = forecast.ahead(name, field, coming)
        for j, i in enumerate(last):
            rating, se = best[field.board[i]]
            row = frame.row(int(i), named=True)
            chance = forecast.chance_above(float(found.mean[j]), float(found.sd[j]), float(rating), float(se))
            rows.append({
                "board_id": row["board_id"], "entry_key": f"next:{row['company_id']}", "company_id": row["company_id"], "model_id": None, "forecast_model": name,
                "released_on": as_of.day, "issued_on": as_of.day, "is_retrospective": False, "rating": None, "rating_se": None, "leads_probability": chance,
                "citation_ids": row["citation_ids"], "pit": None, "log_score": None, "crps": None,
            } | distribution(float(found.mean[j]), float(found.sd[j])))  # fmt: skip
    return rows


def doses(as_of: AsOf, pairs: pl.DataFrame, rows: dict[str, list[dict[str, Any]]]) -> Answer:
    """Return points per doubling of disclosed data between generations of a family, beyond the date trend."""
    field, frame = as_of.field, as_of.frame
    fit = reml(field.groups, field.base, field.rating)
    expected = field.base @ fit.beta
    known = frame.select("board_id", "captured_on", "model_id", "rating").with_columns(expected=pl.Series(expected))
    known = known.group_by("board_id", "captured_on", "model_id").agg(pl.col("rating").mean(), pl.col("expected").mean())
    stages = {"pretrain": 0, "filtered": 1, "raw": 2, "finetune": 3, "unstated": 4}
    chosen = (
        pairs.filter(pl.col("dose_ratio").is_not_null())
        .sort(pl.col("stage_kind").replace_strict(stages), "pair_id")
        .unique(["model_id_from", "model_id_to"], keep="first", maintain_order=True)
    )
    joined = (
        chosen.join(known.rename({"model_id": "model_id_from"}), on="model_id_from")
        .join(known.rename({"model_id": "model_id_to"}), on=["model_id_to", "board_id", "captured_on"], suffix="_to")
        .sort("pair_id", "board_id")
        .with_columns(
            rating_change=pl.col("rating_to") - pl.col("rating"),
            expected_change=pl.col("expected_to") - pl.col("expected"),
            n_doublings=pl.col("dose_ratio").log(2),
        )
    )
    if as_of.kind == "newest":
        rows["int_moat__dose"] += joined.select(
            "pair_id", "board_id", "captured_on", "family", "model_id_from", "model_id_to", "quantity", "stage_kind", "dose_ratio", "dose_ratio_bound",
            "n_doublings", pl.col("rating").alias("rating_from"), "rating_to", "rating_change", "expected_change",
            change_per_doubling=pl.when(pl.col("n_doublings").abs() > 0.1).then((pl.col("rating_change") - pl.col("expected_change")) / pl.col("n_doublings")),  # noqa: PLR2004
            citation_ids=pl.col("citation_ids"),
        ).to_dicts()  # fmt: skip
    families = sorted(joined["family"].unique())
    found = dose.slope(
        joined["rating_change"].to_numpy(), joined["expected_change"].to_numpy(), joined["n_doublings"].to_numpy(),
        np.array([families.index(name) for name in joined["family"]], dtype=np.intp), as_of.source.seed,
    )  # fmt: skip
    counts = {
        "n_companies": len(families),
        "n_owners": 0,
        "n_models": len(set(joined["model_id_from"]) | set(joined["model_id_to"])),
    }
    if found is None:
        return Answer(None, 0.0, "cannot_tell", "too_few_families", [], counts, None)
    evidence = rule.Evidence(found.estimate, found.p05, found.p95, found.test.p)
    return Answer(
        evidence,
        (found.p95 - found.p05) / (2 * rule.Z95),
        *rule.verdict(evidence, SMALLEST["dose"]),
        [],
        counts,
        found.test.min_p,
    )


def effect_row(
    as_of: AsOf,
    board: str,
    specification: str,
    question: str,
    effect: effects.Effect,
    test: effects.Permuted | None,
    counts: dict[str, int],
    log_sd: Floats,
) -> dict[str, Any]:
    """Return the row of one specification."""
    low, high = effect.interval
    sds = np.exp(log_sd)
    return as_of.key | counts | as_of.reasons | {
        "board_id": board, "specification_id": specification, "question_id": question, "estimate": effect.estimate, "estimate_p05": low, "estimate_p95": high,
        "within_se": effect.within_se, "between_sd": effect.between_sd, "monte_carlo_se": effect.mc_se, "n_draws_equal": effect.n_draws, "degrees_of_freedom": effect.df,
        "p_permutation": test and test.p, "min_possible_p": test and test.min_p, "company_sd": float(sds[0]), "model_sd": float(sds[1]), "residual_sd": float(np.sqrt((sds[2:] ** 2).mean())),
    }  # fmt: skip


def specifications(as_of: AsOf, findings: dict[str, Finding]) -> list[dict[str, Any]]:
    """Return every specification: the primary ones of all boards, each board alone, and variants that vary one thing."""
    rows = []
    for question, found in findings.items():
        rows.append(effect_row(as_of, "all", question, question, found.effect, found.test, counts_of(found), found.log_sd))
        if found.without_size is not None:
            other = found.without_size
            rows.append(
                effect_row(
                    as_of, "all", "owning_where_size_is_known", "size", other.effect, other.test, counts_of(other), other.log_sd
                )
            )
    if as_of.kind == "quarter":
        return rows
    for board in np.unique(as_of.field.board):
        alone = as_of.field.only(as_of.field.board == board)
        for question in get_args(Question):
            found = find(question, alone, as_of.source.seed, N_RANDOM)
            if found is not None:
                rows.append(
                    effect_row(
                        as_of,
                        as_of.source.boards[board],
                        question,
                        question,
                        found.effect,
                        found.test,
                        counts_of(found),
                        found.log_sd,
                    )
                )
    return rows + [
        effect_row(as_of, "all", name, question, effect, None, counts_of(findings[question]), log_sd)
        for name, question, effect, log_sd in variants(as_of.field)
        if question in findings
    ]


def variants(field: Field) -> list[tuple[str, str, effects.Effect, Floats]]:
    """Return variants of the primary specifications: what size does, hours at equal size, draws counted equally, a linear trend."""
    sized = field.only(field.has_size)
    owns, size = sized.owns[:, None], sized.sizes[:, :1]
    funding = sized.sizes[:, 1:] if np.ptp(sized.sizes[:, 1]) > 0 else sized.sizes[:, :0]
    hours = sized.drawn(sized.hours.log_hours)[:, :, None]
    wanted = {
        "size_alone": ("size", sized, np.hstack([sized.base, funding]), size[:, :, None], True),
        "size_beside_owning": ("size", sized, np.hstack([sized.base, funding, owns]), size[:, :, None], True),
        "amount_at_equal_size": ("amount", sized, np.hstack([sized.base, funding, owns, size]), hours, True),
        "amount_draws_counted_equally": ("amount", field, *design("amount", field), False),
        "short_draws_counted_equally": ("short", field, *design("short", field), False),
        "owning_linear_trend": (
            "owning",
            field,
            np.delete(field.base, field.groups.n_spreads + 1, axis=1),
            field.owns[:, None, None],
            True,
        ),
    }
    found = []
    for name, (question, data, base, tested, is_weighted) in wanted.items():
        kept = base[:, effects.independent(base)]
        estimates, fit = effects.coefficients(data.groups, kept, data.rating, tested, is_weighted=is_weighted)
        found.append((name, question, estimates[-1], fit.v.log_sd))
    return found


def against_controls(as_of: AsOf, source: Source) -> dict[str, Any]:
    """Return how much further ahead owners are on video boards than on boards where video cannot help, from one fit."""
    others = source.entries.filter(pl.col("board_role") == "control").filter(
        pl.col("captured_on") == pl.col("captured_on").max().over("board_id")
    )
    frame = pl.concat([as_of.frame, others])
    field, is_control = to_field(frame, source), (frame["board_role"] == "control").to_numpy()
    control = is_control[:, None].astype(np.float64)
    apart = np.hstack([field.base, control * field.day[:, None], control * field.controls[:, :1], field.owns[:, None]])
    tested = (field.owns * ~is_control)[:, None, None]
    estimates, fit = effects.coefficients(field.groups, apart[:, effects.independent(apart)], field.rating, tested)
    counts = {
        "n_companies": len(np.unique(field.company)),
        "n_owners": len(field.members),
        "n_models": len(np.unique(field.model)),
    }
    return effect_row(as_of, "all", "owning_video_minus_controls", "owning", estimates[0], None, counts, fit.v.log_sd)


def answer_row(as_of: AsOf, question: str, found: Answer) -> dict[str, Any]:
    """Return the row of one question."""
    evidence = found.evidence
    without = evidence.without_size.estimate if evidence and evidence.without_size and question == "size" else None
    needed = (
        rule.owners_needed(evidence, found.se, SMALLEST[question], found.counts["n_owners"])
        if evidence and question in get_args(Question)
        else None
    )
    rests = sorted({name for name in as_of.source.unverified if as_of.source.shares[name][as_of.field.members].any()})
    return as_of.key | as_of.reasons | estimate_of(evidence) | found.counts | {
        "question_id": question, "estimate_without_size": without, "unit": UNIT[question], "smallest_effect": SMALLEST[question], "min_possible_p": found.min_p, "verdict": found.verdict, "verdict_reason": found.reason,
        "perturbations_that_differ": found.other, "n_owners_needed": needed, "unverified_platforms": rests if question != "dose" else [],
    }  # fmt: skip


def framed(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a table, sorted by its key, numbers rounded to what is meant."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    words = [column for column, kind in frame.schema.items() if kind == pl.List(pl.Null)]
    return frame.with_columns(pl.col(pl.Float64).round(DECIMALS), pl.col(words).cast(pl.List(pl.String))).sort(TABLES[name])
