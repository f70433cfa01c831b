"""The standard streams of the program: text that a console cannot show is escaped, and output that cannot be written is an error."""

import codecs
import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from datamoat.errors import DatamoatError, UsageError
from datamoat.storage.files import REFUSALS

ESCAPED = "datamoat.escaped"  # the name of our way to encode what an encoding does not have
PLANE = 0x10000  # above it JSON writes a character as two


def escaped(failure: UnicodeError) -> tuple[str, int]:
    r"""Return what an encoding does not have as JSON escapes it, and where to go on; so JSON that is printed stays exact.

    >>> escaped(UnicodeEncodeError("ascii", "ü😀", 0, 2, "ordinal not in range"))
    ('\\u00fc\\ud83d\\ude00', 2)
    """
    if not isinstance(failure, UnicodeEncodeError):
        raise failure
    units = [
        unit
        for code in map(ord, failure.object[failure.start : failure.end])
        for unit in ((code,) if code < PLANE else (0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF)))
    ]
    return "".join(f"\\u{unit:04x}" for unit in units), failure.end


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Make the standard streams fit to be used, and write what is left in them at the end.

    Raises:
        UsageError: Standard output is closed.
        DatamoatError: Not all could be written to it.
    """
    for name, mode in (("stdin", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:  # it was closed: a file that is opened next would stand in its place
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    if sys.stdout is None:
        raise UsageError("standard output is closed", "the command line", "leave it open, or add > /dev/null.")
    codecs.register_error(ESCAPED, escaped)
    if (change := getattr(sys.stdout, "reconfigure", None)) is not None and sys.stdout.errors in {"strict", "surrogateescape"}:
        change(errors=ESCAPED)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as failure:
        if failure.errno not in {errno.EPIPE, *REFUSALS} or failure.filename is not None:
            raise
        with contextlib.suppress(OSError):  # what is left is not tried again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if failure.errno == errno.EPIPE:  # whoever read it has enough
            sys.exit(1)
        what = f"the output could not be written: {failure.strerror}"
        raise DatamoatError(what, "standard output", "free space there, or write it elsewhere.") from failure
