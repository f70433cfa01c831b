"""Turn snapshots into raw Parquet, each validated against the last good one of the same request."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path

import datamoat
from datamoat.ingest.decisions import Decision, read_decisions
from datamoat.ingest.landings import Landing, raw_folder, read_log, rows_of, write_log, write_tables
from datamoat.ingest.status import Status
from datamoat.ingest.validate import Vintage, doubts_of, read_quarantined, stamp, validate
from datamoat.log import log
from datamoat.project.fingerprint import code_hash
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.files import one_lander
from datamoat.storage.snapshots import Receipt, Snapshots
from datamoat.storage.store import synchronise


@dataclass(frozen=True)
class LandReport:
    """What one landing did: every new landing, and how many were known already."""

    landed: tuple[Landing, ...]
    n_known: int

    def __str__(self) -> str:
        """Return in one line what landed and what was refused."""
        counted: dict[str, int] = {}
        for landing in self.landed:
            counted[landing.validation_status] = counted.get(landing.validation_status, 0) + 1
        listed = ", ".join(f"{times} {status}" for status, times in sorted(counted.items())) or "nothing new"
        return f"{len(self.landed) + self.n_known} snapshots, {listed}" + "".join(
            f"\n  {landing.snapshot_id}: {landing.validation_status}: {landing.reason}" for landing in self.refused
        )

    @property
    def refused(self) -> tuple[Landing, ...]:
        """The new ones that are not accepted."""
        return tuple(landing for landing in self.landed if not landing.validation_status.is_accepted)


def land_all(settings: Settings, sources: Iterable[Source]) -> LandReport:
    """Land every snapshot that is not landed yet; doing it again does nothing.

    A snapshot's validation status depends on the vintages before it, on `source.yml`, on `parse.py` and on what was accepted; when
    one of these changed, what follows from it is landed again from the stored bytes. The result is the same whatever the
    order in which snapshots arrived.

    Raises:
        ContentError: A receipt, a source or its parser is malformed, or stored bytes are damaged.
    """
    landed: list[Landing] = []
    n_known = 0
    for source in sources:
        fresh, known = land_source(settings, source)
        landed += fresh
        n_known += known
    return LandReport(tuple(landed), n_known)


def land_source(settings: Settings, source: Source) -> tuple[list[Landing], int]:
    """Land one source, one process at a time; return the landings made now and how many were landed before."""
    with one_lander(raw_folder(settings)):
        synchronise(settings, f"snapshots/{source.id}")
        return _land_source(settings, source)


def _land_source(settings: Settings, source: Source) -> tuple[list[Landing], int]:
    store = Snapshots(settings.snapshots, source.id)
    accepted = {key: one for key, one in read_decisions(settings, source.id).items() if one.is_acceptance}
    code = _code_hash(source)
    kept = read_log(settings, source.id, code)
    landings: list[Landing] = []
    fresh: list[Landing] = []
    for request in sorted({receipt.request for receipt in store.of()} & source.fetch.requests.keys()):
        receipts = store.of(request)
        old = [landing for landing in kept if landing.request == request]
        same = 0
        began = time.perf_counter()
        for receipt, landing in zip(receipts, old, strict=False):
            if receipt.snapshot_id != landing.snapshot_id or stamp(accepted.get(receipt.snapshot_id)) != landing.accepted:
                break
            same += 1
        if same == len(receipts) == len(old):
            landings += old
            continue
        for landing in old[same:]:
            for file in landing.files.values():
                (raw_folder(settings) / file).unlink(missing_ok=True)
        done = _land_request(settings, source, store, receipts[same:], old[:same], accepted)
        fresh += done
        landings += _one_a_day(old[:same] + done)
        if done:  # one event for each request that landed; of a history, its newest snapshot
            newest = {
                "rows": done[-1].n_rows,
                "hash": done[-1].sha256,
                "is_served": done[-1].is_served,
                "reason": done[-1].reason,
            }
            seconds = round(time.perf_counter() - began, 3)
            log.info("landing", landing=done[-1].snapshot_id, snapshots=len(done), **newest, seconds=seconds)
    if fresh or len(landings) != len(kept) or (landings and not kept):
        write_log(settings, source.id, code, landings)
    by_id = {landing.snapshot_id: landing for landing in landings}
    return [by_id[landing.snapshot_id] for landing in fresh], len(landings) - len(fresh)


def forget(settings: Settings, source: Source, day: date) -> int:
    """Strike the landings of one day from the record, so that the next landing reads them again; return how many.

    The bytes stay, and a landing is a function of them, so the same landings come back.
    """
    code = _code_hash(source)
    with one_lander(raw_folder(settings)):
        landings = read_log(settings, source.id, code)
        kept = [landing for landing in landings if landing.captured_on != day]
        if len(kept) < len(landings):
            write_log(settings, source.id, code, kept)
        return len(landings) - len(kept)


def _land_request(
    settings: Settings,
    source: Source,
    store: Snapshots,
    receipts: list[Receipt],
    before: list[Landing],
    accepted: dict[str, Decision],
) -> list[Landing]:
    """Land the snapshots of one request that follow `before`, in order of time."""
    good = [landing for landing in before if landing.validation_status.is_accepted]
    with_rows = [landing for landing in good if landing.files]
    last = None
    if with_rows:
        last = Vintage(
            good[-1].captured_on,
            good[-1].sha256,
            good[-1].rows_sha256,
            good[-1].core_sha256,
            rows_of(settings, source, with_rows[-1]),
        )
    seen = {landing.core_sha256: landing.captured_on for landing in good}
    quarantined = read_quarantined(source, store, before, last) if last else []
    done = []
    for receipt in receipts:
        landing, tables = validate(source, store, receipt, last, seen, quarantined, accepted.get(receipt.snapshot_id))
        if landing.is_served:
            if any(table.repeat for table in source.tables.values()) or landing.validation_status != Status.UNCHANGED:
                landing = replace(
                    landing,
                    files=write_tables(
                        settings, source, receipt, tables, unchanged=landing.validation_status == Status.UNCHANGED
                    ),
                )
            last = Vintage(receipt.captured_on, receipt.sha256, landing.rows_sha256, landing.core_sha256, tables)
            seen[landing.core_sha256] = receipt.captured_on
            quarantined = []
        elif landing.validation_status == Status.SUSPICIOUS and landing.n_rows and last is not None:
            quarantined.append(doubts_of(source, receipt.captured_on, tables, last))
        del tables  # one table beside the last good one is enough: the next is read without this
        done.append(landing)
    return done


def _one_a_day(landings: list[Landing]) -> list[Landing]:
    """Serve at most one vintage of a request for each day: the last that is not unchanged."""
    chosen: dict[date, Landing] = {}
    for landing in landings:
        if landing.validation_status.is_accepted and (
            landing.validation_status != Status.UNCHANGED or landing.captured_on not in chosen
        ):
            chosen[landing.captured_on] = landing
    served = {landing.snapshot_id for landing in chosen.values()}
    out = []
    for landing in landings:
        if not landing.validation_status.is_accepted or landing.snapshot_id in served:
            out.append(replace(landing, is_served=landing.snapshot_id in served))
        else:
            note = "another response of the same day is served"
            out.append(
                landing
                if not landing.is_served
                else replace(landing, is_served=False, reason="; ".join(filter(None, (landing.reason, note))))
            )
    return out


@cache
def _engine_hash() -> str:
    """Return a hash of the code that reads and validates responses."""
    return hashlib.sha256((code_hash(Path(__file__)) + datamoat.__version__).encode()).hexdigest()


def _code_hash(source: Source) -> str:
    """Return a hash of everything but the bytes that a landing of this source is a function of."""
    digest = hashlib.sha256(_engine_hash().encode())
    for path in (source.path, source.parser):
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
