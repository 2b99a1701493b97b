"""Speed of the attribution of a part of the bundled grid, and of variance shares from a Gram matrix."""

import runpy
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from attrib.attribution import lmg_shares
from attrib.attribution.variance_shares import gram_of
from harness.landscapes import bundled_cube

SPEED = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "attribution_speed.py"))
PART = 32
"""A coarser grid has so many times fewer cells than the bundled one: the budget shrinks with them."""


@pytest.fixture(scope="module")
def prepared():
    """A 32nd of the bundled grid, ten planted mechanisms, five stages."""
    cube = bundled_cube("h200_bf16_grid").isel(M=slice(3, None, 4), N=slice(3, None, 4), K=slice(1, None, 2))
    return cube, SPEED["planted_model"](cube), SPEED["five_stages"](cube)


def test_full_attribution(benchmark, prepared):
    found = benchmark.pedantic(SPEED["full_attribution"], prepared, rounds=3, warmup_rounds=1)
    assert [len(stage.quantities) for stage in found] == [8] * 5
    assert found[0].quantities["mean"].draws == 200


def test_full_attribution_keeps_to_its_budget(prepared):
    cube, fit, stages = prepared
    SPEED["full_attribution"](cube, fit, stages)  # compiled
    began = process_time()
    SPEED["full_attribution"](cube, fit, stages)
    # Processor time of two cores. Small grids pay more for what is done once a coalition: three times their part.
    assert process_time() - began < 3 * 2 * SPEED["BUDGET_S"] / PART


def test_twelve_columns_of_the_bundled_cells(benchmark):
    rng = np.random.default_rng(0)
    columns = rng.random((196_608, 13)) + 0.1
    response = columns @ rng.random(13) + rng.standard_normal(196_608)
    groups = [[j + 1] for j in range(12)]

    def shares():
        return lmg_shares(gram_of(columns, response), groups, always=[0])

    shares()  # compiled
    values, whole = benchmark(shares)
    assert values.sum() == pytest.approx(whole)
    began = process_time()
    shares()
    assert process_time() - began < 1.0
