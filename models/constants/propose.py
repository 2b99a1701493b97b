"""Propose shapes: what to measure so that a fit tells what it leaves open.

Each open question has rivals: core counts, alignments, spill sizes, pairs of channels. Shapes are chosen one by one
where the predictions of rivals lie furthest apart (T-optimality; Atkinson and Fedorov, Biometrika 62, 1975): each
next one adds most to the sum over pairs of rivals of the logarithm of their squared distance, so that no pair is
left out. For coefficients the determinant of the information grows instead (D-optimality), beginning with what was
measured: columns that were zero have all to gain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.samples import Samples
from harness.store import atomic_path
from models.constants.channel_pairs import PAIRS
from models.constants.constant import Constant, Shape
from models.constants.granules import GRANULES
from models.constants.optimal_design import apart_rivals, farthest, informative
from models.constants.shape_pools import (
    Pool,
    bounds_of,
    channel_pool,
    core_pool,
    odd_pool,
    pitch_unit,
    spill_pool,
)
from models.design import ALL_MECHANISMS, Design, problem_of
from models.problem import Problem
from models.reasons import COMBINATION, ZERO
from models.result import FitResult
from models.terms import ALL_TERMS
from models.terms.cache_spill import CacheSpill
from models.terms.channel_hash import ChannelHash

Array = NDArray[np.float64]

LEAST, MOST = 8, 5000
"""Fewest and most shapes that are worth a proposal."""

_CELLS = 10
"""Neighbourhoods that an alignment is looked for in, at least: the sign of each is turned in its test."""
_RIVALS = 16


@dataclass(frozen=True)
class ShapeGroup:
    """Shapes that answer one question.

    Attributes
    ----------
    question : str
        What is open.
    reason : str
        Why these shapes tell.
    constants : tuple of str
        Names of the constants they would identify.
    shapes : tuple of (int, int, int)
        M, N, K, elements.
    """

    question: str
    reason: str
    constants: tuple[str, ...]
    shapes: tuple[Shape, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "question": self.question,
            "reason": self.reason,
            "constants": list(self.constants),
            "shapes": [list(shape) for shape in self.shapes],
        }


def propose_shapes(
    fit: FitResult, n: int, measured: Samples | None = None, seed: int = 0
) -> tuple[ShapeGroup, ...]:
    """Choose shapes that would identify what a fit leaves open.

    Parameters
    ----------
    fit : FitResult
    n : int
        How many shapes in all.
    measured : Samples, optional
        What the fit was made from: coefficients are then chosen for what these shapes lack.
    seed : int

    Returns
    -------
    tuple of ShapeGroup
        One for each open question, none where nothing is open; no shape is in two groups.

    Raises
    ------
    InputError
        If n is too small.
    """
    check_count(n)
    rng = np.random.default_rng(seed)
    questions = _open_questions(fit)
    found: list[ShapeGroup] = []
    taken: set[Shape] = set()
    for index, question in enumerate(questions):
        weights = [other.weight for other in questions[index:]]
        share = (n - len(taken)) * weights[0] // sum(weights)
        group = question.choose(_State(fit, measured), share, rng, taken)
        if group.shapes:
            taken |= set(group.shapes)
            found.append(group)
    return tuple(found)


def check_count(n: int) -> None:
    """Make sure that so many shapes can be proposed.

    Raises
    ------
    InputError
        If they are too few to tell anything, or so many that a finer grid would serve.
    """
    if n > MOST:
        raise InputError(f"expected at most {MOST} shapes to propose, got {n}: measure a finer grid instead")
    if n < LEAST:
        raise InputError(f"expected at least {LEAST} shapes to propose, got {n}: fewer tell nothing")


def write_shapes(groups: Sequence[ShapeGroup], path: Path) -> None:
    """Write the shapes of all groups as a table of M, N, K that a sweep reads; never leaves half a file."""
    lines = ["M,N,K", *(",".join(map(str, shape)) for group in groups for shape in group.shapes)]
    with atomic_path(path) as draft:
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")


def with_remedies(fit: FitResult, measured: Samples | None = None, seed: int = 0) -> FitResult:
    """Return the fit with a few proposed shapes at every constant that is not identified."""
    shapes: dict[str, tuple[Shape, ...]] = {}
    for question in _open_questions(fit):
        group = question.choose(_State(fit, measured), LEAST, np.random.default_rng(seed), set())
        shapes.update(dict.fromkeys(group.constants, group.shapes))
    tiles = {}
    for label, tile in fit.tiles.items():
        constants = {
            name: replace(constant, shapes=shapes[name]) if _is_open(constant) and name in shapes else constant
            for name, constant in tile.constants.items()
        }
        tiles[label] = replace(tile, constants=constants)
    return replace(fit, tiles=tiles)


def _is_open(constant: Constant | None) -> bool:
    return constant is not None and not constant.identified and bool(constant.remedy)


@dataclass(frozen=True)
class _State:
    """A fit and what it was made from."""

    fit: FitResult
    measured: Samples | None


@dataclass(frozen=True)
class _Question(ABC):
    """An open question of a fit, with what it gets of the shapes relative to others."""

    names: tuple[str, ...]
    weight: ClassVar[int] = 1

    @abstractmethod
    def choose(self, state: _State, n: int, rng: np.random.Generator, taken: set[Shape]) -> ShapeGroup:
        """Choose n shapes that are not taken."""


class _Alignments(_Question):
    weight: ClassVar[int] = 2  # contrasts of per cents within a neighbourhood take many shapes

    def choose(self, state: _State, n: int, rng: np.random.Generator, taken: set[Shape]) -> ShapeGroup:
        fit = state.fit
        axes = [a for a, name in ((2, "k_granularity"), (1, "row_pitch_b_bytes")) if name in self.names]
        cells = max(2, min(max(_CELLS, n // 6), n // (1 + len(axes))))
        low, high = bounds_of(fit)
        unit = pitch_unit(fit)
        chosen: list[Shape] = []
        pairs = {axis: np.zeros((len(GRANULES) + 1,) * 2) for axis in axes}
        for number in range(cells):
            left = (n - len(chosen)) // (cells - number)
            # What cuts an atom in N is met by the fine alignments alone: one neighbourhood in three is for those.
            reference = _reference(low, high, 32 if number % 3 < 2 else max(8, unit), rng)
            chosen.append(reference)
            for count in range(left - 1):
                axis = axes[count % len(axes)]
                atom = fit.hardware.atom[1] if axis == 1 else 1
                shape = farthest(reference, fit.element_bytes, axis, atom, unit, pairs[axis], set(chosen) | taken)
                if shape is not None:
                    chosen.append(shape)
        said = " and ".join({2: "K", 1: "N"}[axis] for axis in axes)
        return ShapeGroup(
            f"alignment of {said}",
            f"neighbours that differ in {said} alone, by powers of two: each candidate alignment is met by some and"
            " missed by others of a neighbourhood",
            self.names,
            tuple(dict.fromkeys(shape for shape in chosen if shape not in taken)),
        )


class _Cores(_Question):
    def choose(self, state: _State, n: int, rng: np.random.Generator, taken: set[Shape]) -> ShapeGroup:
        fit = state.fit
        rivals = _core_rivals(fit)
        pool = core_pool(fit, rivals, rng)
        scores = []
        for label, tile in fit.tiles.items():
            if tile.tile.hidden:
                continue
            groups = _problem(fit, label, pool).work_groups(ALL_MECHANISMS)
            held = int(tile.constants["residency"].estimate or 1) if "residency" in tile.constants else 1
            slots = np.array(rivals)[:, None] * held
            scores.append(np.ceil(groups / slots) * slots / groups)
        return ShapeGroup(
            "cores and residency",
            f"work-group counts at and just past multiples of the candidate core counts ({_listed(rivals)})",
            self.names,
            apart_rivals(pool, scores, n, taken),
        )


class _Cache(_Question):
    def choose(self, state: _State, n: int, rng: np.random.Generator, taken: set[Shape]) -> ShapeGroup:
        fit = state.fit
        sizes = _rivals(fit, "cache_spill_bytes")
        pool = spill_pool(fit, sizes, rng)
        scores = []
        for label in fit.tiles:
            problem = _problem(fit, label, pool)
            columns = [
                CacheSpill().columns(problem, replace(fit.hardware, cache_bytes=size), ALL_MECHANISMS)[:, 0]
                for (size,) in sizes
            ]
            # A spilt byte is priced as a byte: only ratios between shapes matter here.
            scores.append(np.stack(columns) / problem.footprint)
        return ShapeGroup(
            "working set that spills the cache",
            "working sets below, between and above the candidate sizes, with few FLOP a byte",
            self.names,
            apart_rivals(pool, scores, n, taken),
        )


class _Channels(_Question):
    def choose(self, state: _State, n: int, rng: np.random.Generator, taken: set[Shape]) -> ShapeGroup:
        fit = state.fit
        pairs = _rivals(fit, "channels") or [(float(c), float(i)) for c, i in PAIRS[::5]]
        pool = channel_pool(fit, rng)
        label = next(iter(fit.tiles))
        problem = _problem(fit, label, pool)
        columns = [
            ChannelHash().columns(
                problem, replace(fit.hardware, channels=int(c), interleave_bytes=int(i)), ALL_MECHANISMS
            )[:, 0]
            for c, i in pairs
        ]
        return ShapeGroup(
            "memory channels and interleave",
            "row pitches that are odd and even multiples of the candidate interleaves, many bytes for few FLOP",
            self.names,
            apart_rivals(pool, [np.log1p(np.stack(columns) / problem.footprint)], n, taken),
        )


class _Coefficients(_Question):
    def choose(self, state: _State, n: int, rng: np.random.Generator, taken: set[Shape]) -> ShapeGroup:
        fit = state.fit
        pool = odd_pool(fit, rng)
        open_terms = sorted(_open_terms(fit))
        information, rows = [], []
        for label, tile in fit.tiles.items():
            problem = _problem(fit, label, pool)
            design = Design.of(ALL_TERMS, tile.tile, fit.hardware)
            time = np.maximum(fit.time(label, problem), 1e-7)
            columns = design.matrix(problem, fit.hardware) / time[:, None]
            before = _measured_columns(fit, label, state.measured, design)
            largest = np.maximum(columns.max(axis=0), before.max(axis=0, initial=0.0))
            scale = np.where(largest > 0, largest, 1.0)
            information.append((before / scale).T @ (before / scale))
            rows.append(columns / scale)
        return ShapeGroup(
            "costs that the grid does not show: " + ", ".join(open_terms),
            "sizes off the atom, the tile and the line, short K, single launches and skinny shapes: the most "
            "information on these costs",
            self.names,
            informative(pool, rows, information, n, taken),
        )


_COEFFICIENTS = (
    "base_overhead_s",
    "core_rate_flop_per_s",
    "bandwidth_memory_bytes_per_s",
    "bandwidth_spilt_bytes_per_s",
)


def _open_questions(fit: FitResult) -> list[_Question]:
    """List what a fit leaves open, in the order in which shapes are dealt out."""

    def among(*names: str) -> tuple[str, ...]:
        return tuple(
            name for name in names if any(_is_open(tile.constants.get(name)) for tile in fit.tiles.values())
        )

    found: list[_Question] = []
    if names := among("k_granularity", "row_pitch_b_bytes"):
        found.append(_Alignments(names))
    if names := among("cores", "residency"):
        found.append(_Cores((*names, "slots", "cores_of_this_tile_alone")))
    if (names := among("cache_spill_bytes")) and fit.hardware.cache_bytes > 0:
        found.append(_Cache((*names, "bandwidth_spilt_bytes_per_s")))
    if names := among("channels", "interleave_bytes"):
        found.append(_Channels(names))
    if _open_terms(fit):
        found.append(_Coefficients(among(*_COEFFICIENTS)))
    return found


def _open_terms(fit: FitResult) -> set[str]:
    """Terms with a cost that the samples do not show, or not apart from others."""
    names = set()
    for tile in fit.tiles.values():
        names |= {e.term for e in tile.estimates if not e.identifiable}
        names |= {term for term, reason in tile.left_out.items() if reason.startswith((ZERO, COMBINATION))}
    return names


def _rivals(fit: FitResult, name: str) -> list[tuple[float, ...]]:
    """Candidates of a constant that are not refuted, or the best of its profile; best first."""
    for tile in fit.tiles.values():
        constant = tile.constants.get(name)
        if constant is not None and constant.profile is not None:
            profile = constant.profile
            order = np.argsort(profile.criterion, kind="stable")
            held = [profile.candidates[int(i)] for i in order if profile.tenable[int(i)]]
            return (held if len(held) > 2 else [profile.candidates[int(i)] for i in order])[:_RIVALS]
    if name == "cache_spill_bytes":
        return [(share * fit.hardware.cache_bytes,) for share in (0.25, 0.5, 0.75, 1.0, 1.5)]
    return []


def _core_rivals(fit: FitResult) -> list[int]:
    rivals = [int(candidate[0]) for candidate in _rivals(fit, "cores")]
    return sorted({*rivals, fit.hardware.cores}) if rivals else [fit.hardware.cores, 2 * fit.hardware.cores]


def _problem(fit: FitResult, label: str, pool: Pool) -> Problem:
    return fit.problem(label, pool[:, 0], pool[:, 1], pool[:, 2])


def _reference(low: NDArray[np.int64], high: NDArray[np.int64], short: int, rng: np.random.Generator) -> Shape:
    """Draw a shape of many waves, to hide the edge: a multiple of 256 in M, some less in N, an odd one in K."""
    start = np.maximum(low, high // np.array([2, 2, 4]))
    m, n, k = (max(1, int(rng.integers(a // 256, b // 256 + 1))) for a, b in zip(start, high, strict=True))
    top = max(1, int(high[2]) // 256)
    return 256 * m, 256 * max(n, 2) - short, 256 * max(1, min(k - 1 + k % 2, top))


def _measured_columns(fit: FitResult, label: str, measured: Samples | None, design: Design) -> Array:
    """Design of the measured shapes of one tile beside their times, shape (n, p); n is 0 where there are none."""
    names = [] if measured is None else [tile.name for tile in measured.tiles]
    if measured is None or label not in names:
        return np.zeros((0, len(design.columns(fit.hardware))))
    part = measured.of_tile(names.index(label))
    problem = problem_of(part, fit.tiles[label].tile, fit.element_bytes, fit.output_bytes)
    return np.asarray(design.matrix(problem, fit.hardware) / part.time[:, None])


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")
