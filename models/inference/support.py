"""Which sizes tell a column: one size of an axis alone tells it from nothing else that is special there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.inference.lattice import Lattice
from models.problem import Problem

Array = NDArray[np.float64]

ALONE = 0.7
"""Share of what tells a column from the others, beyond which the one size that has it tells it alone."""


def one_size(problem: Problem, columns: NDArray[np.float64]) -> tuple[str, ...]:
    """Name the only size at which a column costs anything, where others were measured.

    Whatever else is special about that size cannot be told from the column: a pipeline that only the smallest K
    does not fill, say, from traffic that only the smallest K does not hide.

    Parameters
    ----------
    problem : Problem
    columns : ndarray, shape (n, p)

    Returns
    -------
    tuple of str, length p
        "K = 64", say; empty for columns of several sizes on every axis, and for those of none.
    """
    acts = columns != 0.0
    found = [""] * columns.shape[1]
    for axis, sizes in (("M", problem.M), ("N", problem.N), ("K", problem.K)):
        order = np.argsort(sizes, kind="stable")
        distinct, first = np.unique(sizes[order], return_index=True)
        if distinct.size < 2:
            continue
        at = np.logical_or.reduceat(acts[order], first, axis=0)
        for j in np.flatnonzero(at.sum(axis=0) == 1):
            found[j] = f"{axis} = {distinct[np.argmax(at[:, j])]}"
    return tuple(found)


@dataclass(frozen=True)
class SizeGrams:
    """Gram matrices of weighted columns, summed over the samples of each size of M, N and K.

    Attributes
    ----------
    grams : tuple of ndarray, shape (sizes, p, p)
        Of M, of N and of K; neighbouring sizes are put together where there are very many
        (:class:`models.inference.lattice.Lattice`).
    sizes : tuple of tuple of str
        "K = 64", say, of each of them.
    """

    grams: tuple[Array, ...]
    sizes: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, problem: Problem, weighted: Array, lattice: Lattice) -> SizeGrams:
        """Sum over the sizes of some samples; ``weighted`` of shape (n, p)."""
        grams, names = [], []
        for axis, sizes, ranks in zip("MNK", (problem.M, problem.N, problem.K), lattice.ranks().T, strict=True):
            order = np.argsort(ranks, kind="stable")
            edges = np.searchsorted(ranks[order], np.arange(lattice.shape["MNK".index(axis)] + 1))
            parts = [order[first:last] for first, last in pairwise(edges)]
            grams.append(np.stack([weighted[rows].T @ weighted[rows] for rows in parts]))
            names.append(tuple(f"{axis} = {sizes[rows[0]]}" if rows.size else "" for rows in parts))
        return cls(tuple(grams), tuple(names))

    def told_alone(self, column: int, others: NDArray[np.int64]) -> str:
        """Name the size that alone tells a column from others, or nothing.

        What tells it is what they leave of it. Where one size of several has more than :data:`ALONE` of its
        squares, a misfit of that size is as good as the column: as in inference from few clusters, whose effective
        number is what counts (Carter, Schnepel & Steigerwald 2017, Review of Economics and Statistics 99).
        """
        whole = self.grams[0].sum(axis=0)
        used = others[np.diag(whole)[others] > 0]
        scale = np.sqrt(np.diag(whole))
        inner = whole[np.ix_(used, used)] / scale[used, None] / scale[used]
        slopes = np.linalg.lstsq(inner, whole[used, column] / scale[used], rcond=1e-10)[0] / scale[used]
        places, weights = np.append(used, column), np.append(-slopes, 1.0)
        for grams, names in zip(self.grams, self.sizes, strict=True):
            if len(names) < 2:
                continue
            squares = np.einsum("i,lij,j->l", weights, grams[:, places[:, None], places], weights)
            squares = np.maximum(squares, 0.0)
            if squares.max() > ALONE * squares.sum() > 0:
                return names[int(np.argmax(squares))]
        return ""
