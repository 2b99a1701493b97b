"""What a command shows: tables for people, JSON for machines, progress on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from attrib.cli.interruption import kept_interrupts

Progress = Callable[[str], None]

_PIPE_WIDTH = 200
"""Columns where no terminal says how wide it is: rows of a table stay on one line."""


def show(text: str = "") -> None:
    """Print a line of the result."""
    typer.echo(text)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    """Print a table under its title; the first ``left`` columns are text, the others align right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        text = number < left
        table.add_column(Text(column), justify="left" if text else "right", no_wrap=not text, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    show(title)
    Console(file=sys.stdout, width=width, highlight=False).print(table)


def show_json(data: Any) -> None:
    """Print data as JSON; what is no finite number becomes null."""
    typer.echo(json.dumps(finite(data), indent=1, allow_nan=False))


def finite(value: Any) -> Any:
    """Return the data with null for NaN and infinity, which JSON does not know."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def progress() -> Iterator[Progress]:
    """Yield what reports the step a long command is in: a spinner on a terminal, else plain lines on stderr."""
    with kept_interrupts() as check, _steps() as show_step:

        def say(step: str) -> None:
            check()
            show_step(step)

        yield say


@contextmanager
def _steps() -> Iterator[Progress]:
    if sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb"):
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            yield lambda step: status.update(step)
        return
    start = time.monotonic()
    yield lambda step: typer.echo(f"{time.monotonic() - start:6.1f} s  {step}", err=True)
