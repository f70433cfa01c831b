"""Check measures, flags and dates of a table, column by column."""

import contextlib
import math
import re
import statistics
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from datamoat.ingest.finding import Finding, rule_label, some, unit_note
from datamoat.parsing import Row, shown
from datamoat.project.check_models import Alias, AnomalyChecks, Flag, Measure, Step, When, Within

CROSSED = 1.05  # a row crosses others where its value is so many times what it was, or that part of it
ALONE = 1  # a single row may lose a value, or change its name, on a list of any length
PERIOD = re.compile(r"(\d{4}) (Q[1-4]|H[12])")
ISO = re.compile(r"\d{4}(-\d\d)?|\d{4}-\d\d-\d\d([T ].*)?")
LAST_DAYS = {"Q1": "03-31", "Q2": "06-30", "Q3": "09-30", "Q4": "12-31", "H1": "06-30", "H2": "12-31"}
LONG = 8  # fewer values of one kind show neither the digits they are rounded to nor how far they move


def check_measure(
    rule: AnomalyChecks, measure: Measure, pairs: list[tuple[Row, Row]], fresh: list[Row], days: int, found: Finding
) -> None:
    """Check a positive quantity by how many times its last good value it is, for each thing that is measured."""
    groups: dict[str, list[tuple[Row, Row]]] = {}
    for old, new in pairs:
        if _positive(old[measure.column]):
            groups.setdefault(_group(measure, new), []).append((old, new))
    limit, widest = measure.factor.after(days), measure.one.after(days) if measure.one else math.inf
    for name, members in groups.items():
        of = f" of {shown(name)}" if name else ""
        _check_vanished(rule, measure, members, of, found)
        logs = [
            (new, math.log(float(new[measure.column]) / float(old[measure.column])))
            for old, new in members
            if _positive(new[measure.column])
        ]
        middle = math.exp(statistics.median(log for _, log in logs)) if logs else 1.0
        n_crossed = crossed([log for _, log in logs], CROSSED)
        if measure.crossed and n_crossed > max(ALONE, measure.crossed.after(days) * len(logs)):
            text = f"{measure.column}{of} rose in {n_crossed} rows or more and fell in as many: values of other rows, perhaps"
            found.doubt(text, measure.column, (row for row, log in logs if abs(log) > math.log(CROSSED)))
        most = measure.few.after(days) if measure.few and len(logs) < LONG else limit
        if max(middle, 1 / middle) >= most:
            text = f"{measure.column}{of} is {middle:.4g} times the last good at the median; less than {most:g} is expected{unit_note(middle)}"
            found.doubt(text, measure.column, (row for row, _ in logs))
            continue
        for row, log in logs:
            if abs(log) >= math.log(widest):
                text = f"{measure.column} of {shown(rule_label(rule, row))} is {math.exp(log):.4g} times the last good{unit_note(math.exp(log))}"
                found.doubt(text, measure.column, [row])
        added = [row for row in fresh if _group(measure, row) == name and _positive(row[measure.column])]
        if measure.step and len(members) >= LONG:
            _check_steps(rule, measure, measure.step, members, added, found)
            continue
        known = [float(old[measure.column]) for old, _ in members]
        for row in added:
            if not min(known) / widest < float(row[measure.column]) < max(known) * widest:
                text = f"{measure.column} of the new {shown(rule_label(rule, row))} is {float(row[measure.column]):g}, far outside {min(known):g} to {max(known):g}"
                found.doubt(text, measure.column, [row])


def _check_vanished(rule: AnomalyChecks, measure: Measure, members: list[tuple[Row, Row]], of: str, found: Finding) -> None:
    """Check how many known rows with a value have a zero now, where a zero is an honest value; in no archive did one."""
    gone = [new for _, new in members if new[measure.column] == 0]
    if measure.zero and len(gone) > ALONE:
        text = f"{measure.column}{of} is 0 now in {len(gone)} of {len(members)} known rows that had a value: the values are gone"
        found.doubt(text, measure.column, gone)
    elif measure.zero and gone:
        found.notes.append(f"{measure.column} of {shown(rule_label(rule, gone[0]))} is 0 now")


