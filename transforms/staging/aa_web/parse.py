"""Read archived answers of the public web route: the overall rating of each model; ratings by tag are left aside."""

from datamoat.parsing import (
    Response,
    Row,
    drop_sentinels,
    exhaust,
    flag,
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

ASIDE = {"elos", "is_scraped", "introduced_at", "note", "is_first_party_foundational"}  # scope: the board itself
CREATOR_ASIDE = {"logoUrl", "logoSmallUrl", "logoSmall", "logo", "color"}


def entries(response: Response) -> list[Row]:
    """Return one row per model; a renamed or dropped field stops the landing."""
    page = load_json(response)
    if isinstance(page, list):  # the route itself sent a bare list; archives wrapped it
        page = {"models": page}
    page = mapping(page, "the response")
    refuse_error(page, ("models",))
    meta = mapping(page.pop("meta", {}), "meta")
    models = list_at(page, "models")
    exhaust(response, page, what="key")
    response.expect(meta.get("model_count"), len(models))
    rows = []
    for model in models:
        entry = mapping(model, "an entry")
        creator = mapping(take(entry, "creator"), "creator")
        family = mapping(entry.pop("family", None) or {}, "family")
        pricing = mapping(entry.pop("pricing", None) or {}, "pricing")
        down, up = parse_interval(take(entry, "ci95")) or (None, None)
        rows.append(
            {
                "id": text(entry, "id"),
                "name": text(entry, "name"),
                "slug": text(entry, "slug", optional=True),
                "release_date": stated_day(response, text(entry, "release_date", optional=True)),
                "creator_id": text(creator, "id", optional=True),
                "creator_name": text(creator, "name", optional=True),
                "creator_country": text(creator, "country", optional=True),
                "family_name": text(family, "name", optional=True),
                "elo": number(response, entry, "elo", negative=True),
                "rank": whole(response, entry, "rank"),
                "interval_down": down,
                "interval_up": up,
                "appearances": whole(response, entry, "appearances"),
                "wins": whole(response, entry, "wins", optional=True),
                "win_rate": number(response, entry, "win_rate", optional=True),
                "open_weights_url": text(entry, "open_weights_url", optional=True),
                "is_current": flag(entry, "is_current", optional=True),
                "price_per_minute": number(response, pricing, "price_per_minute", optional=True),
            }
        )
        exhaust(response, entry, ignore=ASIDE)
        exhaust(response, creator, ignore=CREATOR_ASIDE, what="field of creator")
    return drop_sentinels(response, rows, "elo")
