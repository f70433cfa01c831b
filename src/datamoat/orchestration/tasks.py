"""Each task of the DAGs as one function: names and days in, plain facts out, one of our errors when a person must look.

Every task reads its settings from the environment, waits for its turn to write, and is idempotent: what was done before is not
done twice. The facts go into the log and into the event that triggers the next DAG.
"""

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from datamoat.errors import NoRoomError, PublishRefusedError, SourceChangedError, SourceUnavailableError
from datamoat.ingest.status import FetchStatus, State, Status
from datamoat.orchestration import notify
from datamoat.orchestration.metrics import Gauge, measure
from datamoat.project.sources import REFERENCE, Source, find_source, read_sources
from datamoat.settings import Settings, read_settings
from datamoat.storage.files import one_writer

if TYPE_CHECKING:
    from datamoat.ingest.outcome import FetchReport

Facts = dict[str, Any]
DISK = "free disk"
TURN_SECONDS = 1800.0  # how long a task waits for another process, such as a command, to stop writing


def fetch(source_id: str, day: str | None = None, *, request: str | None = None, dry_run: bool = False) -> Facts:
    """Send every request of a source and store the responses.

    A source without requests, and any source on a past `day`, is read from the inbox instead:
    `data/inbox/<source>/<request>/<day>.<ext>`. Files stay where they are; the same file twice is one snapshot.

    Args:
        source_id: The source.
        day: A past day (ISO) to bring in; None fetches what there is now.
        request: Only this one.
        dry_run: Report what would be fetched; send nothing.

    Raises:
        SourceUnavailableError: A request got no response; the other responses are stored.
        SourceChangedError: A request got an error; the response is stored as evidence.
    """
    from datamoat.ingest.fetch import fetch_source
    from datamoat.ingest.inbox import take_inbox

    settings = read_settings()
    source = find_source(settings.content, source_id)
    if day is not None or source.fetch.protocol == "inbox":
        report, skipped = take_inbox(settings, source, day)
        return _fetched(source, report) | ({"skipped": skipped} if skipped else {})
    report = fetch_source(settings, source, request, dry_run=dry_run)
    bad = [outcome for outcome in report.outcomes if not outcome.what.is_good]
    if bad:
        listed = "; ".join(f"{outcome.request} {outcome.what}: {outcome.detail}" for outcome in bad)
        kind = SourceUnavailableError if any(outcome.what == FetchStatus.DEFERRED for outcome in bad) else SourceChangedError
        raise kind(
            f"{source_id}: {len(bad)} of {len(report.outcomes)} requests failed: {listed}",
            f"data/snapshots/{source_id}",
            f"`datamoat diagnose {source_id}` shows the responses; those without an error are stored and land.",
        )
    return _fetched(source, report)


def captures(source_id: str | None = None) -> Facts:
    """Store the files of the inbox, of one source or of all, and list their days, each as a partition `source|day`.

    All are stored before any is landed: the runs of the days start in no order, and landing validates in order of day.
    Also returns a sentence for each file that is not taken.
    """
    from datamoat.ingest.inbox import days_of, take_inbox

    settings = read_settings()
    partitions, skipped = [], []
    for source in read_sources(settings.content):
        if source.part is None and source_id in (None, source.id):
            days, left_out = days_of(settings, source)
            if days:
                report, left_out = take_inbox(settings, source)
                days = sorted({one.snapshot_id.split("/")[2][:10] for one in report.outcomes if one.snapshot_id})
            partitions += [f"{source.id}|{day}" for day in days]
            skipped += [f"{source.id}/{sentence}" for sentence in left_out]
    return {"partitions": partitions, "skipped": skipped}


