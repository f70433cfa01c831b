"""What `datamoat whatif` may change about volumes: assumptions in the published draws, or the inputs of a scenario build.

An assumption that acts after the fit is set in copies of the published draws, and macros compute the volumes again. What acts
before or in the fit, and a dropped fact, changes the reference tables of a scenario build.
"""

import csv
import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from datamoat.errors import UsageError

TARGET = "marts.company_volume"  # the mart whose quantiles are compared
QUANTITY = "usable_hours"  # the quantity that is compared unless another is named
MACROS = ("moat_whatif", "whatif_moat_draws")  # of transforms/macros, run on the copies of the draws
N_DRAWS = "select max(draw) as n from marts.assumption_draws"
DRAWS = "from marts.whatif_moat_draws()"  # draws of volumes for the verdicts, from changed draws of assumptions
DRAWS_TABLE = "intermediate.int_company__volume_draws"  # the same draws in a scenario build
QUANTITIES = ("first_party_hours_per_day", "first_party_stock_hours", "available_hours", "usable_hours")
ACCESS = "access."  # access.COMPANY.PLATFORM: the share of its platform that a company's labs may use
LENGTH = "length."  # length.PLATFORM: a set of posts, whose dated mean lengths replace the published ones
MEAN_LENGTH = "mean_duration_of_uploads_seconds"
NOISE = "obs_sd_volume_t2"  # the assumption: log noise of a statistic of tier 2; 3.2897 of it span 90 %
NONE = "none"
OBSERVATIONS = "platform_observations.csv"  # the facts that can be left out
SHARES = ("fraction", "hours per raw hour")  # units of a part of a whole, whatever its distribution
# The platforms and months of the last month's volumes and of the captures compared, and only those draws.
NEEDED = """
    create table marts.company_platform as
        select p.* from published.marts.company_platform as p
        where p.month = (select max(month) from published.marts.company_platform)
            or (p.company_id, p.month) in (select (company_id, volume_month) from marts.company_moat);
    create table marts.platform_volume_draws as
        select v.platform_id, v.month, v.draw, v.upload_hours_per_day, v.stock_hours
        from published.marts.platform_volume_draws as v semi join marts.company_platform using (platform_id, month);
    create view marts.company_volume as from published.marts.company_volume;
    create table marts.assumption_draws as from published.marts.assumption_draws;
"""


