"""Speed of the twin: six tiles of the paper's cube within a minute on two cores."""

from time import process_time

import numpy as np
import pytest

from harness.twin import Twin

SIZES = np.arange(128, 4097, 128)
BUDGET_S = 120.0
"""Processor seconds for 32,768 shapes x 6 tiles: a minute on two cores."""


@pytest.fixture(scope="module")
def twin():
    twin = Twin()
    for tile in twin.tiles:
        twin.seconds(np.array([128]), 128, 128, tile)  # compiled
    return twin


def test_one_depth_of_the_cube_keeps_to_its_share_of_the_budget(twin):
    began = process_time()
    for tile in twin.tiles:
        twin.seconds(SIZES[:, None], SIZES, 4096, tile)
    assert process_time() - began < BUDGET_S / SIZES.size


def test_slice_of_one_tile(benchmark, twin):
    tile = twin.tiles[1]
    assert benchmark(twin.seconds, SIZES[:, None], SIZES, 4096, tile).shape == (32, 32)
