"""Check columns that describe a row: who made an entry, what it is called, which place and which day it was given."""

import re
from collections import Counter
from typing import Any

from datamoat.ingest.check_values import ALONE, at_most, iso_day
from datamoat.ingest.finding import Finding, rule_label, some
from datamoat.parsing import Row, oddities, shown, visible
from datamoat.project.check_models import AnomalyChecks, Filled, Match, Score, Steady

Pair = tuple[Row, Row]
FEW = 2  # so many ranks or entries may be anything


def check_odd_text(rule: AnomalyChecks, rows: list[Row], found: Finding) -> None:
    """Note what could mislead a reader's eye in names and in the columns that describe a row."""
    named = dict.fromkeys([*([rule.label] if rule.label else []), *(column for one in rule.steady for column in one.columns)])
    for column in named:
        odd: dict[str, list[str]] = {}
        for value in dict.fromkeys(row[column] for row in rows if isinstance(row.get(column), str)):
            for what in oddities(value):
                odd.setdefault(what, []).append(value)
        of = "" if column == rule.label else f"{column} "
        found.notes.extend(f"{what} in {of}{some(values)}" for what, values in odd.items())


def check_filled(rule: AnomalyChecks, filled: Filled, rows: list[Row], found: Finding) -> None:
    """Check which share of rows have a value, and have the same one, without a look at any other vintage; one row may have none."""
    route, match = rule.route.column if rule.route else None, _match_of(rule, filled.among)
    of = [row for row in rows if (route is None or row[route] not in filled.not_from) and (match is None or matches(match, row))]
    among = f" of those whose {filled.among} matches" if match else ""
    for column in filled.columns:
        values = [row[column] for row in of if row[column] is not None]
        has, what = (len(set(values)), "a value of their own") if filled.distinct else (len(values), "a value")
        if len(of) - has > ALONE and has < filled.least * len(of):
            found.suspicions.append(
                f"{column} has {what} in {has} of {len(of)} rows{among}; {filled.least:.0%} or more is expected"
            )
        if filled.most is None or len(values) <= FEW:
            continue
        value, times = Counter(values).most_common(1)[0]
        if times > filled.most * len(values):
            found.suspicions.append(
                f"{column} is {shown(value)} in {times} of {len(values)} rows{among}; {filled.most:.0%} or fewer are expected to share one"
            )


def matches(match: Match, row: Row) -> bool:
    """Return whether a model will keep a row, or can cast its value."""
    value = row[match.column]
    return value is not None and re.fullmatch(match.pattern, str(value), re.IGNORECASE) is not None


def check_match(match: Match, rows: list[Row], last: list[Row] | None, found: Finding) -> None:
    """Check the share of rows that a model will keep or can cast, alone and against the last good vintage."""
    share = _share_matching(match, rows)
    if share < match.least:
        found.suspicions.append(
            f"{match.column} matches {match.pattern} in {share:.1%} of rows; {match.least:.1%} or more is expected"
        )
    elif last and share < (before := _share_matching(match, last)) * (1 - match.fall):
        found.suspicions.append(f"{match.column} matches {match.pattern} in {share:.1%} of rows, before in {before:.1%}")


def _share_matching(match: Match, rows: list[Row]) -> float:
    return sum(matches(match, row) for row in rows) / len(rows)


def check_described(rule: AnomalyChecks, now: list[Row], then: list[Row], pairs: list[Pair], days: int, found: Finding) -> None:
    """Check what describes the rows against the last good vintage: columns, the rows a model keeps, the day of the list."""
    for steady in rule.steady:
        check_steady(rule, steady, pairs, days, found)
    for match in rule.matches:
        _check_turned(rule, match, pairs, days, found)
    _check_redated(rule, now, then, pairs, found)


def _check_turned(rule: AnomalyChecks, match: Match, pairs: list[Pair], days: int, found: Finding) -> None:
    """Check how many known rows a model begins to keep, or ceases to: a row that changed its kind, not a new one."""
    if match.turned is None:
        return
    kept = [(matches(match, old), matches(match, new), new) for old, new in pairs]
    either = sum(was or now for was, now, _ in kept)
    turned = [new for was, now, new in kept if was != now]
    limit = match.turned.after(days)
    if len(turned) > max(limit * either, ALONE):
        names = some(rule_label(rule, row) for row in turned)
        text = f"{match.column} began or ceased to match {match.pattern} in {len(turned)} of {either} known rows ({names}); {at_most(limit)}"
        found.doubt(text, match.column, turned)


