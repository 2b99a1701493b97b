"""How many work-groups the cores hold in each wave of a launch: in step, out of step, and with shorter ones.

Of the work-groups that are left for the last wave each core holds r = ceil(rest / C), the *fill level*, and a wave
of a lower level costs less where R > 1. Counts are capped at 1, 2, ... R, so that non-negative multiples of them
are exactly the costs that increase with the level and are concave.

Cores that are not equally fast fall out of step (:mod:`models.list_scheduling`): steps between waves are rounded,
the more so the more waves there were, and work-groups are no longer left for all cores at once. The core that is
done first takes R of them, so that the last wave costs a whole one. A launch of one wave waits for the slowest
core that has part in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.list_scheduling import first_wave, waves_taken

_ROUNDING = 1e-9


def residents(
    work_groups: NDArray[np.float64], cores: int, residency: int, spread: float = 0.0
) -> NDArray[np.float64]:
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
    caps = np.arange(1, residency + 1)
    counts = np.asarray(full[:, None] * caps + np.minimum(level[:, None], caps))
    if spread > 0.0:
        later = work_groups > slots
        counts[later] = waves_taken(work_groups[later] / slots, spread)[:, None] * caps
        counts[~later] *= first_wave(work_groups[~later] / cores, spread)[:, None]
    return counts


def residents_short_last(
    full: NDArray[np.float64],
    short: NDArray[np.float64],
    length: NDArray[np.float64],
    cores: int,
    residency: int,
    spread: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
    whole: NDArray[np.float64],
    work: NDArray[np.float64],
    last: NDArray[np.float64],
    cores: int,
    residency: int,
    spread: float = 0.0,
) -> NDArray[np.float64]:
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
