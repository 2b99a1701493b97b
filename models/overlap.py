"""Overlap of memory and computing: the law, the designs that it leaves, and its fit by turns.

The additive model charges every cost in full. On a device that moves data while it computes, a launch takes

    launch + max(compute, memory),

each part a sum of non-negative costs; or, where all waves but the last wait for memory, their memory and the last
one's computing (:mod:`models.last_wave`). Given what bounds each cell, this is linear, so it is fitted by turns
(as max-affine functions are, Magnani & Boyd 2009): solve with the columns that the bound leaves, find each cell's
longest bound, repeat; from several starts, because the turns find a local optimum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.last_wave import LastWave
from models.solve import solve_nonnegative

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MEMORY, COMPUTE = "memory", "compute"

BY_COMPUTE, BY_MEMORY, BY_LAST_WAVE = 0, 1, 2
"""What bounds a cell."""

Bounds = NDArray[np.int8]

_TURNS = 25


def waits_for_memory(matrix: Array, theta: Array, resources: Sequence[str]) -> NDArray[np.bool_]:
    """Cells whose memory costs exceed their computing, shape (n,).

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
        Design of the sum.
    theta : ndarray, shape (p,)
    resources : sequence of str, length p
        :attr:`models.term.Term.resource` of each column.
    """
    return np.asarray(bound_by(matrix, theta, resources) == BY_MEMORY)


def bound_by(matrix: Array, theta: Array, resources: Sequence[str], last: LastWave | None = None) -> Bounds:
    """Find what bounds each cell, the longest of computing, memory, and memory with the last wave; shape (n,).

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
        Design of the sum.
    theta : ndarray, shape (p,)
    resources : sequence of str, length p
    last : LastWave, optional
        Of the same launches; without it, memory and computing overlap in a launch as a whole.
    """
    moving, computing = parts_of(resources)
    return _longest(matrix[:, computing] @ theta[computing], matrix[:, moving] @ theta[moving], last)


def overlapped(matrix: Array, theta: Array, resources: Sequence[str], last: LastWave | None = None) -> Array:
    """Design with the columns that what bounds each cell leaves, shape (n, p).

    Its product with ``theta`` is launch + max(compute, memory, both with the last wave's computing), and the design
    is that model's derivative.
    """
    return split(matrix, bound_by(matrix, theta, resources, last), resources, last)


def split(matrix: Array, bounds: Bounds, resources: Sequence[str], last: LastWave | None = None) -> Array:
    """Design with the columns that given bounds leave, shape (n, p)."""
    moving, computing = parts_of(resources)
    compute, memory = _counted(bounds, last)
    out = matrix.copy()
    out[:, moving] *= memory[:, None]
    out[:, computing] *= compute[:, None]
    return out


def fit_overlap(
    matrix: Array,
    time: Array,
    resources: Sequence[str],
    starts: Sequence[NDArray[np.bool_]],
    last: LastWave | None = None,
) -> tuple[Array, float]:
    """Fit memory costs that overlap with computing to relative errors.

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
    time : ndarray, shape (n,)
        Seconds.
    resources : sequence of str, length p
    starts : sequence of ndarray of bool, shape (n,)
        Cells first taken as waiting for memory.
    last : LastWave, optional

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
    kinds = np.split(weighted, [neither.size, neither.size + computing.size], axis=1)
    design = weighted.copy(order="F")
    scaled = np.split(design, [neither.size, neither.size + computing.size], axis=1)
    best, least = np.zeros(order.size), np.inf
    for start in starts:
        bounds = start.astype(np.int8)
        counted = _counted(bounds, last)
        for _ in range(_TURNS):
            for out, columns, count in zip(scaled[1:], kinds[1:], counted, strict=True):
                np.multiply(columns, count[:, None], out=out)
            gram, moment = design.T @ design, design.sum(axis=0)
            theta = solve_nonnegative(gram[np.ix_(back, back)], moment[back])[order]
            launch, compute, memory = (
                columns @ part
                for columns, part in zip(
                    kinds, np.split(theta, [neither.size, neither.size + computing.size]), strict=True
                )
            )
            now = _longest(compute, memory, last)
            counted = _counted(now, last)
            loss = float(np.sum((1.0 - launch - counted[0] * compute - counted[1] * memory) ** 2))
            if loss < least:
                best, least = theta, loss
            if np.array_equal(now, bounds):
                break
            bounds = now
    return best[back], least


def _longest(compute: Array, memory: Array, last: LastWave | None) -> Bounds:
    """Find the longest of computing, memory, and memory with the last wave's computing, all of shape (n,)."""
    bounds = np.where(memory > compute, BY_MEMORY, BY_COMPUTE).astype(np.int8)
    if last is not None:
        both = (1.0 - last.traffic) * memory + last.work * compute
        bounds[both > np.maximum(memory, compute)] = BY_LAST_WAVE
    return bounds


def _counted(bounds: Bounds, last: LastWave | None) -> tuple[Array, Array]:
    """Parts of the computing and of the memory costs that what bounds each cell counts, each of shape (n,)."""
    compute, memory = (bounds == BY_COMPUTE).astype(np.float64), (bounds == BY_MEMORY).astype(np.float64)
    if last is not None:
        compute = np.where(bounds == BY_LAST_WAVE, last.work, compute)
        memory = np.where(bounds == BY_LAST_WAVE, 1.0 - last.traffic, memory)
    return compute, memory


def parts_of(resources: Sequence[str]) -> tuple[Indices, Indices]:
    """Places of the columns of memory and of those of computing."""
    kinds = np.array(resources)
    return np.flatnonzero(kinds == MEMORY), np.flatnonzero(kinds == COMPUTE)
