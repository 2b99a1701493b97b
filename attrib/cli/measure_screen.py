"""A running sweep on the screen: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from attrib.cli.interruption import kept_interrupts

if TYPE_CHECKING:
    from harness.sweep.run import Step

_LINE_EVERY_S = 5.0
_STAGE_EVERY_S = 1.0
"""Between lines of different stages: the passes of a small sweep follow each other fast."""


@contextmanager
def sweep_progress(store: Path) -> Iterator[Callable[[Step], None]]:
    """Yield what shows the steps of a sweep; an interruption is answered with how to go on."""
    show = _bar() if sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb") else _lines()
    with show as show_step:
        try:
            with kept_interrupts() as check:

                def say(step: Step) -> None:
                    check()
                    show_step(step)

                yield say
        except KeyboardInterrupt:
            typer.echo(f"attrib: stopped; {store} keeps every finished batch, the same command goes on", err=True)
            raise


@contextmanager
def _bar() -> Iterator[Callable[[Step], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), Remaining(), console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=None, rate="")
        rates = _Rates()

        def say(step: Step) -> None:
            if step.remark:
                bar.console.print(f"note: {step.remark}", markup=False, highlight=False)
                return
            total = step.all_total or step.total or None
            done = step.all_done if step.all_total else step.done
            rate = rates.per_second(step)
            text = "" if rate is None else f"{rate:,.0f}/s"
            bar.update(task, description=step.stage, completed=done, total=total, rate=text)

        yield say


@contextmanager
def _lines() -> Iterator[Callable[[Step], None]]:
    rates = _Rates()
    last = -_LINE_EVERY_S
    stage = ""

    def say(step: Step) -> None:
        nonlocal last, stage
        if step.remark:
            typer.echo(f"{step.seconds:7.1f} s  note: {step.remark}", err=True)
            return
        if step.seconds - last < (_LINE_EVERY_S if step.stage == stage else _STAGE_EVERY_S):
            return
        last, stage = step.seconds, step.stage
        line = f"{step.seconds:7.1f} s  {step.stage}"
        if step.total:
            line += f": {step.done:,} of {step.total:,}"
        rate = rates.per_second(step)
        if rate:
            line += f", {rate:,.0f} timings/s"
            if step.all_total > step.all_done:
                line += f", about {duration((step.all_total - step.all_done) / rate)} left"
        typer.echo(line, err=True)

    yield say


class _Rates:
    """Timings a second since the first of this start."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def per_second(self, step: Step) -> float | None:
        if not step.all_total:
            return None
        if self._first is None:
            self._first = (step.seconds, step.all_done)
            return None
        seconds, done = step.seconds - self._first[0], step.all_done - self._first[1]
        return done / seconds if seconds > 0 and done > 0 else None


def duration(seconds: float) -> str:
    """Say a duration in the unit a person would use."""
    if seconds < 9.5:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
