"""Continuous constants of a tile: its launch cost, the rate of a core, and bandwidths, from fitted costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.constants.alternatives import Alternative, widened
from models.constants.constant import IDENTIFIED, INTERVAL, Constant, not_identifiable
from models.fill_levels import fill_levels
from models.hardware import Hardware
from models.reasons import NO_GAIN
from models.result import Estimate, TileFit
from models.terms import ALL_TERMS

Array = NDArray[np.float64]

CORE_RATE = "core_rate_flop_per_s"

BANDWIDTHS = {
    "bandwidth_memory_bytes_per_s": ("memory traffic", "byte"),
    "bandwidth_spilt_bytes_per_s": ("cache spill", "spilt byte"),
}
"""Term and coefficient whose inverse each bandwidth is."""


def continuous_constants(
    fit: TileFit, hardware: Hardware, counted: bool | None, others: Sequence[Alternative] = ()
) -> dict[str, Constant]:
    """Turn the fitted costs of one tile into constants of the hardware.

    Parameters
    ----------
    fit : TileFit
    hardware : Hardware
        With the cores and residencies of the fit.
    counted : bool or None
        Whether cores and residencies are identified: without them the rate of one core means nothing. ``None``
        for a kernel that hides its tile, which has no such rate.
    others : sequence of Alternative
        Costs under the choices of the fit, and under others that are tenable: intervals hold what these move.
    """
    found: dict[str, Constant] = {}
    estimates = {estimate.name: estimate for estimate in fit.estimates}
    launch = estimates.get("launch")
    if launch is not None:
        found["base_overhead_s"] = _launch(launch, _moves(others, fit.tile.name, _named("launch")))
    if counted is not None and "waves" in fit.terms:
        found[CORE_RATE] = core_rate(fit, hardware, counted, others)
    for name, (term, coefficient) in BANDWIDTHS.items():
        moves = _moves(others, fit.tile.name, _named(coefficient))
        found[name] = _bandwidth(estimates.get(coefficient), term, fit.left_out, moves)
    return found


def core_rate(fit: TileFit, hardware: Hardware, counted: bool, others: Sequence[Alternative] = ()) -> Constant:
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
    weight = np.zeros(len(fit.estimates))
    for name, value in weights.items():
        if name in places:
            weight[places[name]] = value
    work = 2.0 * fit.tile.m * fit.tile.n * fit.tile.k * hardware.residency_of(fit.tile.name)
    cost = float(weight @ fit.theta)
    if cost <= 0:
        reason = not_identifiable("a mainloop step is not found to cost anything")
        return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
    costs = fit.draws @ weight
    ends: tuple[float, ...] = ()
    moves = _moves(others, fit.tile.name, lambda costs: sum(costs.get(n, 0.0) * v for n, v in weights.items()))
    if costs.size:
        low, high = np.percentile(costs, [2.5, 97.5], method="weibull")
        low, high = widened(float(low), float(high), moves)
        if low <= 0:
            reason = not_identifiable("what a mainloop step costs is not told from nothing")
            return Constant(None, (), reason, "FLOP/s", INTERVAL, remedy=remedy)
        ends = (work / high, work / low)
    return Constant(work / cost, ends, IDENTIFIED, "FLOP/s", INTERVAL, remedy=remedy)


def _step_weights(tile: str, hardware: Hardware) -> dict[str, float]:
    """How often a mainloop step of a full wave has each of the costs."""
    levels = fill_levels(hardware.residency_of(tile))
    weights = {f"step, {name}" if name else "wave step": float(held[-1]) for name, held in levels.items()}
    return {**weights, "work-group step": float(hardware.slots_of(tile))}


def _named(name: str) -> Callable[[Mapping[str, float]], float]:
    return lambda costs: costs.get(name, 0.0)


def _moves(others: Sequence[Alternative], tile: str, of: Callable[[Mapping[str, float]], float]) -> list[float]:
    """What a cost would be more under each alternative; nothing where there are none."""
    known = [of(other.costs[tile]) for other in others if tile in other.costs]
    return [value - known[0] for value in known[1:]]


def _launch(launch: Estimate, moves: Sequence[float]) -> Constant:
    ends: tuple[float, ...] = ()
    if launch.estimate is not None and launch.lower is not None and launch.upper is not None:
        low, high = widened(launch.lower, launch.upper, moves)
        ends = (max(0.0, low), high)
    status = IDENTIFIED if launch.identifiable else not_identifiable(launch.reason.partition("; ")[0])
    return Constant(launch.estimate, ends, status, "s", INTERVAL, remedy=_identified_by("base overhead"))


def _bandwidth(byte: Estimate | None, term: str, left_out: Mapping[str, str], moves: Sequence[float]) -> Constant:
    remedy = _identified_by(term)
    if byte is None or not byte.identifiable or byte.estimate is None:
        reason = byte.reason if byte is not None else left_out.get(term, NO_GAIN)
        reason = not_identifiable(f"{term}: {reason.partition('; ')[0]}")
        return Constant(None, (), reason, "B/s", INTERVAL, remedy=remedy)
    if byte.lower is not None and byte.upper is not None:
        low, high = widened(byte.lower, byte.upper, moves)
        if byte.estimate > 0 and low > 0:
            return Constant(1.0 / byte.estimate, (1.0 / high, 1.0 / low), IDENTIFIED, "B/s", INTERVAL)
    reason = not_identifiable(f"what {byte.name.replace('byte', 'a byte')} costs is not told from nothing")
    return Constant(None, (), reason, "B/s", INTERVAL, remedy=remedy)


def _identified_by(term: str) -> str:
    return next(found.identified_by for found in ALL_TERMS if found.name == term)