def land(source_id: str, day: str | None = None) -> Facts:
    """Parse and validate new snapshots of a source, and return whether the published file lacks any of them.

    `reference` reads the reference facts. With a `day`, snapshots received on that day are parsed again from their bytes.

    Returns:
        What the published file does not contain yet: snapshots, their statuses and rows; `is_new` is true if what is
        served differs from its inputs.

    Raises:
        ContentError: A reference row, a receipt or a parser is malformed.
    """
    settings = read_settings()
    if source_id == REFERENCE:
        return _land_reference(settings)
    from datamoat.ingest.land import forget, land_source
    from datamoat.ingest.landings import read_landings

    source = find_source(settings.content, source_id)
    if day is not None:
        forget(settings, source, date.fromisoformat(day))
    fresh, _ = land_source(settings, source)
    landings = read_landings(settings, source)
    seen = _published_snapshots(settings, source_id)
    unseen = [one for one in landings if (one.snapshot_id, one.validation_status) not in seen]
    gone = seen - {(one.snapshot_id, one.validation_status) for one in landings}
    return {
        "source_id": source_id,
        "snapshot_ids": [one.snapshot_id for one in unseen],
        "statuses": dict(sorted(Counter(one.validation_status.value for one in unseen).items())),
        "n_rows": sum(one.n_rows for one in unseen if one.is_served),
        "n_read_now": len(fresh),
        "is_new": any(one.is_served for one in unseen) or any(Status(status).is_accepted for _, status in gone),
    }


def validate(source_id: str, day: str | None = None) -> Facts:
    """Fail, with the reason, when the newest response to a request of a source is not valid, or any response of a past day.

    It also fails for a later day that this landing made invalid, unless the inbox has a file of that day: its own run reports it.

    Raises:
        SourceChangedError: It is quarantined, or it is an error of the publisher.
    """
    from datamoat.ingest.inbox import days_of
    from datamoat.ingest.landings import read_landings, validated_with
    from datamoat.ingest.source_state import states

    settings = read_settings()
    source = find_source(settings.content, source_id)
    if day is not None:
        others = {*days_of(settings, source)[0]} - {day}
        landings = [one for one in validated_with(read_landings(settings, source), date.fromisoformat(day))
                    if one.captured_on.isoformat() not in others]  # fmt: skip
        bad = {one.snapshot_id: f"{one.request} of {one.captured_on} is {one.validation_status}: {one.reason}" for one in landings
               if not one.validation_status.is_accepted}  # fmt: skip
        found = {one.request: str(one.validation_status) for one in landings}
    else:
        current = states(settings, [source], datetime.now(UTC).date())
        bad = {str(one.snapshot_id): f"{one.request} is {one.state} since {one.since}, {_live(one.served_on)}: {one.reason}"
               for one in current if one.state.is_withheld}  # fmt: skip
        found = {one.request: str(one.state) for one in current}
    if bad:
        raise SourceChangedError(
            f"{source_id}: {'; '.join(bad.values())}",
            ", ".join(bad),
            f"`datamoat diagnose {source_id}`, then `datamoat plan {source_id}` and `datamoat accept`, or correct the source.",
        )
    return {"source_id": source_id, "states": found}


def build() -> Facts:
    """Build every table; what readers see is not touched.

    Raises:
        NoRoomError: The disk has less free space than a build needs.
        ModelFailedError: A model did not run or did not yield what it promises.
    """
    from datamoat.build.run import build_models
    from datamoat.project.read import read_project

    settings = read_settings()
    _check_room(settings)
    with one_writer(settings.data, "build", TURN_SECONDS), _timed("build"):
        made = build_models(settings, read_project(settings.content))
    n_rows = sum(table["n_rows"] for name, table in made.tables.items() if name.startswith("marts."))
    return {"build_id": made.build_id, "as_of": made.as_of.isoformat(), "n_tables": len(made.tables), "n_rows": n_rows}


def audit(build_id: str) -> Facts:
    """Run every check on a build.

    Raises:
        AuditFailedError: A critical check failed.
        PublishRefusedError: Another build took its place meanwhile.
    """
    from datamoat.project.read import read_project
    from datamoat.publish.audit import audit_build

    settings = read_settings()
    with one_writer(settings.data, "audit", TURN_SECONDS), _timed("audit"):
        _same_build(settings, build_id)
        audited = audit_build(settings, read_project(settings.content))
    warned = [
        {
            "table": one.table_name,
            "check": one.check_name,
            "why": one.reason,
            "rows": one.n_offending,
            "first_rows": one.offending,
        }
        for one in audited.warnings
    ]
    return {"build_id": build_id, "n_checks": len(audited.results), "warnings": warned}


