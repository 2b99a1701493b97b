"""Shares of every quantity at the main stages, and of the variance of time, as numbers."""

from __future__ import annotations

from attrib.analysis import Analysis
from attrib.attribution import QUANTITIES, Share
from attrib.report.attribution_figures import share_names
from attrib.report.main_stages import MainStages, short_name
from attrib.report.numbers_with_units import DASH, number, percent
from attrib.report.table import Cell, Table


def quantity_tables(analysis: Analysis) -> tuple[Table, ...]:
    """One table a main stage: a quantity a row, its shares with their intervals; then the variance of time."""
    names = share_names(analysis)
    tables = []
    for index, stage in enumerate(MainStages.of(analysis).ladder()):
        rows = []
        for key, part in stage.attributions.items():
            cells = [_cell(part.shares[name]) if name in part.shares else Cell(DASH) for name in names]
            title = Cell(QUANTITIES[key].meaning, note=part.unit)
            rows.append((title, Cell(number(part.measured, 2), part.measured), *cells))
        if rows:
            tables.append(
                Table(
                    f"quantities-{index}",
                    f"{short_name(stage)}: shares of roughness along every axis, of throughput lost and of time, "
                    "each with its 95 % interval. The shares of a row add up to the measured value.",
                    ("quantity", "measured", *names),
                    tuple(rows),
                )
            )
    variance = variance_table(analysis)
    return (*tables, *(() if variance is None else (variance,)))


def variance_table(analysis: Analysis) -> Table | None:
    """Return how much of the variance of each tile's time every term explains."""
    found = [(stage, stage.variance) for stage in analysis.stages if stage.variance is not None]
    if not found:
        return None
    names = list(dict.fromkeys(name for _, part in found for name in part.shares))
    rows = []
    for stage, part in found:
        cells = [
            Cell(percent(part.shares[n], 1), part.shares[n]) if n in part.shares else Cell(DASH) for n in names
        ]
        rows.append((Cell(short_name(stage)), *cells, Cell(percent(part.r_squared, 1), part.r_squared)))
    return Table(
        "variance-table",
        "Variance of relative time about one constant throughput: the part that each term explains, averaged over "
        "all orders in which terms can enter a least-squares fit. The parts add up to that of all terms.",
        ("tile", *names, "all terms"),
        tuple(rows),
    )


def _cell(share: Share) -> Cell:
    bounds = ""
    if share.lower is not None and share.upper is not None:
        bounds = f"{number(share.lower, 2)} to {number(share.upper, 2)}"
    return Cell(number(share.share, 2), share.share, bounds)
