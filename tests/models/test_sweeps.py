"""Bytes that later sweeps of a raster read again, written out for two rasters, and waves that wait for them."""

import numpy as np
import pytest

from harness.tile import Tile
from models.design import ALL_MECHANISMS
from models.edge_costs import EdgeCosts
from models.hardware import Hardware
from models.problem import Problem
from models.ragged_launches import memory_of_waves
from models.sweeps import SHARES, bytes_again, idle_of_fast, sweep_sizes

TILE = Tile.parse("128x64x32")
HARDWARE = Hardware(
    cores=3,
    residency={TILE.name: 2},
    cache_bytes=4e6,
    kept_bytes=1e6,
    kept_sharpness=2.0,
    channels=4,
    interleave_bytes=256,
)


@pytest.mark.parametrize(("M", "N", "rows", "fast"), [(1280, 512, 10, 512), (256, 1280, 20, 256)])
def test_every_row_but_those_of_the_first_wave_reads_the_fast_operand_again(M, N, rows, fast):
    """Ten rows of eight tiles, which six slots do not hold; twenty columns of two, of which they hold three."""
    K = 512
    work = Problem(np.array([M]), np.array([N]), np.array([K]), TILE)
    assert work.along_n[0] == (N == 512)
    sweeps = rows if N == 512 else rows / 3
    panel = 128 if N == 512 else 64
    lost = [1.0 / (1.0 + (size / (2.0 * K * (fast + panel))) ** 2) for size in sweep_sizes(HARDWARE)]
    np.testing.assert_allclose(bytes_again(work, HARDWARE)[0], (sweeps - 1.0) * 2.0 * K * fast * np.array(lost))
    assert sweep_sizes(HARDWARE) == [share * 1e6 for share in SHARES]


def test_waves_wait_for_bytes_that_are_read_again():
    work = Problem(np.array([1280, 2560]), np.array([512, 1024]), np.array([512, 512]), TILE)
    price, waiting = np.array([1e-7, 0.0, 2e-7]), np.array([0.0, 3e-7, 0.0])
    costs = EdgeCosts((0.7, 1.0), steps=4.0, bytes_again=(*price, *waiting))
    waves, steps = work.whole_groups / 6.0, 512 / 32
    again = bytes_again(work, HARDWARE)
    plain, idle = again @ price, again @ waiting * idle_of_fast(work, HARDWARE)
    assert (plain > 0).all()
    np.testing.assert_allclose(
        memory_of_waves(work, HARDWARE, costs, ALL_MECHANISMS), (plain + idle) / waves * 4.0 / steps
    )
    deaf = ALL_MECHANISMS - {"channel hash"}
    np.testing.assert_allclose(memory_of_waves(work, HARDWARE, costs, deaf), plain / waves * 4.0 / steps)
