"""The record of one device: its numbers, each with the source that states it.

Where sources disagree, one value is in use and the others are kept beside it as labelled alternatives; a number
that no source states stays open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from harness.device_checks import checked_fields
from harness.device_files import format_json, parse_json, read_toml
from harness.device_numbers import DTYPES, PEAK, UNITS, Alternative, Atom, Value, require_known
from harness.device_table import Entry, device_table
from harness.errors import DeviceError

Kind: TypeAlias = Literal["gpu", "cpu", "other"]


@dataclass(frozen=True)
class DeviceRecord:
    """What is known of one device; ``None`` where a number is open.

    Numbers are addressed by their field name, peaks by ``"peak_flops_per_s.<dtype>"``.

    Attributes
    ----------
    id : str
        Name of the record, ``"b580"``.
    name, vendor : str
        Name of the device and its maker.
    kind : {"gpu", "cpu", "other"}
        Sort of device.
    aliases : tuple of str
        Other names that :func:`harness.device.load_device` accepts, in any case.
    cores : int or None
        Units that run work-groups independently: the C of a wave.
    core_name : str
        What the vendor calls a core: ``"Xe-core"``, ``"SM"``.
    clock_hz : float or None
        Highest clock, in Hz.
    peak_flops_per_s : Mapping of str to float
        Dense peak by element type, in FLOP/s (operations per second for integers).
    bandwidth_bytes_per_s : float or None
        Peak bandwidth of device memory, in B/s.
    last_level_cache_bytes : int or None
        Cache that all cores share, in bytes.
    core_local_bytes : int or None
        Shared memory (SLM) that the work-groups of one core can allocate, in bytes.
    memory_bytes : int or None
        Device memory, in bytes.
    memory_channels : int or None
        Channels over which addresses are spread.
    channel_interleave_bytes : int or None
        Contiguous bytes on one channel.
    line_bytes : int or None
        Cache line, in bytes.
    atom : tuple of int or None
        Smallest (m, n, k) of a matrix instruction on BF16, in elements.
    block_unit_bytes : int or None
        Granularity of the row pitch that block loads accept, in bytes.
    max_subgroups_per_core : int or None
        Sub-groups (warps) a core holds at once in the mode that GEMM kernels run in.
    register_bytes_per_core : int or None
        Register file of one core, in bytes.
    simulated : bool
        Whether the device is a model rather than hardware.
    sources : Mapping of str to str
        Source of each number.
    notes : Mapping of str to str
        Why the value in use is used, or why a number is open.
    alternatives : Mapping of str to tuple of Alternative
        Values that other sources state.

    Raises
    ------
    DeviceError
        If a value has the wrong type, is not positive, or belongs to no known number.
    """

    id: str
    name: str
    vendor: str
    kind: Kind
    aliases: tuple[str, ...] = ()
    cores: int | None = None
    core_name: str = "core"
    clock_hz: float | None = None
    peak_flops_per_s: Mapping[str, float] = field(default_factory=dict)
    bandwidth_bytes_per_s: float | None = None
    last_level_cache_bytes: int | None = None
    core_local_bytes: int | None = None
    memory_bytes: int | None = None
    memory_channels: int | None = None
    channel_interleave_bytes: int | None = None
    line_bytes: int | None = None
    atom: Atom | None = None
    block_unit_bytes: int | None = None
    max_subgroups_per_core: int | None = None
    register_bytes_per_core: int | None = None
    simulated: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    alternatives: Mapping[str, tuple[Alternative, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked = checked_fields({item.name: getattr(self, item.name) for item in fields(self)})
        for key, value in checked.items():
            object.__setattr__(self, key, value)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> DeviceRecord:
        """Read a record from a TOML file, in which every number names its source.

        Parameters
        ----------
        path : str or path-like
            The file; :mod:`harness.devices` describes its layout.

        Raises
        ------
        DeviceError
            If the file cannot be read, or an entry is unknown, lacks its source or has a wrong value; the
            message names the file and the key.
        """
        return read_toml(path, DeviceRecord)

    @classmethod
    def from_json(cls, text: str) -> DeviceRecord:
        """Read a record from the text that :meth:`to_json` wrote.

        Raises
        ------
        DeviceError
            If the text is no record.
        """
        return parse_json(text, cls, tuple(item.name for item in fields(cls)))

    def to_json(self) -> str:
        """Return the whole record as one line of JSON; :meth:`from_json` gives back an equal record."""
        return format_json({item.name: getattr(self, item.name) for item in fields(self)})

    def peak(self, dtype: str, label: str | None = None) -> float:
        """Return the dense peak for an element type, in FLOP/s.

        Parameters
        ----------
        dtype : str
            Element type of A and B, ``"bf16"``.
        label : str, optional
            Label of an alternative; the value in use when absent.

        Raises
        ------
        DeviceError
            If the record states no such peak.
        """
        return self.number(f"{PEAK}.{dtype}", label)

    def number(self, key: str, label: str | None = None) -> float:
        """Return a number that must not be open, or one of its alternatives.

        Parameters
        ----------
        key : str
            Field name, or ``"peak_flops_per_s.<dtype>"``; not ``"atom"``.
        label : str, optional
            Label of an alternative; the value in use when absent.

        Returns
        -------
        float
            The number in SI units.

        Raises
        ------
        DeviceError
            If the number is unknown or open, or has no such alternative.
        """
        require_known(key)
        others = {alternative.label: alternative.value for alternative in self.alternatives.get(key, ())}
        listed = f"alternatives: {', '.join(others)}" if others else "no alternatives"
        value = self._in_use(key) if label is None else others.get(label)
        if value is None and label is None:
            raise DeviceError(
                f"{key} of {self.name} is open ({listed}): "
                "state it, with its source, in a device TOML file of your own"
            )
        if value is None:
            raise DeviceError(f"{key} of {self.name} has no alternative {label!r} ({listed})")
        if isinstance(value, tuple):
            raise DeviceError(f"{key} of {self.name} is a triple, not one number: read the field itself")
        return float(value)

    def __str__(self) -> str:
        entries = (
            Entry(key, self._in_use(key), self.sources.get(key, ""), self.alternatives.get(key, ()))
            for key in self._keys()
        )
        simulated = "simulated " if self.simulated else ""
        return device_table(f"{self.name} ({self.id}), {simulated}{self.kind} by {self.vendor}", entries)

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __reduce__(self) -> tuple[Callable[[str], DeviceRecord], tuple[str]]:
        return DeviceRecord.from_json, (self.to_json(),)  # read-only mappings do not pickle

    def _in_use(self, key: str) -> Value | None:
        name, _, dtype = key.partition(".")
        value: Value | None = self.peak_flops_per_s.get(dtype) if dtype else getattr(self, name)
        return value

    def _keys(self) -> Iterable[str]:
        for name in UNITS:
            if name != PEAK:
                yield name
                continue
            keys = [f"{PEAK}.{dtype}" for dtype in DTYPES]
            yield from (key for key in keys if self._in_use(key) is not None or key in self.alternatives)
