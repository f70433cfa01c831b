"""Best rating of each company against the hours it could use, both with their intervals; companies without hours of their own apart."""

from typing import Any

import altair as alt

from datamoat.views.panels import Panel

BOARDS = (("aa_text_to_video", "Artificial Analysis, text to video"), ("arena_text_to_video", "Arena, text to video"))
ROWS = """
    select
        company_name, company_rank, owns_platform, has_platform, best_entry_name, best_rating, best_rating_low, best_rating_high,
        usable_hours_p05, usable_hours_p50, usable_hours_p95, basis
    from marts.company_moat
    where board_id = '{board}' and scenario_id = 'baseline'
        and captured_on = (select max(captured_on) from marts.company_moat where board_id = '{board}')
    order by company_rank, company_name
"""
FACTS = """
    with now as (from marts.company_moat where board_id = '{board}' and scenario_id = 'baseline'
        and captured_on = (select max(captured_on) from marts.company_moat where board_id = '{board}')),
    test as (
        select e.*, n.captured_on, (select verdict_text from marts.moat_answer where as_of_kind = 'newest' and question_id = 'amount') as verdict_text
        from marts.moat_effect as e, (select max(captured_on) as captured_on from marts.company_moat where board_id = '{board}') as n
        where e.as_of_kind = 'newest' and e.board_id = '{board}' and e.specification_id = 'amount'
    ),
    most as (from now where has_platform and basis <> 'prior_only' order by usable_hours_p50 desc, company_id limit 1),
    free as (from now where not owns_platform order by company_rank, company_id limit 1),
    first as (from now order by company_rank, company_id limit 1)
    select
        test.captured_on, test.n_companies, test.n_owners, test.estimate, test.p_permutation, test.estimate_p05,
        test.estimate_p95, test.verdict_text,
        test.captured_on as as_of_on,
        greatest(1 / (1 + exp(-1.702 * 3.29 * test.estimate / (test.estimate_p95 - test.estimate_p05))),
            1 / (1 + exp(1.702 * 3.29 * test.estimate / (test.estimate_p95 - test.estimate_p05)))) as title_probability,
        case when test.estimate > 0 then 'higher' else 'lower' end as direction,
        most.company_name as most_name, most.usable_hours_p05 as most_low, most.usable_hours_p50 as most_hours,
        most.usable_hours_p95 as most_high, most.company_rank as most_rank,
        free.company_name as free_name, free.company_rank as free_rank, free.best_entry_name as free_entry,
        first.company_name as first_name, first.best_entry_name as first_entry, first.best_rating as first_rating,
        case
            when first.best_rating_low is null then 'the board gave no interval that day'
            else format('95 %: {{:,}} to {{:,}}', round(first.best_rating_low)::integer, round(first.best_rating_high)::integer)
        end as first_interval
    from test, most, free, first
"""
HEADINGS = (
    "company",
    "rank",
    "owns a platform",
    "its hours can be estimated",
    "best entry",
    "rating|n",
    "rating, low|n",
    "rating, high|n",
    "hours after filtering, 5 %|many",
    "median|many",
    "95 %|many",
    "evidence|word",
)


def panels(con: Any, style: Any) -> list[Panel]:
    """Return one panel a publisher."""
    return [_panel(con, style, board, name) for board, name in BOARDS]


def _panel(con: Any, style: Any, board: str, name: str) -> Panel:
    """Return the panel of one board."""
    relation = con.sql(ROWS.format(board=board))
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    rows = [{**row, "company_name": style.short(row["company_name"])} for row in rows]
    has_interval = any(row["best_rating_low"] is not None for row in rows)
    rating = "Best rating (95 % interval)" if has_interval else "Best rating (the board gave no interval)"
    is_hollow = any(row["has_platform"] and row["basis"] == "prior_only" for row in rows)
    hollow = "; hollow: no data of its own platforms" if is_hollow else ""

    def draw(width: int) -> Any:
        owners = _apart([row for row in rows if row["has_platform"]], rows)
        others = _apart([row for row in rows if not row["has_platform"]], rows)
        is_wide = width >= style.NARROW
        scale = alt.Scale(zero=False, nice=False, domain=_domain(rows))
        left = width * 0.56 if is_wide else width - 70
        scatter = _scatter(owners, style, scale, left, rating)
        strip = _strip(others, style, scale, width - left - 130 if is_wide else width - 70, None if is_wide else rating)
        joined = alt.hconcat(scatter, strip, spacing=12) if is_wide else alt.vconcat(scatter, strip, spacing=18)
        return style.themed(joined, width)

    return Panel(
        f"rating-by-volume-{board.replace('_', '-')}",
        f"{name}: among owners of platforms, more video goes with {{direction}} ratings",
        f"{name}: whether more video goes with higher ratings is unclear",
        f"{rating} by hours after filtering (90 % interval){hollow}",
        (
            (
                "On {captured_on:day}, {first_name} leads with {first_entry} at {first_rating:n} points ({first_interval})."
                " {free_name} is number {free_rank} without a platform. {most_name}, number {most_rank}, could have used about {most_hours:many} hours when its best model came out, and the interval is wide:"
                " 90 % from {most_low:many} to {most_high:many} hours."
            ),
            (
                "Among the {n_owners:n} owners of platforms on this board a doubling of the hours goes with {estimate:e} points (90 %:"
                " {estimate_p05:e} to {estimate_p95:e}; a random order gives as much with probability {p_permutation:two}). Over all four"
                " boards: {verdict_text}"
            ),
            (
                "Companies without a platform, and owners of platforms without a statistic, have only hours of the public web and licences"
                " that can be estimated, with one wide interval; they are in a strip of their own, by rating alone."
            ),
        ),
        FACTS.format(board=board),
        ROWS.format(board=board),
        f"select citation_ids from ({ROWS.format(board=board).replace('basis', 'basis, citation_ids')})",
        HEADINGS,
        draw,
    )


