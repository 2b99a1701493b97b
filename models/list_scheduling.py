"""How long equal work-groups last on cores that are not equally fast: steps of a launch, rounded as waves go by.

Every core takes its next work-groups when it is done with the last ones (list scheduling; Graham, SIAM Journal on
Applied Mathematics 17, 1969). Were all cores equally fast, launches would take whole waves. Cores whose rates are
spread evenly between 1 - s and 1 fall out of step: after w waves the fastest is s w waves ahead, and what was a
step between w and w + 1 waves becomes a ramp.

With rates v and a wave of time 1 on the fastest core, a core has begun floor(v t) + 1 waves by the time t. So far

    g(t) = 1 + [F(t) - F((1 - s) t)] / (s t),    F(x) = integral of floor from 0 to x = n (n - 1) / 2 + n (x - n)

waves have begun on the average core, n = floor(x). Those last begun are done at the largest (floor(v t) + 1) / v:
at (n + 1) / (1 - s) with n = floor((1 - s) t) on the slowest core, or at t (n + 2) / (n + 1) on the core that has
just begun its wave n + 2, if one has. Times are given in waves of a core of average rate. With s = 0 they are whole
numbers of waves; long after cores have fallen out of step, half a wave is lost at the end.

Rates fill their range here. C cores stand in the middles of C equal parts of it (:mod:`models.residents`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_NODES = 256
"""Nodes of a wave between which times are interpolated."""
_OUT_OF_STEP = 6.0
"""Waves by which the fastest core is ahead when no step is left."""
_ROUNDING = 1e-9


def waves_taken(waves: Array, spread: float) -> Array:
    """Time of launches of some waves, in waves of an average core.

    Parameters
    ----------
    waves : ndarray
        Work-groups over the slots of all cores, above 0.
    spread : float
        s, in [0, 1): how much slower the slowest core is than the fastest.

    Returns
    -------
    ndarray, shape of ``waves``
    """
    if spread <= 0.0:
        return np.asarray(np.ceil(waves - _ROUNDING))
    last = _OUT_OF_STEP / spread
    begun, times = _table(spread, float(min(last, 2.0 ** np.ceil(np.log2(np.max(waves, initial=2.0))))))
    average = 1.0 - spread / 2.0
    taken = average * np.interp(waves - _ROUNDING, begun, times)
    late = waves - 0.5 + average / (1.0 - spread)
    return np.asarray(np.where(waves < begun[-1], taken, late))


def first_wave(busy: Array, cores: int, spread: float) -> Array:
    """Time of a wave that keeps some of the cores busy, in waves of an average core: that of their slowest.

    Which cores those are has nothing to do with how fast they are: of n cores out of C the slowest is the
    n (C + 1) / (n + 1)-th on average (order statistics of a sample without replacement).

    Parameters
    ----------
    busy : ndarray
        n, from 1 to C.
    cores : int
        C.
    spread : float
    """
    place = busy * (cores + 1.0) / (busy + 1.0)
    return np.asarray((1.0 - spread / 2.0) / (1.0 - spread * (place - 1.0) / max(cores - 1, 1)))


@lru_cache(maxsize=64)
def _table(spread: float, most: float) -> tuple[Array, Array]:
    """Waves begun on the average core, strictly increasing, and the time at which the last of them is done."""
    time = np.arange(1, int(np.ceil((most + 2.0) / (1.0 - spread))) * _NODES + 1) / _NODES
    slowest = (1.0 - spread) * time
    begun = np.maximum.accumulate(1.0 + (_integral(time) - _integral(slowest)) / (spread * time))
    done = np.floor(slowest + _ROUNDING) + 1.0
    one_more = np.where(done <= time + _ROUNDING, time * (1.0 + 1.0 / done), 0.0)
    ends = np.maximum(done / (1.0 - spread), one_more)
    # Where none begins for a while, the ends of that while: the step lies between them.
    still = np.diff(begun) <= _ROUNDING
    kept = ~(np.append(False, still) & np.append(still, False))
    begun, ends = begun[kept], ends[kept]
    return begun + _ROUNDING / 2.0 * np.append(False, np.diff(begun) <= _ROUNDING), ends


def _integral(x: Array) -> Array:
    whole = np.floor(x + _ROUNDING)
    return np.asarray(whole * (whole - 1.0) / 2.0 + whole * (x - whole))
