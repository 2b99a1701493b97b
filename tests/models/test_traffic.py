"""What a launch moves: sharp caches, and caches that give way gradually."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tile import Tile
from models.hardware import Hardware
from models.problem import Problem
from models.traffic import lost_of, lost_share, needed_bytes, spilt_bytes

TILE = Tile.parse("128x128x32")


def problem(*shapes):
    M, N, K = np.array(shapes, dtype=np.int64).T
    return Problem(M, N, K, TILE, 2, 4)


def test_a_cache_that_keeps_as_much_as_can_be_kept():
    np.testing.assert_allclose(lost_of(np.array([1e6, 4e6, 16e6]), 4e6, None), [0.0, 0.0, 0.75])


@given(st.floats(1e3, 1e9), st.floats(0.5, 20.0))
def test_a_gradual_cache_loses_half_of_what_is_as_large_as_it(kept, sharpness):
    swept = kept * np.geomspace(0.01, 100.0, 9)
    lost = lost_of(swept, kept, sharpness)
    assert lost[4] == pytest.approx(0.5)
    assert (np.diff(lost) >= 0).all()
    np.testing.assert_allclose(lost + lost[::-1], 1.0)  # on a logarithmic scale it is odd about that size
    # A tenth of its odds is a power of its size.
    np.testing.assert_allclose(lost[3] / (1 - lost[3]), 10.0 ** (-0.5 * sharpness))


def test_what_a_launch_moves_of_a_warm_gradual_cache():
    work = problem((1024, 2048, 512))
    operands, result = 2.0 * 512 * (1024 + 2048), 4.0 * 1024 * 2048
    gradual = Hardware(cache_bytes=1e7, kept_bytes=5e6, kept_sharpness=1.5)
    lost = 1.0 / (1.0 + (5e6 / (operands + result)) ** 1.5)
    np.testing.assert_allclose(lost_share(work, gradual), lost)
    np.testing.assert_allclose(spilt_bytes(work, gradual), lost * operands)
    np.testing.assert_allclose(needed_bytes(work, gradual), result)


def test_another_spill_size_changes_what_is_kept_in_proportion():
    gradual = Hardware(cache_bytes=1e7, kept_bytes=5e6, kept_sharpness=1.5).with_spill_size(2e7)
    assert (gradual.cache_bytes, gradual.kept_bytes, gradual.kept_sharpness) == (2e7, 1e7, 1.5)
    assert Hardware(cache_bytes=1e7).with_spill_size(2e7).kept_bytes == 0.0
