"""Chains of work-groups against the simulator's events, on cores that share their time in the same way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.twin.schedule import makespan
from models.critical_chain import core_rates, critical_chains

CORES = 7
sizes = st.integers(1, 12)
parts = st.floats(0.05, 1.0)
delays = st.floats(0.0, 3.0)


def chain_of(tiles_m, tiles_n, along_n, lengths, late, levels, rates, memory=0.0, together=1, inside=1.0):
    found = np.full((1, levels.size + 6), np.nan)
    critical_chains(
        np.array([[tiles_m, tiles_n, along_n]]),
        np.array([lengths]),
        np.array([inside]),
        np.array([late]),
        levels,
        rates,
        np.array([memory]),
        np.array([together]),
        found,
    )
    return found[0]


def by_events(tiles_m, tiles_n, along_n, lengths, late, solo_rate, residents, rates, memory=0.0, inside=1.0):
    """Work-groups listed in raster order and handed to the simulator; the computing of a full wave takes 1."""
    raster = [(i, j) for i in range(tiles_m) for j in range(tiles_n)]
    if not along_n:
        raster.sort(key=lambda at: (at[1], at[0]))
    work, wait = [], []
    for i, j in raster:
        in_m, in_n = i == tiles_m - 1, j == tiles_n - 1
        work.append((lengths[0] if in_m else 1.0) * (lengths[1] if in_n else 1.0))
        wait.append(late[1] * in_m + late[0] * in_n + late[2] * (in_m and in_n))
    work = np.array(work) / max(1.0 / solo_rate, residents)
    bytes_of = np.array([inside if (i == tiles_m - 1 if along_n else j == tiles_n - 1) else 1.0 for i, j in raster])
    loads, slots = np.empty(work.size), rates.size * residents
    for first in range(0, work.size, slots):
        together = min(slots, work.size - first)
        side_by_side = min(residents, -(-together // rates.size))
        share = bytes_of[first : first + slots].sum() / bytes_of.sum() * work.size / slots
        loads[first : first + slots] = memory * share / max(float(side_by_side), 1.0 / solo_rate)
    return makespan(np.array(wait), work, loads, work.size, rates, residents, solo_rate, 4000.0, np.empty(0))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    sizes,
    sizes,
    st.booleans(),
    st.tuples(parts, parts),
    st.tuples(delays, delays, delays),
    st.sampled_from([(1, 1.0), (2, 0.7), (3, 1.0), (4, 0.3)]),
    st.sampled_from([0.0, 0.03, 0.2]),
)
def test_a_chain_lasts_as_long_as_its_launch(tiles_m, tiles_n, along_n, lengths, late, kind, spread):
    residents, solo_rate = kind
    levels = np.maximum(1.0 / solo_rate, np.arange(1.0, residents + 1.0))
    levels /= levels[-1]
    rates = core_rates(CORES, spread)
    chain = chain_of(tiles_m, tiles_n, along_n, lengths, late, levels, rates)
    slow = by_events(tiles_m, tiles_n, along_n, lengths, late, solo_rate, residents, rates)
    delayed = chain[residents : residents + 3]
    assert chain[:residents] @ levels + delayed @ np.array(late) == pytest.approx(slow, rel=1e-9)
    # Late work-groups are counted whole, and a corner is one of either edge.
    np.testing.assert_allclose(delayed, np.round(delayed))
    assert chain[residents + 2] <= chain[residents : residents + 2].min()


def test_launches_followed_together_are_those_followed_alone():
    """Nothing of one is left for the next, shorter or longer, with fewer cores than a power of two."""
    rng = np.random.default_rng(8)
    count, levels, rates = 40, np.array([0.5, 0.8, 1.0]), core_rates(CORES, 0.1)
    tiles = np.stack([rng.integers(1, 13, count), rng.integers(1, 13, count), rng.integers(0, 2, count)], axis=1)
    lengths, inside = rng.uniform(0.1, 1.0, (count, 2)), rng.uniform(0.1, 1.0, count)
    late = rng.uniform(0.0, 2.0, (count, 3)) * (rng.random((count, 3)) < 0.5)
    memory, end_together = rng.choice([0.0, 0.9, 3.0], count), rng.integers(1, CORES + 1, count)
    together, alone = np.full((2, count, levels.size + 6), np.nan)
    critical_chains(tiles, lengths, inside, late, levels, rates, memory, end_together, together)
    for row in (slice(each, each + 1) for each in range(count)):
        one = (part[row] for part in (tiles, lengths, inside, late))
        critical_chains(*one, levels, rates, memory[row], end_together[row], alone[row])
    np.testing.assert_array_equal(together, alone)


def test_rates_are_one_on_average_and_spread_evenly():
    rates = core_rates(20, 0.1)
    assert rates.mean() == pytest.approx(1.0)
    assert rates.min() / rates.max() == pytest.approx(0.9)
    np.testing.assert_allclose(np.diff(np.sort(rates)), np.diff(np.sort(rates))[0])
    assert not (np.diff(rates) < 0).all()
    np.testing.assert_array_equal(core_rates(5, 0.0), 1.0)


def test_the_last_work_group_of_one_wave_is_the_late_one():
    chain = chain_of(2, 3, False, (1.0, 1.0), (0.5, 0.25, 0.125), np.ones(1), np.ones(CORES))
    np.testing.assert_allclose(chain[:4], [1, 1, 1, 1])


def test_a_delay_in_an_early_wave_counts_where_its_core_ends_last():
    """One core: every work-group is in the chain, the late ones with it."""
    chain = chain_of(3, 4, False, (0.5, 0.5), (0.5, 0.25, 0.0), np.ones(1), np.ones(1))
    np.testing.assert_allclose(chain[:4], [6 + 2 * 0.5 + 3 * 0.5 + 0.25, 3, 4, 1])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    sizes,
    sizes,
    st.booleans(),
    st.tuples(parts, parts),
    st.tuples(delays, delays, delays),
    st.sampled_from([(1, 1.0), (2, 0.7), (3, 1.0), (4, 0.3)]),
    parts,
)
def test_a_chain_of_work_groups_that_wait_for_memory(tiles_m, tiles_n, along_n, lengths, late, kind, inside):
    """So many bytes that none computes as long, not even the last one of a launch alone, half outside."""
    residents, solo_rate = kind
    memory = 1000.0
    levels = np.maximum(1.0 / solo_rate, np.arange(1.0, residents + 1.0))
    levels /= levels[-1]
    rates = core_rates(CORES, 0.0)
    late = tuple(memory * each for each in late)
    chain = chain_of(tiles_m, tiles_n, along_n, lengths, late, levels, rates, memory, CORES, inside)
    slow = by_events(tiles_m, tiles_n, along_n, lengths, late, solo_rate, residents, rates, memory, inside)
    of_bytes = chain[-3] * memory * tiles_m * tiles_n / (CORES * residents)
    assert of_bytes + chain[residents : residents + 3] @ np.array(late) == pytest.approx(slow, rel=1e-3)


@pytest.mark.parametrize(("together", "expected"), [(2, 0.5), (1, 1.0)])
def test_cores_in_step_share_the_last_work_groups_evenly(together, expected):
    """On two cores of two: of eight work-groups the last four fill both; of six the last two go to one or both."""
    levels, rates, late = np.array([0.5, 1.0]), core_rates(2, 0.1), (0.0, 0.0, 0.0)
    for count, last in ((8, 1.0), (6, expected)):
        # A wave of two work-groups has half the bytes of one of four.
        chain = chain_of(count, 1, False, (1.0, 1.0), late, levels, rates, 50.0, together)
        waited = chain[-3] * count / 4
        assert waited == pytest.approx(1.0 + last, rel=1e-4)
        assert chain[-1] == pytest.approx(last / (1.0 + last), rel=1e-4)


@pytest.mark.parametrize(
    ("left", "together", "side_by_side"), [(2, 1, 2), (2, 2, 1), (3, 2, 2), (4, 3, 2), (3, 3, 1)]
)
def test_those_that_end_together_take_the_last_work_groups_one_each(left, together, side_by_side):
    """Seven cores of two, some of which end at once: what is left goes to each of them in turn, and round again."""
    levels, rates = np.array([0.5, 1.0]), core_rates(CORES, 0.1)
    chain = chain_of(14 + left, 1, False, (1.0, 1.0), (0.0, 0.0, 0.0), levels, rates, 50.0, together)
    # Bytes of work-groups that were handed out with fewer than two a core come as fast as one a core needs them.
    each = left / 14 / levels[0]
    assert chain[-3] * (14 + left) / 14 == pytest.approx(1.0 + each * levels[side_by_side - 1], rel=1e-4)


def test_work_groups_handed_out_last_have_their_own_shares():
    """Four cores of two: of ten work-groups two are left, one to a core, which last as long as waves of one do."""
    levels, late = np.array([0.6, 1.0]), (0.0, 0.0, 0.0)
    chain = chain_of(10, 1, False, (1.0, 1.0), late, levels, np.ones(4))
    np.testing.assert_allclose(chain[:2], [1.0, 1.0])
    assert chain[-2] == pytest.approx(0.6 / 1.6)
    # On a core slow enough those of the first wave end last: none that came after them is in the chain.
    chain = chain_of(10, 1, False, (1.0, 1.0), late, levels, np.array([1.0, 1.0, 1.0, 0.2]))
    assert chain[-2] == chain[-1] == 0.0
    # Of one wave all are handed out last.
    chain = chain_of(6, 1, False, (1.0, 1.0), late, levels, np.ones(4), 20.0)
    np.testing.assert_allclose(chain[-2:], 1.0)
