"""The numbers that a device record can state: their names, their units, and the values it does not use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from harness.errors import DeviceError

Atom: TypeAlias = tuple[int, int, int]
Value: TypeAlias = int | float | Atom

DTYPES: Final = ("bf16", "f16", "tf32", "f32", "f64", "fp8", "i8")
"""Element types for which a record can state a peak."""

PEAK: Final = "peak_flops_per_s"
"""The one number that is stated by element type, ``"peak_flops_per_s.<dtype>"``."""

UNITS: Final = {
    "cores": "",
    "clock_hz": "Hz",
    PEAK: "FLOP/s",
    "bandwidth_bytes_per_s": "B/s",
    "last_level_cache_bytes": "B",
    "core_local_bytes": "B",
    "memory_bytes": "B",
    "memory_channels": "",
    "channel_interleave_bytes": "B",
    "line_bytes": "B",
    "atom": "",
    "block_unit_bytes": "B",
    "max_subgroups_per_core": "",
    "register_bytes_per_core": "B",
}
"""Unit of each number, by its field name; empty for counts."""


@dataclass(frozen=True)
class Alternative:
    """A value that some source states for a number, and that the record does not use.

    Attributes
    ----------
    label : str
        Short name, unique among the alternatives of one number: ``"paper-section-9"``.
    value : int or float or tuple of int
        The value, in the unit of the number.
    source : str
        Who states it.
    note : str
        Why it is not the value in use.
    """

    label: str
    value: Value
    source: str
    note: str


def require_known(key: str) -> None:
    """Check that `key` addresses a number: a field name, or ``"peak_flops_per_s.<dtype>"``.

    Raises
    ------
    DeviceError
        If it does not; the message lists what there is.
    """
    name, _, dtype = key.partition(".")
    if name not in UNITS or (name == PEAK) != bool(dtype):
        raise DeviceError(f"{key}: no such number of a device, expected one of {', '.join(UNITS)}")
    if dtype and dtype not in DTYPES:
        raise DeviceError(f"{key}: unknown element type, expected one of {', '.join(DTYPES)}")
