"""Channels and interleave, profiled in pairs."""

import numpy as np
import pytest

from harness.grid import Grid
from harness.twin import B580, Twin, twin_record
from models.additive import AdditiveModel
from models.constants.channel_pairs import PAIRS, profile_channels
from models.terms import ALL_TERMS


def profiled(data, hardware, seed=0):
    n_blocks = max(int(item.blocks.max()) for item in data.values()) + 1
    return profile_channels(data, hardware, ALL_TERMS, n_blocks, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def pitched():
    """Shapes whose rows are odd and even multiples of 64 to 4096 B."""
    rng = np.random.default_rng(3)
    power = 32 << rng.integers(0, 7, (500, 2))
    pitch = np.minimum((2 * rng.integers(0, 24, (500, 2)) + 1) * power, 4096)
    return np.column_stack([128 * rng.integers(1, 25, 500), pitch])


@pytest.mark.parametrize(("channels", "interleave"), [(6, 256), (8, 512), (12, 1024)])
def test_a_planted_pair_is_recovered(landscape, hardware, pitched, channels, interleave):
    data = landscape(pitched, byte=3e-12, channels=channels, interleave=interleave)
    pair = profiled(data, hardware)
    assert pair.identified
    assert channels in pair.channels.values
    assert interleave in pair.interleave.values
    same = [pair.pair, *pair.aliases]
    assert (channels, interleave) in same
    assert pair.channels.profile.tenable[PAIRS.index((channels, interleave))]


def test_pairs_of_one_column_are_aliases_and_named(landscape, hardware, pitched):
    """On pitches of whole kilobytes, rows start on as many of 5 channels whatever their interleave."""
    coarse = np.column_stack([pitched[:, 0], 512 * (1 + pitched[:, 1:] // 512)])
    pair = profiled(landscape(coarse, byte=3e-12, channels=5, interleave=512), hardware)
    assert {(5, 512), (5, 1024)} <= {pair.pair, *pair.aliases}
    assert all(f"{c} x {i} B" in pair.channels.note for c, i in pair.aliases)
    profile = pair.channels.profile
    best = profile.criterion[PAIRS.index(pair.pair)]
    for alias in pair.aliases:
        assert profile.criterion[PAIRS.index(alias)] == pytest.approx(best)
        assert profile.tenable[PAIRS.index(alias)] == profile.tenable[PAIRS.index(pair.pair)]


def test_no_pair_is_found_where_channels_cost_nothing(landscape, hardware, pitched):
    found = [profiled(landscape(pitched, seed=seed), hardware, seed) for seed in range(12)]
    assert sum(pair.identified for pair in found) <= 1
    for pair in found:
        if not pair.identified:
            assert pair.channels.status.startswith("not identifiable on this grid: ")
            assert pair.channels.remedy


@pytest.fixture(scope="module")
def simulated():
    """A chip whose memory hides behind computing, under a device record that states other channels."""
    chip = B580.replaced({"cores": 16, "channels": 8, "interleave_bytes": 256, "cache_bytes": 8e6})
    twin = Twin(chip)
    cube = twin.landscape(Grid.parse("128:4096:128;128:4096:128;1024:4096:1024"), tiles=twin.tiles[:3])
    return AdditiveModel(draws=0).fit(cube.assign_attrs(device=twin_record().to_json()))


def test_a_pair_of_channels_that_computing_hides_most_of_the_time_is_told(simulated):
    """A sum sees the pitches with the fewest channels alone, which are those of another pair."""
    constants = simulated.tiles["256x256x32"].constants
    assert constants["channels"].identified
    assert 8.0 in constants["channels"].values
    assert 256.0 in constants["interleave_bytes"].values


def test_a_record_that_timings_refute_is_not_followed_and_said_to_be_so(simulated):
    found = simulated.tiles["256x256x32"].constants["channels"]
    pair = simulated.hardware.channels, simulated.hardware.interleave_bytes
    assert pair == (found.estimate, simulated.tiles["256x256x32"].constants["interleave_bytes"].estimate)
    assert pair != (6, 256)
    assert "the device record says 6 x 256 B, which these timings refute" in found.note


def test_what_is_no_candidate_cannot_be_refuted(landscape, hardware, pitched):
    pair = profiled(landscape(pitched, byte=3e-12, channels=6, interleave=256), hardware)
    assert not pair.refutes(None, None)
    assert not pair.refutes(80, 4096)
    assert not pair.refutes(6, 256)
    assert pair.refutes(8, 4096)
