"""Snapshots, files, the store and the pointer, each by itself: whole results, both sides of each limit."""

import errno
import hashlib
import io
import json
import os
import stat
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat.errors import ContentError, PublishRefusedError, StoreUnavailableError, UsageError
from datamoat.settings import Settings
from datamoat.storage import clients, pointer
from datamoat.storage import store as store_module
from datamoat.storage.examine import examine_warehouse
from datamoat.storage.files import (
    FORMAT,
    TEMPORARY,
    cannot_write,
    part_of,
    put_in_place,
    read_record,
    sweep,
    write_json,
    write_record,
    write_whole,
)
from datamoat.storage.lake import JsonCache, content_of, identifier, lake_connection, parquet, path_of, quoted
from datamoat.storage.snapshots import PARTS, Receipt, Snapshots, examine_snapshots
from datamoat.storage.store import IDENTITY, NOTE, Store, synchronise
from datamoat.storage.warehouse import Published, intact_ids, manifests, next_number, read_manifest, retained_builds

MOMENT = datetime(2026, 3, 1, 23, 30, 5, 999, tzinfo=UTC)
GIVEN: dict[str, Any] = {"url": "https://example.org/a", "route": "http", "extension": "html"}


@pytest.fixture
def press(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path, "press")


def test_a_receipt_states_all_that_is_known_of_a_response(press: Snapshots, tmp_path: Path) -> None:
    body, far = b"<p>1</p>", timezone(timedelta(hours=-2))
    found = press.store("page", body, retrieved_at=MOMENT.astimezone(far), **GIVEN, etag="E", parts=(3, 5))
    sha256 = hashlib.sha256(body).hexdigest()
    wanted = Receipt(
        f"press/page/2026-03-01/{sha256[:12]}", "press", "page", date(2026, 3, 1), MOMENT.replace(microsecond=0),
        "https://example.org/a", 200, 8, sha256, f"press/page/2026-03-01/{sha256[:12]}.html", "http", etag="E", parts=(3, 5),
        asked_by=f"datamoat {version('datamoat')}",
    )  # fmt: skip
    assert found == wanted
    assert Snapshots(tmp_path, "press").of() == [wanted]
    assert (press.body(found), press.pages(found)) == (body, [b"<p>", b"1</p>"])
    assert press.pages(replace(found, parts=())) == [body]
    written = read_record(tmp_path / f"{wanted.snapshot_id}.receipt.json")
    assert set(written) == {
        "snapshot_id", "source_id", "request", "captured_on", "retrieved_at", "url", "status", "n_bytes", "sha256", "body", "route",
        "etag", "parts", "asked_by",
    }  # fmt: skip
    assert (written["captured_on"], written["retrieved_at"]) == ("2026-03-01", "2026-03-01T23:30:05Z")


def test_equal_bytes_are_stored_once_and_each_receipt_names_the_first(press: Snapshots, tmp_path: Path) -> None:
    first = press.store("page", b"same", retrieved_at=MOMENT, **GIVEN)
    assert press.store("page", b"same", retrieved_at=MOMENT + timedelta(seconds=9), **GIVEN) is first
    second = press.store("other", b"same", retrieved_at=MOMENT + timedelta(days=1), **GIVEN)
    third = press.seen_again(second, MOMENT + timedelta(days=2), clock_note="slow")
    assert press.seen_again(first, MOMENT + timedelta(days=2)) not in (first, third)
    assert press.seen_again(second, MOMENT + timedelta(days=2)) is third
    assert [receipt.same_bytes_as for receipt in (first, second, third)] == [None, first.snapshot_id, first.snapshot_id]
    assert third == replace(
        second, snapshot_id=f"press/other/2026-03-03/{first.sha256[:12]}", captured_on=date(2026, 3, 3),
        retrieved_at=(MOMENT + timedelta(days=2)).replace(microsecond=0), clock_note="slow",
    )  # fmt: skip
    assert {receipt.body for receipt in press.of()} == {first.body}
    assert [path.name for path in tmp_path.rglob("*.html")] == [f"{first.sha256[:12]}.html"]
    again = Snapshots(tmp_path, "press")
    assert again.store("page", b"same", retrieved_at=MOMENT + timedelta(days=9), **GIVEN).same_bytes_as == first.snapshot_id


