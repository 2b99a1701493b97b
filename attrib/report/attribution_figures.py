"""Where each stage's roughness comes from: stacked shares that add up to what was measured, and their intervals."""

from __future__ import annotations

from typing import Any

from attrib.analysis import Analysis, StageReport
from attrib.attribution import FLOOR, NOISE, UNEXPLAINED, Attribution
from attrib.report import theme
from attrib.report.figure import Figure, label
from attrib.report.main_stages import MainStages, short_name
from attrib.report.numbers_with_units import DASH, number, percent
from attrib.report.table import Cell, Table

NEGATIVE = (
    "A negative share means that the mechanism smooths this landscape: without it, neighbouring shapes would "
    "differ more (a launch cost, for one, damps the throughput of small shapes and with it their steps)."
)

_SMALL = 5e-3
"""Shares below this in every stage, TFLOP/s per step, are left out."""


def attributed(analysis: Analysis) -> tuple[StageReport, ...]:
    """Stages with an attribution, in order."""
    return tuple(stage for stage in analysis.stages if stage.attribution is not None)


def share_names(analysis: Analysis) -> tuple[str, ...]:
    """Names of all shares: mechanisms by size at the first stage, then floor, unexplained and noise."""
    seen: dict[str, float] = {}
    for stage in attributed(analysis):
        assert stage.attribution is not None
        for name, share in stage.attribution.shares.items():
            seen.setdefault(name, abs(share.share))
    rest = [name for name in (FLOOR, UNEXPLAINED, NOISE) if name in seen]
    return (*sorted((name for name in seen if name not in rest), key=lambda name: -seen[name]), *rest)


