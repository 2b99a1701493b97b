"""Who can act on each stage's roughness: later stages, the layout of operands, the kernel, the hardware."""

from __future__ import annotations

from typing import Any

from attrib.analysis import Analysis, StageReport
from attrib.attribution import ACTORS, ActorView
from attrib.attribution.actors import HARDWARE, KERNEL, LAYOUT, STAGES
from attrib.report import theme
from attrib.report.attribution_figures import stage_bars
from attrib.report.figure import Figure, label
from attrib.report.main_stages import short_name
from attrib.report.numbers_with_units import number
from attrib.report.table import Cell, Table

QUANTITY = "slice_N"

_COLORS = {STAGES: "#56B4E9", LAYOUT: "#009E73", KERNEL: "#CC79A7", HARDWARE: "#0072B2"}


def actor_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Return the stacked bars; nothing where no stage could be attributed."""
    views = _views(analysis)
    if not views:
        return ()
    names = [label(short_name(stage)) for stage, _ in views]
    data: list[dict[str, Any]] = []
    for actor, what in ACTORS.items():
        if not any(actor in view.actors for _, view in views):
            continue
        shares = [view.actors[actor] for _, view in views]
        marker: dict[str, Any] = {
            "color": _COLORS.get(actor, theme.color_of(actor)),
            "line": {"color": "#ffffff", "width": 0.5},
        }
        if actor in theme.PATTERNS:
            marker["pattern"] = {"shape": theme.PATTERNS[actor], "fillmode": "overlay", "size": 6, "solidity": 0.3}
            marker["pattern"]["fgcolor"] = "#ffffff"
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": label(actor),
                "y": names,
                "x": [share.share for share in shares],
                "customdata": [
                    f"{number(share.share, 2)} TFLOP/s per step{_bounds(share.lower, share.upper)}"
                    for share in shares
                ],
                "marker": marker,
                "hovertemplate": f"<b>{label(actor)}</b>, %{{y}}<br>{label(what)}"
                "<br>%{customdata}<extra></extra>",
            }
        )
    form = stage_bars(len(names))
    caption = (
        "What later stages take away is measured; the rest is the last stage's own roughness, by whoever could "
        "still act on it. Nothing is counted twice: each bar adds up to its stage's roughness."
    )
    return (Figure("actors", "Who can act on it", caption, data, form),)


def actor_table(analysis: Analysis) -> Table | None:
    """Return the same as numbers with intervals, one stage a row."""
    views = _views(analysis)
    if not views:
        return None
    names = [name for name in ACTORS if any(name in view.actors for _, view in views)]
    rows = []
    for stage, view in views:
        cells = []
        for name in names:
            share = view.actors[name]
            cells.append(Cell(number(share.share, 2), share.share, _bounds(share.lower, share.upper).strip(", ")))
        rows.append((Cell(short_name(stage)), Cell(number(view.measured, 2), view.measured), *cells))
    meanings = "; ".join(f"{name}: {ACTORS[name]}" for name in names)
    return Table(
        "actor-table",
        "Roughness along N, slice at the largest K (TFLOP/s per step), by who can act on it; each row adds up to "
        f"the measured value. {meanings[:1].upper()}{meanings[1:]}.",
        ("stage", "measured", *names),
        tuple(rows),
    )


def _views(analysis: Analysis) -> list[tuple[StageReport, ActorView]]:
    return [(stage, stage.actors[QUANTITY]) for stage in analysis.stages if QUANTITY in stage.actors]


def _bounds(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return ""
    return f", 95 % interval {number(lower, 2)} to {number(upper, 2)}"
