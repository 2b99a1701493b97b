"""Correlation of residuals on the lattice of sizes: what neighbours share along which axes.

A landscape departs from a model in more than one way: smoothly, from one size to the next; at some values of one
axis, whatever the others are; at some (M, N), whatever K is; cell by cell. So the correlation is a sum of products,

    C = sum over sets S of axes of share_S x product over axes a of (R_a if a in S else I),  R_ij = phi^(|i - j|^s):

along the axes of S neighbours share it, along the others each size has its own. All axes in S are a field that
neighbours share everywhere; none, what is each cell's own (noise, and lack of fit of a single cell). With s = 1
what is shared is as rough as a random walk, with s = 2 it has slopes. It is the covariance of a functional analysis
of variance (Durrande et al. 2013, J. Multivariate Analysis 115), its products the main effects and interactions.

All products have the eigenvectors of the R_a in common, and so the whole costs no more than one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.inference.lattice import Lattice

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class LatticeCorrelation:
    """Correlation of what lies on a lattice of M, N and K.

    Attributes
    ----------
    neighbours : tuple of float
        phi of M, N and K: the correlation of neighbouring sizes in what they share.
    shares : ndarray, shape (2, 2, 2)
        Share of the variance by whether it is shared along M, N and K; their sum is 1.
    smoothness : int
        Power s of the distance: 1 or 2.
    """

    neighbours: tuple[float, float, float]
    shares: Array
    smoothness: int = 1

    @classmethod
    def of_one_field(
        cls, neighbours: tuple[float, float, float], own: float, smoothness: int = 1
    ) -> LatticeCorrelation:
        """Build that of one field that neighbours share along all axes, and a share of each cell's own."""
        shares = np.zeros((2, 2, 2))
        shares[1, 1, 1] = 1.0 - own
        shares[0, 0, 0] = own
        return cls(neighbours, shares, smoothness)

    @property
    def own(self) -> float:
        """Share of the variance that a cell shares with no other."""
        return float(self.shares[0, 0, 0])

    @property
    def of_neighbours(self) -> tuple[float, float, float]:
        """Correlation of two cells that are neighbours along M, N or K and alike in the others."""
        shared = [float(np.take(self.shares, 1, axis).sum()) for axis in range(3)]
        return (
            self.neighbours[0] * shared[0],
            self.neighbours[1] * shared[1],
            self.neighbours[2] * shared[2],
        )

    def along(self, axis: int, apart: NDArray[np.int64]) -> tuple[Array, Array]:
        """Correlation along an axis by the ranks between two sizes, and its derivative by phi."""
        distance = np.abs(apart).astype(np.float64) ** self.smoothness
        phi = float(self.neighbours[axis])
        return phi**distance, distance * phi ** np.maximum(distance - 1.0, 0.0)

    def eigen(self, shape: tuple[int, ...]) -> tuple[list[Array], list[Array]]:
        """Decompose the factors of a filled lattice.

        Returns
        -------
        roots : list of ndarray, shape (2, n_a)
            Eigenvalues of I and of R_a.
        vectors : list of ndarray, shape (n_a, n_a)
        """
        roots, vectors = [], []
        for axis, size in enumerate(shape):
            ranks = np.arange(size)
            values, basis = np.linalg.eigh(self.along(axis, np.subtract.outer(ranks, ranks))[0])
            roots.append(np.stack([np.ones(size), np.maximum(values, 0.0)]))
            vectors.append(basis)
        return roots, vectors

    def spectrum(self, roots: list[Array]) -> Array:
        """Eigenvalues on a filled lattice, shape (M, N, K)."""
        return np.asarray(np.einsum("abc,ai,bj,ck->ijk", self.shares, *roots, optimize=True))

    def draw(self, lattice: Lattice, draws: int, rng: np.random.Generator) -> Array:
        """Draw numbers of variance 1 with this correlation, shape (samples, draws)."""
        roots, vectors = self.eigen(lattice.shape)
        # What is a cell's own is each sample's, where several share a place.
        amplitude = np.sqrt(np.maximum(self.spectrum(roots) - self.own, 0.0))
        field = rng.standard_normal((*lattice.shape, draws)) * amplitude[..., None]
        for axis, basis in enumerate(vectors):
            field = np.moveaxis(np.tensordot(basis, field, axes=(1, axis)), 0, axis)
        shared = field.reshape(lattice.size, draws)[lattice.place]
        return np.asarray(shared + rng.standard_normal(shared.shape) * np.sqrt(self.own))

    def effective_size(self, lattice: Lattice) -> float:
        """Number of independent samples whose mean is as uncertain as that of these correlated ones.

        n^2 over the sum of all correlations between pairs of samples: the sample size that an average over the
        landscape is worth (Thiebaux & Zwiers 1984, in three dimensions).
        """
        count = np.bincount(lattice.place, minlength=lattice.size).astype(np.float64).reshape(lattice.shape)
        n = float(count.sum())
        roots, vectors = self.eigen(lattice.shape)
        for axis, basis in enumerate(vectors):
            count = np.moveaxis(np.tensordot(basis.T, count, axes=(1, axis)), 0, axis)
        pairs = float((count**2 * (self.spectrum(roots) - self.own)).sum()) + self.own * n
        return n * n / pairs
