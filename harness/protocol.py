"""How a landscape is measured: the order, the repeats and the checks, declared before the first launch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import InputError

TOLERANCE = {"bf16": 1e-2, "f16": 2e-3, "f32": 1e-5, "tf32": 2e-3, "f64": 1e-13}
"""Largest accepted relative Frobenius error against a float32 (or wider) reference, by data type of the output."""

CACHE_STATES = ("warm", "cold", "rotating")
"""How a timing finds the caches.

``warm``: an untimed launch of the same cell comes just before. ``cold``: other data displace the last-level
cache before every timed launch. ``rotating``: successive launches use different operands, more of them than fit the
cache.
"""

_CACHE_RULE = {
    "warm": "warm: one untimed launch of the same cell precedes every timing",
    "cold": "cold: other data displace the last-level cache before every timed launch",
    "rotating": "rotating: successive launches use different operands, more of them than fit the cache",
}


@dataclass(frozen=True)
class Protocol:
    """One measuring protocol.

    Attributes
    ----------
    repeats : int
        Passes over all cells, each in a new random order: repeats of a cell lie far apart in time.
    max_repeats : int
        Most repeats of a cell. Beyond ``repeats``, a pass visits only the cells whose error is above the target.
    target_error : float
        Relative standard error of a cell's median at which it is measured no further.
    seed : int
        Seed of the orders and of the cells that are verified.
    cache : str
        One of :data:`CACHE_STATES`.
    series_seconds : float
        Launches are repeated back to back until a timing lasts about this long.
    max_launches : int
        Most launches in one timing.
    outlier_threshold : float
        A repeat further than this many robust standard deviations from its cell's median is counted as an
        outlier. It is kept: the median does not heed it, and the spread is robust.
    sentinels : int
        Cells measured again with every batch, to show drift.
    verified_per_kernel : int
        Cells per compiled kernel whose result is checked against a reference, beside its smallest and largest
        shape.
    warmup_seconds : float
        Untimed work before the first timing of every start, so that clocks settle.
    """

    repeats: int = 4
    max_repeats: int = 12
    target_error: float = 0.01
    seed: int = 0
    cache: str = "warm"
    series_seconds: float = 40e-6
    max_launches: int = 16
    outlier_threshold: float = 5.0
    sentinels: int = 8
    verified_per_kernel: int = 6
    warmup_seconds: float = 0.5

    def __post_init__(self) -> None:
        for name in ("repeats", "max_launches", "series_seconds", "target_error", "outlier_threshold"):
            if not getattr(self, name) > 0:
                raise InputError(f"protocol: {name} must be positive, got {getattr(self, name)}")
        for name in ("seed", "sentinels", "verified_per_kernel", "warmup_seconds"):
            if getattr(self, name) < 0:
                raise InputError(f"protocol: {name} must not be negative, got {getattr(self, name)}")
        if self.max_repeats < self.repeats:
            raise InputError(f"protocol: max_repeats ({self.max_repeats}) is below repeats ({self.repeats})")
        if self.cache not in CACHE_STATES:
            raise InputError(f"protocol: cache {self.cache!r} is unknown: expected {' or '.join(CACHE_STATES)}")

    def to_dict(self) -> dict[str, Any]:
        """Return the protocol as plain data, with the rules that have no number."""
        return {
            **asdict(self),
            "order": "all cells of all tiles shuffled anew in every pass",
            "cache_rule": _CACHE_RULE[self.cache],
            "center": "median of the repeats; nothing is dropped",
            "stopping": "a cell is done when the moderated standard error of its median is within the target, "
            "judged between whole passes, never within one",
        }