def publish(build_id: str) -> Facts:
    """Replace the published file with an audited build.

    Raises:
        PublishRefusedError: It was not audited, another build took its place, or the disk refuses.
    """
    from datamoat.project.read import read_project
    from datamoat.publish.warehouse import publish_warehouse

    settings = read_settings()
    with one_writer(settings.data, "publish", TURN_SECONDS), _timed("publish"):
        _same_build(settings, build_id)
        published = publish_warehouse(settings, read_project(settings.content))
    notify.ping()
    return {
        "build_id": published.build_id, "as_of": published.as_of.isoformat(), "n_bytes": published.n_bytes,
        "is_new": published.is_new,
    }  # fmt: skip


def export() -> Facts:
    """Write the published tables as Parquet and CSV.

    Raises:
        NoRoomError: The disk has less free space than that needs.
        PublishRefusedError: Nothing is published, or the disk refuses.
    """
    from datamoat.release.tables import export_tables, prune_exports

    settings = read_settings()
    _check_room(settings)
    with one_writer(settings.data, "export", TURN_SECONDS), _timed("export"):
        folder = export_tables(settings)
        removed = prune_exports(settings, settings.keep_exports)
    files = [path for path in folder.rglob("*") if path.is_file()]
    n_bytes = sum(path.stat().st_size for path in files)
    return {"export": folder.name, "n_files": len(files), "n_bytes": n_bytes, "removed": removed}


def release(note: str | None = None) -> Facts:
    """Keep the published build as a dated release.

    Args:
        note: What a person has to add; it is in the event and in the log.

    Raises:
        NoRoomError: The disk has less free space than that needs.
        PublishRefusedError: Nothing is published, the clock runs behind the data, or a text names a person's address.
    """
    from datamoat.release.bundle import make_release

    settings = read_settings()
    _check_room(settings)
    with one_writer(settings.data, "release", TURN_SECONDS):
        entry, folder = make_release(settings)
    return {
        "release": folder.name,
        "build_id": entry.build_id,
        "released_on": entry.released_on.isoformat(),
        "checksum": entry.checksum,
    } | ({"note": note} if note else {})


def watch_state() -> Facts:
    """Report a full disk and every source that is silent, once, and once more when it is good again; then call the dead-man address.

    Alerts of runs that no channel took are sent again.
    """
    from datamoat.ingest.source_state import states

    settings = read_settings()
    notify.send_again()
    problem = _room(settings)
    notify.condition(DISK, problem)
    silent: dict[str, str] = {}
    gauges: list[Gauge] = [("disk.free", "By", shutil.disk_usage(settings.data).free, {})]
    today = datetime.now(UTC).date()
    for source in (one for one in read_sources(settings.content) if one.part is None):
        current = states(settings, [source], today)
        bad = [one for one in current if one.state in {State.SILENT, State.CLOCK}]
        reason = "; ".join(f"{one.request}: {one.reason}, {_live(one.served_on)}" for one in bad) or None
        notify.condition(f"source {source.id}", reason)
        silent |= {source.id: reason} if reason else {}
        served = [one.served_on for one in current if one.served_on]
        of_source = {"source": source.id}
        gauges += [("source.age", "d", (today - min(served)).days, of_source)] if served else []
        gauges.append(("source.withheld", "{request}", sum(one.state.is_withheld for one in current), of_source))
    return {"disk": problem or "good", "silent": silent, "pinged": notify.ping(), "measured": measure(gauges)}


def tidy() -> Facts:
    """Remove Airflow's logs of tasks and the marks of reported runs that are older than `keep_days`; return how many files."""
    settings = read_settings()
    oldest = datetime.now(UTC).timestamp() - settings.keep_days * 86_400
    home = settings.data / "airflow"
    files = [path for path in (home / "logs").rglob("*.log*") if path.parent != home / "logs"]  # not those of its processes
    files += (home / "alerts").glob("run-*")
    old = [path for path in files if path.is_file() and path.stat().st_mtime < oldest]
    for path in old:
        path.unlink(missing_ok=True)
    for folder in sorted((home / "logs").rglob("*/"), reverse=True):
        with contextlib.suppress(OSError):  # it has files, or a task is about to write one
            folder.rmdir()
    return {"removed": len(old)}


