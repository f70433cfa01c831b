"""Uploads and hours uploaded per day side by side, because the two orders differ; then cumulative public hours."""

from typing import Any

import altair as alt

from datamoat.views.panels import Panel

NOW = "(from marts.platform_volume where scenario_id = 'baseline' and is_in_totals and month = (select max(month) from marts.platform_volume))"
MEASURES = {
    "uploads": ("uploads_per_day", "upload_hours_per_day"),
    "public-hours": ("stock_hours", "usable_hours"),
}
ROWS = """
    select
        platform_name, platform_class, {first}_p05, {first}_p50, {first}_p95, {second}_p05, {second}_p50, {second}_p95, basis, last_counted_on, month
    from {now}
    order by {by}_p50 desc, platform_name
    limit 14
"""
# Which platform has the most, over joint draws of those that published anything usable, and how sure that is.
MOST = """
    select platform_id, count(*) / sum(count(*)) over () as probability
    from (
        select draw, arg_max(platform_id, {measure}) as platform_id
        from marts.platform_volume_draws
        where month = (select max(month) from marts.platform_volume_draws)
            and platform_id in (select platform_id from {now} where basis <> 'prior_only')
        group by draw
    )
    group by platform_id
    order by probability desc, platform_id
    limit 1
"""
UPLOAD_FACTS = f"""
    with now as (from {NOW}),
    most_uploads as ({MOST.format(measure="uploads_per_day", now=NOW)}),
    most_hours as ({MOST.format(measure="upload_hours_per_day", now=NOW)}),
    pair as (
        select
            count(*) as n_draws,
            avg(case when a.uploads_per_day > b.uploads_per_day then 1.0 else 0.0 end) as p_uploads,
            avg(case when a.upload_hours_per_day > b.upload_hours_per_day then 1.0 else 0.0 end) as p_hours
        from marts.platform_volume_draws as a
        inner join marts.platform_volume_draws as b on a.month = b.month and a.draw = b.draw
        where a.platform_id = 'tiktok' and b.platform_id = 'youtube' and a.month = (select max(month) from marts.platform_volume_draws)
    )
    select
        u.month, u.platform_name as uploads_name, u.uploads_per_day_p05 as u05, u.uploads_per_day_p50 as u50, u.uploads_per_day_p95 as u95,
        h.platform_name as hours_name, h.upload_hours_per_day_p05 as h05, h.upload_hours_per_day_p50 as h50, h.upload_hours_per_day_p95 as h95,
        y.uploads_per_day_p50 as y_uploads, y.upload_hours_per_day_p05 as y05, y.upload_hours_per_day_p50 as y50, y.upload_hours_per_day_p95 as y95,
        pair.p_uploads, pair.p_hours, pair.n_draws, (select as_of from meta.build) as as_of_on,
        greatest(pair.p_uploads, 1 - pair.p_uploads) as title_probability, mu.probability as most_uploads_probability, mh.probability as most_hours_probability,
        case when pair.p_uploads > 0.5 then 'TikTok takes in more videos a day than YouTube' else 'YouTube takes in more videos a day than TikTok' end as story,
        case
            when (pair.p_uploads > 0.5) = (pair.p_hours > 0.5) and greatest(pair.p_hours, 1 - pair.p_hours) >= 0.9 then 'and more hours'
            when greatest(pair.p_hours, 1 - pair.p_hours) >= 0.9 then 'and fewer hours'
            else 'whether more hours is unclear'
        end as hours_story,
        (select count(*) from now where basis = 'prior_only') as n_prior
    from most_uploads as mu
    inner join now as u on mu.platform_id = u.platform_id
    cross join most_hours as mh
    inner join now as h on mh.platform_id = h.platform_id
    cross join pair
    cross join now as y
    where y.platform_id = 'youtube'
"""
PUBLIC_FACTS = f"""
    with now as (from {NOW}),
    most as ({MOST.format(measure="stock_hours", now=NOW)}),
    top as (from now where platform_id = (select platform_id from most)),
    second as (from now where platform_id <> (select platform_id from most) and basis <> 'prior_only' order by stock_hours_p50 desc, platform_id limit 1)
    select
        top.month, top.platform_name as top_name, top.stock_hours_p05 as t05, top.stock_hours_p50 as t50, top.stock_hours_p95 as t95,
        top.usable_hours_p05 as s05, top.usable_hours_p50 as s50, top.usable_hours_p95 as s95, (select as_of from meta.build) as as_of_on,
        second.platform_name as second_name, second.stock_hours_p05 as n05, second.stock_hours_p50 as n50, second.stock_hours_p95 as n95,
        (select probability from most) as title_probability
    from top, second
"""
CITATIONS = f"select citation_ids from {NOW}"
UPLOAD_HEADINGS = (
    "platform", "class", "uploads a day, 5 %|many", "uploads, median|many", "uploads, 95 %|many", "hours a day, 5 %|many", "hours, median|many",
    "hours, 95 %|many", "evidence|word", "last count", "month",
)  # fmt: skip
PUBLIC_HEADINGS = (
    "platform", "class", "cumulative public hours, 5 %|many", "median|many", "95 %|many", "hours after filtering, 5 %|many",
    "median after filtering|many", "95 % after filtering|many", "evidence|word", "last count", "month",
)  # fmt: skip
KEY = "Circle: counted within 18 months; square: uploads stated; triangle: from users or lengths; hollow diamond: no data"
SHAPES = "The shape of a mark is the kind of evidence; a hollow diamond has no data of its own, only expert judgement."


