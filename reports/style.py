"""Colours, type and axes of every chart: distinguishable without colour vision, readable at a phone's width."""

from typing import Any

import altair as alt

INK, QUIET, RULE, GREY = "#1b1b1b", "#4a4a4a", "#d9d9d9", "#767676"
ACCENT = "#0b5394"  # the one colour that means something; everything else is ink and grey
SHADE = "#e8eef4"  # an area that is to be read behind the marks
MANY = [ACCENT, "#b5500b", "#00795a", "#a8447d", "#56b4e9", INK, "#8a7000"]  # lines that each carry their name and a dash
EVIDENCE = {  # how an estimate is known: its words, its shape, its colour; where there are no data the mark is hollow
    "measured": ("counted within 18 months", "circle", ACCENT, True),
    "reported": ("uploads stated", "square", ACCENT, True),
    "modelled": ("from users or lengths", "triangle-up", ACCENT, True),
    "prior_only": ("no data (prior only)", "diamond", GREY, False),
}
NARROW = 500  # charts below this width are for a phone


def themed(chart: Any, width: int) -> Any:
    """Return a chart with our type, lines and background."""
    size = 12 if width < NARROW else 13
    return (
        chart.configure(background="white", font="Liberation Sans, Arial, Helvetica, sans-serif", padding=8)
        .configure_view(stroke=None)
        .configure_axis(
            labelFontSize=size - 1, titleFontSize=size, labelColor=INK, titleColor=QUIET, titleFontWeight="normal", gridColor=RULE,
            domainColor=GREY, tickColor=GREY, labelLimit=210 if width >= NARROW else 130,
        )
        .configure_legend(labelFontSize=size, titleFontSize=size, labelColor=INK, orient="top", direction="horizontal", labelLimit=300,
                          columns=1 if width < NARROW else 5, symbolLimit=30)
        .configure_title(fontSize=size + 1, color=INK, anchor="start", fontWeight="bold")
        .configure_header(labelFontSize=size, labelColor=INK, titleFontSize=size)
    )  # fmt: skip


def log_axis(title: str, width: int) -> Any:
    """Return an axis for hours on a logarithmic scale, in words a reader knows."""
    label = (
        "datum.value >= 1e9 ? format(datum.value / 1e9, ',') + ' bn' : datum.value >= 1e6 ? format(datum.value / 1e6, ',') + ' m'"
        " : datum.value >= 1e3 ? format(datum.value / 1e3, ',') + ' k' : format(datum.value, ',')"
    )
    powers = [10.0**k for k in range(16)]
    return alt.Axis(title=title, labelExpr=label, values=powers, labelOverlap=True, tickCount=4 if width < NARROW else 7)


# What readers call the boards, in the order in which they are shown.
BOARDS = {
    "aa_text_to_video": "Artificial Analysis: text to video",
    "aa_image_to_video": "Artificial Analysis: image to video",
    "aa_text_to_video_audio": "Artificial Analysis: text to video with sound",
    "arena_text_to_video": "Arena: text to video",
    "arena_image_to_video": "Arena: image to video",
    "arena_video_edit": "Arena: video edit",
    "vbench_total": "VBench: total",
    "aa_text_to_image": "Artificial Analysis: text to image",
    "aa_text_to_speech": "Artificial Analysis: text to speech",
    "arena_text_to_image": "Arena: text to image",
    "arena_text": "Arena: text",
}


def board(board_id: str, width: int) -> str:
    """Return what a board is called; a board that is new here keeps its id."""
    name = BOARDS.get(board_id, board_id.replace("_", " "))
    return name if width >= NARROW else name.replace("Artificial Analysis", "AA")


def short(company: str) -> str:
    """Return a company's name without what is in brackets."""
    return company.split(" (", maxsplit=1)[0].replace(" Technology", "").replace(" Group", "")


def broken(text: str, n_characters: int) -> str:
    """Return a text in lines, parted by a bar; `LINES` makes lines of them on an axis."""
    lines = [""]
    for word in text.split():
        lines[-1:] = [f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < n_characters else [lines[-1], word]
    return "|".join(lines)


LINES = "split(datum.label, '|')"  # an axis shows a broken text in full: it cuts nothing


def over_time(rows: list[dict[str, Any]], last_counted_on: Any, title: str, width: int, is_known: bool) -> Any:
    """Return medians by month with their intervals; months after the last count are projected and dotted.

    Args:
        rows: For each month low, x and high.
        last_counted_on: Last day with a count; None where nothing was ever counted.
        title: What the axis counts.
        width: Pixels.
        is_known: Whether there are data at all.
    """
    data = [
        {"month": row["month"].isoformat(), "low": row["low"], "x": row["x"], "high": row["high"], "counted": bool(last_counted_on and row["month"] <= last_counted_on)}
        for row in rows
    ]  # fmt: skip
    base = alt.Chart(alt.Data(values=data))
    x = alt.X(
        "month:T",
        axis=alt.Axis(title=None, format="%Y", labelAngle=0, tickCount={"interval": "year", "step": 1}, labelOverlap=True),
    )
    scale = alt.Scale(type="log")
    colour = ACCENT if is_known else GREY
    y = alt.Y("x:Q", scale=scale, axis=log_axis(title, width))
    band = base.mark_area(color=colour, opacity=0.18).encode(
        x=x, y=alt.Y("low:Q", scale=scale, axis=log_axis(title, width)), y2="high:Q"
    )
    line = base.transform_filter("datum.counted").mark_line(color=colour, strokeWidth=2.5).encode(x=x, y=y)
    rest = base.transform_filter("!datum.counted").mark_line(color=colour, strokeWidth=1.5, strokeDash=[2, 3]).encode(x=x, y=y)
    return (band + rest + line).properties(width=width - (90 if width >= NARROW else 80), height=300)
