"""What the optimizer stages do: mean against roughness, one line through the stages, what software removes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from attrib.analysis import Analysis, StageReport
from attrib.report import theme
from attrib.report.figure import Figure, label, packed
from attrib.report.main_stages import MainStages, short_name
from attrib.report.numbers_with_units import number, signed


def stage_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Return the figures that apply: none without a grid."""
    if analysis.landscape is None:
        return ()
    main = MainStages.of(analysis)
    figures = (_ladder(analysis, main), _line(analysis, main), _removable(main))
    return tuple(figure for figure in figures if figure is not None)


def slice_roughness_of(stage: StageReport) -> float | None:
    """Roughness along N in the slice at the largest K, TFLOP/s per step."""
    return None if stage.roughness is None else stage.roughness.slice_N


def _ladder(analysis: Analysis, main: MainStages) -> Figure | None:
    """Mean against roughness of all stages."""
    grid = analysis.landscape
    points = [s for s in analysis.stages if s.slice_mean_tflops is not None and slice_roughness_of(s) is not None]
    if grid is None or len(points) < 2:
        return None
    ladder, alone = main.ladder(), (*main.tiles, *main.libraries)
    groups: list[tuple[str, list[StageReport], dict[str, Any]]] = [
        ("one tile", [s for s in points if s in main.tiles], {"symbol": "circle", "color": "#8793a0", "size": 11}),
        (
            "tile chosen, padded or split",
            [s for s in points if s not in alone],
            {"symbol": "diamond", "color": theme.GAIN, "size": 12},
        ),
        (
            "library",
            [s for s in points if s in main.libraries],
            {"symbol": "star", "color": theme.LOSS, "size": 15},
        ),
    ]
    data: list[dict[str, Any]] = []
    path = [s for s in ladder if s in points]
    if len(path) > 1:
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "fixed tile → best tile → pad → split",
                "x": [slice_roughness_of(s) for s in path],
                "y": [s.slice_mean_tflops for s in path],
                "line": {"color": "#9ccbe8", "width": 2},
                "hoverinfo": "skip",
            }
        )
    named = {id(main.fixed), id(main.best), id(main.full)} | {id(s) for s in alone}
    for name, stages, marker in groups:
        if not stages:
            continue
        data.append(
            {
                "type": "scatter",
                "mode": "markers+text",
                "name": name,
                "x": [slice_roughness_of(s) for s in stages],
                "y": [s.slice_mean_tflops for s in stages],
                "text": [_name(s, main) if id(s) in named else "" for s in stages],
                "customdata": [label(s.name) for s in stages],
                "textposition": [_label_side(s, main) for s in stages],
                "textfont": {"size": 12},
                "marker": {**marker, "line": {"color": "#ffffff", "width": 1}},
                "cliponaxis": False,
                "hovertemplate": "%{customdata}<br>mean %{y:.1f} TFLOP/s<br>roughness %{x:.2f}<extra></extra>",
            }
        )
    form = theme.layout(
        480,
        xaxis=theme.axis("roughness along N, slice at the largest K (TFLOP/s per step)", range=_padded(points, 0)),
        yaxis=theme.axis("mean throughput of the slice (TFLOP/s)", range=_padded(points, 1)),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"l": 72, "r": 40, "t": 48, "b": 60},
    )
    caption = (
        "Up is faster, left is smoother: see which steps of the line buy throughput at the price of roughness, and "
        f"which buy both (K = {grid.K[-1]}; hover for the stages without a label)."
    )
    return Figure("ladder", "Throughput against roughness", caption, data, form)


def _name(stage: StageReport, main: MainStages) -> str:
    return "full stack" if stage is main.full else label(short_name(stage))


def _label_side(stage: StageReport, main: MainStages) -> str:
    """Keep labels off the points beside them: padded and split ones lie just left of their base."""
    if stage is main.full:
        return "top left"
    return "bottom right" if stage in (main.fixed, main.best) else "top center"


def _padded(stages: list[StageReport], which: int) -> list[float]:
    values = [(slice_roughness_of(s), s.slice_mean_tflops)[which] or 0.0 for s in stages]
    margin = 0.12 * (max(values) - min(values)) or 1.0
    return [min(values) - margin, max(values) + margin]


