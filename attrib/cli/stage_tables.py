"""Stages and their shares as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrib.cli.quantities import number, percent
from attrib.cli.screen import show, show_table

if TYPE_CHECKING:
    from attrib.analysis import Analysis
    from attrib.attribution import Share

_COLUMNS = ("stage", "mean TFLOP/s", "peak TFLOP/s", "roughness along N", "tau", "rho", "level")

_SLIGHT = 5e-3
"""Part of a quantity below which a negative share needs no word."""


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


def show_shares(analysis: Analysis, quantity: str = "slice_N") -> None:
    """Print the shares of one quantity of each stage."""
    from attrib.attribution import QUANTITIES, actor_of

    for stage in analysis.stages:
        found = stage.attributions.get(quantity)
        if found is None:
            why = stage.note or (f"{QUANTITIES[quantity].meaning} is not known" if stage.roughness else "")
            if why:
                show(f"{stage.name}: {why}")
            continue
        sampled = any(share.monte_carlo is not None for share in found.shares.values())
        actors = stage.actors.get(quantity)
        rows = []
        for name, share in found.shares.items():
            row = [name, _value(share.share), _interval(share)]
            if sampled:
                row.append("-" if share.monte_carlo is None else _value(share.monte_carlo))
            row.append(percent(share.share / found.measured) if found.measured > 0 else "-")
            if actors is not None:
                who = actor_of(name) if name in found.mechanisms else "-"
                row += [_value(actors.removed[name].share), _value(actors.remaining[name].share), who]
            rows.append(row)
        columns = ["cause", found.unit, "95 % interval", *(["sampling error"] if sampled else []), "of the whole"]
        if actors is not None:
            columns += ["later stages take", "they leave", "who can act on what they leave"]
        show_table(
            f"{stage.name}: {QUANTITIES[quantity].meaning}, {_value(found.measured)} {found.unit}", columns, rows
        )
        if actors is not None:
            for name, value in actors.by_stage.items():
                show(f"removed by {name}: {_value(value)} {found.unit}")
        if any(found.shares[name].share < -_SLIGHT * found.measured for name in found.mechanisms):
            show("a negative share: what costs this flattens steps that the others cause")
        show()


def show_actors(analysis: Analysis, quantity: str = "slice_N") -> None:
    """Print who can act on one quantity, one row a stage; each row adds up to what was measured."""
    from attrib.attribution import ACTORS, QUANTITIES

    views = [stage.actors[quantity] for stage in analysis.stages if quantity in stage.actors]
    if not views:
        return
    names = [name for name in ACTORS if any(name in view.actors for view in views)]
    rows = []
    for view in views:
        cells = []
        for name in names:
            share = view.actors.get(name)
            bounds = "" if share is None or share.lower is None else f" ({_interval(share)})"
            cells.append("-" if share is None else _value(share.share) + bounds)
        rows.append((view.stage, _value(view.measured), *cells))
    show_table(
        f"Who can act: {QUANTITIES[quantity].meaning}, {views[0].unit}, with 95 % intervals",
        ("stage", "measured", *names),
        rows,
    )
    for name in names:
        show(f"{name}: {ACTORS[name]}")
    show()


def show_variance(analysis: Analysis) -> None:
    """Print how much of the variance of each tile's time every term explains."""
    found = [(stage.name, stage.variance) for stage in analysis.stages if stage.variance is not None]
    if not found:
        return
    names = list(dict.fromkeys(name for _, part in found for name in part.shares))
    show_table(
        "Variance of relative time about one constant throughput, per cent of it explained by each term",
        ("tile", *names, "all"),
        [
            (
                name.removeprefix("fixed "),
                *(percent(part.shares[term]) if term in part.shares else "-" for term in names),
                percent(part.r_squared),
            )
            for name, part in found
        ],
    )
    show()


def _value(value: float) -> str:
    return number(value, 2)


def _interval(share: Share) -> str:
    return "-" if share.lower is None else f"{number(share.lower, 2)} to {number(share.upper, 2)}"
