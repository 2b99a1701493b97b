"""Tables of the diagnostics page."""

from __future__ import annotations

import math

from attrib.diagnostics import Diagnostics, TileDiagnostics
from attrib.report.numbers_with_units import DASH, count, number, percent, signed
from attrib.report.table import Cell, Table
from models.inference.nested import SMALLEST, NestedTest

LEVEL = 0.05
"""Of adjusted p-values."""

_MOST_CELLS = 10


def p_text(value: float | None) -> str:
    """Write a p-value; one at the floor of the tail is only said to be below."""
    if value is None or not math.isfinite(value):
        return DASH
    if value <= SMALLEST:
        return "< 10⁻⁶"
    if value < 1e-3:
        exponent = math.floor(math.log10(value))
        return f"{value / 10.0**exponent:.0f} × 10{_raised(exponent)}"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _p(value: float | None) -> Cell:
    return Cell(p_text(value), value)


def _percent(value: float, digits: int = 2) -> Cell:
    return Cell(percent(value, digits), value) if math.isfinite(value) else Cell(DASH)


def _number(value: float | None, digits: int = 1) -> Cell:
    return Cell(number(value, digits), value) if value is not None and math.isfinite(value) else Cell(DASH)


def overview_table(found: Diagnostics) -> Table:
    """Noise, lack of fit and what the cells are worth, one row a tile."""
    rows = []
    for label, tile in found.tiles.items():
        fit = tile.lack_of_fit
        rows.append(
            (
                Cell(label, note=fit.note or f"noise from {fit.source}"),
                Cell(count(tile.M.size), float(tile.M.size)),
                _percent(fit.noise),
                _percent(fit.lack_of_fit),
                _percent(fit.held_out),
                _percent(fit.noise_share, 0),
                _percent(fit.ceiling_median),
                _number(fit.statistic),
                _p(fit.p_value),
                Cell(count(tile.effective_size), tile.effective_size),
                _number(tile.autocorrelation.moran, 2),
                _p(tile.autocorrelation.p_value),
            )
        )
    columns = (
        "tile",
        "cells",
        "noise (% of time)",
        "lack of fit (% of time)",
        "held-out error, rms (% of time)",
        "of its square, noise",
        "median error of a perfect model (% of time)",
        "F",
        "p, model exact",
        "cells are worth",
        "Moran's I, plane of M and N",
        "p, no neighbourhood",
    )
    return Table("overview-table", "Noise against lack of fit, and what the cells are worth", columns, tuple(rows))


_TESTED = (
    "tile",
    "addition",
    "in the model",
    "fall of held-out squared error",
    "± standard error",
    "p",
    "p, Holm",
    "p, false discovery",
    "p, in sample",
    "share of time",
    "ΔAIC naive",
    "ΔAIC effective",
    "ΔBIC naive",
    "ΔBIC effective",
)


def _tested(label: str, test: NestedTest) -> tuple[Cell, ...]:
    head = (Cell(label), Cell(test.name, note=test.note), Cell("yes" if test.in_model else "no"))
    if test.p_value is None or test.criteria is None:
        return (*head, *(Cell(DASH) for _ in range(len(_TESTED) - 3)))
    naive, effective = test.criteria.naive, test.criteria.effective
    return (
        *head,
        _percent(test.gain, 1),
        _percent(test.standard_error, 1),
        _p(test.p_value),
        _p(test.p_holm),
        _p(test.p_bh),
        _p(test.p_in_sample),
        Cell(f"{signed(100 * test.share, 1)} %", test.share),
        _number(naive.aic, 0),
        _number(effective.aic, 1),
        _number(naive.bic, 0),
        _number(effective.bic, 1),
    )


def terms_table(found: Diagnostics) -> Table | None:
    """Test of every mechanism of every tile."""
    rows = [_tested(label, test) for label, tile in found.tiles.items() for test in tile.terms]
    caption = "Each mechanism, beside all others"
    return Table("terms-table", caption, _TESTED, tuple(rows)) if rows else None


