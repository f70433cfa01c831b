"""Where the width of each company's interval comes from, and so what would narrow the answer."""

from typing import Any

import altair as alt

from datamoat.views.panels import Panel

COMPANIES = ("bytedance", "kuaishou", "google")
CHOSEN = f"""
    with inputs as (
        select
            i.company_id, c.company_name, i.input_title, min(a.reason) as reason,
            bool_and(i.platform_id is null) as is_common, sum(i.variance_share) as variance_share,
            max(i.variance_removed_by_one_more) as one_more
        from marts.input_importance as i
        inner join (select distinct company_id, company_name from marts.company_moat) as c on i.company_id = c.company_id
        left join meta.assumptions as a on i.assumption_id = a.assumption_id
        where i.measure = 'usable_hours' and i.company_id in {COMPANIES} and i.input_kind in ('assumption', 'observation')
        group by i.company_id, c.company_name, i.input_title
    )
"""
ROWS = (
    CHOSEN
    + """
    select company_name, input_title, is_common, variance_share, one_more
    from inputs qualify row_number() over (partition by company_id order by variance_share desc, input_title) <= 6
    order by company_name, variance_share desc, input_title
"""
)
FACTS = (
    CHOSEN
    + """
    , top as (select * from inputs qualify row_number() over (partition by company_id order by variance_share desc, input_title) = 1),
    b as (from top where company_id = 'bytedance'), k as (from top where company_id = 'kuaishou'), g as (from top where company_id = 'google')
    select
        case
            when b.input_title = k.input_title and k.input_title = g.input_title then 'One number would narrow every interval most: ' || b.input_title
            else 'What would narrow an interval most differs by company: ' || concat_ws('; ', b.input_title, k.input_title, g.input_title)
        end as story,
        case
            when b.input_title = k.input_title and k.input_title = g.input_title and b.is_common
            then 'It is common to all companies: it widens every interval and moves no rank.'
            else 'These are not common to all companies, so that they can move a rank.'
        end as common,
        b.input_title as b_title, k.input_title as k_title, g.input_title as g_title, coalesce(b.reason, 'a published statistic') as b_reason, b.variance_share as b_share, k.variance_share as k_share, g.variance_share as g_share,
        (select as_of from meta.build) as as_of_on, 1.0 as title_probability, b.company_name as b_name, k.company_name as k_name, g.company_name as g_name
    from b, k, g
"""
)
REACH = {True: "common to all companies: moves no rank", False: "of its own: can move a rank"}
HEADINGS = (
    "company",
    "input",
    "common to all companies",
    "share of the variance|share",
    "expected reduction by one more official statistic|share",
)

LEAST = 0.0095  # a smaller share has a decimal


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    relation = con.sql(ROWS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        charts = []
        for name in dict.fromkeys(row["company_name"] for row in rows):
            own = [
                {
                    **row,
                    "reach": REACH[row["is_common"]],
                    "lines": style.broken(row["input_title"], 48 if is_wide else 24),
                    "label": f"{100 * row['variance_share']:.{0 if row['variance_share'] >= LEAST else 1}f} %",
                }
                for row in rows
                if row["company_name"] == name
            ]
            base = alt.Chart(alt.Data(values=own))
            y = alt.Y(
                "lines:N",
                sort=[row["lines"] for row in own],
                axis=alt.Axis(title=None, labelExpr=style.LINES, labelLimit=330),
            )
            x = alt.X(
                "variance_share:Q",
                scale=alt.Scale(domain=[0, 0.85]),
                axis=alt.Axis(title="Share of the variance of hours after filtering", format="%"),
            )
            colour = alt.Color(
                "reach:N", title=None, sort=list(REACH.values()),
                scale=alt.Scale(domain=list(REACH.values()), range=[style.GREY, style.ACCENT]),
            )  # fmt: skip
            bars = base.mark_bar(height=15).encode(x=x, y=y, color=colour)
            labels = base.mark_text(align="left", dx=4, fontSize=12, color=style.INK).encode(x=x, y=y, text="label:N")
            charts.append(
                (bars + labels).properties(
                    width=width - (345 if is_wide else 180), height=alt.Step(36 if is_wide else 62), title=style.short(name)
                )
            )
        return style.themed(alt.vconcat(*charts, spacing=14), width)

    return [
        Panel(
            "what-would-narrow",
            "{story}",
            "{story}",
            "Share of the variance of the logarithm of hours after filtering, first order",
            (
                (
                    "“{b_title}” carries {b_share:share} of the variance of what {b_name} could use; for {k_name} it is “{k_title}” with"
                    " {k_share:share}, for {g_name} “{g_title}” with {g_share:share}. {common} The source of the first: {b_reason}"
                ),
                (
                    "Grey bars are common to all companies and blue ones are a company's own. They are first-order shares of the variance of the logarithm, inputs of one kind added up; the rest is"
                    " interactions and many small inputs."
                ),
            ),
            FACTS,
            ROWS,
            f"select citation_ids from marts.input_importance where measure = 'usable_hours' and company_id in {COMPANIES}",
            HEADINGS,
            draw,
        )
    ]
