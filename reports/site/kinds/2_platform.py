"""One page a platform: hours uploaded per day by month with what is projected, and every statistic that is held."""

from typing import Any

from datamoat.views.panels import Panel
from datamoat.views.site import Extra, Kind, Page

PLATFORMS = """
    select platform_id, platform_name, basis, last_counted_on, upload_hours_per_day_p50 from marts.platform_volume
    where scenario_id = 'baseline' and month = (select max(month) from marts.platform_volume)
    order by basis = 'prior_only', upload_hours_per_day_p50 desc, platform_id
"""
ROWS = """
    select
        month, uploads_per_day_p05, uploads_per_day_p50, uploads_per_day_p95, upload_hours_per_day_p05, upload_hours_per_day_p50,
        upload_hours_per_day_p95, stock_hours_p05, stock_hours_p50, stock_hours_p95, usable_hours_p05, usable_hours_p50, usable_hours_p95,
        basis || case when month > last_counted_on then ', projected' else '' end as basis
    from marts.platform_volume where scenario_id = 'baseline' and platform_id = '{platform}' order by month desc
"""
FACTS = """
    select
        *, (select as_of from meta.build) as as_of_on, case when basis = 'prior_only' then 0.0 else 1.0 end as title_probability,
        coalesce('since ' || strftime(last_counted_on, '%Y-%m'), 'throughout') as projected
    from marts.platform_volume
    where scenario_id = 'baseline' and platform_id = '{platform}' and month = (select max(month) from marts.platform_volume)
"""
SEEN = """
    select
        o.metric, o.figure_as_stated, o.value, o.unit, o.period_end_on, o.geography, o.publisher, o.verification, o.is_used, coalesce(o.unused_reason, ''), c.url
    from marts.platform_observation as o left join meta.citations as c using (citation_id)
    where o.platform_id = '{platform}' order by o.period_end_on desc nulls last, o.metric, o.fact_id
"""
HEADINGS = (
    "month", "uploads a day, 5 %|many", "median|many", "95 %|many", "hours a day, 5 %|many", "median|many", "95 %|many", "cumulative public hours, 5 %|many",
    "median|many", "95 %|many", "hours after filtering, 5 %|many", "median|many", "95 %|many", "evidence|word",
)  # fmt: skip
SEEN_HEADINGS = (
    "statistic|word",
    "as stated",
    "value|many",
    "unit",
    "period to",
    "where",
    "publisher",
    "how it was seen|word",
    "used",
    "why not|word",
    "page",
)


def kind(con: Any, style: Any) -> Kind:
    """Return the pages of platforms."""
    return Kind("platform", "Platforms", tuple(_page(con, style, *row) for row in con.sql(PLATFORMS).fetchall()))


def _page(con: Any, style: Any, platform: str, name: str, basis: str, last_counted_on: Any, _: float) -> Page:
    """Return the page of one platform."""
    sql = ROWS.format(platform=platform)
    relation = con.sql(sql)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    evidence = style.EVIDENCE[basis]

    def draw(width: int) -> Any:
        return style.themed(
            style.over_time(
                [{"month": r["month"], "low": r["upload_hours_per_day_p05"], "x": r["upload_hours_per_day_p50"], "high": r["upload_hours_per_day_p95"]} for r in rows],
                last_counted_on, "Hours uploaded a day", width, evidence[3],
            ),
            width,
        )  # fmt: skip

    panel = Panel(
        platform,
        f"{name}: about {{upload_hours_per_day_p50:many}} hours of video a day, 90 % interval {{upload_hours_per_day_p05:many}} to {{upload_hours_per_day_p95:many}}",
        f"{name}: how much video is unclear, nothing usable was published",
        "Hours uploaded a day by month, median and 90 % interval; the dotted line is projected",
        (
            (
                "In {month:month} about {uploads_per_day_p50:many} videos a day ({uploads_per_day_p05:many} to {uploads_per_day_p95:many}) with"
                " {upload_hours_per_day_p50:many} hours ({upload_hours_per_day_p05:many} to {upload_hours_per_day_p95:many}); cumulative public hours"
                " {stock_hours_p50:many} ({stock_hours_p05:many} to {stock_hours_p95:many}), after filtering {usable_hours_p50:many}"
                " ({usable_hours_p05:many} to {usable_hours_p95:many})."
            ),
            f"Evidence: {evidence[0]}. {{n_observations:n}} statistics are used. Projected {{projected}}.",
        ),
        FACTS.format(platform=platform),
        sql,
        f"select citation_ids from marts.platform_volume where platform_id = '{platform}' and scenario_id = 'baseline' union all by name"
        f" select citation_ids from marts.platform_volume where '{basis}' = 'prior_only' and scenario_id = 'baseline'",
        HEADINGS,
        draw,
    )
    return Page(panel, name, evidence[0], (Extra("Every statistic that is held", SEEN.format(platform=platform), SEEN_HEADINGS),))
