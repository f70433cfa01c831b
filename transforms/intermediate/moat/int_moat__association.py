"""Does a company's volume go with its place? Every definition on every complete board, the headline's test, and what explains it away.

One row a board, day and definition in `int_moat__association` (statistic, p, effect, power, leave-one-out) and in
`int_moat__confounder` (what is left once release date and more are held fixed); one row a board and day in `int_moat__test`.
Draws of volume are those of `int_company__volume_draws`; ratings are drawn around the published ones with their standard
error, in mirrored pairs, so that their mean over draws is the published rating. Nothing depends on a company's name.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs

from moat.link.association import TRIPLE, Groups, Held, Tested, hold_fixed, partial_test, projection, standard_ranks
from moat.link.specifications import Link, Rated, link
from moat.link.verdict import Looks, Thresholds, examine, judge
from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats, normals

CACHE = True
TABLES = {
    "int_moat__association": ("board_id", "captured_on", "definition_id"),
    "int_moat__confounder": ("board_id", "captured_on", "definition_id"),
    "int_moat__test": ("board_id", "captured_on"),
    "int_moat__missing_effect": ("board_id", "model_id", "missing_from"),
}
# A build as of an early day may have no entry that is missing; its table has columns all the same.
MISSING_EFFECT = {
    "board_id": pl.String, "model_id": pl.String, "missing_from": pl.Date, "captured_on": pl.Date, "is_company_best": pl.Boolean,
    "spearman": pl.Float64, "verdict": pl.String, "spearman_if_returned": pl.Float64, "verdict_if_returned": pl.String,
}  # fmt: skip
NULLABLE = (
    "value",
    "value_at_medians",
    "p_permutation",
    "p_method",
    "n_permutations",
    "min_possible_p",
    "effect_p05",
    "effect_p50",
    "effect_p95",
    "volume_reliability",
    "rating_reliability",
    "power_at_half",
    "leave_one_out_low",
    "leave_one_out_high",
    "leave_one_out_driver",
    "date_with_rating",
    "date_with_volume",
    "partial_date",
    "p_partial_date",
    "partial_date_open",
    "p_partial_date_open",
    "partial_all_controls",
    "p_partial_all_controls",
    "spearman",
    "partial_spearman",
    "p_partial",
    "auc_platform",
    "worst_p_without_one",
    "worst_without_company_id",
    "spearman_if_returned",
    "rho_measurement_only_p05",
    "rho_measurement_only_p50",
    "rho_measurement_only_p95",
)
MEASURES = (
    "first_party_stock_hours",
    "first_party_stock_videos",
    "first_party_hours_per_day",
    "first_party_videos_per_day",
    "first_party_short_hours_per_day",
    "first_party_short_stock_hours",
    "available_first_party_hours",
    "available_hours",
    "usable_hours",
    "short_usable_hours",
)
PER_BOARD = ("int_moat__association", "int_moat__confounder", "int_moat__test")
PANELS = ("date", "date_open", "all_controls")
MAX_COMPANIES = 256
DECIMALS = 10
BEST_FIRST, WORST_LAST = ("rating", "rating_se", "entry_key"), (True, False, False)  # never by name


@dataclass(frozen=True)
class Volumes:
    """Draws and medians of each measure by company and month, as rows of arrays.

    Attributes:
        row: The row of a company and month.
        draws: By measure, shape (n_rows, n_draws); minus infinity for none.
        medians: By measure, shape (n_rows,), as published where they are.
        lagged: Draws of usable hours by company, shape (n_months, n_draws), from the first month on.
        lag: Months from the end of data collection to release, one a draw.
        first: The first month.
        is_prior_only: By row: owns platforms, and none of them has an observation.
    """

    row: dict[tuple[str, date], int]
    draws: dict[str, Floats]
    medians: dict[str, Floats]
    lagged: dict[str, Floats]
    lag: np.ndarray[Any, np.dtype[np.int64]]
    first: date
    is_prior_only: Groups

    @property
    def n_draws(self) -> int:
        """How many draws there are."""
        return len(self.lag)

    def at_cutoff(self, company_id: str, month: date) -> Floats:
        """Return usable hours of a company, in each draw as many months before `month` as that draw's lag says."""
        path = self.lagged[company_id]
        place = (month.year - self.first.year) * 12 + month.month - self.first.month
        return np.asarray(path[np.clip(place - self.lag, 0, len(path) - 1), np.arange(self.n_draws)])


