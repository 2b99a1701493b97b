"""Count the cores from timings: profile the core count C and each tile's residency R.

For every candidate (C, R) the model is refitted and its squared relative error kept. The wave columns depend on
a sample only through its work-groups W and steps I, so sums over groups of equal (block, W) make one candidate a
matter of microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.problem import Problem
from models.profile import winning_set
from models.solve import solve_nonnegative
from models.terms.wave_quantization import residents

Array = NDArray[np.float64]

MAX_RESIDENCY = 4
_CLOSEST = 24
"""Candidates nearest to the best take part in the bootstrap of the winner."""


def wave_freedom(residency: int) -> int:
    """Degrees of freedom of the wave columns: 2 for a plain wave, 1 for each further resident.

    Each fill level beyond the first brings two columns, whose costs cannot be negative. One that explains nothing
    is then left at zero every second time, and takes half a degree of freedom on average (Self and Liang, Journal
    of the American Statistical Association 82, 1987).
    """
    return residency + 1


@dataclass(frozen=True)
class WaveProfile:
    """Loss of one tile over candidates.

    Attributes
    ----------
    cores : ndarray of int64, shape (c,)
        Candidate core counts.
    criterion : ndarray, shape (c, R)
        B log(loss / n) + p log B, with B blocks as the effective sample size and p the degrees of freedom: lower
        is better. Column r is residency r + 1.
    n_blocks : int
    """

    cores: NDArray[np.int64]
    criterion: Array
    n_blocks: int

    @property
    def best(self) -> tuple[int, int]:
        """The best (C, R) of this tile alone."""
        row, column = np.unravel_index(int(np.argmin(self.criterion)), self.criterion.shape)
        return int(self.cores[row]), int(column) + 1

    def residency_at(self, cores: int) -> int:
        """Best residency for a given core count."""
        row = int(np.searchsorted(self.cores, cores))
        return int(np.argmin(self.criterion[row])) + 1


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
    """

    def __init__(
        self, problem: Problem, time: Array, others: Array, blocks: NDArray[np.int64], on: frozenset[str]
    ) -> None:
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

    def fit(self, cores: int, residency: int) -> tuple[Array, Array, Array]:
        """Gram matrix, moment and their factors (groups, p, p), (groups, p) at one (C, R)."""
        levels = residents(self._groups, cores, residency)
        width = self._gram.shape[1]
        # Each design column is (factor of the group) x (column of the sample).
        factor = np.concatenate([np.repeat(levels, 2, axis=1), np.ones((levels.shape[0], width - 2))], axis=1)
        source = np.concatenate([np.tile([0, 1], residency), np.arange(2, width)])
        moment = factor * self._moment[:, source]
        gram = np.einsum("gk,gl,gkl->kl", factor, factor, self._gram[:, source[:, None], source], optimize=False)
        return gram, moment.sum(axis=0), factor

    def loss(self, cores: int, residency: int) -> tuple[float, int]:
        """Sum of squared relative residuals of the refitted model, and its number of columns."""
        gram, moment, _ = self.fit(cores, residency)
        theta = solve_nonnegative(gram, moment)
        return max(float(self.n - 2.0 * moment @ theta + theta @ gram @ theta), 0.0), theta.size

    def block_loss(self, cores: int, residency: int) -> Array:
        """The same by block, shape (B,)."""
        gram, moment, factor = self.fit(cores, residency)
        theta = solve_nonnegative(gram, moment)
        source = np.concatenate([np.tile([0, 1], residency), np.arange(2, self._gram.shape[1])])
        weighted = factor * theta
        projected = np.zeros((factor.shape[0], self._gram.shape[1]))
        np.add.at(projected.T, source, weighted.T)
        quadratic = np.einsum("gi,gij,gj->g", projected, self._gram, projected)
        by_group = self._count - 2.0 * np.einsum("gi,gi->g", self._moment, projected) + quadratic
        return np.asarray(np.bincount(self.block_of_group, by_group, self.n_blocks), dtype=np.float64)

    def profile(self, candidates: NDArray[np.int64], max_residency: int = MAX_RESIDENCY) -> WaveProfile:
        """Profile all candidates."""
        criterion = np.empty((candidates.size, max_residency))
        for row, cores in enumerate(candidates):
            for residency in range(1, max_residency + 1):
                loss, p = self.loss(int(cores), residency)
                floor = max(loss / self.n, 1e-12)
                freedom = p - 2 * residency + wave_freedom(residency)
                criterion[row, residency - 1] = self.n_blocks * np.log(floor) + freedom * np.log(self.n_blocks)
        return WaveProfile(candidates, criterion, self.n_blocks)


