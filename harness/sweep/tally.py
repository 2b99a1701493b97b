"""What the finished batches of a sweep add up to: repeats, problems and what is still due."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Problem
from harness.protocol import Protocol
from harness.sweep.cells import CellTable, Rows
from harness.sweep.device_offsets import DeviceOffset, device_offsets, leveled
from harness.sweep.order import ROUGH_PASS
from harness.sweep.precision import Precision, precision
from harness.sweep.store import BatchResult, SweepStore

_FORGIVEN = 1
"""Failures of a cell that has good repeats."""


class Tally:
    """Running totals of a sweep, the same whether batches are added as they come or read from the store.

    Attributes
    ----------
    rough : ndarray of float64, shape (n,)
        Seconds of the first, single launch.
    launches : ndarray of int64, shape (n,)
        Launches per timing of the kept repeats; 0 before the first.
    count : ndarray of int64, shape (n,)
        Kept repeats.
    problems : dict of int to Problem
        Why a row is not measured further. A failure among good repeats is forgiven once: the next pass tries again.
    failures : ndarray of int64, shape (n,)
        Timings that failed.
    kernel_seconds : float
        Time that all launches took on the device, by their own timings.
    busy_seconds : float
        Wall time of all batches.
    """

    def __init__(self, table: CellTable, warm: bool) -> None:
        size = len(table)
        self.rough = np.full(size, np.nan)
        self.launches = np.zeros(size, dtype=np.int64)
        self.count = np.zeros(size, dtype=np.int64)
        self.problems: dict[int, Problem] = {}
        self.failures = np.zeros(size, dtype=np.int64)
        self.kernel_seconds = 0.0
        self.busy_seconds = 0.0
        self._warm_launches = 1 if warm else 0
        self._table = table
        self._repeats = np.full((size, 4), np.nan)
        self._device = np.full((size, 4), -1, dtype=np.int16)
        self._sentinels: list[tuple[Rows, NDArray[np.float64], float, str]] = []
        self.devices: list[str] = []

    @classmethod
    def read(
        cls,
        store: SweepStore,
        table: CellTable,
        warm: bool,
        retry_failed: bool = False,
        dismissed: Collection[str] = (),
    ) -> Tally:
        """Add up a store.

        Parameters
        ----------
        store : SweepStore
        table : CellTable
        warm : bool
            Whether every timing had an untimed launch before it.
        retry_failed : bool
            Forget the cells that failed, so that they are measured again.
        dismissed : collection of str
            Devices whose timings do not count.
        """
        tally = cls(table, warm)
        for result in store.results():
            if result.device not in dismissed:
                tally.add(result)
        if retry_failed:
            tally.problems = {row: p for row, p in tally.problems.items() if p.status != "failed"}
        return tally

    def add(self, result: BatchResult) -> None:
        """Add one finished batch."""
        if result.device not in self.devices:
            self.devices.append(result.device)
        good = np.isfinite(result.seconds)
        self.kernel_seconds += float((result.seconds * (result.launches + self._warm_launches))[good].sum())
        self.busy_seconds += result.seconds_taken
        cells = ~result.sentinel
        rows, seconds = result.rows[cells & good], result.seconds[cells & good]
        for row in rows[[int(row) in self.problems for row in rows]].tolist():
            del self.problems[row]
        # A sentinel that failed says nothing of its cell, which is timed by itself.
        own = set(result.rows[cells & ~good].tolist())
        for row, problem in result.problems.items():
            if row not in own:
                continue
            self.failures[row] += 1
            if problem.status != "failed" or self.count[row] == 0 or self.failures[row] > _FORGIVEN:
                self.problems[row] = problem
        if result.number_of_pass == ROUGH_PASS:
            self.rough[rows] = seconds
            return
        at = self.count[rows]
        if at.size and at.max() >= self._repeats.shape[1]:
            room = self._repeats.shape
            self._repeats = np.concatenate([self._repeats, np.full(room, np.nan)], axis=1)
            self._device = np.concatenate([self._device, np.full(room, -1, dtype=np.int16)], axis=1)
        self._repeats[rows, at] = seconds
        self._device[rows, at] = self.devices.index(result.device)
        self.count[rows] += 1
        self.launches[rows] = result.launches[cells & good]
        watched = result.sentinel & good
        self._sentinels.append((result.rows[watched], result.seconds[watched], result.finished, result.device))

    @property
    def repeats(self) -> NDArray[np.float64]:
        """Kept repeats in the order they were measured, NaN beyond each row's count; shape (n, most)."""
        return self._repeats[:, : max(1, int(self.count.max(initial=0)))]

    @property
    def repeat_device(self) -> NDArray[np.int16]:
        """Index into ``devices`` of every repeat, -1 beyond each row's count; shape (n, most)."""
        return self._device[:, : max(1, int(self.count.max(initial=0)))]

    def sentinel_timings(self) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Rows, seconds, times of day (Unix) and devices (index) of all sentinel timings."""
        parts = [part for part in self._sentinels if part[0].size]
        if not parts:
            return np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, np.int64)
        return (
            np.concatenate([rows for rows, _, _, _ in parts]),
            np.concatenate([seconds for _, seconds, _, _ in parts]),
            np.concatenate([np.full(rows.size, finished) for rows, _, finished, _ in parts]),
            np.concatenate([np.full(rows.size, self.devices.index(device)) for rows, _, _, device in parts]),
        )

    def planned_launches(self, protocol: Protocol) -> Rows:
        """How many launches fill one timing of each cell; shape (n,)."""
        rough = self.rough.copy()
        known = np.isfinite(rough)
        if known.any() and not known.all():
            # A cell that failed in the rough pass and is tried again: as one of its volume.
            order = np.argsort(self._table.volume[known], kind="stable")
            volume = self._table.volume[known][order]
            rough[~known] = np.interp(self._table.volume[~known], volume, rough[known][order])
        wanted = np.nan_to_num(protocol.series_seconds / rough, nan=1.0)
        return np.clip(np.ceil(wanted), 1, protocol.max_launches).astype(np.int64)

    def offsets(self) -> tuple[DeviceOffset, ...]:
        """Paces of the devices; empty for one."""
        return device_offsets(self.repeats, self.repeat_device, self.devices)

    def leveled(self) -> NDArray[np.float64]:
        """Repeats less the offsets of their devices: what centers, spreads and errors are taken from."""
        return leveled(self.repeats, self.repeat_device, self.offsets())

    def precision(self, protocol: Protocol) -> Precision:
        """How well each cell is known."""
        return precision(self.leveled(), self._table.tile, protocol.outlier_threshold)

    def due(self, protocol: Protocol, excluded: NDArray[np.bool_]) -> Rows:
        """Rows that the next pass visits: too few repeats, or an error above the target and repeats to spare."""
        open_ = ~excluded
        open_[list(self.problems)] = False
        few = self.count < protocol.repeats
        if (few & open_).any():
            return np.flatnonzero(few & open_)
        if protocol.max_repeats == protocol.repeats:
            return np.empty(0, dtype=np.int64)
        # NaN (a single repeat and no peers) is no reason to stop.
        known = self.precision(protocol).error <= protocol.target_error
        return np.flatnonzero(open_ & ~known & (self.count < protocol.max_repeats))
