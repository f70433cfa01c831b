"""What the pages of a response state about themselves: which page each is, and how many there are."""

import json
from collections.abc import Mapping
from typing import Any

from datamoat.parsing import changed
from datamoat.project.sources import Paging

WHOLE = "fetch it, which asks for every page, or save it with a page size that holds all rows."


def page_state(body: bytes, paging: Paging) -> tuple[int | None, int | None, bool]:
    """Return the page's number, how many there are, and whether another follows; (None, None, False) if it holds none of these."""
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        return None, None, False

    def at(path: str) -> Any:  # noqa: ANN401
        value = page
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    number, total, more = at(paging.number), at(paging.total), at(paging.more)
    numbered = number if isinstance(number, int) else None
    counted = total if isinstance(total, int) else None
    return (
        numbered,
        counted,
        more is True or (more is None and numbered is not None and counted is not None and numbered < counted),
    )


def refuse_part(pages: list[bytes], paging: Paging | None) -> None:
    """Refuse pages that state that there are others, whoever brought them.

    Raises:
        SourceChangedError: A page is in the place of another, or more are stated than there are.
    """
    if paging is None:
        return
    states = [page_state(page, paging) for page in pages]
    for place, (number, total, _) in enumerate(states, 1):
        if number not in (None, place):
            raise changed(f"it states that it is page {number}, and is page {place} of what there is", WHOLE)
        if total is not None and total > len(pages):
            raise changed(f"it states that there are {total} pages, and there are {len(pages)}: a part of a list", WHOLE)
    if states and states[-1][2]:
        raise changed("its last page states that another follows: a part of a list", WHOLE)
