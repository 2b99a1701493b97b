"""Continuous constants of a tile: its launch cost, the rate of a core, and bandwidths, from fitted costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.constants.constant import IDENTIFIED, INTERVAL, Constant, not_identifiable
from models.draws import interval_of
from models.fill_levels import fill_levels
from models.hardware import Hardware
from models.open_costs import OpenCosts
from models.reasons import NO_GAIN
from models.result import Estimate, TileFit
from models.terms import ALL_TERMS

CORE_RATE = "core_rate_flop_per_s"

BANDWIDTHS = {
    "bandwidth_memory_bytes_per_s": ("memory traffic", "byte"),
    "bandwidth_spilt_bytes_per_s": ("cache spill", "spilt byte"),
}
"""Term and coefficient whose inverse each bandwidth is."""


def continuous_constants(
    fit: TileFit, hardware: Hardware, counted: bool | None, costs: OpenCosts | None
) -> dict[str, Constant]:
    """Turn the fitted costs of one tile into constants of the hardware.

    Parameters
    ----------
    fit : TileFit
        With intervals under all tenable choices.
    hardware : Hardware
        With the cores and residencies of the fit.
    counted : bool or None
        Whether cores and residencies are identified: without them the rate of one core means nothing. ``None``
        for a kernel that hides its tile, which has no such rate.
    costs : OpenCosts or None
        Draws under these choices; where they do not tell a cost, the rate has the interval of the fit's own draws.
    """
    found: dict[str, Constant] = {}
    estimates = {estimate.name: estimate for estimate in fit.estimates}
    launch = estimates.get("launch")
    if launch is not None:
        found["base_overhead_s"] = _launch(launch)
    if counted is not None and "waves" in fit.terms:
        found[CORE_RATE] = core_rate(fit, hardware, counted, costs)
    for name, (term, coefficient) in BANDWIDTHS.items():
        found[name] = _bandwidth(estimates.get(coefficient), term, fit.left_out)
    return found


def core_rate(fit: TileFit, hardware: Hardware, counted: bool, costs: OpenCosts | None) -> Constant:
    """FLOP per second of a core in the mainloop, all slots full.

    A step of a full wave takes ``sum_j j theta_j`` of the wave, by residents counted up to j, what the last
    resident costs more, and C R times what a work-group's step costs beyond it; in it a core does 2 tm tn tk R
    FLOP, padding included.
    """
    remedy = "large shapes of many waves and of K from one step to hundreds"
    if not counted:
        reason = not_identifiable("the cores themselves are not identified")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    weights = _step_weights(fit.tile.name, hardware)
    places = {estimate.name: j for j, estimate in enumerate(fit.estimates)}
    needed = [name for name in weights if name != "work-group step"]
    missing = [name for name in needed if name not in places or not fit.estimates[places[name]].identifiable]
    if missing:
        reason = not_identifiable(f"the cost of {missing[0]!r} is not identified")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    work = 2.0 * fit.tile.m * fit.tile.n * fit.tile.k * hardware.residency_of(fit.tile.name)
    cost = float(sum(fit.theta[places[name]] * often for name, often in weights.items() if name in places))
    if cost <= 0:
        reason = not_identifiable("a mainloop step is not found to cost anything")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    ends = None if costs is None else costs.interval(weights, cost)
    if ends is None and fit.draws.shape[0]:
        held = sum(fit.draws[:, places[name]] * often for name, often in weights.items() if name in places)
        low, high = interval_of(np.asarray(held))
        ends = float(low), float(high)
    if ends is None:
        return Constant(work / cost, (), IDENTIFIED, "FLOP/s", INTERVAL, remedy=remedy)
    if ends[0] <= 0:
        reason = not_identifiable("what a mainloop step costs is not told from nothing")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    return Constant(work / cost, (work / ends[1], work / ends[0]), IDENTIFIED, "FLOP/s", INTERVAL, remedy=remedy)


def _step_weights(tile: str, hardware: Hardware) -> dict[str, float]:
    """How often a mainloop step of a full wave has each of the costs."""
    levels = fill_levels(hardware.residency_of(tile))
    weights = {f"step, {name}" if name else "wave step": float(held[-1]) for name, held in levels.items()}
    return {**weights, "work-group step": float(hardware.slots_of(tile))}


def _launch(launch: Estimate) -> Constant:
    ends: tuple[float, ...] = ()
    if launch.estimate is not None and launch.lower is not None and launch.upper is not None:
        ends = (launch.lower, launch.upper)
    status = IDENTIFIED if launch.identifiable else not_identifiable(launch.reason.partition("; ")[0])
    return Constant(launch.estimate, ends, status, "s", INTERVAL, remedy=_identified_by("base overhead"))


def _bandwidth(byte: Estimate | None, term: str, left_out: Mapping[str, str]) -> Constant:
    remedy = _identified_by(term)
    if byte is None or not byte.identifiable or byte.estimate is None:
        reason = byte.reason if byte is not None else left_out.get(term, NO_GAIN)
        reason = not_identifiable(f"{term}: {reason.partition('; ')[0]}")
        return Constant(None, (), reason, "B/s", INTERVAL, remedy=remedy)
    if byte.lower is not None and byte.upper is not None and byte.lower > 0:
        return Constant(1.0 / byte.estimate, (1.0 / byte.upper, 1.0 / byte.lower), IDENTIFIED, "B/s", INTERVAL)
    reason = not_identifiable(f"what {byte.name.replace('byte', 'a byte')} costs is not told from nothing")
    return Constant(None, (), reason, "B/s", INTERVAL, remedy=remedy)


def _identified_by(term: str) -> str:
    return next(found.identified_by for found in ALL_TERMS if found.name == term)
