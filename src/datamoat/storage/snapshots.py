"""Bytes as received, each with a receipt: addressed by content, append-only, never edited."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datamoat.errors import ContentError, UsageError
from datamoat.storage.files import CHECKSUM, read_record, write_record, write_whole

EXTENSION = re.compile(r"[a-z0-9]{1,8}")
RECEIPT = ".receipt.json"
PARTS = "parts"  # the folder of a streamed source that holds counts and receipts of its parts


@dataclass(frozen=True)
class Receipt:
    """What is known about one response besides its bytes.

    Attributes:
        snapshot_id: `source/request/day/first twelve digits of the hash`.
        captured_on: The UTC day the response was received.
        retrieved_at: The UTC instant; midnight of `captured_on` where only the day is known (an archived response).
        status: The HTTP status; 200 for a file that a person brought in.
        url: The address requested, without its query's secrets; a file name for what a person brought in.
        revision: The immutable revision behind the address, where there is one.
        parts: Lengths of the pages, where the response came in several.
        body: Path of the bytes below the snapshots folder; an earlier one where the bytes were not new.
        same_bytes_as: The snapshot whose bytes these are.
        clock_note: Why the machine's clock is in doubt, where it is.
    """

    snapshot_id: str
    source_id: str
    request: str
    captured_on: date
    retrieved_at: datetime
    url: str
    status: int
    n_bytes: int
    sha256: str
    body: str
    route: str
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    revision: str | None = None
    parts: tuple[int, ...] = ()
    same_bytes_as: str | None = None
    asked_by: str = f"datamoat {version('datamoat')}"
    clock_note: str | None = None

    @property
    def moment(self) -> tuple[date, datetime, str]:
        """What puts snapshots of one request in order of time."""
        return self.captured_on, self.retrieved_at, self.snapshot_id


class Snapshots:
    """The snapshots of one source.

    Reads its receipts once; one instance serves one command.
    """

    def __init__(self, root: Path, source_id: str) -> None:
        """Read the receipts of `source_id` below `root`."""
        self.root, self.source_id = root, source_id
        self.folder = root / source_id
        self._receipts = {receipt.snapshot_id: receipt for receipt in map(_read_receipt, self._paths())}
        self._by_hash: dict[str, Receipt] = {}
        for receipt in sorted(self._receipts.values(), key=lambda receipt: receipt.moment):
            self._by_hash.setdefault(receipt.sha256, receipt)

    def _paths(self) -> list[Path]:
        """Return the files of the receipts; those of the parts of a streamed source are of another kind."""
        return sorted(path for path in self.folder.rglob(f"*{RECEIPT}") if path.parent != self.folder / PARTS)

    def of(self, request: str | None = None) -> list[Receipt]:
        """Return the receipts of a request, or of all, in order of time."""
        return sorted(
            (receipt for receipt in self._receipts.values() if request in (None, receipt.request)),
            key=lambda receipt: receipt.moment,
        )

    def last(self, request: str) -> Receipt | None:
        """Return the newest receipt of a request that holds a response, not an error."""
        good = [receipt for receipt in self.of(request) if receipt.status < 400]  # noqa: PLR2004
        return good[-1] if good else None

    def get(self, snapshot_id: str) -> Receipt:
        """Return one receipt.

        Raises:
            UsageError: There is no such snapshot.
        """
        if snapshot_id not in self._receipts:
            near = [known for known in self._receipts if snapshot_id and snapshot_id in known]
            if len(near) == 1:
                return self._receipts[near[0]]
            raise UsageError(
                f"{self.source_id} has no snapshot {snapshot_id!r}"
                if not near
                else f"{snapshot_id!r} fits {len(near)} snapshots",
                f"data/snapshots/{self.source_id}",
                f"`datamoat diagnose {self.source_id}` lists the last ones.",
            )
        return self._receipts[snapshot_id]

    def store(
        self,
        request: str,
        body: bytes,
        *,
        retrieved_at: datetime,
        url: str,
        route: str,
        extension: str,
        status: int = 200,
        parts: tuple[int, ...] = (),
        **more: Any,  # noqa: ANN401
    ) -> Receipt:
        """Store `body` exactly as received, before anybody reads it, and return its receipt.

        Equal bytes are stored once for a source; a later receipt points at the first copy, so "unchanged since" is a
        fact on the disk. The same bytes for the same request on the same day are the same snapshot: nothing is written.
        """
        sha256 = hashlib.sha256(body).hexdigest()
        day = retrieved_at.astimezone(UTC).date()
        snapshot_id = f"{self.source_id}/{request}/{day.isoformat()}/{sha256[:12]}"
        if snapshot_id in self._receipts:
            return self._receipts[snapshot_id]
        first = self._by_hash.get(sha256)
        if first is None:
            if not EXTENSION.fullmatch(extension):
                extension = "bin"
            path = self.folder / request / day.isoformat() / f"{sha256[:12]}.{extension}"
            write_whole(path, body)
            stored = str(path.relative_to(self.root))
        else:
            stored = first.body
        receipt = Receipt(
            snapshot_id, self.source_id, request, day, retrieved_at.astimezone(UTC).replace(microsecond=0), url, status,
            len(body), sha256, stored, route, parts=parts, same_bytes_as=first.snapshot_id if first else None, **more,
        )  # fmt: skip
        self._write(receipt)
        return receipt

    def seen_again(self, earlier: Receipt, retrieved_at: datetime, clock_note: str | None = None) -> Receipt:
        """Record a response of another day that nothing changed since `earlier`."""
        day = retrieved_at.astimezone(UTC).date()
        snapshot_id = f"{self.source_id}/{earlier.request}/{day.isoformat()}/{earlier.sha256[:12]}"
        if snapshot_id in self._receipts:
            return self._receipts[snapshot_id]
        values = {field: getattr(earlier, field) for field in earlier.__dataclass_fields__}
        values |= {
            "snapshot_id": snapshot_id, "captured_on": day, "retrieved_at": retrieved_at.astimezone(UTC).replace(microsecond=0),
            "same_bytes_as": earlier.same_bytes_as or earlier.snapshot_id, "clock_note": clock_note,
            "asked_by": f"datamoat {version('datamoat')}",
        }  # fmt: skip
        receipt = Receipt(**values)
        self._write(receipt)
        return receipt

    def body(self, receipt: Receipt) -> bytes:
        """Return the bytes of a snapshot, checked against the receipt's hash.

        Raises:
            ContentError: The file is gone or is not what was received.
        """
        path = self.root / receipt.body
        try:
            body = path.read_bytes()
        except OSError as failure:
            raise ContentError(
                f"the bytes of {receipt.snapshot_id} cannot be read: {failure.strerror}",
                str(path),
                "restore data/snapshots from its archive; this is the one folder that cannot be made again.",
            ) from failure
        if hashlib.sha256(body).hexdigest() != receipt.sha256:
            raise ContentError(
                f"the bytes of {receipt.snapshot_id} are not what was received",
                str(path),
                "restore the file from its archive; a snapshot is never edited.",
            )
        return body

    def pages(self, receipt: Receipt) -> list[bytes]:
        """Return the bytes of a snapshot page by page; one page where the response came in one."""
        body = self.body(receipt)
        if not receipt.parts:
            return [body]
        starts = [sum(receipt.parts[:index]) for index in range(len(receipt.parts))]
        return [body[start : start + length] for start, length in zip(starts, receipt.parts, strict=True)]

    def _write(self, receipt: Receipt) -> None:
        path = self.folder / receipt.request / receipt.captured_on.isoformat() / f"{receipt.sha256[:12]}{RECEIPT}"
        value = {key: entry for key, entry in asdict(receipt).items() if entry not in (None, ())}
        value["captured_on"] = receipt.captured_on.isoformat()
        value["retrieved_at"] = receipt.retrieved_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        write_record(path, value)
        self._receipts[receipt.snapshot_id] = receipt
        self._by_hash.setdefault(receipt.sha256, receipt)


def examine_snapshots(root: Path) -> list[tuple[bool, str, str]]:
    """Return findings about the snapshots: whether good, what was seen, what to do."""
    findings, n_whole = [], 0
    for path in sorted(root.glob(f"*/**/*{RECEIPT}")):
        if path.parent.name == PARTS and path.parent.parent.parent == root:  # of a streamed source, of another kind
            continue
        try:
            receipt = _read_receipt(path)
            body = (root / receipt.body).read_bytes()
        except ContentError as failure:
            findings.append((False, f"snapshots: {failure.what}: {path.relative_to(root)}", failure.fix))
        except OSError as failure:
            what = f"snapshots: {receipt.body} cannot be read: {failure.strerror}"
            findings.append((False, what, "restore it from the archive of data/snapshots"))
        else:
            if hashlib.sha256(body).hexdigest() == receipt.sha256:
                n_whole += 1
            else:
                what = f"snapshots: {receipt.body} is not what was received"
                findings.append((False, what, "restore it from the archive of data/snapshots"))
    return [(True, f"snapshots: {n_whole} as they were received", ""), *findings]


def _read_receipt(path: Path) -> Receipt:
    """Return one receipt.

    Raises:
        ContentError: The file is not a receipt.
    """
    try:
        value = json.loads(path.read_bytes())
        if CHECKSUM in value:  # receipts of earlier versions have none
            value = read_record(path)
        value["captured_on"] = date.fromisoformat(value["captured_on"])
        value["retrieved_at"] = datetime.fromisoformat(value["retrieved_at"])
        value["parts"] = tuple(value.get("parts", ()))
        receipt = Receipt(**value)
    except (OSError, ValueError, TypeError, KeyError) as failure:
        raise _damaged(path, type(failure).__name__) from failure
    name = f"{receipt.source_id}/{receipt.request}/{receipt.captured_on.isoformat()}/{receipt.sha256[:12]}"
    if receipt.snapshot_id != name or not path.as_posix().endswith(f"/{name}{RECEIPT}"):
        raise _damaged(path, "it is of another snapshot")
    return receipt


def _damaged(path: Path, why: str) -> ContentError:
    return ContentError(f"a damaged receipt: {why}", str(path), "restore it from the archive of data/snapshots.")
