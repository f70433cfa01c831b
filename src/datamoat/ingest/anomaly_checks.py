"""Compare a vintage with the last good one of the same request, by rules whose bounds are in `source.yml`."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from datamoat.ingest.check_descriptions import (
    check_described,
    check_filled,
    check_first_rank,
    check_match,
    check_odd_text,
    check_steady,
)
from datamoat.ingest.check_scores import check_leaders, check_ranks, check_score
from datamoat.ingest.check_values import (
    check_alias,
    check_dates,
    check_flag,
    check_forward,
    check_measure,
    check_nulls,
    check_quotient,
    check_restated,
    check_shares,
    check_within,
    check_zeros,
)
from datamoat.ingest.finding import KEY, Finding, rule_label, some
from datamoat.parsing import Row, shown
from datamoat.project.check_models import AnomalyChecks
from datamoat.project.sources import Rows, Table

NEW_ROWS = 2  # so many new rows are ordinary on a list of any length, however large a share of a short one they are


def compare(
    table: Table,
    rows: list[Row],
    last: list[Row] | None,
    *,
    day: date,
    last_day: date | None,
    bounds: Rows | None = None,
) -> Finding:
    """Check the rows of one vintage, alone and against the last good vintage.

    Args:
        table: The rules.
        rows: The vintage, one row per grain.
        last: The last good vintage of the same request; None where there is none.
        day: When the vintage was captured.
        last_day: When the last good one was.
        bounds: The request's own bounds on the number of rows, where it has them.
    """
    found = Finding()
    rule = table.anomaly_checks
    check_odd_text(rule, rows, found)
    if not _count_rows(bounds or table.rows, rows, last, last_day, found):
        return found
    _alone(rule, rows, last, day, found)
    for match in rule.matches:
        check_match(match, rows, last, found)
    if last is not None and last_day is not None:
        _against(table, rows, last, max((day - last_day).days, 1), last_day, found)
    return found


def _alone(rule: AnomalyChecks, rows: list[Row], last: list[Row] | None, day: date, found: Finding) -> None:
    """Check what can be checked of a first response too."""
    for filled in rule.filled:
        check_filled(rule, filled, rows, found)
    for when in rule.dates:
        check_dates(when, rows, day, found)
    for alias in rule.aliases:
        check_alias(alias, rows, found)
    for measure in rule.measures:
        if measure.share:
            check_shares(measure, rows, found)
        for name, within in measure.within.items():
            of = [row for row in rows if measure.by and row[measure.by] == name]
            check_within(measure.column, within, of, found, f" of {shown(name)}")
        check_quotient(rule, measure, rows, last, found)
    if rule.score:
        check_ranks(rule, rule.score, newest(rule, rows), found)
        check_first_rank(rule, rule.score, newest(rule, rows), found)
        if rule.score.within and last is None:  # later a new anchor may move them anywhere, and another unit shows in the spread
            check_within(rule.score.column, rule.score.within, rows, found)


def _against(table: Table, rows: list[Row], last: list[Row], days: int, last_day: date, found: Finding) -> None:
    """Check a vintage against the last good one."""
    rule = table.anomaly_checks
    now, then = newest(rule, rows), newest(rule, last)
    if rule.newest_of:
        _publications(table, rule.newest_of, rows, last, found)
    ours, theirs = keyed(rule, now), keyed(rule, then)
    _membership(rule, ours, theirs, days, last_day, found)
    pairs = [(theirs[key], ours[key]) for key in ours if key in theirs]
    fresh = [row for key, row in ours.items() if key not in theirs]
    if not pairs:
        return
    if rule.score:
        check_score(rule, rule.score, pairs, fresh, days, found)
    again = [(old, new) for old, new in pairs if not rule.newest_of or old[rule.newest_of] == new[rule.newest_of]]
    for measure in rule.measures:
        check_measure(rule, measure, pairs, fresh, days, found)
        check_restated(rule, measure, again, found)
        check_zeros(rule, measure, now, then, found)
    check_nulls(rule, _others(table), now, pairs, days, found)
    check_described(rule, now, then, pairs, days, found)
    for flagged in rule.flags:
        check_flag(flagged, now, then, days, found)
    for when in rule.dates:
        if when.forward:
            check_forward(when, now, then, found)
            continue
        moved = [
            rule_label(rule, new)
            for old, new in pairs
            if old[when.column] and new[when.column] and old[when.column] != new[when.column]
        ]
        if moved and (
            not rule.newest_of or (when.column != rule.newest_of and _top(rule.newest_of, now) == _top(rule.newest_of, then))
        ):
            found.revisions.append(f"{when.column} changed for {some(moved)}")
    listed = [measure.column for measure in rule.measures]
    restated = [rule_label(rule, new) for old, new in again if rule.restated and any(old[name] != new[name] for name in listed)]
    if restated:
        found.revisions.append(f"restated: {len(restated)} of {len(again)} known rows have other values ({some(restated)})")


def _publications(table: Table, column: str, rows: list[Row], last: list[Row], found: Finding) -> None:
    """Check a history of publications: none goes back, is withdrawn or has other values, and the newest does not without a revision."""
    rule = table.anomaly_checks
    top, before = _top(column, rows), _top(column, last)
    if top is not None and before is not None and top < before:
        found.suspicions.append(f"an old copy: {column} went back from {before} to {top}")
    _withdrawn(column, rows, last, found)
    _earlier(table, column, rows, last, top, found)
    was = keyed(rule, newest(rule, last))
    now = [(was[key], row) for key, row in keyed(rule, newest(rule, rows)).items() if key in was]
    others = [rule_label(rule, row) for old, row in now if old != row]
    if top == before and others and not rule.restated:
        found.revisions.append(f"{column} {top} has other values now: {len(others)} of {len(now)} rows ({some(others)})")


def _withdrawn(column: str, rows: list[Row], last: list[Row], found: Finding) -> None:
    """Record publications that a history no longer holds; a file of a single publication is no history."""
    now, then = ({row[column] for row in some_rows if row[column] is not None} for some_rows in (rows, last))
    if len(now) > 1 or len(then) > 1:
        found.revisions += [f"{column} {day} is withdrawn: the last good vintage had it" for day in sorted(then - now)]
        for day in sorted(now & then):
            had, has = (sum(row[column] == day for row in some_rows) for some_rows in (last, rows))
            if has < had and day != max(now):
                found.revisions.append(f"{column} {day} has {has} rows, and had {had}")


def _others(table: Table) -> list[str]:
    """Return the columns but for the rating, whose missing values have a rule of their own."""
    score = table.anomaly_checks.score
    return [name for name in table.columns if score is None or name != score.column]


def _earlier(table: Table, column: str, rows: list[Row], last: list[Row], top: Any, found: Finding) -> None:  # noqa: ANN401
    """Check what both vintages hold of earlier publications: another value for one is a revision, if it is in reason."""
    rule = table.anomaly_checks
    known = {(row[column], *(row[name] for name in rule.key)): row for row in last}
    listed: dict[Any, list[tuple[Row, Row]]] = {}
    for row in rows:
        was = known.get((row[column], *(row[name] for name in rule.key)))
        if was is not None and row[column] not in (None, top):
            listed.setdefault(row[column], []).append((was, row))
    for day, pairs in sorted(listed.items()):
        others = [rule_label(rule, new) for old, new in pairs if old != new]
        if not others:
            continue
        one = Finding()
        check_nulls(rule, _others(table), [new for _, new in pairs], pairs, 1, one)
        for steady in rule.steady:
            check_steady(rule, steady, pairs, 1, one)
        if rule.score:
            check_score(rule, rule.score, pairs, [], 1, one)
        for measure in rule.measures:
            check_measure(rule, measure, pairs, [], 1, one)
            check_restated(rule, measure, pairs, one)
        found.suspicions += [f"{column} {day}: {text}" for text in one.suspicions]
        found.revisions.append(f"{column} {day} has other values now: {len(others)} of {len(pairs)} rows ({some(others)})")


def core(table: Table, rows: list[Row]) -> Iterator[list[Any]]:
    """Return what two vintages must share to be copies: keys, ratings, votes and measures, without the trimmings."""
    rule = table.anomaly_checks
    named = [*table.grain, *(measure.column for measure in rule.measures)]
    if rule.score:
        named += [rule.score.column, *([rule.score.votes] if rule.score.votes else [])]
    elif not rule.measures:
        named = list(table.columns)
    return ([row[name] for name in named] for row in rows)


def _count_rows(bounds: Rows, rows: list[Row], last: list[Row] | None, last_day: date | None, found: Finding) -> bool:
    """Check the number of rows; return whether there are rows to check."""
    band = f"expected {bounds.min} to {bounds.max}" if bounds.max else f"expected {bounds.min} or more"
    had = f"; the last good vintage ({last_day}) had {len(last)}" if last else ""
    if not rows:
        if bounds.min == 0 and not last:
            return False
        found.suspicions.append(f"an empty list with success: 0 rows, {band}{had}")
        return False
    if len(rows) < bounds.min:
        found.suspicions.append(f"a truncated list, by the look of it: {len(rows)} rows, {band}{had}")
    elif bounds.max and len(rows) > bounds.max:
        found.suspicions.append(f"{len(rows)} rows, {band}{had}")
    return True


def _reissued(rule: AnomalyChecks, ours: dict[Any, Row], theirs: dict[Any, Row]) -> dict[Any, Any]:
    """Return the keys that are new under a name that one row had before and one row has now, each with the key it had."""
    if not rule.label:
        return {}
    had, has = (Counter(row[rule.label] for row in rows.values()) for rows in (theirs, ours))
    left = {row[rule.label]: key for key, row in theirs.items() if key not in ours}
    return {
        key: left[row[rule.label]]
        for key, row in ours.items()
        if key not in theirs and row[rule.label] in left and had[row[rule.label]] == has[row[rule.label]] == 1
    }


def _retired(rule: AnomalyChecks, ours: dict[Any, Row], theirs: dict[Any, Row], found: Finding) -> set[Any]:
    """Return the known keys that were listed without a rank: their departure is a retirement and truncates no list."""
    rank = rule.score.rank if rule.score else None
    if rank is None or all(row[rank] is None for row in theirs.values()):  # a route without ranks retires nobody
        return set()
    known = {key for key, row in theirs.items() if row[rank] is None}
    if any(row[rank] is not None for row in ours.values()):
        unranked = [rule_label(rule, row) for key, row in ours.items() if row[rank] is None and key in theirs.keys() - known]
        found.notes += [f"retired, listed without a rank from now on: {some(unranked)}"] if unranked else []
    left = [rule_label(rule, theirs[key]) for key in theirs if key in known and key not in ours]
    found.notes += [f"retired entries removed: {some(left)}"] if left else []
    return known


def _membership(
    rule: AnomalyChecks, ours: dict[Any, Row], theirs: dict[Any, Row], days: int, last_day: date, found: Finding
) -> None:
    """Check which keys are missing and which are new; a name found again under another key is a proposal, not a loss."""
    reissued = _reissued(rule, ours, theirs)
    share, limit = len(reissued) / len(theirs), rule.gone.after(days)
    same = sorted(rule_label(rule, ours[key]) for key in reissued)
    if share > limit and len(same) > 1:
        text = f"the keys were issued again: {len(same)} of the {len(theirs)} known on {last_day} have another one under the same name ({some(same)})"
        found.doubt(text, KEY, (ours[key] for key in reissued))
    elif same:
        found.notes.append(f"another key under the same name, a proposal for identity: {some(same)}")
    if rule.label:
        renamed = [
            f"{shown(theirs[key][rule.label])} is now {shown(row[rule.label])}"
            for key, row in ours.items()
            if key in theirs and theirs[key][rule.label] != row[rule.label]
        ]
        if renamed:
            found.notes.append(f"renamed: {some(renamed, quote=False)}")
        names = {row[rule.label] for row in theirs.values()}
        moved_names = [
            str(row[rule.label])
            for key, row in ours.items()
            if key in theirs and row[rule.label] != theirs[key][rule.label] and row[rule.label] in names
        ]
        if len(moved_names) > 1:
            found.suspicions.append(
                f"{len(moved_names)} names are now on other keys than on {last_day} ({some(moved_names)}): names and keys are out of step"
            )
    check_leaders(rule, ours, theirs, reissued, days, found)
    moved = set(reissued.values())
    retired = _retired(rule, ours, theirs, found)
    gone = [row for key, row in theirs.items() if key not in ours and key not in moved | retired]
    fresh = [row for key, row in ours.items() if key not in theirs and key not in reissued]
    left, came = ([rule_label(rule, row) for row in rows] for rows in (gone, fresh))
    if len(left) / len(theirs) > limit and (len(left) > 1 or not limit):
        least, most = math.ceil(len(theirs) * (1 - limit)), math.floor(len(theirs) * (1 + rule.new.after(days)))
        what = "a truncated list" if len(came) <= len(theirs) * 0.05 else "another list"
        text = f"{what}: {len(ours)} rows, expected {least} to {most}; {len(left)} of the {len(theirs)} known on {last_day} are missing ({some(left)})"
        found.doubt(text, KEY, gone)
    elif left:
        found.notes.append(f"removed: {some(left)}")
    if len(came) / len(theirs) > rule.new.after(days) and len(came) > NEW_ROWS:
        text = (
            f"{len(came)} unknown keys beside {len(theirs)} known; at most {rule.new.after(days):.0%} are expected ({some(came)})"
        )
        found.doubt(text, KEY, fresh)
    elif came:
        found.notes.append(f"new: {some(came)}")


def keyed(rule: AnomalyChecks, rows: Iterable[Row]) -> dict[Any, Row]:
    """Return rows by their key."""
    return {tuple(row[name] for name in rule.key): row for row in rows}


def newest(rule: AnomalyChecks, rows: list[Row]) -> list[Row]:
    """Return the rows of the newest publication, where a vintage has several."""
    if not rule.newest_of:
        return rows
    top = _top(rule.newest_of, rows)
    return [row for row in rows if row[rule.newest_of] == top]


def _top(column: str, rows: list[Row]) -> Any:  # noqa: ANN401
    return max((row[column] for row in rows if row[column] is not None), default=None)
