"""Speed of the stage kernels on the paper's 32^3 grid."""

import numpy as np
import pytest

from attrib.stages import pad_samples, split_minimum, suffix_argmin, suffix_minimum


@pytest.fixture(scope="module")
def cube():
    rng = np.random.default_rng(0)
    work = np.multiply.outer(np.multiply.outer(np.arange(1, 33), np.arange(1, 33)), np.arange(1, 33))
    return (work + 50.0) * rng.uniform(0.5, 2.0, (32, 32, 32))


@pytest.mark.parametrize("kernel", [suffix_minimum, suffix_argmin, split_minimum])
def test_one_cube(benchmark, cube, kernel):
    kernel(cube)  # compiled
    assert benchmark(kernel, cube).shape == cube.shape


@pytest.mark.parametrize("kernel", [suffix_minimum, split_minimum])
def test_256_coalitions(benchmark, cube, kernel):
    batch = np.repeat(cube[np.newaxis], 256, axis=0)
    kernel(batch[:1])
    assert benchmark(kernel, batch).shape == batch.shape


def test_50_000_samples(benchmark):
    rng = np.random.default_rng(0)
    M, N, K = rng.integers(1, 1_000_000, (3, 50_000))
    time = M * 1.0 * N * K * rng.uniform(0.5, 2.0, M.size)
    pad_samples(M, N, K, time)
    padded, _ = benchmark(pad_samples, M, N, K, time)
    assert np.all(padded <= time)
