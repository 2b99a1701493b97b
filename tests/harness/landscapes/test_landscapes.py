"""The shapes that were measured, and packing them."""

import json
from importlib.resources import files

import numpy as np
import pytest

from harness.errors import InputError
from harness.landscapes import BUNDLED, INTERVENTIONS, bundled_cube
from harness.landscapes.measure_h200 import LINE_SETTINGS, line_shapes, scatter_shapes
from harness.landscapes.pack import KEPT_REPEATS, pack, round_bits


@pytest.mark.parametrize("bits", [5, 13])
def test_rounding_to_bits_is_within_half_a_unit(bits):
    values = np.exp(np.random.default_rng(0).uniform(-20, 5, 10_000))
    rounded = round_bits(values, bits)
    assert np.abs(rounded / values - 1).max() <= 2.0 ** -(bits + 1)
    np.testing.assert_array_equal(round_bits(rounded, bits), rounded)
    assert round_bits(np.array([0.0]), bits)[0] == 0.0


def test_lines_are_fine_along_each_axis():
    shapes = line_shapes()
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        for setting in LINE_SETTINGS:
            line = shapes[(shapes[:, others] == setting).all(axis=1), axis]
            assert set(range(16, 4097, 16)) <= set(line.tolist())


def test_scatter_repeats_with_its_seed_and_holds_odd_sizes():
    shapes = scatter_shapes(np.random.default_rng(1))
    np.testing.assert_array_equal(shapes, scatter_shapes(np.random.default_rng(1)))
    assert shapes.min() >= 16
    assert shapes.max() <= 8193
    odd = (shapes % 16 != 0).any(axis=1)
    assert 300 < odd.sum() <= 400


def test_packing_keeps_what_it_says():
    cube = bundled_cube("h200_bf16_scatter")
    again = pack(cube)
    assert again.sizes["repeat"] == KEPT_REPEATS
    np.testing.assert_array_equal(again["time"], cube["time"])


def test_unknown_landscapes_name_the_known():
    with pytest.raises(InputError, match=", ".join((*BUNDLED, *INTERVENTIONS))):
        bundled_cube("mi300")


def test_every_kernel_behind_the_landscapes_was_checked():
    data = json.loads((files("harness.landscapes") / "h200_verification.json").read_text())
    kernels = data["kernels"].values()
    assert sum(kernel["cells"] for kernel in kernels) == sum(bundled_cube(name)["time"].size for name in BUNDLED)
    assert all(kernel["checked"] >= min(kernel["cells"], 12) for kernel in kernels)
    assert max(kernel["largest_relative_error"] for kernel in kernels) < data["tolerance"]
