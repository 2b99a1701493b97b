"""What is attributed: roughness along each axis, throughput lost against the ideal, and slowdown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.attribution.stage_kernels import MEAN_LOG_TIME, MEAN_RATE, RAW_QUANTITIES

Array = NDArray[np.float64]

STEP, RATE, LOG = "TFLOP/s per step", "TFLOP/s", "ln of time over ideal time"


@dataclass(frozen=True)
class Quantity:
    """A number that a landscape has, linear in the raw ones that one pass over its times yields.

    Attributes
    ----------
    key : str
    unit : str
    meaning : str
        A few words to read aloud.
    weights : tuple of (int, float)
        Places among the raw quantities and their factors.
    axis : str or None
        Axis of its steps, where it has some along one axis.
    whole : bool
        Whether it needs the whole cube rather than the slice at the largest K.
    against_ideal : bool
        Whether it is counted from the ideal landscape.
    """

    key: str
    unit: str
    meaning: str
    weights: tuple[tuple[int, float], ...]
    axis: str | None = None
    whole: bool = True
    against_ideal: bool = False

    def matrix_row(self) -> Array:
        """Factors of all raw quantities, shape (RAW_QUANTITIES,)."""
        row = np.zeros(RAW_QUANTITIES)
        for place, factor in self.weights:
            row[place] = factor
        return row


_THIRD = 1.0 / 3.0

QUANTITIES: dict[str, Quantity] = {
    item.key: item
    for item in (
        Quantity("slice_N", STEP, "roughness along N, slice at the largest K", ((0, 1.0),), "N", False),
        Quantity("slice_M", STEP, "roughness along M, slice at the largest K", ((1, 1.0),), "M", False),
        Quantity("M", STEP, "roughness along M", ((2, 1.0),), "M"),
        Quantity("N", STEP, "roughness along N", ((3, 1.0),), "N"),
        Quantity("K", STEP, "roughness along K", ((4, 1.0),), "K"),
        Quantity("mean", STEP, "roughness, mean of the three axes", ((2, _THIRD), (3, _THIRD), (4, _THIRD))),
        Quantity(
            "lost_throughput",
            RATE,
            "mean throughput below the ideal landscape",
            ((MEAN_RATE, -1.0),),
            against_ideal=True,
        ),
        Quantity(
            "slowdown",
            LOG,
            "mean natural logarithm of time over ideal time (0.10 is about 10 % longer)",
            ((MEAN_LOG_TIME, 1.0),),
            against_ideal=True,
        ),
    )
}
"""All quantities by key.

Mean time is taken as a logarithm: total seconds would belong to the few largest shapes, and errors of a model are
relative. The ideal only shifts the measured value and the floor; what mechanisms add does not depend on it.
"""


def ideal_offset(quantity: Quantity, ideal: Array, volume: Array, available: NDArray[np.bool_]) -> float:
    """What a quantity is counted from: the ideal's own mean over the cells that a stage has.

    Parameters
    ----------
    quantity : Quantity
    ideal : ndarray, shape (M, N, K)
        Ideal throughput, TFLOP/s.
    volume : ndarray, shape (M, N, K)
        Work 2MNK in TFLOP.
    available : ndarray of bool, shape (M, N, K)
    """
    if quantity.key == "lost_throughput":
        return float(ideal[available].mean())
    return -float(np.log(volume[available] / ideal[available]).mean())
