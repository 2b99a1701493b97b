"""The key findings as plain sentences, computed from the analysis."""

from __future__ import annotations

import re

import numpy as np

from attrib.analysis import Analysis, StageReport
from attrib.attribution import FLOOR, NOISE, UNEXPLAINED
from attrib.optimality import RHO_BANDS, TAU_BANDS
from attrib.report.main_stages import MainStages, short_name
from attrib.report.numbers_with_units import count, number, percent, scaled, tflops
from attrib.report.stage_figures import slice_roughness_of
from harness.grid import uniform_step
from models.constants.collect import STATED

_MUCH = 0.1
"""Unexplained share of a roughness that is worth a sentence."""

_BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|TFLOP/s|[mµn]?s\b)|(?<=\b[MNK]) (?==)|(?<==) (?=\d)")


def findings(analysis: Analysis) -> tuple[str, ...]:
    """Four to six sentences, those that apply."""
    main = MainStages.of(analysis)
    found = (
        _start(analysis, main),
        _causes(main),
        _best_tile(main),
        _pad_alone(analysis, main),
        _full_stack(main),
        _reference(main),
        _model(analysis, main),
        _time(analysis) if main.fixed is None or main.fixed.attribution is None else None,
        _unknown(analysis, main),
    )
    return tuple(_unbroken(text) for text in found if text)


def _unbroken(text: str) -> str:
    """Keep a number and its unit on one line."""
    return _BEFORE_UNIT.sub("\u00a0", text)


def _start(analysis: Analysis, main: MainStages) -> str | None:
    fixed = main.fixed
    if fixed is None:
        return None
    rough = slice_roughness_of(fixed)
    kind = "The library" if fixed in main.libraries else "The fixed tile"
    text = (
        f"{kind} {short_name(fixed)} reaches {tflops(fixed.mean_tflops)} on average over all shapes, "
        f"{tflops(fixed.peak_tflops)} at best"
    )
    grid = analysis.landscape
    if rough is None or grid is None or not fixed.slice_mean_tflops:
        return text + "."
    step = uniform_step(grid.N)
    each = f"a step of {step} along N" if step is not None else "a step along N"
    return (
        f"{text}; at K = {grid.K[-1]}, {each} changes its throughput by {number(rough)} TFLOP/s on average, "
        f"{percent(rough / fixed.slice_mean_tflops)} of the mean there."
    )


def _causes(main: MainStages) -> str | None:
    parts = None if main.fixed is None else main.fixed.attribution
    if parts is None or not parts.roughness > 0:
        return None
    causes = sorted(
        ((share.share, name) for name, share in parts.shares.items() if name not in (FLOOR, UNEXPLAINED, NOISE)),
        reverse=True,
    )
    first = [f"{name} {number(v)} ({percent(v / parts.roughness)})" for v, name in causes[:2] if v > 0]
    negative = [f"{name} {number(v)}" for v, name in causes if v < -0.01 * parts.roughness]
    text = f"Of these {number(parts.roughness)} TFLOP/s per step, " + (
        f"{' and '.join(first)} are the largest causes" if first else "no mechanism causes any"
    )
    text += f"; the smooth floor is {number(parts.shares[FLOOR].share)}" if FLOOR in parts.shares else ""
    if UNEXPLAINED in parts.shares:
        rest = parts.shares[UNEXPLAINED].share
        text += f", and {number(rest)} ({percent(rest / parts.roughness)}) stays unexplained"
    if negative:
        text += f" (smoothing effects: {', '.join(negative)})"
    return text + "."


def _best_tile(main: MainStages) -> str | None:
    fixed, best = main.fixed, main.best
    if fixed is None or best is None:
        return None
    gain = best.mean_tflops / fixed.mean_tflops - 1.0
    text = f"Choosing the best tile for each shape raises the mean by {percent(gain)} to {tflops(best.mean_tflops)}"
    before, after = slice_roughness_of(fixed), slice_roughness_of(best)
    if before is None or after is None or not before > 0:
        return text + "."
    change = after / before - 1.0
    how = "is rougher" if change > 0.005 else "is smoother" if change < -0.005 else "is as rough"
    link = "but" if change > 0.005 else "and"
    return f"{text}, {link} the result {how}: {number(after)} against {number(before)} TFLOP/s per step."


def _pad_alone(analysis: Analysis, main: MainStages) -> str | None:
    """What padding gives where there is nothing to choose from."""
    if main.fixed is None or main.best is not None:
        return None
    padded = next((stage for stage in analysis.stages if stage.name == f"{main.fixed.name} + pad"), None)
    if padded is None:
        return None
    gain = padded.mean_tflops / main.fixed.mean_tflops - 1.0
    return f"Running a shape as a larger measured one, where that is faster, raises the mean by {percent(gain)}."


def _unknown(analysis: Analysis, main: MainStages) -> str | None:
    """Why there is no roughness to speak of."""
    if main.fixed is None or main.fixed.roughness is not None:
        return None
    reason = next((item.reason for item in analysis.skipped if "roughness" in item.part), None)
    return None if reason is None else f"Roughness and its causes are not shown, because {reason}."


