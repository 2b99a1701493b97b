"""Small planted landscapes: one tile on 16 x 16 x 4 sizes, with a residual of chosen neighbourhood."""

from dataclasses import dataclass

import numpy as np
import pytest

from harness.tile import Tile
from models.blocks import Blocks, fold_labels
from models.design import ALL_MECHANISMS
from models.hardware import Hardware
from models.problem import Problem
from models.terms import ALL_TERMS

SIDE, DEPTH = np.arange(1, 17) * 240 - 100, np.array([64, 528, 1040, 2048])
THETA = np.array([6e-6, 2e-6, 4e-7, 2e-8, 6e-9])
TERMS = {term.name: term for term in ALL_TERMS}


@dataclass(frozen=True)
class Bench:
    """The shapes, the planted model and how to draw from it."""

    problem: Problem
    hardware: Hardware

    def columns(self, *names):
        return np.concatenate(
            [TERMS[name].columns(self.problem, self.hardware, ALL_MECHANISMS) for name in names], axis=1
        )

    @property
    def base(self):
        return self.columns("base overhead", "waves", "tile work")

    def field(self, rng, factor):
        """Field of variance 1 that falls by a factor from size to size along every axis."""
        field = rng.standard_normal((16, 16, 4))
        if factor:
            for axis, count in enumerate(field.shape):
                root = np.linalg.cholesky(factor ** np.abs(np.subtract.outer(np.arange(count), np.arange(count))))
                field = np.moveaxis(np.tensordot(root, field, axes=(1, axis)), 0, axis)
        return field.ravel()

    def blocks(self):
        division = Blocks.of(self.problem.M, self.problem.N)
        distinct, inverse = np.unique(division.labels(self.problem.M, self.problem.N), return_inverse=True)
        return inverse.astype(np.int64), np.divmod(distinct, division.edges_n.size + 1)

    def folds(self, rng):
        return fold_labels(self.blocks()[0], 8, rng)


@pytest.fixture(scope="session")
def dense():
    """Correlation of all places of a lattice by its definition: products of factors, one an axis."""

    def matrix(correlation, shape):
        total = 0.0
        for places, share in np.ndenumerate(correlation.shares):
            product = np.ones((1, 1))
            for shared, phi, size in zip(places, correlation.neighbours, shape, strict=True):
                apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
                factor = float(phi) ** (apart**correlation.smoothness) if shared else np.eye(size)
                product = np.kron(product, factor)
            total = total + share * product
        return total

    return matrix


@pytest.fixture(scope="session")
def bench():
    M, N, K = (axis.ravel() for axis in np.meshgrid(SIDE, SIDE, DEPTH, indexing="ij"))
    hardware = Hardware(cores=20, cache_bytes=12e6, channels=4, interleave_bytes=64)
    return Bench(Problem(M, N, K, Tile.parse("128x128x32")), hardware)


@pytest.fixture(scope="session")
def theta():
    return THETA
