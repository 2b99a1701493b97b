"""Shares of last waves, against waves counted one by one."""

from dataclasses import replace

import numpy as np
import pytest

from harness.tile import Tile
from models.design import ALL_MECHANISMS
from models.edge_costs import EdgeCosts
from models.hardware import Hardware
from models.last_wave import LastWave
from models.limits import FILL, QUANTIZATION
from models.problem import Problem
from models.ragged_launches import chains

TILE = Tile.parse("128x128x32")
HARDWARE = Hardware(cores=6, residency={TILE.name: 2})


def problem(*shapes):
    return Problem(*np.array(shapes, dtype=np.int64).T, TILE)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 4), (1, 13), (5, 5), (12, 2), (25, 1), (7, 9)])
def test_shares_of_the_last_wave(rows, columns):
    left, waves = rows * columns, 0
    while left > 0:
        last, left, waves = left, left - 12, waves + 1
    found = LastWave.of(problem((128 * rows, 128 * columns - 5, 64)), HARDWARE, ALL_MECHANISMS)
    expected = (1.0 / waves, last / (rows * columns)) if waves > 1 else (0.0, 0.0)
    if waves > 1 and columns > rows:
        # The raster walks down columns, and of the last one five parts of 128 lie outside.
        beyond = 5 / 128
        expected = (1.0 / waves, (last - min(last, rows) * beyond) / (rows * columns - rows * beyond))
    assert (found.work[0], found.traffic[0]) == pytest.approx(expected)


@pytest.mark.parametrize(("off", "some"), [(QUANTIZATION, False), (FILL, True)])
def test_divisible_launches_have_no_last_wave(off, some):
    found = LastWave.of(problem((128 * 13, 128, 64)), HARDWARE, ALL_MECHANISMS - {off})
    assert (found.work.any(), found.traffic.any()) == (some, some)


def test_a_hidden_tile_has_no_waves():
    hidden = Problem(np.array([4096]), np.array([4096]), np.array([64]), Tile.parse("vendor"))
    assert not LastWave.of(hidden, HARDWARE, ALL_MECHANISMS).work.any()


def test_launches_are_taken_with_their_shares():
    found = LastWave.of(problem((128 * 13, 128, 64), (128 * 30, 128, 64)), HARDWARE, ALL_MECHANISMS)
    assert found.take(np.array([1])).work.tolist() == [1.0 / 3.0]
    assert found.take(np.array([True, False])).traffic.tolist() == [1.0 / 13.0]


def test_the_core_that_is_done_first_takes_as_many_as_it_holds():
    """Two on the first core instead of one on each of two: the last bytes take longer by a wave of two over one."""
    out_of_step = replace(HARDWARE, core_spread={TILE.name: 0.1}, overlapping={TILE.name: EdgeCosts((0.7, 1.0))})
    shape = problem((128 * 14, 128, 64), (128 * 20, 128, 64), (128 * 12, 128, 64))
    found = LastWave.of(shape, out_of_step, ALL_MECHANISMS)
    # Of 14 work-groups 2 are left, of 20 there are 8, which share cores anyway.
    np.testing.assert_allclose(found.waited, [(12 + 2 / 0.7) / 14, 1.0, 1.0])
    np.testing.assert_allclose(found.traffic, [2 / 0.7 / (12 + 2 / 0.7), 8 / 20, 0.0])
    np.testing.assert_allclose(LastWave.of(shape, HARDWARE, ALL_MECHANISMS).waited, 1.0)


@pytest.mark.parametrize(("power", "in_step"), [(2.0, False), (16.0, True), (float("inf"), True)])
def test_cores_that_wait_for_memory_alone_stay_in_step(power, in_step):
    """Bytes take twenty times as long as computing; a low power alone lets computing tell cores apart."""
    shape = problem((128 * 14, 128, 64))
    moved = 4 * 128 * 14 * 128 + 2 * 64 * 128 * (14 + 1)
    costs = EdgeCosts((0.7, 1.0), byte=20.0 * (14 / 12) / moved, steps=2.0, power=power, seconds=1e-5)
    out_of_step = replace(HARDWARE, core_spread={TILE.name: 0.1}, overlapping={TILE.name: costs})
    found = LastWave.of(shape, out_of_step, ALL_MECHANISMS)
    np.testing.assert_allclose(found.waited, 1.0 if in_step else (12 + 2 / 0.7) / 14)
    np.testing.assert_allclose(found.traffic, 2 / 14 if in_step else 2 / 0.7 / (12 + 2 / 0.7))


def test_a_last_wave_of_few_computes_less_long():
    """One work-group on a core takes 0.6 of what two do: of 14 on six cores of two, two are left."""
    costs = EdgeCosts((0.6, 1.0))
    shape = problem((128 * 14, 128, 64), (128 * 20, 128, 64), (128 * 12, 128, 64), (128 * 26, 128, 64))
    found = LastWave.of(shape, replace(HARDWARE, overlapping={TILE.name: costs}), ALL_MECHANISMS)
    np.testing.assert_allclose(found.work, [0.6 / 1.6, 0.5, 0.0, 0.6 / 2.6])
    np.testing.assert_allclose(found.waited, 1.0)


def test_launches_that_are_followed_have_the_shares_of_their_chains():
    """Two work-groups are left, and the last of them waits for an edge: both shares are those of one resident."""
    costs = EdgeCosts((0.6, 1.0), (0.2, 0.0, 0.0))
    state = replace(HARDWARE, edges={TILE.name: costs}, overlapping={TILE.name: costs})
    shape = problem((128 * 14, 127, 64), (128 * 9, 127, 64))
    found = LastWave.of(shape, state, ALL_MECHANISMS)
    counted = chains(shape, state, ALL_MECHANISMS)[1]
    np.testing.assert_array_equal(found.work, [counted.last_work[0], 0.0])
    np.testing.assert_array_equal(found.traffic, [counted.last_waited[0], 0.0])
    assert 0.0 < found.work[0] < 0.5
