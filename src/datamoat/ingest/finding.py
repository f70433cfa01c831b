"""What a comparison of two vintages found, and the words that name rows and units in it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from datamoat.ingest.status import Status
from datamoat.parsing import Row, shown
from datamoat.project.check_models import AnomalyChecks

LIKELY = {
    1000.0: "thousands against units", 1e6: "millions against units", 60.0: "minutes against hours, or seconds against minutes",
    3600.0: "seconds against hours", 24.0: "hours against days", 7.0: "weeks against days", 100.0: "per cent against a share",
    1e4: "units of ten thousand (万)", 1e8: "units of a hundred million (亿)", 1024.0: "binary thousands", 10.0: "a lost or added zero",
    365.25: "days against years", 12.0: "months against years", 1e9: "billions against units",
}  # fmt: skip


KEY = ""  # the column of a doubt about whether a row is listed


@dataclass
class Finding:
    """What a comparison came to.

    Attributes:
        suspicions: Why the vintage must not be served without a person.
        revisions: What upstream changed about the past; served, and recorded.
        notes: What is worth a line though nothing is wrong.
        doubted: What a suspicion whose bound may widen is about: the column, `KEY` for the rows themselves, and the rows.
    """

    suspicions: list[str] = field(default_factory=list)
    revisions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubted: list[tuple[str, list[Row]]] = field(default_factory=list)

    def doubt(self, text: str, column: str, rows: Iterable[Row]) -> None:
        """Record a suspicion that a later vintage may not escape by waiting: only if most of these rows are otherwise."""
        self.suspicions.append(text)
        self.doubted.append((column, list(rows)))

    @property
    def status(self) -> Status:
        """The validation status they add up to."""
        return Status.SUSPICIOUS if self.suspicions else Status.REVISION if self.revisions else Status.OK

    @property
    def reason(self) -> str:
        """All of it in one line, the worst first."""
        return "; ".join([*self.suspicions, *self.revisions, *self.notes])


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


def unit_note(factor: float) -> str:
    """Return the likely change of unit as the end of a sentence, empty where there is none."""
    words = likely_unit(factor)
    return f": {words}" if words else ""


def some(names: Iterable[str], *, quote: bool = True) -> str:
    """Return the first three of some names and how many more there are."""
    listed = list(names)
    head = ", ".join(shown(name) if quote else name for name in listed[:3])
    return head + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")  # noqa: PLR2004
