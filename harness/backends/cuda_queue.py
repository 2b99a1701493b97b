"""True timing of short CUDA kernels: the queue is held while the CPU enqueues.

A launch from Python costs several microseconds of CPU time, as much as a small kernel runs. Timed as they are
enqueued, small kernels would measure the CPU. Here a sleep kernel holds the stream until a whole group of
launches is queued; then they run back to back. Whether the hold outlasted the enqueueing is checked, and a
group that the CPU fell behind on is measured again with a longer hold.

The pair of events around a series costs time of its own, on an H200 as much as an empty kernel (1.4 us). It is
measured on a kernel of constant length, as the intercept over the number of launches, and subtracted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BackendError

_QUEUE_DEPTH = 700
"""Commands held at once; a CUDA stream blocks the CPU near 1024."""

_MAX_ATTEMPTS = 8


@dataclass
class QueueStatistics:
    """How often the hold had to be repeated, for the provenance of a sweep."""

    groups: int = 0
    repeated: int = 0
    event_overhead_s: float = 0.0


class CudaQueue:
    """Times callables that each enqueue one kernel launch on the current stream.

    Parameters
    ----------
    torch : module
        The imported ``torch``; passed in, so that only backends import it.
    """

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._events: list[Any] = []
        self._seconds_per_command = 8e-6
        self._sleep_cycles_per_second = self._calibrate_sleep()
        self.statistics = QueueStatistics()
        self.statistics.event_overhead_s = self._calibrate_events()

    def time(self, launches: Sequence[Callable[[], object]], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds per launch of each callable, averaged over ``counts`` launches back to back.

        Before each timed series the kernel is launched once untimed, so every series starts with the same
        warm cache whatever ran before it. The cost of the events is subtracted.
        """
        seconds = np.empty(len(launches))
        start = 0
        while start < len(launches):
            stop, commands = start, 0
            while stop < len(launches) and (stop == start or commands + counts[stop] + 3 <= _QUEUE_DEPTH):
                commands += int(counts[stop]) + 3
                stop += 1
            seconds[start:stop] = self._group(launches[start:stop], counts[start:stop], commands)
            start = stop
        return seconds

    def _group(
        self, launches: Sequence[Callable[[], object]], counts: NDArray[np.int64], commands: int
    ) -> NDArray[np.float64]:
        cuda = self._torch.cuda
        while len(self._events) < 2 * len(launches):
            self._events.append(cuda.Event(enable_timing=True))
        marks = self._events
        released = cuda.Event()
        hold = 1.4 * commands * self._seconds_per_command + 1e-4
        self.statistics.groups += 1
        for _ in range(_MAX_ATTEMPTS):
            cuda.synchronize()
            began = perf_counter()
            cuda._sleep(int(hold * self._sleep_cycles_per_second))
            released.record()
            for i, launch in enumerate(launches):
                launch()
                marks[2 * i].record()
                for _ in range(counts[i]):
                    launch()
                marks[2 * i + 1].record()
            held = not released.query()
            cost = (perf_counter() - began) / commands
            self._seconds_per_command = 0.8 * self._seconds_per_command + 0.2 * cost
            cuda.synchronize()
            if held:
                elapsed = [marks[2 * i].elapsed_time(marks[2 * i + 1]) for i in range(len(launches))]
                return (np.array(elapsed) * 1e-3 - self.statistics.event_overhead_s) / counts
            self.statistics.repeated += 1
            hold = max(2.0 * hold, 1.5 * commands * cost)
        raise BackendError(
            f"the CPU fell behind the GPU {_MAX_ATTEMPTS} times on one group of launches: is the host overloaded?"
        )

    def _calibrate_events(self) -> float:
        """Seconds that a pair of events adds to a series, whatever its length."""
        cycles = int(5e-6 * self._sleep_cycles_per_second)
        counts = np.tile([1, 2, 4, 8], 31)
        sleep = self._torch.cuda._sleep
        self.time([lambda: sleep(cycles)] * 100, np.full(100, 4))
        elapsed = self.time([lambda: sleep(cycles)] * counts.size, counts) * counts
        lengths = np.unique(counts)
        medians = [float(np.median(elapsed[counts == length])) for length in lengths]
        return float(np.polyfit(lengths, medians, 1)[1])

    def _calibrate_sleep(self) -> float:
        """Sleep cycles per second, measured: the SM clock at the moment."""
        cuda = self._torch.cuda
        begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        cycles = 20_000_000
        for _ in range(3):
            begin.record()
            cuda._sleep(cycles)
            end.record()
            cuda.synchronize()
        return float(cycles / (begin.elapsed_time(end) * 1e-3))