def _full_stack(main: MainStages) -> str | None:
    fixed, best, full = main.fixed, main.best, main.full
    if fixed is None or best is None or full is None:
        return None
    before, after, first = slice_roughness_of(best), slice_roughness_of(full), slice_roughness_of(fixed)
    added = full.mean_tflops / best.mean_tflops - 1.0
    padded = " + pad" in full.name
    ways = "padding and splitting add" if padded else "splitting adds"
    text = f"On top of that, {ways} {percent(added)} of throughput (table values: plans not yet run)"
    if before is None or after is None or first is None or not before > 0:
        return text + "."
    direction = ("remove" if padded else "removes") if after <= before else ("add" if padded else "adds")
    change = abs(before - after)
    compared = "below" if after < first else "above"
    return (
        f"{text} and {direction} {number(change)} TFLOP/s per step of roughness ({percent(change / before)}); what "
        f"remains, {number(after)}, is {number(abs(after - first))} {compared} the fixed tile's at "
        f"{percent(full.mean_tflops / fixed.mean_tflops - 1.0)} more throughput."
    )


def _reference(main: MainStages) -> str | None:
    top = main.full or main.best or main.fixed
    if top is None:
        return None
    text = []
    grade = top.optimality
    if grade is not None:
        smooth = "" if grade.smoothness_band is None else f", {RHO_BANDS[grade.smoothness_band]}"
        level = f" is at level {grade.level}:" if grade.level else " has"
        rho = "" if grade.rho is None else f" and {number(grade.rho, 2)} times its roughness (rho)"
        text.append(
            f"Against the optimal landscape, {_named(top, main)}{level} {percent(grade.tau)} of its mean "
            f"throughput (tau){rho}; bands {TAU_BANDS[grade.throughput_band]}{smooth}."
        )
    for library in main.libraries:
        if library is not top:
            ratio = library.mean_tflops / top.mean_tflops - 1.0
            side = "above" if ratio >= 0 else "below"
            text.append(
                f"The library {short_name(library)} averages {tflops(library.mean_tflops)}, {percent(abs(ratio))} "
                f"{side} {_named(top, main)}."
            )
    return " ".join(text) or None


def _named(stage: StageReport, main: MainStages) -> str:
    return (
        "the full stack"
        if stage is main.full
        else stage.name
        if stage is main.best
        else f"tile {short_name(stage)}"
    )


def _model(analysis: Analysis, main: MainStages) -> str | None:
    fits = analysis.fit.tiles
    if not fits:
        return None
    errors = sorted((fit.mape, name) for name, fit in fits.items())
    cells = np.array([fit.n for fit in fits.values()], dtype=np.float64)
    coverage = float(np.average([fit.coverage for fit in fits.values()], weights=cells))
    text = f"The model predicts held-out times within {percent(errors[0][0])}"
    if len(errors) > 1:
        text += f" ({errors[0][1]}) to {percent(errors[-1][0])} ({errors[-1][1]})"
    text += f" on average; its 90 % intervals hold {percent(coverage)} of them"
    counted = next(
        (
            (c.estimate, c.note)
            for fit in fits.values()
            if (c := fit.constants.get("cores")) is not None and c.estimate and c.status == "identified"
        ),
        None,
    )
    if counted is not None:
        cores, note = counted
        known = analysis.device.cores
        of = f"{count(cores)} {analysis.device.core_name}s"
        if note.startswith(STATED):
            text += f". It has the {of} that are stated, and the timings do not refute them"
        else:
            text += f". From the timings alone it counts {of}"
            text += f" (the device record says {known})" if known is not None else ""
    return f"{text}.{_least_explained(main)}"


def _least_explained(main: MainStages) -> str:
    """Kernel whose roughness the model explains least, where that is much."""
    alone = [s.attribution for s in (*main.tiles, *main.libraries) if s.attribution is not None]
    parts = [(a.shares[UNEXPLAINED].share / a.roughness, a) for a in alone if a.roughness > 0]
    worst, whole = max(parts, key=lambda part: abs(part[0]), default=(0.0, None))
    if whole is None or abs(worst) < _MUCH:
        return ""
    name = whole.stage.removeprefix("fixed ")
    return (
        f" It explains {name} least: {number(whole.shares[UNEXPLAINED].share)} of its {number(whole.roughness)} "
        f"TFLOP/s per step ({percent(worst)}) belong to no mechanism in the model."
    )


def _time(analysis: Analysis) -> str | None:
    """Where the time goes, for a cube whose roughness cannot be attributed."""
    if not analysis.fit.tiles:
        return None
    name, fit = max(analysis.fit.tiles.items(), key=lambda item: item[1].n)
    terms = {term: sum(e.share for e in fit.estimates if e.term == term) for term in fit.terms}
    largest = sorted(terms.items(), key=lambda item: -item[1])[:3]
    parts = ", ".join(f"{term} {percent(share)}" for term, share in largest if share > 0)
    launch = next((e.estimate for e in fit.estimates if e.term == "base overhead"), None)
    cost = f"; a launch costs {scaled(launch, 's')}" if launch else ""
    return f"On average over the cells of {name}, the time goes to {parts}{cost}." if parts else None
