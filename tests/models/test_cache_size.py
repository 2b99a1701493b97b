"""The spill size, profiled from planted timings."""

import numpy as np
import pytest

from harness.tile import Tile
from models.blocks import block_labels
from models.cache_size import profile_cache
from models.hardware import Hardware
from models.problem import Problem
from models.terms import ALL_TERMS

NOMINAL = 16e6
VENDOR = Tile.parse("vendor")


def case(spill, per_byte=5e-12, largest=4096, seed=0, noise=0.005):
    side = np.linspace(256, largest, 16).astype(np.int64) // 32 * 32
    M, N, K = (axis.ravel() for axis in np.meshgrid(side, side, side[::2], indexing="ij"))
    footprint = 2.0 * (M * K + K * N + M * N)
    time = 5e-6 + 2e-14 * M * N * K + 1e-12 * footprint + per_byte * np.maximum(0, footprint - spill)
    time = time * np.exp(noise * np.random.default_rng(seed).standard_normal(time.size))
    return {"vendor": (Problem(M, N, K, VENDOR), time, block_labels(M, N))}


def profile(data, nominal=NOMINAL):
    return profile_cache(data, Hardware(cache_bytes=nominal), ALL_TERMS, np.random.default_rng(0))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 1.0])
def test_planted_size_is_recovered(share):
    found = profile(case(share * NOMINAL))
    assert found.estimate == share * NOMINAL
    assert found.estimate in found.values
    assert found.status == "identified"


def test_working_sets_that_stay_inside_identify_nothing():
    found = profile(case(NOMINAL, largest=512))
    assert found.estimate is None
    assert found.values == ()
    assert "not identifiable on this grid" in found.status


def test_no_spill_identifies_no_size():
    status = [profile(case(NOMINAL, per_byte=0.0, seed=seed)).status for seed in range(10)]
    assert sum(text == "identified" for text in status) <= 1


def test_needs_a_nominal_size():
    assert profile(case(NOMINAL), nominal=0.0) is None


def test_the_size_is_found_where_memory_hides_behind_computing():
    """Launches take the longer of computing and moving bytes; of operands, what 6 MB do not keep."""
    side = np.linspace(256, 4096, 12).astype(np.int64) // 32 * 32
    M, N, K = (axis.ravel() for axis in np.meshgrid(side, side, [64, 128, 512, 2048], indexing="ij"))
    operands, result = 2.0 * (M * K + K * N), 2.0 * M * N
    lost = np.maximum(0.0, 1.0 - 6e6 / (operands + result))
    time = 5e-6 + np.maximum(2e-14 * M * N * K, 4e-12 * (result + lost * operands))
    time = time * np.exp(0.003 * np.random.default_rng(3).standard_normal(time.size))
    data = {"vendor": (Problem(M, N, K, VENDOR), time, block_labels(M, N))}
    hardware = Hardware(cache_bytes=NOMINAL, kept_bytes=NOMINAL)
    found = profile_cache(data, hardware, ALL_TERMS, np.random.default_rng(0))
    assert found.estimate == 0.375 * NOMINAL
    assert found.identified


@pytest.mark.parametrize(("kept", "expected"), [(0.0, 0.0), (16e6, 5e6)])
def test_operands_are_kept_in_what_does_not_spill(kept, expected):
    found = Hardware(cache_bytes=16e6, kept_bytes=kept).with_spill_size(5e6)
    assert (found.cache_bytes, found.kept_bytes) == (5e6, expected)
