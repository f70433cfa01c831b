"""Colours, type and axes of every chart: told apart without colour vision, readable at a phone's width."""

from typing import Any

import altair as alt

INK, QUIET, RULE = "#1b1b1b", "#4a4a4a", "#d9d9d9"
BLUE, ORANGE, GREEN, PINK, SKY, GREY = "#0072b2", "#b5500b", "#00795a", "#a8447d", "#56b4e9", "#767676"
NARROW = 500  # charts below this width are for a phone


def themed(chart: Any, width: int) -> Any:
    """Return a chart with our type, lines and background."""
    size = 12 if width < NARROW else 13
    return (
        chart.configure(background="white", font="DejaVu Sans, Arial, sans-serif", padding=8)
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
    said = (
        "datum.value >= 1e9 ? format(datum.value / 1e9, ',') + ' bn' : datum.value >= 1e6 ? format(datum.value / 1e6, ',') + ' m'"
        " : datum.value >= 1e3 ? format(datum.value / 1e3, ',') + ' k' : format(datum.value, ',')"
    )
    return alt.Axis(title=title, labelExpr=said, tickCount=4 if width < NARROW else 7, labelOverlap=True)