def panels(con: Any, style: Any) -> list[Panel]:
    """Return uploads per day and cumulative public hours."""
    drawn = {}
    for id_, (first, second) in MEASURES.items():
        sql = ROWS.format(first=first, second=second, now=NOW, by=second if id_ == "uploads" else first)
        relation = con.sql(sql)
        drawn[id_] = (sql, [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()])
    titles = {
        "uploads": ("Uploads a day", "Hours uploaded a day"),
        "public-hours": ("Cumulative public hours", "Hours after filtering"),
    }

    def drawer(id_: str) -> Any:
        def draw(width: int) -> Any:
            rows = drawn[id_][1]
            pair = [_bars(rows, style, width, measure, title) for measure, title in zip(MEASURES[id_], titles[id_], strict=True)]
            joined = alt.hconcat(*pair, spacing=26) if width >= style.NARROW else alt.vconcat(*pair, spacing=24)
            return style.themed(joined, width)

        return draw

    return [
        Panel(
            "uploads",
            "{story}; {hours_story}",
            "Whether TikTok or YouTube takes in more videos a day is unclear",
            f"Medians with 90 % intervals, logarithmic axes. {KEY}",
            (
                (
                    "In {month:month}: {uploads_name} has about {u50:many} uploads a day (90 %: {u05:many} to {u95:many}) and {hours_name}"
                    " about {h50:many} hours a day ({h05:many} to {h95:many}). YouTube, with {y_uploads:many} uploads, adds {y50:many} hours"
                    " ({y05:many} to {y95:many}). TikTok is ahead of YouTube in uploads in {p_uploads:p} of {n_draws:n} joint"
                    " draws, in hours in {p_hours:p}."
                ),
                (
                    f"The platforms with the most hours. {SHAPES}"
                    " Platforms in all totals without any statistic that can be used: {n_prior:n}. {uploads_name} has the most videos in {most_uploads_probability:p} of"
                    " joint draws, {hours_name} the most hours in {most_hours_probability:p}. Months after the last count are projected; the day"
                    " beside a row is the last one with a count. Parts of a platform (Shorts, Reels) are inside it."
                ),
            ),
            UPLOAD_FACTS,
            drawn["uploads"][0],
            CITATIONS,
            UPLOAD_HEADINGS,
            drawer("uploads"),
        ),
        Panel(
            "public-hours",
            "{top_name} has the most cumulative public hours, about {t50:many}",
            "Which platform has the most cumulative public hours is unclear",
            f"Hours, medians with 90 % intervals, logarithmic axes. {KEY}",
            (
                (
                    "In {month:month}, {top_name} has about {t50:many} hours (90 %: {t05:many} to {t95:many}), {second_name} {n50:many}"
                    " ({n05:many} to {n95:many}); {top_name} has the most in {title_probability:p} of joint draws. After near-duplicate"
                    " and quality filters about {s50:many} hours of {top_name} would remain ({s05:many} to {s95:many})."
                ),
                SHAPES,
            ),
            PUBLIC_FACTS,
            drawn["public-hours"][0],
            CITATIONS,
            PUBLIC_HEADINGS,
            drawer("public-hours"),
        ),
    ]


def _bars(rows: list[dict[str, Any]], style: Any, width: int, measure: str, title: str) -> Any:
    """Return medians with their intervals, largest first, on a logarithmic axis."""
    is_wide = width >= style.NARROW
    own = int(width / 2 - 192) if is_wide else width - 190
    data = [
        {
            "line": style.broken(row["platform_name"], 18), "low": row[f"{measure}_p05"], "x": row[f"{measure}_p50"], "high": row[f"{measure}_p95"],
            "evidence": style.EVIDENCE[row["basis"]][0], "is_known": style.EVIDENCE[row["basis"]][3],
            "since": f"since {row['last_counted_on']:%Y-%m}" if row["last_counted_on"] else "throughout",
        }
        for row in sorted(rows, key=lambda row: -row[f"{measure}_p50"])
    ]  # fmt: skip
    return evidence_bars(data, style, own, title)


def evidence_bars(data: list[dict[str, Any]], style: Any, own: int, title: str) -> Any:
    """Return rows of medians and intervals whose shape is the kind of evidence and whose note is since when they are projected."""
    base = alt.Chart(alt.Data(values=data))
    y = alt.Y(
        "line:N",
        sort=[row["line"] for row in data],
        axis=alt.Axis(title=None, labelLimit=125, labelExpr=style.LINES, ticks=False, domain=False),
    )
    scale, axis = alt.Scale(type="log"), style.log_axis("", own // 2 if own < 300 else own)
    colour = alt.condition("datum.is_known", alt.value(style.ACCENT), alt.value(style.GREY))
    shapes = alt.Shape(
        "evidence:N", legend=None,
        scale=alt.Scale(domain=[kind[0] for kind in style.EVIDENCE.values()], range=[kind[1] for kind in style.EVIDENCE.values()]),
    )  # fmt: skip
    lines = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", y=y, color=colour, opacity=alt.value(0.55)
    )
    marks = base.mark_point(size=75, opacity=1, strokeWidth=1.6).encode(
        x=alt.X("x:Q", scale=scale, axis=axis), y=y, stroke=colour, shape=shapes, fill=alt.condition("datum.is_known", alt.value(style.ACCENT), alt.value("white")),
    )  # fmt: skip
    notes = base.mark_text(align="left", baseline="middle", fontSize=10, color=style.QUIET).encode(
        x=alt.value(own + 3), y=y, text="since:N"
    )
    head = alt.TitleParams(title, subtitle="right: projected since", subtitleFontSize=10, subtitleColor=style.QUIET)
    return (lines + marks + notes).properties(width=own, height=alt.Step(32), title=head)
