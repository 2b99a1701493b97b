"""Continuous constants of a tile: its launch cost, the rate of a core, and bandwidths, from fitted costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.constants.constant import IDENTIFIED, INTERVAL, Constant, not_identifiable
from models.hardware import Hardware
from models.reasons import NO_GAIN
from models.result import Estimate, TileFit
from models.terms import ALL_TERMS

Array = NDArray[np.float64]

CORE_RATE = "core_rate_flop_per_s"

BANDWIDTHS = {
    "bandwidth_a_bytes_per_s": ("memory traffic", "byte of A"),
    "bandwidth_b_bytes_per_s": ("memory traffic", "byte of B"),
    "bandwidth_d_bytes_per_s": ("memory traffic", "byte of D"),
    "bandwidth_spilt_bytes_per_s": ("cache spill", "spilt byte"),
}
"""Term and coefficient whose inverse each bandwidth is."""


def continuous_constants(fit: TileFit, hardware: Hardware, counted: bool | None) -> dict[str, Constant]:
    """Turn the fitted costs of one tile into constants of the hardware.

    Parameters
    ----------
    fit : TileFit
    hardware : Hardware
        With the cores and residencies of the fit.
    counted : bool or None
        Whether cores and residencies are identified: without them the rate of one core means nothing. ``None``
        for a kernel that hides its tile, which has no such rate.
    """
    found: dict[str, Constant] = {}
    estimates = {estimate.name: estimate for estimate in fit.estimates}
    launch = estimates.get("launch")
    if launch is not None:
        found["base_overhead_s"] = _launch(launch)
    if counted is not None and "waves" in fit.terms:
        found[CORE_RATE] = core_rate(fit, hardware, counted)
    for name, (term, coefficient) in BANDWIDTHS.items():
        found[name] = _bandwidth(estimates.get(coefficient), term, fit.left_out)
    return found


def core_rate(fit: TileFit, hardware: Hardware, counted: bool) -> Constant:
    """FLOP per second of a core in the mainloop, all slots full.

    A step of a full wave takes ``sum_j j theta_j`` of the wave, by residents counted up to j, and C R times what
    a work-group's step costs beyond it; in it a core does 2 tm tn tk R FLOP, padding included.
    """
    remedy = "large shapes of many waves and of K from one step to hundreds"
    if not counted:
        reason = not_identifiable("the cores themselves are not identified")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    residency = hardware.residency_of(fit.tile.name)
    names = ["wave step"] if residency == 1 else [f"step, residents to {j}" for j in range(1, residency + 1)]
    places = {estimate.name: j for j, estimate in enumerate(fit.estimates)}
    missing = [name for name in names if name not in places or not fit.estimates[places[name]].identifiable]
    if missing:
        reason = not_identifiable(f"the cost of {missing[0]!r} is not identified")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    weight = np.zeros(len(fit.estimates))
    weight[[places[name] for name in names]] = np.arange(1, residency + 1)
    if "work-group step" in places:
        weight[places["work-group step"]] = hardware.slots_of(fit.tile.name)
    work = 2.0 * fit.tile.m * fit.tile.n * fit.tile.k * residency
    cost = float(weight @ fit.theta)
    if cost <= 0:
        reason = not_identifiable("a mainloop step is not found to cost anything")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    costs = fit.draws @ weight
    ends: tuple[float, ...] = ()
    if costs.size and costs.min() > 0:
        low, high = np.percentile(costs, [2.5, 97.5], method="weibull")
        ends = (work / float(high), work / float(low))
    elif costs.size:
        reason = not_identifiable("what a mainloop step costs is not told from nothing")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    return Constant(work / cost, ends, IDENTIFIED, "FLOP/s", INTERVAL, remedy=remedy)


def _launch(launch: Estimate) -> Constant:
    ends = () if launch.lower is None or launch.upper is None else (launch.lower, launch.upper)
    status = IDENTIFIED if launch.identifiable else not_identifiable(launch.reason.partition("; ")[0])
    return Constant(launch.estimate, ends, status, "s", INTERVAL, remedy=_identified_by("base overhead"))


def _bandwidth(byte: Estimate | None, term: str, left_out: Mapping[str, str]) -> Constant:
    remedy = _identified_by(term)
    if byte is None or not byte.identifiable or byte.estimate is None:
        reason = byte.reason if byte is not None else left_out.get(term, NO_GAIN)
        reason = not_identifiable(f"{term}: {reason.partition('; ')[0]}")
        return Constant(None, (), reason, "B/s", INTERVAL, remedy=remedy)
    if byte.estimate <= 0 or byte.lower is None or byte.upper is None or byte.lower <= 0:
        reason = not_identifiable(f"what {byte.name.replace('byte', 'a byte')} costs is not told from nothing")
        return Constant(None, (), reason, "B/s", INTERVAL, remedy=remedy)
    return Constant(1.0 / byte.estimate, (1.0 / byte.upper, 1.0 / byte.lower), IDENTIFIED, "B/s", INTERVAL)


def _identified_by(term: str) -> str:
    return next(found.identified_by for found in ALL_TERMS if found.name == term)
