"""Which boards were read on which days, and what was in the reading."""

from typing import Any

import altair as alt

from datamoat.views.panels import Panel

ROWS = """
    select board_id, status, count(*) as n_days, min(captured_on) as first_on, max(captured_on) as last_on
    from marts.board_status group by all order by board_id, status
"""
DAYS = "select board_id, captured_on, status from marts.board_status where status <> 'missing' order by 1, 2"
FACTS = """
    select
        count(*) as n_all, count(*) filter (where status in ('ok', 'unchanged')) as n_usable,
        count(*) filter (where status = 'partial') as n_partial, count(*) filter (where status = 'missing') as n_missing,
        count(*) filter (where status in ('empty', 'error')) as n_bad, count(distinct board_id) as n_boards,
        count(*) filter (where status in ('ok', 'unchanged')) / count(*) as usable_share,
        min(captured_on) as since, max(captured_on) as until, max(captured_on) as as_of_on, 1.0 as title_probability
    from marts.board_status
"""
HEADINGS = ("board|word", "status", "days", "first", "last")
STATUS_LABELS = {
    "ok": "complete", "unchanged": "complete, as before", "partial": "leader and a few ranks", "empty": "empty response",
    "error": "broken response",
}  # fmt: skip


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    read = con.sql(DAYS).fetchall()
    found = {status for *_, status in read}
    words = {status: word for status, word in STATUS_LABELS.items() if status in found}
    colours = dict(zip(STATUS_LABELS, (style.ACCENT, "#7ba7d1", style.GREY, style.INK, style.INK), strict=True))
    ids = {board_id for board_id, *_ in read}
    boards = [board_id for board_id in style.BOARDS if board_id in ids] + sorted(ids - set(style.BOARDS))

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        names = {board_id: style.board(board_id, width) for board_id in boards}
        days = [{"board": names[b], "day": d.isoformat(), "status": words[s]} for b, d, s in read]
        chart = (
            alt.Chart(alt.Data(values=days))
            .mark_tick(thickness=2.5 if is_wide else 2, size=15, opacity=1)
            .encode(
                x=alt.X("day:T", axis=alt.Axis(title=None, format="%b %Y", labelAngle=0, tickCount={"interval": "month", "step": 3 if is_wide else 6}, labelOverlap=True, grid=True)),
                y=alt.Y("board:N", sort=list(names.values()), axis=alt.Axis(title=None, labelLimit=290)),
                color=alt.Color(
                    "status:N", title=None, sort=list(words.values()),
                    scale=alt.Scale(domain=list(words.values()), range=[colours[status] for status in words]),
                ),
            )
            .properties(width=width - (285 if is_wide else 190), height=alt.Step(26))
        )  # fmt: skip
        return style.themed(chart, width)

    return [
        Panel(
            "coverage",
            "A complete capture on {usable_share:share} of calendar days; the other days are blank, not filled in",
            "A complete capture on {usable_share:share} of calendar days; the other days are blank, not filled in",
            "Days with a capture of each board, by what it holds",
            (
                (
                    "From {since:day} to {until:day}, {n_boards:n} boards: {n_usable:n} days with a complete capture (ok, or unchanged since the"
                    " one before), {n_partial:n} with the leader and a few ranks, {n_bad:n} with an empty or broken response, {n_missing:n}"
                    " without any. A blank day is a day without a capture; the board itself existed."
                ),
            ),
            FACTS,
            ROWS,
            "select citation_ids from marts.board_status where status <> 'missing'",
            HEADINGS,
            draw,
        )
    ]
