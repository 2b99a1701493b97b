"""Bytes that a launch moves between the memory and the chip.

Every byte of the result is written. Operands are fetched whole by launches that find the caches cold. Launches that
find them warm fetch what the cache has lost since the same launch before: of a working set of f bytes that is swept
again and again, a cache of c bytes keeps c / f at best (Belady, IBM Systems Journal 5, 1966), so 1 - c / f is lost.
Real caches give way sooner and more gradually, for some sets of lines are full before others: a share of
1 / (1 + (c / f)^s) is lost, half of it at c (Hill's curve), where timings tell such a sharpness s
(:mod:`models.settled_spill`). That is the cache's doing: a larger one would lose nothing, and the result alone
would be left to move.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.hardware import Hardware
from models.problem import Problem


def needed_bytes(problem: Problem, hardware: Hardware) -> NDArray[np.float64]:
    """Bytes that move however large the cache: those of D, and of A and B unless it is warm; shape (n,)."""
    fetched = 0.0 if hardware.kept_bytes > 0.0 else problem.bytes_a + problem.bytes_b
    return np.asarray(fetched + problem.bytes_d)


def spilt_bytes(problem: Problem, hardware: Hardware) -> NDArray[np.float64]:
    """Bytes that a launch moves because the cache is no larger; shape (n,).

    Operands that a warm cache has lost. Of a cold one, or where nobody states which, what of the working set lies
    beyond the spill size.
    """
    if hardware.kept_bytes > 0.0:
        return lost_share(problem, hardware) * (problem.bytes_a + problem.bytes_b)
    return np.maximum(0.0, problem.footprint - hardware.cache_bytes)


def lost_share(problem: Problem, hardware: Hardware) -> NDArray[np.float64]:
    """Share of the operands that a launch does not find in the caches; shape (n,)."""
    return lost_of(problem.footprint, hardware.kept_bytes, hardware.kept_sharpness)


def lost_of(swept: NDArray[np.float64], kept: float, sharpness: float | None) -> NDArray[np.float64]:
    """Share of so many bytes, swept again and again, that a cache has lost when they are read anew; shape (n,).

    Parameters
    ----------
    swept : ndarray, shape (n,)
    kept : float
        Bytes that the cache keeps; of which it loses half, where it has a sharpness.
    sharpness : float or None
        Exponent of Hill's curve; ``None`` for a cache that keeps as much as can be kept.
    """
    if sharpness is None:
        return np.asarray(np.maximum(0.0, 1.0 - kept / swept))
    return np.asarray(1.0 / (1.0 + (kept / swept) ** sharpness))
