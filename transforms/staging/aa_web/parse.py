"""Read archived answers of the public web route: the overall rating of each model; ratings by tag are left aside."""

from datamoat.parsing import (
    Answer,
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


def entries(answer: Answer) -> list[Row]:
    """Return one row per model; a renamed or dropped field stops the landing."""
    page = load_json(answer)
    if isinstance(page, list):  # the route itself sent a bare list; archives wrapped it
        page = {"models": page}
    page = mapping(page, "the answer")
    refuse_error(page, ("models",))
    meta = mapping(page.pop("meta", {}), "meta")
    models = list_at(page, "models")
    exhaust(answer, page, what="key")
    answer.expect(meta.get("model_count"), len(models))
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
                "release_date": stated_day(answer, text(entry, "release_date", optional=True)),
                "creator_id": text(creator, "id", optional=True),
                "creator_name": text(creator, "name", optional=True),
                "creator_country": text(creator, "country", optional=True),
                "family_name": text(family, "name", optional=True),
                "elo": number(answer, entry, "elo", negative=True),
                "rank": whole(answer, entry, "rank"),
                "interval_down": down,
                "interval_up": up,
                "appearances": whole(answer, entry, "appearances"),
                "wins": whole(answer, entry, "wins", optional=True),
                "win_rate": number(answer, entry, "win_rate", optional=True),
                "open_weights_url": text(entry, "open_weights_url", optional=True),
                "is_current": flag(entry, "is_current", optional=True),
                "price_per_minute": number(answer, pricing, "price_per_minute", optional=True),
            }
        )
        exhaust(answer, entry, ignore=ASIDE)
        exhaust(answer, creator, ignore=CREATOR_ASIDE, what="field of creator")
    return drop_sentinels(answer, rows, "elo")
