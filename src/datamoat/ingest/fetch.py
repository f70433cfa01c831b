"""Fetch the requests of a source politely: retries in rounds, a limit on failures, one process a source."""

import contextlib
import os
from typing import TYPE_CHECKING

from datamoat.errors import SourceUnavailableError, UsageError
from datamoat.ingest.outcome import FETCH_SECONDS, Clock, FetchReport, Outcome, now
from datamoat.ingest.protocols import MOST_FAILURES, Fetcher, plan
from datamoat.log import step
from datamoat.project.sources import Request, Source, find_source
from datamoat.settings import Settings
from datamoat.storage.files import one_client
from datamoat.storage.snapshots import Snapshots
from datamoat.storage.store import synchronise

if TYPE_CHECKING:
    pass

ATTEMPTS = 3


def fetch_source(
    settings: Settings, source: Source | str, request: str | None = None, *, dry_run: bool = False, clock: Clock = now
) -> FetchReport:
    """Fetch one request of a source or all of them, and store every response before it is read.

    A request with an earlier response is conditional. One that fails is repeated after the others, at most
    three times in all and with at most three failures for the source, so that a publisher in trouble is left alone.
    Validators live in the receipts: two machines that share a data folder behave as one.

    Args:
        settings: Where things are.
        source: The source or its id.
        request: Only this one.
        dry_run: Report what would be fetched; open no socket.
        clock: What time it is.

    Raises:
        UsageError: There is no such source or request, or it cannot be fetched.
        SourceUnavailableError: The source needs a key that is not in the environment.
    """
    source = find_source(settings.content, source) if isinstance(source, str) else source
    if request is not None:
        source.request(request)
    wanted = {name: entry for name, entry in source.fetch.requests.items() if entry.live and request in (None, name)}
    if source.part is not None:
        raise UsageError(f"{source.id} is counted, not landed", str(source.path), f"datamoat count {source.id}")
    if source.fetch.protocol == "inbox" or not wanted:
        raise UsageError(
            f"{source.id} cannot be fetched: a person brings its files in",
            str(source.path),
            f"datamoat fetch {source.id} --from FILE --request {request or next(iter(source.fetch.requests))} --on YYYY-MM-DD",
        )
    if dry_run:
        store = Snapshots(settings.snapshots, source.id)
        return FetchReport(source.id, tuple(plan(source, store, name, entry) for name, entry in wanted.items()))
    secret = _secret(source)
    from datamoat.ingest.http_client import Client  # a DAG file may import this module; it must not pay for the client

    with one_client(settings.snapshots / source.id, FETCH_SECONDS), Client(source, clock=clock) as client:
        synchronise(settings, f"snapshots/{source.id}")
        store = Snapshots(settings.snapshots, source.id)
        fetcher = Fetcher(client, store, source, secret, clock)
        outcomes = _ask_in_rounds(fetcher, wanted)
        synchronise(settings, f"snapshots/{source.id}")
        return FetchReport(source.id, tuple(outcomes[name] for name in wanted), client.n_requests)


def _ask_in_rounds(fetcher: "Fetcher", wanted: dict[str, Request]) -> dict[str, Outcome]:
    """Ask for everything once, then again for what failed, with waits in between; give up early on a source in trouble."""
    import stamina
    from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

    from datamoat.ingest.http_client import MOST_WAIT_SECONDS, RetryLaterError

    outcomes: dict[str, Outcome] = {}
    troubles: list[tuple[str, RetryLaterError]] = []

    def again(error: Exception) -> bool | float:
        if not isinstance(error, RetryLaterError) or error.final:
            return False
        return True if error.wait_seconds is None else min(error.wait_seconds, MOST_WAIT_SECONDS)

    def one_round() -> None:
        worst: RetryLaterError | None = None
        for name in [name for name in wanted if name not in outcomes]:
            with step("request", request=f"{fetcher.source.id}/{name}") as logged:
                trouble = fetcher.try_one(name, wanted[name], outcomes)
                outcome = outcomes.get(name)
                logged.update({"outcome": outcome.what, "snapshot": outcome.snapshot_id} if outcome else {"outcome": "retry"})
            if trouble is None:
                continue
            troubles.append((name, trouble))
            worst = trouble if worst is None or trouble.final else worst
            if len(troubles) >= MOST_FAILURES:
                trouble.final = True
                raise trouble
        if worst is not None:
            raise worst

    set_on_retry_hooks([LoggingOnRetryHook])  # not its default, which prints to standard output where structlog is installed
    with contextlib.suppress(RetryLaterError):
        for attempt in stamina.retry_context(
            on=again, attempts=ATTEMPTS, timeout=180.0, wait_initial=1.0, wait_max=MOST_WAIT_SECONDS, wait_jitter=1.0
        ):
            with attempt:
                one_round()
    last = dict(troubles)
    return outcomes | {name: fetcher.give_up(name, last.get(name)) for name in wanted if name not in outcomes}


def _secret(source: Source) -> dict[str, str]:
    """Return the header with the access key, from the environment."""
    key = source.fetch.key
    if key is None:
        return {}
    value = os.environ.get(key.env, "").strip()
    if not value:
        raise SourceUnavailableError(
            f"{source.id} needs a key, and {key.env} is not set",
            str(source.path),
            f"get a key from {source.publisher.url} and set {key.env}.",
        )
    return {key.header: value}
