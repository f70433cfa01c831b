"""The answer: six questions as rows, the newest captures beside the day of the story, each unit on an axis of its own."""

from typing import Any

import altair as alt

from datamoat.views.panels import Panel, words

ROWS = """
    select
        question_id, question, as_of_kind, as_of_on, unit, smallest_effect, estimate, estimate_p05, estimate_p95, p_permutation, verdict, n_companies,
        n_owners
    from marts.moat_answer
    where as_of_kind in ('newest', 'story') and estimate is not null
    order by unit <> 'points', question_id = 'prediction', question_number, as_of_kind
"""
FACTS = """
    with now as (from marts.moat_answer where as_of_kind = 'newest'),
    sized as (
        from marts.moat_effect where as_of_kind = 'newest' and board_id = 'all' and specification_id = 'owning_where_size_is_known'
    )
    select
        o.estimate as owning, o.estimate_p05 as owning_low, o.estimate_p95 as owning_high, o.n_owners, o.n_companies, o.as_of_on, o.sentence,
        s.estimate as sized, s.estimate_p05 as sized_low, s.estimate_p95 as sized_high, s.n_companies as n_sized,
        e.estimate as unsized, e.estimate_p05 as unsized_low, e.estimate_p95 as unsized_high,
        (select count(*) filter (where verdict <> 'cannot_tell') from now) as n_decided,
        (select count(*) from now) as n_questions,
        (o.verdict <> 'cannot_tell')::double as title_probability,
        case
            when a.verdict = 'supported' and s.verdict = 'supported' then 'and more video goes with higher ratings'
            else 'but whether video is the reason is unclear'
        end as reason
    from (from now where question_id = 'owning') as o, (from now where question_id = 'size') as s,
        (from now where question_id = 'amount') as a, sized as e
"""
TITLES = {  # by the verdict on the newest captures
    "supported": "Owners of video platforms rate {owning:two} points higher, {reason}",
    "not_supported": "Owners of video platforms do not rate higher by an amount that matters",
    "cannot_tell": "Whether owners of video platforms rate higher is unclear",
}
CITATIONS = "select citation_ids from marts.moat_answer where as_of_kind in ('newest', 'story')"
HEADINGS = (
    "question id", "question", "captures", "as of", "unit", "smallest effect of interest", "estimate|e", "5 %|e", "95 %|e", "p|e", "verdict|word", "companies",
    "owners",
)  # fmt: skip
KINDS = {"newest": "newest captures", "story": "day of the story"}
GAP = 0.17  # how far the two marks of a question lie from its middle, in rows


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    relation = con.sql(ROWS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    verdict = next(
        (row["verdict"] for row in rows if row["as_of_kind"] == "newest" and row["question_id"] == "owning"), "cannot_tell"
    )
    reach = max(max(-row["estimate_p05"], row["estimate_p95"]) / row["smallest_effect"] for row in rows) * 1.04
    low = max(-row["estimate_p05"] / row["smallest_effect"] for row in rows) * 1.08

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        left, right = (232, 118) if is_wide else (8, 8)
        own = width - left - right - 26
        groups: list[tuple[str, str, list[dict[str, Any]]]] = []
        for row in rows:
            kind = "points" if row["unit"] == "points" else "log score" if row["unit"].startswith("log") else "doubling"
            if not groups or groups[-1][0] != kind:
                groups.append((kind, row["unit"], []))
            groups[-1][2].append(row)
        titles = {
            "points": "rating points ahead", "doubling": "rating points per doubling of video, share or data",
            "log score": "gain in log score per forecast",
        }  # fmt: skip
        charts = [
            _group(style, found, titles[kind], (low, reach), own, is_wide, n == 0) for n, (kind, _, found) in enumerate(groups)
        ]
        return style.themed(alt.vconcat(*charts, spacing=58, bounds="flush"), width).configure_view(stroke=None)

    return [
        Panel(
            "questions",
            TITLES[verdict],
            TITLES["cannot_tell"],
            "Estimates with 90 % intervals; shaded: smaller than the smallest effect of interest",
            (
                "{sentence}",
                (
                    "Each row is one question. The dark mark is the newest captures, the light one the day of the story; lines are 90 %"
                    " intervals; a question that too few can answer has no mark. One model over all ranked entries of the four primary boards: {n_companies:n} companies, of which"
                    " {n_owners:n} own a platform. Estimates: owners are {owning:e} points ahead ({owning_low:e} to {owning_high:e}); over the"
                    " {n_sized:n} companies whose size is known {unsized:e} ({unsized_low:e} to {unsized_high:e}), and beside others of"
                    " their size {sized:e} ({sized_low:e} to {sized_high:e}). Release date, open weights, sound, speed tier and"
                    " resolution are controlled for. {n_decided:n} of {n_questions:n} verdicts are other than cannot tell; such a verdict is"
                    " the same under every perturbation of marts.moat_robustness."
                ),
            ),
            FACTS,
            ROWS,
            CITATIONS,
            HEADINGS,
            draw,
        )
    ]


def _group(
    style: Any, rows: list[dict[str, Any]], title: str, reach: tuple[float, float], own: int, is_wide: bool, has_key: bool
) -> Any:
    """Return the questions of one unit: the axis is in that unit, scaled so that the smallest effect is as wide as in the others."""
    smallest = rows[0]["smallest_effect"]
    names = list(dict.fromkeys(row["question"] for row in rows))
    data = []
    for row in rows:
        is_new = row["as_of_kind"] == "newest"
        found = f"{words(row['estimate'], 'e')}, {row['verdict'].replace('_', ' ')}"
        data.append(
            {
                "at": names.index(row["question"]) + (-1 if is_new else 1) * (GAP if is_wide else GAP / 2) + (0.0 if is_wide else 0.2),
                "x": row["estimate"], "low": row["estimate_p05"], "high": row["estimate_p95"], "is_new": is_new,
                "label": found if is_wide else f"{'now' if is_new else 'story day'} {found}",
                "title": f"{KINDS[row['as_of_kind']]}, {row['as_of_on'].isoformat()}",
            }
        )  # fmt: skip
    scale = alt.Scale(domain=[-reach[0] * smallest, reach[1] * smallest], nice=False, zero=False)
    y_scale = alt.Scale(domain=[-0.5, len(names) - 0.5], reverse=True, nice=False, zero=False)
    base = alt.Chart(alt.Data(values=data))
    ticks = [tick * smallest for tick in range(-3, 6) if -reach[0] <= tick <= reach[1] and (is_wide or tick % 2 == 0)]
    x = alt.X(
        "x:Q",
        scale=scale,
        axis=alt.Axis(
            title=title,
            values=ticks,
            labelExpr=f"datum.value == 0 ? '0' : format(datum.value, '{'+.0f' if smallest >= 1 else '+.2f'}')",
            grid=False,
        ),
    )
    y = alt.Y("at:Q", scale=y_scale, axis=None)
    ink = alt.condition("datum.is_new", alt.value(style.INK), alt.value(style.QUIET))
    strong = alt.condition("datum.is_new", alt.value(style.ACCENT), alt.value(style.GREY))
    # On a phone the words of a question stand above its marks: shade and zero are drawn beside the marks alone.
    rows_of_marks = [(-0.5, len(names) - 0.5)] if is_wide else [(n + 0.02, n + 0.4) for n in range(len(names))]
    behind = alt.Chart(
        alt.Data(values=[{"from": -smallest, "to": smallest, "zero": 0, "at": at, "end": end} for at, end in rows_of_marks])
    )
    band = behind.mark_rect(color=style.SHADE, opacity=1).encode(x=alt.X("from:Q", scale=scale), x2="to:Q", y=y, y2="end:Q")
    zero = behind.mark_rule(color=style.INK, strokeWidth=1).encode(x=alt.X("zero:Q", scale=scale), y=y, y2="end:Q")
    spread = base.mark_rule().encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q", y=y, color=strong,
        strokeWidth=alt.condition("datum.is_new", alt.value(3.5), alt.value(1.5)),
    )  # fmt: skip
    marks = base.mark_point(opacity=1, strokeWidth=1.5).encode(
        x=x, y=y, stroke=strong, fill=alt.condition("datum.is_new", alt.value(style.ACCENT), alt.value("white")),
        size=alt.condition("datum.is_new", alt.value(110), alt.value(50)),
    )  # fmt: skip
    asked = [
        {"at": n if is_wide else n - 0.47, "text": style.broken(name, 34 if is_wide else 46).split("|")}
        for n, name in enumerate(names)
    ]
    question = alt.Chart(alt.Data(values=asked)).mark_text(
        align="right" if is_wide else "left", baseline="middle" if is_wide else "top", fontSize=13, lineHeight=16, color=style.INK,
        fontWeight="normal" if is_wide else "bold",
    ).encode(x=alt.value(-12 if is_wide else 0), y=y, text="text:N")  # fmt: skip
    if is_wide:
        verdicts = base.mark_text(align="left", baseline="middle", fontSize=12).encode(
            x=alt.value(own + 8), y=y, text="label:N", color=ink
        )
    else:  # no room beside the marks: one line below the question
        pairs = [
            {"at": n - 0.1, "label": "; ".join(row["label"] for row in data if names[round(row["at"] - 0.2)] == name)}
            for n, name in enumerate(names)
        ]
        verdicts = alt.Chart(alt.Data(values=pairs)).mark_text(align="left", baseline="middle", fontSize=11, color=style.QUIET).encode(
            x=alt.value(0), y=y, text="label:N"
        )  # fmt: skip
    layers = [band, zero, spread, marks, question, verdicts]
    if has_key and is_wide:
        key = base.transform_filter("datum.at < 0.5")
        layers += [
            key.transform_filter(f"datum.is_new === {str(is_new).lower()}")
            .mark_text(align="left", baseline="middle", dy=-12 if is_new else 13, fontSize=11)
            .encode(x=alt.X("low:Q", scale=scale), y=y, text="title:N", color=strong)
            for is_new in (True, False)
        ]
    return alt.layer(*layers).properties(width=own, height=(54 if is_wide else 96) * len(names))
