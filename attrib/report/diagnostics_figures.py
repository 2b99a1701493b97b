"""Figures of the diagnostics page: residuals by place and by cause, their neighbourhood, and leverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrib.diagnostics import Diagnostics
from attrib.report import theme
from attrib.report.figure import Figure, label, packed
from attrib.report.residuals import TileResidual, tile_residual
from models.result import FitResult

Array = NDArray[np.float64]

_MOST_TILES = 12
_FEWEST = 5
"""Cells behind a plotted median."""

_SIDE = 64
"""Sizes along an axis of a map; where there are more, neighbouring ones share a cell."""


def diagnostics_figures(found: Diagnostics, fit: FitResult) -> tuple[Figure, ...]:
    """Return the figures, for the first twelve tiles."""
    labels = list(found.tiles)[:_MOST_TILES]
    tiles = [
        tile_residual(fit, name, tile.M, tile.N, tile.K, tile.measured, tile.fitted)
        for name, tile in found.tiles.items()
        if name in labels
    ]
    return _maps(tiles), _trends(tiles, fit), _neighbourhood(found, labels), _leverage(found, labels)


def _maps(tiles: Sequence[TileResidual]) -> Figure:
    """Residual on (M, N): median over K, and at the smallest, the middle and the largest K, by a selector."""
    depths = [_depths(tile) for tile in tiles]
    choices = ["median over K", "smallest K", "middle K", "largest K"]
    every = np.abs(np.concatenate([tile.error for tile in tiles]))
    reach = 100 * max(0.005, float(np.quantile(every, 0.98)))
    columns = min(4, len(tiles))
    rows = -(-len(tiles) // columns)
    height = 140 + 230 * rows
    form = theme.panels(
        [label(tile.label) for tile in tiles], columns, height - 130, "N (elements)", "M (elements)"
    )
    data: list[dict[str, Any]] = []
    for number in range(len(choices)):
        for index, tile in enumerate(tiles):
            suffix = theme.axis_suffix(index)
            chosen = np.ones(tile.K.size, dtype=np.bool_)
            if number > 0:
                chosen = np.equal(tile.K, depths[index][number - 1])
            M, N, image = _image(tile, chosen)
            at = choices[number] if number == 0 else f"K = {depths[index][number - 1]}"
            data.append(
                {
                    "type": "heatmap",
                    "name": label(tile.label),
                    "x": packed(N),
                    "y": packed(M),
                    "z": packed(100 * image),
                    "xaxis": f"x{suffix}",
                    "yaxis": f"y{suffix}",
                    "coloraxis": "coloraxis",
                    "visible": number == 0,
                    "hovertemplate": f"M %{{y}}, N %{{x}}, {at}<br>%{{z:.2f}} %<extra></extra>",
                }
            )
    form["updatemenus"] = [
        {
            "buttons": [
                {
                    "method": "restyle",
                    "label": choice,
                    "args": ["visible", [other // len(tiles) == number for other in range(len(data))]],
                }
                for number, choice in enumerate(choices)
            ],
            "x": 0,
            "y": 1 + 70 / (height - 130),
            "xanchor": "left",
            "yanchor": "top",
            "bgcolor": "#ffffff",
            "font": {"size": 12},
        }
    ]
    form |= theme.layout(
        height,
        coloraxis={
            "colorscale": theme.DIVERGING,
            "cmin": -reach,
            "cmax": reach,
            "colorbar": {
                "title": {"text": "fitted ÷ measured − 1 (%)", "side": "right"},
                "thickness": 14,
                "outlinewidth": 0,
            },
        },
        margin={"l": 72, "r": 24, "t": 90, "b": 56},
    )
    caption = (
        "Noise would be speckle; patches, stripes and steps are lack of fit that neighbours share. Red: the model "
        "is too slow, blue: it is too fast."
    )
    return Figure("residual-maps", "Residuals by place", caption, data, form, 860)


def _depths(tile: TileResidual) -> list[int]:
    distinct = np.unique(tile.K)
    return [int(distinct[0]), int(distinct[distinct.size // 2]), int(distinct[-1])]


def _image(tile: TileResidual, rows: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Median residual over the chosen cells at each (M, N); NaN where there is none."""
    axes, ranks = [], []
    for values in (tile.M, tile.N):
        distinct, rank = np.unique(values, return_inverse=True)
        places = min(_SIDE, distinct.size)
        share = rank * places // distinct.size
        axes.append(np.array([np.median(values[share == place]) for place in range(places)]))
        ranks.append(share)
    place = ranks[0] * axes[1].size + ranks[1]
    image = np.full(axes[0].size * axes[1].size, np.nan)
    order = np.argsort(place[rows], kind="stable")
    held, first = np.unique(place[rows][order], return_index=True)
    if held.size:
        image[held] = [np.median(part) for part in np.split(tile.error[rows][order], first[1:])]
    return axes[0], axes[1], image.reshape(axes[0].size, axes[1].size)


