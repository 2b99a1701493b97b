"""Overlap of memory and computing: the law, the designs that it leaves, and its fit by turns.

The additive model charges every cost in full. On a device that moves data while it computes, a launch takes

    launch + (compute^p + memory^p)^(1/p),

each part a sum of non-negative costs: the longer of the two where p is infinite, and more than it where both last
about as long, because neither is even in time; p = 1 is their sum. Where the last wave has fewer work-groups and so
fewer bytes than its computing lasts, the law holds of the waves before it and of the last one, each for itself
(:mod:`models.last_wave`).

The law is homogeneous: its value is that of its derivatives times the costs. So with each part scaled by its
derivative it is a linear design, and fitted by turns (Gauss-Newton; of max-affine functions, Magnani & Boyd 2009):
solve with the parts as scaled, scale by the costs that were found, repeat; from several starts, because the turns
find a local optimum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit
from models.hardware import Hardware
from models.last_wave import LastWave
from models.problem import Problem
from models.solve import solve_nonnegative

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MEMORY, COMPUTE = "memory", "compute"

LONGER = float("inf")
"""The power with which the longer of memory and computing counts, and nothing of the other."""

_TURNS = 25
_SETTLED = 1e-6
"""Largest change of a scale after which the turns have arrived."""
HIDDEN = 1e-4
"""Of the longer part: what the shorter one adds below it counts as nothing."""
_SHOWN = 0.5
"""A cost that no cell counts by this much at least is hidden, and its coefficient would be that of residuals."""


@dataclass(frozen=True)
class Overlap:
    """How a kernel overlaps memory and computing.

    Attributes
    ----------
    by_wave : bool
        Whether the last wave overlaps for itself, rather than launches as a whole.
    power : float
        The p of the law, above 1; infinite where the longer counts alone.
    """

    by_wave: bool = False
    power: float = LONGER

    def law(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> OverlapLaw:
        """Return the law of some launches, with the mechanisms in ``on`` switched on."""
        return OverlapLaw(self.power, LastWave.of(problem, hardware, on) if self.by_wave else None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, an infinite power as ``None``; :meth:`from_dict` is its inverse."""
        return {"by_wave": self.by_wave, "power": self.power if np.isfinite(self.power) else None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Overlap:
        """Rebuild from plain data."""
        return cls(bool(data["by_wave"]), LONGER if data["power"] is None else float(data["power"]))


@dataclass(frozen=True)
class OverlapLaw:
    """The law of some launches.

    Attributes
    ----------
    power : float
    last : LastWave or None
        Their last waves, where these overlap for themselves.
    """

    power: float = LONGER
    last: LastWave | None = None

    def take(self, rows: Indices | NDArray[np.bool_]) -> OverlapLaw:
        """Return the law of the given launches."""
        return OverlapLaw(self.power, None if self.last is None else self.last.take(rows))

    def scales(self, compute: Array, memory: Array) -> Array:
        """Derivatives of the law by computing and by memory, shape (2, n).

        Parameters
        ----------
        compute, memory : ndarray, shape (n,)
            Seconds.
        """
        out = np.empty((2, compute.size))
        last = self.last
        if last is None:
            _of_launches(compute, memory, self.power, out)
        else:
            _of_waves(compute, memory, self.power, last.work, last.traffic, last.waited, out)
        return out


@njit
def _of_launches(compute: Array, memory: Array, power: float, out: Array) -> None:
    for cell in range(compute.size):
        out[0, cell], out[1, cell] = _derivatives(compute[cell], memory[cell], power)


@njit
def _of_waves(
    compute: Array, memory: Array, power: float, work: Array, traffic: Array, waited: Array, out: Array
) -> None:
    for cell in range(compute.size):
        mine, its = work[cell], traffic[cell]
        waits = waited[cell] * memory[cell]
        before = _derivatives((1.0 - mine) * compute[cell], (1.0 - its) * waits, power)
        after = _derivatives(mine * compute[cell], its * waits, power)
        out[0, cell] = (1.0 - mine) * before[0] + mine * after[0]
        out[1, cell] = ((1.0 - its) * before[1] + its * after[1]) * waited[cell]


@njit
def _derivatives(compute: float, memory: float, power: float) -> tuple[float, float]:
    """Derivatives of (compute^p + memory^p)^(1/p); of equals with p infinite, computing counts."""
    waits = memory > compute
    of_longer, of_shorter = 1.0, 0.0
    shorter, longer = min(compute, memory), max(compute, memory)
    if power < np.inf and shorter > 0.0:
        ratio = shorter / longer
        raised = ratio**power
        if raised >= HIDDEN * power:
            of_longer = (1.0 + raised) ** (1.0 / power - 1.0)
            of_shorter = of_longer * raised / ratio
    return (of_shorter, of_longer) if waits else (of_longer, of_shorter)


def waits_for_memory(matrix: Array, theta: Array, resources: Sequence[str]) -> NDArray[np.bool_]:
    """Cells whose memory costs exceed their computing, shape (n,).

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
        Design of the sum.
    theta : ndarray, shape (p,)
    resources : sequence of str, length p
        What each column keeps busy (:meth:`models.design.Design.resources`).
    """
    moving, computing = parts_of(resources)
    return np.asarray(matrix[:, moving] @ theta[moving] > matrix[:, computing] @ theta[computing])


def scales_at(matrix: Array, theta: Array, resources: Sequence[str], law: OverlapLaw) -> Array:
    """What each cell counts of computing and of memory, shape (2, n).

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
        Design of the sum.
    theta : ndarray, shape (p,)
    resources : sequence of str, length p
    law : OverlapLaw
        Of the same launches.
    """
    moving, computing = parts_of(resources)
    return law.scales(matrix[:, computing] @ theta[computing], matrix[:, moving] @ theta[moving])


def overlapped(matrix: Array, theta: Array, resources: Sequence[str], law: OverlapLaw) -> Array:
    """Design with each part scaled by what the law counts of it, shape (n, p).

    Its product with ``theta`` is the law's time, and the design is that model's derivative.
    """
    return scaled(matrix, scales_at(matrix, theta, resources, law), resources)


def scaled(matrix: Array, scales: Array, resources: Sequence[str]) -> Array:
    """Design with its computing and its memory scaled, shape (n, p); ``scales`` as of :func:`scales_at`."""
    moving, computing = parts_of(resources)
    out = matrix.copy()
    out[:, computing] *= scales[0][:, None]
    out[:, moving] *= scales[1][:, None]
    return out


def shown(matrix: Array, scales: Array, resources: Sequence[str]) -> Array:
    """Scaled design to fit by: as :func:`scaled`, and costs that are hidden in all cells at zero."""
    out = scaled(matrix, scales, resources)
    for columns, scale in zip(reversed(parts_of(resources)), scales, strict=True):
        hidden = ~(matrix[np.ix_(scale >= _SHOWN, columns)] != 0).any(axis=0)
        out[:, columns[hidden]] = 0.0
    return out


def fit_overlap(
    matrix: Array,
    time: Array,
    resources: Sequence[str],
    starts: Sequence[NDArray[np.bool_] | Array],
    law: OverlapLaw,
) -> tuple[Array, float]:
    """Fit memory costs that overlap with computing to relative errors.

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
    time : ndarray, shape (n,)
        Seconds.
    resources : sequence of str, length p
    starts : sequence of ndarray
        Cells first taken as waiting for memory alone, the others for computing, of shape (n,); or what each cell
        counts at first, of shape (2, n).
    law : OverlapLaw

    Returns
    -------
    theta : ndarray, shape (p,)
        Best coefficients met on the way from any start.
    loss : float
        Their sum of squared relative residuals.
    """
    moving, computing = parts_of(resources)
    neither = np.setdiff1d(np.arange(matrix.shape[1]), np.concatenate([moving, computing]))
    # Columns of a kind side by side: a turn scales them, and sums them up, as blocks.
    order = np.concatenate([neither, computing, moving])
    back = np.argsort(order)
    weighted = np.asfortranarray(matrix[:, order] / time[:, None])
    costly = weighted != 0
    ends = [neither.size, neither.size + computing.size]
    kinds, acting = np.split(weighted, ends, axis=1), np.split(costly, ends, axis=1)
    design = weighted.copy(order="F")
    parts = np.split(design, ends, axis=1)
    best, least = np.zeros(order.size), np.inf
    for start in starts:
        scales = np.asarray(start if start.ndim == 2 else np.stack([1.0 - start, start]), dtype=np.float64)
        for _ in range(_TURNS):
            for out, columns, scale, some in zip(parts[1:], kinds[1:], scales, acting[1:], strict=True):
                np.multiply(columns, scale[:, None], out=out)
                out[:, ~some[scale >= _SHOWN].any(axis=0)] = 0.0
            gram, moment = design.T @ design, design.sum(axis=0)
            theta = solve_nonnegative(gram[np.ix_(back, back)], moment[back])[order]
            launch, compute, memory = (
                columns @ part for columns, part in zip(kinds, np.split(theta, ends), strict=True)
            )
            now = law.scales(compute, memory)
            loss = float(np.sum((1.0 - launch - now[0] * compute - now[1] * memory) ** 2))
            if loss < least:
                best, least = theta, loss
            if np.abs(now - scales).max(initial=0.0) < _SETTLED:
                break
            scales = now
    return best[back], least


def parts_of(resources: Sequence[str]) -> tuple[Indices, Indices]:
    """Places of the columns of memory and of those of computing."""
    kinds = np.array(resources)
    return np.flatnonzero(kinds == MEMORY), np.flatnonzero(kinds == COMPUTE)
