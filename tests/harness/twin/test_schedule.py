"""The event loop against a slow simulator that keeps plain lists and looks at everything at every event."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.twin.schedule import makespan

NONE = np.empty(0)


class Resident:
    def __init__(self, index, begins, left):
        self.index, self.begins, self.left = index, begins, left


def reference(wait, work, loads, speed, residents, solo_rate, power):
    """End of every work-group; each step advances all cores to the next event of any."""
    cores = [[] for _ in speed]
    ends, queue = np.full(len(work), np.nan), list(range(len(work)))
    now = 0.0

    def hand_out():
        while queue and min(map(len, cores)) < residents:
            index = queue.pop(0)
            core = min(range(len(cores)), key=lambda c: len(cores[c]))
            computing, moving = work[index], loads[index] * speed[core]
            need = (computing**power + moving**power) ** (1 / power)
            cores[core].append(Resident(index, now + wait[index], need))

    hand_out()
    while np.isnan(ends).any():
        rates = []
        for core, members in enumerate(cores):
            active = sum(1 for r in members if r.begins <= now)
            rates.append(speed[core] * min(solo_rate, 1.0 / active) if active else 0.0)
        steps = [
            (r.begins - now if r.begins > now else r.left / rates[core])
            for core, members in enumerate(cores)
            for r in members
        ]
        step = min(steps)
        before, now = now, now + step
        for core, members in enumerate(cores):
            for r in list(members):
                if r.begins <= before:
                    r.left -= rates[core] * step
                elif r.begins <= now * (1 + 1e-13):
                    r.begins = now
            for r in list(members):
                if r.begins <= before and r.left <= 1e-12:
                    ends[r.index] = now
                    members.remove(r)
        hand_out()
    return ends


def run(wait, work, loads, speed, residents, solo_rate, power=1.0):
    ends = np.full(len(work), np.nan)
    last = makespan(wait, work, loads, len(work), speed, residents, solo_rate, power, ends)
    assert last == ends.max()
    return ends


def last_end(work, cores, residents, wait=0.0, solo_rate=1.0):
    """Of work-groups that move no bytes, on cores that are equally fast."""
    work = np.array(work)
    waits, loads = np.full(work.size, wait), np.zeros(work.size)
    return makespan(waits, work, loads, work.size, np.ones(cores), residents, solo_rate, 1.0, NONE)


@pytest.mark.parametrize("residents", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 3, 20, 57])
def test_the_event_loop_is_the_slow_simulator(residents, count):
    rng = np.random.default_rng(100 * residents + count)
    wait, work, loads = rng.uniform(0.01, 0.5, count), rng.uniform(0.5, 2.0, count), rng.uniform(0.0, 2.0, count)
    speed = rng.uniform(0.8, 1.0, 5)
    solo_rate = {1: 0.9, 2: 0.7, 4: 0.4}[residents]
    found = run(wait, work, loads, speed, residents, solo_rate, 6.0)
    np.testing.assert_allclose(found, reference(wait, work, loads, speed, residents, solo_rate, 6.0), rtol=1e-9)


@pytest.mark.parametrize("residents", [1, 4])
def test_cores_that_wait_for_memory_stay_in_step(residents):
    """However fast they are: what takes as long on a core of rate 1 takes no longer on a slow one."""
    ends = run(
        np.zeros(12), np.full(12, 1e-6), np.ones(12), np.linspace(0.7, 1.0, 12 // residents), residents, 1.0, 6
    )
    np.testing.assert_allclose(ends, float(residents), rtol=1e-5)


@pytest.mark.parametrize(("apart", "shared"), [(0.5e-9, True), (20e-9, False)])
def test_slots_that_are_free_within_a_nanosecond_are_free_together(apart, shared):
    """Two cores of two, all slots taken, then two more: one to each core, or both to the one that is free first."""
    work = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 0.5]) * 1e-6
    wait = np.array([0.0, apart, 0.0, apart, 0.0, 0.0])
    ends = run(wait, work, np.zeros(6), np.ones(2), 2, 1.0)
    assert ends[4:].max() - ends[0] == pytest.approx(0.5e-6 if shared else 1e-6, abs=3e-9)


@pytest.mark.parametrize(("apart", "end"), [(0.5e-9, 3e-6), (20e-9, 2e-6)])
def test_of_cores_that_are_free_together_the_lowest_comes_first(apart, end):
    """One resident each: the slow core has the lower index and is done a little later."""
    ends = run(
        np.array([apart, 0.0, 0.0]), np.array([0.5, 1.0, 1.0]) * 1e-6, np.zeros(3), np.array([0.5, 1.0]), 1, 1.0
    )
    assert ends[2] == pytest.approx(end, rel=1e-2)


def test_one_work_group_runs_at_its_own_rate():
    assert last_end([2.0], 20, 4, wait=0.5, solo_rate=0.4) == pytest.approx(5.5)


def test_residents_share_one_core():
    """Four alike on one core: alone each would use 0.4 of it, together 0.25."""
    ends = run(np.zeros(4), np.ones(4), np.zeros(4), np.ones(1), 4, 0.4)
    np.testing.assert_allclose(ends, 4.0)


def test_work_groups_spread_over_all_cores():
    assert last_end(np.ones(20), 20, 4) == pytest.approx(1.0)
    assert last_end(np.ones(21), 20, 4) == pytest.approx(2.0)
    # After a full wave, all of whose work-groups end together, the rest has a core each again.
    assert last_end(np.ones(100), 20, 4) == pytest.approx(5.0)


durations = st.lists(st.floats(0.01, 5.0), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(durations, st.sampled_from([1, 2, 4]), st.integers(1, 7))
def test_no_schedule_beats_its_bounds(work, residents, cores):
    work = np.array(work)
    last = last_end(work, cores, residents, solo_rate=0.8)
    assert last >= max(work.sum() / cores, work.max() / 0.8) * (1 - 1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(durations, st.integers(1, 7), st.data())
def test_more_work_never_ends_sooner_on_equal_unshared_cores(work, cores, data):
    """List scheduling of independent work on equal machines has no anomalies."""
    work = np.array(work)
    more = work.copy()
    more[data.draw(st.integers(0, work.size - 1))] += data.draw(st.floats(0.0, 5.0))
    first, second = (last_end(w, cores, 1) for w in (work, more))
    assert second >= first * (1 - 1e-12)
