"""What decides which work-groups a ragged launch ends with: costs of one tile, relative to a full wave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Delay = tuple[float, float, float]


@dataclass(frozen=True)
class EdgeCosts:
    """Relative costs of one tile's work-groups, those at ragged edges among them.

    Attributes
    ----------
    levels : tuple of float, length R
        Time of a wave of 1, 2, ... R residents, as parts of a wave of R.
    delay_n, delay_m : tuple of float
        Delay of a work-group ragged in N (M): at once, more from none to half of the tile outside, and more from
        half to all of it; in waves of R.
    corner : float
        What a corner is late beyond both, per share of the tile outside of both edges; in waves of R.
    """

    levels: tuple[float, ...]
    delay_n: Delay = (0.0, 0.0, 0.0)
    delay_m: Delay = (0.0, 0.0, 0.0)
    corner: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; :meth:`from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EdgeCosts:
        """Rebuild from plain data."""
        n, m = ((float(a), float(b), float(c)) for a, b, c in (data["delay_n"], data["delay_m"]))
        return cls(tuple(map(float, data["levels"])), n, m, float(data["corner"]))
