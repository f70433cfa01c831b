"""The state of every request of every source on a day: fresh, unchanged, stale, silent, quarantined or failing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from datamoat.ingest.landings import Landing, read_landings
from datamoat.ingest.status import State, Status
from datamoat.project.sources import EVERY_DAYS, Source
from datamoat.settings import Settings

STALE_CADENCES = 4  # identical for so many times the usual interval: stale, which is not the same as fresh


@dataclass(frozen=True)
class RequestState:
    """The state of one request of one source.

    Attributes:
        state: The state of the request.
        since: The day the state began; None for never.
        served_on: The day of the data that are live.
    """

    source_id: str
    request: str
    state: State
    since: date | None
    served_on: date | None
    reason: str
    snapshot_id: str | None


def states(settings: Settings, sources: Iterable[Source], today: date) -> list[RequestState]:
    """Return the state of every request of every source on a day.

    Args:
        settings: Where things are.
        sources: The sources.
        today: The day silence is counted to; the caller's clock, since no model may have one.
    """
    return [
        _state(source, request, today, [landing for landing in read_landings(settings, source) if landing.request == request])
        for source in sources
        for request in source.fetch.requests
    ]


def _state(source: Source, request: str, today: date, landings: list[Landing]) -> RequestState:
    """Return the state of one request."""
    if not landings:
        return RequestState(source.id, request, State.NEVER, None, None, "nothing was ever fetched or brought in", None)
    served = [landing for landing in landings if landing.validation_status.is_accepted]
    served_on = served[-1].captured_on if served else None
    newest = max(landings, key=lambda landing: (landing.captured_on, landing.retrieved_at, landing.validation_status.is_accepted))
    cadence = EVERY_DAYS[source.fetch.every]
    if not newest.validation_status.is_accepted:
        since = newest
        for landing in reversed(landings):
            if landing.validation_status.is_accepted:
                break
            since = landing
        name = State.QUARANTINED if newest.validation_status == Status.SUSPICIOUS else State.FAILING
        return RequestState(source.id, request, name, since.captured_on, served_on, newest.reason, newest.snapshot_id)
    begun = newest
    for landing in reversed(served):
        if landing.core_sha256 != newest.core_sha256:
            break
        begun = landing
    if cadence is not None and source.fetch.requests[request].live and source.fetch.protocol != "inbox":
        silent = (today - newest.captured_on).days
        if silent < 0:
            return RequestState(
                source.id,
                request,
                State.CLOCK,
                newest.captured_on,
                served_on,
                f"the newest snapshot is of {newest.captured_on}, after today ({today}): set the clock",
                newest.snapshot_id,
            )
        if silent > 2 * cadence:
            return RequestState(
                source.id,
                request,
                State.SILENT,
                newest.captured_on,
                served_on,
                f"nothing was fetched for {silent} days; every {cadence} is usual",
                newest.snapshot_id,
            )
        if (newest.captured_on - begun.captured_on).days >= STALE_CADENCES * cadence:
            return RequestState(
                source.id,
                request,
                State.STALE,
                begun.captured_on,
                served_on,
                f"fetched, and identical since {begun.captured_on}",
                newest.snapshot_id,
            )
    return RequestState(
        source.id,
        request,
        State.UNCHANGED if newest.validation_status == Status.UNCHANGED else State.FRESH,
        begun.captured_on,
        served_on,
        newest.reason,
        newest.snapshot_id,
    )
