"""True timing of short CUDA kernels: the CPU enqueues one group of launches while the GPU runs those before.

A launch from Python costs several microseconds of CPU time, as much as a small kernel runs. Timed as they are
enqueued, small kernels would measure the CPU. So launches are enqueued in groups, and no group may begin on the
GPU before its last command is queued; then its launches run back to back. Mostly the groups before keep the GPU
busy long enough; where they do not, a sleep kernel holds the stream for the rest. Whether the CPU stayed ahead is
checked for every group, and a group that it fell behind on is measured again, alone and behind a longer hold.

The pair of events around a series costs time of its own, on an H200 as much as an empty kernel (2 us). It is
measured on a kernel of constant length, as the intercept over the number of launches, and subtracted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BackendError

GROUP_COMMANDS = 240
"""Commands in one group: small, so that a group measured again costs little."""

GROUPS_AHEAD = 3
"""Groups in the queue at once; with the one that holds the stream they stay below the queue's depth."""

LONGEST_SERIES = 900
"""Launches in one timing, at most: a CUDA stream blocks the CPU near 1024 commands, hold or no hold."""

MAX_ATTEMPTS = 8

_TRUSTED = 0.8
"""Share of the GPU time expected of the groups before that a group relies on."""

_MARGIN = 1.4
"""Enqueueing may take this much longer than it did on average."""

_SLACK_S = 1e-4
"""And this much longer yet: the pauses of an interpreter."""


@dataclass
class QueueStatistics:
    """What the queue did so far.

    Attributes
    ----------
    groups, repeated : int
        Groups enqueued, and how many of them were measured again.
    event_overhead_s : float
        Seconds that a pair of events adds to a series.
    kernel_s : float
        GPU time of all launches in groups that counted, timed or not, without holds and events.
    held_s : float
        Length of all holds.
    wall_s : float
        Time spent in :meth:`CudaQueue.time`.
    """

    groups: int = 0
    repeated: int = 0
    event_overhead_s: float = 0.0
    kernel_s: float = 0.0
    held_s: float = 0.0
    wall_s: float = 0.0


@dataclass
class _Group:
    """Rows ``start`` to ``stop`` of a call, on their way through the queue."""

    start: int
    stop: int
    commands: int
    attempt: int = 0
    expected_s: float = 0.0
    ahead: bool = False
    release: Any = None
    marks: list[Any] = field(default_factory=list)


