"""Write the folder of a new source: files that are valid as they are, and say what to put where."""

from pathlib import Path

from datamoat.errors import ContentError, UsageError
from datamoat.project.sources import ID, REFERENCE, Source
from datamoat.settings import Settings

SOURCE = """\
# Maintainers: what must one know who looks after this source?
title: {title}
kind: leaderboards
publisher: {{name: Publisher, kind: what it is, url: "https://example.org"}}
licence: {{name: CC BY 4.0, url: "https://example.org/terms", attribution: "Publisher, example.org (CC BY 4.0)."}}
about: >
  What it counts or ranks, who does it, and how.
gaps:
  - What is not in it.

fetch:
  protocol: http
  every: daily
  hosts: [example.org]
  max_megabytes: 20
  requests:
    entries: {{about: "What this request gives.", url: "https://example.org/entries.json"}}

tables:
  entries:
    about: One row per entry as served.
    columns:
      name: VARCHAR
      value: DOUBLE
    grain: [name]
    rows: {{min: 1, max: 10000, reason: "How many rows it had, and when."}}
    anomaly_checks:
      key: [name]
      label: name
      gone: {{max: 0.10, reason: "How many left at most between two answers, and when."}}
      new: {{max: 0.20, reason: "How many came at most between two answers, and when."}}
      nulls:
        "*": {{max: 0.10, reason: "Which share of known rows lost a value at most between two responses, and when."}}
      measures:
        - {{column: value, factor: {{max: 3, reason: "How far the median moved at most; three times is another unit."}}}}
"""
PARSE = '''\
"""Read the publisher's response into one row per entry."""

from datamoat.parsing import Response, Row, exhaust, list_at, load_json, mapping, number, refuse_error, text


def entries(response: Response) -> list[Row]:
    """Return one row per entry; a renamed or dropped field stops the landing."""
    page = mapping(load_json(response), "the response")
    refuse_error(page, ("entries",))
    rows = []
    for listed in list_at(page, "entries"):
        entry = mapping(listed, "an entry")
        rows.append({"name": text(entry, "name"), "value": number(response, entry, "value")})
        exhaust(response, entry)
    exhaust(response, page, what="key")
    return rows
'''
STAGING = """\
/*---
description: Entries as the publisher served them, one row per entry and day of capture.
grain: [entry_name, captured_on]
nullable: [value]
---*/

select
    name as entry_name,
    _captured_on as captured_on,
    _snapshot_id as snapshot_id,
    value
from raw.{id}__entries
"""
PLACEHOLDERS = ("https://example.org", "How many rows it had, and when.")
ANSWER = '{"entries": [{"name": "An entry", "value": 12.5}, {"name": "Another", "value": null}]}\n'
EXPECTED = '{"entries": [{"name": "An entry", "value": 12.5}, {"name": "Another", "value": null}]}\n'


def write_source(settings: Settings, source_id: str) -> Path:
    """Write a complete, valid source folder and return it; only `columns.yml` may need more beside it.

    Raises:
        UsageError: The id is not of the form publisher_product, or is taken.
    """
    if not ID.fullmatch(source_id) or source_id == REFERENCE or len(source_id) > 40:  # noqa: PLR2004
        raise UsageError(
            f"{source_id!r} cannot be the id of a source",
            "the command line",
            "use lower-case words joined by single underscores, as publisher_product.",
        )
    folder = settings.own_content / "transforms" / "staging" / source_id
    if folder.exists():
        raise UsageError(f"there is a source called {source_id} already", str(folder), "choose another id, or edit that one.")
    files = {
        "source.yml": SOURCE.format(title=source_id.replace("_", " ").capitalize()),
        "parse.py": PARSE,
        f"stg_{source_id}__entries.sql": STAGING.format(id=source_id),
        "sample/entries.json": ANSWER,
        "sample/entries.expected.json": EXPECTED,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def check_filled(source: Source) -> None:
    """Refuse a source that is still as the scaffold wrote it.

    Raises:
        ContentError: Its `source.yml` holds a placeholder.
    """
    for number, line in enumerate(source.path.read_text(encoding="utf-8").splitlines(), start=1):
        for placeholder in PLACEHOLDERS:
            if placeholder in line:
                raise ContentError(
                    f"{placeholder!r} is what new-source wrote, not a fact about {source.id}",
                    f"{source.path}:{number}",
                    "fill it in from the publisher's page, or delete the folder.",
                )
