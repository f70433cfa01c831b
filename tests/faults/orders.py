"""Readers, writers, kills, publications, rollbacks and exports in a random order; every reader must see exactly one build.

    python orders.py CONTENT WORK SEED N

A program rather than a fixture, for the same reason as `trials.py`. Prints what happened and what was wrong as JSON.
Values of a build are known from the fact it was made from, not from the file: build with value V has uploads [5, V].
"""

import ctypes
import json
import multiprocessing
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb

from datamoat.build.run import build_models
from datamoat.errors import DatamoatError
from datamoat.project.read import read_project
from datamoat.publish.audit import audit_build
from datamoat.publish.gx_worker import Worker
from datamoat.publish.results import Result
from datamoat.publish.warehouse import publish_warehouse, rollback
from datamoat.release.tables import export_tables
from datamoat.settings import Settings
from datamoat.storage.clients import logs_of
from datamoat.storage.files import one_writer
from datamoat.storage.warehouse import open_published, retained_builds

FORK = multiprocessing.get_context("fork")
ROWS = "select (select build_id from meta.build), (select list(uploads order by lab_id) from marts.lab_volume)"
LENGTH = 9  # actions in one order
ACTIONS = ("read", "read", "open to write", "write", "checkpoint", "kill", "close", "publish", "publish", "rollback", "export")
Seen = tuple[str, list[float]]


class NoWorker(Worker):
    """Contracts and checks alone."""

    def __init__(self) -> None:
        """Start nothing."""

    def __exit__(self, *_: object) -> None:
        """Stop nothing."""

    def validate(self, *_: object) -> list[Result]:
        """Find nothing."""
        return []


def end_with_parent() -> None:
    """Let the kernel end this process when the one that started it ends, however that ends; elsewhere than on Linux do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def answer(work: Callable[[], Any], to: Connection) -> None:
    """Send what a function returns, or the name of the error of ours it ends in; any other error is sent as it is."""
    end_with_parent()
    try:
        to.send(("through", work()))
    except DatamoatError as failure:
        to.send((type(failure).__name__, failure.what))
    except BaseException as failure:  # noqa: BLE001  (a traceback is what the test looks for)
        to.send(("traceback", repr(failure)))


def apart(work: Callable[[], Any]) -> tuple[str, Any]:
    """Return how a function ended in a process of its own."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=answer, args=(work, theirs))
    process.start()
    ended: tuple[str, Any] = ours.recv()
    process.join()
    return ended


def converse(open_it: Callable[[], duckdb.DuckDBPyConnection], given: Connection) -> None:
    """Open a file and run the statements that come, until one is `close`; a file that cannot be opened is reported."""
    end_with_parent()
    try:
        con = open_it()
    except (DatamoatError, duckdb.Error) as failure:
        given.send(("refused", f"{type(failure).__name__}: {failure}"))
        return
    given.send(("open", None))
    while (sql := given.recv()) != "close":
        try:
            given.send(("through", [*con.execute(sql).fetchall(), None][0]))
        except duckdb.Error as failure:
            given.send(("error", str(failure)))
    con.close()
    given.send(("closed", None))


@dataclass
class Session:
    """A process that holds a file open."""

    process: Any
    pipe: Connection
    first: Any = None

    def ask(self, sql: str) -> tuple[str, Any]:
        """Run a statement in it."""
        self.pipe.send(sql)
        answered: tuple[str, Any] = self.pipe.recv()
        return answered

    def end(self) -> None:
        """Close it."""
        self.ask("close")
        self.process.join()


