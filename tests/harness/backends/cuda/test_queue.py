"""The held queue on a stand-in for CUDA: a stream that runs what it is given one after another."""

import itertools
from time import sleep

import numpy as np
import pytest

from harness.backends.cuda.queue import GROUP_COMMANDS, LONGEST_SERIES, CudaQueue
from harness.errors import BackendError


@pytest.fixture
def torch(stand_in_torch):
    return stand_in_torch


def kernel(torch, seconds):
    return lambda: torch.cuda.stream.run(seconds)


def test_the_events_are_calibrated(torch):
    """An event that is recorded after a kernel delays the stream: one of the pair lies inside the series."""
    assert CudaQueue(torch).statistics.event_overhead_s == pytest.approx(torch.cuda.event_s, rel=1e-3)


@pytest.mark.parametrize("count", [1, 2, 16])
def test_a_short_kernel_is_timed_truly(torch, count):
    queue = CudaQueue(torch)
    seconds = [1e-6, 3e-6, 40e-6]
    found = queue.time([kernel(torch, s) for s in seconds], np.full(3, count))
    np.testing.assert_allclose(found, seconds, rtol=1e-3)


def test_many_launches_are_cut_into_groups_that_fit_the_queue(torch):
    queue = CudaQueue(torch)
    launched = torch.cuda.stream.launched
    found = queue.time([kernel(torch, 2e-6)] * 300, np.full(300, 4))
    np.testing.assert_allclose(found, 2e-6, rtol=1e-3)
    # A warm launch, four timed ones and two events a cell.
    groups = queue.statistics.groups
    assert groups - queue.statistics.repeated == int(np.ceil(300 / (GROUP_COMMANDS // 7)))
    if not queue.statistics.repeated:
        assert 300 * 7 + groups <= torch.cuda.stream.launched - launched <= 300 * 7 + 2 * groups


def test_a_busy_gpu_is_not_held(torch):
    """Where kernels last longer than their launches cost, the groups before are all the hold that is needed."""
    queue = CudaQueue(torch)
    seconds = np.full(400, 60e-6)
    walls = []
    for _ in range(3):  # the best of three: the machine has other work too
        before = queue.statistics.wall_s
        found = queue.time([kernel(torch, 60e-6)] * 400, np.full(400, 2), seconds)
        walls.append(queue.statistics.wall_s - before)
        np.testing.assert_allclose(found, seconds, rtol=1e-3)
    work = 400 * 3 * 60e-6
    assert queue.statistics.kernel_s == pytest.approx(3 * work, rel=1e-3)
    assert queue.statistics.held_s < 0.1 * 3 * work
    assert min(walls) < 1.3 * work


def test_exaggerated_expectations_are_found_out(torch):
    """Told that short kernels are long, the queue falls behind, notices, and measures again."""
    queue = CudaQueue(torch)

    def launch():
        sleep(5e-6)
        torch.cuda.stream.run(1e-6)

    # The first call learns what a launch costs.
    queue.time([launch] * 100, np.full(100, 2))
    repeated = queue.statistics.repeated
    found = queue.time([launch] * 400, np.full(400, 2), np.full(400, 1e-2))
    np.testing.assert_allclose(found, 1e-6, rtol=1e-3)
    assert queue.statistics.repeated > repeated


def test_a_group_that_the_cpu_fell_behind_on_is_measured_again(torch):
    queue = CudaQueue(torch)
    delays = itertools.chain([0.02, 0.0], itertools.repeat(0.0))

    def slow_once():
        sleep(next(delays))
        torch.cuda.stream.run(5e-6)

    found = queue.time([slow_once, kernel(torch, 5e-6)], np.array([2, 2]))
    np.testing.assert_allclose(found, 5e-6, rtol=1e-3)
    assert queue.statistics.repeated >= 1


def test_a_host_that_never_keeps_up_is_reported(torch, monkeypatch):
    queue = CudaQueue(torch)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda _: None)
    with pytest.raises(BackendError, match="fell behind"):
        queue.time([lambda: sleep(1e-3)], np.array([1]))


def test_launchers_are_made_while_others_run(torch):
    """A sequence that makes its launchers is asked for one group at a time."""
    queue = CudaQueue(torch)
    pending = []

    class Lazy(list):
        def __getitem__(self, row):
            pending.append(torch.cuda.stream.launched)
            return super().__getitem__(row)

    queue.time(Lazy([kernel(torch, 20e-6)] * 200), np.full(200, 2))
    assert len(set(pending)) == queue.statistics.groups


class Cache:
    """A kernel that is faster when the one before it was the same, and what displaces it."""

    def __init__(self, torch):
        self.torch = torch
        self.last = None
        self.displaced = 0

    def kernel(self, name, warm, cold):
        def launch():
            self.torch.cuda.stream.run(warm if self.last == name else cold)
            self.last = name

        return launch

    def displace(self):
        self.torch.cuda.stream.run(30e-6)
        self.last = None
        self.displaced += 1


def test_warm_and_cold(torch):
    cache = Cache(torch)
    queue = CudaQueue(torch, 0, cache.displace, 20e-6)
    launches = [cache.kernel("a", 2e-6, 7e-6), cache.kernel("b", 3e-6, 9e-6)] * 20
    counts = np.tile([1, 3], 20)
    warm = queue.time(launches, counts)
    assert cache.displaced == 0
    np.testing.assert_allclose(warm, [2e-6, 3e-6] * 20, rtol=1e-3)
    np.testing.assert_allclose(queue.time(launches, counts, warm, cold=True), [7e-6, 9e-6] * 20, rtol=1e-3)
    assert cache.displaced >= counts.sum()


def test_cold_needs_a_displacer(torch):
    with pytest.raises(BackendError, match="displace"):
        CudaQueue(torch).time([kernel(torch, 1e-6)], np.array([1]), cold=True)


def test_a_series_beyond_the_queue_is_refused(torch):
    queue = CudaQueue(torch)
    with pytest.raises(BackendError, match=f"at most {LONGEST_SERIES}"):
        queue.time([kernel(torch, 1e-6)], np.array([LONGEST_SERIES + 1]))
    found = queue.time([kernel(torch, 1e-6)], np.array([LONGEST_SERIES]))
    np.testing.assert_allclose(found, 1e-6, rtol=1e-3)


def test_everything_runs_on_the_chosen_device(torch):
    queue = CudaQueue(torch, device=1)
    queue.time([kernel(torch, 1e-6)], np.array([3]))
    assert torch.cuda.streams[0].launched == 0
    assert torch.cuda.streams[1].launched > 0
    assert torch.cuda.index == 0


def test_nothing_to_time(torch):
    assert CudaQueue(torch).time([], np.array([], dtype=np.int64)).size == 0
