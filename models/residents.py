"""How many work-groups the cores hold in each wave of a launch: in step, out of step, and with shorter ones.

Of the work-groups that are left for the last wave each core holds r = ceil(rest / C), the *fill level*, and a wave
of a lower level costs less where R > 1. Counts are capped at 1, 2, ... R, so that non-negative multiples of them
are exactly the costs that increase with the level and are concave.

Cores that are not equally fast fall out of step (:mod:`models.list_scheduling`): steps between waves are rounded,
the more so the more waves there were, and work-groups are no longer left for all cores at once. The core that is
done first takes R of them, so that the last wave costs a whole one, unless fewer are left altogether. A launch of
one wave waits for the slowest of the cores that hold most, or of all where that takes longer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.list_scheduling import first_wave, waves_taken

Array = NDArray[np.float64]

_ROUNDING = 1e-9
_MIDDLE = 0.5
"""Of a core's part of the continuum of :mod:`models.list_scheduling`, in parts: it has that core's rate. Counted
to its end, launches on eight cores would last 0.6 % too long."""


def residents(work_groups: Array, cores: int, residency: int, spread: float = 0.0) -> Array:
    """Count the work-groups that a core holds in each wave, capped at 1, 2, ... R.

    Parameters
    ----------
    work_groups : ndarray, shape (n,)
        W; padded, so whole numbers.
    cores, residency : int
        C and R.
    spread : float
        How much slower the slowest core is than the fastest; 0 keeps cores in step.

    Returns
    -------
    ndarray of float64, shape (n, R)
        Column j - 1 is the sum of min(level, j) over the waves of a launch.
    """
    slots = cores * residency
    full = np.floor(work_groups / slots)
    level = np.ceil((work_groups - full * slots) / cores)
    caps = np.arange(1.0, residency + 1.0)
    counts = np.asarray(full[:, None] * caps + np.minimum(level[:, None], caps))
    if spread > 0.0 and cores > 1:
        later = work_groups > slots
        counts[later] = _later_waves(work_groups[later], cores, caps, spread)
        level = np.where(full == 1, residency, level)
        counts[~later] = _first_wave(work_groups[~later], level[~later], cores, caps, spread)
    return counts


def _first_wave(work_groups: Array, level: Array, cores: int, caps: Array, spread: float) -> Array:
    """Residents of launches that fit in one wave: on the cores that hold most, or on the slowest of all."""
    most = first_wave(work_groups - (level - 1.0) * cores, cores, spread)[:, None] * np.minimum(
        level[:, None], caps
    )
    slowest = first_wave(np.array([float(cores)]), cores, spread) * np.minimum(level[:, None] - 1.0, caps)
    return np.asarray(np.maximum(most, slowest))


def _later_waves(work_groups: Array, cores: int, caps: Array, spread: float) -> Array:
    """Residents of launches of more than a wave: whole waves, but for the few that fit on the first free core.

    A core is done with its R at once and takes the next R: the last, where fewer are left, end before the others.
    """
    residency = caps[-1]
    full = np.floor(work_groups / (cores * residency))
    left = work_groups - full * cores * residency
    among = _of_a_continuum(spread, cores)
    counts = waves_taken((np.floor(work_groups / residency) - _MIDDLE) / cores, among)[:, None] * caps
    few = np.flatnonzero((left > 0) & (left < residency))
    on_the_fastest = (1.0 - spread / 2.0) * (full[few, None] * caps + np.minimum(left[few, None], caps))
    counts[few] = np.maximum(waves_taken(full[few] - _MIDDLE / cores, among)[:, None] * caps, on_the_fastest)
    return np.asarray(counts)


def _of_a_continuum(spread: float, cores: int) -> float:
    """Spread of a continuum of cores whose C equal parts have the rates of C cores in their middles."""
    beyond = spread / (cores - 1.0)
    return (spread + beyond) / (1.0 + beyond / 2.0)


def residents_short_last(
    full: Array,
    short: Array,
    length: Array,
    cores: int,
    residency: int,
    spread: float = 0.0,
) -> tuple[Array, Array]:
    """Count residents as `residents` does where the last work-groups of the raster are shorter than the others.

    They first fill the slots that the last wave of the others leaves empty, one after another as long as that wave
    lasts, and then take waves of their own.

    Parameters
    ----------
    full, short : ndarray, shape (n,)
        Work-groups of full length, and shorter ones: at least one of these.
    length : ndarray, shape (n,)
        Length of a shorter one, on average, in (0, 1).
    cores, residency, spread
        As for :func:`residents`.

    Returns
    -------
    counts : ndarray of float64, shape (n, R)
    ahead : ndarray of float64, shape (n,)
        How long before the launch the last of the shorter ones ends, in work-groups of full length.
    """
    slots = cores * residency
    caps = np.arange(1, residency + 1)
    rest = full - np.floor(full / slots) * slots
    empty = slots - rest
    # Empty slots take one every length from the begin of the last wave, the others from its end on.
    beside = np.ceil(1.0 / length - _ROUNDING) * empty
    beside = np.where(rest > 0, beside, np.inf)
    late = np.maximum(0.0, short - beside)
    turns = np.ceil(late / slots - _ROUNDING) - 1.0
    behind = np.where(late - turns * slots <= rest, 1.0, np.ceil(1.0 / length - _ROUNDING) * length)
    early = np.ceil(short / empty - _ROUNDING) * length
    end = np.where(late > 0, behind + turns * length + length, early)
    waves = np.where(rest > 0, np.maximum(0.0, end - 1.0), end)
    occupied = full + np.where(rest > 0, np.minimum(short, empty), 0.0)
    some = occupied > 0
    counts = np.zeros((full.size, residency))
    counts[some] = residents(occupied[some], cores, residency)
    later = full > slots
    counts[later] = residents(full[later], cores, residency, spread) if spread > 0.0 else counts[later]
    # Shorter work-groups alone are a launch of equal ones.
    first = np.where(some, 0.0, np.minimum(waves, length))
    counts += first[:, None] * residents(np.minimum(short, slots), cores, residency)
    counts += (waves - first)[:, None] * caps
    # Nor do they last longer than they would if they were all of full length.
    counts = np.minimum(counts, residents(full + short, cores, residency, spread))
    return counts, np.where(rest > 0, np.maximum(0.0, 1.0 - end), 0.0)


def residents_out_of_step(
    whole: Array,
    work: Array,
    last: Array,
    cores: int,
    residency: int,
    spread: float = 0.0,
) -> Array:
    """Count residents as `residents` does where shorter work-groups are scattered among the others.

    They fall out of step with them, and waves no longer end at once: launches of more than a wave lose what a last
    wave loses on average over all fill levels, or half a wave where cores are out of step anyway, but no more than
    equal work-groups would.

    Parameters
    ----------
    whole : ndarray, shape (n,)
        Work-groups of each launch.
    work : ndarray, shape (n,)
        Their work in work-groups of full length.
    last : ndarray, shape (n,)
        Length of most of the last ones of a launch, in (0, 1].
    cores, residency, spread
        As for :func:`residents`.

    Returns
    -------
    ndarray of float64, shape (n, R)
    """
    slots = cores * residency
    caps = np.arange(1, residency + 1)
    levels = np.minimum(caps[:, None], caps).mean(axis=0)
    lost = (levels if spread <= 0.0 else caps) - caps / 2.0
    least = residents(np.minimum(whole, slots), cores, residency, spread)
    most = residents(whole, cores, residency, spread)
    return np.asarray(np.clip((work / slots)[:, None] * caps + last[:, None] * lost, least, most))
