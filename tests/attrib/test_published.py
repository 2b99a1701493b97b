"""The published figures, the campaign that meets them, and the calibrated twin against both."""

import dataclasses
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from attrib.published import FIGURES, PAPER_TILES, Campaign, Comparison, Figure, compare, quantities
from attrib.published.campaign import FINE_N, LINE_N, SHAPES, SIZES
from harness.cube import sparse_cube
from harness.errors import InputError
from harness.twin import B580, Chip, Twin, twin_record


@pytest.fixture(scope="module")
def campaign():
    return Campaign.run(Twin().seconds, Twin(off={"base overhead"}).seconds)


@pytest.fixture(scope="module")
def comparison(campaign):
    return compare(campaign)


def test_the_twin_meets_the_published_figures(comparison):
    assert len(comparison.measured) == len(FIGURES)
    assert len(comparison.within(0.10)) >= 35


def test_the_twin_meets_every_stage_of_table_10(comparison):
    stages = [figure for figure in FIGURES if figure.stage]
    assert len(stages) == 12
    off = {figure.key: round(comparison.ratio(figure), 3) for figure in stages}
    assert comparison.within(0.08, stages=True) == tuple(stages), off


def test_enough_is_met_without_what_the_paper_contradicts(comparison):
    """The count does not lean on figures that disagree with others of the paper."""
    assert sum(not figure.contradiction for figure in comparison.within(0.10)) >= 35


def test_every_figure_is_listed_once_and_computed(comparison):
    keys = [figure.key for figure in FIGURES]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= set(comparison.found)


def test_what_the_paper_states():
    value = {figure.key: figure.value for figure in FIGURES}
    assert value["slice fixed mean"] == 58.7
    assert value["slice best+pad+split roughness"] == 5.0
    assert value["cube 128x128x32 peak"] == 112.1
    assert value["fine best padded minimum"] == 86.9
    assert value["kernel 2560x1536x4096"] == 109.55


def ramp(M, N, K, tile):
    """A device without any ruggedness: 100 TFLOP/s and 10 us a launch, small tiles slower."""
    return 1e-5 + 2.0 * M * N * K / (100e12 if tile == PAPER_TILES[0] else 50e12)


def test_quantities_of_a_smooth_device():
    found = quantities(Campaign.run(ramp))
    surface = 2e-12 * SIZES[:, None] * SIZES * 4096 / ramp(SIZES[:, None], SIZES, 4096, PAPER_TILES[0])
    assert found["slice fixed mean"] == pytest.approx(surface.mean())
    assert found["slice best+pad+split mean"] == found["slice fixed mean"]  # nothing to gain anywhere
    assert found["slice fixed roughness"] == pytest.approx(np.mean(surface[:, -1] - surface[:, 0]) / 31)
    assert found["cube fixed+pad mean saving"] == 0.0
    assert found["action run or pad"] == 100.0
    assert found["cube 256x256x32 wins"] == 100.0
    assert found["kernel 4096x2048x4096"] == pytest.approx(surface[-1, 15])
    deviation = [found[f"kernel {M}x{N}x4096"] for M, N in ((256, 256), (512, 512), (1024, 1024))]
    deviation += [found["kernel 2560x1536x4096"], found["kernel 3840x2048x4096"]]
    assert found["group saturation deviation"] == pytest.approx(np.std(deviation))
    assert "fine 256x256x32 period" not in found  # no valleys


def test_planted_structure_is_found():
    def timer(M, N, K, tile):
        bad = (N % 128 == 24) | (N % 256 == 128)
        return ramp(M, N, K, tile) * np.where(bad, 2.0, 1.0)

    found = quantities(Campaign.run(timer))
    assert found["fine 256x256x32 period"] == 128
    assert found["fine 256x256x32 valley"] == 24
    assert found["alignment N"] == pytest.approx(100.0, abs=15.0)
    assert found["alignment M"] == pytest.approx(0.0, abs=15.0)
    assert found["cube fixed+pad largest saving"] > 40.0