def _check_steps(
    rule: AnomalyChecks, measure: Measure, step: Step, members: list[tuple[Row, Row]], added: list[Row], found: Finding
) -> None:
    """Check new rows of a series by how many times the row beside them they are, against the steps of the known rows."""
    known = [float(old[measure.column]) for old, _ in sorted(members, key=lambda pair: str(pair[0][step.along]))]
    largest = max(abs(math.log(later / earlier)) for earlier, later in pairwise(known))
    limit = max(step.power * largest, math.log(step.least))
    series = sorted(
        [*(new for _, new in members if _positive(new[measure.column])), *added], key=lambda row: str(row[step.along])
    )
    has_equals = len(set(known)) < len(known)
    for place, row in enumerate(series):
        beside = series[place - 1 if place else 1] if len(series) > 1 else row
        times = float(row[measure.column]) / float(beside[measure.column])
        same = next((other for other in series if other is not row and other[measure.column] == row[measure.column]), None)
        if row in added and same is not None and not has_equals:
            found.suspicions.append(
                f"{measure.column} of the new {shown(rule_label(rule, row))} is that of {shown(rule_label(rule, same))} to the last digit, "
                f"and of the {len(known)} known rows no two are equal: a copy, perhaps"
            )
        if row in added and abs(math.log(times)) > limit:
            found.suspicions.append(
                f"{measure.column} of the new {shown(rule_label(rule, row))} is {times:.4g} times that of {shown(rule_label(rule, beside))}; "
                f"the known rows moved by {math.exp(largest):.4g} times at most, and up to {math.exp(limit):.4g} is expected{unit_note(times)}"
            )


def check_quotient(rule: AnomalyChecks, measure: Measure, rows: list[Row], last: list[Row] | None, found: Finding) -> None:
    """Check how many times the quotient beside it the quotient of two series is, where one of the four rows is new."""
    quotient = measure.quotient
    if quotient is None:
        return
    known = {tuple(row[name] for name in rule.key) for row in last or ()}
    series: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if _positive(row[measure.column]):
            along = str(row[quotient.along])
            kind = re.sub(r"\d", "0", along)  # a half-year is beside no quarter
            series.setdefault((kind, along), {})[_group(measure, row)] = row
    whole = [(place, one) for place, one in sorted(series.items()) if {quotient.over, quotient.under} <= one.keys()]
    for (before, earlier), (place, later) in pairwise(whole):
        four = [one[name] for one in (earlier, later) for name in (quotient.over, quotient.under)]
        was, now = (float(top[measure.column]) / float(bottom[measure.column]) for top, bottom in (four[:2], four[2:]))
        is_new = any(tuple(row[name] for name in rule.key) not in known for row in four)
        if before[0] == place[0] and is_new and not 1 / quotient.most <= now / was <= quotient.most:
            found.suspicions.append(
                f"{measure.column} of {shown(quotient.over)} over {shown(quotient.under)} is {now / was:.4g} times in {place[1]} what it is in "
                f"{before[1]}; {quotient.most:g} times at most, or that part of it, is expected: one of the two is wrong"
            )


def check_restated(rule: AnomalyChecks, measure: Measure, again: list[tuple[Row, Row]], found: Finding) -> None:
    """Check values that were published before by the share of them that was restated; a unit of the last digit is rounding."""
    if rule.restated is None:
        return
    groups: dict[str, list[tuple[float, float, Row]]] = {}
    for old, new in again:
        if old[measure.column] is not None and new[measure.column] is not None:
            groups.setdefault(_group(measure, new), []).append((float(old[measure.column]), float(new[measure.column]), new))
    for name, values in groups.items():
        unit = _last_digit(value for was, now, _ in values for value in (was, now)) if len(values) >= LONG else 0.0
        far = [
            f"{rule_label(rule, row)}, {was:.10g} to {now:.10g}"
            for was, now, row in values
            if abs(now - was) > max(rule.restated.max * abs(was), unit * 1.001)  # a unit, as far as binary fractions give it
        ]
        if far:
            of = f" of {shown(name)}" if name else ""
            found.suspicions.append(
                f"{measure.column}{of} is restated by more than {rule.restated.max:g} of it in {len(far)} of {len(values)} known rows ({some(far)})"
            )


