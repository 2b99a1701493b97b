"""Sweeps over the fast operand: counted by hand, and against walking the raster with an explicit cache."""

import numpy as np
import pytest

from harness.tile import Tile
from models.design import ALL_MECHANISMS
from models.hardware import Hardware
from models.problem import Problem
from models.sweeps import SHARES
from models.terms.channel_hash import HASH
from models.terms.operand_rereads import OperandRereads

TERM = OperandRereads()
TILE = Tile.parse("64x64x32")
CACHE = 4e6


def columns(shapes, cores=10, on=ALL_MECHANISMS, **device):
    M, N, K = np.array(shapes, dtype=np.int64).T
    hardware = Hardware(cores=cores, cache_bytes=CACHE, **device)
    return TERM.columns(Problem(M, N, K, TILE), hardware, on)


def test_every_row_of_tiles_sweeps_over_b_again():
    # 32 x 32 tiles on 10 slots: 32 sweeps over 16 MiB of B, of which all but the first read it again.
    (found,) = columns([(2048, 2048, 4096)])
    sweep = 2.0 * 4096 * (2048 + 64)
    again = 31 * 2.0 * 4096 * 2048
    np.testing.assert_allclose(found, [again * (1 - share * CACHE / sweep) for share in SHARES])


def test_a_gradual_cache_loses_sweeps_gradually():
    (found,) = columns([(2048, 2048, 4096)], kept_bytes=8e6, kept_sharpness=1.5)
    sweep = 2.0 * 4096 * (2048 + 64)
    again = 31 * 2.0 * 4096 * 2048
    np.testing.assert_allclose(found, [again / (1.0 + (share * 8e6 / sweep) ** 1.5) for share in SHARES])
    whole = TERM.coefficients(TILE, Hardware(cache_bytes=CACHE, kept_bytes=8e6, kept_sharpness=1.5))[-1]
    assert "half is lost at 7.63 MiB" in whole.meaning


def test_rows_that_are_resident_together_share_what_they_read():
    wide, narrow = columns([(2048, 2048, 4096)], cores=64), columns([(2048, 2048, 4096)], cores=32)
    np.testing.assert_allclose(wide / narrow, 15 / 31)
    assert not columns([(512, 512, 16384)], cores=64).any()


def test_a_sweep_that_stays_in_the_cache_reads_nothing_again():
    assert not columns([(8192, 128, 1024)]).any()
    (found,) = columns([(8192, 640, 2048)])
    assert found[0] > found[1] == found[2] == 0 or found[0] > found[1] > found[2] == 0


def test_the_fast_operand_is_that_of_the_shorter_axis():
    (along_n,), (along_m,) = columns([(4096, 1024, 8192)]), columns([(1024, 4096, 8192)])
    np.testing.assert_allclose(along_n, along_m)  # B of one is as large as A of the other


def test_idle_channels_are_lost_again_with_every_sweep():
    shapes = [(2048, 1536, 4096), (2048, 1600, 4096)]
    known = {"channels": 6, "interleave_bytes": 256}
    found = columns(shapes, **known)
    plain = columns(shapes)
    np.testing.assert_array_equal(found[:, :3], plain)
    # Rows of 3072 B all start on one channel of six, and 128 B of a row stay on it.
    np.testing.assert_allclose(found[0, 3:], 5 * plain[0])
    assert (found[1, 3:] < 5 * plain[1]).all()
    off = columns(shapes, on=ALL_MECHANISMS - {HASH}, **known)
    np.testing.assert_array_equal(off[:, :3], plain)
    assert not off[:, 3:].any()
    hardware = Hardware(cache_bytes=CACHE, **known)
    names = [coefficient.name for coefficient in TERM.coefficients(TILE, hardware)]
    assert len(names) == len(set(names)) == found.shape[1]
    assert len(TERM.coefficients(TILE, Hardware(cache_bytes=CACHE))) == plain.shape[1]


def test_it_needs_a_cache_and_a_tile():
    assert "cache" in TERM.applies(TILE, Hardware())
    assert "tile" in TERM.applies(Tile.parse("vendor"), Hardware(cache_bytes=1e6))


@pytest.mark.parametrize(("rows", "across", "slots"), [(12, 9, 4), (9, 9, 9), (7, 3, 12), (20, 5, 1)])
def test_sweeps_against_walking_the_raster(rows, across, slots):
    """With a cache that holds nothing between waves, every panel that a wave touches is read anew."""
    touched = 0.0
    for start in range(0, rows * across, slots):
        touched += len({group % across for group in range(start, min(rows * across, start + slots))})
    M, N = 64 * rows, 64 * across
    hardware = Hardware(cores=slots, cache_bytes=1e-9)
    found = TERM.columns(Problem(*np.array([[M], [N], [320]]), TILE), hardware, ALL_MECHANISMS)[0, 0]
    panel = 2.0 * 320 * 64
    # The first sweep is that of the memory traffic; a last wave that is not full still touches whole panels.
    assert found / panel == pytest.approx(touched - across, abs=across)