@dataclass(frozen=True)
class Standing:
    """The companies on one board by one way of standing for a company, best rated first; arrays of shape (n,)."""

    company_ids: list[str]
    months: list[date]
    rows: np.ndarray[Any, np.dtype[np.intp]]
    counted: dict[str, Groups]
    rated: dict[str, Rated]
    dated: dict[str, Floats]
    day: Floats
    is_open: Floats
    has_sound: Floats
    lines: Floats


@dataclass(frozen=True)
class Field:
    """The companies one definition counts on one board: who, how rated, how much video, in which order released."""

    company_ids: list[str]
    kept: np.ndarray[Any, np.dtype[np.intp]]
    rated: Rated
    v: Floats
    medians: Floats
    owners: Groups
    ranks: Floats
    dated: Floats


@dataclass(frozen=True)
class Panel:
    """What is held fixed for one population: its controls' design, and the ratings without them."""

    counted: Groups
    design_rank: int
    held: Held | None


def model(
    int_moat__contender: pl.LazyFrame,
    int_company__volume_draws: pl.LazyFrame,
    int_company__volume_quantiles: pl.LazyFrame,
    int_company__evidence: pl.LazyFrame,
    int_moat__returning: pl.LazyFrame,
    stg_reference__moat_definitions: pl.LazyFrame,
    stg_reference__moat_thresholds: pl.LazyFrame,
    stg_reference__assumptions: pl.LazyFrame,
    settings: dict[str, Any],
) -> dict[str, pl.DataFrame]:
    """Return the three tables; days whose board says the same as another day's are computed once."""
    contenders = int_moat__contender.collect()
    returning = int_moat__returning.collect()
    definitions = stg_reference__moat_definitions.sort("definition_id").collect().to_dicts()
    thresholds = stg_reference__moat_thresholds.collect()
    rule = Thresholds.from_rows(dict(zip(thresholds["threshold_id"], thresholds["threshold_value"], strict=True)))
    lag = stg_reference__assumptions.filter(pl.col("name") == "data_cutoff_lag").collect().row(0, named=True)
    wanted = pl.concat([frame.select("company_id", "volume_month") for frame in (contenders, returning)])
    volumes = read_volumes(
        wanted, int_company__volume_draws, int_company__volume_quantiles, int_company__evidence, lag, settings["seed"]
    )
    half = normals(settings["seed"], "rating", volumes.n_draws // 2 + 1, MAX_COMPANIES)
    mirrored = np.stack([half, -half], axis=1).reshape(-1, MAX_COMPANIES)[: volumes.n_draws]
    looks = Looks(seed=settings["seed"])
    ways = sorted({definition["representative"] for definition in definitions})
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in PER_BOARD}
    seen: dict[tuple[tuple[int, ...], ...], dict[str, list[dict[str, Any]]]] = {}
    ordered = plain(contenders).sort("board_id", "captured_on", *BEST_FIRST, descending=[False, False, *WORST_LAST])
    parts = ordered.partition_by("board_id", "captured_on", "representative", as_dict=True, include_key=False)
    for board_id, captured_on in ordered.select("board_id", "captured_on").unique(maintain_order=True).iter_rows():
        board = {way: parts.get((board_id, captured_on, way), parts[board_id, captured_on, "best"].clear()) for way in ways}
        said = tuple(tuple(frame["said"]) for frame in board.values())
        if said not in seen:
            seen[said] = look_at(board, definitions, volumes, mirrored, rule, looks)
        for name, found in seen[said].items():
            rows[name] += [{"board_id": board_id, "captured_on": captured_on, **row} for row in found]
    rows["int_moat__missing_effect"] = returns(returning, contenders, rows["int_moat__test"], volumes, mirrored, rule, looks)
    return {
        name: pl.DataFrame(found, MISSING_EFFECT if name == "int_moat__missing_effect" else None, infer_schema_length=None)
        .with_columns(cs.by_dtype(pl.Null).cast(pl.Float64))
        # The last digits of a matrix product depend on how many threads made it.
        .with_columns(cs.float().round(DECIMALS))
        for name, found in rows.items()
    }


