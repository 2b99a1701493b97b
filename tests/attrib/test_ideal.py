"""Ideal landscape: the numbers that the paper's formula gives (facts sheet, section 12, items 1 and 3)."""

import numpy as np
import pytest

from attrib.ideal import ideal_throughput, work_groups
from attrib.roughness import roughness
from harness.errors import InputError, NotApplicableError
from harness.tile import Tile

STOCK = Tile.parse("256x256x32")
GRID = np.arange(128, 4097, 128)


def test_cube_has_the_published_mean_and_its_own_roughness():
    cube = ideal_throughput(*np.ix_(GRID, GRID, GRID), peak_flops_per_s=108.2e12, cores=20, tile=STOCK)
    assert cube.shape == (32, 32, 32)
    assert cube.mean() == pytest.approx(97.169, abs=5e-4)
    measured = roughness(cube)
    assert pytest.approx(1.9633, abs=5e-5) == measured.N
    assert pytest.approx(108.2 * 0.5625 / 31) == measured.N
    assert pytest.approx(measured.N) == measured.M
    assert measured.slice_N == pytest.approx(measured.N)
    assert measured.K == 0.0


def test_saturation_group_of_table_11():
    shapes = np.array([(256, 256), (512, 512), (1024, 1024), (2560, 1536), (3840, 2048)])
    assert work_groups(shapes[:, 0], shapes[:, 1], STOCK).tolist() == [1, 4, 16, 60, 120]

    def group(peak):
        return ideal_throughput(shapes[:, 0], shapes[:, 1], 4096, peak_flops_per_s=peak, cores=20, tile=STOCK)

    assert group(108.2e12).mean() == pytest.approx(66.00, abs=0.005)
    assert group(108.2e12).std() == pytest.approx(43.87, abs=0.005)
    assert group(108.98e12).mean() == pytest.approx(66.48, abs=0.005)
    assert group(108.98e12).std() == pytest.approx(44.19, abs=0.005)


def test_partial_tiles_count_as_work_groups():
    assert int(work_groups(300, 1, STOCK)) == 2


def test_refuses_hidden_tiles_and_empty_devices():
    with pytest.raises(NotApplicableError, match="vendor"):
        work_groups(128, 128, Tile.parse("vendor"))
    with pytest.raises(InputError, match="positive"):
        ideal_throughput(128, 128, 128, peak_flops_per_s=0.0, cores=20, tile=STOCK)