def watch() -> Facts:
    """Fetch every page again that a person transcribed and that can be fetched.

    Raises:
        SourceChangedError: A page is gone, moved, or no longer shows a statistic that was taken from it.
    """
    from datamoat.ingest.page_monitor import summary, watch_pages

    findings = watch_pages(read_settings())
    alerts = [finding for finding in findings if finding.is_alarm]
    if alerts:
        listed = "; ".join(f"{', '.join(one.citation_ids)} {one.state} ({one.url}): {one.detail}" for one in alerts[:10])
        raise SourceChangedError(
            f"{len(alerts)} of {len(findings)} cited pages: {listed}",
            "data/reference/citations.csv",
            "read the page again; if the statistic changed, add a row that supersedes the old one, and never edit the old one.",
        )
    changed = [f"{', '.join(one.citation_ids)}: {one.detail}" for one in findings if one.state == "changed"]
    return {"n_pages": len(findings), "states": summary(findings), "changed": changed}


@contextlib.contextmanager
def _timed(step: str) -> Iterator[None]:
    """Measure how long a step takes, without the wait for its turn."""
    began = time.perf_counter()
    yield
    measure([("step.duration", "s", time.perf_counter() - began, {"step": step})])


def _check_room(settings: Settings) -> None:
    """Refuse to write while there is still room for the alert, for Airflow's database and for its logs."""
    problem = _room(settings)
    notify.condition(DISK, problem)
    if problem:
        raise NoRoomError(problem, str(settings.data), "free space, then trigger the DAG again; readers keep what is published.")


def _room(settings: Settings) -> str | None:
    """Return what is wrong with the free space of the data folder, if anything is."""
    settings.data.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data).free
    wanted = (
        f"{free / 1e9:.1f} GB are free, and a build needs {settings.room / 1e9:g} GB; free space, or nothing new is published"
    )
    return wanted if free < settings.room else None


def _fetched(source: Source, report: "FetchReport") -> Facts:
    return {
        "source_id": source.id,
        "n_requests": report.n_requests,
        "responses": dict(sorted(Counter(outcome.what for outcome in report.outcomes).items())),
        "snapshot_ids": [outcome.snapshot_id for outcome in report.outcomes if outcome.is_stored],
    }


def _land_reference(settings: Settings) -> Facts:
    """Read the reference facts; they are new if the published file was made from other facts, models or code."""
    from datamoat.build.inputs import input_hashes
    from datamoat.project.read import read_project
    from datamoat.project.reference import read_reference
    from datamoat.storage.warehouse import open_published

    facts = read_reference(settings.reference)
    inputs = {
        name: value
        for name, value in input_hashes(settings, read_project(settings.content), facts).items()
        if name != "snapshots"
    }
    published: dict[str, str] = {}
    if settings.published.is_file():
        with open_published(settings) as con:
            published = dict(con.sql("select input, sha256 from meta.inputs").fetchall())
    changed = sorted(name for name, value in inputs.items() if published.get(name) != value)
    gone = sorted(name for name in published if name.startswith("reference/") and name not in inputs)
    return {
        "source_id": REFERENCE,
        "n_files": len(facts),
        "n_rows": sum(fact.frame.height for fact in facts),
        "changed": [*changed, *gone],
        "is_new": bool(changed or gone),
    }


def _published_snapshots(settings: Settings, source_id: str) -> set[tuple[str, str]]:
    """Return the snapshots of a source that the published file contains, with their statuses."""
    from datamoat.storage.warehouse import open_published

    if not settings.published.is_file():
        return set()
    with open_published(settings) as con:
        known = "select snapshot_id, validation_status from meta.snapshots where source_id = ?"
        return set(con.execute(known, [source_id]).fetchall())


def _same_build(settings: Settings, build_id: str) -> None:
    """Refuse to go on with a build that this run did not make."""
    from datamoat.build.record import read_build

    here = read_build(settings.lake).build_id
    if here != build_id:
        raise PublishRefusedError(
            f"this run is about build {build_id}, and the lake holds {here}",
            str(settings.lake),
            "nothing was published; the process that built it publishes it, or start the build again.",
        )


def _live(served_on: date | None) -> str:
    return f"data of {served_on} stay live" if served_on else "nothing is live"
