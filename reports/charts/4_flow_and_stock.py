"""Uploads and hours uploaded per day side by side, because the two orders differ; then cumulative public hours."""

from typing import Any

import altair as alt

from datamoat.views.report import Panel

UPLOADS = """
    select
        platform_name, platform_class, uploads_per_day_p05, uploads_per_day_p50, uploads_per_day_p95,
        upload_hours_per_day_p05, upload_hours_per_day_p50, upload_hours_per_day_p95, basis
    from marts.platform_volume
    where scenario_id = 'baseline' and is_in_totals and month = (select max(month) from marts.platform_volume)
    order by upload_hours_per_day_p50 desc, platform_name
    limit 14
"""
PUBLIC = """
    select platform_name, platform_class, stock_hours_p05, stock_hours_p50, stock_hours_p95, usable_hours_p05, usable_hours_p50, usable_hours_p95, basis
    from marts.platform_volume
    where scenario_id = 'baseline' and is_in_totals and month = (select max(month) from marts.platform_volume)
    order by stock_hours_p50 desc, platform_name
    limit 14
"""
UPLOAD_FACTS = """
    with now as (from marts.platform_volume where scenario_id = 'baseline' and is_in_totals and month = (select max(month) from marts.platform_volume)),
    most_uploads as (from now order by uploads_per_day_p50 desc, platform_id limit 1),
    most_hours as (from now order by upload_hours_per_day_p50 desc, platform_id limit 1),
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
        pair.p_uploads, pair.p_hours, pair.n_draws,
        case
            when u.platform_name <> h.platform_name
            then u.platform_name || ' takes in the most videos, ' || h.platform_name || ' the most hours'
            when u.platform_id = 'tiktok' and pair.p_hours < pair.p_uploads
            then u.platform_name || ' takes in the most videos; that it also takes in the most hours is far less sure'
            else u.platform_name || ' takes in the most videos and the most hours'
        end as story,
        (select count(*) from now where basis = 'prior_only') as n_prior
    from most_uploads as u, most_hours as h, pair, now as y
    where y.platform_id = 'youtube'
"""
PUBLIC_FACTS = """
    with now as (from marts.platform_volume where scenario_id = 'baseline' and is_in_totals and month = (select max(month) from marts.platform_volume)),
    top as (from now order by stock_hours_p50 desc, platform_id limit 1),
    second as (from now order by stock_hours_p50 desc, platform_id limit 1 offset 1)
    select
        top.month, top.platform_name as top_name, top.stock_hours_p05 as t05, top.stock_hours_p50 as t50, top.stock_hours_p95 as t95,
        top.usable_hours_p05 as s05, top.usable_hours_p50 as s50, top.usable_hours_p95 as s95,
        second.platform_name as second_name, second.stock_hours_p05 as n05, second.stock_hours_p50 as n50, second.stock_hours_p95 as n95
    from top, second
"""
UPLOAD_HEADINGS = (
    "platform", "class", "uploads a day, 5 %", "uploads, median", "uploads, 95 %", "hours a day, 5 %", "hours, median", "hours, 95 %", "basis",
)  # fmt: skip
PUBLIC_HEADINGS = (
    "platform", "class", "cumulative public hours, 5 %", "median", "95 %", "hours after filtering, 5 %", "median after filtering", "95 % after filtering", "basis",
)  # fmt: skip
BASIS_LABELS = {"measured": "measured", "reported": "reported", "modelled": "modelled", "prior_only": "no data (prior only)"}


