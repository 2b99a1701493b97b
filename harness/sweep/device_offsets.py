"""How much faster or slower each of several devices of a kind runs the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CYCLES = 20


@dataclass(frozen=True)
class DeviceOffset:
    """Pace of one device against the median of all.

    Attributes
    ----------
    device : str
    fraction : float
        Its times are larger by this fraction.
    error : float
        Standard error of the fraction.
    timings : int
        Repeats it rests on.
    """

    device: str
    fraction: float
    error: float
    timings: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; ``None`` where an offset cannot be told."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


def leveled(
    repeats: NDArray[np.float64], device: NDArray[np.integer[Any]], offsets: Sequence[DeviceOffset]
) -> NDArray[np.float64]:
    """Return the repeats as the median device would have measured them; shape (n, repeat).

    A pace that cannot be told is left as it is.
    """
    if not offsets:
        return repeats
    levels = 1.0 + np.nan_to_num([offset.fraction for offset in offsets])
    return np.asarray(repeats / levels[device])


def device_offsets(
    repeats: NDArray[np.float64], device: NDArray[np.integer[Any]], labels: Sequence[str]
) -> tuple[DeviceOffset, ...]:
    """Estimate each device's pace from the cells that several devices measured.

    Log time is a cell effect plus a device effect: a two-way layout, fitted by medians in turn (Tukey's median
    polish), which a few disturbed repeats do not move.

    Parameters
    ----------
    repeats : ndarray of float64, shape (n, repeat)
        Seconds; NaN where a cell has fewer.
    device : ndarray of int, shape (n, repeat)
        Index into ``labels`` of each repeat.
    labels : sequence of str

    Returns
    -------
    tuple of DeviceOffset
        In the order of ``labels``; empty for one device. A device that shares no cell with another has an
        offset of NaN: it cannot be told from its cells.
    """
    number = len(labels)
    if number < 2:
        return ()
    logs = np.log(repeats)
    device = np.where(np.isfinite(logs), device, -1)
    lowest = np.where(device < 0, number, device).min(axis=1)
    rows = np.flatnonzero(device.max(axis=1) > lowest)
    effect = np.zeros(number)
    used = np.array([int((device[rows] == i).sum()) for i in range(number)])
    scatter = np.full(number, np.nan)
    for _ in range(_CYCLES if rows.size else 0):
        shifted = logs[rows] - effect[np.maximum(device[rows], 0)]
        residual = shifted - np.nanmedian(shifted, axis=1)[:, None]
        step = np.array([np.median(residual[device[rows] == i]) if used[i] else 0.0 for i in range(number)])
        effect += step
        effect -= np.median(effect[used > 0])
        if np.abs(step).max() < 1e-7:
            break
    for i in range(number):
        if used[i]:
            own = residual[device[rows] == i]
            scatter[i] = 1.4826 * np.median(np.abs(own - np.median(own)))
    effect[used == 0] = np.nan
    return tuple(
        DeviceOffset(
            labels[i],
            float(np.expm1(effect[i])),
            float(scatter[i] * np.sqrt(np.pi / 2 / max(1, used[i]))),
            int(used[i]),
        )
        for i in range(number)
    )
