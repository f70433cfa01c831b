"""What persons decided about quarantined snapshots: one record each, beside the receipt, never changed.

They are stored with the snapshots, so that whoever has the snapshots has the decisions, and the code may be read-only. A
CSV in the content tree mirrors them for git; a decision counts wherever it is found, and the last one of a snapshot counts.
"""

import contextlib
import csv
import hashlib
import io
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from datamoat.errors import ContentError
from datamoat.settings import Settings
from datamoat.storage.files import read_record, write_record, write_whole

RECORD = ".decision.json"
MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"
MIRROR = "quarantine/decisions.csv"  # below data/reference
# Decisions are published, and what is published names no person's address: a mail address, a telephone number.
ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+|\+[1-9][\d ().-]{6,}\d")


class Choice(StrEnum):
    """What a person decided about a quarantined snapshot.

    Attributes:
        ACCEPT: It is served.
        KEEP: It stays in quarantine; an earlier acceptance no longer counts.
    """

    ACCEPT = "accept"
    KEEP = "keep"


@dataclass(frozen=True)
class Decision:
    """One decision: whether a snapshot is served although the checks found it suspicious, and who decided why.

    Attributes:
        snapshot_id: The snapshot.
        sha256: The hash of its bytes.
        decided_at: The UTC instant.
        decided_by: Who, as the system named them, without what follows an @.
        reason: Why, in the words of that person.
    """

    snapshot_id: str
    sha256: str
    choice: Choice
    decided_at: datetime
    decided_by: str
    reason: str

    @property
    def is_acceptance(self) -> bool:
        """Whether the snapshot is to be served."""
        return self.choice == Choice.ACCEPT

    @property
    def plain(self) -> dict[str, str]:
        """The decision as text by column."""
        return {**asdict(self), "choice": self.choice.value, "decided_at": self.decided_at.strftime(MOMENT)}

    @property
    def stamp(self) -> str:
        """The decision in one line: what a landing that it accepted is a function of."""
        return json.dumps(list(self.plain.values()), ensure_ascii=False)


COLUMNS = tuple(Decision.__dataclass_fields__)


def read_decisions(settings: Settings, source_id: str) -> dict[str, Decision]:
    """Return the decision that counts for each snapshot of a source that has one.

    Raises:
        ContentError: A record or the mirror is malformed.
    """
    every = _every(settings, source_id)
    return {one.snapshot_id: one for one in sorted(every, key=lambda one: (one.decided_at, one.stamp))}


def write_decision(settings: Settings, decision: Decision) -> Path:
    """Write one decision beside the receipt of its snapshot and return the file.

    Raises:
        ContentError: It gives no reason or no name.
    """
    reason = " ".join(ADDRESS.sub("[address]", decision.reason).split())
    by = decision.decided_by.partition("@")[0].strip()
    if not reason or not by:
        raise ContentError("a decision without a reason or a name", decision.snapshot_id, "state why, and who decided.")
    value = {**decision.plain, "reason": reason, "decided_by": by}
    name = f"{decision.decided_at:%Y%m%dT%H%M%SZ}-{hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]}"
    path = settings.snapshots / f"{decision.snapshot_id}.{name}{RECORD}"
    write_record(path, value)
    return path


def mirror_text(settings: Settings) -> str:
    """Return every decision as CSV, in order of snapshot and time: the content of the mirror."""
    every = {one.stamp: one for one in _every(settings, "*")}
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    in_order = sorted(every.values(), key=lambda one: (one.snapshot_id, one.decided_at, one.stamp))
    writer.writerows(tuple(one.plain.values()) for one in in_order)
    return out.getvalue()


def write_mirror(settings: Settings) -> tuple[Path, int]:
    """Write every decision into the content tree, for git; return the file and how many it did not have.

    Raises:
        UsageError: The content tree is part of the installed package.
    """
    path = settings.own_content / "data" / "reference" / MIRROR
    before = path.read_text(encoding="utf-8").count("\n") if path.is_file() else 1
    text = mirror_text(settings)
    write_whole(path, text.encode())
    return path, text.count("\n") - before


def _every(settings: Settings, source_id: str) -> list[Decision]:
    """Return the decisions about a source, or about all (`*`), wherever they are; one may be in two places."""
    found = [_read(path) for path in sorted(settings.snapshots.glob(f"{source_id}/*/*/*{RECORD}"))]
    path = settings.reference / MIRROR
    if not path.is_file():
        return found
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ContentError(
            f"columns {reader.fieldnames}, not {list(COLUMNS)}", str(path), "restore it; `datamoat accept --mirror` writes it."
        )
    for number, row in enumerate(reader, start=2):
        if source_id in ("*", row["snapshot_id"].split("/")[0]):
            found.append(_decision(row, f"{path}:{number}"))
    return found


def examine_decisions(settings: Settings) -> list[tuple[bool, str, str]]:
    """Return findings about the decisions: whether good, what was seen, what to do.

    A record that was deleted shows where a landing has it: the acceptance that counts is not the one that it was landed with.
    """
    from datamoat.ingest.landings import LOG, raw_folder  # which reads decisions

    paths, findings = sorted(settings.snapshots.glob(f"*/*/*/*{RECORD}")), []
    for path in paths:
        try:
            _read(path)
        except ContentError as failure:
            findings.append((False, f"decisions: {failure.what}: {path.relative_to(settings.snapshots)}", failure.fix))
    if findings:
        return findings
    try:
        counts = read_decisions(settings, "*")
    except ContentError as failure:
        return [(False, f"decisions: {failure.what}: {failure.where}", failure.fix)]
    for path in sorted(raw_folder(settings).glob(f"*/{LOG}")):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, ContentError):  # it is named as damaged
            for landing in read_record(path)["landings"]:
                one = counts.get(landing["snapshot_id"])
                if landing["accepted"] != (one.stamp if one is not None and one.is_acceptance else ""):
                    what = f"decisions: the one about {landing['snapshot_id']} was deleted or is new since it was landed"
                    fix = "restore its record from the archive of data/snapshots; `datamoat land` if it is new"
                    findings.append((False, what, fix))
    return [(True, f"decisions: {len(paths)} as they were written", ""), *findings]


def _read(path: Path) -> Decision:
    try:
        return _decision(read_record(path), str(path))
    except (OSError, ValueError) as failure:
        raise ContentError(
            f"a damaged decision: {failure}", str(path), "restore it from the archive of data/snapshots."
        ) from failure


def _decision(row: dict[str, Any], where: str) -> Decision:
    """Return a decision from its columns as text."""
    try:
        decided_at = datetime.strptime(row["decided_at"], MOMENT).replace(tzinfo=UTC)
        texts = [str(row[name]) for name in ("snapshot_id", "sha256", "decided_by", "reason") if row[name].strip()]
        snapshot_id, sha256, by, reason = texts
        return Decision(snapshot_id, sha256, Choice(row["choice"]), decided_at, by, reason)
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise ContentError(
            f"not a decision: {failure}", where, f"give all of {', '.join(COLUMNS)}; the time as 2026-05-14T08:00:00.000000Z."
        ) from failure