@dataclass(frozen=True)
class WaveConstants:
    """Cores and residencies that the timings imply.

    Attributes
    ----------
    cores : int
        Winner over all tiles together; the device record's count where the timings identify none.
    cores_set : tuple of int
        Core counts that win in 95 % of block-bootstrap draws.
    residency, residency_set : mapping of tile label to int, and to the residencies that win 95 % of draws
        At the common core count.
    by_tile : mapping of tile label to (cores, residency, set of core counts)
        What each tile alone implies.
    identified : bool
        Whether the set is small enough to mean something, some launch needs more than one wave, and waves
        explain the timings better than a cost by the work-group by more than the luck of many candidates.
    profiles : mapping of tile label to WaveProfile
        Criterion of every candidate.
    """

    cores: int
    cores_set: tuple[int, ...]
    residency: Mapping[str, int]
    residency_set: Mapping[str, tuple[int, ...]]
    by_tile: Mapping[str, tuple[int, int, tuple[int, ...]]]
    identified: bool
    profiles: Mapping[str, WaveProfile]


def wave_constants(
    grouped: Mapping[str, GroupedWaves],
    candidates: NDArray[np.int64],
    rng: np.random.Generator,
    known: int | None = None,
) -> WaveConstants:
    """Profile every tile, choose the common core count, and bootstrap it over blocks.

    Parameters
    ----------
    grouped : mapping of tile label to GroupedWaves
    candidates : ndarray of int64
        Core counts to try, ascending from 1.
    rng : numpy.random.Generator
    known : int, optional
        Core count of the device record, one of the candidates: used where the timings do not identify one.
    """
    profiles = {name: waves.profile(candidates) for name, waves in grouped.items()}
    joint = np.sum([profile.criterion.min(axis=1) for profile in profiles.values()], axis=0)
    cores = int(candidates[int(np.argmin(joint))])
    by_tile: dict[str, tuple[int, int, tuple[int, ...]]] = {}
    for name, waves in grouped.items():
        best = profiles[name].criterion.min(axis=1)
        near = candidates[np.argsort(best, kind="stable")[:_CLOSEST]]
        rows = [_penalised(waves, int(c), profiles[name].residency_at(int(c))) for c in near]
        by_tile[name] = (*profiles[name].best, winning_set([rows], near.tolist(), rng))
    near = candidates[np.argsort(joint, kind="stable")[:_CLOSEST]]
    tables = [
        [_penalised(waves, int(c), profiles[name].residency_at(int(c))) for c in near]
        for name, waves in grouped.items()
    ]
    cores_set = winning_set(tables, near.tolist(), rng)
    # Where every launch fits in one wave, any larger core count explains the timings as well.
    quantized = cores < max(waves.most_groups for waves in grouped.values())
    # One core is no pattern, a cost by the work-group: the best of many candidates must beat it by more than luck.
    patterned = float(joint[0] - joint.min()) > 2.0 * np.log(candidates.size * MAX_RESIDENCY)
    identified = quantized and patterned and len(cores_set) <= max(3, candidates.size // 20)
    if not identified and known is not None:
        cores = known
    residency = {name: profile.residency_at(cores) for name, profile in profiles.items()}
    held = list(range(1, MAX_RESIDENCY + 1))
    residency_set = {
        name: winning_set([[_penalised(waves, cores, r) for r in held]], held, rng)
        for name, waves in grouped.items()
    }
    return WaveConstants(cores, cores_set, residency, residency_set, by_tile, identified, profiles)


def _penalised(waves: GroupedWaves, cores: int, residency: int) -> tuple[Array, float]:
    """Loss by block and the penalty on its logarithm for the degrees of freedom."""
    penalty = wave_freedom(residency) * np.log(waves.n_blocks) / waves.n_blocks
    return waves.block_loss(cores, residency), penalty