def session(open_it: Callable[[], duckdb.DuckDBPyConnection]) -> tuple[str, Session]:
    """Open a file in a process of its own."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=converse, args=(open_it, theirs))
    process.start()
    state, _ = ours.recv()
    return state, Session(process, ours)


@dataclass
class Order:
    """One random order of actions on one data folder, and what is known to be true of it."""

    settings: Settings
    rng: random.Random
    made: dict[str, list[float]]
    counts: Counter[str]
    current: str = ""
    is_edited: bool = False  # a writer brought its edits into the published file itself
    writer: Session | None = None
    readers: list[Session] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def publish(self) -> None:
        """Publish a build of another fact, or the same again."""
        value = self.rng.choice([7.0, 8.0, 9.0])

        def work() -> Seen:
            facts = self.settings.reference / "facts.csv"
            facts.write_text(f"platform_id,uploads,stated_on\ndouyin,5.0,2026-03-01\ntiktok,{value},2026-05-01\n")
            with one_writer(self.settings.data, "publish"):
                project = read_project(self.settings.content)
                build_models(self.settings, project)
                audit_build(self.settings, project, NoWorker())
                return publish_warehouse(self.settings, project).build_id, [5.0, value]

        self.swapped("publish", apart(work))

    def rollback(self) -> None:
        """Go back to the build before."""

        def work() -> Seen:
            with one_writer(self.settings.data, "rollback"):
                build_id = rollback(self.settings).build_id
            return build_id, self.made[build_id]

        self.swapped("rollback", apart(work))

    def swapped(self, action: str, ended: tuple[str, Any]) -> None:
        """Note a publication or rollback; a refusal must have a reason that is true."""
        how, what = ended
        self.counts[f"{action}: {how}"] += 1
        if how == "through":
            self.current, self.made[what[0]] = what[0], what[1]
            self.is_edited = False
            if logs_of(self.settings.published):
                self.wrong.append(f"{action} left a log beside the published file")
            raw = apart(lambda: raw_rows(self.settings))
            if self.writer is None and raw != ("through", (self.current, self.made[self.current])):
                self.wrong.append(f"after {action} a client sees {raw}, not {self.current}")
        elif how == "BusyError" and (self.writer is None or str(self.writer.process.pid) not in what):
            self.wrong.append(f"{action} refused for a writer that is not there: {what}")
        elif how not in {"BusyError", "UsageError"} or (how == "UsageError" and action == "publish"):
            self.wrong.append(f"{action} ended in {how}: {what}")

    def read(self) -> None:
        """Open the published build as our readers do, and keep the session open."""
        state, reader = session(lambda: open_published(self.settings))
        if self.is_edited:
            self.counts[f"read of a changed file: {state}"] += 1
        if state == "open":
            reader.first = reader.ask(ROWS)
            self.readers.append(reader)
            expected = ("through", (self.current, self.made[self.current]))
            if reader.first != expected:
                self.wrong.append(f"a reader sees {reader.first}, not {expected}")
        else:
            self.wrong.append(f"a reader is refused{' after edits in the published file' if self.is_edited else ''}")
        self.counts[f"read: {state}"] += 1

    def export(self) -> None:
        """Export; the folder's name and its rows are of one build."""

        def work() -> Seen:
            with one_writer(self.settings.data, "export"):
                folder = export_tables(self.settings, replace=True)
            with duckdb.connect() as con:
                listed = con.sql(f"select list(uploads order by lab_id) from read_csv('{folder}/csv/lab_volume.csv')")
                return folder.name.removeprefix("datamoat-"), listed.fetchall()[0][0]

        how, what = apart(work)
        self.counts[f"export: {how}"] += 1
        if how == "through" and what != (self.current, self.made[self.current]):
            self.wrong.append(f"an export is {what}, not {self.current}")
        if how != "through":
            self.wrong.append(f"an export ended in {how}: {what}")

    def open_to_write(self) -> None:
        """Open the published file for writing, as no client should."""
        if self.writer is None:
            state, writer = session(lambda: duckdb.connect(str(self.settings.published)))
            self.counts[f"open to write: {state}"] += 1
            if state == "open":
                self.writer = writer

    def write(self, *, checkpoint: bool = False) -> None:
        """Edit what is published, and with `checkpoint` bring it from the log into the file."""
        if self.writer is not None:
            wrote = self.writer.ask("update marts.lab_volume set uploads = uploads + 1000")[0]
            if checkpoint and wrote == "through":
                self.is_edited |= self.writer.ask("checkpoint")[0] == "through"
            self.counts[f"{'checkpoint' if checkpoint else 'write'}: {wrote}"] += 1

    def end_writer(self, *, kill: bool) -> None:
        """End the client that writes; one that is closed brings its log into the file."""
        if self.writer is None:
            return
        self.counts["kill" if kill else "close"] += 1
        if kill:
            os.kill(self.writer.process.pid, signal.SIGKILL)
            self.writer.process.join()
        else:
            self.is_edited |= bool(logs_of(self.settings.published))
            self.writer.end()
        self.writer = None

    def act(self, action: str) -> None:
        """Do one thing; whoever has a session open still sees what it saw first."""
        self.done.append(action)
        {
            "read": self.read, "open to write": self.open_to_write, "write": self.write, "publish": self.publish,
            "checkpoint": lambda: self.write(checkpoint=True), "kill": lambda: self.end_writer(kill=True),
            "close": lambda: self.end_writer(kill=False), "rollback": self.rollback, "export": self.export,
        }[action]()  # fmt: skip
        for reader in self.readers:
            if (again := reader.ask(ROWS)) != reader.first:
                self.wrong.append(f"a session saw {reader.first} and then {again}")

    def run(self) -> list[str]:
        """Do them all; return what was wrong, with the order in which it happened."""
        self.publish()
        for action in self.rng.choices(ACTIONS, k=LENGTH):
            self.act(action)
        self.end_writer(kill=True)
        for reader in self.readers:
            reader.end()
        self.readers = []
        self.act("publish")
        self.act("read")
        for reader in self.readers:
            reader.end()
        lost = [build.build_id for build in retained_builds(self.settings) if build.build_id not in self.made]
        if lost or not any(build.build_id == self.current for build in retained_builds(self.settings)):
            self.wrong.append(f"the published build is not retained, or unknown ones are: {lost}")
        return [f"{', '.join(self.done)}: {one}" for one in self.wrong]


def raw_rows(settings: Settings) -> Seen:
    """Return what any client sees that opens the published file for reading."""
    with duckdb.connect(str(settings.published), read_only=True) as con:
        found: Seen = con.sql(ROWS).fetchall()[0]
        return found


if __name__ == "__main__":
    end_with_parent()
    content, work = map(Path, sys.argv[1:3])
    counts: Counter[str] = Counter()
    wrong = []
    made: dict[str, list[float]] = {}
    for number in range(int(sys.argv[4])):
        settings = Settings(content=content, data=work / "data", threads=1, memory_limit="1GB")
        wrong += Order(settings, random.Random(f"{sys.argv[3]}-{number}"), made, counts).run()  # noqa: S311  (a fixed seed)
        sys.stderr.write(f"{number + 1} orders, {len(wrong)} wrong\n")
    json.dump({"counts": counts, "wrong": wrong}, sys.stdout)
