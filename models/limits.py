"""What bounds a launch in states that no device is in: wave quantization, wave fill or tile padding switched off.

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

Without padding, work-groups at a ragged edge are shorter, and their delays use up first what they are shorter by:

=============== ====================================================================================
limit           what lasts so long
=============== ====================================================================================
(none)          all work-groups, the last one not delayed
edge            all work-groups, the last one as much shorter and later as the edge makes it
=============== ====================================================================================

Which one it is depends on the coefficients; :meth:`models.result.FitResult.matrix` takes the largest, shape by
shape. Costs that are no core's alone (launch, memory) come on top of each limit alike.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from models.problem import PADDING, Problem

FILL, QUANTIZATION = "wave fill", "wave quantization"


class Limit(Enum):
    """What may bound a launch beside the engines."""

    ENGINES = "engines"
    SLOTS = "slots"
    LONGEST = "longest"
    INTERIOR = "interior"
    EDGE = "edge"


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


def bounded(problem: Problem, slots: int, on: AbstractSet[str]) -> NDArray[np.bool_]:
    """Whether something beside the engines may bound each launch, shape (n,).

    Parameters
    ----------
    problem : Problem
    slots : int
        Work-groups that a wave holds.
    on : set of str
        Mechanisms that are on.
    """
    loose = divisible(problem.whole_groups, slots, on)
    return loose | problem.ragged if PADDING not in on else loose


def limits(on: AbstractSet[str]) -> tuple[Limit, ...]:
    """Limits beside that of the engines, of launches that are :func:`bounded`."""
    found: tuple[Limit, ...] = ()
    if QUANTIZATION not in on or FILL not in on:
        found = (Limit.SLOTS, Limit.LONGEST, Limit.INTERIOR) if FILL in on else (Limit.SLOTS,)
    return found if PADDING in on else (*found, Limit.EDGE)
