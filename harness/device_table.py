"""A device record as a table to read: number, value with its unit, source; alternatives below their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.device_numbers import UNITS, Alternative, Value


class Entry(NamedTuple):
    """What a record says of one number; the value is None where it is open."""

    key: str
    value: Value | None
    source: str
    alternatives: Sequence[Alternative]


def device_table(heading: str, entries: Iterable[Entry]) -> str:
    """Return the heading, the column titles and a line for each value, aligned."""
    rows = [("number", "value", "source")]
    for key, value, source, alternatives in entries:
        rows.append((key, "open" if value is None else _format(key, value), source))
        rows.extend((f"  or {other.label}", _format(key, other.value), other.source) for other in alternatives)
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{key:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip() for key, value, source in rows]
    return "\n".join([heading, *lines])


def _format(key: str, value: Value) -> str:
    """Print a value with its unit, scaled; bytes by powers of 1024 where that leaves an integer."""
    if isinstance(value, tuple):
        return "x".join(str(size) for size in value)
    unit = UNITS[key.partition(".")[0]]
    if not unit:
        return str(value)
    if unit == "B":
        binary = _scaled(float(value), 1024, ("", "Ki", "Mi", "Gi"))
        if binary[0].is_integer():
            return f"{binary[0]:.0f} {binary[1]}{unit}"
    decimal = _scaled(value, 1000, ("", "k", "M", "G", "T", "P"))
    return f"{decimal[0]:.6g} {decimal[1]}{unit}"


def _scaled(value: float, base: int, prefixes: tuple[str, ...]) -> tuple[float, str]:
    step = 0
    while value >= base and step + 1 < len(prefixes):
        value, step = value / base, step + 1
    return value, prefixes[step]