def test_a_part_of_the_depths_leaves_the_cube_out():
    part = compare(Campaign.run(ramp, depths=[2048, 4096]))
    assert part.found["slice fixed mean"] == quantities(Campaign.run(ramp))["slice fixed mean"]
    assert 0 < len(part.measured) < len(FIGURES)
    assert not any(figure.key.startswith("cube") for figure in part.measured)
    with pytest.raises(InputError, match="end at 4096"):
        Campaign.run(ramp, depths=[128])


def test_a_campaign_from_cubes_is_the_one_that_was_run():
    wanted = [(M, N, 4096) for M in SIZES for N in SIZES] + [(4096, N, 4096) for N in (*FINE_N, *LINE_N)]
    wanted += [(*shape, 4096) for shape in SHAPES]
    shapes = np.array(list(dict.fromkeys(wanted)))
    rows = [(shape, tile) for tile in PAPER_TILES for shape in shapes]
    table = np.array([shape for shape, _ in rows])
    tiles = [tile for _, tile in rows]
    time = np.concatenate([ramp(*shapes.T, tile) for tile in PAPER_TILES])
    found = Campaign.from_cubes([sparse_cube(time, table, tiles, twin_record())])
    expected = Campaign.run(ramp)
    np.testing.assert_array_equal(found.cube.time[..., -1], expected.cube.time[..., -1])
    assert np.isnan(found.cube.time[..., 0]).all()
    np.testing.assert_array_equal(found.line, expected.line)
    assert found.kernel == expected.kernel


def test_what_was_not_measured_is_said(comparison):
    figure = Figure("nobody measured this", "Table 0", 1.0)
    other = dataclasses.replace(comparison, figures=(figure, *FIGURES[:1]))
    assert math.isnan(other.ratio(figure))
    assert other.measured == FIGURES[:1]
    assert "not measured" in "\n".join(other.markdown())
    assert list(other.to_frame()["key"]) == [figure.key, FIGURES[0].key]


def test_a_comparison_prints_its_counts(comparison):
    assert "of 12 stage figures within 8 %" in str(comparison)
    assert isinstance(comparison, Comparison)


DOCS = Path(__file__).parents[2] / "docs"


def script(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def calibration():
    return script("twin_calibration")


def test_every_miss_is_explained(comparison):
    reason = script("twin_against_paper").reason
    missed = set(FIGURES) - set(comparison.within(0.10))
    assert [figure.key for figure in missed if not reason(figure)] == []


def test_the_kept_table_is_of_this_twin(comparison):
    kept = (DOCS / "twin_against_paper.md").read_text()
    assert f"digest {B580.digest}" in kept
    within = len(comparison.within(0.1))
    assert f"{within} of {len(FIGURES)} figures are within 10 %" in kept


def test_the_calibrated_numbers_are_those_that_the_search_may_move(calibration):
    assert set(calibration.BOUNDS) == {name for name, kind in B580.kinds.items() if kind == "calibrated"}
    for name, (low, high) in calibration.BOUNDS.items():
        assert low <= calibration.number(B580, name) <= high, name


def test_numbers_are_written_back(calibration, tmp_path):
    values = {"base_s": 1.25e-5, "64x64x32.edge_scale": 2.0, "cache_bytes": 1e7}
    path = tmp_path / "chip.toml"
    path.write_text(calibration.rewritten(calibration.NUMBERS.read_text(), values))
    assert Chip.from_toml(path).digest == B580.replaced(values).digest


def test_the_search_comes_closer_with_the_calibrated_numbers(calibration):
    off = B580.replaced({"edge_n": 0.0, "256x256x32.efficiency": 0.8})
    assert calibration.distance(calibration.found_by(B580)) < calibration.distance(calibration.found_by(off)) - 5.0
