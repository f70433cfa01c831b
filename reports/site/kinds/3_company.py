"""One page a company: its rank on every video board, then and now, the hours it could use, models, resources and disclosures."""

from typing import Any

import altair as alt

from datamoat.views.panels import Panel
from datamoat.views.site import Extra, Kind, Page

COMPANIES = """
    select v.company_id, v.company_name, v.owns_platform, v.basis, coalesce(b.best, 999) as best
    from (from marts.company_volume where scenario_id = 'baseline' and month = (select max(month) from marts.company_volume)) as v
    left join (
        select company_id, min(company_rank) as best from marts.company_moat
        where scenario_id = 'baseline' and (board_id, captured_on) in (select (board_id, max(captured_on)) from marts.company_moat group by board_id)
        group by company_id
    ) as b using (company_id)
    where v.owns_platform or b.best is not null
    order by best, v.company_name
"""
ROWS = """
    with days as (
        select board_id, max(captured_on) as captured_on, 'newest' as moment from marts.company_moat group by board_id
        union all
        select board_id, max(captured_on), 'story' from marts.company_moat where captured_on between date '2026-04-14' and date '2026-05-14' group by board_id
    )
    select
        d.board_id, d.moment, d.captured_on, m.company_rank, (select count(*) from marts.company_moat as a where a.board_id = d.board_id
        and a.captured_on = d.captured_on and a.scenario_id = 'baseline') as n_companies, m.best_entry_name, m.best_rating, m.best_rating_low,
        m.best_rating_high, m.best_released_on
    from days as d
    inner join marts.company_moat as m on d.board_id = m.board_id and d.captured_on = m.captured_on
    where m.company_id = '{company}' and m.scenario_id = 'baseline'
    order by d.board_id, d.moment
"""
FACTS = """
    with volume as (from marts.company_volume where scenario_id = 'baseline' and company_id = '{company}' and month = (select max(month) from marts.company_volume)),
    ranked as ({rows})
    select
        v.*, (select as_of from meta.build) as as_of_on, 1.0 as title_probability, (select count(*) filter (where moment = 'newest') from ranked) as n_boards,
        coalesce((
            select 'ranks ' || arg_min(company_rank || ' of ' || n_companies || ' on ' || case board_id {names} else board_id end, company_rank)
                || case when count(*) > 1 then ', its best of ' || count(*) || ' boards' else '' end
            from ranked where moment = 'newest' having count(*) > 0
        ), 'is on no board with a complete capture') as ranks
    from volume as v
"""
VOLUME = """
    select month, usable_hours_p05, usable_hours_p50, usable_hours_p95, basis from marts.company_volume
    where scenario_id = 'baseline' and company_id = '{company}' order by month
"""
OWNED = """
    select v.platform_name, p.owned_part, p.is_short, v.upload_hours_per_day_p50, v.stock_hours_p05, v.stock_hours_p50, v.stock_hours_p95, v.basis, v.last_counted_on
    from marts.company_platform as p inner join marts.platform_volume as v on p.platform_id = v.platform_id and p.month = v.month
    where p.company_id = '{company}' and v.scenario_id = 'baseline' and p.month = (select max(month) from marts.company_platform) and p.is_in_totals
    order by v.stock_hours_p50 desc
"""
HOURS = """
    select month, first_party_hours_per_day_p50, first_party_stock_hours_p50, available_hours_p50, usable_hours_p05, usable_hours_p50, usable_hours_p95
    from marts.company_volume where scenario_id = 'baseline' and company_id = '{company}' and month in (
        select max(month) from marts.company_volume union all select date '2026-05-01' union all select date '2025-05-01') order by month desc
"""
MODELS = "select model_name, released_on, is_open_weights, modalities, verification from marts.model_release where company_id = '{company}' order by released_on desc nulls last, model_name"
RESOURCES = """
    select quantity, fiscal_year, as_of_on, value_usd, figure_as_stated, is_size, c.url
    from marts.company_resources as r left join meta.citations as c using (citation_id) where r.company_id = '{company}' and r.is_usable order by as_of_on desc, quantity
"""
DISCLOSED = """
    select d.model_id, d.quantity, d.stage, d.value, d.figure_as_stated, c.url from marts.training_disclosure as d left join meta.citations as c using (citation_id)
    where d.company_id = '{company}' order by d.model_id, d.quantity
"""
CITED = """
    select citation_ids from marts.leaderboard where company_id = '{company}' and is_ranked
        and (board_id, captured_on) in (select (board_id, max(captured_on)) from marts.company_moat group by board_id)
    union all select citation_ids from marts.company_volume where company_id = '{company}' and scenario_id = 'baseline' and month = (select max(month) from marts.company_volume)
"""
HEADINGS = ("board|word", "captures", "day", "rank", "companies", "best entry", "rating|n", "low|n", "high|n", "released")


