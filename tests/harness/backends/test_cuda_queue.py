"""The held queue on a stand-in for CUDA: a stream that runs what it is given one after another."""

import itertools
from time import perf_counter, sleep

import numpy as np
import pytest

from harness.backends.cuda_queue import CudaQueue
from harness.errors import BackendError

CLOCK_HZ = 1.0e9
EVENT_S = 1.0e-6  # what one event adds to its stream


class Stream:
    """Keeps the time at which all work so far is done, in seconds of the CPU's clock."""

    def __init__(self):
        self.done = perf_counter()
        self.launched = 0

    def run(self, seconds):
        self.done = max(self.done, perf_counter()) + seconds
        self.launched += 1


class Cuda:
    """As much of ``torch.cuda`` as the queue uses."""

    def __init__(self):
        stream = self.stream = Stream()

        class Event:
            def __init__(self, enable_timing=False):
                self.timing = enable_timing

            def record(self):
                stream.run(EVENT_S if self.timing else 0.0)
                self.stamp = stream.done

            def query(self):
                return perf_counter() >= self.stamp

            def elapsed_time(self, other):
                return 1e3 * (other.stamp - self.stamp)

        self.Event = Event

    def _sleep(self, cycles):
        self.stream.run(cycles / CLOCK_HZ)

    def synchronize(self):
        sleep(max(0.0, self.stream.done - perf_counter()))


class Torch:
    def __init__(self):
        self.cuda = Cuda()


@pytest.fixture
def torch():
    return Torch()


def kernel(torch, seconds):
    return lambda: torch.cuda.stream.run(seconds)


def test_the_events_are_calibrated(torch):
    """An event that is recorded after a kernel delays the stream: one of the pair lies inside the series."""
    assert CudaQueue(torch).statistics.event_overhead_s == pytest.approx(EVENT_S, rel=1e-3)


@pytest.mark.parametrize("count", [1, 2, 16])
def test_a_short_kernel_is_timed_truly(torch, count):
    queue = CudaQueue(torch)
    seconds = [1e-6, 3e-6, 40e-6]
    found = queue.time([kernel(torch, s) for s in seconds], np.full(3, count))
    np.testing.assert_allclose(found, seconds, rtol=1e-3)


def test_many_launches_are_cut_into_groups_that_fit_the_queue(torch):
    queue = CudaQueue(torch)
    before, launched = queue.statistics.groups, torch.cuda.stream.launched
    found = queue.time([kernel(torch, 2e-6)] * 300, np.full(300, 4))
    np.testing.assert_allclose(found, 2e-6, rtol=1e-3)
    assert queue.statistics.groups - before == int(np.ceil(300 / (700 // 7)))
    # A warm launch, four timed ones and two events a cell; a sleep and its event a group.
    assert torch.cuda.stream.launched - launched == 300 * 7 + 2 * 3


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
