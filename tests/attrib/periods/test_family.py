"""Candidates together: nesting, conditioning, guards, Holm; and the bundled lines."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from attrib.periods import (
    DETECTED,
    NOT_TESTABLE,
    Candidate,
    Facts,
    candidates,
    find_periods,
    judge_candidates,
    lines_of,
)
from attrib.periods.candidate import wave_count
from attrib.periods.family import holm
from attrib.periods.line import Line
from harness.cube import sparse_cube
from harness.device import load_device
from harness.errors import InputError, NotApplicableError
from harness.landscapes import bundled_cube
from harness.tile import Tile

TILE128 = Candidate("tile width", (128.0,), False, False)
PITCH64 = Candidate("row pitch", (64.0,), False, True)


@pytest.fixture(scope="module")
def bundled():
    return bundled_cube("h200_bf16_lines")


def by_name(findings):
    return {item.mechanism: item for item in findings}


def test_teeth_of_a_tile_are_not_taken_for_a_pitch_of_half_the_width(draw_line):
    """The second harmonic of the sawtooth is strong; conditioned on the tooth's shape nothing is left."""
    wrong = 0
    for seed in range(20):
        line = draw_line(np.random.default_rng(seed), 128, saw=(128, 0.03))
        found = by_name(judge_candidates((line,), (TILE128, PITCH64), draws=399, seed=seed))
        assert found["tile width"].status == DETECTED
        wrong += found["row pitch"].status == DETECTED
    assert wrong <= 3


def test_a_pitch_is_not_taken_for_a_tile_of_twice_its_period(draw_line):
    wrong = 0
    for seed in range(20):
        line = draw_line(np.random.default_rng(seed), 128, comb=(64, 0.05))
        found = by_name(judge_candidates((line,), (TILE128, PITCH64), draws=399, seed=seed))
        assert found["row pitch"].status == DETECTED
        wrong += found["tile width"].status == DETECTED
    assert wrong <= 3


def test_both_are_told_apart_when_both_are_there(draw_line):
    line = draw_line(np.random.default_rng(1), 128, saw=(128, 0.03), comb=(64, 0.05))
    found = by_name(judge_candidates((line,), (TILE128, PITCH64), draws=399))
    for name, period in (("tile width", 128), ("row pitch", 64)):
        assert found[name].status == DETECTED
        assert found[name].lower < period < found[name].upper


def test_p_values_are_corrected_over_all_tests(draw_line):
    line = draw_line(np.random.default_rng(2), 128)
    findings = [item for item in judge_candidates((line,), (TILE128, PITCH64), draws=399) if item.p_value]
    assert len(findings) == 3
    assert all(item.p_value >= item.raw_p_value for item in findings)
    smallest = min(findings, key=lambda item: item.raw_p_value)
    assert smallest.p_value == pytest.approx(min(1.0, 3 * smallest.raw_p_value))
    assert smallest.distribution.shape == (399,)


def test_holm_is_that_of_statsmodels():
    p_values = np.random.default_rng(0).random(12) ** 3
    p_values[3] = p_values[7]
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


@pytest.mark.parametrize(
    ("period", "comb", "said"),
    [
        (32.0, False, "2 samples at step 16, fewer than 3: measure at step 8 or less"),
        (47.0, False, "fewer than 3"),
        (700.0, False, "holds 2.9 periods"),
        (96.0, True, "no size of the line is a multiple of 96 (the least remainder is 8)"),
    ],
)
def test_what_the_grid_cannot_show_is_not_testable(draw_line, period, comb, said):
    line = draw_line(np.random.default_rng(0), 128, first=1016)
    item = Candidate("x", (period,), False, comb)
    finding = judge_candidates((line,), (item,), draws=199)[0]
    assert finding.status == NOT_TESTABLE
    assert said in finding.reason
    assert finding.p_value is None


