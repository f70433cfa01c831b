"""Check measures, flags and dates of a table, column by column."""

import math
import statistics
from datetime import date
from typing import Any

from datamoat.ingest.finding import Finding, rule_label, some, unit_note
from datamoat.parsing import Row, shown
from datamoat.project.sources import AnomalyChecks, Flag, Measure, When


def check_measure(
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
                f"{measure.column}{of} is {middle:.4g} times the last good at the median; less than {limit:g} is expected{unit_note(middle)}"
            )
            continue
        found.suspicions += [
            f"{measure.column} of {shown(rule_label(rule, row))} is {math.exp(log):.4g} times the last good{unit_note(math.exp(log))}"
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


def check_flag(flagged: Flag, now: list[Row], then: list[Row], days: int, found: Finding) -> None:
    """Judge the share of a true-or-false column that is true."""
    new, old = ([row[flagged.column] for row in rows if row[flagged.column] is not None] for rows in (now, then))
    if not new or not old:
        return
    after, before = sum(new) / len(new), sum(old) / len(old)
    if abs(after - before) > flagged.jump.after(days):
        found.suspicions.append(
            f"{flagged.column} is true for {after:.0%} of rows, before for {before:.0%}: its meaning may be turned round"
        )


def check_dates(when: When, rows: list[Row], day: date, found: Finding) -> None:
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
        found.suspicions.append(f"{when.column} lies in the future of the capture ({day}): {some(late)}")
    if early:
        found.suspicions.append(f"{when.column} is earlier than {when.earliest}: {some(early)}")


def check_shares(measure: Measure, rows: list[Row], found: Finding) -> None:
    """Flag values of a share that lie outside 0 to 1."""
    over = [row[measure.column] for row in rows if row[measure.column] is not None and not 0 <= row[measure.column] <= 1]
    if over:
        found.suspicions.append(f"{measure.column} is a share and yet {over[0]:g} in {len(over)} rows: per cent, perhaps")


def _positive(value: Any) -> bool:  # noqa: ANN401
    return value is not None and value > 0


def _group(measure: Measure, row: Row) -> str:
    return str(row[measure.by]) if measure.by else ""
