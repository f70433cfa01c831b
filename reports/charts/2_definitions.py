"""What the correlation is under every definition that was fixed in advance, on each primary board."""

from typing import Any

import altair as alt

from datamoat.views.report import Panel

NEWEST = """
    with boards as (
        select unnest(boards_read) as board_day
        from marts.moat_answer where quarter_on = (select max(quarter_on) from marts.moat_answer)
    ), curve as (
        select
            d.title AS definition_title, a.board_id, a.statistic, a.value, a.effect_p05, a.effect_p95, a.p_permutation, a.n_companies,
            a.n_with_platform, a.is_headline, median(a.value) over (partition by a.definition_id) as middle
        from marts.moat_association as a
        inner join boards as b on a.board_id || ' ' || a.captured_on = b.board_day
        inner join marts.moat_definition as d on a.definition_id = d.definition_id
        where a.statistic in ('spearman', 'kendall_tau_b')
    )
"""
ROWS = (
    NEWEST
    + """
    select definition_title, board_id, statistic, value, effect_p05, effect_p95, p_permutation, n_companies, n_with_platform, is_headline
    from curve order by middle desc, definition_title, board_id
"""
)
FACTS = (
    NEWEST
    + """
    , middles as (select distinct definition_title, middle, is_headline, min(n_companies) over (partition by definition_title) as n from curve)
    select
        count(*) as n_definitions, count(*) filter (where middle > 0) as n_positive, min(middle) as lowest, max(middle) as highest,
        max(middle) filter (where is_headline) as preregistered, arg_min(definition_title, middle) as lowest_title,
        arg_max(definition_title, middle) as highest_title, arg_max(n, middle) as highest_n, arg_min(n, middle) as lowest_n,
        max(middle) filter (where definition_title = 'Usable hours, short-video platforms only') as short_video
    from middles
"""
)
HEADINGS = (
    "definition",
    "board",
    "statistic",
    "value",
    "effect, 5 %",
    "effect, 95 %",
    "p",
    "companies",
    "owners",
    "primary specification",
)


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    relation = con.sql(ROWS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    labels = _labels(rows)
    boards = sorted({row["board_id"] for row in rows}, key=list(style.BOARDS).index)

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        lines = {title: style.broken(label, 52 if is_wide else 24) for title, label in labels.items()}
        data = [{**row, "board": style.board(row["board_id"], width), "lines": lines[row["definition_title"]]} for row in rows]
        names = [style.board(board, width) for board in boards]
        base = alt.Chart(alt.Data(values=data))
        y = alt.Y(
            "lines:N", sort=list(lines.values()), axis=alt.Axis(title=None, labelLimit=360, labelExpr=style.LINES, grid=True)
        )
        x = alt.X(
            "value:Q", scale=alt.Scale(domain=[-0.4, 0.8]), axis=alt.Axis(title="Rank correlation with rating", format=".1f")
        )
        key = alt.Legend(title=None, columns=2 if is_wide else 1)
        colour = alt.Color(
            "board:N",
            sort=names,
            legend=key,
            scale=alt.Scale(domain=names, range=[style.BLUE, style.SKY, style.ORANGE, style.PINK]),
        )
        shape = alt.Shape(
            "board:N", legend=key, scale=alt.Scale(domain=names, range=["circle", "square", "triangle-up", "diamond"])
        )
        spread = base.mark_rule(color=style.GREY, strokeWidth=1.5).encode(y=y, x=alt.X("min(value):Q"), x2="max(value):Q")
        marks = base.mark_point(filled=True, size=75, opacity=0.95).encode(x=x, y=y, color=colour, shape=shape)
        zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(color=style.INK).encode(x="at:Q")
        head = base.transform_filter("datum.is_headline").mark_bar(color="#fff2c2", height=alt.RelativeBandSize(1)).encode(
            y=y, x=alt.value(0), x2=alt.value(width - (330 if is_wide else 175))
        )  # fmt: skip
        word = alt.Chart(alt.Data(values=[row for row in data if row["is_headline"]][:1])).mark_text(
            text="primary", align="left", dx=5, fontSize=11, color=style.QUIET
        ).encode(y=y, x=alt.value(0))  # fmt: skip
        drawn = (head + spread + zero + marks + word).properties(
            width=width - (330 if is_wide else 175), height=(28 if is_wide else 42) * len(lines)
        )
        return style.themed(drawn, width)

    return [
        Panel(
            "definitions",
            "The association depends on the specification: from {lowest:r2} to {highest:r2} over {n_definitions:n} of them, {preregistered:r2} by the primary one",
            (
                (
                    "Each line is one specification of “volume is associated with rank”, pre-registered before the data were seen; each mark"
                    " is one primary board, and the marked line is the primary specification. The medians run from {lowest:r2} ({lowest_title}; {lowest_n:n}"
                    " companies at the least) to {highest:r2} ({highest_title}; {highest_n:n}). With short-video platforms alone it is"
                    " {short_video:r2}. {n_positive:n} of the {n_definitions:n} are above zero."
                ),
                (
                    "Numbers in brackets are companies, where a specification has fewer than the board; lines with few companies are weak"
                    " evidence. Differences in rating points and chances of being ahead have other units: see marts.moat_association."
                ),
            ),
            FACTS,
            ROWS,
            HEADINGS,
            draw,
        )
    ]


def _labels(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the label of each specification, with the number of companies where it differs from the primary one."""
    companies: dict[str, list[int]] = {}
    for row in rows:
        companies.setdefault(row["definition_title"], []).append(row["n_companies"])
    head = next(row["definition_title"] for row in rows if row["is_headline"])
    labels: dict[str, str] = {}
    for title, n in companies.items():
        counted = str(min(n)) if min(n) == max(n) else f"{min(n)}–{max(n)}"
        labels[title] = title if n == companies[head] else f"{title} ({counted})"
    return labels
