"""Pairs of cubes: what cancels, what is left, what size the test has, and which cubes are no pair."""

import numpy as np
import pytest

from attrib.periods import (
    DETECTED,
    NOT_DETECTED,
    compare_paired_laws,
    find_paired_periods,
    find_periods,
    paired_lines,
)
from harness.cube import sparse_cube
from harness.device import load_device
from harness.errors import InputError, NotApplicableError
from harness.landscapes import bundled_cube
from harness.tile import Tile

N = np.arange(16, 2065, 16)
ROWS = ((1024, 1024), (2048, 2048))
NARROW, WIDE = Tile.of(128, 64, 64), Tile.of(128, 160, 64)


def correlated(rng, size):
    """Noise that neighbours share, of unit size."""
    shocks = rng.standard_normal(size + 40)
    for place in range(1, shocks.size):
        shocks[place] = 0.5 * shocks[place - 1] + np.sqrt(0.75) * shocks[place]
    return shocks[40:]


def pair(rng, pitch=0.0, tiles=(NARROW,), noise=0.005, teeth=0.03, **stated):
    """Two cubes of lines with teeth of the tile's width, and a cost of unaligned rows in the first alone."""
    times, shapes, labels = ([], []), [], []
    for tile in tiles:
        for m, k in ROWS:
            smooth = np.log(2e-6 + 2 * m * N * k / 5e14) + 0.003 * correlated(rng, N.size)
            common = smooth + teeth * np.mod(-N, tile.n) / tile.n
            for part, cost in zip(times, (pitch, 0.0), strict=True):
                part.append(np.exp(common + cost * (N % 64 != 0) + noise * correlated(rng, N.size)))
            shapes += [(m, n, k) for n in N]
            labels += [tile] * N.size
    return tuple(
        sparse_cube(
            np.concatenate(part),
            np.array(shapes),
            labels,
            load_device("h200"),
            attrs={"dtype": "bf16", "pitch_multiple": multiple, **stated},
        )
        for part, multiple in zip(times, (1, 64), strict=True)
    )


def by_name(findings):
    return {item.mechanism: item for item in findings}


def test_a_paired_line_is_the_ratio_of_times_at_shared_sizes():
    plain, padded = pair(np.random.default_rng(0), pitch=0.02, noise=0.0)
    fewer = padded.isel(sample=padded["N"].values != 512)
    lines = paired_lines(plain, fewer, "N", NARROW)
    assert [dict(line.at) for line in lines] == [{"M": m, "K": k} for m, k in ROWS]
    for line in lines:
        assert line.x.tolist() == [n for n in N if n != 512]
        np.testing.assert_allclose(line.log_throughput, np.where(line.x % 64 == 0, 0.0, -0.02), atol=1e-12)


def test_the_pair_tells_a_pitch_from_a_tile_of_its_width():
    """One cube shows 64 elements with and without a pitch; the pair only with it."""
    for pitch, status in ((0.02, DETECTED), (0.0, NOT_DETECTED)):
        plain, padded = pair(np.random.default_rng(1), pitch)
        alone = by_name(find_periods(plain, "N", NARROW, draws=499))
        assert alone["tile width or row pitch, line of 128 B"].status == DETECTED
        found = by_name(find_paired_periods(plain, padded, "N", NARROW, draws=499))
        told = found["row pitch, line of 128 B"]
        assert told.status == status
        assert told.null.startswith("in the ratio of both times, no period of 64 elements")
        assert not any("tile width" in (name or "") for name in found)
        if status == DETECTED:
            assert told.lower <= 64 <= told.upper


def test_size_where_neither_cube_has_the_mechanism():
    """Teeth of 64 elements in both, noise that neighbours share; more in docs/paired_period_sizes.md."""
    rejected = 0
    for seed in range(200):
        plain, padded = pair(np.random.default_rng(seed))
        found = by_name(find_paired_periods(plain, padded, "N", NARROW, draws=199, seed=seed))
        rejected += found["row pitch, line of 128 B"].raw_p_value <= 0.05
    # Three standard errors of 200 draws around 5 %.
    assert 0.004 <= rejected / 200 <= 0.096


def test_power_on_a_pitch_as_small_as_the_noise():
    found = 0
    for seed in range(20):
        plain, padded = pair(np.random.default_rng(seed), pitch=0.005)
        told = by_name(find_paired_periods(plain, padded, "N", NARROW, draws=199, seed=seed))
        found += told["row pitch, line of 128 B"].raw_p_value <= 0.05
    assert found >= 19