def kind(con: Any, style: Any) -> Kind:
    """Return the pages of companies."""
    return Kind("company", "Companies", tuple(_page(con, style, *row) for row in con.sql(COMPANIES).fetchall()))


def _records(con: Any, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    relation = con.sql(sql)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def _page(con: Any, style: Any, company: str, name: str, owns: bool, basis: str, best: int) -> Page:
    """Return the page of one company."""
    sql = ROWS.format(company=company)
    ranks = _records(con, sql)
    volume = _records(con, VOLUME.format(company=company))

    def draw(width: int) -> Any:
        charts = [_ranks(ranks, style, width)] if ranks else []
        hours = [
            {"month": r["month"], "low": r["usable_hours_p05"], "x": r["usable_hours_p50"], "high": r["usable_hours_p95"]}
            for r in volume
        ]
        charts.append(
            style.over_time(hours, volume[-1]["month"], "Hours after filtering", width, basis != "prior_only").properties(
                width=width - (330 if width >= style.NARROW else 100), height=190, title="Hours after filtering that it could use"
            )
        )
        return style.themed(alt.vconcat(*charts, spacing=18), width)

    extras = [
        Extra("Hours, medians", HOURS.format(company=company), ("month", "own hours a day|many", "own cumulative hours|many", "available|many", "after filtering, 5 %|many", "median|many", "95 %|many")),
        Extra("Models", MODELS.format(company=company), ("model", "released", "open weights", "makes", "how it was seen|word")),
        Extra("Size: R&D, revenue, funding, people", RESOURCES.format(company=company), ("quantity|word", "year", "as of", "US dollars|many", "as stated", "used as size", "page")),
        Extra("What its reports give about training data", DISCLOSED.format(company=company), ("model", "quantity|word", "stage", "value|many", "as stated", "page")),
    ]  # fmt: skip
    if owns:
        extras.insert(0, Extra("Platforms it owns", OWNED.format(company=company), ("platform", "part|word", "short video", "hours a day|many", "cumulative hours, 5 %|many", "median|many", "95 %|many", "evidence|word", "last count")))  # fmt: skip
    panel = Panel(
        company,
        f"{name} {{ranks}}",
        "",
        "Rank among companies by best entry; hours after filtering by month, median and 90 % interval",
        (
            (f"{name} {{ranks}}. It could use about {{usable_hours_p50:many}} hours after filtering in {{month:month}}"
            " (90 %: {usable_hours_p05:many} to {usable_hours_p95:many})."),
            "These are ceilings, not training sets." if owns else "It owns no video platform: these hours are the public web and licences, the same wide interval for every such company.",
        ),
        FACTS.format(company=company, rows=sql, names=" ".join(f"when '{one}' then '{name}'" for one, name in style.BOARDS.items())),
        sql if ranks else VOLUME.format(company=company),
        CITED.format(company=company) if ranks or basis != "prior_only" else "select citation_ids from marts.company_volume where scenario_id = 'baseline'",
        HEADINGS if ranks else ("month", "hours after filtering, 5 %|many", "median|many", "95 %|many", "evidence|word"),
        draw,
    )  # fmt: skip
    note = (f"best rank {best}" if best < 999 else "on no board") + (", owns a platform" if owns else "")
    return Page(panel, name, note, tuple(extras))


def _ranks(ranks: list[dict[str, Any]], style: Any, width: int) -> Any:
    """Return the rank on each board: newest as a filled mark, day of the story as a hollow one."""
    is_wide = width >= style.NARROW
    data = [
        {"board": style.board(row["board_id"], width), "rank": row["company_rank"], "is_new": row["moment"] == "newest", "label": f"{row['company_rank']} of {row['n_companies']}"}
        for row in ranks
    ]  # fmt: skip
    base = alt.Chart(alt.Data(values=data))
    y = alt.Y("board:N", sort=[style.board(board, width) for board in style.BOARDS], axis=alt.Axis(title=None, labelLimit=290))
    x = alt.X(
        "rank:Q",
        scale=alt.Scale(domain=[1, max(10, *(row["company_rank"] for row in ranks))], nice=False),
        axis=alt.Axis(title="rank among companies; hollow: day of the story", tickMinStep=1, format="d", tickCount=6),
    )
    marks = base.mark_point(size=90, opacity=1, strokeWidth=1.6).encode(
        x=x, y=y, stroke=alt.condition("datum.is_new", alt.value(style.ACCENT), alt.value(style.GREY)), fill=alt.condition("datum.is_new", alt.value(style.ACCENT), alt.value("white"))
    )  # fmt: skip
    words = (
        base.transform_filter("datum.is_new")
        .mark_text(align="left", dx=9, fontSize=11, color=style.QUIET)
        .encode(x=x, y=y, text="label:N")
    )
    return (marks + words).properties(width=width - (330 if is_wide else 215), height=alt.Step(26))
