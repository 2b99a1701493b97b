"""Speed of counting cores and of the whole fit, on a part of the bundled H200 grid."""

import numpy as np
import pytest

from harness.landscapes import bundled_cube
from harness.samples import Samples
from models.additive import AdditiveModel
from models.blocks import block_labels
from models.design import ALL_MECHANISMS, Design, problem_of
from models.hardware import Hardware
from models.terms import ALL_TERMS
from models.waves import GroupedWaves


@pytest.fixture(scope="module")
def cube():
    every_second = slice(1, None, 2)
    return bundled_cube("h200_bf16_grid").isel(tile=[0, 2, 5], M=every_second, N=every_second, K=slice(3, None, 4))


@pytest.fixture(scope="module")
def waves(cube):
    samples = Samples.from_cube(cube.isel(tile=[0]))
    problem = problem_of(samples, samples.tiles[0], 2, 2)
    terms = [term for term in ALL_TERMS if term.name in ("base overhead", "tile work")]
    others = Design.of(terms, samples.tiles[0], Hardware()).matrix(problem, Hardware())
    return GroupedWaves(problem, samples.time, others, block_labels(samples.M, samples.N), ALL_MECHANISMS)


def test_wave_profile_of_one_tile(benchmark, waves):
    assert benchmark(waves.profile, np.arange(1, 257)).best == (132, 1)


def test_whole_fit(benchmark, cube):
    fit = benchmark.pedantic(AdditiveModel().fit, (cube,), rounds=3, warmup_rounds=0)
    assert fit.hardware.cores == pytest.approx(132, abs=1)  # a quarter of the (M, N) leaves a neighbour or two
