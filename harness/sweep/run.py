"""Run a sweep: survey, prepare, verify, then pass after pass until every cell is known well enough."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

from harness.errors import BackendError, InputError
from harness.protocol import Protocol
from harness.sweep.bench import Facts, Survey
from harness.sweep.cells import CellTable, Rows
from harness.sweep.executor import Executor
from harness.sweep.order import ROUGH_PASS, batches
from harness.sweep.sentinels import choose_sentinels
from harness.sweep.store import SweepStore
from harness.sweep.tally import Tally
from harness.sweep.verification import judge

_BATCH_SECONDS = 2.0
"""Longest batch aimed at: what a killed sweep loses."""

_SMALLEST_BATCH = 8

_BATCHES_PER_DEVICE = 4
"""In a pass, at least: few large ones would leave devices idle at its end."""


@dataclass(frozen=True)
class Step:
    """Where a sweep is.

    Attributes
    ----------
    stage : str
        What is being done, in words.
    done, total : int
        Timings of this stage.
    all_done, all_total : int
        Timings of the rough pass and the promised repeats; repeats beyond are not known beforehand.
    seconds : float
        Since this start.
    remark : str
        Something that happened and that the user should know; otherwise empty.
    """

    stage: str
    done: int = 0
    total: int = 0
    all_done: int = 0
    all_total: int = 0
    seconds: float = 0.0
    remark: str = ""


Progress = Callable[[Step], None]

# Of the protocol, what may change between two starts: it adds passes or checks, and touches none that are done.
_EXTENSIBLE = (
    "repeats",
    "max_repeats",
    "target_error",
    "verified_per_kernel",
    "outlier_threshold",
    "warmup_seconds",
)


def run_sweep(
    executor: Executor,
    table: CellTable,
    protocol: Protocol,
    store: SweepStore,
    *,
    progress: Progress | None = None,
    retry_failed: bool = False,
) -> Tally:
    """Measure what the store does not hold yet.

    Parameters
    ----------
    executor : Executor
    table : CellTable
    protocol : Protocol
    store : SweepStore
        New, or of the same sweep begun earlier.
    progress : callable, optional
        Called with a :class:`Step` after every batch.
    retry_failed : bool
        Measure cells again that failed before.

    Returns
    -------
    Tally
        Everything measured, earlier starts included.

    Raises
    ------
    InputError
        If the store holds another sweep, or the backend cannot have the cache state.
    BackendError
        If no cell can run, or the device is lost: everything up to the last finished batch is kept.
    """
    facts = executor.facts
    require_cache(facts, protocol)
    survey = executor.survey(table)
    require_runnable(survey)
    start = store.begin(fingerprint(facts, protocol), table, executor.environment())
    store.keep_survey(facts, survey, protocol)
    return _Run(executor, table, protocol, store, survey, start, retry_failed, progress).to_the_end()


def require_cache(facts: Facts, protocol: Protocol) -> None:
    """Make sure that the backends can have the caches as they are to be.

    Raises
    ------
    InputError
        Naming the states that they offer.
    """
    if protocol.cache not in facts.cache_states:
        raise InputError(
            f"cache {protocol.cache!r} cannot be had from this backend: expected "
            f"{' or '.join(facts.cache_states) or 'another backend: these have none in common'}"
        )


def require_runnable(survey: Survey) -> None:
    """Make sure that something can be measured.

    Raises
    ------
    BackendError
        With the most frequent reason why not.
    """
    if not (survey.owner >= 0).any():
        (reason, count), *_ = survey.refusals().most_common(1)
        raise BackendError(f"none of the cells can run here: {reason} ({count} cells)")


def fingerprint(facts: Facts, protocol: Protocol) -> dict[str, Any]:
    """Everything that must be the same when a sweep is resumed; plain JSON data."""
    fixed = {key: value for key, value in protocol.to_dict().items() if key not in _EXTENSIBLE}
    return {
        "device": json.loads(facts.device),
        "dtype": facts.dtype,
        "dtype_out": facts.dtype_out,
        "configuration": facts.configuration,
        "cube_attributes": facts.cube_attributes,
        "protocol": fixed,
    }


def batch_size(rough_seconds: float | None, launches: float, most: int) -> int:
    """Cells in a batch, so that it lasts about :data:`_BATCH_SECONDS`.

    Parameters
    ----------
    rough_seconds : float or None
        Mean time of a launch; ``None`` while unknown.
    launches : float
        Mean launches per timing, the untimed ones included.
    most : int
        Cells that the backend takes at once.
    """
    size = most // 4 if rough_seconds is None else int(_BATCH_SECONDS / max(rough_seconds * launches, 1e-9))
    return max(1, min(most, max(_SMALLEST_BATCH, size)))


class _Run:
    """One start of a sweep, with everything that its passes share."""

    def __init__(
        self,
        executor: Executor,
        table: CellTable,
        protocol: Protocol,
        store: SweepStore,
        survey: Survey,
        start: int,
        retry_failed: bool,
        progress: Progress | None,
    ) -> None:
        self._executor = executor
        self._table = table
        self._protocol = protocol
        self._store = store
        self._survey = survey
        self._start = start
        self._retry_failed = retry_failed
        self._tally = Tally(table, protocol.cache == "warm")
        self._progress = progress
        self._began = monotonic()
        self._prepared = False
        self._excluded = survey.owner < 0
        self._kernels = executor.kernels(table, survey.owner, protocol.verified_per_kernel, protocol.seed)
        store.keep_kernels(self._kernels)
        self._promised = 0

    def to_the_end(self) -> Tally:
        """Verify, then pass after pass until none is due."""
        number = ROUGH_PASS
        dismissed = self._verify()
        warm, retry = self._protocol.cache == "warm", self._retry_failed
        self._tally = Tally.read(self._store, self._table, warm, retry, dismissed)
        while True:
            begun = self._store.begun_pass(number)
            if begun is None:
                rows = self._due(number)
                if rows.size == 0:
                    break
                begun = rows, self._size_of_batches(rows, number)
                self._store.begin_pass(number, *begun)
            self._one_pass(number, *begun)
            number += 1
            self._verify()  # a device may have joined
        if self._prepared:
            self._store.note_environment(self._executor.environment())
        self._say("done" if self._prepared else "nothing left to measure", all_done=self._promised)
        return self._tally

    def _say(self, stage: str, done: int = 0, total: int = 0, all_done: int = 0) -> None:
        if self._progress is not None:
            self._progress(Step(stage, done, total, all_done, self._promised, monotonic() - self._began))

    def _prepare(self) -> None:
        """Prepare before the first cell is run: a sweep that is finished needs no device."""
        if not self._prepared:
            self._say("compiling and warming up")
            protocol = self._protocol
            seconds, cache, seed = protocol.warmup_seconds, protocol.cache, protocol.seed
            self._executor.prepare(self._table, self._survey.owner, seconds, cache, seed, self._start)
            self._prepared = True
            # Warmed up, with all kernels compiled: the state in which the timings are taken.
            self._store.note_environment(self._executor.environment())

    def _verify(self) -> Collection[str]:
        """Check the kernels on every device that has not checked them; leave out wrong kernels and wrong devices.

        Returns
        -------
        collection of str
            Devices whose timings do not count.
        """
        known = self._store.checked()
        if self._retry_failed and not self._prepared:
            known = {key: error for key, error in known.items() if not np.isnan(error)}
        sample = sorted({row for kernel in self._kernels for row in kernel.sample})
        missing = {
            device: [row for row in sample if (device, row) not in known] for device in self._executor.devices
        }
        total, done = sum(map(len, missing.values())), 0
        if total:
            self._prepare()
            for device, errors in self._executor.errors(missing):
                self._store.add_checked(device, errors)
                known.update({(device, row): error for row, error in errors.items()})
                done += len(errors)
                self._say("verifying results", done, total)
            self._pass_on_remarks()
        verdict = judge(self._kernels, known, self._executor.facts.tolerances)
        for device, reason in verdict.devices.items():
            if device in self._executor.devices:
                self._remark(f"device {device} is left out: {reason}, which other devices compute right")
                self._executor.dismiss(device)
        for index in verdict.problems:
            self._excluded[self._kernels[index].rows] = True
        self._promised = int((~self._excluded).sum()) * (self._protocol.repeats + 1)
        return verdict.devices

    def _pass_on_remarks(self) -> None:
        for text in self._executor.take_remarks():
            self._remark(text)

    def _remark(self, text: str) -> None:
        """Keep what happened with the sweep, and say it."""
        self._store.note(text)
        if self._progress is not None:
            self._progress(Step("remark", seconds=monotonic() - self._began, remark=text))

    def _due(self, number: int) -> Rows:
        if number == ROUGH_PASS:
            return np.flatnonzero(~self._excluded)
        return self._tally.due(self._protocol, self._excluded)

    def _size_of_batches(self, rows: Rows, number: int) -> int:
        """Cells in each batch of a pass, from what the rough pass knows of their times."""
        facts, protocol, tally = self._executor.facts, self._protocol, self._tally
        # The sentinels must fit in too, or every batch would end in a call for a few cells.
        most = max(1, facts.batch_cells - min(protocol.sentinels, max(1, facts.batch_cells // 16)))
        devices = len(self._executor.devices)
        if devices > 1:
            most = min(most, max(1, -(-rows.size // (_BATCHES_PER_DEVICE * devices))))
        if facts.whole_batches:
            return most
        known = np.isfinite(tally.rough[rows])
        if number == ROUGH_PASS or not known.any():
            return batch_size(None, 1.0, most)
        launches = float(tally.planned_launches(protocol)[rows].mean()) + 1.0
        return batch_size(float(tally.rough[rows][known].mean()), launches, most)

    def _one_pass(self, number: int, rows: Rows, size: int) -> None:
        """Measure the batches of one pass that the store lacks."""
        protocol, tally = self._protocol, self._tally
        if number == ROUGH_PASS:
            launches = np.ones(tally.rough.size, dtype=np.int64)
            sentinels = np.empty(0, dtype=np.int64)
            stage = "rough pass"
        else:
            launches = tally.planned_launches(protocol)
            sentinels = choose_sentinels(tally.rough, self._survey.owner, protocol.sentinels)
            stage = f"repeat {number} of {protocol.repeats}"
            if number > protocol.repeats:
                stage = f"repeat {number}, only cells above the target error"
        finished = self._store.done(number)
        planned = batches(rows, number, size, protocol.seed, sentinels)
        todo = [batch for batch in planned if batch.number not in finished]
        if not todo:
            return
        self._prepare()
        done = rows.size - sum(int((~batch.sentinel).sum()) for batch in todo)
        before = min(number, protocol.repeats + 1) * (self._promised // (protocol.repeats + 1))
        self._say(stage, done, rows.size, min(self._promised, before + done))
        for result in self._executor.measure(((batch, launches[batch.rows]) for batch in todo), protocol.cache):
            self._store.commit(result)
            tally.add(result)
            self._pass_on_remarks()
            done += int((~result.sentinel).sum())
            self._say(stage, done, rows.size, min(self._promised, before + done))
