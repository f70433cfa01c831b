"""The end of a quarantine by a person: what is quarantined, and what follows from a decision about it."""

from dataclasses import dataclass
from datetime import date, datetime

from datamoat.errors import SourceChangedError, UsageError
from datamoat.ingest.decisions import Choice, Decision, read_decisions, write_decision
from datamoat.ingest.land import land_source
from datamoat.ingest.landings import Landing, read_landings
from datamoat.ingest.source_state import states
from datamoat.ingest.status import State, Status
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.snapshots import Snapshots


@dataclass(frozen=True)
class Quarantine:
    """One request whose newest response is quarantined and has rows that could be served.

    Attributes:
        landing: The newest response.
        since: The day the quarantine began.
        served_on: The day of the data that are live meanwhile.
    """

    landing: Landing
    since: date
    served_on: date | None


def quarantines(settings: Settings, source: Source, today: date) -> list[Quarantine]:
    """Return the requests of a source that are in quarantine, in their order; those without rows are left out."""
    landings = {landing.snapshot_id: landing for landing in read_landings(settings, source)}
    found = [one for one in states(settings, [source], today) if one.state == State.QUARANTINED and one.since]
    return [
        Quarantine(landings[str(one.snapshot_id)], one.since or today, one.served_on)
        for one in found
        if landings[str(one.snapshot_id)].n_rows
    ]


def quarantined(settings: Settings, source: Source, snapshot: str | None = None) -> Landing:
    """Land a source and return one landing of it that a person may decide about.

    Args:
        settings: Where things are.
        source: The source.
        snapshot: The snapshot or a part of its id; None takes the newest quarantined one.

    Raises:
        UsageError: There is none, or the one named is not quarantined and was not accepted by a person.
        SourceChangedError: It has no rows, so there is nothing to serve.
    """
    land_source(settings, source)
    where = f"data/snapshots/{source.id}"
    landings = {
        landing.snapshot_id: landing
        for landing in sorted(read_landings(settings, source), key=lambda landing: (landing.captured_on, landing.retrieved_at))
    }
    if snapshot is None:
        waiting = [landing for landing in landings.values() if landing.validation_status == Status.SUSPICIOUS]
        if not waiting:
            raise UsageError(
                f"{source.id} has nothing in quarantine", where, f"`datamoat diagnose {source.id}` shows its last runs."
            )
        return waiting[-1]
    landing = landings[Snapshots(settings.snapshots, source.id).get(snapshot).snapshot_id]
    if landing.validation_status == Status.ERROR or (landing.validation_status == Status.SUSPICIOUS and landing.n_rows == 0):
        raise SourceChangedError(
            f"{landing.snapshot_id} holds no rows that could be served: {landing.reason}",
            where,
            f"`datamoat diagnose {source.id}` shows what to do.",
        )
    if landing.validation_status != Status.SUSPICIOUS and not landing.accepted:
        raise UsageError(
            f"{landing.snapshot_id} is not in quarantine: its validation status is {landing.validation_status}",
            where,
            "there is nothing to decide.",
        )
    return landing


def decide(
    settings: Settings, source: Source, snapshot: str, choice: Choice, *, by: str, reason: str, at: datetime
) -> tuple[Landing, Decision]:
    """Record a decision about a snapshot and land what follows from it.

    Args:
        settings: Where things are.
        source: The source.
        snapshot: The snapshot.
        choice: Whether it is served.
        by: Who decided.
        reason: Why.
        at: When.

    Returns:
        What became of the snapshot, and the decision.

    Raises:
        UsageError: It is not quarantined.
        SourceChangedError: It has no rows.
        ContentError: No reason or no name is given.
    """
    landing = quarantined(settings, source, snapshot)
    write_decision(settings, Decision(landing.snapshot_id, landing.sha256, choice, at, by, reason))
    land_source(settings, source)
    after = next(one for one in read_landings(settings, source) if one.snapshot_id == landing.snapshot_id)
    return after, read_decisions(settings, source.id)[landing.snapshot_id]
