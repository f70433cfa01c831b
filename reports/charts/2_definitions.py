"""What the correlation is under every definition that was fixed in advance, on each primary board."""

from typing import Any

import altair as alt

from datamoat.report import Panel

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
        max(middle) filter (where is_headline) as headline, arg_min(definition_title, middle) as lowest_title,
        arg_max(definition_title, middle) as highest_title, arg_max(n, middle) as highest_n, arg_min(n, middle) as lowest_n,
        max(middle) filter (where definition_title = 'Usable hours, short-video platforms only') as short_video
    from middles
"""
)
HEADINGS = ("definition", "board", "statistic", "value", "effect, 5 %", "effect, 95 %", "p", "companies", "owners", "headline")
NAMES = {
    "aa_text_to_video": "Artificial Analysis, text", "aa_image_to_video": "Artificial Analysis, image",
    "arena_text_to_video": "Arena, text", "arena_image_to_video": "Arena, image",
}  # fmt: skip


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    relation = con.sql(ROWS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    order = list(dict.fromkeys(row["definition_title"] for row in rows))

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        data = [
            {
                **row,
                "board": NAMES.get(row["board_id"], row["board_id"]),
                "lines": _broken(row["definition_title"], 52 if is_wide else 24),
            }
            for row in rows
        ]
        wanted = [_broken(title, 52 if is_wide else 24) for title in order]
        base = alt.Chart(alt.Data(values=data))
        y = alt.Y(
            "lines:N", sort=wanted, axis=alt.Axis(title=None, labelLimit=360, labelExpr="split(datum.label, '|')", grid=True)
        )
        x = alt.X(
            "value:Q", scale=alt.Scale(domain=[-0.4, 0.8]), axis=alt.Axis(title="Rank correlation with rating", format=".1f")
        )
        colour = alt.Color(
            "board:N", sort=list(NAMES.values()), title=None,
            scale=alt.Scale(domain=list(NAMES.values()), range=[style.BLUE, style.SKY, style.ORANGE, style.PINK]),
        )  # fmt: skip
        shape = alt.Shape(
            "board:N",
            title=None,
            scale=alt.Scale(domain=list(NAMES.values()), range=["circle", "square", "triangle-up", "diamond"]),
        )
        spread = base.mark_rule(color=style.GREY, strokeWidth=1.5).encode(y=y, x=alt.X("min(value):Q"), x2="max(value):Q")
        marks = base.mark_point(filled=True, size=75, opacity=0.95).encode(x=x, y=y, color=colour, shape=shape)
        zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(color=style.INK).encode(x="at:Q")
        head = base.transform_filter("datum.is_headline").mark_bar(color="#fff2c2", height=alt.RelativeBandSize(1)).encode(
            y=y, x=alt.value(0), x2=alt.value(width - (330 if is_wide else 175))
        )  # fmt: skip
        drawn = (head + spread + zero + marks).properties(
            width=width - (330 if is_wide else 175), height=(28 if is_wide else 42) * len(order)
        )
        return style.themed(drawn, width)

    return [
        Panel(
            "definitions",
            "What the link comes to hangs on its definition: from {lowest:r2} to {highest:r2} over {n_definitions:n} of them, {headline:r2} by the headline",
            (
                (
                    "Each line is one definition of “volume goes with rank”, written down before any number was looked at; each mark is one"
                    " primary board, and the marked line is the headline. The medians run from {lowest:r2} ({lowest_title}; {lowest_n:n}"
                    " companies at the least) to {highest:r2} ({highest_title}; {highest_n:n}). With short-video platforms alone it is"
                    " {short_video:r2}. {n_positive:n} of the {n_definitions:n} are above zero."
                ),
                (
                    "Lines with few companies say little whatever they show. Differences in rating points and chances of being ahead are"
                    " other units, and stand in marts.moat_association."
                ),
            ),
            FACTS,
            ROWS,
            HEADINGS,
            draw,
        )
    ]


def _broken(title: str, width: int) -> str:
    """Return a title in lines, parted by a bar."""
    lines = [""]
    for word in title.split():
        lines[-1:] = [f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < width else [lines[-1], word]
    return "|".join(lines)
