"""Hardware constants that the timings tell: cores, residency, spill size, launch cost beside the empty kernel."""

from __future__ import annotations

import math
from typing import Any

from attrib.analysis import Analysis
from attrib.report.numbers_with_units import DASH, count, exponent, interval, mebibytes, scaled
from attrib.report.table import Cell, Table
from models.result import Constant

_ROWS = (
    ("cores", "cores", "{}"),
    ("residency", "residency (work-groups a core)", "{}"),
    ("slots", "slots (work-groups a wave)", "{}"),
    ("cores_of_this_tile_alone", "cores, from this tile alone", "{}"),
    ("cache_spill_bytes", "working set that spills the cache", "bytes"),
    ("base_overhead_s", "base overhead of a launch", "seconds"),
)


def constant_table(analysis: Analysis) -> Table | None:
    """Constants by tile; the last column is what the device record or a measurement says."""
    fits = analysis.fit.tiles
    known = [row for row in _ROWS if any(row[0] in fit.constants for fit in fits.values())]
    if not known:
        return None
    rows = []
    for key, name, kind in known:
        cells = [_cell(fit.constants.get(key), kind) for fit in fits.values()]
        rows.append((Cell(name), *cells, _reference(analysis, key)))
    return Table(
        "constants",
        "Hardware constants from the timings alone. Under each: the values that a bootstrap over blocks leaves "
        "possible (95 %), or the interval of the launch cost, and the status where it is not plainly identified.",
        ("constant", *fits, "known beforehand"),
        tuple(rows),
    )


def _cell(constant: Constant | None, kind: str) -> Cell:
    if constant is None:
        return Cell(DASH)
    notes = []
    if constant.values:
        shown = [_format(value, kind) for value in constant.values]
        if kind == "seconds":
            notes.append(interval(constant.values[0], constant.values[-1], exponent(constant.estimate or 0.0)))
        elif len(shown) > 1 or constant.values[0] != constant.estimate:
            notes.append(" or ".join(shown))
    if constant.status != "identified":
        notes.append(constant.status)
    estimate = constant.estimate
    text = DASH if estimate is None else _format(estimate, kind)
    return Cell(text, estimate, "; ".join(notes))


def _format(value: float, kind: str) -> str:
    if kind == "bytes":
        return mebibytes(value)
    return scaled(value, "s") if kind == "seconds" else count(value)


def _reference(analysis: Analysis, key: str) -> Cell:
    device = analysis.device
    if key in ("cores", "cores_of_this_tile_alone") and device.cores is not None:
        return Cell(f"{device.cores} {device.core_name}s", float(device.cores), "device record")
    if key == "cache_spill_bytes" and device.last_level_cache_bytes is not None:
        size = device.last_level_cache_bytes
        return Cell(mebibytes(size), float(size), "last-level cache, device record")
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