class CudaQueue:
    """Times callables that each enqueue one kernel launch on the current stream of a device.

    Parameters
    ----------
    torch : module
        The imported ``torch``; passed in, so that only backends import it.
    device : int
        CUDA index.
    displace : callable, optional
        Enqueues one command that displaces the last-level cache: what cold timings need.
    displace_s : float
        Least seconds of it.
    """

    def __init__(
        self,
        torch: Any,
        device: int = 0,
        displace: Callable[[], object] | None = None,
        displace_s: float = 0.0,
    ) -> None:
        self._cuda = torch.cuda
        self._device = device
        self._displace = displace
        self._displace_s = displace_s
        self._spare_releases: list[Any] = []
        self._spare_marks: list[Any] = []
        self._seconds_per_command = 8e-6
        self._free_at = 0.0
        self.statistics = QueueStatistics()
        with self._cuda.device(device):
            self._sleep_cycles_per_second = self._calibrate_sleep()
        self.statistics.event_overhead_s = self._calibrate_events()
        overhead = self.statistics.event_overhead_s
        self.statistics = QueueStatistics(event_overhead_s=overhead)

    def time(
        self,
        launches: Sequence[Callable[[], object]],
        counts: NDArray[np.int64],
        expected: NDArray[np.float64] | None = None,
        *,
        cold: bool = False,
    ) -> NDArray[np.float64]:
        """Seconds per launch of each callable, averaged over ``counts`` launches.

        Warm, the launches of a series run back to back, after an untimed one: every series starts with the same
        caches whatever ran before it. Cold, each launch has events of its own and follows a displaced cache. The
        cost of the events is subtracted.

        Parameters
        ----------
        launches : sequence of callable, length n
            Looked up group by group: a sequence that makes them when asked does so while the GPU is busy.
        counts : ndarray of int64, shape (n,)
        expected : ndarray of float64, shape (n,), optional
            Seconds that a launch takes at least, as far as known: the better, the shorter the holds.
        cold : bool
            Displace the last-level cache before every timed launch.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        BackendError
            If a series does not fit the queue, or the CPU falls behind time and again.
        """
        if cold and self._displace is None:
            raise BackendError("cold timings need a way to displace the cache, and this queue was given none")
        if len(launches) and int(counts.max()) > LONGEST_SERIES:
            raise BackendError(
                f"a series of {int(counts.max())} launches does not fit the queue: take at most {LONGEST_SERIES}"
            )
        began = perf_counter()
        with self._cuda.device(self._device):
            seconds = self._time(launches, counts, expected, cold)
        self.statistics.kernel_s += float(seconds @ (counts if cold else counts + 1))
        self.statistics.wall_s += perf_counter() - began
        return seconds

    def _time(
        self,
        launches: Sequence[Callable[[], object]],
        counts: NDArray[np.int64],
        expected: NDArray[np.float64] | None,
        cold: bool,
    ) -> NDArray[np.float64]:
        stream = self._cuda.current_stream(self._device)
        seconds = np.empty(len(launches))
        number = counts.tolist()
        each = np.zeros(len(launches)) if expected is None else expected
        busy = counts * (each + self._displace_s) if cold else (counts + 1) * each
        waiting = deque(_cut(4 * counts if cold else counts + 3))
        flying: deque[_Group] = deque()
        while waiting or flying:
            # A group that failed is measured again by itself, so that nothing else can delay its commands.
            if waiting and len(flying) < (1 if waiting[0].attempt else GROUPS_AHEAD):
                group = waiting.popleft()
                group.expected_s = float(busy[group.start : group.stop].sum())
                self._enqueue(group, launches, number, cold, stream)
                flying.append(group)
                continue
            group = flying.popleft()
            elapsed = self._collect(group, flying)
            if group.ahead:
                seconds[group.start : group.stop] = _per_launch(
                    elapsed - self.statistics.event_overhead_s, counts[group.start : group.stop], cold
                )
                continue
            self.statistics.repeated += 1
            if group.attempt + 1 == MAX_ATTEMPTS:
                self._cuda.synchronize()
                raise BackendError(
                    f"the CPU fell behind the GPU {MAX_ATTEMPTS} times on one group of launches: "
                    "is the host overloaded?"
                )
            waiting.appendleft(_Group(group.start, group.stop, group.commands, group.attempt + 1))
        return seconds

    def _enqueue(
        self,
        group: _Group,
        launches: Sequence[Callable[[], object]],
        counts: list[int],
        cold: bool,
        stream: Any,
    ) -> None:
        """Queue one group; it is ahead if the GPU had not reached it when its last command was queued."""
        rows = range(group.start, group.stop)
        pairs = sum(counts[row] for row in rows) if cold else len(rows)
        group.marks, group.release = self._events(2 * pairs), self._release_event()
        bound = [(launches[row], counts[row]) for row in rows]
        hold = self._hold(group)
        if hold > 0.0:
            self._cuda._sleep(int(hold * self._sleep_cycles_per_second))
        group.release.record(stream)
        marks = iter(group.marks)
        began = perf_counter()
        if cold and self._displace is not None:
            displace = self._displace
            for launch, count in bound:
                for _ in range(count):
                    displace()
                    next(marks).record(stream)
                    launch()
                    next(marks).record(stream)
        else:
            for launch, count in bound:
                launch()
                next(marks).record(stream)
                for _ in range(count):
                    launch()
                next(marks).record(stream)
        group.ahead = not group.release.query()
        cost = (perf_counter() - began) / group.commands
        self._seconds_per_command = 0.8 * self._seconds_per_command + 0.2 * cost
        self.statistics.groups += 1
        self.statistics.held_s += hold

    def _hold(self, group: _Group) -> float:
        """Seconds to hold the stream: what enqueueing may take beyond the work that the GPU still has."""
        now = perf_counter()
        wanted = (_MARGIN * group.commands * self._seconds_per_command + _SLACK_S) * 2.0**group.attempt
        queued = 0.0 if group.attempt else _TRUSTED * (self._free_at - now)
        hold = max(0.0, wanted - max(0.0, queued))
        group.expected_s += hold
        self._free_at = max(self._free_at, now) + group.expected_s
        return hold

    def _collect(self, group: _Group, behind: Sequence[_Group]) -> NDArray[np.float64]:
        """Wait for a group and read its pairs of events, in seconds."""
        last = group.marks[-1]
        left = sum(other.expected_s for other in behind)
        if last.query():
            self._free_at = min(self._free_at, perf_counter() + left)
        else:
            last.synchronize()
            # The next group begins now, so this much is known better than when it was queued.
            self._free_at = perf_counter() + left
        marks = group.marks
        elapsed = [marks[i].elapsed_time(marks[i + 1]) for i in range(0, len(marks), 2)] if group.ahead else []
        self._spare_marks += marks
        self._spare_releases.append(group.release)
        return np.array(elapsed) * 1e-3

    def _events(self, count: int) -> list[Any]:
        spare = self._spare_marks
        while len(spare) < count:
            spare.append(self._cuda.Event(enable_timing=True))
        taken = spare[-count:]
        del spare[-count:]
        return taken

    def _release_event(self) -> Any:
        return self._spare_releases.pop() if self._spare_releases else self._cuda.Event()

    def _calibrate_events(self) -> float:
        """Seconds that a pair of events adds to a series, whatever its length."""
        cycles = int(5e-6 * self._sleep_cycles_per_second)
        counts = np.tile(np.array([1, 2, 4, 8], dtype=np.int64), 31)
        sleep = self._cuda._sleep
        self.time([lambda: sleep(cycles)] * 100, np.full(100, 4, dtype=np.int64))
        elapsed = self.time([lambda: sleep(cycles)] * counts.size, counts) * counts
        lengths = np.unique(counts)
        medians = [float(np.median(elapsed[counts == length])) for length in lengths]
        return float(np.polyfit(lengths, medians, 1)[1])

    def _calibrate_sleep(self) -> float:
        """Sleep cycles per second, measured: the SM clock at the moment."""
        begin, end = self._cuda.Event(enable_timing=True), self._cuda.Event(enable_timing=True)
        stream = self._cuda.current_stream(self._device)
        cycles = 20_000_000
        for _ in range(3):
            begin.record(stream)
            self._cuda._sleep(cycles)
            end.record(stream)
            end.synchronize()
        return float(cycles / (begin.elapsed_time(end) * 1e-3))


def _cut(commands: NDArray[np.int64]) -> list[_Group]:
    """Cut the rows into groups that fit; a series longer than a group is one by itself."""
    groups: list[_Group] = []
    start, total = 0, 0
    for row, count in enumerate(commands.tolist()):
        if row > start and total + count > GROUP_COMMANDS:
            groups.append(_Group(start, row, total))
            start, total = row, 0
        total += count
    if total:
        groups.append(_Group(start, len(commands), total))
    return groups


def _per_launch(pairs: NDArray[np.float64], counts: NDArray[np.int64], cold: bool) -> NDArray[np.float64]:
    """Seconds per launch from the seconds of the pairs: one a series when warm, one a launch when cold."""
    if not cold:
        return pairs / counts
    ends = np.cumsum(counts)
    sums = np.concatenate([[0.0], np.cumsum(pairs)])
    return np.asarray((sums[ends] - sums[ends - counts]) / counts)
