"""Scan the candidates of a constant: each is one column beside a fixed design, refitted and compared by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.constants.confidence import unrefuted
from models.matrix_root import matrix_root
from models.solve import solve_nonnegative

Array = NDArray[np.float64]

LEVEL = 0.01
"""Size of the test for any effect: a constant is looked for only where timings without it are this unlikely."""

_DRAWS = 999
_FEWEST = 8
"""Fewest blocks with shapes that tell a candidate, for a test of it."""
_REACH = 0.5
"""Octaves of M or N over which blocks share lack of fit."""
_SAME = 1e-6
"""Candidates that differ from each other, or from the fixed design, by less than this share are the same."""


@dataclass(frozen=True)
class Scan:
    """Candidates of one tile.

    Attributes
    ----------
    loss : ndarray, shape (c, B)
        Squared residuals of the refitted model by block.
    without : ndarray, shape (B,)
        The same of the fixed design alone.
    score : ndarray, shape (c, B)
        Contribution of each block to the score of each candidate, the slope of the log likelihood at a cost of
        zero: the product of the residuals without it and of what is its own of the column, over their variance.
        Tiles whose timings say more of a cost thus weigh more, where several are added.
    scatter : ndarray, shape (c, B)
        The same with the residuals at the best cost of each candidate: what the blocks scatter by, effect or none.
    own : ndarray, shape (c, B)
        Squares of what is each column's own, beside the fixed design, of the column's squares over all blocks.
    alike : ndarray, shape (c, c)
        Cosines between what is the columns' own.
    """

    loss: Array
    without: Array
    score: Array
    scatter: Array
    own: Array
    alike: Array

    @classmethod
    def of(
        cls,
        base: Array,
        columns: Array,
        response: Array,
        blocks: NDArray[np.int64],
        n_blocks: int,
        free: bool = False,
    ) -> Scan:
        """Fit each candidate beside the base.

        Parameters
        ----------
        base : ndarray, shape (n, p)
            Fixed design, already weighted.
        columns : ndarray, shape (n, c)
            One candidate a column, likewise. Their costs are not negative.
        response : ndarray, shape (n,)
        blocks : ndarray of int64, shape (n,)
        n_blocks : int
        free : bool
            Whether coefficients of the base may be negative.
        """
        base = base[:, (base != 0).any(axis=0)]
        # Costs a byte and costs a launch differ by ten orders: of equal length, none is lost to rounding.
        base = base / np.sqrt((base**2).sum(axis=0))
        p, c = base.shape[1], columns.shape[1]
        order = np.argsort(blocks, kind="stable")
        edges = np.searchsorted(blocks[order], np.arange(n_blocks + 1))
        everything = np.concatenate([base, columns, response[:, np.newaxis]], axis=1)[order]
        size = p + c + 1
        sums = np.zeros((n_blocks, size, size))
        for block in range(n_blocks):
            part = everything[edges[block] : edges[block + 1]]
            sums[block] = part.T @ part
        total = sums.sum(axis=0)
        inside = np.arange(p)
        theta = _solve(total[:p, :p], total[:p, -1], free)
        active = inside if free else np.flatnonzero(theta > 0)
        without = _loss(sums, inside, theta)
        # What is a column's own: the part that the active columns of the base do not reproduce.
        gamma = np.linalg.lstsq(total[np.ix_(active, active)], total[active, p : p + c], rcond=1e-12)[0]
        projection = np.concatenate([-gamma, np.eye(c)])
        index = np.concatenate([active, np.arange(p, p + c)])
        inner = np.einsum("ki,bkl,lj->bij", projection, sums[:, index[:, None], index], projection, optimize=True)
        residual = sums[:, index, -1] - sums[:, index[:, None], inside] @ theta
        score = (residual @ projection).T
        squares = np.diag(total)[p : p + c]
        gram, own = inner.sum(axis=0), np.diagonal(inner, axis1=1, axis2=2).T
        left = np.diag(gram).copy()
        told = left > _SAME * np.maximum(squares, 1e-300)
        length = np.sqrt(np.where(told, left, 1.0))
        variance = max(float(without.sum()) / max(1, response.size), 1e-30)
        loss = np.empty((c, n_blocks))
        for candidate in range(c):
            if not told[candidate]:
                loss[candidate] = without
                continue
            where = np.append(inside, p + candidate)
            found = _solve(total[np.ix_(where, where)], total[where, -1], free)
            if free and found[-1] < 0:
                loss[candidate] = without
                continue
            loss[candidate] = _loss(sums, where, found)
        score = np.where(told[:, None], score / variance, 0.0)
        shares = np.where(told[:, None], own / np.where(told, left, 1.0)[:, None], 0.0)
        return cls(
            loss,
            without,
            score,
            score - score.sum(axis=1, keepdims=True) * shares,
            np.where(told[:, None], own / np.maximum(squares, 1e-300)[:, None], 0.0),
            np.where(told[:, None] & told, gram / length / length[:, None], 0.0),
        )


@dataclass(frozen=True)
class Finding:
    """What the scans of all tiles say of one constant.

    Attributes
    ----------
    p_value : float
        Of no candidate costing anything.
    best : int
    criterion : ndarray, shape (c,)
        Sum over tiles of B log(loss / n).
    tenable : ndarray of bool, shape (c,)
        Candidates that no other refutes.
    alike : ndarray, shape (c, c)
        Smallest cosine over the tiles between what is the columns' own: 1 where two cannot be told apart.
    measured : ndarray of bool, shape (c,)
        Candidates whose column is not a combination of the others on some tile.
    """

    p_value: float
    best: int
    criterion: Array
    tenable: NDArray[np.bool_]
    alike: Array
    measured: NDArray[np.bool_]

    @property
    def found(self) -> bool:
        """Whether some candidate costs something."""
        return self.p_value <= LEVEL


def judge(
    scans: Sequence[Scan], counts: Sequence[int], rng: np.random.Generator, places: Array | None = None
) -> Finding:
    """Test whether any candidate costs something, and which of them are not refuted.

    The test is of the largest score over the candidates, each beside its standard error over blocks. Its null
    distribution multiplies what the blocks scatter by with random numbers, as the shapes of a block share their
    lack of fit (the wild bootstrap with clusters; Cameron, Gelbach and Miller, Review of Economics and Statistics
    90, 2008). Near blocks share some of it too: their numbers are correlated (the dependent wild bootstrap; Shao,
    Journal of the American Statistical Association 105, 2010), falling to none at half an octave of M or N. One
    side: costs are not negative.

    Parameters
    ----------
    scans : sequence of Scan
        Of one tile each, over the same candidates and blocks.
    counts : sequence of int
        Samples of each.
    rng : numpy.random.Generator
    places : ndarray, shape (B, 2), optional
        log2 of M and N in the middle of each block; without them blocks are taken to be unrelated.
    """
    score = np.sum([scan.score for scan in scans], axis=0)
    measured = np.sum([scan.own.sum(axis=1) for scan in scans], axis=0) > 0
    scatter = np.sum([scan.scatter for scan in scans], axis=0)
    drawn = scatter @ _multipliers(scatter.shape[1], places, rng)
    # A shape alone in a block has no scatter: blocks count, not shapes.
    used = np.count_nonzero(scatter, axis=1)
    error = np.sqrt((drawn**2).mean(axis=1) * used / np.maximum(used - 1, 1))
    p_value = 1.0
    usable = measured & (used >= _FEWEST) & (error > 0)
    if usable.any():
        null = (drawn[usable] / error[usable, None]).max(axis=0)
        largest = (score[usable].sum(axis=1) / error[usable]).max()
        p_value = float((1 + np.count_nonzero(null >= largest)) / (_DRAWS + 1))
    blocks = scans[0].without.size
    criterion = np.zeros(score.shape[0])
    for scan, count in zip(scans, counts, strict=True):
        criterion += blocks * np.log(np.maximum(scan.loss.sum(axis=1) / count, 1e-12))
    tenable = unrefuted([scan.loss for scan in scans], rng) & measured
    alike = np.min([np.where(scan.own.sum(axis=1)[:, None] > 0, scan.alike, 1.0) for scan in scans], axis=0)
    return Finding(p_value, int(np.argmin(criterion)), criterion, tenable, alike, measured)


def places_of(M: NDArray[np.int64], N: NDArray[np.int64], blocks: NDArray[np.int64], n_blocks: int) -> Array:
    """Middles of blocks, log2 of M and N, shape (B, 2); blocks without a sample lie far from all others."""
    count = np.bincount(blocks, minlength=n_blocks)
    sums = np.stack([np.bincount(blocks, np.log2(size), n_blocks) for size in (M, N)], axis=1)
    far = 100.0 + np.arange(n_blocks)[:, None]
    return np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], far)


def _multipliers(n_blocks: int, places: Array | None, rng: np.random.Generator) -> Array:
    """Random numbers of variance 1 for each block and draw, shape (B, draws)."""
    if places is None:
        return rng.choice([-1.0, 1.0], size=(n_blocks, _DRAWS))
    apart = np.abs(places[:, None, :] - places) / _REACH
    # A product of triangles is a covariance.
    root = matrix_root(np.maximum(0.0, 1.0 - apart).prod(axis=2))
    return np.asarray(root @ rng.standard_normal((n_blocks, _DRAWS)))


def _solve(gram: Array, moment: Array, free: bool) -> Array:
    if not free:
        return solve_nonnegative(gram, moment)
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    return np.asarray(np.linalg.lstsq(gram / scale / scale[:, None], moment / scale, rcond=1e-12)[0] / scale)


def _loss(sums: Array, columns: NDArray[np.int64], theta: Array) -> Array:
    gram = sums[:, columns[:, None], columns]
    quadratic = np.einsum("i,bij,j->b", theta, gram, theta)
    return np.asarray(np.maximum(0.0, sums[:, -1, -1] - 2.0 * sums[:, columns, -1] @ theta + quadratic))