def test_what_was_not_changed_cancels():
    plain, padded = pair(np.random.default_rng(2), pitch=0.02, tiles=(WIDE,))
    assert by_name(find_periods(padded, "N", WIDE, draws=499))["tile width"].status == DETECTED
    found = by_name(find_paired_periods(plain, padded, "N", WIDE, draws=499))
    assert found["tile width"].status == NOT_DETECTED
    assert found["row pitch, line of 128 B"].status == DETECTED


def test_what_cancels_in_part_is_said_to_do_so():
    """A pitch that costs only where a tile begins has the tile's period too."""
    plain, padded = pair(np.random.default_rng(3), pitch=0.02, tiles=(WIDE,))
    starts = np.mod(-plain["N"].values, WIDE.n) > WIDE.n / 2
    plain["time"] = plain["time"] * np.where(starts, 1.02, 1.0)
    width = by_name(find_paired_periods(plain, padded, "N", WIDE, draws=499))["tile width"]
    assert width.status == DETECTED
    assert "was not changed, and cancels in part" in width.reason


def test_the_law_of_what_a_pair_removes():
    tiles = tuple(Tile.of(128, width, 64) for width in (96, 128, 160))
    plain, padded = pair(np.random.default_rng(4), pitch=0.02, tiles=tiles)
    found = compare_paired_laws(plain, padded, "N", draws=199)
    assert (found.law, found.status) == ("fixed", DETECTED)
    assert found.fixed_period == pytest.approx(64, rel=0.02)
    assert not found.note


@pytest.mark.parametrize("tile", ["256x128x64", "128x64x64", "64x64x64", "128x160x64", "128x96x64", "64x96x64"])
def test_the_bundled_pair_shows_the_pitch_of_every_tile(tile):
    plain, padded = (bundled_cube(f"h200_bf16_rows_{rows}") for rows in ("plain", "padded"))
    pitch = by_name(find_paired_periods(plain, padded, "N", Tile.parse(tile), draws=999))[
        "row pitch, line of 128 B"
    ]
    assert pitch.status == DETECTED
    assert pitch.period == pytest.approx(64, abs=0.3)


def test_cubes_that_are_no_pair():
    plain, padded = pair(np.random.default_rng(5))
    with pytest.raises(InputError, match="both cubes of the pair have pitch_multiple 1: nothing was changed"):
        paired_lines(plain, plain, "N", NARROW)
    with pytest.raises(InputError, match="the cube has pitch_multiple 64, without: 1; expected rows as they come"):
        paired_lines(padded, plain, "N", NARROW)
    with pytest.raises(InputError, match=r"differ in core_limit \(None, without: 66\); only pitch_multiple may"):
        paired_lines(plain, padded.assign_attrs(core_limit=66), "N", NARROW)
    other = bundled_cube("h200_bf16_rows_padded").assign_attrs(dtype="f16")
    with pytest.raises(InputError, match=r"differ in dtype \(bf16, without: f16\)"):
        paired_lines(plain, other, "N", NARROW)
    with pytest.raises(NotApplicableError, match="tile 128x160x64 is not in the cube without"):
        paired_lines(pair(np.random.default_rng(5), tiles=(WIDE,))[0], padded, "N", WIDE)
    elsewhere = padded.assign_coords(M=padded["M"] + 1)
    with pytest.raises(NotApplicableError, match="share no line along N of at least 12 sizes"):
        paired_lines(plain, elsewhere, "N", NARROW)
    with pytest.raises(NotApplicableError, match="in the cube without the mechanism, tile 128x64x64 has no line"):
        paired_lines(plain, padded.isel(sample=slice(0, 5)), "N", NARROW)
    with pytest.raises(InputError, match="take 199 or more"):
        find_paired_periods(plain, padded, "N", NARROW, draws=10)


def test_padding_that_takes_no_period_away():
    """Rows a multiple of 4 elements apart keep what a line of 64 elements does, and a vector of 8."""
    plain, padded = pair(np.random.default_rng(6))
    with pytest.raises(NotApplicableError, match="rows padded to 4 elements take no period away along N"):
        find_paired_periods(plain, padded.assign_attrs(pitch_multiple=4), "N", NARROW)
