"""Findings of the diagnostics page: one plain sentence each."""

from __future__ import annotations

import math

from attrib.diagnostics import Diagnostics, TileDiagnostics
from attrib.report.diagnostics_tables import LEVEL, is_found
from attrib.report.numbers_with_units import count, percent


def diagnostics_findings(found: Diagnostics) -> tuple[str, ...]:
    """Say what was found, tile by tile where tiles differ."""
    sentences: list[str] = []
    for label, tile in found.tiles.items():
        sentences += [_noise(label, tile), _worth(label, tile)]
        sentences += _terms(label, tile)
        sentences += _others(label, tile)
    return tuple(sentence for sentence in sentences if sentence)


def _noise(label: str, tile: TileDiagnostics) -> str:
    fit = tile.lack_of_fit
    if not fit.testable:
        return f"{label}: noise and lack of fit cannot be told apart ({fit.note})."
    verdict = (
        "the model is not exact" if fit.p_value <= LEVEL else "nothing says that the model misses more than noise"
    )
    return (
        f"{label}: of the held-out squared error {percent(fit.noise_share, 0)} is measurement noise; no model can "
        f"have a median error below {percent(fit.ceiling_median, 2)} here, and {verdict}."
    )


def _worth(label: str, tile: TileDiagnostics) -> str:
    if tile.note:
        return f"{label}: {tile.note}."
    return (
        f"{label}: neighbours share so much of their residual that {count(tile.M.size)} cells are worth about "
        f"{count(max(1.0, tile.effective_size))} independent ones."
        if tile.own < 1.0
        else f"{label}: neighbouring residuals are independent, as far as these cells tell."
    )


def _terms(label: str, tile: TileDiagnostics) -> list[str]:
    idle = [t.name for t in tile.terms if t.in_model and t.p_holm is not None and t.p_holm > LEVEL]
    missing = [
        t for t in tile.terms if not t.in_model and t.p_holm is not None and t.p_holm <= LEVEL and t.gain > 0
    ]
    out = []
    if idle:
        out.append(f"{label}: in the model, but not needed beyond chance on held-out blocks: {', '.join(idle)}.")
    if missing:
        listed = ", ".join(f"{t.name} ({percent(t.gain)} less squared error)" for t in missing)
        out.append(f"{label}: not in the model, but would improve held-out blocks beyond chance: {listed}.")
    pairs = sorted((t for t in tile.interactions if is_found(t)), key=lambda t: -t.gain)
    if pairs:
        best = pairs[0]
        way = "overlap in time" if best.share < 0 else "cost more together than their sum"
        out.append(
            f"{label}: {len(pairs)} of {len(tile.interactions)} pairs of mechanisms are not a plain sum; the "
            f"strongest, {best.name}, would lower the squared error by {percent(best.gain)}: they {way}."
        )
    return out


def _others(label: str, tile: TileDiagnostics) -> list[str]:
    out = []
    if tile.overlap is not None:
        if tile.uses_overlap:
            out.append(
                f"{label}: the shorter of memory traffic and computing hides behind the other; the model uses it."
            )
        elif not tile.overlap.overlaps:
            out.append(
                f"{label}: costs of memory and of computing add up; overlap explains held-out blocks no better."
            )
        else:
            out.append(f"{label}: overlap explains these held-out blocks better than the sum that the model uses.")
    moved = [
        name
        for name, far in zip(tile.coefficients, tile.robust.moved, strict=True)
        if math.isfinite(far) and abs(far) > 1.0
    ]
    number = tile.robust.outliers.size
    if moved:
        out.append(f"{label}: coefficients that a robust fit moves beyond their interval: {', '.join(moved)}.")
    if number:
        out.append(
            f"{label}: {count(number)} of {count(tile.M.size)} cells lie beyond six robust standard deviations; "
            "all of them are in the fit."
        )
    for index, names in tile.collinearity.entangled[:1]:
        out.append(
            f"{label}: these cells hardly tell apart {', '.join(names)} (condition index {index:.0f}): their sum "
            "is known better than each."
        )
    edge, (share, cells) = max(tile.leverage.by_edge.items(), key=lambda item: item[1][0] - item[1][1])
    if share > 3 * cells and share > 0.2:
        out.append(
            f"{label}: {percent(share, 0)} of the leverage lies at the {edge}, {percent(cells, 0)} of the cells."
        )
    return out
