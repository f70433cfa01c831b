"""Check ratings on an interval scale, their votes and their ranks."""

import math
import statistics
from collections import Counter
from itertools import pairwise
from typing import Any

from datamoat.ingest.check_values import check_digits, crossed
from datamoat.ingest.finding import KEY, Finding, likely_unit, rule_label, some, unit_note
from datamoat.parsing import Row, shown
from datamoat.project.check_models import AnomalyChecks, Score

FEW = 8  # below so many shared entries a spread means little, and its bound is doubled
VOTES_FALL_SHARE = 0.001  # of the votes of shared entries: less is the ordinary tidying of single votes
ONE_FALL_SHARE = 0.2  # of one entry's votes
MOST_TIMES = 30.0  # a median so many times the last good one is another unit
LEAST_TIMES = 0.6  # and so is one of that part of it: in the archive a fifth of the median entry's votes was withdrawn at most
ONE_FACTOR = 1.25  # and one of so many times, or that part of it, where all moved alike: without a unit, by 4 per cent at most
AGAINST = 0.05  # share of neighbours in rank whose ratings are the other way round: none in the archive
FEW_AGAINST = 2  # so many are ordinary on a list of any length: two entries that changed places between two responses
MOST_ROOM = 2.0  # how much wider a bound may get for an entry whose votes multiplied
COARSE = 0.02  # a unit of the last digit of so much of the spread hides who leads
ALIKE = 0.02  # half the entries within this of one another, in logarithms, were multiplied by one number


def check_score(
    rule: AnomalyChecks, score: Score, pairs: list[tuple[Row, Row]], fresh: list[Row], days: int, found: Finding
) -> None:
    """Check ratings: the same scale, moved as a whole, stretched, or one entry far from its usual rating."""
    rated = [(old, new) for old, new in pairs if old[score.column] is not None and new[score.column] is not None]
    lost = [rule_label(rule, new) for old, new in pairs if old[score.column] is not None and new[score.column] is None]
    if lost:
        found.suspicions.append(
            f"{score.column} is missing now for {len(lost)} of {len(pairs)} entries that are listed still ({some(lost)}): none is expected"
        )
    if score.votes:
        _votes(rule, score, score.votes, pairs, days, found)
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
        found.doubt(
            f"{score.column} is spread {stretch:.3g} times as wide as before ({before:.4g} to {after:.4g}); at most {limit:g} times"
            + (f": {unit}" if unit else ""),
            score.column, (new for _, new in rated),
        )  # fmt: skip
        return
    check_digits(score.column, olds, news, after * COARSE, found)
    threshold = score.shift.after(days)
    if abs(shift) > threshold:
        anchor = _fixed(rule, score, rated)
        found.revisions.append(
            f"re-anchored: {len(rated)} shared entries moved by {shift:+.4g} at the median, more than {threshold:g}; another scale begins"
            + (f" (fixed now: {some(anchor)})" if anchor else "")
        )
    for old, new in rated:
        _one_score(rule, score, old, new, shift, days, found)
    low, high, room = min(news), max(news), max(after * 3, score.move.after(days) * 5)
    above = score.ahead.after(days) if score.ahead else room
    for row in fresh:
        value = row[score.column]
        if value is not None and not low - room <= float(value) <= high + min(room, above):
            text = (
                f"{score.column} of the new {shown(rule_label(rule, row))} is {float(value):g}, far outside {low:g} to {high:g}"
            )
            found.doubt(text, score.column, [row])


def _one_score(rule: AnomalyChecks, score: Score, old: Row, new: Row, shift: float, days: int, found: Finding) -> None:
    """Check the move of one entry against the others."""
    moved = float(new[score.column]) - float(old[score.column]) - shift
    label = shown(rule_label(rule, new))
    before, after = (old[score.votes], new[score.votes]) if score.votes else (None, None)
    limit = score.move.after(days)
    if before is not None and after is not None and 0 < before < after:  # new votes earn room: an entry that had few moves far
        limit *= min(after / before, MOST_ROOM**2) ** 0.5
    was_revised = any("votes" in text for text in found.revisions)
    if abs(moved) > limit:
        found.doubt(
            f"{score.column} of {label} moved by {moved:+.4g} against the others; at most {limit:.3g} is expected",
            score.column,
            [new],
        )
    elif score.still and before is not None and before == after and not was_revised and abs(moved) > score.still.after(days):
        still = score.still.after(days)
        text = f"{score.column} of {label} moved by {moved:+.4g} without a single new vote; at most {still:g}"
        found.doubt(text, score.column, [new])
    elif score.move.note is not None and abs(moved) > score.move.note:
        found.notes.append(f"{score.column} of {label} moved by {moved:+.4g}")


