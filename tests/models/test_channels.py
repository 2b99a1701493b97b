"""Efficiency of the memory channels: the paper's, and that of blocks of rows, against walking the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from models.channels import block_efficiency, channel_efficiency


def paper_eta(element, pitch, channels=6, interleave=256):
    """Section 9.2 of the paper, literally; for pitches of whole blocks."""
    start = (pitch * element // interleave) % channels
    starts = channels // np.gcd(start, channels)
    return min(channels, min(channels, element) * starts) / channels


@pytest.mark.parametrize("element", [2, 4])
def test_channel_efficiency_is_the_papers_on_whole_blocks(element):
    pitches = [n for n in range(128, 8193, 128) if n * element % 256 == 0]
    ours = channel_efficiency(element, pitches, 6, 256)
    np.testing.assert_allclose(ours, [paper_eta(element, n) for n in pitches])


def test_channel_efficiency_at_the_papers_points():
    """Items 11: B falls to 1/3 at multiples of 768 and 2/3 at 384 beside them, D to 2/3 at multiples of 384."""
    np.testing.assert_allclose(
        channel_efficiency(2, [768, 384, 1152, 4096, 4095], 6, 256), [1 / 3, 2 / 3, 2 / 3, 1, 1]
    )
    np.testing.assert_allclose(channel_efficiency(4, [384, 768, 4096], 6, 256), [2 / 3, 2 / 3, 1])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 4), st.integers(1, 5000), st.integers(1, 12), st.sampled_from([64, 256]))
def test_channel_efficiency_against_walking_the_rows(element, pitch, channels, interleave):
    turn = channels * interleave
    starts = {(row * pitch * element % turn) // interleave for row in range(turn)}
    expected = min(channels, min(channels, element) * len(starts)) / channels
    assert channel_efficiency(element, pitch, channels, interleave) == pytest.approx(expected)


pitches = st.lists(st.integers(1, 20_000), min_size=1, max_size=9)
blocks = st.tuples(st.integers(1, 40), st.integers(1, 600), st.integers(1, 12), st.sampled_from([64, 100, 256]))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(pitches, blocks)
def test_block_efficiency_against_counting_every_byte(pitches, block):
    rows, run, channels, interleave = block
    for pitch, found in zip(pitches, block_efficiency(pitches, *block), strict=True):
        addresses = pitch * np.arange(rows)[:, None] + np.arange(run)
        load = np.bincount((addresses // interleave % channels).ravel(), minlength=channels)
        assert found == pytest.approx(load.mean() / load.max())


def test_rows_a_few_bytes_off_a_turn_crowd_although_all_channels_are_reached():
    """3056 elements are 32 bytes less than a turn round 12 channels of 512 bytes."""
    assert channel_efficiency(2, 3056, 12, 512) == pytest.approx(1.0)
    assert block_efficiency(6112, 32, 256, 12, 512) < 0.3
    assert block_efficiency(6144, 32, 256, 12, 512) == pytest.approx(1 / 12)


def test_efficiencies_keep_the_shape_of_the_pitches():
    cube = np.arange(1, 25).reshape(2, 3, 4)
    assert block_efficiency(cube, 8, 64, 4, 64).shape == cube.shape
    assert block_efficiency(1536, 8, 256, 6, 256).shape == ()


@pytest.mark.parametrize("asked", [(0, [1], 6, 256), (2, [0], 6, 256), (2, [1], 0, 256), (2, [1], 6, 0)])
def test_sizes_below_one_are_refused(asked):
    with pytest.raises(InputError, match="at least 1"):
        channel_efficiency(*asked)


@pytest.mark.parametrize(
    "asked",
    [([0], 8, 64, 6, 256), ([1], 0, 64, 6, 256), ([1], 8, 0, 6, 256), ([1], 8, 64, 0, 256), ([1], 8, 64, 6, 0)],
)
def test_blocks_of_nothing_are_refused(asked):
    with pytest.raises(InputError, match="at least 1"):
        block_efficiency(*asked)