def acts_after_fit(con: duckdb.DuckDBPyConnection, numbers: Mapping[str, str]) -> bool:
    """Return whether every number can be set in the published draws."""
    drawn = {name for (name,) in con.sql("select distinct assumption_name from published.marts.assumption_draws").fetchall()}
    names = dict(con.sql("select assumption_id, name from published.meta.assumptions").fetchall())
    return all(
        "," not in value and (name.startswith(ACCESS) or names.get(name, name) in drawn) for name, value in numbers.items()
    )


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the published draws that are needed into `marts`."""
    con.execute(NEEDED)


def change_draws(con: duckdb.DuckDBPyConnection, numbers: Mapping[str, str]) -> None:
    """Set assumptions to numbers in the copies of the draws.

    Args:
        con: After `prepare`.
        numbers: By assumption id or name, or `access.COMPANY.PLATFORM`: a number, or `none` for an access.

    Raises:
        UsageError: A number is impossible, an assumption is given twice, or the company has no such access.
    """
    given: set[str] = set()
    for name, value in numbers.items():
        if name.startswith(ACCESS):
            _set_access(con, name, value)
            continue
        own, distribution, unit = con.execute(
            "select name, distribution, unit from published.meta.assumptions where assumption_id = ? or name = ?", [name, name]
        ).fetchall()[0]
        con.execute(
            "update marts.assumption_draws set assumption_value = ? where assumption_name = ?",
            [number_of(name, value, distribution, unit), own],
        )
        _add_once(own, name, given)


def quantiles(con: duckdb.DuckDBPyConnection, quantity: str) -> duckdb.DuckDBPyRelation:
    """Return the quantiles of a quantity computed from the draws: company_id, month (the last), p05, p50, p95.

    Raises:
        UsageError: The draws have no such quantity.
    """
    if quantity not in QUANTITIES:
        raise UsageError(f"the draws have no {quantity}", "--of", f"choose one of {', '.join(QUANTITIES)}.")
    ends = ", ".join(f"{quantity}_{end} as {end}" for end in ("p05", "p50", "p95"))
    return con.sql(
        f"select company_id, month, {ends} from marts.moat_whatif() where {quantity}_p50 is not null order by company_id"
    )


def change_inputs(
    reference: Path, numbers: Mapping[str, str], facts: Sequence[str], published: duckdb.DuckDBPyConnection
) -> list[str]:
    """Write other percentiles of assumptions, other lengths and rulings that drop facts into a copy of the reference tables.

    Args:
        reference: The copied folder.
        numbers: By assumption id or name: one number, or `LOW,MIDDLE,HIGH` as its 5th, 50th and 95th percentile; by
            `length.PLATFORM`: a set of posts of `marts.post_length`.
        facts: Ids of facts that no estimate may use.
        published: The published file is attached to it as `published`.

    Returns:
        The names of the tables that were changed.

    Raises:
        UsageError: An assumption is not known, is used by no model, or cannot be that number; or there is no such fact or set.
    """
    _check_facts(reference / OBSERVATIONS, facts)
    sets = {name.removeprefix(LENGTH): value for name, value in numbers.items() if name.startswith(LENGTH)}
    assumptions = {name: read_numbers(name, text) for name, text in numbers.items() if not name.startswith(LENGTH)}
    replaced = [fact for platform, set_id in sets.items() for fact in _replace_lengths(reference, platform, set_id, published)]
    if assumptions:
        _set_percentiles(reference / "assumptions.csv", assumptions)
    if facts or replaced:
        _drop_facts(reference / "observation_rulings.csv", [*facts, *replaced])
    changed = {"assumptions": assumptions, "platform_observations": sets, "observation_rulings": [*facts, *replaced]}
    return [name for name, what in changed.items() if what]


def number_of(name: str, value: str, distribution: str, unit: str) -> float:
    """Return a number as typed, if a quantity of this kind can be it: a share in 0 to 1, an amount not below 0.

    Raises:
        UsageError: It is no number, or is impossible.
    """
    try:
        number = float(value)
    except ValueError as failure:
        raise UsageError(f"{value!r} is no number", f"--set {name}", "write a number, or none for an access.") from failure
    if not math.isfinite(number):
        raise UsageError(f"{value!r} is not finite", f"--set {name}", "write a number.")
    if (distribution == "beta" or unit.startswith(SHARES)) and not 0 <= number <= 1:
        raise UsageError(f"{value} is not a share", f"--set {name}", "write a number from 0 to 1.")
    if distribution == "lognormal" and number < 0:
        raise UsageError(f"{value} is below 0, and an amount cannot be", f"--set {name}", "write 0 or more.")
    return number


def read_numbers(name: str, text: str) -> tuple[str, str, str]:
    """Return three percentiles, lowest first; one number is used for all three.

    Raises:
        UsageError: The text is neither one number nor three in order, or changes an access, which only the draws hold.
    """
    if name.startswith(ACCESS):
        raise UsageError(
            "an access is changed in the draws alone",
            f"--set {name}",
            "give it without --drop, --where, --build, three numbers, or an assumption that acts before the fit.",
        )
    try:
        numbers = text.split(",")
        low, middle, high = numbers * 3 if len(numbers) == 1 else numbers
        is_sorted = float(low) <= float(middle) <= float(high)
    except ValueError as failure:
        raise UsageError(f"{text!r} sets nothing", f"--set {name}", "write NAME=VALUE or NAME=LOW,MIDDLE,HIGH.") from failure
    if len(numbers) > 1 and not is_sorted:
        raise UsageError(f"{text} is not in order", f"--set {name}", "write NAME=LOW,MIDDLE,HIGH, the smallest number first.")
    return low, middle, high


def _add_once(own: str, name: str, given: set[str]) -> None:
    """Refuse an assumption that is given by its id and by its name."""
    if own in given:
        raise UsageError(f"{own} is given by its id and by its name", f"--set {name}", "give each assumption once.")
    given.add(own)


def _set_access(con: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    """Set the share of a platform that a company's labs may use."""
    company, _, platform = name.removeprefix(ACCESS).partition(".")
    number = 0.0 if value.lower() == NONE else number_of(name, value, "beta", "fraction")
    scopes = con.execute(
        "select distinct scope from published.marts.company_platform where company_id = ? and platform_id = ?",
        [company, platform],
    ).fetchall()
    if not scopes:
        raise UsageError(
            f"{company} has no access to {platform} to change", f"--set {name}", "marts.company_platform lists the owners."
        )
    con.execute(
        "update marts.assumption_draws set assumption_value = ?"
        " where starts_with(assumption_name, 'access_') and list_contains(?, scope)",
        [number, [scope for (scope,) in scopes]],
    )