@pytest.mark.parametrize(
    ("extension", "end"), [("json", ".json"), ("tar.gz", ".bin"), ("a" * 8, "." + "a" * 8), ("a" * 9, ".bin")]
)
def test_an_extension_is_a_plain_word_of_up_to_eight_signs(press: Snapshots, extension: str, end: str) -> None:
    assert press.store("page", b"x", retrieved_at=MOMENT, **{**GIVEN, "extension": extension}).body.endswith(end)


def test_receipts_are_in_order_of_time_and_the_last_response_is_no_error(press: Snapshots) -> None:
    bodies = [(b"c", 3, 200), (b"a", 1, 200), (b"b", 2, 399), (b"d", 4, 400)]
    for body, day, status in bodies:
        press.store("page", body, retrieved_at=MOMENT + timedelta(days=day), status=status, **GIVEN)
    assert press.last("page") == press.of("page")[2]
    press.store("early", b"e", retrieved_at=MOMENT, **GIVEN)
    press.store("refused", b"f", retrieved_at=MOMENT, status=404, **GIVEN)
    press.store("moved", b"g", retrieved_at=MOMENT, status=399, **GIVEN)
    assert [receipt.status for receipt in press.of("page")] == [200, 399, 200, 400]
    assert press.of()[0].captured_on == date(2026, 3, 1)
    assert len(press.of()) == 7
    moved = press.last("moved")
    assert moved is not None
    assert moved.status == 399
    assert (press.last("refused"), press.last("never")) == (None, None)


def test_a_snapshot_is_found_by_a_piece_of_its_name_that_fits_one(press: Snapshots) -> None:
    one = press.store("page", b"1", retrieved_at=MOMENT, **GIVEN)
    other = press.store("page", b"2", retrieved_at=MOMENT + timedelta(days=1), **GIVEN)
    assert press.get(one.snapshot_id) is one
    assert press.get(other.sha256[:12]) is other
    with pytest.raises(UsageError, match="'page' fits 2 snapshots"):
        press.get("page")
    for absent in ("", "nothing"):
        with pytest.raises(UsageError, match=f"press has no snapshot '{absent}'"):
            press.get(absent)


def test_snapshots_that_are_not_as_they_were_received_are_named_each_and_the_others_counted(
    press: Snapshots, tmp_path: Path
) -> None:
    kept = [press.store("page", body, retrieved_at=MOMENT, **GIVEN) for body in (b"1", b"2", b"3", b"4", b"5", b"6")]
    assert examine_snapshots(tmp_path) == [(True, "snapshots: 6 as they were received", "")]
    _, edited, gone, cut, moved, plain = kept
    (tmp_path / edited.body).write_bytes(b"no")
    (tmp_path / gone.body).unlink()
    receipts = {one.snapshot_id: tmp_path / f"{one.snapshot_id}.receipt.json" for one in kept}
    receipts[cut.snapshot_id].write_text("{")
    receipts[moved.snapshot_id].rename(receipts[moved.snapshot_id].with_name("0" * 12 + ".receipt.json"))
    stated = read_record(receipts[plain.snapshot_id])  # a receipt of an early version, without a checksum
    receipts[plain.snapshot_id].write_text(json.dumps(stated))
    (tmp_path / "press" / PARTS).mkdir()
    (tmp_path / "press" / PARTS / "a.receipt.json").write_text("of another kind")
    (tmp_path / "press" / "page" / PARTS).mkdir()
    (tmp_path / "press" / "page" / PARTS / "a.receipt.json").write_text("of the same kind")
    found = examine_snapshots(tmp_path)
    assert found[0] == (True, "snapshots: 2 as they were received", "")
    assert sorted(what for is_good, what, _ in found[1:] if not is_good) == sorted(
        [
            f"snapshots: {edited.body} is not what was received",
            f"snapshots: {gone.body} cannot be read: No such file or directory",
            f"snapshots: a damaged receipt: JSONDecodeError: {cut.snapshot_id}.receipt.json",
            f"snapshots: a damaged receipt: it is of another snapshot: press/page/2026-03-01/{'0' * 12}.receipt.json",
            "snapshots: a damaged receipt: JSONDecodeError: press/page/parts/a.receipt.json",
        ]
    )
    assert all("archive of data/snapshots" in fix for _, _, fix in found[1:])
    with pytest.raises(ContentError, match="are not what was received"):
        press.body(edited)
    with pytest.raises(ContentError, match="cannot be read: No such file"):
        press.body(gone)


