"""One page a board: its newest complete capture with intervals, who led it from when to when, and how fresh it is."""

from typing import Any

import altair as alt

from datamoat.views.panels import Panel
from datamoat.views.site import Extra, Kind, Page

BOARDS = """
    select board_id, captured_on, n_ranked, leader_entry_name, leader_rating from marts.board_status
    where is_latest_usable order by board_family <> 'video', board_id
"""
ROWS = """
    select l.rank, l.entry_name, coalesce(c.company_name, l.company_id) as company_name, l.rating, l.rating_low, l.rating_high, l.n_votes, l.released_on
    from marts.leaderboard as l
    left join (select company_id, min(company_name) as company_name from marts.company_volume group by company_id) as c on l.company_id = c.company_id
    where l.board_id = '{board}' and l.captured_on = date '{day}' and l.is_ranked
    order by l.rating desc, l.entry_name
"""
FACTS = """
    select
        s.captured_on, s.captured_on as as_of_on, s.leader_entry_name,
        case when s.leader_rating >= 1000 then format('{{:,.0f}}', s.leader_rating) else format('{{:.4g}}', s.leader_rating) end as rating_text, s.n_ranked, s.scale_id, 1.0 as title_probability,
        (select min(captured_on) from marts.board_status where board_id = '{board}' and status in ('ok', 'unchanged')) as since,
        (select count(*) from marts.board_status where board_id = '{board}' and status in ('ok', 'unchanged')) as n_complete,
        (select stale_since_on from marts.series_freshness where series_kind = 'board' and series_id = '{board}') as stale_since_on
    from marts.board_status as s where s.board_id = '{board}' and s.is_latest_usable
"""
LED = """
    with led as (
        select captured_on, leader_entry_name, leader_company_id, leader_rating,
            leader_entry_name is distinct from lag(leader_entry_name) over (order by captured_on) as is_new
        from marts.board_status where board_id = '{board}' and leader_entry_name is not null
    ),
    numbered as (select *, sum(is_new::integer) over (order by captured_on) as run from led)
    select min(captured_on) as since, max(captured_on) as until, min(leader_entry_name) as entry, min(leader_company_id) as company, max(leader_rating) as highest, count(*) as n
    from numbered group by run order by since desc
"""
HEADINGS = ("rank", "entry", "company", "rating|n", "rating, low|n", "rating, high|n", "votes|n", "released")
SHOWN = 20


def kind(con: Any, style: Any) -> Kind:
    """Return the pages of boards."""
    return Kind("board", "Boards", tuple(_page(con, style, *row) for row in con.sql(BOARDS).fetchall()))


def _page(con: Any, style: Any, board: str, day: Any, n_ranked: int, entry: str, rating: float) -> Page:
    """Return the page of one board."""
    del n_ranked, rating
    sql = ROWS.format(board=board, day=day)
    relation = con.sql(sql)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()][:SHOWN]
    name = style.board(board, 1000)

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        data = [
            {**row, "released_on": None, "line": style.broken(f"{row['entry_name']}", 44 if is_wide else 24), "company": style.short(row["company_name"])}
            for row in rows
        ]  # fmt: skip
        base = alt.Chart(alt.Data(values=data))
        y = alt.Y("line:N", sort=[row["line"] for row in data], axis=alt.Axis(title=None, labelExpr=style.LINES, labelLimit=300))
        x = alt.X(
            "rating:Q",
            scale=alt.Scale(zero=False),
            axis=alt.Axis(title="Rating" + (" (95 % interval)" if any(row["rating_low"] for row in rows) else ""), tickCount=5),
        )
        lines = base.mark_rule(color=style.ACCENT, opacity=0.5, strokeWidth=2.5).encode(
            x=alt.X("rating_low:Q", scale=alt.Scale(zero=False)), x2="rating_high:Q", y=y
        )
        marks = base.mark_circle(color=style.ACCENT, size=70, opacity=1).encode(x=x, y=y)
        layers = lines + marks
        own = width - (400 if is_wide else 175)
        if is_wide:
            layers += base.mark_text(align="left", baseline="middle", fontSize=12, color=style.QUIET).encode(
                x=alt.value(own + 6), y=y, text="company:N"
            )
        return style.themed(layers.properties(width=own, height=alt.Step(24 if is_wide else 34)), width)

    panel = Panel(
        board.replace("_", "-"),
        f"{name}: {{leader_entry_name}} is listed first with {{rating_text}}",
        "",
        f"Ratings of the {min(SHOWN, len(rows))} highest ranked entries",
        (
            (
                "On {captured_on:day}, the newest day on which the board is known whole, it ranks {n_ranked:n} entries, and {leader_entry_name} is"
                " first with {rating_text}. There are {n_complete:n} complete captures since {since:day}. It is stale from"
                " {stale_since_on:day} on, unless a newer one comes."
            ),
            "Ratings of different boards, or from before and after a change of scale, are not comparable. This capture is on the scale {scale_id}.",
        ),
        FACTS.format(board=board),
        sql,
        f"select citation_ids from marts.leaderboard where board_id = '{board}' and captured_on = date '{day}'",
        HEADINGS,
        draw,
    )
    led = Extra(
        "Who led it, from capture to capture",
        LED.format(board=board),
        ("from", "to", "entry", "company", "highest rating|n", "captures"),
    )
    return Page(panel, name, f"{entry}, as of {day}", (led,))
