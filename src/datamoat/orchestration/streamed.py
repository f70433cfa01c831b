"""The steps of a streamed source as calls for a scheduler: which parts there are, one call for each, and the result of each.

A part is counted by one call; two may run at a time on two workers. What was counted before is not counted again.
"""

from datetime import UTC, date, datetime
from typing import Any

from datamoat.project.sources import Source, find_source
from datamoat.settings import Settings, read_settings

LICENCE = "LICENCE"  # a file in the folder of a set, with the licence's name as its first line


def parts(source_id: str) -> list[dict[str, Any]]:
    """Return the parts that are to be counted: what is due at the publisher, and what lies in the inbox.

    The inbox is `data/inbox/<source>/`; of a source that needs labels, `data/inbox/<source>/<label>/` with a file `LICENCE`.
    """
    from datamoat.ingest.streamed import parts_due

    settings = read_settings()
    source = find_source(settings.content, source_id)
    due = parts_due(settings, source, datetime.now(UTC).date())
    found: list[dict[str, Any]] = [{"request": one.request, "part_on": one.part_on.isoformat()} for one in due]
    return found + _inbox(settings, source)


def count(source_id: str, part: dict[str, Any]) -> dict[str, Any]:
    """Count one part and return what is known of it.

    Args:
        source_id: The source.
        part: One entry of what `parts` returned.

    Raises:
        SourceUnavailableError: The publisher does not answer; another try may.
        SourceChangedError: The part is not what the source declares.
    """
    from datamoat.ingest.streamed import Due, add_file, fetch_and_count

    settings = read_settings()
    source = find_source(settings.content, source_id)
    now = datetime.now(UTC)
    if "path" in part:
        receipt = add_file(settings, source, part["path"], now, label=part["label"], licence=part["licence"])[0]
    else:
        receipt = fetch_and_count(settings, source, Due(part["request"], date.fromisoformat(part["part_on"])), now)
    return {
        "snapshot_id": receipt.snapshot_id, "part": receipt.part, "n_listed": receipt.n_listed, "n_counted": receipt.n_counted,
        "n_rejected": receipt.n_rejected, "is_cut": receipt.is_cut,
    }  # fmt: skip


def _inbox(settings: Settings, source: Source) -> list[dict[str, Any]]:
    """Return the files in the inbox whose like was not counted yet, by name, size and label."""
    from datamoat.ingest.part_receipts import definition_of, read_receipts

    folder = settings.data / "inbox" / source.id
    if not folder.is_dir() or source.part is None:
        return []
    definition = definition_of(source)
    done = {(one.part, one.n_bytes, one.label) for one in read_receipts(settings, source) if one.definition == definition}
    found = []
    for path in sorted(folder.glob("*/*" if source.part.labels else "*")):
        label = path.parent.name if source.part.labels else None
        if not path.is_file() or path.name == LICENCE or path.suffix in {".sha1", ".sha256"} or path.name.startswith("."):
            continue
        beside = path.with_name(LICENCE)
        licence = beside.read_text(encoding="utf-8").strip().split("\n")[0] if label and beside.is_file() else None
        if (path.name, path.stat().st_size, label) not in done:
            found.append({"path": str(path), "label": label, "licence": licence})
    return found
