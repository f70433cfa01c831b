"""Read archived scrapes of arena.ai's ranking tables, in both shapes."""

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
    take,
    text,
    whole,
)

ASIDE = {"rank_spread", "model_url", "price_prompt", "price_completion", "context_length", "signals"}  # scope: the rating


def entries(response: Response) -> list[Row]:
    """Return one row per model; a renamed or dropped field stops the landing."""
    page = mapping(load_json(response), "the response")
    refuse_error(page, ("models",))
    meta = mapping(page.pop("meta", {}), "meta")
    models = list_at(page, "models")
    exhaust(response, page, what="key")
    response.expect(meta.get("model_count"), len(models))
    updated = text(meta, "last_updated", optional=True)
    rows = []
    for model in models:
        entry = mapping(model, "an entry")
        if "ci" in entry:  # the shape to 2026-07-15: one half-width
            down, up = parse_interval(take(entry, "ci")) or (None, None)
        else:
            down, up = number(response, entry, "ci_low"), number(response, entry, "ci_high")
        rows.append(
            {
                "last_updated": updated,
                "rank": whole(response, entry, "rank"),
                "model": text(entry, "model"),
                "vendor": text(entry, "vendor", optional=True),
                "license": text(entry, "license", optional=True),
                "score": number(response, entry, "score", negative=True),
                "interval_down": down,
                "interval_up": up,
                "votes": whole(response, entry, "votes"),
                "preliminary": flag(entry, "preliminary", optional=True),
            }
        )
        exhaust(response, entry, ignore=ASIDE)
    return drop_sentinels(response, rows, "score")
