"""One response of a publisher, its notes, and the error for one that cannot be read."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from datamoat.errors import SourceChangedError

Row = dict[str, Any]

DOUBT: Final = "doubt: "  # begins a remark that quarantines


def changed(
    what: str, fix: str = "look at the stored response; if the publisher changed its format, extend parse.py."
) -> SourceChangedError:
    """Return the error for an answer we do not understand; the landing adds which one."""
    return SourceChangedError(what, "the response", fix)


@dataclass
class Response:
    """One response of a publisher, and remarks about it.

    Attributes:
        body: The bytes as received (one page of them, where there are several).
        request: The request it is for.
        captured_on: The day it was received.
        notes: Remarks that travel with the landing, each with how often it applied.
    """

    body: bytes
    request: str = ""
    captured_on: date = date(1970, 1, 1)
    notes: Counter[str] = field(default_factory=Counter)

    def note(self, text: str) -> None:
        """Remember a remark; saying it again only counts."""
        self.notes[text] += 1

    def doubt(self, text: str) -> None:
        """Record why the response is suspicious though it can be read; the landing quarantines it."""
        self.notes[DOUBT + text] += 1

    def expect(self, stated: object, listed: int) -> None:
        """Compare how many entries a response declares with how many it lists."""
        if isinstance(stated, int) and stated != listed:
            self.doubt(f"the response declares {stated} entries and lists {listed}")
