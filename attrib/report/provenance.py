"""Head of the page: the device, the cells, and how they were measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from attrib.analysis import Analysis
from attrib.report.numbers_with_units import count, percent, scaled
from attrib.report.table import Cell, Table
from harness.cube import STATUS, is_dense, tiles_of

_SHOWN_ELSEWHERE = {"device", "schema_version", "title", "simulated", "dtype", "layout", "measured_at"}
_TIMES_OF_DAY = {"start", "read"}
"""Keys of Unix seconds."""
_LONGEST = 400


@dataclass(frozen=True)
class Provenance:
    """What the header says.

    Attributes
    ----------
    title : str
    simulated : bool
    facts : tuple of (str, str)
        Name and value, in order.
    details : Table or None
        All that the cube records about its measurement.
    """

    title: str
    simulated: bool
    facts: tuple[tuple[str, str], ...]
    details: Table | None

    @classmethod
    def of(cls, analysis: Analysis) -> Provenance:
        """Read device and cube attributes; what is absent is left out."""
        cube, device, attrs = analysis.cube, analysis.device, analysis.cube.attrs
        facts = [("Device", f"{device.name} ({device.vendor})")]
        if device.cores is not None:
            facts.append(("Cores", f"{device.cores} {device.core_name}s"))
        dtype = str(attrs["dtype"])
        if dtype in device.peak_flops_per_s:
            facts.append(("Peak", scaled(device.peak_flops_per_s[dtype], "FLOP/s")))
        if device.bandwidth_bytes_per_s is not None:
            facts.append(("Memory bandwidth", scaled(device.bandwidth_bytes_per_s, "B/s")))
        output = f", output {attrs['dtype_out']}" if attrs.get("dtype_out", dtype) != dtype else ""
        layout = f", layout {attrs['layout']}" if "layout" in attrs else ""
        facts.append(("Data", f"{dtype}{output}{layout}"))
        facts.append(("Shapes", _shapes(analysis)))
        facts.append(("Kernels", ", ".join(tile.name for tile in tiles_of(cube))))
        facts.append(("Cells", _cells(np.asarray(cube["status"].values))))
        if attrs.get("measured_at"):
            facts.append(("Measured", str(attrs["measured_at"])))
        protocol = _decoded(attrs.get("protocol"))
        repeats = _repeats(analysis)
        if repeats:
            center = protocol.get("center") if isinstance(protocol, dict) else None
            facts.append(("Repeats", repeats + (f"; {center}" if center else "")))
        drift = _decoded(attrs.get("drift"))
        if isinstance(drift, dict) and drift.get("trend") is not None:
            moved = f"{percent(drift['trend'])} from begin to end; {percent(drift['beyond_noise'])} beyond noise"
            facts.append(("Drift of the sentinels", moved))
        noise = [fit.noise for fit in analysis.fit.tiles.values() if np.isfinite(fit.noise)]
        if noise:
            facts.append(("Noise", f"{percent(float(np.median(noise)))} (median spread of one repeat)"))
        return cls(f"GEMM landscape of {device.name}", device.simulated, tuple(facts), _details(attrs))


def _repeats(analysis: Analysis) -> str:
    """Repeats of a cell, fewest to most; of a cube that was packed, those that were measured."""
    cube = analysis.cube
    if "repeats_measured" in cube.attrs:
        return str(cube.attrs["repeats_measured"])
    if "time_repeats" not in cube:
        return ""
    counts = cube["time_repeats"].notnull().sum("repeat").values[cube["status"].values == STATUS["ok"]]
    if counts.size == 0:
        return ""
    low, high = int(counts.min()), int(counts.max())
    return f"{low}" if low == high else f"{low} to {high}"


def _shapes(analysis: Analysis) -> str:
    cube = analysis.cube
    parts = []
    for axis in "MNK":
        values = np.asarray(cube[axis].values)
        parts.append(f"{axis} {values.min()} to {values.max()}")
    if not is_dense(cube):
        return ", ".join(parts) + " (samples off a grid)"
    return ", ".join(parts) + " (" + " × ".join(str(cube.sizes[axis]) for axis in "MNK") + " grid)"


def _cells(status: np.ndarray[Any, Any]) -> str:
    parts = [
        f"{count(int((status == value).sum()))} {name.replace('_', ' ')}"
        for name, value in STATUS.items()
        if (status == value).any()
    ]
    whole = count(status.size)
    return (
        f"{whole}, all ok" if len(parts) == 1 and (status == STATUS["ok"]).all() else f"{whole}: {', '.join(parts)}"
    )


def _decoded(value: Any) -> Any:
    """Attribute values are plain or JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _details(attrs: dict[str, Any]) -> Table | None:
    rows: list[tuple[Cell, ...]] = []
    for key, raw in attrs.items():
        if key in _SHOWN_ELSEWHERE:
            continue
        value = _decoded(raw)
        if isinstance(value, dict) and value:
            rows += [(Cell(f"{key}: {name}"), Cell(_text(name, item))) for name, item in value.items()]
        elif not (isinstance(value, dict | list) and not value):
            rows.append((Cell(str(key)), Cell(_text(str(key), value))))
    if not rows:
        return None
    return Table("protocol", "What the cube records about its measurement", ("record", "value"), tuple(rows))


def _text(name: str, value: Any) -> str:
    if isinstance(value, list):
        text = ("; " if any(isinstance(item, dict | list) for item in value) else ", ").join(
            _text(name, item) for item in value
        )
    elif isinstance(value, dict):
        text = ", ".join(f"{key} {_text(key, item)}" for key, item in value.items())
    elif isinstance(value, float | np.floating):
        text = _number(name, float(value))
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _number(name: str, value: float) -> str:
    """Give numbers the unit that their key ends in, and times of day their date."""
    if not np.isfinite(value):
        return str(value)
    if name in _TIMES_OF_DAY and value > 0:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    for ending, unit in (("_bytes_per_s", "B/s"), ("_flop_per_s", "FLOP/s"), ("_seconds", "s"), ("_s", "s")):
        if name.endswith(ending):
            return scaled(value, unit)
    if "empty_kernel_s" in name:
        return scaled(value, "s")
    return f"{value:.6g}"
