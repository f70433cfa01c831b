"""Read the Hub's list of models, and archives of its trending list."""

from datetime import datetime
from typing import Any

from datamoat.parsing import Answer, Row, changed, list_at, load_json, mapping, refuse_error, shown, take, text, whole

PLACEHOLDER = "2022-03-02"  # the Hub gives everything older than this day this day


def models(answer: Answer) -> list[Row]:
    """Return one row per repository that is a model; fields beyond those read are the Hub's own affair."""
    page = load_json(answer)
    if isinstance(page, dict):
        refuse_error(page, ("models", "recentlyTrending"))
        page = list_at(page, "models" if "models" in page else "recentlyTrending")
    if not isinstance(page, list):
        raise changed("the answer is not a list of models")
    rows = []
    for listed in page:
        entry = mapping(listed, "an entry")
        is_trending = "repoData" in entry  # which has fewer fields of each
        if is_trending:
            if entry.get("repoType") != "model":
                continue
            entry = mapping(entry["repoData"], "repoData")
        gated = entry.get("gated")
        tags = entry.get("tags") or []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise changed("'tags' is not a list of texts: its type changed")
        rows.append(
            {
                "id": text(entry, "id"),
                "author": text(entry, "author", optional=True),
                "pipeline_tag": text(entry, "pipeline_tag", optional=is_trending),
                "library_name": text(entry, "library_name", optional=True),
                "gated": None if gated is None else str(gated).lower(),
                "likes": whole(answer, entry, "likes"),
                "downloads": whole(answer, entry, "downloads"),
                "created_at": _moment(
                    entry.get("createdAt") if is_trending else take(entry, "createdAt"), placeholder=PLACEHOLDER
                ),
                "last_modified": _moment(entry.get("lastModified")),
                "tags": sorted(tags),
            }
        )
    return rows


def _moment(written: Any, placeholder: str | None = None) -> str | None:  # noqa: ANN401
    """Return a UTC timestamp; the placeholder is missing."""
    if written is None or (placeholder and isinstance(written, str) and written.startswith(placeholder)):
        return None
    try:
        return datetime.fromisoformat(written).isoformat()
    except (TypeError, ValueError) as failure:
        raise changed(f"{shown(written)} is not a moment as the Hub writes them") from failure
