"""Who led which board on each day with a capture; days without a capture are blank."""

from typing import Any

import altair as alt

from datamoat.views.report import Panel

ROWS = """
    select s.board_id, s.captured_on, c.company_name, s.leader_entry_name, s.leader_rating, s.n_leaders, s.status
    from marts.board_status as s
    left join (select distinct company_id, company_name from marts.company_moat) as c on s.leader_company_id = c.company_id
    where s.leader_entry_name is not null and s.leader_company_id is not null
        and s.board_id in ('aa_text_to_video', 'aa_image_to_video', 'arena_text_to_video', 'arena_image_to_video', 'arena_video_edit')
    order by s.board_id, s.captured_on
"""
FACTS = f"""
    with led as ({ROWS}),
    changes as (
        select board_id, company_name is distinct from lag(company_name) over (partition by board_id order by captured_on) as is_new from led
    ),
    named as (
        select *, case when board_id like 'aa_%' then 'Artificial Analysis, ' || replace(substr(board_id, 4), '_', ' ')
            else 'Arena, ' || replace(substr(board_id, 7), '_', ' ') end as place
        from led
    ),
    last as (select board_id, place, company_name, captured_on from named qualify row_number() over (partition by board_id order by captured_on desc) = 1),
    may as (
        select board_id, place, company_name from named where captured_on <= date '2026-05-14' and captured_on >= date '2026-04-30'
        qualify row_number() over (partition by board_id order by captured_on desc) = 1
    )
    select
        (select count(distinct company_name) from led) as n_leaders,
        (select count(*) filter (where is_new) from changes) - (select count(distinct board_id) from led) as n_handovers,
        (select count(distinct board_id) from led) as n_boards,
        (select min(captured_on) from led) as since,
        (select string_agg(company_name || ' (' || place || ')', '; ' order by board_id) from last) as now_leading,
        (select string_agg(company_name || ' (' || place || ')', '; ' order by board_id) from may) as may_leading
"""
HEADINGS = ("board", "day", "company", "entry", "rating", "leading entries", "status")


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    relation = con.sql(ROWS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["company_name"]] = counts.get(row["company_name"], 0) + 1
    companies = sorted(counts, key=lambda name: (-counts[name], name))

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        data = [
            {
                "board": style.board(row["board_id"], width),
                "day": row["captured_on"].isoformat(),
                "company": style.short(row["company_name"]),
            }
            for row in rows
        ]
        palette = [
            style.BLUE,
            style.ORANGE,
            style.GREEN,
            style.PINK,
            style.SKY,
            "#111111",
            "#c9a400",
            style.GREY,
            "#7a4d00",
            "#5d3a9b",
        ]
        shown = [style.short(name) for name in companies]
        lanes = alt.Chart(alt.Data(values=data)).mark_tick(thickness=3 if is_wide else 2, size=16, opacity=1).encode(
            x=alt.X("day:T", axis=alt.Axis(title=None, format="%b %Y", labelAngle=0, tickCount={"interval": "month", "step": 3 if is_wide else 6}, labelOverlap=True, grid=True)),
            y=alt.Y("company:N", sort=shown, axis=alt.Axis(title=None, labelLimit=140)),
            color=alt.Color("company:N", sort=shown, legend=None, scale=alt.Scale(domain=shown, range=palette[: len(shown)])),
        )  # fmt: skip
        read = {row["board_id"] for row in rows}
        boards = [style.board(board, width) for board in style.BOARDS if board in read]
        panels_of = [
            lanes.transform_filter(f"datum.board === '{board}'").properties(
                width=width - (150 if is_wide else 125), height=alt.Step(18), title=board
            )
            for board in boards
        ]
        return style.themed(alt.vconcat(*panels_of, spacing=10).resolve_scale(x="shared"), width)

    return [
        Panel(
            "leaders",
            "The lead changed hands {n_handovers:n} times on {n_boards:n} boards; {n_leaders:n} companies have held it",
            (
                (
                    "Each stroke is a day with a capture, in the row of the company whose entry was first; days without a capture are"
                    " blank. Since {since:day}, {n_leaders:n} companies have led. In mid-May 2026, when the story was published, the"
                    " leaders were {may_leading}. In the last capture they are {now_leading}."
                ),
                (
                    "Captures are more frequent in some months than in others, so count changes, not strokes. A capture may list the"
                    " leader and a few ranks only (status partial)."
                ),
            ),
            FACTS,
            ROWS,
            HEADINGS,
            draw,
        )
    ]
