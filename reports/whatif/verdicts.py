"""The verdicts that other volumes would give, by the same rule as the published ones.

A board is tested by `moat.link`, as in a build; the verdict over boards comes from the text of the model that made the published
one, run on what is published with the new tests in place. Only the captures behind the newest quarter's verdict are tested again.
The draws are those of a build; the primary test uses fewer permutations.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from moat.link.association import spearman_matrix, standard_ranks
from moat.link.verdict import Looks, Thresholds, examine, judge
from moat.uncertainty.seeds import Floats, normals

N_RANDOM = 9_999  # permutations: enough to tell which side of a threshold p lies on, and quick
MAX_COMPANIES = 256
# The captures behind the newest quarter's verdict, and the companies ranked on them.
CAPTURES = """
    create table captures as
        select board_id, captured_on, board_role
        from published.marts.moat_test
        where board_role in ('primary', 'control')
            and date_trunc('quarter', captured_on) <= (select max(quarter_on) from published.marts.moat_answer)
        qualify row_number() over (partition by board_id order by captured_on desc) = 1;
    create table marts.company_moat as
        select m.* from published.marts.company_moat as m semi join captures using (board_id, captured_on)
        where m.scenario_id = 'baseline';
"""
# What the model of the answer reads, as published.
ANSWER_READS = """
    create schema staging;
    create schema intermediate;
    create table staging.stg_reference__moat_thresholds (threshold_id varchar, threshold_value double);
    create view intermediate.int_moat__company as from published.marts.company_moat;
    create view intermediate.int_moat__evidence as from published.marts.moat_test;
    create view intermediate.int_moat__board as select distinct board_id, board_role from published.marts.moat_test;
    create table intermediate.int_moat__verdict as from published.marts.moat_test;
    create table intermediate.int_moat__association as  -- without the values that lack a company: only the median is compared
        select board_id, captured_on, definition_id, value, []::varchar[] as company_ids, []::double[] as values_without_one
        from published.marts.moat_association;
"""
BOARDS = """
    select r.board_id, r.captured_on, r.board_role, t.spearman, t.p_permutation, t.verdict
    from captures as r inner join published.marts.moat_test as t using (board_id, captured_on)
    order by r.board_id
"""
FIELD = """
    select
        company_id, volume_month, best_rating, best_rating_se, has_platform,
        best_released_on - date '1970-01-01' as day, coalesce(is_open_weights, false) as is_open
    from marts.company_moat
    where board_id = ? and captured_on = ?
    order by best_rating desc, best_rating_se, best_entry_key
"""
SHOWN = {"spearman": "spearman", "p": "p_permutation", "verdict": "verdict", "reason": "verdict_reason"}
ANSWER = """
    quarter_on, n_supported, n_not_supported, n_cannot_tell, median_spearman, median_short_spearman, median_control_spearman,
    verdict, verdict_text
"""


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the companies of the captures that are tested into `marts.company_moat`."""
    con.execute(CAPTURES)


def compare_verdicts(
    con: duckdb.DuckDBPyConnection, reference: Path, draws: str
) -> Iterator[tuple[str, str, list[str], list[tuple[Any, ...]]]]:
    """Yield tables of the verdicts as published and as they would be: name, title, columns, rows.

    Args:
        con: After `prepare`, with the published file attached as `published`.
        reference: The folder of reference tables; the thresholds are read there.
        draws: SQL of the volumes: company_id, month, draw, usable_hours, short_usable_hours, for the rows of company_moat.
    """
    with (reference / "moat_thresholds.csv").open(newline="", encoding="utf-8") as handle:
        thresholds = {row["threshold_id"]: float(row["value"]) for row in csv.DictReader(handle)}
    seed = con.sql("select (settings::json ->> 'seed')::bigint as seed from published.meta.build").fetchall()[0][0]
    con.execute(ANSWER_READS)
    con.executemany("insert into staging.stg_reference__moat_thresholds values (?, ?)", list(thresholds.items()))
    volumes, looks = _drawn(con, draws, seed), Looks(n_random=N_RANDOM, seed=seed)
    boards = []
    for board_id, captured_on, role, *published in con.sql(BOARDS).fetchall():
        field = con.execute(FIELD, [board_id, captured_on]).fetchall()
        found = _tested(field, volumes, Thresholds.from_rows(thresholds), looks, is_primary=role == "primary")
        _put(con, board_id, captured_on, found)
        if role == "primary":
            before = dict(zip(("spearman", "p_permutation", "verdict"), published, strict=True))
            after = {f"{name}_if": found[column] for name, column in SHOWN.items()}
            boards.append({"board_id": board_id, "captured_on": captured_on, **before, **after})
    yield "boards", "Primary boards, as published and if", list(boards[0]), [tuple(board.values()) for board in boards]
    made = {"as published": "published.marts.moat_answer", "if": f"({_model_of_the_answer(con)})"}
    answer = [{"which": which, **_newest(con, table)} for which, table in made.items()]
    yield "answer", "Over boards, the newest quarter", list(answer[0]), [tuple(row.values()) for row in answer]


