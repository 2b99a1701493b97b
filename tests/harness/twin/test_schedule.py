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


def reference(wait, work, speed, residents, solo_rate):
    """End of every work-group; each step advances all cores to the next event of any."""
    cores = [[] for _ in speed]
    ends, queue = np.full(len(work), np.nan), list(range(len(work)))
    now = 0.0

    def hand_out():
        while queue and min(map(len, cores)) < residents:
            index = queue.pop(0)
            min(cores, key=len).append(Resident(index, now + wait[index], work[index]))

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


def run(wait, work, speed, residents, solo_rate):
    ends = np.full(len(work), np.nan)
    last = makespan(wait, work, len(work), speed, residents, solo_rate, ends)
    assert last == ends.max()
    return ends


@pytest.mark.parametrize("residents", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 3, 20, 57])
def test_the_event_loop_is_the_slow_simulator(residents, count):
    rng = np.random.default_rng(100 * residents + count)
    wait, work = rng.uniform(0.01, 0.5, count), rng.uniform(0.5, 2.0, count)
    speed = rng.uniform(0.8, 1.0, 5)
    solo_rate = {1: 0.9, 2: 0.7, 4: 0.4}[residents]
    found = run(wait, work, speed, residents, solo_rate)
    np.testing.assert_allclose(found, reference(wait, work, speed, residents, solo_rate), rtol=1e-9)


def test_one_work_group_runs_at_its_own_rate():
    assert makespan(np.array([0.5]), np.array([2.0]), 1, np.ones(20), 4, 0.4, NONE) == pytest.approx(5.5)


def test_residents_share_one_core():
    """Four alike on one core: alone each would use 0.4 of it, together 0.25."""
    ends = run(np.zeros(4), np.ones(4), np.ones(1), 4, 0.4)
    np.testing.assert_allclose(ends, 4.0)


def test_work_groups_spread_over_all_cores():
    assert makespan(np.zeros(20), np.ones(20), 20, np.ones(20), 4, 1.0, NONE) == pytest.approx(1.0)
    assert makespan(np.zeros(21), np.ones(21), 21, np.ones(20), 4, 1.0, NONE) == pytest.approx(2.0)
    # After a full wave, all of whose work-groups end together, the rest has a core each again.
    assert makespan(np.zeros(100), np.ones(100), 100, np.ones(20), 4, 1.0, NONE) == pytest.approx(5.0)


durations = st.lists(st.floats(0.01, 5.0), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(durations, st.sampled_from([1, 2, 4]), st.integers(1, 7))
def test_no_schedule_beats_its_bounds(work, residents, cores):
    work = np.array(work)
    last = makespan(np.zeros(work.size), work, work.size, np.ones(cores), residents, 0.8, NONE)
    assert last >= max(work.sum() / cores, work.max() / 0.8) * (1 - 1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(durations, st.integers(1, 7), st.data())
def test_more_work_never_ends_sooner_on_equal_unshared_cores(work, cores, data):
    """List scheduling of independent work on equal machines has no anomalies."""
    work = np.array(work)
    more = work.copy()
    more[data.draw(st.integers(0, work.size - 1))] += data.draw(st.floats(0.0, 5.0))
    first, second = (makespan(np.zeros(w.size), w, w.size, np.ones(cores), 1, 1.0, NONE) for w in (work, more))
    assert second >= first * (1 - 1e-12)
