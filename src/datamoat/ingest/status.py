"""The words for what became of a request, of a snapshot, and of a source over time; each list once."""

from enum import StrEnum


class Status(StrEnum):
    """Validation status of one snapshot.

    Attributes:
        OK: Served.
        UNCHANGED: Served: the same rows as the last good vintage.
        REVISION: Served: the publisher changed what it had published of the past.
        SUSPICIOUS: Not served until a person accepts it, or a later capture is right.
        ERROR: Not served: it could not be read.
    """

    OK = "ok"
    UNCHANGED = "unchanged"
    REVISION = "revision"
    SUSPICIOUS = "suspicious"
    ERROR = "error"

    @property
    def is_accepted(self) -> bool:
        """Whether its rows may be served."""
        return self in {Status.OK, Status.UNCHANGED, Status.REVISION}


class FetchStatus(StrEnum):
    """What one request came to.

    Attributes:
        NEW: The response is stored.
        UNCHANGED: The publisher had nothing new.
        PLANNED: The request was only listed.
        REFUSED: The response is an error; it is stored as evidence.
        DEFERRED: There was no response; fetch again later.
    """

    NEW = "new"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    REFUSED = "refused"
    DEFERRED = "deferred"

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong."""
        return self in {FetchStatus.NEW, FetchStatus.UNCHANGED, FetchStatus.PLANNED}


class State(StrEnum):
    """State of one request of a source on a day.

    Attributes:
        NEVER: Nothing was ever fetched or brought in.
        FRESH: The newest response is accepted and new.
        UNCHANGED: The newest response is accepted and the same as the one before.
        STALE: Fetched, and identical for many cadences.
        SILENT: Nothing was fetched for two cadences.
        CLOCK: The newest snapshot is after today.
        QUARANTINED: The newest response is suspicious.
        FAILING: The newest response could not be read.
    """

    NEVER = "never"
    FRESH = "fresh"
    UNCHANGED = "unchanged"
    STALE = "stale"
    SILENT = "silent"
    CLOCK = "clock suspicious"
    QUARANTINED = "quarantined"
    FAILING = "failing"

    @property
    def is_withheld(self) -> bool:
        """Whether the newest response is not served."""
        return self in {State.QUARANTINED, State.FAILING}