def interactions_table(found: Diagnostics, only_found: bool) -> Table | None:
    """Test of pairs of mechanisms; those found, or all."""
    rows = [
        _tested(label, test)
        for label, tile in found.tiles.items()
        for test in tile.interactions
        if not only_found or is_found(test)
    ]
    name, what = ("found", "that improve held-out blocks") if only_found else ("all", "that were tested")
    return Table(f"interactions-{name}", f"Pairs of mechanisms {what}", _TESTED, tuple(rows)) if rows else None


def is_found(test: NestedTest) -> bool:
    """Whether an addition helps beyond chance, its false discovery rate controlled."""
    return test.p_bh is not None and test.p_bh <= LEVEL and test.gain > 0


def overlap_table(found: Diagnostics) -> Table | None:
    """Sum against overlap, one row a tile that has memory costs."""
    rows = []
    for label, tile in found.tiles.items():
        if tile.overlap is None:
            continue
        test = tile.overlap.test
        rows.append(
            (
                Cell(label),
                _percent(test.gain, 1),
                Cell(f"{number(test.log_ratio, 2)} ± {number(test.standard_error, 2)}", test.log_ratio),
                _p(test.p_value),
                _percent(tile.overlap.memory_bound, 1),
                Cell("overlap" if tile.uses_overlap else "sum"),
            )
        )
    columns = (
        "tile",
        "fall of held-out squared error",
        "log of sum's over overlap's error, mean of blocks",
        "p, overlap no better",
        "cells that would wait for memory",
        "the model uses",
    )
    return (
        Table("overlap-table", "Overlap of memory and computing against their sum", columns, tuple(rows))
        if rows
        else None
    )


def robust_table(found: Diagnostics) -> Table:
    """How far coefficients move in a robust fit, and how many cells are outliers."""
    rows = []
    for label, tile in found.tiles.items():
        for name, moved in zip(tile.coefficients, tile.robust.moved, strict=True):
            if math.isfinite(moved) and abs(moved) > 1.0:
                rows.append((Cell(label), Cell(name), Cell(signed(float(moved), 1), float(moved))))
    columns = ("tile", "coefficient", "moved (half-widths of its interval)")
    caption = f"Coefficients that leave their interval in a robust fit ({_norm(found)})"
    return Table("robust-table", caption, columns, tuple(rows))


def _norm(found: Diagnostics) -> str:
    return next((tile.robust.norm for tile in found.tiles.values()), "")


def cells_table(found: Diagnostics) -> Table:
    """Outlying and leading cells of each tile, the worst first."""
    rows = []
    for label, tile in found.tiles.items():
        picks = [("outlier", int(cell), float(tile.robust.residual[cell])) for cell in tile.robust.outliers]
        leaders = [("leverage", int(cell), float(tile.leverage.values[cell])) for cell in tile.leverage.largest]
        for kind, cell, value in picks[:_MOST_CELLS] + leaders[:_MOST_CELLS]:
            shown = _percent(value, 1) if kind == "outlier" else _number(value, 3)
            rows.append((Cell(label), Cell(kind), Cell(" × ".join(map(str, tile.shape_of(cell)))), shown))
    columns = ("tile", "why", "M × N × K (elements)", "1 − fitted ÷ measured, or hat value")
    return Table("cells-table", "Outlying cells, and those the fit leans on most", columns, tuple(rows))


def collinearity_table(found: Diagnostics) -> Table:
    """Largest condition index, inflation and entangled coefficients, one row a coefficient."""
    rows = []
    for label, tile in found.tiles.items():
        lines = tile.collinearity
        for name, inflation in zip(lines.names, lines.inflation, strict=True):
            partners = _partners(tile, name)
            rows.append((Cell(label), Cell(name), _number(float(inflation), 1), Cell(partners)))
    columns = ("tile", "coefficient", "variance inflation factor", "entangled with")
    return Table("collinearity-table", "Collinearity of the coefficients", columns, tuple(rows))


def _partners(tile: TileDiagnostics, name: str) -> str:
    partners = [
        f"{', '.join(other for other in names if other != name)} (condition index {index:.0f})"
        for index, names in tile.collinearity.entangled
        if name in names
    ]
    return "; ".join(partners) or "none"
