"""Best rating of the leading companies over time, never drawn across a change of scale."""

from typing import Any

import altair as alt

from datamoat.views.panels import Panel

BOARD = "aa_text_to_video"
ROWS = f"""
    with ranked as (
        select captured_on, scale_id, company_name, best_rating, best_entry_name, company_id
        from marts.company_moat where board_id = '{BOARD}' and scenario_id = 'baseline'
    ),
    chosen as (
        select company_id from ranked
        where captured_on = (select max(captured_on) from ranked) or captured_on = date '2026-05-14'
        group by company_id order by max(best_rating) desc, company_id limit 7
    )
    select company_name, captured_on, best_rating, best_entry_name, scale_id
    from ranked semi join chosen using (company_id)
    order by company_name, captured_on
"""
EARLIER = f"""
    select s.captured_on, s.leader_rating, s.scale_id
    from marts.board_status as s
    where s.board_id = '{BOARD}' and s.leader_rating is not null and s.status = 'partial'
        and s.captured_on < (select min(captured_on) from marts.company_moat where board_id = '{BOARD}')
    order by s.captured_on
"""
FACTS = f"""
    with seen as ({ROWS}),
    scales as (from marts.board_scale where board_id = '{BOARD}'),
    now as (from seen where captured_on = (select max(captured_on) from seen) order by best_rating desc limit 1),
    then_ as (from seen where captured_on = date '2026-05-14' order by best_rating desc limit 1)
    select
        now.captured_on, now.company_name as now_name, now.best_rating as now_rating, now.best_entry_name as now_entry,
        case
            when now.company_name = then_.company_name then now.company_name || ' is first now as in May 2026'
            else now.company_name || ' is first now, ' || then_.company_name || ' was in May 2026'
        end as story,
        then_.company_name as then_name, then_.best_rating as then_rating, then_.best_entry_name as then_entry,
        now.captured_on as as_of_on, 1.0 as title_probability,
        (select count(*) from scales) as n_scales, (select count(distinct captured_on) from seen) as n_days
    from now, then_
"""
CITATIONS = f"select citation_ids from marts.leaderboard where board_id = '{BOARD}' union all select citation_ids from marts.board_status where board_id = '{BOARD}'"
HEADINGS = ("company", "day", "best rating|n", "entry", "scale")


def panels(con: Any, style: Any) -> list[Panel]:
    """Return the panel."""
    relation = con.sql(ROWS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    earlier = [{"day": day.isoformat(), "rating": rating, "scale": scale} for day, rating, scale in con.sql(EARLIER).fetchall()]
    breaks = [
        {"day": day.isoformat()}
        for (day,) in con.sql(
            f"select valid_from from marts.board_scale where board_id = '{BOARD}' and valid_from is not null order by 1 offset 1"
        ).fetchall()
    ]

    def draw(width: int) -> Any:
        is_wide = width >= style.NARROW
        data = [
            {
                "company": style.short(r["company_name"]),
                "day": r["captured_on"].isoformat(),
                "rating": r["best_rating"],
                "scale": r["scale_id"],
            }
            for r in rows
        ]
        last: dict[str, dict[str, Any]] = {row["company"]: row for row in data}
        ends = sorted(last.values(), key=lambda row: -row["rating"])
        low, high = min(row["rating"] for row in data), max(row["rating"] for row in data)
        gap = (high - low) / 400 * 17
        for i, row in enumerate(ends):
            row["at"] = row["rating"] if i == 0 else min(row["rating"], ends[i - 1]["at"] - gap)
        newest = max(row["day"] for row in data)
        palette = style.MANY
        names = sorted(last, key=lambda name: -last[name]["rating"])
        colour = alt.Color("company:N", legend=None, scale=alt.Scale(domain=names, range=palette))
        x = alt.X(
            "day:T",
            axis=alt.Axis(
                title=None,
                format="%b %Y" if is_wide else "%b %y",
                labelAngle=0,
                tickCount={"interval": "month", "step": 3},
                labelOverlap=True,
            ),
        )
        y = alt.Y("rating:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title="Best rating"))
        lines = alt.Chart(alt.Data(values=data)).mark_line(interpolate="step-after", strokeWidth=2).encode(
            x=x, y=y, color=colour, detail="scale:N", strokeDash=alt.StrokeDash("company:N", legend=None, sort=names)
        )  # fmt: skip
        dots = alt.Chart(alt.Data(values=data)).mark_point(size=18, filled=True, opacity=1).encode(x=x, y=y, color=colour)
        labels = (
            alt.Chart(alt.Data(values=[{**row, "day": newest} for row in ends]))
            .mark_text(align="left", dx=7, fontSize=12)
            .encode(x=x, y=alt.Y("at:Q", scale=alt.Scale(zero=False)), text="company:N", color=colour)
        )
        layers = lines + dots + labels
        if earlier:
            before = alt.Chart(alt.Data(values=earlier))
            layers += before.mark_point(shape="cross", size=40, color=style.GREY, filled=True, opacity=1).encode(x=x, y=y)
            if is_wide:  # on a phone there is no room beside the crosses; the sentence below explains it
                layers += (
                    alt.Chart(alt.Data(values=[min(earlier, key=lambda row: row["day"])]))
                    .mark_text(
                        text=["leader alone", "is known"],
                        align="left",
                        baseline="top",
                        dx=6,
                        dy=8,
                        fontSize=11,
                        color=style.QUIET,
                    )
                    .encode(x=x, y=y)
                )
        if breaks:
            at = alt.Chart(alt.Data(values=breaks))
            layers += at.mark_rule(strokeDash=[5, 4], color=style.INK).encode(x=x)
            layers += at.mark_text(
                text=["new", "scale"], align="right", baseline="top", dx=-5, fontSize=11, color=style.QUIET
            ).encode(x=x, y=alt.value(4))
        return style.themed(layers.properties(width=width - (165 if is_wide else 150), height=400), width)

    return [
        Panel(
            "ratings",
            "Artificial Analysis, text to video: {story}",
            "Artificial Analysis, text to video: {story}",
            "Best rating of a company in points; a dashed line is a change of scale",
            (
                (
                    "There are {n_days:n} complete captures. On 14 May 2026 {then_name} led with {then_entry} at"
                    " {then_rating:n} points; on {captured_on:day} {now_name} leads with {now_entry} at {now_rating:n}."
                ),
                (
                    "Grey crosses are the leader's rating on days when only a few ranks are known. A dashed line is a change of scale: points"
                    " left and right of it are not comparable, and no line crosses it ({n_scales:n} scales are distinguished on this board)."
                ),
            ),
            FACTS,
            ROWS,
            CITATIONS,
            HEADINGS,
            draw,
        )
    ]
