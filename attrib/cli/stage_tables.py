"""Stages and their shares as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrib.cli.quantities import number, percent
from attrib.cli.screen import show, show_table

if TYPE_CHECKING:
    from attrib.analysis import Analysis

_COLUMNS = ("stage", "mean TFLOP/s", "peak TFLOP/s", "roughness along N", "tau", "rho", "level")


def show_stages(analysis: Analysis) -> None:
    """Print one row a stage."""
    rows = []
    for stage in analysis.stages:
        rough, grade = stage.roughness, stage.optimality
        rows.append(
            (
                stage.name,
                number(stage.mean_tflops),
                number(stage.peak_tflops),
                "-" if rough is None else number(rough.slice_N),
                "-" if grade is None else number(grade.tau, 3),
                "-" if grade is None else number(grade.rho, 2),
                "-" if grade is None else grade.level or "-",
            )
        )
    show_table(f"Stages on {analysis.device.name}", _COLUMNS, rows)
    if analysis.landscape is not None:
        show(
            "roughness: mean |step| of throughput along N in the slice at the largest K, TFLOP/s per step. "
            "Stages after the first are table values until their plan has been run on the device."
        )
    for item in analysis.skipped:
        if not item.part.startswith("term "):
            show(f"left out: {item.part}: {item.reason}")
    show()


def show_shares(analysis: Analysis) -> None:
    """Print the shares of each stage's roughness."""
    for stage in analysis.stages:
        if stage.attribution is None:
            if stage.note:
                show(f"{stage.name}: {stage.note}")
            continue
        whole = stage.attribution.roughness
        rows = [
            (
                name,
                number(share.share, 2),
                "-" if share.lower is None else f"{number(share.lower, 2)} to {number(share.upper, 2)}",
                percent(share.share / whole) if whole else "-",
            )
            for name, share in stage.attribution.shares.items()
        ]
        removed = [(f"removed by {name}", number(value, 2), "", "") for name, value in stage.removable.items()]
        show_table(
            f"{stage.name}: roughness {number(whole, 2)} TFLOP/s per step",
            ("cause", "TFLOP/s per step", "95 % interval", "of the roughness"),
            [*rows, *removed],
        )
        if any(share.share < 0 for share in stage.attribution.shares.values()):
            show("a negative share: what costs this flattens steps that the others cause")
        show()