def test_a_file_is_written_with_its_folders_and_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["c.txt"]
    part = part_of(path)
    assert (part.parent, part.name) == (path.parent, f".c.txt.{os.getpid()}{TEMPORARY}")
    for read_only, mode in ((True, 0o444), (False, 0o640)):
        part.write_bytes(b"three")
        part.chmod(0o640)
        put_in_place(part, path, read_only=read_only)
        assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes(), part.exists()) == (mode, b"three", False)


def test_json_is_written_with_its_keys_in_order_as_text(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": "é"})
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n "a": "é",\n "b": 1\n}\n'


def test_a_record_reads_back_and_a_changed_one_or_one_of_a_later_format_does_not(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(path, {"b": [1], "a": "é"})
    assert read_record(path) == {"a": "é", "b": [1]}
    for text in (path.read_text().replace("1", "2", 1), "[1]", "{}", "{"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"record\.json does not have the content|Expecting"):
            read_record(path)
    write_record(path, {"a": 1})
    stated = json.loads(path.read_text())
    assert stated["format"] == FORMAT
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="not a regular file"):
        read_record(path)


def test_what_could_not_be_written_is_named_with_the_room_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "datamoat.storage.files.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1234 + len(folder.name)})
    )
    failure = OSError(errno.ENOSPC, "No space left on device")
    size = 1234 + len(tmp_path.name)
    known = cannot_write(tmp_path / "absent" / "x", failure, 1_000_000)
    assert known.what == f"could not write 1,000,000 bytes: No space left on device ({size:,} bytes are free)"
    assert known.where == str(tmp_path / "absent" / "x")
    assert cannot_write(tmp_path / "x", OSError("odd")).what == f"could not write the file: odd ({size:,} bytes are free)"


