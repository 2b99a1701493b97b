"""Hardware constants that the timings tell, each with its set or interval, or why they do not."""

from __future__ import annotations

import math
from typing import Any

from attrib.analysis import Analysis
from attrib.report.numbers_with_units import DASH, count, exponent, interval, mebibytes, scaled
from attrib.report.table import Cell, Table
from models.constants.constant import IDENTIFIED, INTERVAL, Constant

_ROWS = (
    ("cores", "cores", "{}"),
    ("residency", "residency (work-groups a core)", "{}"),
    ("slots", "slots (work-groups a wave)", "{}"),
    ("cores_of_this_tile_alone", "cores, from this tile alone", "{}"),
    ("core_spread", "slowest core, below the fastest", "%"),
    ("cache_spill_bytes", "working set that spills the cache", "bytes"),
    ("k_granularity", "granularity of K (elements)", "{}"),
    ("row_pitch_a_bytes", "granularity of the pitch of A (B)", "{}"),
    ("row_pitch_b_bytes", "granularity of the pitch of B (B)", "{}"),
    ("channels", "memory channels", "{}"),
    ("interleave_bytes", "channel interleave (B)", "{}"),
    ("base_overhead_s", "base overhead of a launch", "seconds"),
    ("core_rate_flop_per_s", "rate of a core in the mainloop", "FLOP/s"),
    ("bandwidth_memory_bytes_per_s", "bandwidth of the memory", "B/s"),
    ("bandwidth_spilt_bytes_per_s", "bandwidth, spilt bytes", "B/s"),
)


def constant_table(analysis: Analysis) -> Table | None:
    """Constants by tile; the last column is what the device record or a measurement says."""
    fits = analysis.fit.tiles
    known = [row for row in _ROWS if any(_told(fit.constants.get(row[0])) for fit in fits.values())]
    if not known:
        return None
    rows = []
    for key, name, kind in known:
        cells = [_cell(fit.constants.get(key), kind) for fit in fits.values()]
        rows.append((Cell(name), *cells, _reference(analysis, key)))
    return Table(
        "constants",
        "Hardware constants from the timings alone. Under each: the values that no other refutes, tested over "
        "blocks (95 %), or the interval of a cost, what else explains the timings alike, and the reason where a "
        "constant is not identifiable.",
        ("constant", *fits, "known beforehand"),
        tuple(rows),
    )


def _cell(constant: Constant | None, kind: str) -> Cell:
    if constant is None:
        return Cell(DASH)
    notes = []
    estimate = constant.estimate
    if constant.values:
        shown = [_format(value, kind) for value in constant.values]
        if constant.kind == INTERVAL:
            power = exponent(constant.estimate or 0.0)
            notes.append(interval(constant.values[0], constant.values[-1], power))
        elif len(shown) > 1 or constant.values[0] != estimate:
            notes.append(" or ".join(shown))
    if constant.note:
        notes.append(constant.note)
    if constant.status != IDENTIFIED:
        notes.append(constant.status)
        if constant.remedy:
            notes.append(f"would be identified by {constant.remedy}")
    text = DASH if estimate is None else _format(estimate, kind)
    return Cell(text, estimate, "; ".join(notes))


def _told(constant: Constant | None) -> bool:
    """Whether there is something to show: an estimate, or a reason that is not simply the absence of a cost."""
    return constant is not None and (constant.estimate is not None or constant.profile is not None)


def _format(value: float, kind: str) -> str:
    if kind == "bytes":
        return mebibytes(value)
    if kind == "%":
        return f"{100.0 * value:.3g} %"
    return count(value) if kind == "{}" else scaled(value, "s" if kind == "seconds" else kind)


def _reference(analysis: Analysis, key: str) -> Cell:
    device = analysis.device
    if key in ("cores", "cores_of_this_tile_alone") and device.cores is not None:
        return Cell(f"{device.cores} {device.core_name}s", float(device.cores), "device record")
    if key == "cache_spill_bytes" and device.last_level_cache_bytes is not None:
        size = device.last_level_cache_bytes
        return Cell(mebibytes(size), float(size), "last-level cache, device record")
    if key == "channels" and device.memory_channels is not None:
        return Cell(count(device.memory_channels), float(device.memory_channels), "device record")
    if key == "interleave_bytes" and device.channel_interleave_bytes is not None:
        size = device.channel_interleave_bytes
        return Cell(count(size), float(size), "device record")
    if key == "row_pitch_b_bytes" and device.line_bytes is not None:
        return Cell(count(device.line_bytes), float(device.line_bytes), "cache line, device record")
    if key == "base_overhead_s":
        empty = seconds_of(analysis.cube.attrs.get("empty_kernel_s"))
        if empty is not None:
            return Cell(scaled(empty, "s"), empty, "empty kernel, measured")
    return Cell(DASH)


def seconds_of(value: Any) -> float | None:
    """Positive, finite number of a cube's attribute, or ``None``."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
