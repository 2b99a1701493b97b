"""What decides which work-groups a ragged launch ends with: costs of one tile, relative to a full wave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Delay = tuple[float, float, float]

NO_DELAY: Delay = (0.0, 0.0, 0.0)
NOTHING_AGAIN = (0.0,) * 6

_TOGETHER = 1e-9
"""Seconds within which cores end together: a few cycles, in which nothing new is handed out."""
_SHARPEST = 14.0
"""Power beyond which no overlap of real cores goes: with none, the least of memory would keep them in step."""


def outside_pieces(share: Array) -> Array:
    """Rising pieces of an increasing function of the share of a tile outside the matrix, shape (n, 3).

    A step at zero and two integrated splines (Ramsay 1988, Statistical Science 3) from 0 to 1: one rises all the
    way, the most at a half, the other beyond a half. The spline that rises in the first half is left out: where a
    few shares are measured, the step stands for it, and one of four columns would have to go.

    Parameters
    ----------
    share : ndarray, shape (n,)
        From 0, where tiles fit, to below 1.
    """
    low, high = np.minimum(share, 0.5), np.maximum(share - 0.5, 0.0)
    return np.stack([share > 0, 2.0 * low**2 + 2.0 * high * (1.0 - high), 4.0 * high**2], axis=1)


@dataclass(frozen=True)
class EdgeCosts:
    """Relative costs of one tile's work-groups, those at ragged edges among them.

    Attributes
    ----------
    levels : tuple of float, length R
        Time of a wave of 1, 2, ... R residents, as parts of a wave of R.
    delay_n, delay_m : tuple of float
        Delay of a work-group ragged in N (M) by :func:`outside_pieces`; in waves of R.
    corner : float
        What a corner is late beyond both, per product of both delays: masked in both, it is slow times slow. In
        waves of R, its delays in the same.
    byte, spilt_byte, waiting_byte : float
        What a byte that is moved anyway takes, one that the cache lost, and one that waits for idle channels, where
        memory and computing overlap: in waves of R of ``steps`` steps. 0 where they add up.
    bytes_again : tuple of float, length 6
        What bytes take that sweeps beyond each of three sizes read again, and what they do while they wait for idle
        channels (:mod:`models.sweeps`).
    steps : float
        Mainloop steps of these waves.
    power : float
        With which memory and computing overlap (:mod:`models.overlap`).
    seconds : float
        Of a wave of R of ``steps`` steps; 0 where nothing is known of it, and memory keeps all cores in step.
    slower : tuple of (str, float)
        How much longer slow steps take, by their kind (:mod:`models.slow_steps`), of what others do.
    """

    levels: tuple[float, ...]
    delay_n: Delay = NO_DELAY
    delay_m: Delay = NO_DELAY
    corner: float = 0.0
    byte: float = 0.0
    spilt_byte: float = 0.0
    waiting_byte: float = 0.0
    steps: float = 1.0
    power: float = float("inf")
    seconds: float = 0.0
    bytes_again: tuple[float, ...] = NOTHING_AGAIN
    slower: tuple[tuple[str, float], ...] = ()

    def delays(self, outside_n: Array, outside_m: Array) -> Array:
        """Delays at edges of which these shares are outside: in N, in M, and their product; shape (n, 3)."""
        n, m = outside_pieces(outside_n) @ self.delay_n, outside_pieces(outside_m) @ self.delay_m
        return np.stack([n, m, n * m], axis=1)

    @property
    def late(self) -> bool:
        """Whether work-groups at edges are late at all."""
        return any((*self.delay_n, *self.delay_m))

    def without_delays(self) -> EdgeCosts:
        """Return the same costs of waves and bytes, of edges that delay nothing."""
        return replace(self, delay_n=NO_DELAY, delay_m=NO_DELAY, corner=0.0)

    def ending_together(self, memory: Array, steps: Array, cores: int, spread: float) -> NDArray[np.int64]:
        """How many cores end together, fast or slow, because memory hides what they compute; shape (n,).

        They take the next work-groups side by side. Where computing hides memory, each ends for itself. With m what
        memory takes and c(j) what computing takes on the j-th fastest core, a wave takes (c(j)^p + m^p)^(1/p), or
        m + m / p (c(j) / m)^p about; those within a nanosecond of the fastest are counted.

        Parameters
        ----------
        memory : ndarray, shape (n,)
            What the bytes of a full wave take, in what its computing takes on a core of average rate.
        steps : ndarray, shape (n,)
            Mainloop steps of a launch, slow ones counted as what they take.
        cores : int
        spread : float
            How much slower the slowest core is than the fastest.
        """
        if spread <= 0.0:
            return np.full(memory.shape, cores, dtype=np.int64)
        power = min(self.power, _SHARPEST)
        longer = np.maximum(memory, 1.0)
        fastest = (longer / (1.0 - spread / 2.0)) ** -power
        room = power * _TOGETHER / np.maximum(longer * self.seconds * steps / self.steps * fastest, 1e-300)
        slower = (1.0 - (1.0 + room) ** (-1.0 / power)) * (cores - 1) / spread
        return np.where(memory > 1.0, np.minimum(1.0 + np.floor(slower), cores), 1.0).astype(np.int64)

    def halfway(self, other: EdgeCosts) -> EdgeCosts:
        """Return the mean of these costs and newer ones of the same residents, which say the power."""
        first, second = (
            np.array([*c.levels, *c.delay_n, *c.delay_m, c.corner, c.byte, c.spilt_byte, c.waiting_byte, c.steps])
            for c in (self, other)
        )
        before, now = dict(self.slower), dict(other.slower)
        slower = {kind: 0.5 * (before.get(kind, 0.0) + now.get(kind, 0.0)) for kind in {**before, **now}}
        mean = EdgeCosts.of(0.5 * (first + second), other.power)
        again = 0.5 * (np.array(self.bytes_again) + np.array(other.bytes_again))
        return replace(
            mean,
            seconds=0.5 * (self.seconds + other.seconds),
            bytes_again=tuple(again.tolist()),
            slower=tuple(sorted(slower.items())),
        )

    @classmethod
    def of(cls, values: Array, power: float) -> EdgeCosts:
        """Build from levels, delays in N, delays in M, corner, three bytes and steps in a row, shape (R + 11,)."""
        *levels, n0, n1, n2, m0, m1, m2, corner, byte, spilt, waiting, steps = (float(value) for value in values)
        return cls(tuple(levels), (n0, n1, n2), (m0, m1, m2), corner, byte, spilt, waiting, steps, power)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, an infinite power as ``None``; :meth:`from_dict` is its inverse."""
        return {**asdict(self), "power": self.power if np.isfinite(self.power) else None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EdgeCosts:
        """Rebuild from plain data."""
        scalars = [data[name] for name in ("corner", "byte", "spilt_byte", "waiting_byte", "steps")]
        power = float("inf") if data["power"] is None else float(data["power"])
        costs = cls.of(np.array([*data["levels"], *data["delay_n"], *data["delay_m"], *scalars]), power)
        slower = tuple((str(kind), float(value)) for kind, value in data["slower"])
        again = tuple(float(value) for value in data["bytes_again"])
        return replace(costs, seconds=float(data["seconds"]), bytes_again=again, slower=slower)
