"""What if, at once: assumptions that act after the fit are held at a number in the published draws.

Volumes and the verdicts of the primary boards are computed anew from them. No table is built; what the fit depends on is
refused here.
"""

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from datamoat.errors import UsageError
from datamoat.lake import quoted
from datamoat.project import read_snippet
from datamoat.settings import Settings

ACCESS = "access."  # access.COMPANY.PLATFORM: the share of its platform a company's labs may reach
NONE = "none"
READ = ("company_platform", "company_moat", "moat_test")
# The platforms and months that the last month's volumes and the newest readings of the primary boards need: read once.
NEEDED = """
    with field as (
        select distinct m.company_id, m.volume_month as month
        from published.marts.company_moat as m
        where m.scenario_id = 'baseline' and (m.board_id, m.captured_on) in (
            select (board_id, max(captured_on)) from published.marts.moat_test where board_role = 'primary' group by board_id
        )
    )
    select distinct p.platform_id, p.month
    from published.marts.company_platform as p
    where p.month = (select max(month) from published.marts.company_platform)
        or exists (select 1 from field as f where f.company_id = p.company_id and f.month = p.month)
"""
MACROS = ("moat_whatif", "whatif_contenders")
MAX_COMPANIES = 256
N_RANDOM = 9_999  # permutations: enough to tell which side of a threshold p lies on, and quick
QUANTITIES = ("first_party_hours_per_day", "first_party_stock_hours", "available_hours", "usable_hours")


@dataclass(frozen=True)
class Answer:
    """What follows.

    Attributes:
        volumes: By company: quantiles before and after, and the ratio of the medians, largest change first.
        columns: What the columns of `volumes` are called.
        boards: By board: verdict and correlation as published and as they would be.
        n_draws: How many draws both sides come from.
    """

    columns: tuple[str, ...]
    volumes: list[tuple[Any, ...]]
    boards: list[tuple[Any, ...]]
    n_draws: int


BOARD_COLUMNS = (
    "board_id",
    "captured_on",
    "spearman",
    "p_permutation",
    "verdict",
    "spearman_if",
    "p_if",
    "verdict_if",
    "reason_if",
)


def acts_after_the_fit(con: duckdb.DuckDBPyConnection, numbers: Mapping[str, str]) -> bool:
    """Return whether every number asked for can be set in the draws.

    Args:
        con: The published file.
        numbers: By assumption id or name, or `access.COMPANY.PLATFORM`: one number, or `none`.
    """
    drawn = {name for (name,) in con.sql("select distinct assumption_name from marts.assumption_draws").fetchall()}
    names = dict(con.sql("select assumption_id, name from meta.assumptions").fetchall())
    return all(
        "," not in value and (name.startswith(ACCESS) or names.get(name, name) in drawn) for name, value in numbers.items()
    )


def answer_from_draws(
    settings: Settings,
    numbers: Mapping[str, str],
    quantity: str = "usable_hours",
    told: Callable[[tuple[str, ...], list[tuple[Any, ...]], int], None] = lambda *_: None,
) -> Answer:
    """Return volumes and verdicts with some assumptions held at a number.

    Args:
        settings: Where the published file and the content are.
        numbers: As `acts_after_the_fit` takes them.
        quantity: Which volume to compare.
        told: Called with the volumes as soon as they are known; the verdicts take a moment more.

    Raises:
        UsageError: A number is none, or nobody has such an access or quantity.
    """
    if quantity not in QUANTITIES:
        raise UsageError(f"the draws have no {quantity}", "--of", f"choose one of {', '.join(QUANTITIES)}.")
    with duckdb.connect() as con:
        con.execute(f"attach {quoted(str(settings.published))} as published (read_only)")
        con.execute("create schema marts")
        for name in READ:
            con.execute(f"create view marts.{name} as from published.marts.{name}")
        con.execute(
            "create table marts.platform_volume_draws as"
            f" select v.* from published.marts.platform_volume_draws as v semi join ({NEEDED}) as n using (platform_id, month)"
        )
        con.execute("create table marts.assumption_draws as from published.marts.assumption_draws")
        for name in MACROS:
            con.execute(read_snippet(settings.content / "transforms" / "macros" / f"{name}.sql", {"description"}).sql)
        before = _volumes(con, quantity)
        for name, value in numbers.items():
            _hold(con, name, value)
        after = {row[0]: row for row in _volumes(con, quantity)}
        changed = [
            (*row, *after[row[0]][1:], after[row[0]][2] / row[2])
            for row in before
            if row[0] in after
            and row[2]
            and abs(math.log(after[row[0]][2] / row[2])) + abs(math.log(after[row[0]][3] / row[3])) > 1e-9  # noqa: PLR2004
        ]
        changed.sort(key=lambda row: (-abs(math.log(row[-1])), row[0]))
        n_draws, seed = con.sql(
            "select max(draw), (select (settings::json ->> 'seed')::bigint from published.meta.build) from marts.assumption_draws"
        ).fetchall()[0]
        columns = ("company_id", *(f"{side}_{end}" for side in ("before", "after") for end in ("p05", "p50", "p95")), "ratio")
        told(columns, changed, int(n_draws))
        return Answer(columns, changed, _boards(settings, con, int(seed)), int(n_draws))