def check_digits(column: str, olds: list[float], news: list[float], most: float, found: Finding) -> None:
    """Check whether values lost their last digits: a unit of at least ten times the one before is noted, and above `most` suspicious."""
    before, after = _last_digit(olds), _last_digit(news)
    if len(news) >= LONG and before and after >= before * 10:
        text = f"{column} is in units of {after:g} now, before of {before:g}: its last digits are gone"
        if after > most:
            found.doubt(text, column, [])
        else:
            found.notes.append(text)


def _last_digit(values: Iterable[float]) -> float:
    """Return the unit that values are rounded to: the largest power of ten of which all are multiples.

    >>> _last_digit([178300000.0, 2700000.0]), _last_digit([0.01, 0.006])
    (100000.0, 0.001)
    """
    powers = [Decimal(repr(value)).normalize().as_tuple().exponent for value in values if value]
    return float(10.0 ** min(power for power in powers if isinstance(power, int))) if powers else 0.0


def crossed(ratios: Iterable[float], times: float) -> int:
    """Return how many ratios, as logarithms, lie beyond a factor and as many beyond its inverse: the fewer of the two.

    Values of other rows move both ways at once; more votes, or another unit, move all one way.
    """
    ends = [ratio > 0 for ratio in ratios if abs(ratio) > abs(math.log(times))]
    return min(ends.count(True), ends.count(False))


def check_nulls(
    rule: AnomalyChecks, columns: Iterable[str], now: list[Row], pairs: list[tuple[Row, Row]], days: int, found: Finding
) -> None:
    """Check by column how many known rows lost their value, and how the share of missing values rose."""
    for column in columns:
        bound = rule.nulls.get(column, rule.nulls.get("*"))
        if bound is None:
            continue
        limit = bound.after(days)
        known, rows = pairs, now
        if rule.route and column in rule.route.columns:
            same = rule.route.column
            known = [(old, new) for old, new in pairs if old[same] == new[same]]
            rows = [row for row in now if row[same] in {old[same] for old, _ in known}]
            if not known:
                continue
        had = [new for old, new in known if old[column] is not None]
        gone = [row for row in had if row[column] is None]
        lost = len(gone)
        empty, was_empty = sum(row[column] is None for row in rows), sum(old[column] is None for old, _ in known)
        if had and lost > limit * len(had) and (lost > ALONE or lost == len(had) or not limit):
            text = f"{column} is missing now in {lost} of {len(had)} known rows that had it; {at_most(limit)}"
            found.doubt(text, column, gone)
        elif empty - was_empty > ALONE and empty / len(rows) - was_empty / len(known) > limit:
            text = f"{column} is missing in {empty / len(rows):.0%} of rows, before in {was_empty / len(known):.0%}; a rise of {limit:.0%} at most is expected"
            found.doubt(text, column, (row for row in rows if row[column] is None))


def check_alias(alias: Alias, rows: list[Row], found: Finding) -> None:
    """Check that each value of one column goes with one value of another, and the other way round."""
    for column, other in (alias.columns, alias.columns[::-1]):
        values: dict[Any, set[Any]] = {}
        for row in rows:
            if None not in (row[column], row[other]):
                values.setdefault(row[column], set()).add(row[other])
        several = [f"{one}: {', '.join(sorted(map(str, many)))}" for one, many in values.items() if len(many) > 1]
        if several:
            found.suspicions.append(
                f"{len(several)} values of {column} have several of {other} ({some(several)}); one is expected"
            )


def check_within(column: str, within: Within, rows: list[Row], found: Finding, of: str = "") -> None:
    """Check that no value is outside what is possible, without a look at any other vintage."""
    values = [float(row[column]) for row in rows if row[column] is not None]
    outside = [value for value in values if not within.least <= value <= within.most]
    if outside:
        found.suspicions.append(
            f"{column}{of} is {outside[0]:g} in {len(outside)} of {len(values)} rows; {within.least:g} to {within.most:g} is expected"
            if len(outside) == 1
            else f"{column}{of} is {min(outside):g} to {max(outside):g} in {len(outside)} of {len(values)} rows; "
            f"{within.least:g} to {within.most:g} is expected"
        )


