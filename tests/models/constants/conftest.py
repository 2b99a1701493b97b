"""A landscape with planted granularities and channels: its formula is written out here."""

import math

import numpy as np
import pytest

from harness.samples import Samples
from harness.tile import Tile
from models.design import problem_of
from models.hardware import Hardware
from models.tile_data import TileData

TILE = Tile.parse("128x128x32")
CORES = 16


def fullest(pitch, rows, run, channels, interleave):
    """Bytes on the fullest channel, in those of an even spread, byte by byte."""
    addresses = pitch * np.arange(rows)[:, None] + np.arange(run)
    load = np.bincount((addresses // interleave % channels).ravel(), minlength=channels)
    return load.max() / load.mean()


def seconds(M, N, K, granule_k=1, granule_n=1, byte=0.0, channels=1, interleave=1):
    """Time of one launch: waves of 16 work-groups, a dearer step off a granule, bytes that wait for a channel."""
    groups, steps = math.ceil(M / 128) * math.ceil(N / 128), math.ceil(K / 32)
    step = 8e-7 * (1 + 0.05 * (K % granule_k != 0) + 0.04 * (N % granule_n != 0))
    time = 6e-6 + math.ceil(groups / CORES) * (2e-6 + steps * step)
    # Rows that are loaded or stored together, 128 of A, 32 of B and of D, and a tile's part of each in bytes.
    operands = ((2 * M * K, 2 * K, 128, 64), (2 * K * N, 2 * N, 32, 256), (2 * M * N, 2 * N, 32, 256))
    for size, pitch, rows, run in operands if byte else ():
        time += byte * size * (fullest(pitch, rows, run, channels, interleave) - 1)
    return time


@pytest.fixture
def landscape():
    def make(shapes, seed=0, noise=0.004, **planted):
        rng = np.random.default_rng(seed)
        time = np.array([seconds(*shape, **planted) for shape in shapes.tolist()])
        time *= np.exp(noise * rng.standard_normal(len(shapes)))
        empty = np.zeros(len(shapes), dtype=np.int64)
        samples = Samples(*shapes.T, empty, (TILE,), time, np.full(len(shapes), np.nan))
        blocks = np.unique(shapes[:, 0] // 768 * 100 + shapes[:, 1] // 768, return_inverse=True)[1]
        return {TILE.name: TileData(TILE, np.arange(len(shapes)), samples, blocks, problem_of(samples, TILE, 2, 2))}

    return make


@pytest.fixture
def hardware():
    return Hardware(cores=CORES)


@pytest.fixture(scope="session")
def off_grid():
    """Twenty-four neighbourhoods in which K and N meet and miss every alignment."""
    rng = np.random.default_rng(9)
    base = rng.integers(4, 17, (24, 3)) * 256
    moved = [(0, 32, d) for d in (0, 4, 8, 16, 32, 64, 128)] + [(0, d, 0) for d in (4, 8, 16, 24, 64, 96)]
    return np.concatenate([base - np.array(step) for step in moved])


@pytest.fixture(scope="session")
def on_grid():
    side = np.arange(256, 4097, 256)
    mesh = np.meshgrid(side, side, side[::4], indexing="ij")
    return np.stack([axis.ravel() for axis in mesh], axis=1)
