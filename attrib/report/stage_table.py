"""Stages as numbers: throughput, roughness by axis, grade, and what later stages take away."""

from __future__ import annotations

from attrib.analysis import Analysis, StageReport
from attrib.report.main_stages import short_name
from attrib.report.numbers_with_units import DASH, number
from attrib.report.table import Cell, Table


def stage_table(analysis: Analysis) -> Table | None:
    """Every stage a row. Columns that hold nothing are left out."""
    if not analysis.stages:
        return None
    columns = (
        "stage",
        "mean",
        "peak",
        "mean, slice",
        "roughness M",
        "roughness N",
        "roughness K",
        "mean of axes",
        "roughness N, slice",
        "tau",
        "rho",
        "level",
        "later stages remove (N, slice)",
    )
    rows = [_row(stage) for stage in analysis.stages]
    kept = [i for i in range(len(columns)) if i == 0 or any(row[i].text != DASH for row in rows)]
    notes = sorted({stage.note for stage in analysis.stages if stage.note})
    return Table(
        "stages-table",
        "Throughput in TFLOP/s"
        + (", roughness in TFLOP/s per step; the slice is the one at the largest K" if len(kept) > 4 else "")
        + ("." if not notes else f" ({'; '.join(notes)})."),
        tuple(columns[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in rows),
    )


def _row(stage: StageReport) -> tuple[Cell, ...]:
    shape, grade = stage.roughness, stage.optimality
    rough = [getattr(shape, axis, None) for axis in ("M", "N", "K", "mean", "slice_N")]
    removed, previous = [], stage.name
    for name, value in stage.removable.items():
        removed.append(f"{name.removeprefix(previous + ' + ')} {number(value, 2)}")
        previous = name
    return (
        Cell(short_name(stage)),
        _number(stage.mean_tflops, 1),
        _number(stage.peak_tflops, 1),
        _number(stage.slice_mean_tflops, 1),
        *(_number(value, 2) for value in rough),
        _number(None if grade is None else grade.tau, 3),
        _number(None if grade is None else grade.rho, 2),
        Cell((grade.level if grade else None) or DASH),
        Cell("; ".join(removed) or DASH),
    )


def _number(value: float | None, digits: int) -> Cell:
    return Cell(number(value, digits), value)
