"""Compare a vintage with the last good one of the same request, by rules whose bounds are in `source.yml`."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any, Literal

from datamoat.parsing import Row, oddities, shown
from datamoat.project.sources import AnomalyChecks, Flag, Measure, Rows, Score, Table, When

Verdict = Literal["ok", "unchanged", "revision", "suspicious", "error"]
NEWCOMERS = 2  # so many new rows are ordinary on a list of any length, however large a share of a short one they are
FEW = 8  # below so many shared entries a spread says little, and its bound is doubled
VOTES_FALL_SHARE = 0.001  # of the votes of shared entries: less is the ordinary tidying of single votes
ONE_FALL_SHARE = 0.2  # of one entry's votes
TIMES = 3.0  # a median so many times the last good one, or that part of it, is another unit
MOST_ROOM = 2.0  # how much wider a bound may get for an entry whose votes multiplied
ALIKE = 0.02  # half the entries within this of one another, in logarithms, were multiplied by one number
LIKELY = {
    1000.0: "thousands against units", 1e6: "millions against units", 60.0: "minutes against hours, or seconds against minutes",
    3600.0: "seconds against hours", 24.0: "hours against days", 7.0: "weeks against days", 100.0: "per cent against a share",
    1e4: "units of ten thousand (万)", 1e8: "units of a hundred million (亿)", 1024.0: "binary thousands", 10.0: "a lost or added zero",
    365.25: "days against years", 12.0: "months against years", 1e9: "billions against units",
}  # fmt: skip


@dataclass
class Finding:
    """What a comparison came to.

    Attributes:
        suspicions: Why the vintage must not be served without a person.
        revisions: What upstream changed about the past; served, and recorded.
        notes: What is worth a line though nothing is wrong.
    """

    suspicions: list[str] = field(default_factory=list)
    revisions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The one word for it."""
        return "suspicious" if self.suspicions else "revision" if self.revisions else "ok"

    @property
    def reason(self) -> str:
        """All of it in one line, the worst first."""
        return "; ".join([*self.suspicions, *self.revisions, *self.notes])