def _line(analysis: Analysis, main: MainStages) -> Figure | None:
    """Line along N at the largest M and K."""
    grid = analysis.landscape
    if grid is None or grid.N.size < 3:
        return None
    data: list[dict[str, Any]] = []

    def add(name: str, rate: np.ndarray[Any, Any], style: dict[str, Any], width: float = 2.0) -> None:
        if np.isfinite(rate).any():
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": label(name),
                    "x": packed(grid.N),
                    "y": packed(rate),
                    "line": {"width": width, **style},
                    "hovertemplate": "%{y:.1f} TFLOP/s",
                }
            )

    if analysis.optimal is not None:
        add("optimal (bound)", np.asarray(analysis.optimal[-1, :, -1]), {"color": "#b8c1ca", "dash": "dot"}, 1.5)
    shades = {"color": "#8793a0"}, {"color": "#E69F00"}, {"color": "#56B4E9"}, {"color": "#0072B2"}
    for stage, style in zip((main.fixed, main.best, main.best_pad, main.full), shades, strict=True):
        if stage is not None and stage.result is not None:
            rate = grid.throughput(stage.result.time)[-1, :, -1]
            add(f"full stack ({stage.name})" if stage is main.full else stage.name, rate, style)
    for stage in main.libraries:
        if stage.result is not None and stage is not main.fixed:
            rate = grid.throughput(stage.result.time)[-1, :, -1]
            add(f"library: {short_name(stage)}", rate, {"color": theme.LOSS, "dash": "dash"}, 1.6)
    form = theme.layout(
        430,
        xaxis=theme.axis("N (elements)"),
        yaxis=theme.axis("throughput (TFLOP/s)", rangemode="tozero"),
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"l": 64, "r": 24, "t": 64, "b": 56},
    )
    caption = (
        f"Follow the teeth of the fixed tile along N at M = {grid.M[-1]}, K = {grid.K[-1]}, and see which of them "
        "the later stages fill."
    )
    return Figure("line", "One line through the stages", caption, data, form) if data else None


def _removable(main: MainStages) -> Figure | None:
    """Steps from the fixed tile to the full stack, in roughness and in mean throughput."""
    fixed = main.fixed
    if fixed is None or not fixed.removable:
        return None
    start = slice_roughness_of(fixed)
    steps = [s for s in (main.best, main.best_pad, main.full) if s is not None and s.name in fixed.removable]
    if start is None or not steps:
        return None
    names = [_step_name(stage) for stage in steps]
    x = [label(short_name(fixed)), *names, "what remains"]
    rough = [start, *(-fixed.removable[stage.name] for stage in steps), None]
    means = [fixed.slice_mean_tflops or 0.0, *((stage.slice_mean_tflops or 0.0) for stage in steps)]
    gains = [means[0], *(after - before for before, after in pairwise(means)), None]
    data = [
        _waterfall(x, rough, "", theme.LOSS, theme.GAIN, sum(value or 0.0 for value in rough)),
        _waterfall([*x[:-1], "full stack"], gains, "2", theme.GAIN, theme.LOSS, means[-1]),
    ]
    titles = ["Roughness along N (slice)", "Mean throughput (slice)"]
    form = theme.panels(titles, 2, 420, "", "TFLOP/s per step")
    form["yaxis2"]["title"]["text"] = "TFLOP/s"
    form["xaxis2"]["domain"] = [0.56, 1.0]
    form["xaxis"]["domain"] = [0.0, 0.44]
    form["annotations"][0]["x"], form["annotations"][1]["x"] = 0.22, 0.78
    for suffix in ("", "2"):
        form[f"xaxis{suffix}"]["title"]["text"] = "stage added"
        form[f"yaxis{suffix}"]["range"] = [0, 1.2 * max(_heights(rough if suffix == "" else gains))]
    form |= theme.layout(440, showlegend=False)
    caption = (
        "Blue steps are improvements, orange ones setbacks: a stage that picks a faster kernel can well add "
        "roughness, and what remains is bound to the hardware and these kernels."
    )
    return Figure("removable", "What software takes away, stage by stage", caption, data, form)


def _heights(values: list[float | None]) -> list[float]:
    return [float(height) for height in np.cumsum([value for value in values if value is not None])]


def _waterfall(
    x: list[str], steps: list[float | None], suffix: str, up: str, down: str, total: float
) -> dict[str, Any]:
    last = len(x) - 1
    shown = [number(value) if index == 0 else signed(value) for index, value in enumerate(steps[:-1])]
    return {
        "type": "waterfall",
        "x": x,
        "y": [0.0 if value is None else value for value in steps],
        "measure": [
            "absolute" if index == 0 else "total" if index == last else "relative" for index in range(len(x))
        ],
        "text": [*shown, number(total)],
        "textposition": "outside",
        "cliponaxis": False,
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "increasing": {"marker": {"color": up}},
        "decreasing": {"marker": {"color": down}},
        "totals": {"marker": {"color": theme.TOTAL}},
        "connector": {"line": {"color": "#b8c1ca", "width": 1}},
        "hovertemplate": "%{x}<br>%{text}<extra></extra>",
    }


def _step_name(stage: StageReport) -> str:
    return stage.name if " + " not in stage.name else "+ " + stage.name.rsplit(" + ", 1)[1]