def check_zeros(rule: AnomalyChecks, measure: Measure, now: list[Row], then: list[Row], found: Finding) -> None:
    """Flag a zero where no row of the last good vintage that measures the same had one."""
    if measure.zero:
        return
    known: dict[str, list[float]] = {}
    for row in then:
        if row[measure.column] is not None:
            known.setdefault(_group(measure, row), []).append(float(row[measure.column]))
    for row in now:
        values = known.get(_group(measure, row), [])
        if row[measure.column] == 0 and values and min(values) > 0:
            found.suspicions.append(
                f"{measure.column} of {shown(rule_label(rule, row))} is zero where known values are {min(values):g} to {max(values):g}"
            )


def check_flag(flagged: Flag, now: list[Row], then: list[Row], days: int, found: Finding) -> None:
    """Check the share of a true-or-false column that is true."""
    new, old = ([row[flagged.column] for row in rows if row[flagged.column] is not None] for rows in (now, then))
    if not new or not old:
        return
    after, before = sum(new) / len(new), sum(old) / len(old)
    if abs(after - before) > flagged.jump.after(days):
        text = f"{flagged.column} is true for {after:.0%} of rows, before for {before:.0%}: its meaning may be turned round"
        found.doubt(text, flagged.column, now)


def at_most(limit: float) -> str:
    """Return what a bound on a share of rows expects, as the end of a sentence."""
    return f"at most {limit:.0%} are expected" if limit else "none is expected"


def late_rows(when: When, rows: list[Row], day: date) -> list[Row]:
    """Return the rows whose date lies in the future of a capture; a month or a year is as late as its first day."""
    latest = date.fromordinal(day.toordinal() + when.slack_days).isoformat()
    return [row for row in rows if (stated := iso_day(when, row)) is not None and stated > latest[: len(stated)]]


def check_dates(when: When, rows: list[Row], day: date, found: Finding) -> None:
    """Check dates on their own: none that is no date, none before the thing existed, none in the future."""
    dated = [(str(row[when.column]), iso_day(when, row)) for row in rows if row[when.column] is not None]
    no_date = list(dict.fromkeys(written for written, stated in dated if stated is None))
    late = [str(row[when.column]) for row in late_rows(when, rows, day)]
    early = [stated for _, stated in dated if stated is not None and stated[: len(when.earliest)] < when.earliest[: len(stated)]]
    if no_date:
        found.suspicions.append(f"{when.column} is no date as this source writes them: {some(no_date)}")
    if late:
        found.suspicions.append(f"{when.column} lies in the future of the capture ({day}): {some(late)}")
    if early:
        found.suspicions.append(f"{when.column} is earlier than {when.earliest}: {some(early)}")


def check_forward(when: When, rows: list[Row], last: list[Row], found: Finding) -> None:
    """Check that the newest date is not before that of the last good vintage."""
    now, then = (max(filter(None, (iso_day(when, row) for row in some_rows)), default="") for some_rows in (rows, last))
    if now and now < then:
        found.suspicions.append(f"{when.column} went back from {then} to {now}: an old copy, or a wrong day")


def iso_day(when: When, row: Row) -> str | None:
    """Return a date as ISO 8601, as far as it is given, a quarter or a half-year as its last day; None where there is none or it is no date."""
    value = row[when.column]
    if value is None or isinstance(value, date):
        return value.isoformat() if value else None
    if when.written:
        with contextlib.suppress(ValueError):
            return datetime.strptime(value, when.written).date().isoformat()  # noqa: DTZ007  (a day has no zone)
    if period := PERIOD.fullmatch(value):
        return f"{period[1]}-{LAST_DAYS[period[2]]}"
    return str(value) if ISO.fullmatch(value) else None


def check_shares(measure: Measure, rows: list[Row], found: Finding) -> None:
    """Flag values of a share that lie outside 0 to 1."""
    over = [row[measure.column] for row in rows if row[measure.column] is not None and not 0 <= row[measure.column] <= 1]
    if over:
        found.suspicions.append(f"{measure.column} is a share and yet {over[0]:g} in {len(over)} rows: per cent, perhaps")


def _positive(value: Any) -> bool:  # noqa: ANN401
    return value is not None and value > 0


def _group(measure: Measure, row: Row) -> str:
    return str(row[measure.by]) if measure.by else ""
