"""Fitted costs in units an engineer can read aloud, with intervals; and what could not be identified."""

from __future__ import annotations

from itertools import groupby

from attrib.analysis import Analysis
from attrib.report.numbers_with_units import DASH, count, exponent, interval, percent, scaled
from attrib.report.table import Cell, Table
from models.result import Estimate, TileFit

COLUMNS = ("mechanism", "cost of", "estimate", "95\u00a0% interval", "share of time", "what it means")

NOT_IDENTIFIABLE = "not identifiable on this grid"


def coefficient_tables(analysis: Analysis) -> tuple[Table, ...]:
    """One table for each tile of the model, in its order."""
    return tuple(
        Table(
            f"coefficients-{index}",
            f"{name}: {count(fit.n)} cells; held-out error {percent(fit.mape)} mean, {percent(fit.median_ape)} "
            f"median; {percent(fit.coverage)} of held-out times inside the 90 % interval",
            COLUMNS,
            _rows(analysis, name, fit),
        )
        for index, (name, fit) in enumerate(analysis.fit.tiles.items())
    )


def _rows(analysis: Analysis, name: str, fit: TileFit) -> tuple[tuple[Cell, ...], ...]:
    """Estimates in order; those of a term that one reason hides share a row."""
    rows = []
    for (term, hidden, reason), group in groupby(fit.estimates, _kind):
        if not hidden:
            rows += [_row(analysis, name, fit, estimate) for estimate in group]
            continue
        missing = list(group)
        names = Cell("; ".join(estimate.name for estimate in missing))
        meanings = Cell("; ".join(estimate.meaning for estimate in missing), note=reason)
        rows.append((Cell(term), names, Cell(NOT_IDENTIFIABLE), Cell(DASH), Cell(DASH), meanings))
    return tuple(rows)


def _kind(estimate: Estimate) -> tuple[str, bool, str]:
    hidden = not estimate.identifiable or estimate.estimate is None
    return estimate.term, hidden, estimate.reason if hidden else ""


def _row(analysis: Analysis, name: str, fit: TileFit, estimate: Estimate) -> tuple[Cell, ...]:
    head = (Cell(estimate.term), Cell(estimate.name))
    value = estimate.estimate or 0.0
    power = exponent(value or estimate.upper or 0.0)
    note = "" if value else "no cost found"
    return (
        *head,
        Cell(scaled(value, estimate.unit, power), value, note),
        Cell(interval(estimate.lower, estimate.upper, power).replace(" ", "\u00a0")),
        Cell(percent(estimate.share, 1), estimate.share),
        Cell(estimate.meaning, note=_as_rate(analysis, name, fit, estimate)),
    )


def _as_rate(analysis: Analysis, name: str, fit: TileFit, estimate: Estimate) -> str:
    """Give the cost once more as the rate it amounts to, where that says something."""
    value = estimate.estimate
    if not value:
        return ""
    if estimate.unit == "s/byte":
        return f"= {scaled(1.0 / value, 'B/s')}"
    if estimate.unit == "s/FLOP":
        return f"= {scaled(1.0 / value, 'FLOP/s')}"
    if estimate.name == "wave step" and not fit.tile.hidden:
        work = 2.0 * fit.tile.m * fit.tile.n * fit.tile.k * analysis.fit.hardware.slots_of(name)
        return f"= {scaled(work / value, 'FLOP/s')} while all slots are busy"
    return ""