def _domain(rows: list[dict[str, Any]]) -> list[float]:
    """Return a range of ratings that holds every interval."""
    low = min(row["best_rating_low"] or row["best_rating"] for row in rows)
    high = max(row["best_rating_high"] or row["best_rating"] for row in rows)
    return [low - 10, high + 10]


def _apart(
    some: list[dict[str, Any]], rows: list[dict[str, Any]], pixels: float = 15, height: float = 430
) -> list[dict[str, Any]]:
    """Return rows with a position for each label, so that no two labels of the strip touch."""
    low, high = _domain(rows)
    gap = pixels * (high - low) / height
    placed: list[dict[str, Any]] = []
    for row in sorted(some, key=lambda row: -row["best_rating"]):
        at = min(row["best_rating"], placed[-1]["label_at"] - gap) if placed else row["best_rating"]
        placed.append({**row, "label_at": at, "name": row["company_name"]})
    under = low - placed[-1]["label_at"] if placed else 0
    for i, row in enumerate(reversed(placed)):  # the lowest labels would leave the chart: lift them, and those they push
        if under > 0:
            row["label_at"] = max(row["label_at"], low + i * gap)
    return placed


def _scatter(rows: list[dict[str, Any]], style: Any, scale: Any, width: float, rating: str) -> Any:
    """Return companies whose platforms have hours: rating by hours after filtering."""
    base = alt.Chart(alt.Data(values=rows))
    x = alt.X(
        "usable_hours_p50:Q",
        scale=alt.Scale(type="log"),
        axis=style.log_axis("Hours it could use (log scale, 90 % interval)", int(width)),
    )
    y = alt.Y("best_rating:Q", scale=scale, axis=alt.Axis(title=rating))
    across = base.mark_rule(color=style.ACCENT, opacity=0.45, strokeWidth=2).encode(
        x=alt.X("usable_hours_p05:Q", scale=alt.Scale(type="log"), axis=style.log_axis("Hours it could use (log scale, 90 % interval)", int(width))),
        x2="usable_hours_p95:Q", y=y,
    )  # fmt: skip
    down = base.mark_rule(color=style.ACCENT, opacity=0.45, strokeWidth=2).encode(
        x=x,
        y=alt.Y("best_rating_low:Q", scale=scale, axis=alt.Axis(title=rating)),
        y2="best_rating_high:Q",
    )
    points = base.mark_point(stroke=style.ACCENT, size=80, opacity=1, strokeWidth=1.6).encode(
        x=x, y=y, fill=alt.condition("datum.basis === 'prior_only'", alt.value("white"), alt.value(style.ACCENT))
    )
    names = base.mark_text(align="left", dx=9, dy=-9, fontSize=12, fontWeight="bold", color=style.INK).encode(
        x=x, y=alt.Y("label_at:Q", scale=scale, axis=alt.Axis(title=rating)), text="name:N"
    )
    return (across + down + points + names).properties(width=width, height=430, title="Companies with hours of their own")


def _strip(rows: list[dict[str, Any]], style: Any, scale: Any, width: float, rating: str | None) -> Any:
    """Return companies without hours of their own: rating alone, each named."""
    base = alt.Chart(alt.Data(values=rows)).transform_calculate(point="0.04", elbow="0.16", text="0.18")
    place = alt.Scale(domain=[0, 1])
    axis = alt.Axis(title=rating) if rating else alt.Axis(title=None, labels=False, ticks=False)
    x = alt.X("point:Q", scale=place, axis=None)
    y = alt.Y("best_rating:Q", scale=scale, axis=axis)
    down = base.mark_rule(color=style.GREY, opacity=0.45, strokeWidth=2).encode(
        x=x, y=alt.Y("best_rating_low:Q", scale=scale, axis=axis), y2="best_rating_high:Q"
    )
    points = base.mark_square(color=style.GREY, size=55, opacity=1).encode(x=x, y=y)
    lines = base.mark_rule(color=style.GREY, strokeWidth=0.7).encode(x=x, x2="elbow:Q", y=y, y2="label_at:Q")
    names = base.mark_text(align="left", fontSize=12, color=style.INK).encode(
        x=alt.X("text:Q", scale=place, axis=None), y=alt.Y("label_at:Q", scale=scale, axis=axis), text="name:N"
    )
    return (down + lines + points + names).properties(width=max(width, 150), height=430, title="Without hours of their own")