@dataclass(frozen=True)
class _Draws:
    """Draws of volumes, shape (n_places, n_draws), the row of each company and month, and the noise of ratings."""

    usable: Floats
    short: Floats
    row_of: dict[tuple[str, date], int]
    mirrored: Floats


def _drawn(con: duckdb.DuckDBPyConnection, hours: str, seed: int) -> _Draws:
    """Return the draws of volumes, and the same noise of ratings as in a build."""
    con.execute(
        f"create table hours as select h.* from ({hours}) as h"
        " semi join marts.company_moat as m on h.company_id = m.company_id and h.month = m.volume_month"
    )
    places = con.sql("select distinct company_id, month from hours order by all").fetchall()
    drawn = con.sql("select usable_hours, short_usable_hours from hours order by company_id, month, draw").fetchnumpy()
    usable, short = (drawn[name].reshape(len(places), -1) for name in ("usable_hours", "short_usable_hours"))
    half = normals(seed, "rating", usable.shape[1] // 2 + 1, MAX_COMPANIES)
    mirrored = np.stack([half, -half], axis=1).reshape(-1, MAX_COMPANIES)[: usable.shape[1]]
    return _Draws(usable, short, {place: row for row, place in enumerate(places)}, mirrored)


def _tested(field: list[tuple[Any, ...]], draws: _Draws, rule: Thresholds, looks: Looks, *, is_primary: bool) -> dict[str, Any]:
    """Return what the rule finds on one capture, by the columns of its published test; of a control, the correlation alone."""

    def volumes(of: Floats) -> Floats:
        return np.asarray(np.log(np.maximum(of[rows].T, np.finfo(float).tiny)))

    rows = [draws.row_of[company, month] for company, month, *_ in field]
    rating, error, has_platform, day, is_open = (np.array(column) for column in list(zip(*field, strict=True))[2:])
    noise = draws.mirrored[:, : len(rows)]
    r = rating + error * noise if np.ptp(rating) > 0 else np.zeros_like(noise)  # equal ratings are not ordered by their noise
    v = volumes(draws.usable)
    if not is_primary:
        return {"spearman": float(np.trace(spearman_matrix(v, r)))}
    controls = np.column_stack([standard_ranks(day[None, :].astype(float))[0], is_open.astype(float)])
    found = examine(v, r, has_platform.astype(bool), controls, rule, looks)
    verdict, reason = judge(found, rule)
    some = slice(None, looks.n_draws_other)
    return {
        "spearman": found.test and found.test.value,
        "p_permutation": found.test and found.test.p,
        "effect_p95": found.effect and found.effect.p95,
        "partial_spearman": found.partial,
        "verdict": verdict,
        "verdict_reason": reason,
        "short_spearman": float(np.trace(spearman_matrix(volumes(draws.short)[some], r[some]))),
    }


def _put(con: duckdb.DuckDBPyConnection, board_id: str, captured_on: date, found: dict[str, Any]) -> None:
    """Write what was found on a capture where the model of the verdict reads it."""
    own = {name: value for name, value in found.items() if name != "short_spearman"}
    setting = ", ".join(f"{name} = ?" for name in own)
    con.execute(
        f"update intermediate.int_moat__verdict set {setting} where board_id = ? and captured_on = ?",
        [*own.values(), board_id, captured_on],
    )
    if "short_spearman" in found:
        con.execute(
            "update intermediate.int_moat__association set value = ?"
            " where board_id = ? and captured_on = ? and definition_id = 'short-usable-hours'",
            [found["short_spearman"], board_id, captured_on],
        )


def _model_of_the_answer(con: duckdb.DuckDBPyConnection) -> str:
    """Return the SQL that made the published answer."""
    found = con.sql("select model_text from published.meta.models where table_name = 'int_moat__answer'").fetchall()
    return str(found[0][0])


def _newest(con: duckdb.DuckDBPyConnection, made: str) -> dict[str, Any]:
    """Return the newest quarter's row of a table of answers."""
    found = con.sql(f"select {ANSWER} from {made} order by quarter_on desc limit 1")
    return dict(zip(found.columns, found.fetchall()[0], strict=True))
