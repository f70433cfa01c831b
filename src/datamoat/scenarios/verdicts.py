"""The verdicts that other volumes would give, by the very rules that gave the published ones.

A board is judged by the kit, as in a build; the verdict over boards comes from the text of the model that made the published
answer, run on what is published with the judged readings in their places. Only the readings that the newest quarter's answer
is about are judged anew. The draws are those of a build; the headline's test looks at fewer permutations.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb

from datamoat.settings import Settings
from datamoat.storage.lake import quoted
from datamoat.storage.warehouse import open_published

if TYPE_CHECKING:
    from moat.link.verdict import Looks, Thresholds
    from moat.uncertainty.seeds import Floats

N_RANDOM = 9_999  # permutations: enough to tell which side of a threshold p lies on, and quick
MAX_COMPANIES = 256
# The readings that the newest quarter's answer is about, and the companies that stand on them.
READINGS = """
    create schema marts;
    create table readings as
        select board_id, captured_on, board_role
        from published.marts.moat_test
        where board_role in ('primary', 'control')
            and date_trunc('quarter', captured_on) <= (select max(quarter_on) from published.marts.moat_answer)
        qualify row_number() over (partition by board_id order by captured_on desc) = 1;
    create table marts.company_moat as
        select m.* from published.marts.company_moat as m semi join readings using (board_id, captured_on)
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
    create table intermediate.int_moat__association as  -- without the values that lack a company: how sure a median is is not asked
        select board_id, captured_on, definition_id, value, []::varchar[] as company_ids, []::double[] as values_without_one
        from published.marts.moat_association;
"""
BOARDS = """
    select r.board_id, r.captured_on, r.board_role, t.spearman, t.p_permutation, t.verdict
    from readings as r inner join published.marts.moat_test as t using (board_id, captured_on)
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


@dataclass(frozen=True)
class Verdicts:
    """What is said as published, and what would be said.

    Attributes:
        boards: By primary board, its verdict and correlation.
        answer: The newest quarter's verdict over boards: a row as published, a row as it would be.
    """

    boards: list[dict[str, Any]]
    answer: list[dict[str, Any]]


@contextmanager
def at_hand(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open memory to work in, with the file `published` beside it and the readings that matter in `marts.company_moat`."""
    open_published(settings).close()  # says what is wrong where nothing is published, or the file is broken
    with duckdb.connect() as con:
        con.execute(f"attach {quoted(str(settings.published))} as published (read_only)")
        con.execute(READINGS)
        yield con


def verdicts_if(settings: Settings, con: duckdb.DuckDBPyConnection, hours: str) -> Verdicts:
    """Return the verdicts that other volumes give.

    Args:
        settings: Where the thresholds are.
        con: From `at_hand`.
        hours: SQL of the volumes: company_id, month, draw, usable_hours, short_usable_hours, for what company_moat asks.
    """
    from moat.link.verdict import Looks, Thresholds

    with (settings.reference / "moat_thresholds.csv").open(newline="", encoding="utf-8") as handle:
        thresholds = {row["threshold_id"]: float(row["value"]) for row in csv.DictReader(handle)}
    seed = con.sql("select (settings::json ->> 'seed')::bigint as seed from published.meta.build").fetchall()[0][0]
    con.execute(ANSWER_READS)
    con.executemany("insert into staging.stg_reference__moat_thresholds values (?, ?)", list(thresholds.items()))
    draws, looks = _drawn(con, hours, seed), Looks(n_random=N_RANDOM, seed=seed)
    boards = []
    for board_id, captured_on, role, *published in con.sql(BOARDS).fetchall():
        field = con.execute(FIELD, [board_id, captured_on]).fetchall()
        found = _judged(field, draws, Thresholds.from_rows(thresholds), looks, is_primary=role == "primary")
        _put(con, board_id, captured_on, found)
        if role == "primary":
            said = dict(zip(("spearman", "p_permutation", "verdict"), published, strict=True))
            would = {f"{name}_if": found[key] for name, key in SHOWN.items()}
            boards.append({"board_id": board_id, "captured_on": captured_on, **said, **would})
    answer = {"as published": "published.marts.moat_answer", "if": f"({_model_of_the_answer(con)})"}
    return Verdicts(boards, [{"which": which, **_newest(con, made)} for which, made in answer.items()])


@dataclass(frozen=True)
class _Draws:
    """Draws of volumes, shape (n_places, n_draws), the row of each company and month, and the noise of ratings."""

    usable: "Floats"
    short: "Floats"
    row_of: dict[tuple[str, date], int]
    mirrored: "Floats"


def _drawn(con: duckdb.DuckDBPyConnection, hours: str, seed: int) -> _Draws:
    """Return the draws at hand, and the same noise of ratings as in a build."""
    import numpy as np

    from moat.uncertainty.seeds import normals

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


def _judged(
    field: list[tuple[Any, ...]], draws: _Draws, rule: "Thresholds", looks: "Looks", *, is_primary: bool
) -> dict[str, Any]:
    """Return what the rule finds on one reading, by the columns of its published test; a control lends its correlation alone."""
    import numpy as np

    from moat.link.association import spearman_matrix, standard_ranks
    from moat.link.verdict import examine, judge

    def volumes(of: "Floats") -> "Floats":
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
    """Put what was found on a reading where the model of the answer reads it."""
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
