"""The terms of live sources: fetched again with the cited pages; a change pauses releases and exports until a person has read it.

The text of the first response is what was agreed to. A person who has read a later one accepts its snapshot, which is
recorded beside it, and from then on that text is agreed to.
"""

from datamoat.errors import PublishRefusedError, UsageError
from datamoat.ingest.decisions import read_decisions
from datamoat.ingest.page_monitor import FOLDER, OK, READ, Page, seen_text
from datamoat.project.sources import read_sources
from datamoat.settings import Settings
from datamoat.storage.snapshots import Receipt, Snapshots

PREFIX = "terms-"  # of the request under which the terms of a source are stored


def pages_of_terms(settings: Settings) -> list[Page]:
    """Return the page of each live source's terms."""
    return [Page(source.licence.url, (f"{PREFIX}{source.id}",), READ, None, ()) for source in read_sources(settings.content)]


def changed_terms(settings: Settings) -> dict[str, Receipt]:
    """Return the newest response of each source whose terms differ from what was agreed to."""
    if not (settings.snapshots / FOLDER).is_dir():
        return {}
    store, decisions = Snapshots(settings.snapshots, FOLDER), read_decisions(settings, FOLDER)
    accepted = {snapshot_id for snapshot_id, one in decisions.items() if one.is_acceptance}
    found = {}
    for request in sorted({receipt.request for receipt in store.of() if receipt.request.startswith(PREFIX)}):
        answers = [receipt for receipt in store.of(request) if receipt.status == OK]
        agreed = next((one for one in reversed(answers) if one.snapshot_id in accepted), answers[0] if answers else None)
        if agreed is None or agreed.sha256 == answers[-1].sha256:
            continue
        then, now = (seen_text(store.body(receipt)) for receipt in (agreed, answers[-1]))
        if then is None or then != now:
            found[request.removeprefix(PREFIX)] = answers[-1]
    return found


def find_terms(settings: Settings, snapshot_id: str) -> Receipt:
    """Return the changed terms that a snapshot is.

    Raises:
        UsageError: It is no such snapshot.
    """
    changed = {receipt.snapshot_id: receipt for receipt in changed_terms(settings).values()}
    if snapshot_id not in changed:
        raise UsageError(
            f"{snapshot_id} is no changed page of terms",
            f"data/snapshots/{FOLDER}",
            f"take one of: {', '.join(changed) or 'none'}.",
        )
    return changed[snapshot_id]


def refuse_changed_terms(settings: Settings, served: set[str]) -> None:
    """Refuse to give data out while the terms of a source that is in them differ from what was agreed to.

    Raises:
        PublishRefusedError: They do.
    """
    changed = {source: receipt for source, receipt in changed_terms(settings).items() if source in served}
    if changed:
        source, receipt = next(iter(changed.items()))
        raise PublishRefusedError(
            f"the terms of {', '.join(changed)} changed, last on {receipt.captured_on}: exports and releases are paused",
            receipt.url,
            f'read them; if they still allow it, `datamoat accept {FOLDER} {receipt.snapshot_id} --reason "…"`, else remove {source}.',
        )
