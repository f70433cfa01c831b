"""Every claim, decided by its own query on every board and day it is about, or once where it is not about a board (`no_board`)."""

from collections.abc import Mapping

import duckdb
import polars as pl

from datamoat.errors import ContentError

GRAIN = ("claim_id", "board_id", "captured_on")
NULLABLE = ("gap_to_leader", "gap_exceeds_interval")
CACHE = True
QUERY = "data/reference/claim_queries/{}.sql"
VERDICTS = {"true", "false", "cannot_tell", "not_testable", "no_data"}
TYPES: dict[str, type[pl.DataType]] = {
    "board_id": pl.String,
    "captured_on": pl.Date,
    "verdict": pl.String,
    "evidence": pl.String,
    "gap_to_leader": pl.Float64,
    "gap_exceeds_interval": pl.Boolean,
}
# Queries name the published tables; before those exist, these views replace them, with every column that a claim uses.
VIEWS = {
    "marts.board_status": "from int_board__status join (select board_id, board_family from int_moat__board) using (board_id)",
    "marts.leaderboard": "from int_board__entry where capture_status = 'ok'",
    "marts.company_moat": "from int_moat__company",
    "marts.moat_answer": "from int_moat__statement",
    "marts.company_volume": "from int_company__volume_quantiles",
    "marts.company_pair": "from int_company__pair",
    "marts.platform_volume": """
        select volumes.*, platforms.class as platform_class, totals.is_in_totals, known.basis
        from int_platform__volume_quantiles as volumes
        join int_platform__evidence as known using (platform_id, month, scenario_id)
        join stg_reference__platforms as platforms using (platform_id)
        join int_platform__total as totals using (platform_id)""",
    "marts.platform_volume_draws": "from int_platform__volume_draws",
    "marts.platform_observation": "from stg_reference__platform_observations",
    "marts.training_disclosure": """
        from stg_reference__training_disclosures
        left join (select disclosure_id, disclosed_to_available_ratio_p50 from int_moat__disclosure) using (disclosure_id)""",
}


def model(
    stg_reference__claims: pl.LazyFrame,
    int_board__status: pl.LazyFrame,
    int_board__entry: pl.LazyFrame,
    int_moat__company: pl.LazyFrame,
    int_moat__statement: pl.LazyFrame,
    int_moat__board: pl.LazyFrame,
    int_moat__disclosure: pl.LazyFrame,
    int_company__volume_quantiles: pl.LazyFrame,
    int_company__pair: pl.LazyFrame,
    int_platform__volume_quantiles: pl.LazyFrame,
    int_platform__volume_draws: pl.LazyFrame,
    stg_reference__platforms: pl.LazyFrame,
    int_platform__total: pl.LazyFrame,
    int_platform__evidence: pl.LazyFrame,
    stg_reference__platform_observations: pl.LazyFrame,
    stg_reference__training_disclosures: pl.LazyFrame,
) -> pl.DataFrame:
    """Run the query of each claim unchanged and return its verdicts."""
    claims = stg_reference__claims.sort("claim_id").collect()
    # Draws are many and claims ask for one month, so that only its quarter of a year is handed over.
    recent = int_platform__volume_draws.filter(pl.col("month").is_between(pl.date(2026, 4, 1), pl.date(2026, 6, 1)))
    frames = {
        "int_board__status": int_board__status,
        "int_board__entry": int_board__entry,
        "int_moat__company": int_moat__company.drop("citation_ids", "assumption_ids"),
        "int_moat__statement": int_moat__statement,
        "int_moat__board": int_moat__board,
        "int_moat__disclosure": int_moat__disclosure,
        "int_company__volume_quantiles": int_company__volume_quantiles,
        "int_company__pair": int_company__pair,
        "int_platform__volume_quantiles": int_platform__volume_quantiles,
        "int_platform__volume_draws": recent,
        "stg_reference__platforms": stg_reference__platforms,
        "int_platform__total": int_platform__total,
        "int_platform__evidence": int_platform__evidence.select("platform_id", "month", "scenario_id", "basis"),
        "stg_reference__platform_observations": stg_reference__platform_observations,
        "stg_reference__training_disclosures": stg_reference__training_disclosures,
    }
    files = {QUERY.format(claim_id): sql for claim_id, sql in claims.select("claim_id", "sql").iter_rows()}
    results = run_queries(files, VIEWS, {name: frame.collect() for name, frame in frames.items()})
    return pl.concat([checked(claim_id, results[QUERY.format(claim_id)]) for claim_id in claims["claim_id"]])


def checked(claim_id: str, answer: pl.DataFrame) -> pl.DataFrame:
    """Return a claim's rows, or refuse an answer of another shape.

    None are right where the build is as of a day before the first that a claim is about; that each claim has rows in a
    published build is a check (every_claim_has_a_verdict).
    """
    words = set(answer["verdict"]) - VERDICTS if "verdict" in answer.columns else set()
    if tuple(answer.columns) != tuple(TYPES) or words:
        raise ContentError(
            f"the query of {claim_id} gives {answer.columns}, {answer.height} rows, verdicts beyond the list: {sorted(words)}",
            QUERY.format(claim_id),
            f"give {', '.join(TYPES)}; verdicts are {', '.join(sorted(VERDICTS))}.",
        )
    return answer.select(pl.col(name).cast(kind) for name, kind in TYPES.items()).select(
        pl.lit(claim_id).alias("claim_id"), *TYPES
    )


def run_queries(
    queries: Mapping[str, str], views: Mapping[str, str], frames: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Return the result of each query, by its name.

    Args:
        queries: SQL by name; it names the views.
        views: For each table a query names, as `schema.table`, the SELECT over frames that replaces it.
        frames: Tables by the names the views use.

    Raises:
        ContentError: A view or a query does not run; the name of the query is in the message.
    """
    with duckdb.connect() as con:
        con.execute("set threads = 1")
        for name, frame in frames.items():
            con.register(name, frame)
        for name, select in views.items():
            con.execute(f"create schema if not exists {name.split('.')[0]}")
            _run(con, f"create view {name} as {select}", name)
        answers = {}
        for name, query in queries.items():
            _run(con, f"create or replace temp table answer as {query}", name)
            answers[name] = con.sql("from answer").pl()
    return answers


def _run(con: duckdb.DuckDBPyConnection, statement: str, name: str) -> None:
    """Run a statement; an error names whose it is."""
    try:
        con.execute(statement)
    except duckdb.Error as failure:
        raise ContentError(f"{name} does not run: {failure}", name, "correct the SQL; try it in a DuckDB prompt.") from failure