def compare(
    table: Table, rows: list[Row], last: list[Row] | None, *, day: date, last_day: date | None, bounds: Rows | None = None
) -> Finding:
    """Judge the rows of one vintage, alone and against the last good vintage.

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
    _odd_names(rule, rows, found)
    if not _count_rows(bounds or table.rows, rows, last, last_day, found):
        return found
    for when in rule.dates:
        _dates(when, rows, day, found)
    for measure in rule.measures:
        if measure.share:
            _shares(measure, rows, found)
    if rule.score:
        _ranks(rule.score, _newest(rule, rows), found)
    if last is not None and last_day is not None:
        _against(rule, rows, last, day, last_day, found)
    return found


def _against(rule: AnomalyChecks, rows: list[Row], last: list[Row], day: date, last_day: date, found: Finding) -> None:
    """Judge a vintage against the last good one."""
    days = max((day - last_day).days, 1)
    now, then = _newest(rule, rows), _newest(rule, last)
    if rule.newest_of:
        newest, before = _top(rule.newest_of, rows), _top(rule.newest_of, last)
        if newest is not None and before is not None and newest < before:
            found.suspicions.append(f"an old copy: {rule.newest_of} went back from {before} to {newest}")
        _earlier(rule, rule.newest_of, rows, last, newest, found)
    ours, theirs = _keyed(rule, now), _keyed(rule, then)
    _membership(rule, ours, theirs, days, last_day, found)
    pairs = [(theirs[key], ours[key]) for key in ours if key in theirs]
    fresh = [row for key, row in ours.items() if key not in theirs]
    if not pairs:
        return
    if rule.score:
        _score(rule, rule.score, pairs, fresh, days, found)
    for measure in rule.measures:
        _measure(rule, measure, pairs, fresh, days, found)
    for flagged in rule.flags:
        _flags(flagged, now, then, days, found)
    for when in rule.dates:
        moved = [
            rule_label(rule, new)
            for old, new in pairs
            if old[when.column] and new[when.column] and old[when.column] != new[when.column]
        ]
        if moved and when.column != rule.newest_of:
            found.revisions.append(f"{when.column} changed for {_some(moved)}")
    told = [measure.column for measure in rule.measures]
    restated = [rule_label(rule, new) for old, new in pairs if rule.restated and any(old[name] != new[name] for name in told)]
    if restated:
        found.revisions.append(f"restated: {len(restated)} of {len(pairs)} known rows have other values ({_some(restated)})")


def _earlier(rule: AnomalyChecks, column: str, rows: list[Row], last: list[Row], newest: Any, found: Finding) -> None:  # noqa: ANN401
    """Judge what both vintages tell of earlier publications: another value for one is a revision, if it is in reason."""
    known = {(row[column], *(row[name] for name in rule.key)): row for row in last}
    told: dict[Any, list[tuple[Row, Row]]] = {}
    for row in rows:
        was = known.get((row[column], *(row[name] for name in rule.key)))
        if was is not None and row[column] not in (None, newest):
            told.setdefault(row[column], []).append((was, row))
    for day, pairs in sorted(told.items()):
        others = [rule_label(rule, new) for old, new in pairs if old != new]
        if not others:
            continue
        one = Finding()
        if rule.score:
            _score(rule, rule.score, pairs, [], 1, one)
        for measure in rule.measures:
            _measure(rule, measure, pairs, [], 1, one)
        found.suspicions += [f"{column} {day}: {text}" for text in one.suspicions]
        found.revisions.append(
            f"{column} {day} is told anew: {len(others)} of {len(pairs)} rows have other values ({_some(others)})"
        )


def core(table: Table, rows: list[Row]) -> Iterator[list[Any]]:
    """Return what two vintages must share to be copies: keys, ratings, votes and measures, without the trimmings."""
    rule = table.anomaly_checks
    named = [*table.grain, *(measure.column for measure in rule.measures)]
    if rule.score:
        named += [rule.score.column, *([rule.score.votes] if rule.score.votes else [])]
    elif not rule.measures:
        named = list(table.columns)
    return ([row[name] for name in named] for row in rows)


def rule_label(rule: AnomalyChecks, row: Row) -> str:
    """Return how a row is named in a message."""
    return str(row.get(rule.label) if rule.label else " ".join(str(row[name]) for name in rule.key))


def likely_unit(factor: float) -> str:
    """Name the change of unit that a factor looks like; an empty text where it looks like none.

    >>> likely_unit(1 / 1003)
    'as if it were thousands against units, divided'
    """
    for known, words in LIKELY.items():
        for side, way in ((known, "multiplied"), (1 / known, "divided")):
            if abs(math.log(factor / side)) < math.log(1.08):
                return f"as if it were {words}, {way}"
    return ""


def _count_rows(bounds: Rows, rows: list[Row], last: list[Row] | None, last_day: date | None, found: Finding) -> bool:
    """Judge the number of rows; tell whether there is anything left to judge."""
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


def _membership(
    rule: AnomalyChecks, ours: dict[Any, Row], theirs: dict[Any, Row], days: int, last_day: date, found: Finding
) -> None:
    """Judge who left and who came; a name that kept its place under another key is a proposal, not a loss."""
    reissued = _reissued(rule, ours, theirs)
    share, limit = len(reissued) / len(theirs), rule.gone.after(days)
    same = sorted(rule_label(rule, ours[key]) for key in reissued)
    if share > limit and len(same) > 1:
        found.suspicions.append(
            f"the keys were issued anew: {len(same)} of the {len(theirs)} known on {last_day} have another one under the same name ({_some(same)})"
        )
    elif same:
        found.notes.append(f"another key under the same name, a proposal for identity: {_some(same)}")
    if rule.label:
        renamed = [
            f"{shown(theirs[key][rule.label])} is now {shown(row[rule.label])}"
            for key, row in ours.items()
            if key in theirs and theirs[key][rule.label] != row[rule.label]
        ]
        if renamed:
            found.notes.append(f"renamed: {_some(renamed, quote=False)}")
    moved = set(reissued.values())
    left = [rule_label(rule, row) for key, row in theirs.items() if key not in ours and key not in moved]
    came = [rule_label(rule, row) for key, row in ours.items() if key not in theirs and key not in reissued]
    if len(left) / len(theirs) > limit and (len(left) > 1 or not limit):
        least, most = math.ceil(len(theirs) * (1 - limit)), math.floor(len(theirs) * (1 + rule.new.after(days)))
        what = "a truncated list" if len(came) <= len(theirs) * 0.05 else "another list"
        found.suspicions.append(
            f"{what}: {len(ours)} rows, expected {least} to {most}; {len(left)} of the {len(theirs)} known on {last_day} are gone ({_some(left)})"
        )
    elif left:
        found.notes.append(f"left: {_some(left)}")
    if len(came) / len(theirs) > rule.new.after(days) and len(came) > NEWCOMERS:
        found.suspicions.append(
            f"{len(came)} rows unheard of beside {len(theirs)} known; at most {rule.new.after(days):.0%} are expected ({_some(came)})"
        )
    elif came:
        found.notes.append(f"new: {_some(came)}")


def _score(rule: AnomalyChecks, score: Score, pairs: list[tuple[Row, Row]], fresh: list[Row], days: int, found: Finding) -> None:
    """Judge ratings: the same scale, moved as a whole, stretched, or one entry torn out of its place."""
    rated = [(old, new) for old, new in pairs if old[score.column] is not None and new[score.column] is not None]
    lost = [rule_label(rule, new) for old, new in pairs if old[score.column] is not None and new[score.column] is None]
    if lost:
        found.notes.append(f"{score.column} is missing now for {_some(lost)}")
        if len(lost) > len(pairs) * rule.gone.after(days):
            found.suspicions.append(f"{score.column} is missing for {len(lost)} of {len(pairs)} entries that had one")
    if score.votes:
        _votes(rule, score.votes, pairs, found)
    if len(rated) < 2:  # noqa: PLR2004
        return
    olds, news = [float(old[score.column]) for old, _ in rated], [float(new[score.column]) for _, new in rated]
    before, after = _spread(olds), _spread(news)
    shift = statistics.median(new - old for old, new in zip(olds, news, strict=True))
    limit = score.stretch.after(days) * (2 if len(rated) < FEW else 1)
    stretch = after / before if before else 1.0
    if after == 0 and before > 0 and len(rated) > 2:  # noqa: PLR2004
        found.suspicions.append(f"every {score.column} is {news[0]:g}: the ratings are gone")
        return
    if stretch and max(stretch, 1 / stretch) > limit:
        unit = likely_unit(stretch)
        found.suspicions.append(
            f"{score.column} is spread {stretch:.3g} times as wide as before ({before:.4g} to {after:.4g}); at most {limit:g} times"
            + (f": {unit}" if unit else "")
        )
        return
    threshold = score.shift.after(days)
    if abs(shift) > threshold:
        anchor = _fixed(rule, score, rated)
        found.revisions.append(
            f"re-anchored: {len(rated)} shared entries moved by {shift:+.4g} at the median, more than {threshold:g}; another scale begins"
            + (f" (fixed now: {_some(anchor)})" if anchor else "")
        )
    for old, new in rated:
        _one_score(rule, score, old, new, shift, days, found)
    low, high, room = min(news), max(news), max(after * 3, score.move.after(days) * 5)
    for row in fresh:
        value = row[score.column]
        if value is not None and not low - room <= float(value) <= high + room:
            found.suspicions.append(
                f"{score.column} of the new {shown(rule_label(rule, row))} is {float(value):g}, far outside {low:g} to {high:g}"
            )


def _one_score(rule: AnomalyChecks, score: Score, old: Row, new: Row, shift: float, days: int, found: Finding) -> None:
    """Judge the move of one entry against the others."""
    moved = float(new[score.column]) - float(old[score.column]) - shift
    label = shown(rule_label(rule, new))
    before, after = (old[score.votes], new[score.votes]) if score.votes else (None, None)
    limit = score.move.after(days)
    if before is not None and after is not None and 0 < before < after:  # new votes earn room: an entry that had few moves far
        limit *= min(after / before, MOST_ROOM**2) ** 0.5
    was_revised = any("votes" in text for text in found.revisions)
    if abs(moved) > limit:
        found.suspicions.append(
            f"{score.column} of {label} moved by {moved:+.4g} against the others; at most {limit:.3g} is expected"
        )
    elif score.still and before is not None and before == after and not was_revised and abs(moved) > score.still.after(days):
        still = score.still.after(days)
        found.suspicions.append(f"{score.column} of {label} moved by {moved:+.4g} without a single new vote; at most {still:g}")
    elif score.move.note is not None and abs(moved) > score.move.note:
        found.notes.append(f"{score.column} of {label} moved by {moved:+.4g}")


def _votes(rule: AnomalyChecks, column: str, pairs: list[tuple[Row, Row]], found: Finding) -> None:
    """Judge vote counts: withdrawn votes are a revision; one factor for all is a change of unit."""
    counted = [(old, new) for old, new in pairs if old[column] is not None and new[column] is not None]
    lost = sum(old[column] is not None and new[column] is None for old, new in pairs)
    if lost:
        found.notes.append(f"{column} is missing now for {lost} of {len(pairs)} entries")
    had = [new[column] for old, new in counted if old[column] > 0]
    if had.count(0) > max(2, len(had) * 0.5):
        found.suspicions.append(f"{column} is 0 now for {had.count(0)} of {len(had)} entries that had some: the votes are gone")
    if not counted:
        return
    before, after = sum(old[column] for old, _ in counted), sum(new[column] for _, new in counted)
    ratios = sorted(math.log(new[column] / old[column]) for old, new in counted if old[column] > 0 and new[column] > 0)
    if ratios:
        middle = math.exp(statistics.median(ratios))
        spread = ratios[3 * len(ratios) // 4] - ratios[len(ratios) // 4]
        alike = len(ratios) > FEW / 2 and spread < ALIKE  # new votes never come in one proportion; another unit does
        if len(ratios) > 2 and (middle <= 1 / TIMES or (middle >= TIMES and alike) or middle >= 10 * TIMES):  # noqa: PLR2004
            found.suspicions.append(f"{column} is {middle:.3g} times the last good at the median{_unit(middle)}")
            return
    fell = [
        f"{rule_label(rule, new)} ({1 - new[column] / old[column]:.0%})"
        for old, new in counted
        if old[column] > 0 and new[column] < old[column] * (1 - ONE_FALL_SHARE)
    ]
    n_fell = sum(new[column] < old[column] for old, new in counted)
    if before and after < before * (1 - VOTES_FALL_SHARE):
        found.revisions.append(
            f"votes withdrawn: {before:,} to {after:,} over {len(counted)} shared entries, {n_fell} of them fell"
        )
    if fell:
        found.revisions.append(f"votes of single entries fell by a fifth or more: {_some(fell)}")


def _measure(
    rule: AnomalyChecks, measure: Measure, pairs: list[tuple[Row, Row]], fresh: list[Row], days: int, found: Finding
) -> None:
    """Judge a positive quantity by how many times its last good value it is, for each thing that is measured."""
    groups: dict[str, list[tuple[Row, Row]]] = {}
    for old, new in pairs:
        if _positive(old[measure.column]):
            groups.setdefault(_group(measure, new), []).append((old, new))
    limit, widest = measure.factor.after(days), measure.one.after(days) if measure.one else math.inf
    for name, members in groups.items():
        of = f" of {shown(name)}" if name else ""
        logs = [
            (new, math.log(float(new[measure.column]) / float(old[measure.column])))
            for old, new in members
            if _positive(new[measure.column])
        ]
        if len(members) - len(logs) > max(2, len(members) * 0.5):
            found.suspicions.append(
                f"{measure.column}{of} is missing now for {len(members) - len(logs)} of {len(members)} rows that had it"
            )
        middle = math.exp(statistics.median(log for _, log in logs)) if logs else 1.0
        if max(middle, 1 / middle) >= limit:
            found.suspicions.append(
                f"{measure.column}{of} is {middle:.4g} times the last good at the median; less than {limit:g} is expected{_unit(middle)}"
            )
            continue
        found.suspicions += [
            f"{measure.column} of {shown(rule_label(rule, row))} is {math.exp(log):.4g} times the last good{_unit(math.exp(log))}"
            for row, log in logs
            if abs(log) >= math.log(widest)
        ]
        known = [float(old[measure.column]) for old, _ in members]
        found.suspicions += [
            f"{measure.column} of the new {shown(rule_label(rule, row))} is {float(row[measure.column]):g}, far outside {min(known):g} to {max(known):g}"
            for row in fresh
            if _group(measure, row) == name
            and _positive(row[measure.column])
            and not min(known) / widest < float(row[measure.column]) < max(known) * widest
        ]


def _flags(flagged: Flag, now: list[Row], then: list[Row], days: int, found: Finding) -> None:
    """Judge the share of a true-or-false column that is true."""
    new, old = ([row[flagged.column] for row in rows if row[flagged.column] is not None] for rows in (now, then))
    if not new or not old:
        return
    after, before = sum(new) / len(new), sum(old) / len(old)
    if abs(after - before) > flagged.jump.after(days):
        found.suspicions.append(
            f"{flagged.column} is true for {after:.0%} of rows, before for {before:.0%}: its meaning may be turned round"
        )


def _dates(when: When, rows: list[Row], day: date, found: Finding) -> None:
    """Judge dates on their own: none before the thing existed, none in the future."""
    latest = date.fromordinal(day.toordinal() + when.slack_days)
    early, late = [], []
    for row in rows:
        written = row[when.column]
        if written is None:
            continue
        stated = written.isoformat() if isinstance(written, date) else str(written)
        if stated[: len(when.earliest)] < when.earliest[: len(stated)]:
            early.append(stated)
        elif stated > latest.isoformat()[: len(stated)]:
            late.append(stated)
    if late:
        found.suspicions.append(f"{when.column} lies in the future of the capture ({day}): {_some(late)}")
    if early:
        found.suspicions.append(f"{when.column} is earlier than {when.earliest}: {_some(early)}")


def _shares(measure: Measure, rows: list[Row], found: Finding) -> None:
    over = [row[measure.column] for row in rows if row[measure.column] is not None and not 0 <= row[measure.column] <= 1]
    if over:
        found.suspicions.append(f"{measure.column} is a share and yet {over[0]:g} in {len(over)} rows: per cent, perhaps")


def _ranks(score: Score, rows: list[Row], found: Finding) -> None:
    """Flag ranks that skip, repeat or contradict the ratings; the ranks we publish are computed, so nothing stops."""
    if not score.rank:
        return
    ranked = sorted(
        (row[score.rank], row[score.column]) for row in rows if row[score.rank] is not None and row[score.column] is not None
    )
    against = sum(later[1] > earlier[1] for earlier, later in pairwise(ranked) if later[0] > earlier[0])
    if against:
        found.notes.append(f"{score.rank} contradicts {score.column} in {against} places")
    places = [rank for rank, _ in ranked]
    ties = sum(times - 1 for times in Counter(places).values())
    if ties:
        found.notes.append(f"{score.rank} is shared by {ties + 1} or more entries")
    if places and not ties and places[-1] - places[0] + 1 != len(places):
        found.notes.append(f"{score.rank} has gaps")


def _odd_names(rule: AnomalyChecks, rows: list[Row], found: Finding) -> None:
    if rule.label:
        odd: dict[str, list[str]] = {}
        for row in rows:
            for what in oddities(str(row.get(rule.label) or "")):
                odd.setdefault(what, []).append(str(row[rule.label]))
        found.notes.extend(f"{what} in {_some(names)}" for what, names in odd.items())


def _spread(values: list[float]) -> float:
    """Return how far values are apart: between the quartiles, which one torn value does not move; few have no quartiles."""
    if len(values) < FEW:
        return statistics.pstdev(values)
    low, _, high = statistics.quantiles(values, n=4)
    return high - low


def _fixed(rule: AnomalyChecks, score: Score, rated: list[tuple[Row, Row]]) -> list[str]:
    return [rule_label(rule, new) for _, new in rated if float(new[score.column]) == 1000.0][:3]  # noqa: PLR2004


def _keyed(rule: AnomalyChecks, rows: Iterable[Row]) -> dict[Any, Row]:
    return {tuple(row[name] for name in rule.key): row for row in rows}


def _newest(rule: AnomalyChecks, rows: list[Row]) -> list[Row]:
    if not rule.newest_of:
        return rows
    newest = _top(rule.newest_of, rows)
    return [row for row in rows if row[rule.newest_of] == newest]


def _top(column: str, rows: list[Row]) -> Any:  # noqa: ANN401
    return max((row[column] for row in rows if row[column] is not None), default=None)


def _positive(value: Any) -> bool:  # noqa: ANN401
    return value is not None and value > 0


def _group(measure: Measure, row: Row) -> str:
    return str(row[measure.by]) if measure.by else ""


def _unit(factor: float) -> str:
    words = likely_unit(factor)
    return f": {words}" if words else ""


def _some(names: Iterable[str], *, quote: bool = True) -> str:
    listed = list(names)
    head = ", ".join(shown(name) if quote else name for name in listed[:3])
    return head + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")  # noqa: PLR2004
