"""Read both shapes of the Artificial Analysis API: the older media route, and the newer free route."""

from typing import Any

from datamoat.parsing import (
    Response,
    Row,
    drop_sentinels,
    exhaust,
    list_at,
    load_json,
    mapping,
    number,
    parse_interval,
    refuse_error,
    stated_day,
    take,
    text,
    whole,
)

ENVELOPE = ("status", "include_categories", "tier", "pagination", "prompt_options", "intelligence_index_version")


def entries(response: Response) -> list[Row]:
    """Return one row per model; a renamed or dropped field stops the landing."""
    page = mapping(load_json(response), "the response")
    refuse_error(page, ("data", "models"))
    meta = page.pop("meta", None)
    if meta is not None and "data" not in page:  # an archive that wrapped the newer route's rows
        stated = mapping(meta, "meta").get("model_count")
        models = [mapping(mapping(entry, "an entry").get("raw", entry), "raw") for entry in list_at(page, "models")]
        response.expect(stated, len(models))
    else:
        models = [mapping(entry, "an entry") for entry in list_at(page, "data")]
    exhaust(response, page, ignore=ENVELOPE, what="key")
    rows = [_older(response, model) if "ci95" in model or "appearances" in model else _newer(response, model) for model in models]
    return drop_sentinels(response, rows, "elo")


def _older(response: Response, model: dict[str, Any]) -> Row:
    """Read an entry of /api/v2/data/media/…: votes, rank and release month included."""
    creator = mapping(take(model, "model_creator"), "model_creator")
    down, up = parse_interval(take(model, "ci95")) or (None, None)
    row = {
        "route": "api",
        "id": text(model, "id"),
        "name": text(model, "name"),
        "slug": text(model, "slug", optional=True),
        "creator_id": text(creator, "id", optional=True),
        "creator_name": text(creator, "name", optional=True),
        "elo": number(response, model, "elo", negative=True),
        "interval_down": down,
        "interval_up": up,
        "rank": whole(response, model, "rank"),
        "appearances": whole(response, model, "appearances"),
        "release_date": stated_day(response, text(model, "release_date", optional=True)),
    }
    exhaust(response, model, ignore={"categories"})
    exhaust(response, creator, what="field of model_creator")
    return row


def _newer(response: Response, model: dict[str, Any]) -> Row:
    """Read an entry of /api/v2/media/…/models/free: a half-width, 0 for the anchor; paid tiers add votes as `samples`."""
    creator = mapping(take(model, "model_creator"), "model_creator")
    down, up = parse_interval(take(model, "ci_95")) or (None, None)
    row = {
        "route": "api_free",
        "id": text(model, "id"),
        "name": text(model, "name"),
        "slug": text(model, "slug", optional=True),
        "creator_id": text(creator, "id", optional=True),
        "creator_name": text(creator, "name", optional=True),
        "elo": number(response, model, "elo", negative=True),
        "interval_down": down,
        "interval_up": up,
        "rank": whole(response, model, "rank", optional=True),
        "appearances": whole(response, model, "appearances" if "appearances" in model else "samples", optional=True),
        "release_date": stated_day(response, text(model, "release_date", optional=True)),
    }
    exhaust(response, model, ignore={"categories", "open_weights_url"})
    exhaust(response, creator, what="field of model_creator")
    return row
