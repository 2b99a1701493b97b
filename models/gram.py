"""Gram matrices per block: all that relative-error least squares needs to know of the samples.

With weights 1/t^2 the residual of a sample is 1 - x'theta / t. Sums of outer products over blocks turn a fit, a
held-out loss or a bootstrap draw into arithmetic on small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BlockGram:
    """Weighted sums over each block.

    Attributes
    ----------
    gram : ndarray, shape (B, p, p)
        Sum of x x' / t^2.
    moment : ndarray, shape (B, p)
        Sum of x / t.
    count : ndarray, shape (B,)
        Samples.
    """

    gram: Array
    moment: Array
    count: Array

    @classmethod
    def of(cls, design: Array, time: Array, blocks: NDArray[np.int64], n_blocks: int) -> BlockGram:
        """Sum up a design of shape (n, p) with times of shape (n,) over block labels below ``n_blocks``."""
        order = np.argsort(blocks, kind="stable")
        scaled = design[order] / time[order, None]
        edges = np.searchsorted(blocks[order], np.arange(n_blocks + 1))
        p = design.shape[1]
        gram, moment = np.zeros((n_blocks, p, p)), np.zeros((n_blocks, p))
        for block in range(n_blocks):
            part = scaled[edges[block] : edges[block + 1]]
            gram[block] = part.T @ part
            moment[block] = part.sum(axis=0)
        return cls(gram, moment, np.diff(edges).astype(np.float64))

    def total(self, weight: Array | None = None) -> tuple[Array, Array, float]:
        """Weighted sum over blocks: gram (p, p), moment (p,), count."""
        if weight is None:
            return self.gram.sum(axis=0), self.moment.sum(axis=0), float(self.count.sum())
        return (
            np.tensordot(weight, self.gram, axes=1),
            weight @ self.moment,
            float(weight @ self.count),
        )

    def loss(self, theta: Array) -> Array:
        """Sum of squared relative residuals of each block, shape (B,)."""
        quadratic = np.einsum("i,bij,j->b", theta, self.gram, theta)
        return np.asarray(np.maximum(0.0, self.count - 2.0 * self.moment @ theta + quadratic))

    def take(self, columns: NDArray[np.int64]) -> BlockGram:
        """Return the sums of some columns."""
        return BlockGram(self.gram[:, columns[:, None], columns], self.moment[:, columns], self.count)