def _votes(rule: AnomalyChecks, score: Score, column: str, pairs: list[tuple[Row, Row]], days: int, found: Finding) -> None:
    """Check vote counts: withdrawn votes are a revision; one factor for all is a change of unit."""
    counted = [(old, new) for old, new in pairs if old[column] is not None and new[column] is not None]
    lost = sum(old[column] is not None and new[column] is None for old, new in pairs)
    if lost:
        found.notes.append(f"{column} is missing now for {lost} of {len(pairs)} entries")
    had = [new[column] for old, new in counted if old[column] > 0]
    if had.count(0) > max(2, len(had) * 0.5):
        text = f"{column} is 0 now for {had.count(0)} of {len(had)} entries that had some: the votes are gone"
        found.doubt(text, column, (new for _, new in counted))
    if not counted:
        return
    olds, news = ([float(row[column]) for row in rows] for rows in zip(*counted, strict=True))
    check_digits(column, olds, news, math.inf, found)
    before, after = sum(old[column] for old, _ in counted), sum(new[column] for _, new in counted)
    ratios = sorted(math.log(new[column] / old[column]) for old, new in counted if old[column] > 0 and new[column] > 0)
    if ratios:
        middle = math.exp(statistics.median(ratios))
        spread = ratios[3 * len(ratios) // 4] - ratios[len(ratios) // 4]
        alike = len(ratios) > FEW / 2 and spread < ALIKE  # new votes never come in one proportion; another unit does
        one_factor = alike and max(middle, 1 / middle) >= ONE_FACTOR
        most = score.growth.after(days) if score.growth and len(ratios) >= FEW else MOST_TIMES
        if len(ratios) > 2 and (one_factor or not LEAST_TIMES < middle < most):  # noqa: PLR2004
            text = f"{column} is {middle:.3g} times the last good at the median{unit_note(middle)}"
            found.doubt(text, column, (new for _, new in counted))
            return
    n_crossed = crossed(ratios, 1 - ONE_FALL_SHARE)
    if score.crossed and n_crossed > max(1, score.crossed.after(days) * len(ratios)):
        found.doubt(
            f"{column} of {n_crossed} entries or more fell by a fifth while as many rose by a quarter: counts of other entries, perhaps",
            column, (new for old, new in counted if not 1 - ONE_FALL_SHARE < new[column] / max(old[column], 1) < 1 / (1 - ONE_FALL_SHARE)),
        )  # fmt: skip
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
        found.revisions.append(f"votes of single entries fell by a fifth or more: {some(fell)}")


def check_ranks(rule: AnomalyChecks, score: Score, rows: list[Row], found: Finding) -> None:
    """Check the ranks of each board: skipped and repeated ones are noted; a board whose ratings contradict them often or by much waits."""
    if not score.rank:
        return
    far = score.move.max if score.move.note is None else score.move.note
    boards: dict[tuple[Any, ...], list[tuple[Any, Any]]] = {}
    unrated = []
    for row in rows:
        if row[score.rank] is not None and row[score.column] is not None:
            boards.setdefault(tuple(row[name] for name in rule.key[:-1]), []).append((row[score.rank], row[score.column]))
        elif row[score.rank] is not None:
            unrated.append(rule_label(rule, row))
    if unrated:
        found.suspicions.append(f"{score.column} is missing for {some(unrated)}, which have a {score.rank}")
    for ranked in map(sorted, boards.values()):
        gaps = [later[1] - earlier[1] for earlier, later in pairwise(ranked) if later[0] > earlier[0] and later[1] > earlier[1]]
        if gaps:
            is_far = max(gaps) > far
            many = is_far or len(gaps) > max(FEW_AGAINST, AGAINST * len(ranked))
            (found.suspicions if many else found.notes).append(
                f"{score.rank} contradicts {score.column} in {len(gaps)} places"
                + (f", by {max(gaps):.4g} at most" if is_far else "")
            )
        places = [rank for rank, _ in ranked]
        ties = sum(times - 1 for times in Counter(places).values())
        if ties:
            found.notes.append(f"{score.rank} is shared by {ties + 1} or more entries")
        elif places[-1] - places[0] + 1 != len(places):
            found.notes.append(f"{score.rank} has gaps")


def check_leaders(
    rule: AnomalyChecks, ours: dict[Any, Row], theirs: dict[Any, Row], reissued: dict[Any, Any], days: int, found: Finding
) -> None:
    """Check that the best entries of each board are still listed, and still have a rank where entries have one.

    Args:
        rule: The rules.
        ours: The rows of the vintage, by key; the last part of a key names the entry, what is before it the board.
        theirs: Those of the last good one.
        reissued: New keys of entries that are listed under the same name, each with the key it had.
        days: How far bounds that widen with time have widened.
        found: Where findings go.
    """
    score = rule.score
    if score is None or score.leaders is None:
        return
    rank, now = score.rank or score.column, {old: new for new, old in reissued.items()}
    has_ranks = all(any(row[rank] is not None for row in rows.values()) for rows in (ours, theirs))
    boards: dict[tuple[Any, ...], list[tuple[float, Any]]] = {}
    for key, row in theirs.items():
        if row[score.column] is not None and not (has_ranks and row[rank] is None):
            boards.setdefault(key[:-1], []).append((float(row[score.column]), key))
    listed = {key[:-1] for key in ours}
    for entries in (entries for board, entries in boards.items() if board in listed):
        best = sorted(entries, key=lambda entry: -entry[0])[: score.leaders.places if days <= score.leaders.days else 1]
        for place, (value, key) in enumerate(best, 1):
            what = f"{shown(rule_label(rule, theirs[key]))}, which had place {place} of {len(entries)},"
            new = ours.get(now.get(key, key))
            if new is None or new[score.column] is None:
                text = f"{what} is not listed with its {score.column}; none of the best {len(best)} is expected to leave"
                found.doubt(text, *((KEY, [theirs[key]]) if new is None else (score.column, [new])))
            elif has_ranks and new[rank] is None:
                text = f"{what} is listed without its {rank}; none of the best {len(best)} is expected to lose it"
                found.doubt(text, rank, [new])
            elif key in now and abs(float(new[score.column]) - value) > score.move.after(days):
                found.revisions.append(f"{what} has another key and the {score.column} {new[score.column]:g}, before {value:g}")


def _spread(values: list[float]) -> float:
    """Return how far values are apart: between the quartiles, which one torn value does not move; few have no quartiles."""
    if len(values) < FEW:
        return statistics.pstdev(values)
    low, _, high = statistics.quantiles(values, n=4)
    return high - low


def _fixed(rule: AnomalyChecks, score: Score, rated: list[tuple[Row, Row]]) -> list[str]:
    return [rule_label(rule, new) for _, new in rated if float(new[score.column]) == 1000.0][:3]  # noqa: PLR2004
