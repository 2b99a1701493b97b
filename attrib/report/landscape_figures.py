"""Throughput maps of the slice at one K: stages beside the references, on one colour scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrib.analysis import Analysis
from attrib.report.figure import Figure, label, packed
from attrib.report.main_stages import MainStages, short_name
from attrib.report.theme import SEQUENTIAL, axis_suffix, layout, panels

Array = NDArray[np.float64]

_MOST_DEPTHS = 8
"""Values of K to choose from: each one costs a set of maps."""


_FEW = {"nticks": 6}
"""Ticks of an axis of a small map."""


def landscape_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Return the maps, or nothing where the samples form no grid of at least two by two."""
    grid = analysis.landscape
    if grid is None or grid.M.size < 2 or grid.N.size < 2:
        return ()
    maps = _maps(analysis)
    if not maps:
        return ()
    depths = np.unique(np.linspace(0, grid.K.size - 1, min(_MOST_DEPTHS, grid.K.size)).round().astype(int))
    columns = 3 if len(maps) > 2 else len(maps)
    rows = -(-len(maps) // columns)
    height = 140 + 330 * rows + (40 if depths.size > 1 else 0)
    data: list[dict[str, Any]] = []
    for depth in depths:
        for index, (name, cube) in enumerate(maps):
            data.append(
                {
                    "type": "heatmap",
                    "x": packed(grid.N),
                    "y": packed(grid.M),
                    "z": packed(cube[:, :, depth]),
                    "xaxis": f"x{axis_suffix(index)}",
                    "yaxis": f"y{axis_suffix(index)}",
                    "coloraxis": "coloraxis",
                    "visible": bool(depth == depths[-1]),
                    "hovertemplate": f"{name}<br>M %{{y}}, N %{{x}}<br>%{{z:.1f}} TFLOP/s<extra></extra>",
                }
            )
    top = float(max(np.nanmax(cube) for _, cube in maps))
    form = panels([name for name, _ in maps], columns, height - 150, "N (elements)", "M (elements)", x=_FEW, y=_FEW)
    form |= layout(
        height,
        coloraxis={
            "colorscale": SEQUENTIAL,
            "cmin": 0,
            "cmax": top,
            "colorbar": {"title": {"text": "TFLOP/s", "side": "top"}, "thickness": 14, "outlinewidth": 0},
        },
        margin={"l": 64, "r": 24, "t": 52, "b": 112 if depths.size > 1 else 60},
    )
    if depths.size > 1:
        form["sliders"] = [_slider([int(grid.K[depth]) for depth in depths], len(maps))]
    choose = " Move the slider to see other K." if depths.size > 1 else ""
    caption = (
        f"Look for stripes and bands: each is a jump between neighbouring shapes (slice at K = {grid.K[-1]}, all "
        f"maps on one colour scale).{choose}"
    )
    return (Figure("landscapes", "Throughput over M and N", caption, data, form, 760),)


def _maps(analysis: Analysis) -> list[tuple[str, Array]]:
    """Names and cubes (M, N, K) in TFLOP/s, those with any value."""
    grid, main = analysis.landscape, MainStages.of(analysis)
    assert grid is not None
    found: list[tuple[str, Array]] = []
    names = {id(main.fixed): "fixed tile " + (short_name(main.fixed) if main.fixed else "")}
    for stage in (main.fixed, main.best, main.full, *main.libraries):
        if stage is None or stage.result is None or any(name == stage.name for name, _ in found):
            continue
        if stage in main.libraries and stage is not main.fixed:
            name = f"library: {short_name(stage)}"
        else:
            name = names.get(id(stage), stage.name)
        found.append((label(name), grid.throughput(stage.result.time)))
    for name, cube in (("optimal (bound)", analysis.optimal), ("ideal (bound)", analysis.ideal)):
        if cube is not None:
            found.append((name, np.asarray(cube)))
    return [(name, cube) for name, cube in found if np.isfinite(cube[..., -1]).any()]


def _slider(depths: list[int], maps: int) -> dict[str, Any]:
    steps = []
    for chosen in range(len(depths)):
        visible = [index // maps == chosen for index in range(len(depths) * maps)]
        steps.append({"method": "restyle", "args": ["visible", visible], "label": str(depths[chosen])})
    return {
        "active": len(depths) - 1,
        "steps": steps,
        "currentvalue": {"prefix": "K = ", "font": {"size": 13}, "xanchor": "left"},
        "pad": {"t": 44, "b": 0},
        "len": 0.6,
        "x": 0,
        "tickcolor": "#9aa5b1",
    }
