"""The one list of what validation can say of a snapshot."""

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
