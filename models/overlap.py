"""Overlap of memory and computing: the law, and the designs that it leaves.

The additive model charges every cost in full. On a device that moves data while it computes, a launch takes

    launch + (compute^p + memory^p)^(1/p),

each part a sum of non-negative costs: the longer of the two where p is infinite, and more than it where both last
about as long, because neither is even in time; p = 1 is their sum. Where the last wave has fewer work-groups and so
fewer bytes than its computing lasts, the law holds of the waves before it and of the last one, each for itself
(:mod:`models.last_wave`).

The law is homogeneous: its value is that of its derivatives times the costs. So with each part scaled by its
derivative it is a linear design, which is how it is fitted (:mod:`models.overlap_fit`).
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

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MEMORY, COMPUTE = "memory", "compute"

LONGER = float("inf")
"""The power with which the longer of memory and computing counts, and nothing of the other."""

HIDDEN = 1e-4
"""Of the longer part: what the shorter one adds below it counts as nothing."""
SHOWN = 0.5
"""A cost that no cell counts by this much at least is hidden, and its coefficient would be that of residuals."""
HARDLY_SHOWN = 1e-3
"""And so is one of which cells that count it have less than this part of what hidden ones have: what rounding and
noise make of a billionth of a byte would be seconds where it is whole."""


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
        law_scales(compute, memory, self.power, self.waves, out)
        return out

    @property
    def waves(self) -> Array:
        """Shares of the last wave in work and in traffic, and how long bytes are waited for; (3, n), or (3, 0)."""
        if self.last is None:
            return np.empty((3, 0))
        return np.stack([self.last.work, self.last.traffic, self.last.waited])


@njit
def law_scales(compute: Array, memory: Array, power: float, waves: Array, out: Array) -> None:
    """Fill in the derivatives of a law; the arguments are those of :meth:`OverlapLaw.scales`."""
    by_wave = waves.shape[1] > 0
    for cell in range(compute.size):
        if not by_wave:
            out[0, cell], out[1, cell] = _derivatives(compute[cell], memory[cell], power)
            continue
        mine, its, waited = waves[0, cell], waves[1, cell], waves[2, cell]
        waits = waited * memory[cell]
        before = _derivatives((1.0 - mine) * compute[cell], (1.0 - its) * waits, power)
        after = _derivatives(mine * compute[cell], its * waits, power)
        out[0, cell] = (1.0 - mine) * before[0] + mine * after[0]
        out[1, cell] = ((1.0 - its) * before[1] + its * after[1]) * waited


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
    """Scaled design to fit by: as :func:`scaled`, costs at zero that are hidden wherever they amount to much."""
    out = scaled(matrix, scales, resources)
    for columns, scale in zip(reversed(parts_of(resources)), scales, strict=True):
        size = np.abs(matrix[:, columns])
        most = size[scale >= SHOWN].max(axis=0, initial=0.0)
        hidden = (most == 0.0) | (most < HARDLY_SHOWN * size.max(axis=0, initial=0.0))
        out[:, columns[hidden]] = 0.0
    return out


def parts_of(resources: Sequence[str]) -> tuple[Indices, Indices]:
    """Places of the columns of memory and of those of computing."""
    kinds = np.array(resources)
    return np.flatnonzero(kinds == MEMORY), np.flatnonzero(kinds == COMPUTE)
