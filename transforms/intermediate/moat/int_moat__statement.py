"""The answers: the findings of all six questions, made verdicts by their perturbations, and put into words.

Every word is filled from the row itself, so that no sentence can contradict its table.
"""

from datetime import date
from typing import Any

import polars as pl

from moat.link import rule

GRAIN = ("as_of_kind", "as_of_on", "question_id")
NULLABLE = (
    "interval_text",
    "estimate",
    "estimate_p05",
    "estimate_p95",
    "p_permutation",
    "min_possible_p",
    "n_owners_needed",
    "estimate_without_size",
)
ASKED = {
    "owning": (
        "Do models of companies that own a video platform rate higher?",
        "models of owners of video platforms rate higher",
    ),
    "amount": ("Among owners, does more video go with a higher rating?", "among owners more video goes with higher ratings"),
    "short": ("Is it short video that counts?", "it is short video that counts"),
    "size": (
        "Do owners rate higher than other companies of their size?",
        "owners rate higher than other companies of their size",
    ),
    "prediction": (
        "Does knowing who owns a platform, and its hours, predict the next model better?",
        "knowing who owns a platform, and its hours, predicts the next model better",
    ),
    "dose": (
        "Within a family of models, did more disclosed video go with more points?",
        "within a family more disclosed video went with more points",
    ),
}
VERDICTS = {"supported": "supported", "not_supported": "not supported", "cannot_tell": "cannot tell"}
DAY = {
    "newest": "the newest complete captures of the primary boards",
    "story": "the captures nearest to the day of the story",
    "quarter": "the last captures of the quarter",
}
NUMBERS = ("none", "one", "two", "three", "four", "five", "all six")
SHOWN = 3  # perturbations named in a sentence
UNIT = {
    "owning": "points",
    "amount": "points per doubling of hours",
    "short": "points per doubling of the share of hours left with short video alone",
    "size": "points",
    "prediction": "log score per forecast",
    "dose": "points per doubling of disclosed video",
}
READS = {  # what the estimate and the perturbations of a question are computed from
    "owning": ("entries", "owners"),
    "amount": ("entries", "owners", "hours"),
    "short": ("entries", "owners", "hours"),
    "size": ("entries", "owners", "sizes"),
    "prediction": ("entries", "owners", "sizes", "hours"),
    "dose": ("entries", "pairs"),
}
EMPTY = {"estimate_without_size": pl.lit(None, pl.Float64), "n_owners_needed": pl.lit(None, pl.Int64)}