def panels(con: Any, style: Any) -> list[Panel]:
    """Return uploads per day and cumulative public hours."""
    uploads, public = _rows(con, UPLOADS), _rows(con, PUBLIC)

    def draw_uploads(width: int) -> Any:
        pair = [
            _bars(uploads, style, width, "uploads_per_day", "Uploads a day"),
            _bars(uploads, style, width, "upload_hours_per_day", "Hours a day"),
        ]
        joined = alt.hconcat(*pair, spacing=20) if width >= style.NARROW else alt.vconcat(*pair, spacing=20)
        return style.themed(joined, width)

    def draw_public(width: int) -> Any:
        pair = [
            _bars(public, style, width, "stock_hours", "Cumulative public hours"),
            _bars(public, style, width, "usable_hours", "Hours after filtering"),
        ]
        joined = alt.hconcat(*pair, spacing=20) if width >= style.NARROW else alt.vconcat(*pair, spacing=20)
        return style.themed(joined, width)

    return [
        Panel(
            "uploads",
            "{story}",
            (
                (
                    "In {month:month}: {uploads_name} has about {u50:many} uploads a day (90 %: {u05:many} to {u95:many}) and {hours_name}"
                    " about {h50:many} hours a day ({h05:many} to {h95:many}). YouTube, with {y_uploads:many} uploads, adds {y50:many} hours"
                    " ({y05:many} to {y95:many}). TikTok is ahead of YouTube in uploads in {p_uploads:share} of {n_draws:n} joint"
                    " draws, in hours in {p_hours:share}."
                ),
                (
                    "The platforms with the most hours; marks are medians, lines 90 % intervals, on logarithmic axes. {n_prior:n} platforms have published no statistic that"
                    " can be used; they are marked no data (prior only). Parts of a platform (Shorts, Reels) are inside it."
                ),
            ),
            UPLOAD_FACTS,
            UPLOADS,
            UPLOAD_HEADINGS,
            draw_uploads,
        ),
        Panel(
            "public-hours",
            "{top_name} has the most cumulative public hours, {t50:many}; {second_name} follows with {n50:many}",
            (
                (
                    "In {month:month}, {top_name} has about {t50:many} hours (90 %: {t05:many} to {t95:many}), {second_name} {n50:many}"
                    " ({n05:many} to {n95:many}). After near-duplicate and quality filters about {s50:many} hours of {top_name} would remain"
                    " ({s05:many} to {s95:many})."
                ),
            ),
            PUBLIC_FACTS,
            PUBLIC,
            PUBLIC_HEADINGS,
            draw_public,
        ),
    ]


def _rows(con: Any, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    relation = con.sql(sql)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def _bars(rows: list[dict[str, Any]], style: Any, width: int, measure: str, title: str) -> Any:
    """Return medians with their intervals, largest first, on a logarithmic axis."""
    is_wide = width >= style.NARROW
    own = int(width / 2 - 135) if is_wide else width - 140
    lines = {row["platform_name"]: style.broken(row["platform_name"], 18) for row in rows}
    data = [{**row, "basis": BASIS_LABELS[row["basis"]], "lines": lines[row["platform_name"]]} for row in rows]
    base = alt.Chart(alt.Data(values=data))
    order = [lines[row["platform_name"]] for row in sorted(rows, key=lambda row: -row[f"{measure}_p50"])]
    y = alt.Y("lines:N", sort=order, axis=alt.Axis(title=None, labelLimit=125, labelExpr=style.LINES))
    scale, axis = alt.Scale(type="log"), style.log_axis("log scale, 90 % interval", own // 2 if own < 300 else own)
    colour = alt.Color(
        "basis:N", title=None, scale=alt.Scale(domain=list(BASIS_LABELS.values()), range=[style.GREEN, style.BLUE, style.ORANGE, style.GREY]),
    )  # fmt: skip
    lines = base.mark_rule(strokeWidth=3, opacity=0.55).encode(
        x=alt.X(f"{measure}_p05:Q", scale=scale, axis=axis), x2=f"{measure}_p95:Q", y=y, color=colour
    )
    marks = base.mark_point(filled=True, size=75, opacity=1).encode(
        x=alt.X(f"{measure}_p50:Q", scale=scale, axis=axis), y=y, color=colour,
        shape=alt.Shape("basis:N", title=None, scale=alt.Scale(domain=list(BASIS_LABELS.values()), range=["circle", "square", "triangle-up", "diamond"])),
    )  # fmt: skip
    return (lines + marks).properties(width=own, height=alt.Step(30), title=title)
