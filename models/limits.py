"""What bounds a launch where its work is divisible: wave quantization, or wave fill, switched off.

Work-groups that run whole end in waves. Where they are divisible, a launch takes what its busiest resource takes
when everything is spread evenly:

=============== ====================================================================================
limit           what lasts so long
=============== ====================================================================================
engines         all work, spread over the cores; what a work-group waits for is hidden by co-residents
slots           all work-groups one by one, with their delays, spread over the slots of all cores
longest         with wave fill, the last work-group: alone on a core, with every delay of a ragged edge
interior        with wave fill, a work-group that reaches no edge: longer than an edge that is not padded
=============== ====================================================================================

Which one it is depends on the coefficients; :meth:`models.result.FitResult.matrix` takes the largest, shape by
shape. Costs that are no core's alone (launch, memory) come on top of each limit alike.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import Enum

import numpy as np
from numpy.typing import NDArray

FILL, QUANTIZATION = "wave fill", "wave quantization"


class Limit(Enum):
    """A resource that may bound a divisible launch."""

    ENGINES = "engines"
    SLOTS = "slots"
    LONGEST = "longest"
    INTERIOR = "interior"


def divisible(whole_groups: NDArray[np.float64], slots: int, on: AbstractSet[str]) -> NDArray[np.bool_]:
    """Whether the work of each launch is divisible, shape (n,).

    Without quantization that of every launch is; without fill that of launches with fewer work-groups than slots.

    Parameters
    ----------
    whole_groups : ndarray, shape (n,)
        Work-groups, those at the edge counted whole.
    slots : int
        Work-groups that a wave holds.
    on : set of str
        Mechanisms that are on.
    """
    if QUANTIZATION not in on:
        return np.ones(whole_groups.shape, dtype=np.bool_)
    if FILL in on:
        return np.zeros(whole_groups.shape, dtype=np.bool_)
    return np.asarray(whole_groups < slots)


def limits(on: AbstractSet[str]) -> tuple[Limit, ...]:
    """Limits of a divisible launch beside that of the engines."""
    return (Limit.SLOTS, Limit.LONGEST, Limit.INTERIOR) if FILL in on else (Limit.SLOTS,)