def test_what_is_unfinished_is_swept_away_but_not_below_the_folder_left_out(tmp_path: Path) -> None:
    for name in (f".a.1{TEMPORARY}", f"raw/.b.1{TEMPORARY}", f"deep/er/.c.1{TEMPORARY}x", "kept", f"kept{TEMPORARY}"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert sweep(tmp_path, but=tmp_path / "raw") == 2
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [f".b.1{TEMPORARY}", "kept", f"kept{TEMPORARY}"]
    assert (sweep(tmp_path), sweep(tmp_path), sweep(tmp_path / "absent")) == (1, 0, 0)


def test_a_cache_keeps_what_the_last_run_used_and_a_damaged_one_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "cache.json"

    def refuse() -> int:
        raise AssertionError

    first = JsonCache(path)
    assert [first.get(key, lambda key=key: ord(key)) for key in "ab"] == [97, 98]  # type: ignore[misc]
    first.save()
    second = JsonCache(path)
    assert second.get("a", refuse) == 97
    second.save()
    assert JsonCache(path).get("b", lambda: None) is None
    path.write_text("{")
    assert JsonCache(path).get("a", lambda: 3) == 3


def test_names_and_paths_with_any_sign_stand_for_themselves(tmp_path: Path) -> None:
    assert (quoted("it's"), identifier('a"b')) == ("'it''s'", '"a""b"')
    assert path_of(tmp_path, "marts.x") == tmp_path / "marts" / "x.parquet"
    folder = tmp_path / "a[1] *? it's"
    folder.mkdir()
    with duckdb.connect() as con:
        for name, column in (("one", "a"), ("two", "b")):
            con.execute(f"copy (select 1 as {column}) to {quoted(str(folder / name))} (format parquet)")
        assert con.sql(f"from {parquet(folder / 'one')}").fetchall() == [(1,)]
        both = parquet(folder / "one", folder / "two", by_name=True)
        assert con.sql(f"from {both} order by all").fetchall() == [(1, None), (None, 1)]


def test_the_hash_of_rows_depends_on_the_rows_and_not_on_their_order() -> None:
    with duckdb.connect() as con:
        con.execute("create table one as select unnest([1, 2, null]) as a, unnest(['x', 'y', 'z']) as b")
        con.execute("create table other as from one order by b desc")
        con.execute("create table third as select a, b || '!' as b from one")
        con.execute("create table none as from one where false")
        found = [content_of(con, name) for name in ("one", "other", "third", "none")]
    assert found[0] == found[1] != found[2]
    assert found[0].startswith("3-")
    assert found[3] == f"0-{0:032x}"


def test_a_connection_to_the_lake_has_the_limits_of_the_run_and_leaves_nothing(settings: Settings) -> None:
    with lake_connection(replace(settings, threads=1, memory_limit="300MB")) as con:
        assert (settings.lake / "spill").is_dir()
        names = (
            "threads",
            "memory_limit",
            "TimeZone",
            "autoinstall_known_extensions",
            "autoload_known_extensions",
            "temp_directory",
        )
        found = [con.sql(f"select current_setting('{name}')").fetchall()[0][0] for name in names]
    assert found == [1, "286.1 MiB", "UTC", False, False, str(settings.lake / "spill")]
    assert not (settings.lake / "spill").exists()
    with pytest.raises(duckdb.ConnectionException):
        con.sql("select 1")


class Bucket:
    """A store in memory, with the answers of the one in a bucket."""

    def __init__(self) -> None:
        self.address = "s3://bucket"
        self.objects: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []

    def names(self, folder: str) -> dict[str, int]:
        return {
            name.removeprefix(f"{folder}/"): len(body) for name, body in self.objects.items() if name.startswith(f"{folder}/")
        }

    def put(self, name: str, path: Path) -> None:
        self.log.append(("put", name))
        self.objects.setdefault(name, path.read_bytes())

    def get(self, name: str, path: Path, *, read_only: bool = False) -> None:
        self.log.append(("get", name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.objects[name])
        path.chmod(0o444 if read_only else 0o644)

    def remove(self, name: str) -> None:
        self.log.append(("remove", name))
        self.objects.pop(name, None)

    def read(self, name: str) -> tuple[bytes, str] | None:
        body = self.objects.get(name)
        return None if body is None else (body, hashlib.sha256(body).hexdigest())

    def swap(self, name: str, body: bytes, tag: str | None) -> str | None:
        found = self.read(name)
        if (found[1] if found else None) != tag:
            return None
        self.objects[name] = body
        return hashlib.sha256(body).hexdigest()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket()
    for module in (store_module, pointer):
        monkeypatch.setattr(module, "open_store", lambda _: made)
    return made


def host(tmp_path: Path, name: str) -> Settings:
    return Settings(content=tmp_path, data=tmp_path / name, store="s3://bucket")


def retain(settings: Settings, number: int, body: bytes) -> Published:
    """Write a retained build and its manifest."""
    sha256 = hashlib.sha256(body).hexdigest()
    build_id = f"2026030{number}-{number}"
    path = settings.warehouse / "builds" / f"datamoat-{build_id}-{sha256[:8]}.duckdb"
    build = Published(
        build_id, date(2026, 3, number), number, sha256, len(body), "m", {"marts.x": {"n_rows": 1, "content_hash": "h"}}, path
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    build.write_manifest()
    return build


def test_what_only_one_side_has_is_exchanged_and_receipts_come_last(tmp_path: Path, bucket: Bucket) -> None:
    here = host(tmp_path, "here")
    for name in ("snapshots/b/x.html", "snapshots/b/x.json", "snapshots/a/y.html", "snapshots/.lock", "snapshots/.tmp/z.html"):
        (here.data / name).parent.mkdir(parents=True, exist_ok=True)
        (here.data / name).write_text(name)
    bucket.objects |= {"snapshots/c/v.json": b"r", "snapshots/c/w.html": b"w", "snapshots/a/y.html": b"theirs", "other/d": b"d"}
    synchronise(here, "snapshots")
    assert bucket.log == [
        ("put", "snapshots/b/x.html"), ("put", "snapshots/b/x.json"), ("get", "snapshots/c/w.html"), ("get", "snapshots/c/v.json"),
    ]  # fmt: skip
    assert (here.data / "snapshots/a/y.html").read_text() == "snapshots/a/y.html"
    assert (here.data / "snapshots/c/w.html").read_bytes() == b"w"
    synchronise(here, "snapshots")
    assert len(bucket.log) == 4


def test_a_publication_reaches_every_host_and_builds_that_are_not_retained_leave_the_store(
    tmp_path: Path, bucket: Bucket
) -> None:
    one, two = host(tmp_path, "one"), host(tmp_path, "two")
    pointer.pull_published(two)  # there is none yet
    assert not two.published.exists()
    builds = []
    for number in (1, 2, 3):
        builds.append(retain(one, number, b"build %d" % number))
        pointer.announce(one, builds[-1], 2)
    stems = [build.path.stem for build in builds]
    assert json.loads(bucket.objects[pointer.POINTER]) == {"current": stems[2], "builds": [stems[2], stems[1]]}
    assert sorted(bucket.names("builds")) == sorted(f"{stem}{end}" for stem in stems[1:] for end in (".duckdb", ".json"))
    before = list(bucket.log)
    pointer.announce(one, builds[-1], 2)
    assert bucket.log == before
    pointer.pull_published(two)
    assert two.published.read_bytes() == b"build 3"
    assert stat.S_IMODE(two.published.stat().st_mode) == 0o444
    assert [build.build_id for build in retained_builds(two)] == ["20260303-3", "20260302-2"]
    inode, n_calls = two.published.stat().st_ino, len(bucket.log)
    pointer.pull_published(two)
    assert (two.published.stat().st_ino, len(bucket.log)) == (inode, n_calls)
    assert stat.S_IMODE(retained_builds(two)[0].path.stat().st_mode) == 0o444
    assert stat.S_IMODE(retained_builds(two)[0].path.with_suffix(".json").stat().st_mode) != 0o444


def test_of_two_hosts_that_saw_the_same_pointer_the_second_is_refused(tmp_path: Path, bucket: Bucket) -> None:
    one, two = host(tmp_path, "one"), host(tmp_path, "two")
    pointer.announce(one, retain(one, 1, b"first"), 3)
    pointer.pull_published(two)
    tables = {"marts.x": {"n_rows": 1, "content_hash": "h"}}
    pointer.check_pointer(two, "another", tables)  # nobody published since
    pointer.announce(one, retain(one, 2, b"second"), 3)
    with pytest.raises(PublishRefusedError, match="another host published build 20260302-2 since this build began"):
        pointer.check_pointer(two, "another", tables)
    with pytest.raises(PublishRefusedError, match="another host published build 20260302-2"):
        pointer.check_pointer(two, "20260302-2", {})  # the same name with other rows
    with pytest.raises(PublishRefusedError, match="another host published build datamoat-20260302-2"):
        pointer.announce(two, retain(two, 3, b"third"), 3)
    assert two.published.read_bytes() == b"first"
    pointer.check_pointer(two, "20260302-2", tables)  # its own build, announced by a try that was killed
    assert two.published.read_bytes() == b"second"


class Files:
    """What the client of S3 does, in memory: conditions, tags, listings, and the errors it raises."""

    objects: dict[str, bytes] = {}  # noqa: RUF012  (one bucket)

    def __init__(self, **given: Any) -> None:
        self.given = given

    def find(self, folder: str, *, detail: bool) -> dict[str, dict[str, int]]:
        assert detail
        return {name: {"size": len(body)} for name, body in self.objects.items() if name.startswith(f"{folder}/")}

    def put_file(self, path: str, name: str, mode: str) -> None:
        if mode == "create" and name in self.objects:
            raise FileExistsError(name)
        self.objects[name] = Path(path).read_bytes()

    def get_file(self, name: str, path: str) -> None:
        if name not in self.objects:
            raise FileNotFoundError(name)
        Path(path).write_bytes(self.objects[name])

    def rm_file(self, name: str) -> None:
        if name not in self.objects:
            raise FileNotFoundError(name)
        del self.objects[name]

    def open(self, name: str, mode: str) -> Any:
        if "denied" in name:
            raise PermissionError(name)
        if name not in self.objects:
            raise FileNotFoundError(name)
        file = io.BytesIO(self.objects[name])
        file.details = {"ETag": self.tag(name)}  # type: ignore[attr-defined]
        assert mode == "rb"
        return file

    def pipe_file(self, name: str, body: bytes, mode: str = "", IfMatch: str | None = None) -> dict[str, str]:  # noqa: N803
        if mode == "create" and name in self.objects:
            raise FileExistsError(name)
        if IfMatch is not None and IfMatch != self.tag(name):
            failure = OSError("PreconditionFailed")
            failure.__cause__ = Refusal("PreconditionFailed")
            raise failure
        if "denied" in name:
            raise PermissionError(name)
        self.objects[name] = body
        return {"ETag": self.tag(name)}

    def tag(self, name: str) -> str:
        return hashlib.sha256(self.objects.get(name, b"")).hexdigest()[:8]


class Refusal(Exception):  # noqa: N818
    """An answer of S3 with a code."""

    def __init__(self, code: str) -> None:
        self.response = {"Error": {"Code": code}}


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    objects: dict[str, bytes] = {}
    monkeypatch.setattr("s3fs.S3FileSystem", type("Bucketful", (Files,), {"objects": objects}))
    return objects


def test_objects_are_put_once_brought_whole_listed_and_removed(files: dict[str, bytes], tmp_path: Path) -> None:
    store = Store("s3://bucket/a/prefix/")
    assert store.address == "s3://bucket/a/prefix"
    path = tmp_path / "one"
    for body in (b"first", b"second"):
        path.write_bytes(body)
        store.put("x/one", path)
    assert files == {"bucket/a/prefix/x/one": b"first"}
    assert store.names("x") == {"one": 5}
    store.get("x/one", tmp_path / "new" / "one", read_only=True)
    assert (tmp_path / "new" / "one").read_bytes() == b"first"
    assert stat.S_IMODE((tmp_path / "new" / "one").stat().st_mode) == 0o444
    store.get("x/one", tmp_path / "two")
    assert stat.S_IMODE((tmp_path / "two").stat().st_mode) != 0o444
    store.remove("x/one")
    store.remove("x/one")
    assert files == {}
    with pytest.raises(StoreUnavailableError, match="could not get x/one in the store: FileNotFoundError"):
        store.get("x/one", tmp_path / "three")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new", "one", "two"]


def test_bytes_that_are_not_those_of_the_hash_in_their_name_are_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    store, body = Store("s3://bucket"), b"body"
    stated = hashlib.sha256(body).hexdigest()[:12]
    other = "0" * 12
    files |= {f"bucket/{name}": body for name in (f"{stated}.html", f"{other}.html", f"{other}.json", f"{other}0.html")}
    for name in (f"{stated}.html", f"{other}.json", f"{other}0.html"):
        store.get(name, tmp_path / name)
    with pytest.raises(StoreUnavailableError, match="does not have the bytes whose hash is in its name"):
        store.get(f"{other}.html", tmp_path / f"{other}.html")
    assert not (tmp_path / f"{other}.html").exists()


def test_an_object_is_replaced_only_in_the_state_that_was_seen(files: dict[str, bytes]) -> None:
    store = Store("s3://bucket")
    assert store.read("p") is None
    first = store.swap("p", b"1", None)
    assert store.read("p") == (b"1", first)
    assert store.swap("p", b"2", None) is None
    second = store.swap("p", b"2", first)
    assert store.read("p") == (b"2", second)
    assert store.swap("p", b"3", first) is None
    assert store.swap("p", b"2", first) == second  # its own bytes are there: the response was lost on its way
    assert store.swap("q", b"2", first) is None
    for act in (lambda: store.read("denied"), lambda: store.swap("denied", b"", None)):
        with pytest.raises(StoreUnavailableError, match="PermissionError"):
            act()
    assert files == {"bucket/p": b"2"}


def test_the_first_host_names_the_store_and_a_store_that_ignores_conditions_is_refused(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Store("s3://bucket").identity()
    assert json.loads(files[f"bucket/{IDENTITY}"]) == {"id": own}
    assert Store("s3://bucket").identity() == own
    files[f"bucket/{IDENTITY}"] = b"{"
    with pytest.raises(StoreUnavailableError, match=r"store\.json is damaged"):
        Store("s3://bucket").identity()
    files.clear()
    monkeypatch.setattr(
        "s3fs.S3FileSystem.pipe_file", lambda self, name, body, **_: self.objects.update({name: body}) or {"ETag": "x"}
    )
    with pytest.raises(StoreUnavailableError, match="ignores If-None-Match"):
        Store("s3://bucket").identity()


@pytest.mark.parametrize(
    ("address", "is_good"),
    [
        ("s3://abc", True), ("s3://ab", False), ("s3://" + "a" * 63, True), ("s3://" + "a" * 64, False), ("s3://bucket/a-b/c_1/", True),
        ("https://bucket", False), ("s3://Bucket", False), ("s3://bucket/a b", False),
    ],
)  # fmt: skip
def test_an_address_of_a_store_names_a_bucket(files: dict[str, bytes], address: str, is_good: bool) -> None:
    if is_good:
        assert Store(address).address == address.rstrip("/")
    else:
        with pytest.raises(UsageError, match="is no bucket"):
            Store(address)
    assert files == {}


def published_copy(settings: Settings, build: Published) -> None:
    """Put a copy of a retained build where readers look, as a publication does."""
    build.path.chmod(0o444)
    settings.published.unlink(missing_ok=True)
    settings.published.write_bytes(build.path.read_bytes())
    settings.published.chmod(0o444)


def test_what_is_wrong_with_the_published_file_and_with_each_retained_build_is_named(tmp_path: Path) -> None:
    settings = host(tmp_path, "here")
    none = (True, "retained builds: none", "")
    assert examine_warehouse(settings) == [(False, "published: nothing yet", "`datamoat run`"), none]
    one, two, three = (retain(settings, number, b"build %d" % number) for number in (1, 2, 3))
    published_copy(settings, two)
    for build in (one, three):
        build.path.chmod(0o444)
    good = (True, f"published: {two.build_id}, byte for byte as its manifest states", "")
    assert examine_warehouse(settings) == [good, (True, "retained builds: 20260303-3, 20260302-2, 20260301-1", "")]
    three.path.chmod(0o644)
    three.path.write_bytes(b"damaged")
    (settings.warehouse / "builds" / f"{one.path.name}.wal").write_bytes(b"")
    (settings.warehouse / "datamoat.duckdb.wal").write_bytes(b"")
    found = examine_warehouse(settings)
    assert found == [
        good,
        (
            False, "datamoat.duckdb.wal: edits of a client that opened the published file for writing; we do not read them",
            "end that client, then `datamoat run` or `datamoat rollback` moves the log aside",
        ),
        *(
            (False, f"retained build {b.build_id}: the file is damaged or missing, or has a client's log", f"delete all {b.path.stem}.*")
            for b in (three, one)
        ),
        (False, f"{three.path.name} has mode 0644: a client can write to it", f"chmod 444 {three.path}"),
        (True, "retained builds: 20260302-2", ""),
    ]  # fmt: skip


def test_what_makes_a_published_file_open_to_damage_is_named_with_its_mending(tmp_path: Path) -> None:
    settings = host(tmp_path, "a folder")
    build = retain(settings, 1, b"x")
    build.path.chmod(0o444)
    published_copy(settings, build)
    name = f"'{settings.published}'"
    copy = f"put a copy in its place: cp {name} {name}.copy && mv -f {name}.copy {name}"
    for mode in (0o464, 0o446, 0o644):
        settings.published.chmod(mode)
        assert examine_warehouse(settings)[1:-1] == [
            (False, f"datamoat.duckdb has mode 0{mode:o}: a client can write to it", f"chmod 444 {name}")
        ]
    settings.published.chmod(0o444)
    os.link(settings.published, settings.warehouse / "again")
    what = "datamoat.duckdb is one file under 2 names: one write damages all of them"
    assert examine_warehouse(settings)[1:-1] == [(False, what, copy)]
    settings.published.unlink()
    settings.published.symlink_to(settings.warehouse / "again")
    what = "datamoat.duckdb is a link to again: one write damages both"
    assert examine_warehouse(settings)[1:-1] == [(False, what, copy)]
    settings.published.unlink()
    settings.published.write_bytes(b"other")
    settings.published.chmod(0o444)
    assert examine_warehouse(settings)[0] == (
        False,
        f"published: the file is damaged or was changed after it was published; readers see the retained copy of {build.build_id}",
        f"`datamoat run` publishes it again; `datamoat rollback {build.build_id}` puts it right",
    )
    build.path.rename(build.path.with_name("away"))
    assert examine_warehouse(settings)[0] == (
        False, "published: the file is damaged or was changed after it was published",
        "`datamoat run` publishes it again; `datamoat rollback BUILD` goes back",
    )  # fmt: skip
    settings.published.unlink()
    settings.published.mkdir()
    assert examine_warehouse(settings)[0][:2] == (False, "published: a folder is where the published file should be")


def test_a_manifest_that_a_later_version_wrote_is_told_apart_from_a_damaged_one(tmp_path: Path) -> None:
    settings = host(tmp_path, "here")
    builds = [retain(settings, number, b"%d" % number) for number in (1, 2)]
    later, damaged = (build.path.with_suffix(".json") for build in builds)
    stated = {**read_record(later), "format": FORMAT + 1}
    text = json.dumps(stated, sort_keys=True, ensure_ascii=False)
    write_json(later, {**stated, "checksum": hashlib.sha256(text.encode()).hexdigest()})
    damaged.write_text("{}")
    found = {what: fix for is_good, what, fix in examine_warehouse(settings)[1:] if not is_good and "json" in what}
    assert found == {
        f"a later version of datamoat wrote {later.name}, in format {FORMAT + 1}; this one reads up to {FORMAT}": (
            "use that version, or delete it and the file beside it"
        ),
        f"the manifest {damaged.name} is damaged": "delete it and the file beside it",
    }


def test_files_of_clients_are_numbered_and_the_oldest_of_ten_goes(tmp_path: Path) -> None:
    settings = host(tmp_path, "here")
    settings.warehouse.mkdir(parents=True)
    log = settings.warehouse / "datamoat.duckdb.wal"
    for number in range(clients.SET_ASIDE + 2):
        log.write_text(str(number))
        clients.set_log_aside(settings)
    found = sorted((settings.warehouse / "set-aside").iterdir(), key=lambda path: int(path.name.partition("-")[0]))
    assert [path.name for path in found] == [f"{number}-datamoat.duckdb.wal" for number in range(3, 13)]
    assert [path.read_text() for path in found] == [str(number) for number in range(2, 12)]


def test_a_data_folder_goes_with_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Named:
        def __init__(self, address: str) -> None:
            self.address = address

        def identity(self) -> str:
            return self.address[-1]

    monkeypatch.setattr(store_module, "Store", Named)
    data = tmp_path / "data"
    assert store_module.open_store(Settings(content=tmp_path, data=data)) is None
    assert store_module.open_store(Settings(content=tmp_path, data=data, store="s3://a1"))
    assert json.loads((data / NOTE).read_text()) == {"id": "1", "address": "s3://a1"}
    assert store_module.open_store(Settings(content=tmp_path, data=data, store="s3://b1"))
    assert json.loads((data / NOTE).read_text())["address"] == "s3://a1"
    with pytest.raises(StoreUnavailableError, match="this data folder shares store 1, and the bucket is store 2"):
        store_module.open_store(Settings(content=tmp_path, data=data, store="s3://b2"))


def test_manifests_are_listed_newest_first_and_what_is_wrong_with_each_other_is_named(tmp_path: Path) -> None:
    settings = host(tmp_path, "here")
    assert manifests(settings) == ([], {})
    builds = [retain(settings, number, b"%d" % number) for number in (2, 9, 4)]
    assert [build.number for build in retained_builds(settings)] == [9, 4, 2]
    assert read_manifest(builds[0].path.with_suffix(".json")) == builds[0]
    assert next_number(settings) == 10
    assert next_number(host(tmp_path, "empty")) == 1
    builds[1].path.unlink()
    assert intact_ids(settings) == ["20260304-4", "20260302-2"]
    (builds[2].path.parent / f"{builds[2].path.name}.wal").write_bytes(b"")
    assert intact_ids(settings) == ["20260302-2"]
    renamed = builds[0].path.with_suffix(".json").rename(builds[0].path.with_name("datamoat-other-00000000.json"))
    builds[1].path.with_suffix(".json").write_text("{")
    found, failures = manifests(settings)
    assert [build.number for build in found] == [4]
    assert {path: failure.what for path, failure in failures.items()} == {
        renamed: f"the manifest {renamed.name} states build 20260302-2, not the one it is named after",
        builds[1].path.with_suffix(".json"): f"the manifest {builds[1].path.stem}.json is damaged",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "1"), ("n_bytes", None), ("as_of", "2026-01-01"), ("tables", []), ("tables", {"a": 1}),
        ("tables", {"a": {"n_rows": "1", "content_hash": "h"}}), ("tables", {"a": {"n_rows": 1, "content_hash": 2}}),
        ("tables", {"a": {"n_rows": 1, "content_hash": "h"}, "b": {}}),
    ],
)  # fmt: skip
def test_a_manifest_with_a_value_of_another_type_is_refused(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name} of another type$"):
        replace(retain(host(tmp_path, "here"), 1, b"x"), **{name: value})  # type: ignore[arg-type]
