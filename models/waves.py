"""Count the cores from timings: profile the core count C and each tile's residency R.

For every candidate (C, R) the model is refitted and its squared relative error kept. The wave columns depend on
a sample only through its work-groups W and steps I, so sums over groups of equal W make one candidate a matter of
microseconds.

Timings show the slots P = C R of a tile. Where a partly filled wave costs as much as a full one, C cores with R
residents and C R cores with one are the same model, and only the other tiles tell them apart: C divides the slots
of all. A residency that changes nothing therefore costs nothing in the criterion, and of core counts that explain
every tile alike the largest is taken: as few residents as will do. A device record may know better: the count that
it states is used unless others explain the timings better by more than the luck of many candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.constants.confidence import unrefuted
from models.problem import Problem
from models.residents import residents
from models.solve import solve_nonnegative

Array = NDArray[np.float64]

MAX_RESIDENCY = 4
_CLOSEST = 24
"""Candidates nearest to the best are tested for the confidence set."""
_ALIKE = 1e-3
"""Criteria this close differ by rounding only."""
_EXACT = 1e-12
"""Mean squared relative residual of a fit that is exact but for rounding."""
_AKAIKE = 2.0
"""What a free parameter must gain, in twice the log likelihood, for a finer count not to be an alias."""


@dataclass(frozen=True)
class WaveProfile:
    """Loss of one tile over candidates.

    Attributes
    ----------
    cores : ndarray of int64, shape (c,)
        Candidate core counts.
    criterion : ndarray, shape (c, R)
        B log(loss / n) + p log B, with B blocks as the effective sample size and p the degrees of freedom: lower
        is better. Column r is residency r + 1. Of the wave columns, those that cost something count (Meyer and
        Woodroofe, Annals of Statistics 28, 2000).
    fit : ndarray, shape (c, R)
        B log(loss / n) alone.
    n_blocks : int
    """

    cores: NDArray[np.int64]
    criterion: Array
    fit: Array
    n_blocks: int

    @property
    def akaike(self) -> Array:
        """B log(loss / n) + 2 p, shape (c, R): what a finer count must gain not to be an alias of a coarser one."""
        freedom = (self.criterion - self.fit) / np.log(self.n_blocks)
        return np.asarray(self.fit + _AKAIKE * freedom)

    @property
    def best(self) -> tuple[int, int]:
        """The best (C, R) of this tile alone; of those that explain it alike the one with the fewest residents."""
        residency = int(np.argmin(_first(self.criterion.min(axis=0)))) + 1
        return int(self.cores[int(np.argmin(self.criterion[:, residency - 1]))]), residency

    def residency_at(self, cores: int) -> int:
        """Best residency for a given core count, the lowest of those that explain the tile alike."""
        row = int(np.searchsorted(self.cores, cores))
        return int(np.argmin(_first(self.criterion[row]))) + 1


class GroupedWaves:
    """Sums over (block, W) from which the fit at any (C, R) follows.

    Parameters
    ----------
    problem : Problem
        Shapes of one tile, length n.
    time : ndarray, shape (n,)
        Seconds.
    others : ndarray, shape (n, q)
        Columns of all terms but the waves.
    blocks : ndarray of int64, shape (n,)
    on : set of str
        Mechanisms that are on.
    spread : float
        How far cores fall out of step (:mod:`models.list_scheduling`).
    """

    def __init__(
        self,
        problem: Problem,
        time: Array,
        others: Array,
        blocks: NDArray[np.int64],
        on: frozenset[str],
        spread: float = 0.0,
    ) -> None:
        self.spread = spread
        groups = problem.work_groups(on)
        key = np.stack([blocks.astype(np.float64), groups], axis=1)
        distinct, label = np.unique(key, axis=0, return_inverse=True)
        order = np.argsort(label.ravel(), kind="stable")
        columns = np.concatenate([np.ones((time.size, 1)), problem.steps(on)[:, None], others], axis=1)
        scaled = (columns / time[:, None])[order]
        starts = np.searchsorted(label.ravel()[order], np.arange(distinct.shape[0]))
        width = scaled.shape[1]
        self._gram = np.empty((distinct.shape[0], width, width))
        for j in range(width):
            self._gram[:, j] = np.add.reduceat(scaled * scaled[:, j : j + 1], starts, axis=0)
        self._moment = np.add.reduceat(scaled, starts, axis=0)
        self._count = np.diff(np.append(starts, time.size)).astype(np.float64)
        self._groups = distinct[:, 1]
        self.most_groups = int(groups.max())
        self.block_of_group = distinct[:, 0].astype(np.int64)
        self.n = time.size
        self.n_blocks = int(blocks.max()) + 1
        self.width = width
        # The same over W alone: all that a fit to every block needs.
        self._counts, place = np.unique(self._groups, return_inverse=True)
        waves, rest = self._gram[:, :2, :2].reshape(-1, 4), self._gram[:, :2, 2:].reshape(-1, 2 * (width - 2))
        self._wave_gram, self._cross_gram, self._wave_moment = (
            _summed(part, place.ravel(), self._counts.size) for part in (waves, rest, self._moment[:, :2])
        )
        self._rest_gram = self._gram[:, 2:, 2:].sum(axis=0)
        self._rest_moment = self._moment[:, 2:].sum(axis=0)

    def fit(self, cores: int, residency: int) -> tuple[Array, Array]:
        """Gram matrix (p, p) and moment (p,) at one (C, R): wave and wave step by level, then the others."""
        levels = residents(self._counts, cores, residency, self.spread)
        count, q = 2 * residency, self._rest_moment.size
        products = (levels[:, :, None] * levels[:, None, :]).reshape(levels.shape[0], -1)
        waves = (products.T @ self._wave_gram).reshape(residency, residency, 2, 2).transpose(0, 2, 1, 3)
        cross = (levels.T @ self._cross_gram).reshape(count, q)
        gram = np.empty((count + q, count + q))
        gram[:count, :count] = waves.reshape(count, count)
        gram[:count, count:], gram[count:, :count] = cross, cross.T
        gram[count:, count:] = self._rest_gram
        moment = np.concatenate([(levels.T @ self._wave_moment).ravel(), self._rest_moment])
        return gram, moment

    def solved(self, cores: int, residency: int) -> tuple[float, Array]:
        """Sum of squared relative residuals of the refitted model, and its coefficients (p,)."""
        gram, moment = self.fit(cores, residency)
        theta = solve_nonnegative(gram, moment)
        return max(float(self.n - 2.0 * moment @ theta + theta @ gram @ theta), 0.0), theta

    def loss(self, cores: int, residency: int) -> tuple[float, int]:
        """Sum of squared relative residuals of the refitted model, and its number of columns."""
        loss, theta = self.solved(cores, residency)
        return loss, theta.size

    def block_loss(self, cores: int, residency: int) -> Array:
        """The same by block, shape (B,)."""
        theta = solve_nonnegative(*self.fit(cores, residency))
        levels = residents(self._groups, cores, residency, self.spread)
        projected = np.empty((levels.shape[0], self.width))
        projected[:, :2] = levels @ theta[: 2 * residency].reshape(residency, 2)
        projected[:, 2:] = theta[2 * residency :]
        quadratic = np.einsum("gi,gij,gj->g", projected, self._gram, projected)
        by_group = self._count - 2.0 * np.einsum("gi,gi->g", self._moment, projected) + quadratic
        found = np.bincount(self.block_of_group, by_group, self.n_blocks)
        # Rounding differs between candidates that are the same model, and is no evidence against one of them.
        rounding = _EXACT * np.bincount(self.block_of_group, self._count, self.n_blocks)
        return np.asarray(np.maximum(rounding, found))

    def profile(self, candidates: NDArray[np.int64], max_residency: int = MAX_RESIDENCY) -> WaveProfile:
        """Profile all candidates."""
        fit, freedom = np.empty((2, candidates.size, max_residency))
        for row, cores in enumerate(candidates):
            for residency in range(1, max_residency + 1):
                loss, theta = self.solved(int(cores), residency)
                active = np.count_nonzero(theta[: 2 * residency])
                fit[row, residency - 1] = self.n_blocks * np.log(max(loss / self.n, _EXACT))
                freedom[row, residency - 1] = active + theta.size - 2 * residency
        return WaveProfile(candidates, fit + freedom * np.log(self.n_blocks), fit, self.n_blocks)


@dataclass(frozen=True)
class WaveConstants:
    """Cores and residencies that the timings imply.

    Attributes
    ----------
    cores : int
        The device record's count where the timings do not refute it or identify none; else the winner.
    alone : int
        Winner over all tiles together, by the timings alone.
    cores_set : tuple of int
        95 % confidence set: core counts that no other refutes, without those that merely divide one of them, unless
        the device record states it.
    residency, residency_set : mapping of tile label to int, and to the residencies that no other refutes
        At the common core count.
    by_tile : mapping of tile label to (cores, residency, set of core counts)
        What each tile alone implies.
    identified : bool
        Whether the set is small enough to mean something, some launch needs more than one wave, and waves
        explain the timings better than a cost by the work-group by more than the luck of many candidates.
    profiles : mapping of tile label to WaveProfile
        Criterion of every candidate.
    aliases : tuple of int
        Smaller counts, with more residents, that explain every tile as the winner does.
    """

    cores: int
    alone: int
    cores_set: tuple[int, ...]
    residency: Mapping[str, int]
    residency_set: Mapping[str, tuple[int, ...]]
    by_tile: Mapping[str, tuple[int, int, tuple[int, ...]]]
    identified: bool
    profiles: Mapping[str, WaveProfile]
    aliases: tuple[int, ...] = ()

    def with_cores(self, cores: int) -> WaveConstants:
        """Return what the profiles say of the residents of another count of cores, which joins the set."""
        residency = {name: profile.residency_at(cores) for name, profile in self.profiles.items()}
        return replace(
            self,
            cores=cores,
            cores_set=tuple(sorted({*self.cores_set, cores})),
            residency=residency,
            residency_set={name: (count,) for name, count in residency.items()},
        )


def wave_constants(
    grouped: Mapping[str, GroupedWaves],
    candidates: NDArray[np.int64],
    rng: np.random.Generator,
    known: int | None = None,
) -> WaveConstants:
    """Profile every tile, choose the common core count, and test its rivals over blocks.

    Parameters
    ----------
    grouped : mapping of tile label to GroupedWaves
    candidates : ndarray of int64
        Core counts to try, ascending from 1.
    rng : numpy.random.Generator
    known : int, optional
        Core count of the device record, one of the candidates.
    """
    profiles = {name: waves.profile(candidates) for name, waves in grouped.items()}
    joint = np.sum([profile.criterion.min(axis=1) for profile in profiles.values()], axis=0)
    alone = int(candidates[_last_of_least(joint)])
    by_tile: dict[str, tuple[int, int, tuple[int, ...]]] = {}
    for name, waves in grouped.items():
        own = {name: waves}
        by_tile[name] = (
            *profiles[name].best,
            _count_set(own, profiles, candidates, profiles[name].best[0], rng)[0],
        )
    cores_set, aliases = _count_set(grouped, profiles, candidates, alone, rng, known)
    # Where every launch fits in one wave, any larger core count explains the timings as well.
    quantized = alone < max(waves.most_groups for waves in grouped.values())
    # What the best of many candidates gains by luck, over one that was there before them.
    luck = 2.0 * np.log(candidates.size * MAX_RESIDENCY)
    # One core is no pattern, but a cost by the work-group.
    patterned = float(joint[0] - joint.min()) > luck
    identified = quantized and patterned and len(cores_set) <= max(3, candidates.size // 20)
    cores = alone
    if known is not None:
        tenable = known in cores_set or float(joint[np.searchsorted(candidates, known)] - joint.min()) <= luck
        cores_set = tuple(sorted({*cores_set, known})) if tenable else cores_set
        cores = known if tenable or not identified else alone
    residency = {name: profile.residency_at(cores) for name, profile in profiles.items()}
    held = {
        name: tenable_residencies(waves, profiles[name], cores, residency[name], rng)
        for name, waves in grouped.items()
    }
    return WaveConstants(cores, alone, cores_set, residency, held, by_tile, identified, profiles, aliases)


def _count_set(
    grouped: Mapping[str, GroupedWaves],
    profiles: Mapping[str, WaveProfile],
    candidates: NDArray[np.int64],
    best: int,
    rng: np.random.Generator,
    known: int | None = None,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Core counts that no other refutes; and the divisors of the best that are the same model.

    A count that is known is tested too, and stays in the set though it be such a divisor.
    """
    # At each count, the residency that fits best without a penalty: a set is not to rest on parsimony.
    fits = {name: profiles[name].fit for name in grouped}
    joint = np.sum([profiles[name].criterion.min(axis=1) for name in grouped], axis=0)
    near = np.sort(np.argsort(joint, kind="stable")[:_CLOSEST])
    near = np.union1d(near, np.searchsorted(candidates, [best] if known is None else [best, known]))
    losses = [
        np.stack([waves.block_loss(int(candidates[i]), int(np.argmin(fits[name][i])) + 1) for i in near])
        for name, waves in grouped.items()
    ]
    kept = near[unrefuted(losses, rng)]
    found = {int(candidates[i]): int(i) for i in kept} | {best: int(np.searchsorted(candidates, best))}
    akaike = np.sum([profiles[name].akaike.min(axis=1) for name in grouped], axis=0)
    same = {
        count
        for count, row in found.items()
        if any(
            other > count and other % count == 0 and akaike[row] > akaike[place] - _ALIKE
            for other, place in found.items()
        )
    }
    aliases = tuple(sorted(count for count in same if best % count == 0 and count != best))
    return tuple(sorted(set(found) - (same - {known}) | {best})), aliases


def tenable_residencies(
    waves: GroupedWaves, profile: WaveProfile, cores: int, estimate: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """Residencies at a core count that no other refutes; more residents than the estimate only where they gain."""
    held = np.arange(1, MAX_RESIDENCY + 1)
    kept = unrefuted([np.stack([waves.block_loss(cores, int(r)) for r in held])], rng)
    akaike = profile.akaike[int(np.searchsorted(profile.cores, cores))]
    gained = akaike < akaike[estimate - 1] - _ALIKE
    return tuple(int(r) for r in held if r == estimate or (kept[r - 1] and (r < estimate or gained[r - 1])))


def _summed(values: Array, labels: NDArray[np.int64], count: int) -> Array:
    """Sum rows by label, shape (count, columns)."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(count))
    if values.shape[1] == 0:
        return np.zeros((count, 0))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0))


def _first(criterion: Array) -> Array:
    """Criteria with those that are the least but for rounding made equal, so that the first of them wins."""
    return np.where(criterion <= criterion.min() + _ALIKE, criterion.min(), criterion)


def _last_of_least(criterion: Array) -> int:
    """Index of the last criterion that is the least but for rounding."""
    return int(np.flatnonzero(criterion <= criterion.min() + _ALIKE)[-1])