def plain(contenders: pl.DataFrame) -> pl.DataFrame:
    """Return what the statistics read, as numbers, and one hash of it for each row."""
    return contenders.select(
        "board_id",
        "captured_on",
        "representative",
        "company_id",
        "volume_month",
        "entry_key",
        "rating",
        "rating_se",
        day=pl.col("released_on").cast(pl.Int32).cast(pl.Float64),
        is_open=pl.col("is_open_weights").fill_null(value=False).cast(pl.Float64),
        has_sound=pl.col("has_audio").fill_null(value=False).cast(pl.Float64),
        lines=pl.col("resolution_lines").cast(pl.Float64).fill_null(np.nan),
    ).with_columns(said=pl.struct(pl.exclude("board_id", "captured_on")).hash())


def read_volumes(
    wanted: pl.DataFrame,
    draws: pl.LazyFrame,
    quantiles: pl.LazyFrame,
    evidence: pl.LazyFrame,
    lag: dict[str, Any],
    seed: int,
) -> Volumes:
    """Return the volumes the contenders need."""
    pairs = wanted.select("company_id", month="volume_month").unique().sort("company_id", "month")
    first_party = pl.col("available_first_party_hours").fill_null(0.0) + pl.col("available_licensed_hours")
    derived = [
        pl.when(first_party > 0).then(first_party).alias("first_party_and_licensed_hours"),
        pl.col("first_party_stock_hours").is_not_null().cast(pl.Float64).alias("has_platform"),
        pl.col("first_party_short_stock_hours").is_not_null().cast(pl.Float64).alias("has_short_platform"),
    ]
    found = (
        draws.join(pairs.lazy(), on=["company_id", "month"], how="semi")
        .select("company_id", "month", "draw", pl.col(MEASURES).cast(pl.Float64), *derived)
        .sort("company_id", "month", "draw")
        .collect()
    )
    n_draws = found["draw"].n_unique()
    measures = [name for name in found.columns if name not in {"company_id", "month", "draw"}]
    by_measure = {name: found[name].fill_null(-np.inf).to_numpy().reshape(len(pairs), n_draws) for name in measures}
    paths = (
        draws.filter(pl.col("company_id").is_in(pairs["company_id"].unique().to_list()))
        .select("company_id", "month", "draw", "usable_hours")
        .sort("company_id", "month", "draw")
        .collect()
    )
    lagged = {
        str(company): path["usable_hours"].to_numpy().reshape(-1, n_draws)
        for (company,), path in paths.group_by("company_id", maintain_order=True)
    }
    split = Split(lag["distribution"], lag["p05"], lag["p50"], lag["p95"]).checked(lag["name"])
    months = np.rint(split.at(normals(seed, f"z:{lag['name']}", 1, n_draws)[0])).astype(np.int64)
    owning = evidence.filter(pl.col("has_platform")).select("company_id", "month", "scenario_id").collect()
    with_evidence = set(owning.filter(pl.col("scenario_id") == "no_prior_only_platforms").drop("scenario_id").iter_rows())
    with_any = set(owning.filter(pl.col("scenario_id") == "baseline").drop("scenario_id").iter_rows())
    published = (
        quantiles.filter(pl.col("scenario_id") == "baseline")
        .join(pairs.lazy(), on=["company_id", "month"], how="semi")
        .sort("company_id", "month")
        .select(pl.col(f"{name}_p50").fill_null(-np.inf).alias(name) for name in MEASURES)
        .collect()
    )
    return Volumes(
        row={(row["company_id"], row["month"]): i for i, row in enumerate(pairs.iter_rows(named=True))},
        draws=by_measure,
        medians={
            name: published[name].to_numpy() if name in published.columns else np.median(x, axis=1)
            for name, x in by_measure.items()
        },
        lagged=lagged,
        lag=months,
        first=paths["month"].min(),  # type: ignore[arg-type]
        is_prior_only=np.array([key in with_any and key not in with_evidence for key in pairs.iter_rows()], dtype=bool),
    )


