"""The mechanisms of the twin, by name, and which of them act."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from harness.errors import InputError

MECHANISMS = {
    "base overhead": "a launch costs a constant before its first work-group starts; off: nothing",
    "pipeline fill": "a work-group waits for its first operands; off: it does not",
    "tile padding": "a work-group at the edge computes its whole tile; off: only what is asked for",
    "masked edge": "a work-group at a ragged edge takes the predicated path; off: the plain one",
    "atom remainder": "an edge that cuts a DPAS atom masks its operands; off: it costs nothing",
    "row pitch": "rows that begin inside a cache line cost extra loads; off: nothing",
    "thread latency": "few sub-groups on a core cannot fill its engines; off: they can",
    "core spread": "cores are not equally fast; off: all are as fast as the fastest",
    "memory traffic": "operands and results move through cache and memory; off: they move in no time",
    "cache spill": "what the last-level cache cannot keep is read again; off: it keeps everything",
    "channel hash": "one work-group's rows fall on few memory channels; off: on all alike",
    "raster and swizzle": "the order of work-groups follows the tile counts; off: the better of both orders",
    "wave quantization": "a work-group runs whole, on one core; off: work is divisible, but a launch lasts at "
    "least as long as its longest work-group",
    "wave fill": "fewer work-groups than slots leave slots empty; off: they share all cores",
}
"""What each mechanism costs, and what takes its place when it is off."""


class Switches(NamedTuple):
    """Which mechanisms act, in the order of :data:`MECHANISMS`; compiled code reads these by name."""

    base_overhead: bool = True
    pipeline_fill: bool = True
    tile_padding: bool = True
    masked_edge: bool = True
    atom_remainder: bool = True
    row_pitch: bool = True
    thread_latency: bool = True
    core_spread: bool = True
    memory_traffic: bool = True
    cache_spill: bool = True
    channel_hash: bool = True
    raster_and_swizzle: bool = True
    wave_quantization: bool = True
    wave_fill: bool = True


def switches(off: Iterable[str]) -> Switches:
    """Switch mechanisms off by name.

    Raises
    ------
    InputError
        If a name is unknown.
    """
    names = set(off)
    unknown = names - set(MECHANISMS)
    if unknown:
        raise InputError(f"mechanism {', '.join(sorted(unknown))} is unknown: the twin has {', '.join(MECHANISMS)}")
    return Switches(*(name not in names for name in MECHANISMS))