def check_steady(rule: AnomalyChecks, steady: Steady, pairs: list[Pair], days: int, found: Finding) -> None:
    """Check columns that name or describe a known row: how many changed, to what, and which of the best entries.

    Text counts as changed where it looks different: composed letters, other spaces and invisible characters are no change.
    """
    match, limit = _match_of(rule, steady.among), steady.changed.after(days)
    of = [(old, new) for old, new in pairs if match is None or (matches(match, old) and matches(match, new))]
    among = f" of those whose {steady.among} matches" if match else ""
    best = _best(rule, of, steady.best)
    for column in steady.columns:
        one_route = rule.route.column if rule.route and column in rule.route.columns else None
        seen = [
            (_seen(old[column]), _seen(new[column]), old, new)
            for old, new in of
            if not one_route or old[one_route] == new[one_route]
        ]
        values: dict[Any, set[Any]] = {}  # by what a row had: what those rows have now
        for was, now, *_ in seen:
            values.setdefault(was, set()).add(now)
        moved = [(was, now, new) for was, now, _, new in seen if was != now and (steady.with_missing or None not in (was, now))]
        lost = [rule_label(rule, new) for was, now, _, new in seen if was is not None and now is None]
        taken = sorted({str(now) for _, now, _ in moved if now is not None and now in values})
        before = len(found.suspicions)
        if len(moved) > (max(limit * len(of), ALONE) if limit else 0):
            rows = [new for *_, new in moved]
            names = some(rule_label(rule, row) for row in rows)
            found.doubt(
                f"{column} is another for {len(rows)} of {len(of)} known rows{among} ({names}); {at_most(limit)}", column, rows
            )
        if steady.no_exchange and taken:
            found.suspicions.append(f"{column}: known rows took over {some(taken)} from other known rows")
        for was, now, old, new in seen:
            if id(old) in best and was is not None and (now is None or len(values[was]) > 1) and was != now:
                state = "is missing now" if now is None else f"is {shown(now)} now, and not for every entry that had {shown(was)}"
                found.suspicions.append(
                    f"{column} of {shown(rule_label(rule, new))}, one of the best {steady.best}, {state}; it was {shown(was)}"
                )
        if len(found.suspicions) == before and not match and column != rule.label:
            found.notes += _described(rule, steady, column, moved, lost)


def _described(rule: AnomalyChecks, steady: Steady, column: str, moved: list[tuple[Any, Any, Row]], lost: list[str]) -> list[str]:
    """Return what changed within bounds, as notes: a name that all rows of it changed in one line."""
    notes = [f"{column} is missing now for {some(lost)}"] if lost and not steady.with_missing else []
    if moved and steady.no_exchange:
        times = Counter((shown(was), shown(now)) for was, now, _ in moved)
        renamed = (f"{was} is now {now}" + (f" ({n} rows)" if n > 1 else "") for (was, now), n in times.items())
        notes.append(f"{column}: {some(renamed, quote=False)}")
    elif moved and all(when.column != column for when in rule.dates):  # a changed date is a revision
        notes.append(f"{column} is another for {some(rule_label(rule, new) for *_, new in moved)}")
    return notes


def _seen(value: Any) -> Any:  # noqa: ANN401
    return visible(value) if isinstance(value, str) else value


def _match_of(rule: AnomalyChecks, column: str | None) -> Match | None:
    return next((match for match in rule.matches if match.column == column), None) if column else None


def _best(rule: AnomalyChecks, pairs: list[Pair], places: int) -> set[int]:
    """Return the identities of the last good rows that had the best ratings of their board."""
    if not places or rule.score is None:
        return set()
    boards: dict[tuple[Any, ...], list[tuple[float, int]]] = {}
    for old, _ in pairs:
        if old[rule.score.column] is not None:
            boards.setdefault(tuple(old[name] for name in rule.key[:-1]), []).append((float(old[rule.score.column]), id(old)))
    return {one for entries in boards.values() for _, one in sorted(entries, reverse=True)[:places]}


def check_first_rank(rule: AnomalyChecks, score: Score, rows: list[Row], found: Finding) -> None:
    """Check that the ranks of a board begin at 1 and are not all the same."""
    boards: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        if score.rank and row[score.rank] is not None:
            boards.setdefault(tuple(row[name] for name in rule.key[:-1]), []).append(row[score.rank])
    for ranks in boards.values():
        if min(ranks) != 1:
            found.suspicions.append(f"{score.rank} begins at {min(ranks)}; 1 is expected")
        elif len(ranks) > FEW and len(set(ranks)) == 1:
            found.suspicions.append(f"{score.rank} is 1 for all {len(ranks)} entries")


def _check_redated(rule: AnomalyChecks, now: list[Row], then: list[Row], pairs: list[Pair], found: Finding) -> None:
    """Check that a list with a later day of publication or update is not the old one, rating by rating and count by count."""
    counts = [measure.column for measure in rule.measures]
    if rule.score:
        counts = [name for name in (rule.score.column, rule.score.votes) if name]
    pairs = [(old, new) for old, new in pairs if any(new[name] is not None for name in counts)]
    if len(pairs) <= FEW or any(old[name] != new[name] for old, new in pairs for name in counts):
        return
    for when in rule.dates:
        newest, before = (max(filter(None, (iso_day(when, row) for row in rows)), default="") for rows in (now, then))
        if (when.forward or when.column == rule.newest_of) and before and newest > before:
            found.suspicions.append(
                f"{when.column} went on from {before} to {newest}, and no {' and no '.join(counts)} of {len(pairs)} known entries changed: "
                "an old list under a new day"
            )