def test_the_published_grid_cannot_test_a_tile_of_64(draw_line):
    """N = 3000, 3032, ..., 4088 at step 32: period 64 has two samples (paper, section 8.3)."""
    line = draw_line(np.random.default_rng(0), 35, step=32, first=3000)
    for width, status in ((64.0, NOT_TESTABLE), (32.0, NOT_TESTABLE)):
        finding = judge_candidates((line,), (Candidate("tile width", (width,), False, False),), draws=199)[0]
        assert finding.status == status


def test_candidates_are_what_the_mechanisms_predict(bundled):
    lines = lines_of(bundled, "N", Tile.parse("256x128x64"), {"M": 4096, "K": 4096})
    found = {item.mechanism: item.period for item in candidates(lines, Facts.of(bundled))}
    assert found["tile width"] == 128
    assert found["waves, 1 a core"] == 132 / 16 * 128
    assert found["waves, 2 a core"] == 2 * 132 / 16 * 128
    assert found["row pitch, line of 128 B"] == 64
    assert found["MMA atom"] == 8
    along_k = lines_of(bundled, "K", Tile.parse("256x128x64"), {"M": 4096, "N": 4096})
    assert {item.period for item in candidates(along_k, Facts.of(bundled))} == {64, 32, 16}


def test_channels_are_a_candidate_where_the_record_states_them():
    device = load_device("b580")
    shapes = np.array([[4096, n, 4096] for n in range(64, 4096, 64)])
    cube = sparse_cube(
        np.linspace(1e-4, 1e-3, len(shapes)), shapes, [Tile.parse("256x256x32")] * len(shapes), device
    )
    lines = lines_of(cube, "N", Tile.parse("256x256x32"))
    found = {item.mechanism: item.period for item in candidates(lines, Facts.of(cube))}
    assert found["channels"] == device.memory_channels * device.channel_interleave_bytes / 2


def counted_waves(rng, rows, slots=132, noise=0.005):
    """Line of a tile 256 wide that takes whole waves and nothing else."""
    x = 16 * np.arange(1, 257)
    line = Line("N", Tile.parse("128x256x64"), x, np.log(x), {"M": 128 * rows, "K": 1024})
    y = np.log(x / wave_count(slots, line)) + noise * rng.standard_normal(x.size)
    return Line(line.axis, line.tile, x, y, line.at)


def waves_of(rows, residents, slots=132):
    return Candidate(
        f"waves, {residents} a core",
        tuple(256.0 * slots * residents / r for r in rows),
        True,
        False,
        tuple(slots * level for level in range(1, residents + 1)),
    )


EDGES = "tile width"


def test_a_column_of_more_than_a_wave_shows_the_tile_and_hides_the_waves():
    """Lines of 208 work-groups a column: waves are 0.63 columns; sampled once a column they seem to be 2.4."""
    rows = (208, 211)
    predicted = (
        *(waves_of(rows, residents) for residents in (4, 3, 2)),
        Candidate(EDGES, (256.0, 256.0), False, False),
        waves_of(rows, 1),
    )
    lines = tuple(counted_waves(np.random.default_rng(seed), r) for seed, r in enumerate(rows))
    found = by_name(judge_candidates(lines, predicted, draws=399))
    assert found[EDGES].status == DETECTED
    assert found[EDGES].lower < 256 < found[EDGES].upper
    assert found["waves, 1 a core"].status == NOT_TESTABLE
    assert (
        "0.63 columns of tiles, fewer than 2: measure at a smaller M than 26624" in found["waves, 1 a core"].reason
    )
    assert found["waves, 2 a core"].status == NOT_TESTABLE
    assert found["waves, 4 a core"].status == NOT_TESTABLE
    assert "waves, 1 a core, would have its teeth there too" in found["waves, 4 a core"].reason