def attribution_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Return the stacked bars and the intervals; nothing where no stage could be attributed."""
    stages = attributed(analysis)
    if not stages:
        return ()
    return (_stacked(analysis, stages), _intervals(analysis))


def attribution_table(analysis: Analysis) -> Table | None:
    """All shares as numbers, one stage a row; they add up to the roughness in the second column."""
    stages = attributed(analysis)
    if not stages:
        return None
    every = share_names(analysis)
    values = {
        n: [s.attribution.shares[n].share for s in stages if s.attribution and n in s.attribution.shares]
        for n in every
    }
    names = [n for n in every if n in (FLOOR, UNEXPLAINED, NOISE) or max(map(abs, values[n])) >= _SMALL]
    silent = [n for n in every if n not in names]
    rows = []
    for stage in stages:
        assert stage.attribution is not None
        shares = stage.attribution.shares
        cells = [Cell(number(shares[n].share, 2), shares[n].share) if n in shares else Cell(DASH) for n in names]
        whole = stage.attribution
        rows.append(
            (
                Cell(short_name(stage)),
                Cell(number(whole.roughness, 2), whole.roughness),
                *cells,
                Cell(number(whole.model_roughness, 2), whole.model_roughness),
                Cell(number(whole.step_correlation, 3), whole.step_correlation),
                Cell(number(whole.step_error, 2), whole.step_error),
            )
        )
    columns = ("stage", "measured", *names, "model alone", "step correlation", "error of a step")
    return Table(
        "attribution-table",
        "Shares of the roughness along N, slice at the largest K (TFLOP/s per step). Each row's shares add up to "
        "the measured value; the last three columns compare the model's own roughness and its steps with the "
        "measured ones (unexplained is net: opposite errors of steps cancel in it)."
        + (f" Nothing in this slice: {', '.join(silent)}." if silent else ""),
        columns,
        tuple(rows),
    )


def _stacked(analysis: Analysis, stages: tuple[StageReport, ...]) -> Figure:
    names = [short_name(stage) for stage in stages]
    data: list[dict[str, Any]] = []
    for name in share_names(analysis):
        shares = [_share(stage.attribution, name) for stage in stages]
        if max(abs(value) for value, _ in shares) < _SMALL:
            continue
        marker: dict[str, Any] = {"color": theme.color_of(name), "line": {"color": "#ffffff", "width": 0.5}}
        if name in theme.PATTERNS:
            marker["pattern"] = {
                "shape": theme.PATTERNS[name],
                "fillmode": "overlay",
                "size": 6,
                "solidity": 0.3,
                "fgcolor": "#ffffff",
            }
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": label(name),
                "y": [label(text) for text in names],
                "x": [value for value, _ in shares],
                "customdata": [text for _, text in shares],
                "marker": marker,
                "hovertemplate": f"<b>{label(name)}</b>, %{{y}}<br>%{{customdata}}<extra></extra>",
            }
        )
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "measured roughness",
            "y": [label(text) for text in names],
            "x": [stage.attribution.roughness if stage.attribution else None for stage in stages],
            "marker": {"symbol": "line-ns", "size": 18, "line": {"width": 2.5, "color": theme.MEASURED}},
            "hovertemplate": "%{y}<br>measured %{x:.2f} TFLOP/s per step<extra></extra>",
        }
    )
    form = stage_bars(len(stages))
    caption = (
        "Compare the hatched parts (not caused by a mechanism) with the solid ones: bars right of zero less those "
        "left of it end at the black mark, the measured roughness."
    )
    return Figure("attribution", "What causes the roughness", caption, data, form)


def stage_bars(stages: int) -> dict[str, Any]:
    """Layout of stacked bars of roughness, one for each of so many stages."""
    return theme.layout(
        180 + 34 * stages,
        barmode="relative",
        bargap=0.28,
        xaxis=theme.axis("roughness along N (TFLOP/s per step)", zeroline=True),
        yaxis=theme.axis("", autorange="reversed", showgrid=False, ticks=""),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        margin={"l": 72, "r": 24, "t": 96, "b": 56},
    )


def _intervals(analysis: Analysis) -> Figure:
    main, names = MainStages.of(analysis), share_names(analysis)
    chosen = [stage for stage in main.ladder() if stage.attribution is not None and stage is not main.best_pad]
    chosen = chosen or list(attributed(analysis)[:1])
    shown = [n for n in names if max(abs(_share(stage.attribution, n)[0]) for stage in chosen) >= _SMALL]
    data: list[dict[str, Any]] = []
    symbols = ("circle", "square", "diamond")
    colors = ("#8793a0", "#E69F00", "#0072B2")
    for index, stage in enumerate(chosen):
        assert stage.attribution is not None
        offset = 0.22 * (index - (len(chosen) - 1) / 2)
        shares = [stage.attribution.shares[name] for name in shown]
        upper = [0.0 if s.upper is None else max(0.0, s.upper - s.share) for s in shares]
        lower = [0.0 if s.lower is None else max(0.0, s.share - s.lower) for s in shares]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(short_name(stage)),
                "x": [share.share for share in shares],
                "y": [position + offset for position in range(len(shown))],
                "customdata": [f"{label(n)}: {_share(stage.attribution, n)[1]}" for n in shown],
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": upper,
                    "arrayminus": lower,
                    "thickness": 1.6,
                    "width": 4,
                    "color": colors[index % 3],
                },
                "marker": {"symbol": symbols[index % 3], "size": 9, "color": colors[index % 3]},
                "hovertemplate": "%{customdata}<extra>%{fullData.name}</extra>",
            }
        )
    form = theme.layout(
        140 + 46 * len(shown),
        xaxis=theme.axis("share of the roughness along N (TFLOP/s per step)", zeroline=True, zerolinewidth=1.5),
        yaxis=theme.axis(
            "",
            tickvals=list(range(len(shown))),
            ticktext=[label(name) for name in shown],
            range=[len(shown) - 0.5, -0.5],
            zeroline=False,
            ticks="",
        ),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"l": 130, "r": 24, "t": 48, "b": 56},
    )
    caption = (
        "Whiskers are 95 % intervals that allow for lack of fit shared by neighbouring shapes and for terms that "
        "were not chosen: a mechanism matters where its whisker keeps clear of zero."
    )
    return Figure("intervals", "How sure the shares are", caption, data, form)


def _share(attribution: Attribution | None, name: str) -> tuple[float, str]:
    """Value of a share, and it in words with its interval."""
    share = attribution.shares.get(name) if attribution is not None else None
    if share is None or attribution is None:
        return 0.0, DASH
    of = f" ({percent(share.share / attribution.roughness)})" if attribution.roughness > 0 else ""
    text = f"{number(share.share, 2)} TFLOP/s per step{of}"
    if share.lower is not None and share.upper is not None:
        text += f", 95 % interval {number(share.lower, 2)} to {number(share.upper, 2)}"
    return share.share, text
