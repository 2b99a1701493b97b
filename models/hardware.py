"""Discrete constants of the hardware that shape the design columns; profiled from timings or taken as known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.device import DeviceRecord
from models.edge_costs import EdgeCosts


@dataclass(frozen=True)
class Hardware:
    """What the terms need to know of a device.

    Attributes
    ----------
    cores : int
        Cores C that run work-groups.
    residency : mapping of tile label to int
        Work-groups R of that tile which one core holds at once; 1 where not stated.
    core_spread : mapping of tile label to float
        How much slower the slowest core is than the fastest in launches of that tile, whatever the cause
        (:mod:`models.list_scheduling`); 0 where not stated: cores stay in step.
    atom : tuple of int
        MMA atom (M, N, K), elements.
    line_bytes : int
        Cache line.
    vector_bytes : int
        Pitch granularity below which loads fall back to single elements.
    cache_bytes : float
        Working set at which the last-level cache begins to spill.
    channels : int or None
        Memory channels; ``None`` when nobody states them.
    interleave_bytes : int or None
        Consecutive bytes on one channel.
    pitch_multiple : int
        Rows are laid out a multiple of this many elements apart; 1 where they follow each other directly.
    kept_bytes : float
        What the caches keep from one launch to the next: the last-level cache where launches find it warm; 0 where
        they find it cold, or nobody states how they do.
    kept_sharpness : float or None
        How abruptly a warm cache gives way around these bytes; ``None`` where it keeps as much as can be kept
        (:func:`models.traffic.lost_share`).
    edges : mapping of tile label to EdgeCosts
        Of tiles whose launches are handed out work-group by work-group (:mod:`models.ragged_launches`).
    overlapping : mapping of tile label to EdgeCosts
        Costs of waves and of bytes, of tiles that overlap memory and computing; those of edges do not count.
    """

    cores: int = 1
    residency: Mapping[str, int] = field(default_factory=dict)
    atom: tuple[int, int, int] = (8, 16, 16)
    line_bytes: int = 128
    vector_bytes: int = 16
    cache_bytes: float = 0.0
    channels: int | None = None
    interleave_bytes: int | None = None
    pitch_multiple: int = 1
    core_spread: Mapping[str, float] = field(default_factory=dict)
    kept_bytes: float = 0.0
    kept_sharpness: float | None = None
    edges: Mapping[str, EdgeCosts] = field(default_factory=dict)
    overlapping: Mapping[str, EdgeCosts] = field(default_factory=dict)

    def pitch(self, width: NDArray[np.int64]) -> NDArray[np.int64]:
        """Distance between the starts of rows of the given widths, in elements."""
        return np.asarray(-(-width // self.pitch_multiple) * self.pitch_multiple)

    def residency_of(self, tile: str) -> int:
        """Residency of one tile."""
        return int(self.residency.get(tile, 1))

    def core_spread_of(self, tile: str) -> float:
        """Spread of the cores' rates in launches of one tile."""
        return float(self.core_spread.get(tile, 0.0))

    def slots_of(self, tile: str) -> int:
        """Work-groups of one tile that a wave holds: cores times residency."""
        return self.cores * self.residency_of(tile)

    def with_waves(self, cores: int, residency: Mapping[str, int]) -> Hardware:
        """Return the same hardware with another core count and residency."""
        return replace(self, cores=cores, residency=dict(residency))

    def with_core_spread(self, tile: str, spread: float) -> Hardware:
        """Return the same hardware with another spread of the cores' rates in launches of one tile."""
        return replace(self, core_spread={**self.core_spread, tile: spread})

    def with_spill_size(self, size: float) -> Hardware:
        """Return the same hardware with another spill size, bytes; what warm caches keep changes in proportion."""
        kept = self.kept_bytes * (size / self.cache_bytes) if self.cache_bytes > 0 else self.kept_bytes
        return replace(self, cache_bytes=size, kept_bytes=kept)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; :meth:`from_dict` is its inverse."""
        return {
            **self.__dict__,
            "residency": dict(self.residency),
            "core_spread": dict(self.core_spread),
            "atom": list(self.atom),
            "edges": {label: costs.to_dict() for label, costs in self.edges.items()},
            "overlapping": {label: costs.to_dict() for label, costs in self.overlapping.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Hardware:
        """Rebuild from plain data."""
        m, n, k = data["atom"]
        costs = {
            kind: {label: EdgeCosts.from_dict(costs) for label, costs in data[kind].items()}
            for kind in ("edges", "overlapping")
        }
        return cls(**{**data, **costs, "residency": dict(data["residency"]), "atom": (int(m), int(n), int(k))})

    @classmethod
    def from_device(
        cls, device: DeviceRecord, vector_bytes: int | None = None, pitch_multiple: int | None = None
    ) -> Hardware:
        """Take what the device record knows; what it leaves open keeps this class's defaults.

        ``vector_bytes`` is a fact of the kernel, where it is known: a compiler may ask for coarser alignment than
        the device does. ``pitch_multiple`` is one of how the operands were laid out.
        """
        default = cls()
        return cls(
            cores=device.cores or default.cores,
            atom=device.atom or default.atom,
            line_bytes=device.line_bytes or default.line_bytes,
            vector_bytes=vector_bytes or device.block_unit_bytes or default.vector_bytes,
            cache_bytes=float(device.last_level_cache_bytes or default.cache_bytes),
            channels=device.memory_channels,
            interleave_bytes=device.channel_interleave_bytes,
            pitch_multiple=pitch_multiple or default.pitch_multiple,
        )
