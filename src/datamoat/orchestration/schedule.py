"""What a scheduler needs to know of the sources: when to ask, which pools there are, what assets are called.

Plain values, light to import; the orchestrator itself is imported by the files of `dags/` alone. As a program it
prints the pools as JSON, in the form that `airflow pools import` reads.
"""

import json
import os
import re
import sys
import zlib

from datamoat.project.sources import REFERENCE, Source, read_sources
from datamoat.settings import find_content

WRITER = "datamoat_writer"  # one slot: one process at a time lands, builds, publishes or exports
WAREHOUSE, EXPORT, RELEASE = "warehouse", "exported_tables", "dated_release"
OWN = "Our own facts"
INBOX = "host_inbox"  # the pool of what people bring in
PAGES = "host_of_watched_pages"
# What a failed step means: the error, whether to try again, after how many minutes, and why. The first that fits counts.
RULES = (
    ("datamoat.errors.SourceUnavailableError", "retry", 10, "it may work later"),
    ("datamoat.errors.BusyError", "retry", 1, "another process is at work"),
    ("datamoat.errors.DatamoatError", "fail", 0, "a person must look"),
)
LATE_MINUTES = float(os.environ.get("DATAMOAT_LATE_MINUTES") or 60)  # after which a run that is not through is told of
CRON = {
    "hourly": "{minute} * * * *",
    "daily": "{minute} 6 * * *",
    "weekly": "{minute} 6 * * 1",
    "monthly": "{minute} 6 2 * *",
    "quarterly": "{minute} 6 2 1,4,7,10 *",
    "half-yearly": "{minute} 6 2 1,7 *",
    "never": "{minute} 5 * * *",  # nobody is asked: the inbox is looked into
}


def titles(sources: tuple[Source, ...]) -> dict[str, str]:
    """Return what everything that lands is called, our own facts first."""
    return {REFERENCE: OWN, **{source.id: source.title for source in sources}}


def raw(source_id: str) -> str:
    """Return the name of the asset that says a source has landed."""
    return f"raw__{source_id}"


def cron(source: Source) -> str:
    """Return when a source is asked, in UTC, at a minute that its name decides, so that not all are asked at once.

    >>> CRON["daily"].format(minute=17)
    '17 6 * * *'
    """
    return CRON[source.every].format(minute=zlib.crc32(source.id.encode()) % 60)


def pool(source: Source) -> str:
    """Return the pool of the first host a source is asked at: one question at a time for each host."""
    if source.fetch.protocol == "inbox" or not source.fetch.hosts:
        return INBOX
    host = source.fetch.hosts[0]
    return "host_" + re.sub(r"[^a-z0-9]+", "_", host.lower()).strip("_")


def pools(sources: tuple[Source, ...]) -> dict[str, dict[str, object]]:
    """Return every pool with its slots, as `airflow pools import` takes them."""
    hosts = {pool(one): f"one question at a time for {one.fetch.hosts[0]}" for one in sources if pool(one) != INBOX}
    hosts[INBOX] = "files that people bring in"
    hosts[PAGES] = "one cited page at a time"
    about = {WRITER: "one process at a time writes tables", **dict(sorted(hosts.items()))}
    return {name: {"slots": 1, "description": text, "include_deferred": False} for name, text in about.items()}


if __name__ == "__main__":
    json.dump(pools(read_sources(find_content())), sys.stdout, indent=1)
    sys.stdout.write("\n")
