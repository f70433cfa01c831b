"""The four questions that the mixed model answers, under every specification and perturbation.

One row a question in `int_moat__finding`, a specification in `int_moat__effect`, a question and perturbation in
`int_moat__perturbed`. The rule of decision 0060 turns them into verdicts.
"""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import polars as pl

from moat.link import effects, rule
from moat.link.field import Field
from moat.link.mixed import Floats
from moat.link.perturb import Context, perturbations
from moat.link.questions import Finding, Question, design, find
from moat.link.tables import MEASURES, Owned, context_of, known_of_owners, read_field, read_hours

CACHE = True
CONTESTED = ("x", "facebook")  # platforms that a fair reader might call short or not
SMALLEST = 20.0  # smallest effect of interest, in points: about six weeks of progress
N_RANDOM = 9_999  # random orders of companies, where there are too many to try all
DECIMALS = 4
KEY = ("as_of_kind", "as_of_on")
TABLES = {
    "int_moat__finding": ("as_of_kind", "as_of_on", "question_id"),
    "int_moat__effect": ("as_of_kind", "as_of_on", "board_id", "specification_id"),
    "int_moat__perturbed": ("as_of_kind", "as_of_on", "question_id", "perturbation"),
}
NULLABLE = (
    "estimate",
    "estimate_p05",
    "estimate_p95",
    "p_permutation",
    "min_possible_p",
    "n_owners_needed",
    "estimate_without_size",
)


def model(
    int_moat__panel: pl.LazyFrame,
    int_company__volume_draws: pl.LazyFrame,
    int_company__platform_access: pl.LazyFrame,
    int_company__evidence: pl.LazyFrame,
    int_platform__volume_quantiles: pl.LazyFrame,
    int_volume__assumption_draws: pl.LazyFrame,
    stg_reference__platform_ownership: pl.LazyFrame,
    settings: dict[str, Any],
) -> dict[str, pl.DataFrame]:
    """Ask the four questions of every choice of captures; a quarter whose last captures are the newest is computed once."""
    panel = int_moat__panel.sort("board_id", "entry_key").collect()
    months = panel.select(first=pl.col("volume_month").min(), last=pl.col("volume_month").max()).row(0)
    during = pl.col("month").is_between(*months)
    access = int_company__platform_access.filter("is_in_totals", during).select("company_id", "platform_id", "month", "is_short")
    held = access.filter(pl.col("company_id").is_in(panel["company_id"].unique().implode())).collect()
    drawn = (
        int_company__volume_draws.filter(during, pl.col("company_id").is_in(held["company_id"].unique().implode()))
        .filter(pl.col("usable_first_party_hours").is_not_null())
        .select("company_id", "month", "draw", *MEASURES)
        .collect()
    )
    owned = read_hours(drawn)
    unverified = stg_reference__platform_ownership.filter(pl.col("kind") == "owner", pl.col("verification") == "UNVERIFIED")
    shares, short = shares_of_platforms(held, int_platform__volume_quantiles, owned)
    common = known_of_owners(owned, drawn, int_company__evidence, int_volume__assumption_draws, months[1]) | {
        "contested": {name: (shares[name], short[name]) for name in CONTESTED if name in shares},
        "unverified": {name: shares[name] for name in sorted(set(unverified.collect()["platform_id"]) & set(shares))},
    }
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    done: dict[tuple[Any, ...], dict[str, list[dict[str, Any]]]] = {}
    order = pl.col("as_of_kind").replace_strict({"newest": 0, "story": 1, "quarter": 2}, return_dtype=pl.Int8)
    for kind, day in panel.select(KEY).unique().sort(order, "as_of_on").iter_rows():
        all_boards = panel.filter(pl.col("as_of_kind") == kind, pl.col("as_of_on") == day)
        entries = all_boards.filter(pl.col("board_role") == "primary")
        captures = tuple(entries.select(pl.format("{} {}", "board_id", "captured_on").unique().sort()).to_series())
        if captures not in done:
            done[captures] = ask(kind, entries, owned, context_of(entries, owned, common), settings["seed"])
            if kind == "newest":
                done[captures]["int_moat__effect"].append(against_controls(all_boards, owned))
        for name, found in done[captures].items():
            rows[name] += [{"as_of_kind": kind, "as_of_on": day} | row for row in found]
    return {
        name: pl.DataFrame(found, infer_schema_length=None).with_columns(pl.col(pl.Float64).round(DECIMALS)).sort(TABLES[name])
        for name, found in rows.items()
    }


