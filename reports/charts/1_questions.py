"""The answers to the questions in points: the newest captures beside the day of the story."""

from typing import Any

import altair as alt

from datamoat.views.report import Panel

ROWS = """
    select
        question, as_of_kind, estimate, estimate_p05, estimate_p95, p_permutation, verdict, n_companies, n_owners
    from marts.moat_answer
    where as_of_kind in ('newest', 'story') and question_id in ('owning', 'size', 'amount', 'short', 'dose') and estimate is not null
    order by question_number, as_of_kind
"""
FACTS = """
    select
        (select estimate from marts.moat_answer where as_of_kind = 'newest' and question_id = 'owning') as owning,
        (select estimate from marts.moat_answer where as_of_kind = 'newest' and question_id = 'size') as sized,
        (select n_owners from marts.moat_answer where as_of_kind = 'newest' and question_id = 'owning') as n_owners,
        (select n_companies from marts.moat_answer where as_of_kind = 'newest' and question_id = 'owning') as n_companies,
        (select max(as_of_on) from marts.moat_answer where as_of_kind = 'newest') as as_of_on,
        (select min(sentence) from marts.moat_answer where as_of_kind = 'newest') as sentence
"""
HEADINGS = ("question", "captures", "points", "5 %", "95 %", "p", "verdict", "companies", "owners")
NAMES = {"newest": "newest captures", "story": "day of the story, 2026-05-14"}


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    relation = con.sql(ROWS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        lines = {row["question"]: style.broken(row["question"], 46 if is_wide else 24) for row in rows}
        data = [
            {
                **row,
                "lines": lines[row["question"]],
                "captures": NAMES[row["as_of_kind"]],
                "label": row["verdict"].replace("_", " "),
            }
            for row in rows
        ]
        base = alt.Chart(alt.Data(values=data))
        y = alt.Y(
            "lines:N", sort=list(dict.fromkeys(lines.values())),
            axis=alt.Axis(title=None, labelLimit=360, labelExpr=style.LINES, grid=True),
        )  # fmt: skip
        offset = alt.YOffset("captures:N", sort=list(NAMES.values()))
        names = [name for kind, name in NAMES.items() if any(row["as_of_kind"] == kind for row in rows)]
        colour = alt.Color(
            "captures:N", sort=names, legend=alt.Legend(title=None, columns=2 if is_wide else 1),
            scale=alt.Scale(domain=names, range=[style.BLUE, style.ORANGE][: len(names)]),
        )  # fmt: skip
        axis = alt.Axis(title="Points ahead; for amount, short video and dose: points per doubling", format="d")
        spread = base.mark_rule(strokeWidth=2).encode(
            y=y, yOffset=offset, color=colour, x=alt.X("estimate_p05:Q", axis=axis), x2="estimate_p95:Q"
        )
        marks = base.mark_point(filled=True, size=80, opacity=1).encode(y=y, yOffset=offset, color=colour, x="estimate:Q")
        words = base.mark_text(align="left", dx=6, dy=-7, fontSize=11, color=style.QUIET).encode(
            y=y, yOffset=offset, x="estimate:Q", text="label:N"
        )
        zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(color=style.INK).encode(x="at:Q")
        drawn = (zero + spread + marks + words).properties(
            width=width - (330 if is_wide else 175), height=(62 if is_wide else 76) * len(set(lines.values()))
        )
        return style.themed(drawn, width)

    return [
        Panel(
            "questions",
            "Owners of video platforms are {owning:n} points ahead on the newest boards, and {sized:n} beside other companies of their size",
            (
                "{sentence}",
                (
                    "Each line is one question, each mark an estimate with its 90 % interval, from one model over all ranked entries of the"
                    " four primary boards: {n_companies:n} companies, of which {n_owners:n} own a platform. Release date, open weights,"
                    " sound, speed tier and resolution are controlled for. A verdict other than cannot tell is the same under every"
                    " perturbation of marts.moat_robustness."
                ),
            ),
            FACTS,
            ROWS,
            HEADINGS,
            draw,
        )
    ]