def model(
    int_moat__finding: pl.LazyFrame,
    int_moat__predicted: pl.LazyFrame,
    int_moat__dosed: pl.LazyFrame,
    int_moat__perturbed: pl.LazyFrame,
    int_moat__predicted_perturbed: pl.LazyFrame,
    int_moat__panel: pl.LazyFrame,
    int_company__owner: pl.LazyFrame,
    int_company__evidence: pl.LazyFrame,
    int_moat__dose: pl.LazyFrame,
    stg_reference__assumptions: pl.LazyFrame,
) -> pl.DataFrame:
    """Return one row a question and choice of captures, with its verdict and its words."""
    findings = int_moat__finding.collect()
    platforms = findings.filter(pl.col("question_id") == "owning").select("as_of_kind", "as_of_on", "unverified_platforms")
    predicted = (
        int_moat__predicted.with_columns(**EMPTY, question_id=pl.lit("prediction"))
        .collect()
        .join(platforms, on=["as_of_kind", "as_of_on"])
    )
    dosed = int_moat__dosed.with_columns(
        **EMPTY, question_id=pl.lit("dose"), unverified_platforms=pl.lit([], pl.List(pl.String))
    ).collect()
    perturbed = pl.concat(
        [int_moat__perturbed, int_moat__predicted_perturbed.with_columns(question_id=pl.lit("prediction"))], how="diagonal"
    ).collect()
    names = [*GRAIN, *(column for column in findings.columns if column not in GRAIN)]
    found = pl.concat([findings.select(names), predicted.select(names), dosed.select(names)])
    others: dict[tuple[Any, ...], list[tuple[str, rule.Verdict]]] = {}
    for *key, name, word in perturbed.sort(*GRAIN, "perturbation").select(*GRAIN, "perturbation", "verdict").iter_rows():
        others.setdefault(tuple(key), []).append((name, word))
    rows = []
    for row in found.to_dicts():
        word, reason, other = rule.robust(
            (row["verdict"], row["verdict_reason"]), others.get(tuple(row[name] for name in GRAIN), [])
        )
        rows.append(
            row
            | {"verdict": word, "verdict_reason": reason, "perturbations_that_differ": other, "unit": UNIT[row["question_id"]]}
        )
    by_choice: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        by_choice.setdefault((row["as_of_kind"], row["as_of_on"]), []).append(row)
    captured = {key[:2]: key[2:] for key in days_of(int_moat__panel).iter_rows()}
    texts = [
        {
            "question_number": list(ASKED).index(row["question_id"]) + 1,
            "question": ASKED[row["question_id"]][0],
            "interval_text": rule.interval_text(*(row[name] for name in ("estimate", "estimate_p05", "estimate_p95"))),
            "verdict_text": verdict_text(row),
            "what_would_change_it": what_would_change_it(row),
            "sentence": sentence(by_choice[row["as_of_kind"], row["as_of_on"]], captured[row["as_of_kind"], row["as_of_on"]]),
        }
        for row in rows
    ]
    schema: dict[str, Any] = {**found.schema, "perturbations_that_differ": pl.List(pl.String), "unit": pl.String}
    answers = pl.concat(
        [
            pl.DataFrame(rows, schema=schema),
            pl.DataFrame(texts, schema_overrides={"question_number": pl.Int32, "interval_text": pl.String}),
        ],
        how="horizontal",
    )
    return answers.join(
        reasons(int_moat__panel, int_company__owner, int_company__evidence, int_moat__dose, stg_reference__assumptions), on=GRAIN
    ).sort(GRAIN)


def reasons(
    panel: pl.LazyFrame, owner: pl.LazyFrame, evidence: pl.LazyFrame, dose: pl.LazyFrame, assumptions: pl.LazyFrame
) -> pl.DataFrame:
    """Return the captures of each choice, and the pages and assumptions behind each question: what it reads, and nothing else."""
    key, month = ["as_of_kind", "as_of_on"], ["company_id", "month"]
    entries = panel.filter(pl.col("board_role") == "primary")
    asked = entries.select(key).unique().sort(key)
    companies = entries.select(*key, "company_id", month="volume_month").unique()
    behind = evidence.filter(pl.col("scenario_id") == "baseline", pl.col("owns_platform") | pl.col("has_platform")).select(
        *month, "citation_ids", "assumption_ids"
    )
    parts = {
        "entries": entries.select(*key, "citation_ids"),
        "owners": companies.join(
            owner.filter(pl.col("owns_platform") | pl.col("is_owner_contested")).select(*month, "citation_ids"), on=month
        ).select(*key, "citation_ids"),
        "sizes": entries.select(*key, citation_ids="size_citation_ids"),
        "hours": companies.join(behind, on=month).select(*key, "citation_ids", "assumption_ids"),
        "pairs": asked.join(dose.select("citation_ids"), how="cross"),
        "votes": asked.join(
            assumptions.filter(pl.col("name") == "rating_se_per_root_vote").select(
                assumption_ids=pl.concat_list("assumption_id")
            ),
            how="cross",
        ),
    }
    read = pl.concat(
        [
            parts[part].with_columns(question_id=pl.lit(question))
            for question, names in READS.items()
            for part in ("votes", *names)
        ],
        how="diagonal",
    )
    captures = entries.group_by(key).agg(captures=pl.format("{} {}", "board_id", "captured_on").unique().sort())
    found = read.group_by(GRAIN).agg(
        pl.col(name).explode().drop_nulls().unique().sort() for name in ("citation_ids", "assumption_ids")
    )
    return found.join(captures, on=key).collect()


