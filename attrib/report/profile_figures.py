"""Profiles of the discrete constants: how well each candidate explains the timings, and which are not refuted."""

from __future__ import annotations

from typing import Any

from attrib.analysis import Analysis
from attrib.report import theme
from attrib.report.figure import Figure, label
from models.constants.constant import Constant

_PROFILED = {
    "cores": "cores",
    "core_spread": "slowest core, below the fastest (part of its rate)",
    "cache_spill_bytes": "working set that spills the cache (B)",
    "k_granularity": "granularity of K (elements)",
    "row_pitch_b_bytes": "granularity of the pitch of B (B)",
    "channels": "channels x interleave (B)",
}
_COLUMNS = 2
_PANEL = 260


def profile_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Return one figure with a panel for each constant that has a profile, or none."""
    found: dict[str, Constant] = {}
    for fit in analysis.fit.tiles.values():
        for name in _PROFILED:
            constant = fit.constants.get(name)
            if name not in found and constant is not None and constant.profile is not None:
                found[name] = constant
    if not found:
        return ()
    height = _PANEL * -(-len(found) // _COLUMNS) + 80
    titles = [_PROFILED[name] + ("" if constant.identified else ": open") for name, constant in found.items()]
    form = theme.panels(titles, _COLUMNS, height, "candidate", "above the best")
    data: list[dict[str, Any]] = []
    for index, constant in enumerate(found.values()):
        data += _panel(constant, theme.axis_suffix(index), index == 0)
    caption = (
        "Lower explains the timings better: B log(loss) over B blocks of neighbouring shapes, above the best "
        "candidate. Filled candidates are not refuted by any other (95 % set); a flat profile tells nothing."
    )
    form |= theme.layout(height, legend={"orientation": "h", "y": -0.12})
    return (Figure("profiles", "How well candidates of each constant explain the timings", caption, data, form),)


def _panel(constant: Constant, suffix: str, legend: bool) -> list[dict[str, Any]]:
    profile = constant.profile
    assert profile is not None
    least = min(profile.criterion)
    # Pairs have no order of their own: the best come first, and no more than can be read.
    order = list(range(len(profile.candidates)))
    if len(profile.names) > 1:
        order = sorted(order, key=lambda i: profile.criterion[i])[:16]
    traces = []
    for kept, name in ((True, "in the 95 % set"), (False, "refuted")):
        chosen = [i for i in order if profile.tenable[i] == kept]
        text = [" x ".join(f"{value:,.0f}" for value in profile.candidates[i]) for i in chosen]
        single = len(profile.names) == 1
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(name),
                "legendgroup": name,
                "showlegend": legend,
                "x": [profile.candidates[i][0] for i in chosen] if single else text,
                "y": [profile.criterion[i] - least for i in chosen],
                "text": text,
                "hovertemplate": "%{text}: %{y:.1f}<extra></extra>",
                "marker": {
                    "size": 8 if kept else 6,
                    "color": theme.GAIN if kept else "#ffffff",
                    "line": {"color": theme.GAIN, "width": 1},
                },
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
            }
        )
    return traces
