"""What one request came to, whether it was fetched or brought in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from datamoat.ingest.status import FetchStatus
from datamoat.storage.snapshots import Receipt

FETCH_SECONDS = 600.0  # how long to wait for another process that fetches the same source
Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Outcome:
    """What one request came to.

    Attributes:
        what: What the request came to.
        snapshot_id: What was stored, or what it was the same as.
        detail: One line for a person.
        is_stored: Whether a receipt was written.
    """

    request: str
    what: FetchStatus
    detail: str
    snapshot_id: str | None = None
    is_stored: bool = False


@dataclass(frozen=True)
class FetchReport:
    """What asking one source came to."""

    source_id: str
    outcomes: tuple[Outcome, ...]
    n_requests: int = 0

    @property
    def snapshot_ids(self) -> list[str]:
        """What was stored now."""
        return [outcome.snapshot_id for outcome in self.outcomes if outcome.is_stored and outcome.snapshot_id]

    @property
    def is_good(self) -> bool:
        """Whether every request was answered."""
        return all(outcome.what.is_good for outcome in self.outcomes)


def novelty(receipt: Receipt, *, is_new: bool) -> FetchStatus:
    """Say whether an answer holds anything that this request had not brought before."""
    return (
        FetchStatus.NEW
        if is_new and not (receipt.same_bytes_as or "").startswith(f"{receipt.source_id}/{receipt.request}/")
        else FetchStatus.UNCHANGED
    )
