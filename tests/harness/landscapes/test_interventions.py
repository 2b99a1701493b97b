"""The shapes of the interventions: what they are measured for can be recovered from them."""

import numpy as np
import pytest

from harness.cube import dense_cube
from harness.device import load_device
from harness.landscapes import INTERVENTIONS, bundled_cube
from harness.landscapes.interventions_h200 import (
    CORE_DEPTHS,
    CORE_LIMITS,
    CORE_SIZES,
    CORE_TILES,
    PITCHES,
    core_shapes,
    pitch_shapes,
)
from models.core_count import count_cores


@pytest.mark.parametrize("limit", CORE_LIMITS)
def test_the_limit_of_cores_is_counted_exactly(limit):
    """Planted waves with 1 % noise on each of four repeats."""
    M, N, K = core_shapes().T
    rng = np.random.default_rng(limit)
    times = []
    for tile in CORE_TILES:
        waves = np.ceil(np.ceil(M / tile.m) * np.ceil(N / tile.n) / limit)
        step = 0.4e-6 * tile.m * tile.n / 128**2
        exact = 3e-6 + waves * (1.5e-6 + step * np.ceil(K / tile.k))
        noisy = exact[:, None] * (1 + 0.01 * rng.standard_normal((exact.size, 4)))
        times.append(np.median(noisy, axis=1))
    shape = (len(CORE_TILES), CORE_SIZES.size, CORE_SIZES.size, CORE_DEPTHS.size)
    cube = dense_cube(
        np.array(times).reshape(shape), CORE_SIZES, CORE_SIZES, CORE_DEPTHS, CORE_TILES, load_device("h200")
    )
    found = count_cores(cube)
    assert found.cores == limit
    assert found.identified
    assert {cores for cores, _, _ in found.by_tile.values()} == {limit}


def test_padding_changes_some_rows_of_every_line_and_leaves_others():
    shapes = pitch_shapes()
    assert len(np.unique(shapes, axis=0)) > 0.99 * len(shapes)
    for axis in (1, 2):
        changed = shapes[:, axis] % PITCHES[1] != 0
        assert 0 < changed.sum() < len(shapes)


def test_the_bundled_pair_is_the_same_lines_measured_twice():
    plain, padded = (bundled_cube(name) for name in INTERVENTIONS)
    assert (plain.attrs["pitch_multiple"], padded.attrs["pitch_multiple"]) == (1, 64)
    for axis in ("M", "N", "K", "tile"):
        np.testing.assert_array_equal(plain[axis].values, padded[axis].values)
    ratio = padded["time"].values / plain["time"].values
    moved = plain["N"].values % 64 != 0
    assert np.median(ratio[~moved]) == pytest.approx(1.0, abs=0.01)
    assert np.median(ratio[moved]) < 1.0