def _hold(con: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    """Hold one assumption at a number in the draws."""
    number = 0.0 if value.strip().lower() == NONE else _number(name, value)
    if name.startswith(ACCESS):
        company, _, platform = name.removeprefix(ACCESS).partition(".")
        found = con.execute(
            "select distinct scope from marts.company_platform where company_id = ? and platform_id = ?", [company, platform]
        ).fetchall()
        if not found:
            raise UsageError(
                f"{company} has no access to {platform} to change", f"--set {name}", "marts.company_platform lists who owns what."
            )
        scopes = ", ".join(quoted(scope) for (scope,) in found)
        con.execute(
            f"update marts.assumption_draws set assumption_value = {number!r}"
            f" where starts_with(assumption_name, 'access_') and scope in ({scopes})"
        )
        return
    names = dict(con.sql("select assumption_id, name from published.meta.assumptions").fetchall())
    con.execute(
        f"update marts.assumption_draws set assumption_value = {number!r} where assumption_name = {quoted(names.get(name, name))}"
    )


def _number(name: str, value: str) -> float:
    """Return a number that was typed."""
    try:
        number = float(value)
    except ValueError as failure:
        raise UsageError(f"{value!r} is no number", f"--set {name}", "say a number, or none for an access.") from failure
    if not math.isfinite(number):
        raise UsageError(f"{value!r} is not finite", f"--set {name}", "say a number.")
    return number


def _volumes(con: duckdb.DuckDBPyConnection, quantity: str) -> list[tuple[str, float, float, float]]:
    """Return the quantiles of a volume by company, in the last month."""
    ends = ", ".join(f"{quantity}_{end}" for end in ("p05", "p50", "p95"))
    return con.sql(
        f"select company_id, {ends} from marts.moat_whatif() where {quantity}_p50 is not null order by company_id"
    ).fetchall()


def _boards(settings: Settings, con: duckdb.DuckDBPyConnection, seed: int) -> list[tuple[Any, ...]]:
    """Return each primary board's verdict as published, and by the same rule on the draws at hand."""
    import numpy as np
    import polars as pl

    from datamoat.kit.association import standard_ranks
    from datamoat.kit.seeds import normals
    from datamoat.kit.verdict import Looks, Thresholds, examine, judge

    frame = con.sql("from marts.whatif_contenders()").pl()
    published = {
        (row[0], row[1]): row[2:]
        for row in con.sql(
            "select board_id, captured_on, spearman, p_permutation, verdict from published.marts.moat_test"
        ).fetchall()
    }
    rule = Thresholds.from_rows(_thresholds(settings))
    n_draws = int(frame["draw"].n_unique())
    half = normals(seed, "rating", n_draws // 2 + 1, MAX_COMPANIES)
    mirrored = np.stack([half, -half], axis=1).reshape(-1, MAX_COMPANIES)[:n_draws]
    told = []
    for (board_id, captured_on), board in frame.group_by("board_id", "captured_on", maintain_order=True):
        first = board.unique("company_id", maintain_order=True)
        n = first.height
        hours = board["usable_hours"].to_numpy().reshape(n, n_draws).T
        v = np.log(np.maximum(hours, np.finfo(float).tiny))
        r = first["best_rating"].to_numpy() + first["best_rating_se"].to_numpy() * mirrored[:, :n]
        day = first["best_released_on"].cast(pl.Int32).cast(pl.Float64).to_numpy()
        controls = np.column_stack([standard_ranks(day[None, :])[0], first["is_open_weights"].cast(pl.Float64).to_numpy()])
        found = examine(v, r, first["has_platform"].to_numpy(), controls, rule, Looks(n_random=N_RANDOM, seed=seed))
        verdict, reason = judge(found, rule)
        was = published.get((str(board_id), captured_on), (None, None, None))
        told.append((board_id, captured_on, *was, found.test and found.test.value, found.test and found.test.p, verdict, reason))
    return told


def _thresholds(settings: Settings) -> dict[str, float]:
    """Return the rule's thresholds, from the reference table."""
    with (settings.reference / "moat_thresholds.csv").open(newline="", encoding="utf-8") as handle:
        return {row["threshold_id"]: float(row["value"]) for row in csv.DictReader(handle)}
