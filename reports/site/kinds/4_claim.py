"""One page a claim: its verdict on every board and day, May beside now, and the query that decides it."""

import re
from typing import Any

import altair as alt

from datamoat.views.panels import Panel
from datamoat.views.site import Extra, Kind, Page

CLAIMS = """
    select claim_id, claim_text, claim_origin as origin, how_decided, sql as decides,
        exists (from marts.claim_check as found where found.claim_id = claim.claim_id and found.board_id <> 'no_board') as is_about_boards
    from marts.claim as claim order by origin <> 'story', claim_id
"""
ROWS = """
    select board_id, captured_on, verdict, evidence from marts.claim_check where claim_id = '{claim}' and (verdict <> 'no_data' or board_id = 'no_board')
    order by board_id, captured_on desc
"""
FACTS = """
    with decided as ({rows}),
    moments as (
        (select 'now' as moment, * from decided qualify row_number() over (partition by board_id order by captured_on desc) = 1)
        union all
        (select 'may', * from decided where captured_on <= date '2026-05-14' or board_id = 'no_board'
            qualify row_number() over (partition by board_id order by abs(captured_on - date '2026-05-14'), captured_on desc) = 1)
    )
    select
        count(*) filter (where moment = 'now' and verdict = 'true') as true_now, count(*) filter (where moment = 'now' and verdict = 'false') as false_now,
        count(*) filter (where moment = 'now' and verdict not in ('true', 'false')) as open_now,
        count(*) filter (where moment = 'may' and verdict = 'true') as true_may, count(*) filter (where moment = 'may' and verdict = 'false') as false_may,
        count(*) filter (where moment = 'may' and verdict not in ('true', 'false')) as open_may,
        coalesce(max(captured_on), (select as_of from meta.build)) as as_of_on, 1.0 as title_probability,
        case
            when count(*) filter (where moment = 'now' and verdict = 'true') = count(*) filter (where moment = 'now') then 'true'
            when count(*) filter (where moment = 'now' and verdict = 'false') = count(*) filter (where moment = 'now') then 'false'
            when count(*) filter (where moment = 'now' and verdict in ('true', 'false')) = 0 then 'cannot tell'
            when count(*) filter (where moment = 'now' and verdict = 'true') = 0 then 'false now wherever it can be decided'
            when count(*) filter (where moment = 'now' and verdict = 'false') = 0 then 'true now wherever it can be decided'
            else 'differs by board'
        end as now_word,
        max(evidence) filter (where moment = 'now') as evidence
    from moments
"""
# Verdicts are drawn, not values; remembered values are no page that could be credited.
CITED = """
    select [citation_id] as citation_ids
    from (select distinct unnest(citation_ids) as citation_id from ({tables}))
    inner join meta.citations using (citation_id) inner join meta.sources as s using (source_id) where s.may_plot = 'yes'
"""
KINDS = {"true": "true", "false": "false", "cannot_tell": "open", "not_testable": "open", "no_data": "open"}


def kind(con: Any, style: Any) -> Kind:
    """Return the pages of claims."""
    has_citations = {
        name
        for (name,) in con.sql(
            "select table_name from meta.columns where column_name = 'citation_ids' and layer = 'marts'"
        ).fetchall()
    }
    return Kind("claim", "Claims", tuple(_page(con, style, has_citations, *row) for row in con.sql(CLAIMS).fetchall()))


def _page(
    con: Any, style: Any, has_citations: set[str], claim: str, text: str, origin: str, how: str, decides: str, about_boards: bool
) -> Page:
    """Return the page of one claim."""
    sql = ROWS.format(claim=claim)
    rows = con.sql(sql).fetchall()
    word = con.sql(FACTS.format(rows=sql)).pl()["now_word"][0]
    tables = sorted(set(re.findall(r"marts\.(\w+)", decides)) & has_citations) or ["moat_answer"]

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        colours = alt.Scale(domain=["true", "false", "open"], range=[style.ACCENT, style.INK, "#c9c9c9"])
        if not about_boards:
            decided = [
                {
                    "verdict": KINDS[verdict],
                    "lines": [verdict.replace("_", " "), *style.broken(evidence, 84 if is_wide else 40).split("|")],
                }
                for _, _, verdict, evidence in rows[:1]
            ]
            drawn = alt.Chart(alt.Data(values=decided)).mark_text(align="left", baseline="top", fontSize=14, lineHeight=20).encode(
                x=alt.value(0), y=alt.value(0), text="lines:N", color=alt.Color("verdict:N", scale=alt.Scale(domain=["true", "false", "open"], range=[style.ACCENT, style.INK, style.QUIET]), legend=None)
            )  # fmt: skip
            return style.themed(drawn.properties(width=width - 30, height=24 + 20 * max(len(s["lines"]) for s in decided)), width)
        data = [
            {"board": style.board(board, width), "day": day.isoformat(), "verdict": KINDS[verdict]}
            for board, day, verdict, _ in rows
        ]
        drawn = alt.Chart(alt.Data(values=data)).mark_tick(thickness=3 if is_wide else 2, size=16, opacity=1).encode(
            x=alt.X("day:T", axis=alt.Axis(title=None, format="%b %Y", labelAngle=0, tickCount={"interval": "month", "step": 3 if is_wide else 6}, labelOverlap=True, grid=True)),
            y=alt.Y("board:N", sort=[style.board(board, width) for board in style.BOARDS], axis=alt.Axis(title=None, labelLimit=290)),
            color=alt.Color("verdict:N", title=None, scale=colours, legend=alt.Legend(columns=3)),
        )  # fmt: skip
        return style.themed(drawn.properties(width=width - (310 if is_wide else 190), height=alt.Step(28)), width)

    panel = Panel(
        claim,
        f"“{text}”: {{now_word}}",
        "",
        "Verdict by board and day" if about_boards else "Verdict",
        (
            (
                f"“{text}” ({origin}). Now: {{true_now:n}} true, {{false_now:n}} false, {{open_now:n}} open. On the day of the story: {{true_may:n}} true,"
                " {false_may:n} false, {open_may:n} open. Counts are boards, or 1 where the claim is about none."
            ),
            " ".join(how.split()).replace("{", "(").replace("}", ")"),
        ),
        FACTS.format(rows=sql),
        sql,
        CITED.format(tables=" union all ".join(f"select citation_ids from marts.{table}" for table in tables)),
        ("board|word", "day", "verdict|word", "evidence"),
        draw,
    )
    asked = Extra("The query that decides it", f"select sql from marts.claim where claim_id = '{claim}'", ("SQL",))
    return Page(panel, text, word, (asked,))
