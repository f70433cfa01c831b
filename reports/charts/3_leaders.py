"""Who led each board from when to when: bands between captures that name the same company; longer gaps are blank."""

from datetime import date, timedelta
from typing import Any

import altair as alt

from datamoat.views.panels import Panel

LONGEST_GAP = 60  # days between two captures that name the same leader; beyond that the band is interrupted
BOARDS = "('aa_text_to_video', 'aa_image_to_video', 'arena_text_to_video', 'arena_image_to_video', 'arena_video_edit')"
LED = f"""
    select s.board_id, s.captured_on, s.leader_company_id, c.company_name, c.owns, s.leader_entry_name, s.leader_rating, s.n_leaders, s.citation_ids
    from marts.board_status as s
    inner join (select company_id, min(company_name) as company_name, bool_or(owns_platform) as owns from marts.company_volume group by company_id) as c
        on s.leader_company_id = c.company_id
    where s.leader_entry_name is not null and s.board_id in {BOARDS}
"""
ROWS = f"""
    with led as ({LED}),
    marked as (
        select *, leader_company_id is distinct from lag(leader_company_id) over board
            or captured_on - lag(captured_on) over board > {LONGEST_GAP} as is_new
        from led window board as (partition by board_id order by captured_on)
    ),
    numbered as (select *, sum(is_new::integer) over (partition by board_id order by captured_on) as band from marked)
    select
        board_id, min(captured_on) as since, max(captured_on) as until, min(company_name) as company_name, bool_and(owns) as owns_platform,
        count(*) as n_captures, string_agg(distinct leader_entry_name, '; ' order by leader_entry_name) as entries, max(leader_rating) as highest_rating
    from numbered
    group by board_id, band
    order by board_id, since
"""
FACTS = f"""
    with led as ({LED}),
    bands as ({ROWS}),
    changes as (
        select leader_company_id is distinct from lag(leader_company_id) over (partition by board_id order by captured_on) as is_new from led
    ),
    named as (
        select *, case when board_id like 'aa_%' then 'Artificial Analysis, ' || replace(substr(board_id, 4), '_', ' ')
            else 'Arena, ' || replace(substr(board_id, 7), '_', ' ') end as place
        from led
    ),
    last as (from named qualify row_number() over (partition by board_id order by captured_on desc) = 1),
    may as (
        from named where captured_on between date '2026-04-30' and date '2026-05-14'
        qualify row_number() over (partition by board_id order by captured_on desc) = 1
    )
    select
        (select count(distinct company_name) from led) as n_leaders,
        (select count(*) filter (where is_new) from changes) - (select count(distinct board_id) from led) as n_handovers,
        (select count(distinct board_id) from led) as n_boards,
        (select count(distinct company_name) filter (where not owns_platform) from bands) as n_without,
        (select min(captured_on) from led) as since,
        (select max(captured_on) from led) as as_of_on,
        (select string_agg(company_name || ' (' || place || ')', '; ' order by board_id) from last) as now_leading,
        (select string_agg(company_name || ' (' || place || ')', '; ' order by board_id) from may) as may_leading,
        1.0 as title_probability
"""
CITATIONS = f"select citation_ids from ({LED})"
HEADINGS = ("board|word", "from", "to", "company", "owns a platform", "captures", "leading entries", "highest rating|n")
STORY = date(2026, 5, 14)


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    relation = con.sql(ROWS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        return style.themed(bands(rows, style, width - (20 if is_wide else 16), is_wide), width)

    title = "The lead changed {n_handovers:n} times on {n_boards:n} boards; of {n_leaders:n} companies that led, {n_without:n} own no platform"
    return [
        Panel(
            "leaders",
            title,
            title,
            "Company whose entry was first, from capture to capture",
            (
                (
                    "Each bar is a stretch of captures that name one company first; blue bars are companies that own a video platform, grey ones"
                    " do not. Stretches without a capture are blank. In mid-May 2026, when the story was published, the leaders were"
                    " {may_leading}. In the last capture they are {now_leading}."
                ),
                (
                    "Since {since:day}, {n_leaders:n} companies have led. A capture may list the leader and a few ranks only (status partial);"
                    " one capture is drawn as a short stroke."
                ),
            ),
            FACTS,
            ROWS,
            CITATIONS,
            HEADINGS,
            draw,
            has_hover=True,
        )
    ]


def bands(rows: list[dict[str, Any]], style: Any, own: int, is_wide: bool) -> Any:
    """Return one line a board, with the names of companies where they fit above their bars."""
    first, last = min(row["since"] for row in rows), max(row["until"] for row in rows)
    days = (last - first).days or 1
    boards = [board for board in style.BOARDS if any(row["board_id"] == board for row in rows)]
    boards += sorted({row["board_id"] for row in rows} - set(boards))
    data, names = [], []
    for n, board in enumerate(boards):
        taken: list[tuple[float, float]] = []  # stretches of the line above the bars that hold a name
        for row in sorted((row for row in rows if row["board_id"] == board), key=lambda row: row["since"] - row["until"]):
            until = max(row["until"], row["since"] + timedelta(days=max(1, days // 220)))
            dates = f"{row['since']}" + (f" to {row['until']}" if row["until"] > row["since"] else "")
            about = f"{row['company_name']}, {dates}: {row['entries']}" + (
                f", {row['highest_rating']:,.0f} at most" if row["highest_rating"] else ""
            )
            data.append(
                {"at": n, "from": row["since"].isoformat(), "to": until.isoformat(), "kind": row["owns_platform"], "about": about}
            )
            start, long = ((day - first).days / days * own for day in (row["since"], until))
            name = style.short(row["company_name"])
            wide = len(name) * 6.2 + 8
            if long - start > wide:
                names.append({"at": n, "label_at": start + 5, "name": name, "kind": row["owns_platform"], "is_inside": True})
                continue
            start = min(start, own - wide)
            if all(start + wide < low or start > high for low, high in taken):
                taken.append((start, start + wide))
                names.append({"at": n, "label_at": start, "name": name, "kind": row["owns_platform"], "is_inside": False})
    titles = [{"at": n, "title": style.board(board, 1000)} for n, board in enumerate(boards)]
    y_scale = alt.Scale(domain=[-0.75, len(boards) - 0.6], reverse=True, nice=False, zero=False)
    y = alt.Y("at:Q", scale=y_scale, axis=None)
    x_scale = alt.Scale(
        domain=[{"year": d.year, "month": d.month, "date": d.day} for d in (first, last + timedelta(days=2))], nice=False
    )
    x = alt.X(
        "from:T", scale=x_scale, axis=alt.Axis(title=None, format="%b %Y", labelAngle=0, tickCount={"interval": "month", "step": 3 if is_wide else 6}, labelOverlap=True, grid=True),
    )  # fmt: skip
    colour = alt.condition("datum.kind", alt.value(style.ACCENT), alt.value(style.GREY))
    bars = (
        alt.Chart(alt.Data(values=data))
        .mark_bar(height=18, stroke="white", strokeWidth=0.6)
        .encode(x=x, x2="to:T", y=y, color=colour, description="about:N")
    )
    placed = alt.X("label_at:Q", axis=None, scale=alt.Scale(domain=[0, own], nice=False, zero=False))
    labels = [
        alt.Chart(alt.Data(values=[row for row in names if row["is_inside"] == is_inside]))
        .mark_text(align="left", baseline="middle" if is_inside else "bottom", dy=1 if is_inside else -11, fontSize=11)
        .encode(x=placed, y=y, text="name:N", color=alt.value("white") if is_inside else colour)
        for is_inside in (True, False)
    ]
    heads = alt.Chart(alt.Data(values=titles)).mark_text(align="left", baseline="bottom", dy=-26, fontSize=12, fontWeight="bold", color=style.INK).encode(
        x=alt.value(0), y=y, text="title:N"
    )  # fmt: skip
    layers = [bars, heads]
    if first < STORY < last:
        at = alt.Chart(alt.Data(values=[{"story": STORY.isoformat()}]))
        layers += [
            at.mark_rule(color=style.INK, strokeDash=[3, 3]).encode(x=alt.X("story:T", scale=x_scale)),
            at.mark_text(text="story", align="right", dx=-3, baseline="top", fontSize=11, color=style.INK).encode(x=alt.X("story:T", scale=x_scale), y=alt.value(0)),
        ]  # fmt: skip
    timed = alt.layer(*layers)
    return alt.layer(timed, *labels).resolve_scale(x="independent").properties(width=own, height=66 * len(boards))
