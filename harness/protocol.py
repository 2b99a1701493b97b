"""How a landscape is measured: the order, the repeats and the checks, declared before the first launch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import InputError

TOLERANCE = {"bf16": 1e-2, "f16": 2e-3, "f32": 1e-5, "tf32": 2e-3}
"""Largest accepted relative Frobenius error against a float32 reference, by data type of the output."""


@dataclass(frozen=True)
class Protocol:
    """One measuring protocol.

    Attributes
    ----------
    repeats : int
        Passes over all cells, each in a new random order: repeats of a cell lie far apart in time.
    seed : int
        Seed of the orders.
    series_seconds : float
        Launches are repeated back to back until a timing lasts about this long.
    max_launches : int
        Most launches in one timing.
    verified_per_kernel : int
        Cells per compiled kernel whose result is checked against a float32 reference, beside its smallest and
        largest shape.
    """

    repeats: int = 4
    seed: int = 0
    series_seconds: float = 40e-6
    max_launches: int = 16
    verified_per_kernel: int = 6

    def __post_init__(self) -> None:
        if self.repeats < 1 or self.max_launches < 1 or self.series_seconds <= 0:
            raise InputError("protocol: repeats, max_launches and series_seconds must be positive")

    def to_dict(self) -> dict[str, Any]:
        """Return the protocol as plain data, with the rules that have no number."""
        return {
            **asdict(self),
            "order": "all cells of all tiles shuffled anew in every pass",
            "cache": "warm: one untimed launch of the same cell precedes every timing",
            "center": "median of the repeats; nothing is dropped",
        }
