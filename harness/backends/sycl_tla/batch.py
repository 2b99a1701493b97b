"""Time a batch of cells in one program, over as many invocations as crashes and hangs make necessary.

An invocation that ends early keeps what it reported. Benchmarks run in the order of their lines, so the first one
without a result is the suspect: it gets a second invocation, and is marked failed when that ends early on it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.backends.backend import Cell, Problem
from harness.backends.sycl_tla.config import Config, config_line, reported_name
from harness.backends.sycl_tla.google_benchmark import BenchmarkRun
from harness.backends.sycl_tla.run import BenchmarkProgram
from harness.errors import BackendError

MIN_ITERATIONS = 4
"""Fewest iterations of a timing: the average that drops the best and the worst needs at least 3."""

LONGEST_SECONDS = 1800.0
"""Longest that one invocation may take when the user states no limit."""

_LOST_IN_A_ROW = 3
_START_SECONDS = 60.0

# Cautious rates: what a cell may need is not to be underestimated. The program checks every result against a
# product that one thread computes for each element, and fills operands for several times the last-level cache.
_KERNEL_FLOPS = 2e12
_REFERENCE_FLOPS = 5e10
_CELL_SECONDS = 1.0

_STATUS = {
    "Disposition Failed.": "wrong_result",
    "GEMM unable to implement given args.": "unsupported",
}


@dataclass(frozen=True)
class Job:
    """A cell to time, under a label that is unique in the call."""

    position: int
    config: Config
    cell: Cell

    @property
    def label(self) -> str:
        """Its ``bm_name``."""
        return f"cell{self.position}"

    @property
    def line(self) -> str:
        """Its line of the config file."""
        return config_line(self.config, self.label, self.cell)

    @property
    def name(self) -> str:
        """Its name in the report."""
        return reported_name(self.config, self.label, self.cell)


def iterations_for(launches: int) -> int:
    """Round launches up to a power of two, at least :data:`MIN_ITERATIONS`.

    The number of iterations holds for a whole invocation: powers of two keep the number of invocations small.
    """
    return max(MIN_ITERATIONS, 1 << max(0, int(launches) - 1).bit_length())


def likely_seconds(job: Job, iterations: int) -> float:
    """Say how long a cell may take in the program, cautiously, in seconds."""
    flops = 2.0 * job.cell.M * job.cell.N * job.cell.K
    return _CELL_SECONDS + flops * (iterations + 1) / _KERNEL_FLOPS + flops / _REFERENCE_FLOPS


def time_limit(jobs: Sequence[Job], iterations: int) -> float:
    """Seconds that one invocation may take, scaled by its work, up to :data:`LONGEST_SECONDS`."""
    return min(LONGEST_SECONDS, _START_SECONDS + sum(likely_seconds(job, iterations) for job in jobs))


def split(jobs: Sequence[Job], iterations: int, most_seconds: float = 300.0) -> Iterator[list[Job]]:
    """Cut jobs, in their order, into batches that are likely to take no longer than ``most_seconds`` each."""
    batch: list[Job] = []
    total = 0.0
    for job in jobs:
        needed = likely_seconds(job, iterations)
        if batch and total + needed > most_seconds:
            yield batch
            batch, total = [], 0.0
        batch.append(job)
        total += needed
    if batch:
        yield batch


def time_batch(
    program: BenchmarkProgram, jobs: Sequence[Job], iterations: int, timeout: float | None
) -> dict[int, float | Problem]:
    """Time the cells of a batch.

    Parameters
    ----------
    program : BenchmarkProgram
    jobs : sequence of Job
        All of configurations that the program knows.
    iterations : int
        Of every benchmark.
    timeout : float or None
        Seconds for one invocation; scaled by its work when absent.

    Returns
    -------
    dict of int to float or Problem
        Seconds per launch, or why there are none, by position; every job has an entry.

    Raises
    ------
    BackendError
        If the program twice ended before its first benchmark, or cannot be killed.
    """
    found: dict[int, float | Problem] = {}
    pending = list(jobs)
    suspects: set[int] = set()
    unstarted = lost = 0
    while pending:
        limit = time_limit(pending, iterations) if timeout is None else timeout
        outcome = program.run([job.line for job in pending], iterations, limit)
        if not outcome.report.context:
            unstarted += 1
            if unstarted > 1:
                raise BackendError(f"{program.path.name} ended before its first benchmark: {outcome.reason}")
            continue
        results = _results(outcome.report.runs, pending)
        found.update(results)
        pending = [job for job in pending if job.position not in results]
        if results:
            lost = 0
        if not pending:
            break
        suspect = pending[0]
        if suspect.position not in suspects:
            suspects.add(suspect.position)
            continue
        found[suspect.position] = Problem("failed", f"{suspect.config.name}, twice: {outcome.reason}")
        pending = pending[1:]
        lost += 1
        if lost == _LOST_IN_A_ROW:
            reason = f"not reached: {lost} cells before it ended the program ({outcome.reason})"
            found.update({job.position: Problem("failed", reason) for job in pending})
            break
    return found


def seconds_of(run: BenchmarkRun) -> float:
    """Seconds per launch of a benchmark that was not skipped.

    It is the program's ``avg_runtime_ms``, the mean without the best and the worst: one interrupt or one clock ramp
    does not move it. At two iterations that figure is no number, and the plain mean is taken.
    """
    average = 1e-3 * run.counters.get("avg_runtime_ms", float("nan"))
    if np.isfinite(average):
        return average
    total = 1e-3 * run.counters.get("total_runtime_ms", float("nan"))
    return total / run.iterations if run.iterations > 0 and np.isfinite(total) else run.seconds


def _results(runs: Sequence[BenchmarkRun], jobs: Sequence[Job]) -> dict[int, float | Problem]:
    """Match runs to jobs by name; of a name that repeats, any error counts and otherwise the median."""
    named: dict[str, list[BenchmarkRun]] = {}
    for run in runs:
        named.setdefault(run.name, []).append(run)
    return {job.position: _result(named[job.name], job.config) for job in jobs if job.name in named}


def _result(runs: Sequence[BenchmarkRun], config: Config) -> float | Problem:
    for run in runs:
        if run.error is not None:
            return Problem(_STATUS.get(run.error, "failed"), f"{config.name}: {run.error}")
    seconds = float(np.median([seconds_of(run) for run in runs]))
    if not (np.isfinite(seconds) and seconds > 0):
        return Problem("failed", f"{config.name}: the reported time, {seconds} s, is not positive")
    return seconds