def _set_percentiles(path: Path, numbers: Mapping[str, tuple[str, str, str]]) -> None:
    """Write other percentiles into the table of assumptions; three equal ones make it fixed."""
    fields, rows = _read(path)
    known = {name: row for row in rows for name in (row["assumption_id"], row["name"])}
    given: set[str] = set()
    for name, values in numbers.items():
        if name not in known:
            near = difflib.get_close_matches(name, [row["name"] for row in rows], 3)
            listed = '`datamoat query "select assumption_id, name, description from meta.assumptions"` lists them.'
            raise UsageError(
                f"no assumption is called {name!r}", path.name, f"did you mean {' or '.join(near)}?" if near else listed
            )
        row = known[name]
        _add_once(row["name"], name, given)
        if row["is_read"] == "false":
            raise UsageError(
                f"no model reads {row['assumption_id']} {row['name']}, so that nothing would change",
                f"--set {name}",
                '`datamoat query "from meta.assumptions where is_read"` lists what an estimate depends on.',
            )
        percentiles = [repr(number_of(name, value, row["distribution"], row["unit"])) for value in values]
        row |= dict(zip(("p05", "p50", "p95"), percentiles, strict=True))
        if len(set(percentiles)) == 1:
            row["distribution"] = "fixed"
    _write(path, fields, rows)


def _replace_lengths(reference: Path, platform: str, set_id: str, published: duckdb.DuckDBPyConnection) -> list[str]:
    """Add the weighted mean length of each month of a set as a fact; return the facts whose place they take.

    A month is a statistic of tier 2, as an academic sample is, with the noise and the shared bias of that tier. The interval of
    a set is of sampling and weighting alone; a month whose interval is wider than that noise is left out.
    """
    _, assumptions = _read(reference / "assumptions.csv")
    noise = next(float(row["p50"]) for row in assumptions if row["name"] == NOISE)
    months = published.execute(
        "select posted_month, last_day(posted_month), mean_seconds, mean_seconds_p05, mean_seconds_p95"
        " from published.marts.post_length where platform_id = ? and set_id = ?"
        " and mean_seconds_p95 < mean_seconds_p05 * exp(? * 3.2897) order by all",
        [platform, set_id, noise],
    ).fetchall()
    if not months:
        known = published.sql(
            "select distinct 'length.' || platform_id || '=' || set_id as known from published.marts.post_length"
            " where mean_seconds is not null order by known"
        ).fetchall()
        raise UsageError(
            f"marts.post_length has no weighted length of {platform} from a set {set_id!r} with an interval that is narrow enough",
            f"--set {LENGTH}{platform}",
            f"choose one of {[name for (name,) in known]}; without any, add a set and the census: docs/scale.md.",
        )
    fields, rows = _read(reference / OBSERVATIONS)
    replaced = [row for row in rows if row["platform_id"] == platform and row["metric"] == MEAN_LENGTH]
    last = max(int(row["fact_id"].removeprefix("F")) for row in rows)
    about = {
        "platform_id": platform, "metric": MEAN_LENGTH, "bound": "exact", "unit": "seconds", "period_basis": "stated",
        "geography": "global_excl_china", "publisher": set_id, "originator": "set-of-posts", "source_kind": "academic", "tier": "2",
        "verification": "snapshot", "is_usable": "true", "citation_id": next(row["citation_id"] for row in [*replaced, *rows]),
    }  # fmt: skip
    for number, (begins_on, ends_on, seconds, low, high) in enumerate(months, start=last + 1):
        fact = {"fact_id": f"F{number:04d}", "value": seconds, "value_low": low, "value_high": high}
        period = {"period_start_on": begins_on, "period_end_on": ends_on, "figure_as_stated": f"{seconds:.3f}"}
        rows.append(dict.fromkeys(fields, "") | about | {name: str(value) for name, value in (fact | period).items()})
    _write(reference / OBSERVATIONS, fields, rows)
    return [row["fact_id"] for row in replaced]


def _check_facts(path: Path, facts: Sequence[str]) -> None:
    """Refuse a fact that is none of the observations."""
    known = [row["fact_id"] for row in _read(path)[1]] if facts else []
    for fact in facts:
        if fact not in known:
            near = " or ".join(difflib.get_close_matches(fact, known, 3))
            listed = f"the ids of {path.name} are from {min(known)} to {max(known)}."
            raise UsageError(f"there is no fact {fact}", f"--drop {fact}", f"did you mean {near}?" if near else listed)


def _drop_facts(path: Path, facts: Sequence[str]) -> None:
    """Rule facts out, in the table of rulings."""
    fields, rows = _read(path)
    kept = [row for row in rows if row["fact_id"] not in facts]
    kept += [{"fact_id": fact, "ruling": "drop", "reason": "Left out to see what changes."} for fact in dict.fromkeys(facts)]
    _write(path, fields, kept)


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and rows of a table of strings."""
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        return list(reader.fieldnames or ()), list(reader)


def _write(path: Path, fields: list[str], rows: list[dict[str, str]]) -> None:
    """Write a table of strings."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
