"""A decision about a quarantined snapshot as calls for a scheduler: what to decide, what it would change, what was decided."""

from datetime import UTC, datetime
from typing import Any

from datamoat.project.sources import find_source
from datamoat.settings import read_settings

SHOWN_CHANGES = 30
SHOWN_CHARACTERS = 60  # of a cell
MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]()<>#+-.:!|~&"})


def undecided(source_id: str) -> list[dict[str, Any]]:
    """Return the run to start for each request of a source that is in quarantine: its id and its configuration.

    There is one run for each quarantine of a request, named after the day it began: while that lasts, nobody is called
    twice. To accept a response of one day ends it, since the later ones are validated against what was accepted.
    """
    from datamoat.ingest.decisions import read_decisions
    from datamoat.ingest.quarantine import quarantines

    settings = read_settings()
    source = find_source(settings.content, source_id)
    decided = read_decisions(settings, source_id)
    return [
        {
            "trigger_run_id": f"{source_id}.{one.landing.request}.{one.since}",
            "conf": {"snapshot_id": one.landing.snapshot_id},
        }
        for one in quarantines(settings, source, datetime.now(UTC).date())
        if one.landing.snapshot_id not in decided
    ]


def describe(snapshot_id: str) -> dict[str, str]:
    """Return what a person needs to decide about a landed snapshot, as a title and a text in Markdown."""
    from datamoat.ingest.landings import read_landings
    from datamoat.ingest.validate import changes_of

    settings = read_settings()
    source = find_source(settings.content, snapshot_id.partition("/")[0])
    landing = next(one for one in read_landings(settings, source) if one.snapshot_id == snapshot_id)
    changes = changes_of(settings, source, snapshot_id)
    shown = [" | ".join(map(_cell, change)) for change in changes[:SHOWN_CHANGES]]
    rest = f", the first {SHOWN_CHANGES} of them" if len(changes) > SHOWN_CHANGES else ""
    lines = [
        f"{_cell(source.title, 200)}: the response of {landing.captured_on} to `{landing.request}` failed validation and is not served.",
        f"**Why:** {_cell(landing.reason, 1000)}",
        f"**What changes if it is accepted** ({len(changes)} changes{rest}; `datamoat plan {source.id} --json` lists all):",
        "\n".join(
            [
                "| table | change | key | column | served | offered |",
                "|---|---|---|---|---|---|",
                *(f"| {one} |" for one in shown),
            ]
        ),
        "**Accept** serves it and starts a build. **Keep** leaves it in quarantine. The reason and your name are published.",
    ]
    return {"title": f"{source.id}: {landing.request} of {landing.captured_on}", "text": "\n\n".join(lines)}


def record(snapshot_id: str, choice: str, by: str, reason: str) -> dict[str, Any]:
    """Record what a person decided and land what follows from it.

    Args:
        snapshot_id: The snapshot.
        choice: `accept` or `keep`.
        by: Who decided.
        reason: Why.

    Returns:
        The decision as plain facts; `is_new` is whether the snapshot is served now.

    Raises:
        UsageError: The snapshot is not quarantined any more.
        ContentError: No reason or no name is given.
    """
    from datamoat.ingest.decisions import Choice
    from datamoat.ingest.quarantine import decide

    settings = read_settings()
    source = find_source(settings.content, snapshot_id.partition("/")[0])
    landing, decision = decide(settings, source, snapshot_id, Choice(choice.lower()), by=by, reason=reason, at=datetime.now(UTC))
    return {**decision.plain, "validation_status": landing.validation_status, "is_new": decision.is_acceptance}


def _cell(value: object, characters: int = SHOWN_CHARACTERS) -> str:
    """Return a value of a publisher as text that Markdown does not read as markup."""
    text = " ".join(str(value).split())
    return (text if len(text) <= characters else f"{text[:characters]}…").translate(MARKDOWN)
