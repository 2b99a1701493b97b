"""The effective tile of a library that hides its own."""

from dataclasses import replace

import numpy as np
import pytest

from harness.samples import Samples
from harness.tile import Tile
from models.blocks import block_labels
from models.effective_tile import effective_tile
from models.hardware import Hardware
from models.problem import Problem
from models.terms import ALL_TERMS

VENDOR = Tile.parse("vendor")
CORES = Hardware(cores=20)


def look(M, N, K, time, hardware=CORES):
    return effective_tile(Problem(M, N, K, VENDOR), time, block_labels(M, N), hardware, ALL_TERMS)


@pytest.mark.parametrize(("name", "residency"), [("256x128x64", 1), ("128x192x64", 1), ("128x128x64", 2)])
def test_a_hidden_tile_with_waves_is_found(machine, name, residency):
    kernel = replace(machine.kernels[residency - 1], name=name)
    side = np.arange(168, 3400, 216)  # on multiples of 256 these tiles would make the same waves
    samples = Samples.from_cube(machine.cube(side, side, (512, 2048, 4096), kernels=(kernel,), noise=0.005))
    found = look(samples.M, samples.N, samples.K, samples.time)
    assert found.tile == Tile(*(int(size) for size in name.split("x")), "vendor")
    assert found.residency == residency


def smooth(grid, seed):
    M, N, K = (axis.ravel().astype(np.int64) for axis in np.meshgrid(*grid, indexing="ij"))
    time = 5e-6 + 2.2e-14 * M * N * K + 4e-12 * (M * K + K * N + M * N)
    return M, N, K, time * np.exp(0.005 * np.random.default_rng(seed).standard_normal(M.size))


def test_a_smooth_library_is_given_no_tile(grid):
    assert [look(*smooth(grid, seed)) for seed in range(10)].count(None) >= 9


def test_nothing_is_looked_for_without_cores(grid):
    assert look(*smooth(grid, 0), Hardware(cores=1)) is None
