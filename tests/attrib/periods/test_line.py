"""Lines of dense and sparse cubes are the same lines."""

import numpy as np
import pytest

from attrib.periods import lines_of
from harness.cube import device_of, sparse_cube, tiles_of
from harness.landscapes import bundled_cube
from harness.samples import Samples


def test_dense_and_sparse_cubes_give_the_same_lines():
    dense = bundled_cube("h200_bf16_grid").isel(tile=[1], M=slice(4, 7), K=slice(30, 32))
    samples = Samples.from_cube(dense)
    order = np.random.default_rng(0).permutation(samples.size)
    shapes = np.stack([samples.M, samples.N, samples.K], axis=1)[order]
    tile = tiles_of(dense)[0]
    sparse = sparse_cube(samples.time[order], shapes, [tile] * samples.size, device_of(dense))
    first, second = lines_of(dense, "N", tile), lines_of(sparse, "N", tile)
    assert len(first) == len(second) == 6
    for one, other in zip(first, second, strict=True):
        assert one.at == other.at
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_allclose(one.log_throughput, other.log_throughput)
    line = first[0]
    rate = 2e-12 * line.at["M"] * line.x * line.at["K"] / dense["time"].values[0, 0, :, 0]
    np.testing.assert_allclose(line.log_throughput, np.log(rate))
    assert (line.step, line.span, line.spacing) == (128, 4096, 128.0)


def test_holding_sizes_takes_fewer_lines():
    dense = bundled_cube("h200_bf16_grid").isel(tile=[1])
    tile = tiles_of(dense)[0]
    assert len(lines_of(dense, "M", tile, {"K": 4096})) == 32
    (line,) = lines_of(dense, "K", tile, {"M": 4096, "N": 2048})
    assert line.at == {"M": 4096, "N": 2048}


def test_gaps_count_as_coarser_sampling():
    dense = bundled_cube("h200_bf16_grid").isel(tile=[1], M=[31], K=[31])
    tile = tiles_of(dense)[0]
    holes = dense.assign(status=dense["status"].copy())
    holes["status"][{"N": [3, 7, 8]}] = 1
    (line,) = lines_of(holes.assign(time=holes["time"].where(holes["status"] == 0)), "N", tile)
    assert line.x.size == 29
    assert line.spacing == pytest.approx((4096 - 128) / 28)
