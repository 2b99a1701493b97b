"""The constants of a fit as a table, and the shapes that would tell what it leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrib.cli.quantities import digits, seconds
from attrib.cli.screen import show, show_table

if TYPE_CHECKING:
    from models.constants.constant import Constant
    from models.constants.propose import ShapeGroup
    from models.result import FitResult

_NAMES = {
    "cores": "cores",
    "residency": "residency (work-groups a core)",
    "core_spread": "slowest core, below the fastest",
    "cache_spill_bytes": "working set that spills the cache",
    "k_granularity": "granularity of K",
    "row_pitch_a_bytes": "granularity of the pitch of A",
    "row_pitch_b_bytes": "granularity of the pitch of B",
    "channels": "memory channels",
    "interleave_bytes": "channel interleave",
    "base_overhead_s": "base overhead of a launch",
    "core_rate_flop_per_s": "rate of a core",
    "bandwidth_memory_bytes_per_s": "bandwidth",
    "bandwidth_spilt_bytes_per_s": "bandwidth, spilt bytes",
}
_COLUMNS = ("constant", "tiles", "estimate", "95 % set or interval", "what else explains it alike")
_SCALES = {"FLOP/s": (1e-12, "TFLOP/s"), "B/s": (1e-9, "GB/s")}
_MEBIBYTES = "cache_spill_bytes"


def show_constants(result: FitResult) -> None:
    """Print the constants that are identified, equal ones of several tiles on one row, then the others with why."""
    known: dict[tuple[str, Constant], list[str]] = {}
    open_ones: dict[tuple[str, str], list[str]] = {}
    for name in _NAMES:
        for label, tile in result.tiles.items():
            constant = tile.constants.get(name)
            if constant is None:
                continue
            if constant.identified:
                known.setdefault((name, constant), []).append(label)
            else:
                open_ones.setdefault((name, constant.status), []).append(label)
    rows = [
        (
            _NAMES[name],
            _tiles(labels, result),
            "-" if constant.estimate is None else _text(name, constant.estimate, constant.unit),
            _range(name, constant),
            constant.note,
        )
        for (name, constant), labels in known.items()
    ]
    if rows:
        show_table("hardware constants, from the timings alone", _COLUMNS, rows, left=5)
        show()
    merged: dict[tuple[str, str], list[str]] = {}
    for (name, status), labels in open_ones.items():
        merged.setdefault((status, _tiles(labels, result)), []).append(_NAMES[name])
    for (status, tiles), names in merged.items():
        of = "" if tiles == "all" else f" of {tiles}"
        heading, _, reason = status.partition(": ")
        show(f"{heading}: {', '.join(names)}{of}: {reason}" if reason else f"{', '.join(names)}{of}: {status}")


def show_proposal(groups: Sequence[ShapeGroup], written: str | None) -> None:
    """Say which shapes are proposed and why."""
    show()
    if not groups:
        show("no shapes to propose: the fit leaves nothing open that shapes would tell")
        return
    total = sum(len(group.shapes) for group in groups)
    show(f"{total} shapes that would tell what is open" + (f": {written}" if written else ""))
    for group in groups:
        first = ", ".join("x".join(map(str, shape)) for shape in group.shapes[:3])
        more = ", ..." if len(group.shapes) > 3 else ""
        show(f"  {len(group.shapes)} for {group.question}: {group.reason} ({first}{more})")


def _tiles(labels: Sequence[str], result: FitResult) -> str:
    return "all" if len(labels) == len(result.tiles) else ", ".join(labels)


def _text(name: str, value: float, unit: str) -> str:
    if unit in _SCALES:
        scale, shown = _SCALES[unit]
        return f"{digits(value * scale)} {shown}"
    if unit == "s":
        return seconds(value)
    if name == "core_spread":
        return f"{digits(100 * value)} %"
    if name == _MEBIBYTES:
        return f"{digits(value / 2**20)} MiB"
    return f"{value:.0f} {unit}" if unit in ("B", "elements") else f"{value:.0f}"


def _range(name: str, constant: Constant) -> str:
    if not constant.values:
        return "-"
    if constant.kind == "interval":
        low, high = (_text(name, value, constant.unit) for value in (constant.values[0], constant.values[-1]))
        return f"{low} to {high}"
    return ", ".join(
        _text(name, value, constant.unit).removesuffix(f" {constant.unit}") for value in constant.values
    )
