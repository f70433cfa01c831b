"""One step of the pipeline, stopped in the middle of it again and again, each time in a process of its own.

    python trials.py CONTENT WORK STEP HOW TRIALS

A program rather than a fixture: it imports what is heavy once and forks before any of it has started a thread. Prints,
as JSON, how many trials there were and what was wrong after each of them. HOW the step is stopped:

    killed    by SIGKILL, right before its 1st, 2nd, … change of the file system, until there is no further one
    at-once   by SIGKILL, at TRIALS moments spread over the time it takes
    refused   its Nth change of the file system fails, for every N
    full      its Nth change of the file system and all later ones fail, for every N
    short     no file may grow beyond one, two, … TRIALS parts of the largest it writes, less a byte
"""

import errno
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from orders import end_with_parent

from datamoat.build.record import read_build
from datamoat.build.run import build_models
from datamoat.errors import DatamoatError
from datamoat.orchestration import tasks as verbs
from datamoat.project.read import read_project
from datamoat.publish.audit import audit_build
from datamoat.publish.gx_worker import Worker
from datamoat.publish.warehouse import publish_warehouse
from datamoat.release.tables import export_tables
from datamoat.settings import Settings, read_settings
from datamoat.storage.files import one_writer

SOURCE = "example_board"
STEPS = ("fetch", "land", "build", "audit", "publish", "export")
COUNTED = {"killed", "refused", "full"}
CHANGES = {"os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
THROUGH, REPORTED, RAW = 0, 3, 4  # how a child that was not killed ended: through, with an error of ours, with another


class NoWorker(Worker):
    """Great Expectations takes seconds to import and writes nothing: it is left out."""

    def __init__(self) -> None:
        """Start nothing."""

    def __exit__(self, *_: object) -> None:
        """Stop nothing."""

    def validate(self, *_: object) -> list[Any]:
        """Find nothing."""
        return []


def do(step: str) -> None:
    """Do one step in the data folder of the environment."""
    settings = read_settings()
    if step == "fetch":
        for path in sorted((settings.data / "inbox" / SOURCE / "entries").iterdir()):
            verbs.fetch(SOURCE, path.stem)
        return
    if step == "land":
        verbs.land(SOURCE)
        return
    project = read_project(settings.content)
    with one_writer(settings.data, step):
        match step:
            case "build":
                build_models(settings, project)
            case "audit":
                audit_build(settings, project, NoWorker())
            case "publish":
                publish_warehouse(settings, project)
            case "export":
                export_tables(settings)


def seen() -> Any:
    """Return what a reader of the published file gets."""
    settings = read_settings()
    with duckdb.connect(str(settings.published), read_only=True) as con:
        return [
            con.sql("select build_id from meta.build").fetchall(),
            con.sql("select entry_name, captured_on::varchar, value from marts.listed order by all").fetchall(),
            con.sql("select lab_id, uploads from marts.lab_volume order by all").fetchall(),
        ]


def exported(settings: Settings) -> list[tuple[str, str]]:
    """Return the names and hashes of the tables exported from what is published."""
    folder = settings.exports / f"datamoat-{read_build(settings.lake).build_id}"
    tables = sorted(path for path in folder.rglob("*") if path.suffix in {".csv", ".parquet"})
    return [(str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in tables]


def finish() -> Any:
    """Do every step from the first and return what is published and exported."""
    for step in STEPS:
        do(step)
    return json.loads(json.dumps([seen(), exported(read_settings())]))


def begin(work: Callable[[], Any], log: Path) -> int:
    """Run something in a forked process; return its number."""
    child = os.fork()
    if child:
        return child
    code, reported = THROUGH, ""
    try:
        given = json.dumps(work())
    except DatamoatError as failure:
        code, reported = REPORTED, str(failure)
    except BaseException:  # noqa: BLE001  (a child must not run on into its parent's code)
        code, reported = RAW, traceback.format_exc()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    log.write_text(reported)
    if code == THROUGH:
        log.with_suffix(".json").write_text(given)
    os._exit(code)


def end(child: int) -> int:
    """Wait for a child; return how it ended, negative when it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def watched(data: Path, act: Callable[[int, str], None]) -> None:
    """Call `act` with a running number right before every change this process makes below `data`."""
    number = 0

    def happened(what: str) -> None:
        nonlocal number
        number += 1
        act(number, what)

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and isinstance(given[2], int) and given[2] & WRITES):
            path = given[1] if event in {"os.rename", "os.link"} else given[0]
            if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(str(data)):
                happened(f"{event} {Path(path).name}")

    flush = os.fsync
    os.fsync = lambda handle: (happened("fsync"), flush(handle))[1]  # type: ignore[assignment]
    sys.addaudithook(hook)


@dataclass
class Bench:
    """One step, one way to stop it, and what readers may see."""

    content: Path
    work: Path
    step: str
    how: str
    trials: int
    took: float = 0.0
    largest: int = 0
    old: Any = None
    new: Any = None

    @property
    def data(self) -> Path:
        return self.work / "data"

    @property
    def log(self) -> Path:
        return self.work / "child.log"

    def result(self, of: Callable[[], Any]) -> Any:
        """Return what a function gives in a process of its own."""
        if end(begin(of, self.log)) != THROUGH:
            raise RuntimeError(self.log.read_text())
        return json.loads(self.log.with_suffix(".json").read_text())

    def prepare(self) -> None:
        """Publish the old state, let something new come in, and go as far as the step; note what the step then does."""
        self.old, _ = self.result(finish)
        (self.data / "inbox" / SOURCE / "entries" / "2026-03-02.json").write_text(ANSWER.replace("10.0", "11.0"))
        facts = self.content / "data" / "reference" / "facts.csv"
        facts.write_text(facts.read_text().replace("7.0", "8.0"))
        for earlier in STEPS[: STEPS.index(self.step)]:
            self.result(partial(do, earlier))
        shutil.copytree(self.data, self.work / "before")
        clock, began = time.time_ns(), time.monotonic()
        self.result(partial(do, self.step))
        self.took = time.monotonic() - began
        self.largest = max(x.stat().st_size for x in self.data.rglob("*") if x.is_file() and x.stat().st_mtime_ns >= clock)
        self.new = self.result(finish)
        if self.new[0] == self.old:
            raise RuntimeError("nothing new would be published, so nothing could be seen of a mixture")

    def stop(self, number: int) -> tuple[int, str]:
        """Let the step begin as if for the first time, and stop it; return how it ended and where."""
        shutil.rmtree(self.data)
        shutil.copytree(self.work / "before", self.data)
        where = self.work / "where"
        where.write_text("")

        def act(n: int, what: str) -> None:
            if n == number or (self.how == "full" and n > number):
                os.write(note, what.encode())
                if self.how == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def attempt() -> None:
            if self.how in COUNTED:
                watched(self.data, act)
            if self.how == "short":
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.largest * number // self.trials - 1, resource.RLIM_INFINITY))
            do(self.step)

        note = os.open(where, os.O_WRONLY)
        child = begin(attempt, self.log)
        os.close(note)
        if self.how == "at-once":
            time.sleep(self.took * number / self.trials)
            os.kill(child, signal.SIGKILL)
        return end(child), where.read_text()

    def wrong(self) -> list[str]:
        """Return what is not as it must be after the step was stopped, whoever comes next."""
        found = []
        if end(begin(seen, self.log)) != THROUGH or json.loads(self.log.with_suffix(".json").read_text()) not in (
            self.old,
            self.new[0],
        ):
            found.append("readers see neither the last good file nor the new one")
        if end(begin(finish, self.log)) != THROUGH:
            found.append(f"the next run does not go through: {self.log.read_text().strip().splitlines()[-1]}")
        elif json.loads(self.log.with_suffix(".json").read_text()) != self.new:
            found.append("the next run gives another result")
        if parts := [path.name for path in self.data.rglob("*.part*")]:
            found.append(f"left behind: {parts}")
        return found

    def run(self) -> dict[str, Any]:
        """Stop the step in every way asked for; return how often, how it ended, and what was wrong."""
        self.prepare()
        wrong, ends, number = [], dict.fromkeys(("killed", "reported", "through", "raw"), 0), 0
        while self.how in COUNTED or number < self.trials:
            number += 1
            code, where = self.stop(number)
            if self.how in COUNTED and not where:
                break  # the step has no Nth change: it ran through
            ended = "killed" if code < 0 else {THROUGH: "through", REPORTED: "reported"}.get(code, "raw")
            ends[ended] += 1
            bad = [f"no error of ours: {self.log.read_text().strip()[-300:]}"] if ended == "raw" else []
            wrong += [f"{self.how} {number} {where}: {what}" for what in bad + self.wrong()]
        return {"ends": ends, "wrong": wrong}


ANSWER = '{"entries": [{"name": "An entry", "value": 10.0}, {"name": "Another", "value": 12.5}]}'

if __name__ == "__main__":
    end_with_parent()
    content, work = map(Path, sys.argv[1:3])
    inbox = work / "data" / "inbox" / SOURCE / "entries"
    inbox.mkdir(parents=True)
    (inbox / "2026-03-01.json").write_text(ANSWER)
    os.environ |= {"DATAMOAT_ROOT": str(content), "DATAMOAT_DATA": str(work / "data"), "DATAMOAT_THREADS": "2"}
    json.dump(Bench(content, work, sys.argv[3], sys.argv[4], int(sys.argv[5])).run(), sys.stdout)
