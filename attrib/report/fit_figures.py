"""Measured against fitted: density, lines along N, and where the residual depends on shape, wave fill or K."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrib.analysis import Analysis
from attrib.report import theme
from attrib.report.figure import Figure, label, packed
from attrib.report.numbers_with_units import percent
from attrib.report.residuals import TileResidual, residuals

Array = NDArray[np.float64]

_BINS = 64
_MOST_TILES = 12
"""Tiles drawn; the tables have all of them."""

_FEWEST_ON_LINE = 8


def fit_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Return the figures that apply to the cube."""
    tiles = residuals(analysis)[:_MOST_TILES]
    if not tiles:
        return ()
    figures = (_density(tiles), _lines(tiles), _maps(analysis, tiles), _trends(tiles), _time_shares(analysis))
    return tuple(figure for figure in figures if figure is not None)


def _density(tiles: Sequence[TileResidual]) -> Figure:
    """Two histograms, for all tiles together and for each."""
    groups: list[tuple[str, Array, Array]] = [(tile.label, tile.measured, tile.fitted) for tile in tiles]
    if len(tiles) > 1:
        every = np.concatenate([g[1] for g in groups]), np.concatenate([g[2] for g in groups])
        groups.insert(0, ("all tiles", *every))
    everything = np.concatenate([np.concatenate(g[1:]) for g in groups]) * 1e6
    times = _log_edges(everything)
    error = np.concatenate([g[2] / g[1] - 1.0 for g in groups])
    reach = max(0.01, 1.1 * float(np.quantile(np.abs(error), 0.998)))
    errors = np.linspace(-reach, reach, _BINS + 1)
    data: list[dict[str, Any]] = []
    top = 1.0
    for index, (name, measured, fitted) in enumerate(groups):
        first = np.histogram2d(1e6 * fitted, 1e6 * measured, bins=(times, times))[0]
        off = np.clip(fitted / measured - 1.0, -reach, reach)
        second = np.histogram2d(off, 1e6 * measured, bins=(errors, times))[0]
        top = max(top, float(first.max()), float(second.max()))
        for suffix, counts, y in (("", first, times), ("2", second, 100 * errors)):
            data.append(
                {
                    "type": "heatmap",
                    "name": label(name),
                    "x": packed(times),
                    "y": packed(y),
                    "z": packed(np.log10(np.where(counts > 0, counts, np.nan))),
                    "xaxis": f"x{suffix}",
                    "yaxis": f"y{suffix}",
                    "coloraxis": "coloraxis",
                    "visible": index == 0,
                    "hoverinfo": "skip",
                }
            )
    decades = np.arange(0, np.floor(np.log10(top)) + 1)
    form = theme.panels(
        ["Fitted against measured", "Relative error"],
        2,
        400,
        "measured time (µs)",
        "fitted time (µs)",
        x={"type": "log"},
    )
    form["yaxis"]["type"] = "log"
    form["yaxis2"]["title"]["text"] = "fitted ÷ measured − 1 (%)"
    form["xaxis"]["domain"], form["xaxis2"]["domain"] = [0.0, 0.43], [0.55, 0.98]
    form["annotations"][0]["x"], form["annotations"][1]["x"] = 0.215, 0.765
    for axis in ("xaxis", "xaxis2", "yaxis"):
        form[axis] |= {"dtick": "D2" if times[-1] / times[0] < 30 else 1, "range": list(np.log10(times[[0, -1]]))}
    form["shapes"] = [
        _guide("x", "y", times[0], times[0], times[-1], times[-1]),
        _guide("x2", "y2", times[0], 0.0, times[-1], 0.0),
    ]
    form |= theme.layout(
        470,
        coloraxis={
            "colorscale": theme.SEQUENTIAL,
            "cmin": 0,
            "cmax": float(np.log10(top)) or 1.0,
            "colorbar": {
                "title": {"text": "cells", "side": "top"},
                "tickvals": decades.tolist(),
                "ticktext": [f"{10**d:,.0f}" for d in decades],
                "thickness": 14,
                "outlinewidth": 0,
            },
        },
        margin={"l": 64, "r": 24, "t": 76 if len(groups) > 1 else 56, "b": 56},
    )
    if len(groups) > 1:
        form["updatemenus"] = [_selector([name for name, _, _ in groups])]
    caption = (
        "A good fit lies on the dashed lines at all times; a bend or a second branch is a mechanism that the model "
        "lacks (errors beyond the frame are counted at its edge)."
    )
    return Figure("density", "Measured against fitted time", caption, data, form)


def _log_edges(values: Array) -> Array:
    low, high = np.log10(values.min()), np.log10(values.max())
    margin = 0.02 * (high - low) + 0.01
    return np.asarray(np.logspace(low - margin, high + margin, _BINS + 1))


def _guide(x: str, y: str, x0: float, y0: float, x1: float, y1: float) -> dict[str, Any]:
    line = {"color": theme.MEASURED, "width": 1, "dash": "dash"}
    return {"type": "line", "xref": x, "yref": y, "x0": x0, "y0": y0, "x1": x1, "y1": y1, "line": line}


