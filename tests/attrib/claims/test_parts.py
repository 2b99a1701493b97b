"""The pieces: smooth is not rugged, blocks stand apart, replayed plans take what was planned."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrib.attribution import FLOOR, NOISE, UNEXPLAINED, Attribution, Share
from attrib.claims import Evidence
from attrib.claims.evidence import set_apart
from attrib.claims.no_fixed_period import contrast
from attrib.claims.no_interaction import apart
from attrib.claims.one_tile_does_not_suffice import chosen_gain
from attrib.claims.padding_leaves_slow_paths import fullest
from attrib.claims.replay import replay
from attrib.claims.residual_is_hardware import of_attribution
from attrib.claims.ruggedness import misfit
from attrib.landscape import Landscape
from attrib.periods import Line
from attrib.stages import BestTile, Pad, Split
from harness.errors import NotApplicableError
from harness.tile import Tile

SIZES = np.array([96, 128, 200, 256, 300, 512, 513, 640])


@pytest.mark.parametrize("axis", ["M", "N", "K"])
def test_a_cubic_in_log_size_is_smooth(axis):
    x = np.log(SIZES)
    shape = {"M": (-1, 1, 1), "N": (1, -1, 1), "K": (1, 1, -1)}[axis]
    cubic = (2.0 - x + 0.3 * x**2 - 0.05 * x**3).reshape(shape) + np.zeros((2, 8, 8, 8))
    out = misfit(cubic, SIZES, axis)
    place = {"M": 1, "N": 2, "K": 3}[axis]
    inner = np.moveaxis(out, place, 0)
    assert np.abs(inner[2:-2]).max() < 1e-9
    assert np.isnan(inner[:2]).all()
    assert np.isnan(inner[-2:]).all()


def test_a_spike_stands_out_by_its_height():
    flat = np.zeros((1, 9, 1))
    flat[0, 4, 0] = 0.2
    assert misfit(flat, np.arange(1, 10) * 128, "N")[0, 4, 0] == pytest.approx(0.2)
    with pytest.raises(NotApplicableError, match="five are needed"):
        misfit(flat[:, :4], np.arange(1, 5), "N")


def test_blocks_stand_apart():
    blocks = np.add.outer(2 * (np.arange(8) // 4), np.arange(6) // 3)
    out = set_apart(blocks)
    kept = out >= 0
    assert (out[kept] == blocks[kept]).all()
    for axis in (0, 1):
        lead, labels = np.moveaxis(kept, axis, 0), np.moveaxis(out, axis, 0)
        both = lead[1:] & lead[:-1]
        assert (labels[1:][both] == labels[:-1][both]).all()
    assert kept.sum() == 6 * 4
    assert set(np.unique(out)) == {-1, 0, 1, 2, 3}


def slow_replay(decisions, time, cell):
    return sum(time[launch.tile][launch.padded] for launch in decisions.launches(*cell))


@given(st.integers(0, 2**31))
@settings(max_examples=10)
def test_replay_is_the_sum_of_the_launches(seed):
    rng = np.random.default_rng(seed)
    shape = (2, 4, 3, 5)
    first, second = rng.uniform(1, 9, shape), rng.uniform(1, 9, shape)
    first[rng.random(shape) < 0.1] = np.nan
    axes = [128 * np.arange(1, size + 1) for size in shape[1:]]
    tiles = (Tile.parse("128x128x32"), Tile.parse("64x64x32"))
    plan = Split(Pad(BestTile())).apply(Landscape(first, tiles, *axes))
    assert replay(plan.decisions, first) == pytest.approx(plan.time, nan_ok=True)
    other = replay(plan.decisions, second)
    for cell in np.ndindex(shape[1:]):
        if np.isnan(plan.time[cell]):
            assert np.isnan(other[cell])
        else:
            assert other[cell] == pytest.approx(slow_replay(plan.decisions, second, cell))


def test_choice_is_judged_by_what_it_has_not_seen():
    learn, judge = np.log([[3.0, 1.0], [2.0, 2.0]]), np.log([[1.0, 4.0], [2.0, 8.0]])
    assert np.exp(chosen_gain(learn, judge, 0)) == pytest.approx([1.0, 2.0])


def test_fullest_size_has_as_many_tiles():
    sizes = np.array([128, 256, 384, 512, 640])
    assert fullest(sizes, 256).tolist() == [1, 1, 3, 3, 4]
    assert fullest(sizes, 128).tolist() == [0, 1, 2, 3, 4]


def test_contrast_stays_within_a_tooth():
    x = np.arange(16, 513, 16)
    y = 0.1 * (x % 64 == 0) + 0.04 * (x % 32 == 0) - 0.3 * np.ceil(x / 128)
    line = Line("N", Tile.parse("128x128x32"), x, y, {"M": 1024, "K": 1024})
    value, at = contrast(line, 64, 128, [])
    assert at.tolist() == [64, 192, 320, 448]
    assert value == pytest.approx(0.14)
    value, at = contrast(line, 32, 128, [64])
    assert at.tolist() == [32, 96, 160, 224, 288, 352, 416, 480]
    assert value == pytest.approx(0.04)
    assert contrast(line, 64, 0, [])[0].size == 0


def test_interaction_of_an_additive_part_is_none():
    rng = np.random.default_rng(0)
    columns = np.broadcast_to(rng.normal(size=(1, 1, 7, 2)), (1, 5, 7, 2))
    assert np.abs(apart(columns)).max() < 1e-12
    noise = rng.normal(size=(1, 400, 50, 1))
    assert np.mean(apart(noise[:, :4]) ** 2) == pytest.approx(np.mean(noise[:, :4] ** 2), rel=0.35)
    assert np.mean([np.mean(apart(noise[:, i : i + 4]) ** 2) for i in range(0, 400, 4)]) == pytest.approx(
        1, abs=0.05
    )


def test_shares_of_hardware_are_summed_with_their_joint_draws():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.5, 4000)
    samples = {"wave quantization": 3.0 + shared, "base overhead": -1.0 - shared, FLOOR: np.full(4000, 0.5)}
    shares = {name: Share(float(values.mean())) for name, values in samples.items()}
    shares |= {"masked edge": Share(2.0), UNEXPLAINED: Share(0.5), NOISE: Share(0.0)}
    whole = sum(share.share for share in shares.values())
    none = dict.fromkeys(shares, 0.0)
    given = Attribution("s", "slice_N", "TFLOP/s per step", whole, shares, whole, 1.0, 0.0, 4000, samples, none)
    found = of_attribution(given)
    # The two err against each other: only their joint draws tell that the sum is certain.
    assert found.value == pytest.approx(0.5, abs=0.01)
    assert found.upper - found.lower < 1e-6
    off = of_attribution(replace(given, too_large={**none, "base overhead": 0.6 * whole, "masked edge": whole}))
    assert off.lower == pytest.approx(found.lower - 0.6)  # of the hardware's shares alone
    assert off.upper == found.upper
    alone = Attribution("s", "slice_N", "TFLOP/s per step", whole, shares, whole, 1.0, 0.0, 0, {}, none)
    assert of_attribution(alone).lower is None


def test_halves_hold_the_same_landscape(drawn):
    evidence = drawn.only_noise(np.random.default_rng(0))
    first, second = evidence.halves
    assert np.std(first - second) == pytest.approx(np.sqrt(2.0) * drawn.NOISE, rel=0.05)
    assert np.abs(0.5 * (first + second) - evidence.log_rate).max() < 1e-4


def test_cores_are_those_of_the_record_without_a_fit(drawn):
    evidence = drawn.only_noise(np.random.default_rng(0))
    assert evidence.cores == 20
    assert isinstance(evidence, Evidence)
