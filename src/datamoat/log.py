"""The log: one event for each model, check, request, landing and publication, with rows, seconds and hash.

Everything that works calls `log` and `step`. How an event looks is decided by whoever runs the program: the command line calls
`show_log`; under a scheduler nothing is configured, and the events go through the standard library into the log of the task.
An event that is one of many carries `n` and `of`: it moves a bar on a terminal and is a line every ten seconds elsewhere.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import structlog

if TYPE_CHECKING:
    from rich.progress import Progress

Form = Literal["json", "text"]
SILENCE = 10.0  # seconds after which a program that is not watched on a terminal reports where it is
HASH_SHOWN = 8  # hex digits of a hash in a line for a person

_stdlib = logging.getLogger("datamoat")
log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    _stdlib,
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,  # so that a scheduler's own formatter sees every field
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)


@contextmanager
def step(event: str, **names: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  (whatever JSON can hold)
    """Log one event with its seconds when the block ends.

    Args:
        event: The kind of event: `model`, `check`, `request`, `landing`, `publication`, or the name of a command.
        names: What it is about; a name equal to `event` is its subject. `n` and `of` count it among others of its kind.

    Yields:
        A dictionary; what is put into it goes into the event: `rows`, `hash` and the like.
    """
    facts: dict[str, Any] = {}
    began = time.perf_counter()
    log.debug(event, state="started", **names)
    try:
        yield facts
    except BaseException as failure:
        seconds = round(time.perf_counter() - began, 3)
        log.error(event, **names, **facts, seconds=seconds, state="failed", error=type(failure).__name__)  # noqa: TRY400  (whoever catches it reports it)
        raise
    log.info(event, **names, **facts, seconds=round(time.perf_counter() - began, 3))


def show_log(form: Form | None = None, *, verbose: bool = False) -> None:
    """Show the events of this process on standard error from now on.

    Args:
        form: `json` for one JSON object a line; `text` for lines; None for a bar and lines on a terminal, lines elsewhere.
        verbose: Show a line for every event, those that are one of many included.
    """
    for handler in list(_stdlib.handlers):
        _stdlib.removeHandler(handler)
        handler.close()
    _stdlib.addHandler(_Display(form, verbose=verbose))
    _stdlib.setLevel(logging.DEBUG)
    _stdlib.propagate = False


def in_json() -> bool:
    """Return whether the events of this process are shown as JSON."""
    return any(isinstance(handler, _Display) and handler.form == "json" for handler in _stdlib.handlers)


class _Display(logging.Handler):
    """Writes events to standard error and reports what goes on when nothing has been written for a while."""

    def __init__(self, form: Form | None, *, verbose: bool) -> None:
        super().__init__()
        self.form: Form = form or "text"
        self._verbose = verbose
        self._bar: Progress | None = None
        self._with_bar = form is None and not verbose and sys.stderr.isatty()
        self._open: list[tuple[dict[str, Any], float]] = []  # steps that have begun and not ended, with the time
        self._written = time.monotonic()
        self._ended = threading.Event()
        if not self._with_bar:
            threading.Thread(target=self._report_silence, name="datamoat-log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Show one event."""
        event = dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}
        state = event.get("state")
        if state == "started":
            self._open.append((event, time.monotonic()))
            self._move_bar(event)
            return
        while any(begun["event"] == event["event"] for begun, _ in self._open):
            if self._open.pop()[0]["event"] == event["event"]:
                break
        is_one_of_many = "of" in event and not self._verbose and record.levelno < logging.WARNING
        if self.form == "json":
            self._write(json.dumps(event, default=str, ensure_ascii=False))
        elif state == "failed":
            self._end_bar()  # the error itself follows
        elif self._with_bar and "of" in event:
            self._move_bar(event, int(event["n"]))
        elif not is_one_of_many or time.monotonic() - self._written > SILENCE:
            self._write(line_of(event))

    def close(self) -> None:
        """Stop reporting."""
        self._ended.set()
        self._end_bar()
        super().close()

    def _write(self, line: str) -> None:
        """Write one line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        self._written = time.monotonic()

    def _move_bar(self, event: dict[str, Any], done: int | None = None) -> None:
        """Show which of many is at work, how many are done, and the time left; the bar goes when all are done."""
        if not self._with_bar or "of" not in event:
            return
        unit = f"{event['event']}s"
        if self._bar is not None and self._bar.tasks[0].fields["unit"] != unit:
            self._end_bar()
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(),
                TextColumn("{task.completed} of {task.total} {task.fields[unit]}", markup=False),
                TimeRemainingColumn(elapsed_when_finished=True),
                TextColumn("{task.description}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.add_task("", total=event["of"], unit=unit)
            self._bar.start()
        task = self._bar.tasks[0]
        self._bar.update(task.id, description=str(event.get(event["event"], "")), completed=done)
        if done == event["of"]:
            self._end_bar()

    def _end_bar(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _report_silence(self) -> None:
        """Write where the program is whenever nothing was written for ten seconds while a step is open."""
        while not self._ended.wait(1.0):
            with self.lock or threading.RLock():
                if not self._open or time.monotonic() - self._written < SILENCE:
                    continue
                event, began = self._open[-1]
                about = {name: value for name, value in event.items() if name not in {"event", "state", "level", "timestamp"}}
                now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
                running = {"step": event["event"], **about, "seconds": round(time.monotonic() - began, 1)}
                running = {"event": "running", "level": "info", "timestamp": now, **running}
                self._write(json.dumps(running, default=str) if self.form == "json" else line_of(running))


def line_of(event: dict[str, Any]) -> str:
    """Return an event as a line for a person: its kind, its subject, its facts, its seconds.

    >>> line_of({"event": "model", "model": "marts.one", "rows": 1234, "n": 2, "of": 9, "seconds": 0.25})
    'model        marts.one  2 of 9  rows 1,234  (0.2 s)'
    """
    rest = {name: value for name, value in event.items() if name not in {"event", "level", "timestamp", "state"}}
    parts = [f"{event['event']:<11}"]
    if event["event"] in rest:
        parts.append(_plain(rest.pop(event["event"])))
    if "of" in rest:
        parts.append(f"{rest.pop('n', '?')} of {rest.pop('of')}")
    seconds = rest.pop("seconds", None)
    for name, value in rest.items():
        shown = str(value)[:HASH_SHOWN] if name == "hash" and value else _plain(value)
        parts.append(f"{name} {shown}")
    if seconds is not None:
        parts.append(f"({seconds:.1f} s)")
    return "  ".join(parts)


def _plain(value: object) -> str:
    """Return a value without line breaks and control characters, whole numbers with separators, truth as yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "".join(character if character.isprintable() else "?" for character in str(value))