def _trends(tiles: Sequence[TileResidual], fit: FitResult) -> Figure:
    """Median residual by K, by the fill of the last wave and by the working set, one line a tile."""
    titles = ["By K", "By the working set"]
    known = any(tile.last_wave_fill is not None for tile in tiles)
    titles += ["By the fill of the last wave"] if known else []
    form = theme.panels(titles, 3, 320, "", "fitted ÷ measured − 1, median (%)")
    data: list[dict[str, Any]] = []
    for index, tile in enumerate(tiles):
        style = theme.series(index)
        size = fit.problem(tile.label, tile.M, tile.N, tile.K).footprint / 2**20
        data.append(_line(tile, *_binned(tile.K.astype(np.float64), tile.error, True), "", style, True))
        data.append(_line(tile, *_binned(size, tile.error, True), "2", style, False))
        if tile.last_wave_fill is not None:
            data.append(_line(tile, *_binned(100 * tile.last_wave_fill, tile.error, False), "3", style, False))
    names = ["K (elements)", "A, B and D together (MiB)", "slots of the last wave that are busy (%)"]
    for suffix, name in zip(("", "2", "3"), names[: len(titles)], strict=True):
        form[f"xaxis{suffix}"]["title"]["text"] = name
    form["xaxis"]["type"] = form["xaxis2"]["type"] = "log"
    form |= theme.layout(
        420,
        legend={"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top"},
        margin={"l": 64, "r": 24, "t": 56, "b": 96},
    )
    caption = (
        "Lines near zero mean that no trend is left; a bend at a working set is a cache, a slope in the fill a "
        "wave that is priced wrongly, a slope in K a mainloop."
    )
    return Figure("residual-trends", "Residuals by cause", caption, data, form, 860)


def _binned(x: Array, y: Array, logarithmic: bool) -> tuple[Array, Array]:
    """Medians of x, and of y in per cent, in some twenty bins."""
    scale = np.log(x) if logarithmic else x
    edges = np.linspace(scale.min(), scale.max(), 22)
    index = np.clip(np.searchsorted(edges, scale, side="right") - 1, 0, 20)
    bins = [np.flatnonzero(index == number) for number in range(21)]
    table = [(np.median(x[part]), 100 * np.median(y[part])) for part in bins if part.size >= _FEWEST]
    medians = np.array(table, dtype=np.float64).reshape(-1, 2)
    return medians[:, 0], medians[:, 1]


def _line(
    tile: TileResidual, x: Array, y: Array, suffix: str, style: dict[str, str], legend: bool
) -> dict[str, Any]:
    return _scatter(tile.label, x, y, suffix, style, legend, "%{y:.2f} % at %{x:.4g}")


def _scatter(
    name: str, x: Any, y: Array, suffix: str, style: dict[str, str], legend: bool, hover: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(name),
        "legendgroup": label(name),
        "showlegend": legend,
        "x": packed(x),
        "y": packed(y),
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "line": {**style, "width": 1.8},
        "marker": {"size": 4, "color": style["color"]},
        "hovertemplate": hover,
    }


def _neighbourhood(found: Diagnostics, labels: Sequence[str]) -> Figure:
    """Correlation of residuals by their distance in sizes along each axis."""
    form = theme.panels(
        [f"Along {axis}" for axis in "MNK"],
        3,
        300,
        "sizes apart (grid steps)",
        "correlation of residuals",
        y={"range": [-0.5, 1.05]},
    )
    data = []
    for index, name in enumerate(labels):
        for number, axis in enumerate("MNK"):
            values = found.tiles[name].autocorrelation.by_lag[axis]
            lags = np.arange(1, values.size + 1)
            suffix = theme.axis_suffix(number)
            data.append(
                _scatter(name, lags, values, suffix, theme.series(index), number == 0, "%{y:.2f} at %{x} steps")
            )
    form |= theme.layout(
        400,
        legend={"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top"},
        margin={"l": 64, "r": 24, "t": 56, "b": 96},
    )
    caption = (
        "Independent residuals would lie at zero: what lies above is why cells are worth less than their number, "
        "and why tests hold out whole blocks."
    )
    return Figure("neighbourhood", "What neighbours share", caption, data, form, 860)


def _leverage(found: Diagnostics, labels: Sequence[str]) -> Figure:
    """Share of the leverage at both ends of each axis, beside the share of cells."""
    edges = list(found.tiles[labels[0]].leverage.by_edge)
    data: list[dict[str, Any]] = []
    for index, name in enumerate(labels):
        by_edge = found.tiles[name].leverage.by_edge
        data.append(
            {
                "type": "bar",
                "name": label(name),
                "x": edges,
                "y": [100 * by_edge[edge][0] for edge in edges],
                "marker": {"color": theme.series(index)["color"]},
                "customdata": [100 * by_edge[edge][1] for edge in edges],
                "hovertemplate": "%{y:.1f} % of the leverage in %{customdata:.1f} % of the cells<extra></extra>",
            }
        )
    form = theme.layout(
        380,
        barmode="group",
        xaxis=theme.axis("end of the grid", showgrid=False),
        yaxis=theme.axis("share of all leverage (%)"),
        legend={"orientation": "h", "x": 0, "y": -0.28, "yanchor": "top"},
        margin={"l": 64, "r": 24, "t": 32, "b": 110},
    )
    caption = (
        "An end of an axis with a large share of the leverage decides coefficients that the rest of the grid "
        "hardly touches: measure it with care (a cell at two ends counts at both)."
    )
    return Figure("leverage", "Where the fit leans", caption, data, form)
