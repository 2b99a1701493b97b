"""Colours, fonts and the common layout of all figures; safe for the common kinds of colour blindness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrib.attribution import FLOOR, NOISE, UNEXPLAINED

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
INK, MUTED, RULE = "#1f2933", "#52606d", "#d9dee4"

MEASURED, FITTED = "#1f2933", "#D55E00"
GAIN, LOSS, TOTAL = "#0072B2", "#D55E00", "#8793a0"

SEQUENTIAL = "Viridis"
DIVERGING = [
    [0.0, "#2166ac"],
    [0.25, "#92c5de"],
    [0.5, "#f7f7f7"],
    [0.75, "#f4a582"],
    [1.0, "#b2182b"],
]

_KNOWN = {
    "base overhead": "#E69F00",
    "wave fill": "#56B4E9",
    "wave quantization": "#0072B2",
    "waves": "#0072B2",
    "tile padding": "#009E73",
    "tile work": "#009E73",
    "atom remainder": "#CC79A7",
    "channel hash": "#D55E00",
    "row pitch": "#A6761D",
    "pipeline fill": "#6A51A3",
    "exposed prologue": "#9E9AC8",
    "arithmetic": "#56B4E9",
    "memory traffic": "#CFC100",
    "cache spill": "#882255",
    "operand re-reads": "#B07AA1",
    FLOOR: "#c3cad2",
    UNEXPLAINED: "#4a4a4a",
    NOISE: "#e6d5c3",
}
_SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#A6761D", "#6A51A3")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")

PATTERNS = {FLOOR: "/", UNEXPLAINED: "x", NOISE: "."}
"""Hatching that marks what is no mechanism."""


def color_of(name: str) -> str:
    """Colour of a mechanism, a term, or a remainder of an attribution."""
    return _KNOWN.get(name, "#777777")


def series(index: int) -> dict[str, str]:
    """Colour and dash of the so-manieth line of a figure."""
    return {"color": _SERIES[index % len(_SERIES)], "dash": _DASHES[index // len(_SERIES) % len(_DASHES)]}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """One axis with its title (which names the unit)."""
    return {
        "title": {"text": title, "font": {"size": 13}, "standoff": 8},
        "automargin": True,
        "showline": True,
        "linecolor": "#9aa5b1",
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": "#9aa5b1",
        "gridcolor": "#eceff2",
        "zerolinecolor": "#b8c1ca",
        **more,
    }


def layout(height: int, **more: Any) -> dict[str, Any]:
    """Layout that all figures share."""
    return {
        "height": height,
        "autosize": True,
        "font": {"family": FONT, "size": 12, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "colorway": list(_SERIES),
        "margin": {"l": 64, "r": 24, "t": 56, "b": 56},
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left"},
        "legend": {"font": {"size": 12}, "bgcolor": "rgba(255,255,255,0.85)"},
        **more,
    }


def panels(
    titles: Sequence[str], columns: int, height: int, x_title: str, y_title: str, **axes: dict[str, Any]
) -> dict[str, Any]:
    """Axes of small multiples, filled row by row, with a title over each.

    Parameters
    ----------
    titles : sequence of str
        One a panel.
    columns : int
        Panels a row.
    height : int
        Pixels of the whole figure.
    x_title, y_title : str
        Given to the lowest panel of each column and the first of each row.
    axes : dict
        ``x`` and ``y``: more settings of every axis.

    Returns
    -------
    dict
        ``xaxis``, ``yaxis``, ``xaxis2``... and ``annotations``.
    """
    number, columns = len(titles), min(columns, len(titles))
    rows = -(-number // columns)
    across = 0.045 if columns > 1 else 0.0
    down = 62.0 / height
    width, tall = (1 - across * (columns - 1)) / columns, (1 - down * (rows - 1)) / rows
    out: dict[str, Any] = {"annotations": []}
    for index, title in enumerate(titles):
        row, column = divmod(index, columns)
        left, top = column * (width + across), 1 - row * (tall + down)
        suffix = axis_suffix(index)
        lowest = index + columns >= number
        out[f"xaxis{suffix}"] = axis(
            x_title if lowest else "", domain=[left, left + width], anchor=f"y{suffix}", **axes.get("x", {})
        )
        out[f"yaxis{suffix}"] = axis(
            y_title if column == 0 else "",
            domain=[max(0.0, top - tall), top],
            anchor=f"x{suffix}",
            **axes.get("y", {}),
        )
        out["annotations"].append(
            {
                "text": f"<b>{title}</b>",
                "x": left + width / 2,
                "y": top,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "center",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 13},
            }
        )
    return out


def axis_suffix(index: int) -> str:
    """What Plotly calls the axes of a panel: nothing for the first, then 2, 3..."""
    return "" if index == 0 else str(index + 1)