def look_at(
    board: dict[str, pl.DataFrame],
    definitions: list[dict[str, Any]],
    volumes: Volumes,
    mirrored: Floats,
    rule: Thresholds,
    looks: Looks,
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of one board, without its keys."""
    ways = {way: standing_of(frame, volumes, mirrored) for way, frame in board.items()}
    panels: dict[tuple[str, str, str, bool], Panel] = {}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in PER_BOARD}
    auc = None
    for definition in definitions:
        way = ways[definition["representative"]]
        field = field_of(definition, way, volumes, looks)
        test = None
        if definition["is_headline"]:  # its own test looks harder, and there is one p of it, not two
            row, test = test_row(field, way, rule, looks)
            found["int_moat__test"].append(row)
        result = link(definition["statistic"], field.v, field.medians, field.rated, looks, field.ranks, test)
        found["int_moat__association"].append(association_row(definition, field, result))
        found["int_moat__confounder"].append(confounder_row(definition, field, way, panels, looks))
        if definition["statistic"] == "auc" and definition["measure"] == "has_platform" and result.test is not None:
            auc = result.test.value
    found["int_moat__test"][0]["auc_platform"] = auc
    return found


def standing_of(board: pl.DataFrame, volumes: Volumes, mirrored: Floats) -> Standing:
    """Return the companies of one board, which comes best first; equal ratings by error and the source's key, never by name."""
    companies, months = board["company_id"].to_list(), board["volume_month"].to_list()
    rows = np.array([volumes.row[key] for key in zip(companies, months, strict=True)], dtype=np.intp)
    ratings = board["rating"].to_numpy()
    owners, short = (volumes.medians[name][rows] > 0 for name in ("has_platform", "has_short_platform"))
    counted = {
        "all": np.ones(len(rows), dtype=bool),
        "platform_owners": owners,
        "short_operators": short,
        "not_prior_only": ~volumes.is_prior_only[rows],
    }
    r = ratings + board["rating_se"].to_numpy() * mirrored[:, : len(rows)]
    rated = {name: Rated(r[:, among], ratings[among]) for name, among in counted.items()}
    return Standing(
        company_ids=companies,
        months=months,
        rows=rows,
        counted=counted,
        rated=rated,
        dated={name: ranks_of(board["day"].to_numpy()[among]) for name, among in counted.items()},
        day=board["day"].to_numpy(),
        is_open=board["is_open"].to_numpy(),
        has_sound=board["has_sound"].to_numpy(),
        lines=board["lines"].to_numpy(),
    )


def field_of(definition: dict[str, Any], way: Standing, volumes: Volumes, looks: Looks) -> Field:
    """Return the companies that count under a definition, and as many draws as it is given."""
    kept = np.flatnonzero(way.counted[definition["population"]])
    rows, measure = way.rows[kept], definition["measure"]
    v = volumes.draws[measure][rows].T
    if definition["volume_at"] == "cutoff" and len(kept):
        v = np.stack([volumes.at_cutoff(way.company_ids[i], way.months[i]) for i in kept], axis=1)
    some = slice(None, None if definition["is_headline"] else looks.n_draws_other)
    v = v[some]
    return Field(
        company_ids=[way.company_ids[i] for i in kept],
        kept=kept,
        rated=way.rated[definition["population"]],
        v=v,
        medians=volumes.medians[measure][rows],
        owners=way.counted["platform_owners"][kept],
        ranks=standard_ranks(v) if len(kept) else v,
        dated=way.dated[definition["population"]],
    )


def ranks_of(x: Floats) -> Floats:
    """Return standardised ranks of one list."""
    return np.asarray(standard_ranks(x[None])[0]) if len(x) else x


def association_row(definition: dict[str, Any], field: Field, result: Link) -> dict[str, Any]:
    """Return one definition's row."""
    test, effect, without = result.test, result.effect, result.range_without_one
    return {
        "definition_id": definition["definition_id"],
        "measure": definition["measure"],
        "statistic": definition["statistic"],
        "is_headline": definition["is_headline"],
        "n_companies": result.n_companies,
        "n_with_platform": int(field.owners.sum()),
        "link_reason": result.reason,
        "value": test and test.value,
        "value_at_medians": result.plain,
        "p_permutation": test and test.p,
        "p_method": test and test.method,
        "n_permutations": test and test.n_permutations,
        "min_possible_p": test and test.min_p,
        "effect_p05": effect and effect.p05,
        "effect_p50": effect and effect.p50,
        "effect_p95": effect and effect.p95,
        "volume_reliability": result.reliability_v,
        "rating_reliability": result.reliability_r,
        "power_at_half": result.power,
        "leave_one_out_low": without and without[0],
        "leave_one_out_high": without and without[1],
        "leave_one_out_driver": without and field.company_ids[without[2]],
        "company_ids": field.company_ids,
        "values_without_one": values_without_one(result),
    }


def values_without_one(result: Link) -> list[float | None]:
    """Return the statistic without each company; none where it cannot be computed."""
    if result.without is None:
        return [None] * result.n_companies
    return [round(x, DECIMALS) if np.isfinite(x) else None for x in result.without.tolist()]


def controls_of(way: Standing, kept: np.ndarray[Any, np.dtype[np.intp]], panel: str, dated: Floats) -> Floats:
    """Return the controls of a panel, shape (n, k): rank of release day; open weights; sound; rank of resolution."""
    columns = [dated]
    if panel != "date":
        columns.append(way.is_open[kept])
    if panel == "all_controls":
        columns += [way.has_sound[kept], ranks_of(way.lines[kept])]
    return np.column_stack(columns)


def panel_of(field: Field, way: Standing, panel: str, some: slice, n_random: int, seed: int) -> Panel:
    """Return a panel of controls for a population; companies of unknown resolution are left out of the one that needs it."""
    is_needed = panel == "all_controls"
    counted = np.isfinite(way.lines[field.kept]) if is_needed else np.ones(len(field.kept), dtype=bool)
    if counted.sum() < TRIPLE:
        return Panel(counted, 0, None)
    among = field.kept[counted]
    basis = projection(controls_of(way, among, panel, field.dated if counted.all() else ranks_of(way.day[among])))
    ranks = field.rated.ranks[some] if counted.all() else standard_ranks(field.rated.r[some, counted])
    held = hold_fixed(ranks, basis, n_random=n_random, seed=seed)
    return Panel(counted, basis.shape[1], held)


def confounder_row(
    definition: dict[str, Any],
    field: Field,
    way: Standing,
    panels: dict[tuple[str, str, str, bool], Panel],
    looks: Looks,
) -> dict[str, Any]:
    """Return what is left of one definition's association with the controls held fixed; the headline's is that of its test."""
    is_headline = bool(definition["is_headline"])
    some = slice(None, None if is_headline else looks.n_draws_again)
    n_random = looks.n_random_again if is_headline else looks.n_random_pairs
    row: dict[str, Any] = {"definition_id": definition["definition_id"], "n_companies": len(field.kept)}
    is_computable = len(field.kept) >= TRIPLE
    v, ranks = field.v[some], field.ranks[some]
    row["date_with_volume"] = float((ranks * field.dated).mean()) if is_computable else None
    row["date_with_rating"] = float((field.rated.ranks[some] * field.dated).mean()) if is_computable else None
    for name in PANELS:
        key = (definition["population"], definition["representative"], name, is_headline)
        if key not in panels:
            panels[key] = panel_of(field, way, name, some, n_random, looks.seed)
        panel = panels[key]
        among = ranks if panel.counted.all() else standard_ranks(v[:, panel.counted]) if panel.held else ranks
        tested = partial_test(among, panel.held)
        row[f"partial_{name}"] = tested and tested.value
        row[f"p_partial_{name}"] = tested and tested.p
        row[f"n_{name}"] = int(panel.counted.sum())
        row[f"design_rank_{name}"] = panel.design_rank
    return row


def test_row(field: Field, way: Standing, rule: Thresholds, looks: Looks) -> tuple[dict[str, Any], Tested | None]:
    """Return the headline in one row, and its test."""
    is_enough = len(field.kept) >= TRIPLE
    controls = controls_of(way, field.kept, "date_open", field.dated) if is_enough else np.zeros((len(field.kept), 1))
    found = examine(np.log(field.v), _or_tied(field), field.owners, controls, rule, looks)
    verdict, reason = judge(found, rule)
    test = found.test
    rho = (field.ranks * field.rated.ranks).mean(axis=1) if test else np.zeros(1)
    spread = np.quantile(rho, [0.05, 0.5, 0.95])
    row = {
        "n_companies": found.n_companies,
        "n_with_platform": found.n_with_platform,
        "spearman": test and test.value,
        "p_permutation": test and test.p,
        "p_method": test and test.method,
        "n_permutations": test and test.n_permutations,
        "min_possible_p": test and test.min_p,
        "effect_p05": found.effect and found.effect.p05,
        "effect_p50": found.effect and found.effect.p50,
        "effect_p95": found.effect and found.effect.p95,
        "partial_spearman": found.partial,
        "p_partial": found.p_partial,
        "volume_reliability": found.volume_reliability,
        "rating_reliability": found.rating_reliability,
        "worst_p_without_one": found.worst_p_without_one,
        "worst_without_company_id": None if found.carrier is None else field.company_ids[found.carrier],
        "rho_measurement_only_p05": float(spread[0]) if test else None,
        "rho_measurement_only_p50": float(spread[1]) if test else None,
        "rho_measurement_only_p95": float(spread[2]) if test else None,
        "verdict": verdict,
        "verdict_reason": reason,
    }
    return row, test


def returns(
    returning: pl.DataFrame,
    contenders: pl.DataFrame,
    tests: list[dict[str, Any]],
    volumes: Volumes,
    mirrored: Floats,
    rule: Thresholds,
    looks: Looks,
) -> list[dict[str, Any]]:
    """Return, for each entry that is missing, the headline as if it stood there again at its last rating."""
    before = {(test["board_id"], test["captured_on"]): test for test in tests}
    headline = {"is_headline": True, "population": "all", "measure": "usable_hours", "volume_at": "release"}
    standing = plain(contenders.filter(pl.col("representative") == "best"))
    coming = plain(returning.with_columns(representative=pl.lit("best")))
    found = []
    for place, missing in enumerate(returning.iter_rows(named=True)):
        row = {key: missing[key] for key in ("board_id", "model_id", "missing_from", "captured_on", "is_company_best")}
        test = before[missing["board_id"], missing["captured_on"]]
        row |= {"spearman": test["spearman"], "verdict": test["verdict"]}
        row |= {"spearman_if_returned": test["spearman"], "verdict_if_returned": test["verdict"]}
        if missing["is_company_best"]:
            others = standing.filter(
                (pl.col("board_id") == missing["board_id"])
                & (pl.col("captured_on") == missing["captured_on"])
                & (pl.col("company_id") != missing["company_id"])
            )
            entries = pl.concat([others, coming[place]]).sort(BEST_FIRST, descending=WORST_LAST)
            way = standing_of(entries, volumes, mirrored)
            again, _ = test_row(field_of(headline, way, volumes, looks), way, rule, looks)
            row |= {"spearman_if_returned": again["spearman"], "verdict_if_returned": again["verdict"]}
        found.append(row)
    return found


def _or_tied(field: Field) -> Floats:
    """Return draws of ratings, or equal ones where the published ratings are all equal: their noise orders nothing."""
    points = field.rated.points
    return np.zeros_like(field.rated.r) if len(points) and np.ptp(points) == 0 else field.rated.r