def number_of(n: int, what: str) -> str:
    """Return a count with its noun, as `1 perturbation` or `2 perturbations`."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def interval(row: dict[str, Any]) -> str:
    """Return an estimate with its unit, interval and p."""
    low, high = (rule.two_digits(row[name], "+") for name in ("estimate_p05", "estimate_p95"))
    chance = f"{row['p_permutation']:.2g}"
    return f"{rule.two_digits(row['estimate'], '+')} {row['unit']} (90 % interval {low} to {high}; p {chance}, smallest possible {row['min_possible_p']:.2g})"


def verdict_text(row: dict[str, Any]) -> str:
    """Return the verdict of one question in words."""
    word = VERDICTS[row["verdict"]].capitalize()
    other = row["perturbations_that_differ"]
    match row["verdict_reason"]:
        case "too_few_companies" | "too_few_families":
            return (
                f"{word}: too few {'families' if row['verdict_reason'] == 'too_few_families' else 'companies or owners'} to ask."
            )
        case "above_zero":
            why = "and so under every perturbation"
        case "below_smallest_effect":
            why = f"the interval ends below {row['smallest_effect']:g}, the smallest effect of interest, and so under every perturbation"
        case "vanishes_with_size":
            before = "" if row["estimate_without_size"] is None else f" from {rule.two_digits(row['estimate_without_size'], '+')}"
            why = f"less than a third is left{before} after controlling for the size of the company, and so under every perturbation"
        case "changes_under_a_perturbation":
            alone = "supported" if row["estimate_p05"] > 0 else "not supported"
            more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
            why = f"the primary specification alone would give {alone}, and these perturbations do not agree: {'; '.join(other[:SHOWN])}{more}"
        case "chance_does_as_well":
            why = "the interval lies above zero, and chance orders companies as well too often"
        case _:
            why = f"the interval includes both zero and {row['smallest_effect']:g}, the smallest effect of interest"
    return f"{word}: {interval(row)}; {why}."


def what_would_change_it(row: dict[str, Any]) -> str:
    """Return what would decide the question, or change its verdict."""
    other, needed = row["perturbations_that_differ"], row["n_owners_needed"]
    if row["verdict"] != "cannot_tell":
        return "Captures or facts under which one perturbation of moat_robustness gives another verdict."
    if row["question_id"] == "dose":
        return "More pairs of generations with disclosed video data: the question needs at least three families whose data changed, and six are the fewest whose signs can reach p < 0.05."
    if row["verdict_reason"] == "changes_under_a_perturbation":
        alone = "supported" if row["estimate_p05"] > 0 else "not supported"
        return f"It would be {alone} if {number_of(len(other), 'perturbation')} of moat_robustness gave that verdict too."
    if needed:
        return f"With the same estimate about {needed} owners of platforms, instead of {row['n_owners']}, would decide it."
    return "More companies and models, or narrower hours (see input_importance)."


def days_of(panel: pl.LazyFrame) -> pl.DataFrame:
    """Return the first and the last day of the captures of each choice."""
    entries = panel.filter(pl.col("board_role") == "primary")
    return (
        entries.group_by("as_of_kind", "as_of_on")
        .agg(first=pl.col("captured_on").min(), last=pl.col("captured_on").max())
        .collect()
    )


def sentence(rows: list[dict[str, Any]], days: tuple[date, ...]) -> str:
    """Return one sentence over the questions of one choice of captures, with the first and the last day of those captures.

    Statements left open are counted and not quoted: out of its sentence each would read as a finding.
    """
    ordered = sorted(rows, key=lambda row: list(ASKED).index(row["question_id"]))
    counted = {word: [ASKED[row["question_id"]][1] for row in ordered if row["verdict"] == word] for word in VERDICTS}
    parts = [
        f"{verb} {NUMBERS[len(counted[word])]}"
        + (f" (that {'; that '.join(counted[word])})" if counted[word] and word != "cannot_tell" else "")
        for word, verb in (("supported", "support"), ("not_supported", "speak against"), ("cannot_tell", "leave open"))
    ]
    kind, between = rows[0]["as_of_kind"], " to ".join(day.isoformat() for day in sorted(set(days)))
    return f"Of six statements about owning video and rating well, {DAY[kind]} ({between}) {parts[0]}, {parts[1]} and {parts[2]}."