def test_waves_that_low_lines_show_are_not_taken_off_tall_ones():
    """Where a column takes a wave or more, the counted waves have every tooth of the tile among theirs."""
    rows = (8, 28, 32, 166, 200)
    predicted = (waves_of(rows, 1), Candidate(EDGES, (256.0,) * 5, False, False))
    lines = tuple(counted_waves(np.random.default_rng(seed), r) for seed, r in enumerate(rows))
    found = by_name(judge_candidates(lines, predicted, draws=399))
    assert found["waves, 1 a core"].status == DETECTED
    assert found["waves, 1 a core"].lines == 2, "those of 28 and 32 rows: three waves, of two columns at least"
    assert found[EDGES].status == DETECTED


def test_waves_alone_show_no_tile_where_a_column_is_less_than_a_wave():
    """The other side of it: nothing happens at most edges of a tile, and none is found."""
    rows = (12, 16, 20, 32)
    predicted = (waves_of(rows, 1), Candidate(EDGES, (256.0,) * 4, False, False))
    detected = 0
    for seed in range(20):
        lines = tuple(counted_waves(np.random.default_rng((seed, r)), r) for r in rows)
        found = by_name(judge_candidates(lines, predicted, draws=399, seed=seed))
        assert found["waves, 1 a core"].status == DETECTED
        detected += found[EDGES].status == DETECTED
    assert detected <= 3


@pytest.mark.parametrize(
    "tile",
    [
        "256x128x64",
        "128x256x64",
        "128x128x64",
        "128x64x64",
        "64x128x64",
        "64x64x64",
        "128x160x64",
        "128x96x64",
        "64x96x64",
    ],
)
def test_padded_rows_show_tile_and_waves_of_every_tile_but_no_pitch(tile):
    found = find_periods(bundled_cube("h200_bf16_rows_padded"), "N", Tile.parse(tile), draws=999)
    assert not any("row pitch" in (item.mechanism or "") for item in found)
    width = next(item for item in found if item.mechanism == "tile width")
    assert width.status == DETECTED
    # Of nine 95 % intervals one may miss.
    assert width.period == pytest.approx(Tile.parse(tile).n, rel=0.003)
    waves = [item for item in found if (item.mechanism or "").startswith("waves") and item.status == DETECTED]
    assert len(waves) >= 1


@pytest.mark.parametrize("tile", ["256x128x64", "128x256x64", "128x128x64", "128x64x64", "64x128x64", "64x64x64"])
def test_bundled_lines_show_waves_and_a_pitch_that_no_tile_changes(bundled, tile):
    found = find_periods(bundled, "N", Tile.parse(tile), draws=999)
    pitch = next(item for item in found if "row pitch, line of 128 B" in (item.mechanism or ""))
    assert pitch.status == DETECTED
    assert pitch.period == pytest.approx(64, abs=0.1)
    waves = [item for item in found if (item.mechanism or "").startswith("waves") and item.status == DETECTED]
    assert len(waves) >= 1
    for name in ("half line", "vector unit", "MMA atom"):
        fine = next(item for item in found if name in (item.mechanism or ""))
        assert fine.status == NOT_TESTABLE
        assert "measure at step" in fine.reason


def test_the_same_seed_gives_the_same_findings(bundled):
    tile = Tile.parse("128x128x64")
    first, second = (find_periods(bundled, "N", tile, {"M": 1024, "K": 1024}, draws=199, seed=3) for _ in range(2))
    assert [item.to_contract() for item in first] == [item.to_contract() for item in second]


def test_bad_arguments(bundled):
    tile = Tile.parse("128x128x64")
    with pytest.raises(InputError, match="axis 'X'"):
        find_periods(bundled, "X", tile)
    with pytest.raises(InputError, match="sizes to hold are M and K"):
        find_periods(bundled, "N", tile, {"N": 64})
    with pytest.raises(NotApplicableError, match="no line of at least 12 samples along N at M=77"):
        find_periods(bundled, "N", tile, {"M": 77})
    with pytest.raises(InputError, match="take 199 or more"):
        find_periods(bundled, "N", tile, draws=10)