def shares_of_platforms(access: pl.DataFrame, volumes: pl.LazyFrame, owned: Owned) -> tuple[dict[str, Floats], dict[str, bool]]:
    """Return the share of each owner's public hours on each platform, by median cumulative public hours, and whether the platform counts as short."""
    public = volumes.filter(pl.col("scenario_id") == "baseline").select("platform_id", "month", "stock_hours_p50").collect()
    held = access.join(public, on=["platform_id", "month"]).with_columns(
        share=pl.col("stock_hours_p50") / pl.col("stock_hours_p50").sum().over("company_id", "month")
    )
    owner, month = owned.places(held["company_id"], held["month"])
    held = held.with_columns(owner=owner, place=month)
    shares = {name: np.zeros(owned.hours.own.shape[:2]) for name in sorted(held["platform_id"].unique())}
    for platform, i, j, share in held.select("platform_id", "owner", "place", "share").iter_rows():
        shares[platform][i, j] = share
    return shares, dict(held.select("platform_id", "is_short").unique().iter_rows())


def ask(kind: str, entries: pl.DataFrame, owned: Owned, context: Context, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Ask the questions of some captures: primary specification, perturbations, other specifications."""
    field = read_field(entries, owned)
    primary = {question: found for question in get_args(Question) if (found := find(question, field, seed, N_RANDOM)) is not None}
    alone = {question: rule.verdict(evidence_of(found), SMALLEST) for question, found in primary.items()}
    wanted = {question for question in primary if kind != "quarter" or alone[question][0] != "cannot_tell"}
    perturbed = []
    for change in perturbations(field, context):
        questions = [question for question in get_args(Question) if question in change.questions and question in wanted]
        changed = change.changed() if questions else field
        for question in questions:
            found = find(question, changed, seed, N_RANDOM, primary[question])
            evidence = evidence_of(found) if found else None
            word = rule.verdict(evidence, SMALLEST)[0] if evidence else "cannot_tell"
            perturbed.append({"question_id": question, "perturbation": change.name, "verdict": word} | estimate_of(evidence))
    rests = [name for name, share in context.unverified.items() if share[field.members].any()]
    rows = {
        "int_moat__finding": [finding_row(question, primary.get(question), alone.get(question), field, rests) for question in get_args(Question)],
        "int_moat__effect": [row for question, found in primary.items() for row in primary_rows(question, found)],
        "int_moat__perturbed": perturbed,
    }  # fmt: skip
    if kind != "quarter":
        rows["int_moat__effect"] += alone_rows(field, context, seed) + variant_rows(field, primary)
    return rows


def evidence_of(found: Finding) -> rule.Evidence:
    """Return what the rule reads of a finding."""
    without = evidence_of(found.without_size) if found.without_size else None
    return rule.Evidence(found.effect.estimate, *found.effect.interval, found.test.p if found.test else None, without)


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


def finding_row(
    question: str, found: Finding | None, alone: tuple[str, str] | None, field: Field, rests: list[str]
) -> dict[str, Any]:
    """Return the row of one question by its primary specification alone."""
    evidence = evidence_of(found) if found else None
    without = found.without_size.effect.estimate if found and found.without_size else None
    counts = counts_of(found) if found else {
        "n_companies": len(np.unique(field.company)), "n_owners": field.n_owners, "n_models": len(np.unique(field.model)),
    }  # fmt: skip
    return estimate_of(evidence) | counts | {
        "question_id": question, "smallest_effect": SMALLEST, "estimate_without_size": without, "min_possible_p": found.test.min_p if found and found.test else None,
        "n_owners_needed": rule.owners_needed(evidence, SMALLEST, found.n_owners) if found and evidence else None,
        "verdict": alone[0] if alone else "cannot_tell", "verdict_reason": alone[1] if alone else "too_few_companies",
        "unverified_platforms": pl.Series(rests, dtype=pl.String),
    }  # fmt: skip


def counts_of(found: Finding | Field) -> dict[str, int]:
    """Return how many companies, owners and models a finding or a fit is over."""
    if isinstance(found, Finding):
        return {"n_companies": found.n_companies, "n_owners": found.n_owners, "n_models": found.n_models}
    return {
        "n_companies": len(np.unique(found.company)),
        "n_owners": found.n_owners,
        "n_models": len(np.unique(found.model)),
    }


def effect_row(
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
    return counts | {
        "board_id": board, "specification_id": specification, "question_id": question, "estimate": effect.estimate, "estimate_p05": low,
        "estimate_p95": high, "interval_text": rule.interval_text(effect.estimate, low, high), "within_se": effect.within_se, "between_sd": effect.between_sd, "monte_carlo_se": effect.mc_se,
        "n_draws_equal": effect.n_draws, "degrees_of_freedom": effect.df, "p_permutation": test and test.p,
        "min_possible_p": test and test.min_p, "company_sd": float(sds[0]), "model_sd": float(sds[1]),
        "residual_sds": [round(float(sd), DECIMALS) for sd in sds[2:]],
    }  # fmt: skip


def primary_rows(question: str, found: Finding, board: str = "all") -> list[dict[str, Any]]:
    """Return a question's primary specification, and for size that of owning over the same companies."""
    rows = [effect_row(board, question, question, found.effect, found.test, counts_of(found), found.log_sd)]
    other = found.without_size
    if other is not None and board == "all":
        rows.append(
            effect_row(board, "owning_where_size_is_known", question, other.effect, other.test, counts_of(other), other.log_sd)
        )
    return rows


def alone_rows(field: Field, context: Context, seed: int) -> list[dict[str, Any]]:
    """Return the primary specifications on each board alone."""
    rows = []
    for board in np.unique(field.board):
        for question in get_args(Question):
            found = find(question, field.only(field.board == board), seed, N_RANDOM)
            rows += primary_rows(question, found, context.boards[board]) if found else []
    return rows


def variant_rows(field: Field, primary: dict[Question, Finding]) -> list[dict[str, Any]]:
    """Return variants: what size does, hours at equal size, draws counted equally, a linear trend."""
    sized, known = field.only(field.has_size), field.only(field.has_hours)
    both = sized.only(sized.has_hours)
    owns, size, funding = sized.owns[:, None], sized.sizes[:, :1], sized.sizes[:, 1:]
    of_both = np.hstack([both.base, both.sizes[:, 1:], both.owns[:, None], both.sizes[:, :1]])
    sizes = effects.Drawn.fixed(size)
    linear = np.delete(field.base, field.groups.n_spreads + 1, axis=1)
    wanted: list[tuple[str, Question, Field, Floats, effects.Drawn, bool]] = [
        ("size_alone", "size", sized, np.hstack([sized.base, funding]), sizes, True),
        ("size_beside_owning", "size", sized, np.hstack([sized.base, funding, owns]), sizes, True),
        ("amount_at_equal_size", "amount", both, of_both, both.drawn(both.hours.log_hours), True),
        ("amount_draws_counted_equally", "amount", known, *design("amount", known), False),
        ("short_draws_counted_equally", "short", known, *design("short", known), False),
        ("owning_linear_trend", "owning", field, linear, effects.Drawn.fixed(field.owns[:, None]), True),
    ]
    rows = []
    for name, question, data, base, tested, is_integrated in wanted:
        if question in primary:
            kept = base[:, effects.independent(base)]
            found, fit = effects.coefficient(data.groups, kept, data.rating, tested, is_integrated=is_integrated)
            rows.append(
                effect_row(
                    "all",
                    name,
                    question,
                    found,
                    None,
                    counts_of(data),
                    fit.v.log_sd,
                )
            )
    return rows


def against_controls(entries: pl.DataFrame, owned: Owned) -> dict[str, Any]:
    """Return how much further ahead owners are on video boards than on boards where video cannot help, from one fit.

    A company has an effect of its own in each family of boards: one shared effect would make the difference look surer than it is.
    """
    is_control = (entries["board_role"] == "control").to_numpy()
    plain = read_field(entries, owned)
    field = replace(plain, company=2 * plain.company + is_control)
    control = is_control[:, None].astype(np.float64)
    apart = np.hstack([field.base, control * field.day[:, None], control * field.controls[:, :1], field.owns[:, None]])
    tested = effects.Drawn.fixed((field.owns * ~is_control)[:, None])
    found, fit = effects.coefficient(field.groups, apart[:, effects.independent(apart)], field.rating, tested)
    counts = {
        "n_companies": len(np.unique(plain.company)),
        "n_owners": plain.n_owners,
        "n_models": len(np.unique(plain.model)),
    }
    return effect_row("all", "owning_video_minus_controls", "owning", found, None, counts, fit.v.log_sd)
