"""Reports of Google Benchmark: the JSON that its reporter writes, whole or cut off.

The reporter writes the context first and then one benchmark after another, and the library flushes after each: a
program that crashes or is stopped leaves everything up to then. NaN and infinity stand bare in its JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}

# Numbers that every benchmark reports; all others are counters of the program's own.
_STANDARD = frozenset(
    {
        "family_index",
        "per_family_instance_index",
        "repetitions",
        "repetition_index",
        "threads",
        "iterations",
        "real_time",
        "cpu_time",
    }
)


@dataclass(frozen=True)
class BenchmarkRun:
    """One benchmark of a report.

    Attributes
    ----------
    name : str
        Full name, ``"Config/label/1024x1024x1024x1/manual_time"``.
    iterations : int
        Iterations that the times average over; 0 when the benchmark was skipped.
    seconds : float
        Real (or manual) time of an iteration; NaN when not reported.
    counters : mapping of str to float
        The program's own numbers, in its own units.
    error : str or None
        Why the program skipped the benchmark.
    """

    name: str
    iterations: int
    seconds: float
    counters: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class BenchmarkReport:
    """What one invocation reported.

    Attributes
    ----------
    context : mapping
        Host, library and build; empty when the program ended before its first benchmark.
    runs : tuple of BenchmarkRun
        In the order of the report, aggregates left out; names can repeat.
    complete : bool
        Whether the report was closed.
    """

    context: Mapping[str, Any]
    runs: tuple[BenchmarkRun, ...]
    complete: bool


def parse_report(text: str) -> BenchmarkReport:
    """Read a report, or as much of it as was written.

    Parameters
    ----------
    text : str
        Content of the file named by ``BENCHMARK_OUT``; may be empty or end anywhere.

    Returns
    -------
    BenchmarkReport
        Entries without a name are left out.
    """
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return BenchmarkReport(_cut_context(text), tuple(_runs(_cut_entries(text))), complete=False)
    if not isinstance(whole, dict):
        return BenchmarkReport({}, (), complete=False)
    context, entries = whole.get("context"), whole.get("benchmarks")
    return BenchmarkReport(
        context if isinstance(context, dict) else {},
        tuple(_runs(iter(entries))) if isinstance(entries, list) else (),
        complete=isinstance(entries, list),
    )


def _cut_context(text: str) -> Mapping[str, Any]:
    start = re.search(r'"context"\s*:\s*', text)
    if start is None:
        return {}
    try:
        context, _ = json.JSONDecoder().raw_decode(text, start.end())
    except json.JSONDecodeError:
        return {}
    return context if isinstance(context, dict) else {}


def _cut_entries(text: str) -> Iterator[Any]:
    """Yield the entries that were written whole."""
    start = re.search(r'"benchmarks"\s*:\s*\[', text)
    position = len(text) if start is None else start.end()
    gap = re.compile(r"[\s,]*")
    while True:
        skipped = gap.match(text, position)
        position = position if skipped is None else skipped.end()
        try:
            entry, position = json.JSONDecoder().raw_decode(text, position)
        except json.JSONDecodeError:
            return
        yield entry


def _runs(entries: Iterator[Any]) -> Iterator[BenchmarkRun]:
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue
        if entry.get("run_type") == "aggregate":
            continue
        numbers = {
            key: float(value)
            for key, value in entry.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        unit = _SECONDS.get(str(entry.get("time_unit", "ns")), float("nan"))
        yield BenchmarkRun(
            name=entry["name"],
            iterations=int(numbers.get("iterations", 0)),
            seconds=unit * numbers.get("real_time", float("nan")),
            counters={key: value for key, value in numbers.items() if key not in _STANDARD},
            error=_error(entry),
        )


def _error(entry: Mapping[str, Any]) -> str | None:
    if entry.get("error_occurred"):
        return str(entry.get("error_message") or "an error without a message")
    if entry.get("skipped"):
        return str(entry.get("skip_message") or "skipped without a message")
    return None
