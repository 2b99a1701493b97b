"""What was left out and why: the same reason once, with all it applies to."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrib.analysis import Analysis
from attrib.report.table import Cell, Table
from models.reasons import NO_GAIN

_TERM = re.compile(r"term (?P<term>.+) of tile (?P<tile>.+)")


def left_out_table(analysis: Analysis) -> Table | None:
    """Rows of what and why, merged by reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for item in analysis.skipped:
        match = _TERM.fullmatch(item.part)
        if match is None:
            reasons.setdefault((item.part, item.reason), [])
        else:
            reasons.setdefault((f"term {match['term']}", item.reason), []).append(match["tile"])
    for label, fit in analysis.fit.tiles.items():
        for estimate in fit.estimates:
            if not estimate.identifiable:
                tiles = reasons.setdefault((f"{estimate.name} ({estimate.term})", estimate.reason), [])
                tiles.append(label)
        for term, reason in fit.left_out.items():
            if reason == NO_GAIN:
                reasons.setdefault((f"term {term}", reason), []).append(label)
    for stage in analysis.stages:
        if stage.note and stage.attribution is None and stage.roughness is not None:
            reasons.setdefault((f"attribution of {stage.name}", stage.note), [])
    if not reasons:
        return None
    merged: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (part, reason), tiles in reasons.items():
        merged.setdefault((reason, tuple(dict.fromkeys(tiles))), []).append(part)
    rows = [
        (Cell("; ".join(parts)), Cell(_tiles(tiles, analysis.fit.tiles)), Cell(reason))
        for (reason, tiles), parts in merged.items()
    ]
    return Table("left-out-table", "What this page does not show", ("left out", "for", "why"), tuple(rows))


def _tiles(tiles: tuple[str, ...], known: Iterable[str]) -> str:
    if not tiles:
        return "the whole analysis"
    return "all tiles" if len(tiles) > 1 and set(tiles) == set(known) else ", ".join(tiles)
