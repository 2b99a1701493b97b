"""The numbers of the simulated chip and of its kernels, each public or calibrated, read from a TOML file."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from harness.errors import DeviceError
from harness.tile import Tile

KINDS = ("public", "calibrated", "assumed")
"""Where a number comes from: a source that states it, the published landscape, or neither (the note says why)."""


class ChipNumbers(NamedTuple):
    """Numbers of the chip, in SI units; ``docs`` of each are the notes in the TOML file."""

    cores: int
    engines: int
    flop_per_cycle: float
    clock_hz: float
    subgroups_per_core: int
    atom_m: int
    atom_n: int
    atom_k: int
    line_bytes: int
    channels: int
    interleave_bytes: int
    bandwidth: float
    cache_bytes: float
    cache_sharpness: float
    overlap: float
    channel_share: float
    base_s: float
    fill_s: float
    core_spread: float
    edge_m: float
    edge_m_constant: float
    edge_n: float
    edge_n_constant: float
    edge_power: float
    atom_mask: float
    k_mask: float
    pitch_work: float
    pitch_latency: float


class KernelNumbers(NamedTuple):
    """Numbers of one tile variant.

    Attributes
    ----------
    m, n, k : int
        The tile, elements.
    sub_groups : int
        Sub-groups of a work-group.
    efficiency : float
        Share of the engines' rate that a full core reaches.
    solo_rate : float
        Share of a core's rate that one work-group alone can use, at most 1.
    edge_scale : float
        Cost of the masked path relative to the chip's.
    """

    m: int
    n: int
    k: int
    sub_groups: int
    efficiency: float
    solo_rate: float
    edge_scale: float


@dataclass(frozen=True)
class Chip:
    """A simulated chip with the kernels that run on it.

    Attributes
    ----------
    id : str
        Name of the set of numbers.
    numbers : ChipNumbers
    kernels : Mapping of Tile to KernelNumbers
        In the order of the file.
    kinds : Mapping of str to str
        One of :data:`KINDS` for every number.
    sources : Mapping of str to str
        The source or the reason of every number.
    """

    id: str
    numbers: ChipNumbers
    kernels: Mapping[Tile, KernelNumbers]
    kinds: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Chip:
        """Read a chip from a TOML file.

        Raises
        ------
        DeviceError
            If the file cannot be read, or a number is missing, unknown or without a source.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise DeviceError(f"{os.fspath(path)}: cannot read the chip file: {error.strerror}") from error
        return _parse(content, os.fspath(path))

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any number."""
        kernels = {tile.name: kernel._asdict() for tile, kernel in self.kernels.items()}
        text = json.dumps([self.numbers._asdict(), kernels], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def replaced(self, changes: Mapping[str, Any]) -> Chip:
        """Return a chip with other numbers: ``"bandwidth"`` or, of one tile, ``"256x256x32.efficiency"``.

        Values keep the type of the number they replace, ``int`` or ``float``.

        Raises
        ------
        DeviceError
            If a name is unknown.
        """
        numbers, kernels = self.numbers, dict(self.kernels)
        by_name = {tile.name: tile for tile in kernels}
        for name, value in changes.items():
            label, _, item = name.rpartition(".")
            if not label and item in ChipNumbers._fields:
                numbers = numbers._replace(**{item: value})
            elif label in by_name and item in KernelNumbers._fields:
                kernels[by_name[label]] = kernels[by_name[label]]._replace(**{item: value})
            else:
                raise DeviceError(f"chip {self.id} has no number {name!r}")
        return replace(self, numbers=numbers, kernels=kernels)


def _parse(content: bytes, origin: str) -> Chip:
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DeviceError(f"{origin}: not TOML: {error}") from error
    unknown = set(document) - {"id", "tiles", *ChipNumbers._fields}
    if unknown or "id" not in document or "tiles" not in document:
        wrong = f"unknown entries {', '.join(sorted(unknown))}" if unknown else "it lacks 'id' or 'tiles'"
        raise DeviceError(f"{origin}: no chip: {wrong}")
    kinds: dict[str, str] = {}
    sources: dict[str, str] = {}

    def number(name: str, entry: Any) -> Any:
        if not isinstance(entry, dict) or not {"value", "kind", "source"} <= set(entry):
            raise DeviceError(f"{origin}: {name}: expected a table with value, kind and source, got {entry!r}")
        value = entry["value"]
        if entry["kind"] not in KINDS or isinstance(value, bool) or not isinstance(value, int | float):
            raise DeviceError(f"{origin}: {name}: kind must be one of {', '.join(KINDS)}, value a number")
        if not 0 <= value < float("inf"):
            raise DeviceError(f"{origin}: {name} must be finite and not negative, got {value}")
        kinds[name], sources[name] = entry["kind"], str(entry["source"])
        return value

    def required(table: Mapping[str, Any], names: tuple[str, ...], prefix: str) -> dict[str, Any]:
        missing = [name for name in names if name not in table]
        if missing:
            raise DeviceError(f"{origin}: {prefix or 'chip'} lacks {', '.join(missing)}")
        return {name: number(prefix + name, table[name]) for name in names}

    numbers = _typed(ChipNumbers, required(document, ChipNumbers._fields, ""))
    kernels = {}
    for label, table in document["tiles"].items():
        tile = Tile.parse(label)
        own = required(table, KernelNumbers._fields[3:], f"{label}.")
        kernels[tile] = _typed(KernelNumbers, {"m": tile.m, "n": tile.n, "k": tile.k, **own})
        if numbers.subgroups_per_core < kernels[tile].sub_groups:
            raise DeviceError(f"{origin}: {label}: a work-group has more sub-groups than a core holds")
    return Chip(str(document["id"]), numbers, kernels, kinds, sources)


def _typed(kind: Any, values: Mapping[str, Any]) -> Any:
    """Make a tuple whose integers are ``int`` and whose other numbers are ``float``, as compiled code expects."""
    whole = {name for name, annotation in get_type_hints(kind).items() if annotation is int}
    return kind(**{name: int(value) if name in whole else float(value) for name, value in values.items()})


def _packaged() -> Chip:
    entry = files("harness.twin") / "b580.toml"
    return _parse(entry.read_bytes(), str(entry))


B580 = _packaged()
"""The Arc B580 with sycl-tla's BF16 GEMM, calibrated to the published landscape."""