def _selector(names: list[str]) -> dict[str, Any]:
    buttons = [
        {
            "method": "restyle",
            "label": label(name),
            "args": ["visible", [other // 2 == index for other in range(2 * len(names))]],
        }
        for index, name in enumerate(names)
    ]
    return {
        "buttons": buttons,
        "x": 0,
        "y": 1.2,
        "xanchor": "left",
        "yanchor": "top",
        "pad": {"t": 0},
        "bgcolor": "#ffffff",
        "font": {"size": 12},
    }


def _lines(tiles: Sequence[TileResidual]) -> Figure | None:
    """Throughput along N, measured and fitted, at the (M, K) with the most values of N."""
    found = [(tile, rows) for tile in tiles if (rows := _line_of(tile)).size >= _FEWEST_ON_LINE]
    if not found:
        return None
    columns = min(2, len(found))
    rows_of_panels = -(-len(found) // columns)
    height = 90 + 240 * rows_of_panels
    wide = any(tile.N[rows].max() > 40 * tile.N[rows].min() for tile, rows in found)
    titles = [f"{label(t.label)} (M = {t.M[r[0]]}, K = {t.K[r[0]]})" for t, r in found]
    x = {"type": "log"} if wide else {}
    form = theme.panels(titles, columns, height - 100, "N (elements)", "TFLOP/s", x=x, y={"rangemode": "tozero"})
    data: list[dict[str, Any]] = []
    for index, (tile, rows) in enumerate(found):
        suffix = theme.axis_suffix(index)
        for name, time, style in (
            ("measured", tile.measured, {"color": theme.MEASURED, "width": 2}),
            ("fitted", tile.fitted, {"color": theme.FITTED, "width": 1.8, "dash": "dash"}),
        ):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "legendgroup": name,
                    "showlegend": index == 0,
                    "x": packed(tile.N[rows]),
                    "y": packed(tile.rate(time)[rows]),
                    "xaxis": f"x{suffix}",
                    "yaxis": f"y{suffix}",
                    "line": style,
                    "hovertemplate": f"{name} %{{y:.1f}} TFLOP/s, N %{{x}}<extra></extra>",
                }
            )
    form |= theme.layout(
        height,
        legend={"orientation": "h", "x": 0, "y": 1.0 + 26 / height, "yanchor": "bottom"},
        margin={"l": 64, "r": 24, "t": 68, "b": 56},
    )
    caption = "Every tooth of the measured line should have its twin in the fitted one, at the same N and as deep."
    return Figure("fit-lines", "Lines along N, measured and fitted", caption, data, form)


def _line_of(tile: TileResidual) -> NDArray[np.int64]:
    """Rows of the longest line along N (of several, that with the largest M and K), by N; one row for each N."""
    lines = Counter(zip(tile.M.tolist(), tile.K.tolist(), strict=True))
    m, k = max(lines, key=lambda line: (lines[line], line[0] * line[1]))
    rows = np.flatnonzero((m == tile.M) & (k == tile.K))
    _, first = np.unique(tile.N[rows], return_index=True)
    return rows[first]


def _maps(analysis: Analysis, tiles: Sequence[TileResidual]) -> Figure | None:
    """Median residual over K at each (M, N)."""
    grid = analysis.landscape
    if grid is None or min(grid.M.size, grid.N.size) < 3:
        return None
    columns = min(4, len(tiles))
    height = 100 + 270 * -(-len(tiles) // columns)
    images = []
    for tile in tiles:
        cube = np.full(grid.shape, np.nan)
        where = tuple(np.searchsorted(grid.axis(name), getattr(tile, name)) for name in "MNK")
        cube[where] = 100 * tile.error
        images.append(_median_over_depth(cube))
    reach = max(0.5, float(np.nanquantile(np.abs(np.stack(images)), 0.98)))
    form = theme.panels([label(t.label) for t in tiles], columns, height - 100, "N (elements)", "M (elements)")
    data: list[dict[str, Any]] = []
    for index, (tile, image) in enumerate(zip(tiles, images, strict=True)):
        suffix = theme.axis_suffix(index)
        data.append(
            {
                "type": "heatmap",
                "name": label(tile.label),
                "x": packed(grid.N),
                "y": packed(grid.M),
                "z": packed(image),
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
                "coloraxis": "coloraxis",
                "hovertemplate": "M %{y}, N %{x}<br>%{z:.1f} %<extra></extra>",
            }
        )
    form |= theme.layout(
        height,
        coloraxis={
            "colorscale": theme.DIVERGING,
            "cmin": -reach,
            "cmax": reach,
            "colorbar": {"title": {"text": "error (%)", "side": "top"}, "thickness": 14, "outlinewidth": 0},
        },
    )
    caption = (
        "Structure here is what the model misses: fitted ÷ measured − 1, median over K; red where the model is too "
        "slow, blue where it is too fast."
    )
    return Figure("residual-map", "Where the model is off", caption, data, form, 860)


def _median_over_depth(cube: Array) -> Array:
    """Median along K of the cells that there are; NaN where there is none."""
    empty = np.asarray(np.isnan(cube).all(axis=2))
    image = np.nanmedian(np.where(empty[..., None], 0.0, cube), axis=2)
    return np.where(empty, np.nan, image)


def _trends(tiles: Sequence[TileResidual]) -> Figure:
    """Median residual by fill of the last wave and by K, one line a tile."""
    known = [tile for tile in tiles if tile.last_wave_fill is not None]
    titles = (["By the fill of the last wave"] if known else []) + ["By K"]
    form = theme.panels(titles, 2, 340, "", "fitted ÷ measured − 1, median (%)")
    edges = np.linspace(0.0, 1.0, 21)
    data: list[dict[str, Any]] = []
    for index, tile in enumerate(tiles):
        style = theme.series(index)
        fill = tile.last_wave_fill
        if fill is not None:
            x, y = _binned(fill, tile.error, edges)
            data.append(_trend(tile, 100 * x, y, "", style, True))
        depths = np.unique(tile.K)
        if depths.size > 40:
            depths = np.unique(np.geomspace(depths[0], depths[-1], 25).round())
        cuts = np.concatenate([[0.0], np.sqrt(depths[1:] * depths[:-1]), [np.inf]])
        x, y = _binned(tile.K.astype(np.float64), tile.error, cuts)
        data.append(_trend(tile, x, y, theme.axis_suffix(len(titles) - 1), style, fill is None))
    if known:
        form["xaxis"]["title"]["text"] = "slots of the last wave that are busy (%)"
    last = theme.axis_suffix(len(titles) - 1)
    form[f"xaxis{last}"]["title"]["text"] = "K (elements)"
    if max(tile.K.max() / tile.K.min() for tile in tiles) > 40:
        form[f"xaxis{last}"]["type"] = "log"
    form |= theme.layout(
        430,
        legend={"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top"},
        margin={"l": 64, "r": 24, "t": 56, "b": 96},
    )
    caption = (
        "Lines near zero mean that no trend is left; a slope at the left of the first panel would say that partly "
        "filled waves are priced wrongly."
        if known
        else "A line near zero means that no trend is left; a slope says at which depth the model is off."
    )
    return Figure("trends", "What the residual still depends on", caption, data, form)


def _binned(x: Array, y: Array, edges: Array) -> tuple[Array, Array]:
    """Medians of x and y (in per cent) in bins that hold at least five points."""
    index = np.clip(np.searchsorted(edges, x, side="left") - 1, 0, edges.size - 2)
    order = np.argsort(index, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(index[order])) + 1)
    medians = [(np.median(x[part]), 100 * np.median(y[part])) for part in parts if part.size >= 5]
    table = np.array(medians, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _trend(
    tile: TileResidual, x: Array, y: Array, suffix: str, style: dict[str, str], legend: bool
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(tile.label),
        "legendgroup": label(tile.label),
        "showlegend": legend,
        "x": packed(x),
        "y": packed(y),
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "line": {**style, "width": 1.8},
        "marker": {"size": 4, "color": style["color"]},
        "hovertemplate": "%{y:.2f} % at %{x:.0f}",
    }


def _time_shares(analysis: Analysis) -> Figure | None:
    """Mean share of the time that each term takes, tile by tile."""
    fits = analysis.fit.tiles
    shares = {
        label_: {term: sum(e.share for e in fit.estimates if e.term == term) for term in fit.terms}
        for label_, fit in fits.items()
    }
    terms = list(dict.fromkeys(term for parts in shares.values() for term in parts))
    data: list[dict[str, Any]] = []
    for term in terms:
        values = [parts.get(term, 0.0) for parts in shares.values()]
        if max(values) < 5e-4:
            continue
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": label(term),
                "y": [label(name) for name in shares],
                "x": [100 * value for value in values],
                "text": [percent(value, 0) if value >= 0.04 else "" for value in values],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "marker": {"color": theme.color_of(term), "line": {"color": "#ffffff", "width": 0.5}},
                "hovertemplate": f"{label(term)}, %{{y}}<br>%{{x:.1f}} % of the time<extra></extra>",
            }
        )
    if not data:
        return None
    form = theme.layout(
        130 + 36 * len(shares),
        barmode="stack",
        bargap=0.28,
        xaxis=theme.axis("mean share of the measured time (%)"),
        yaxis=theme.axis("", autorange="reversed", ticks="", showgrid=False),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        margin={"l": 72, "r": 24, "t": 56, "b": 56},
    )
    caption = (
        "The widest parts are where the time goes; that need not be where the roughness comes from (mean over all "
        "cells, so small shapes count as much as large ones)."
    )
    return Figure("time-shares", "Where the time goes", caption, data, form)
