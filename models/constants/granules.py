"""Granularities of K and of the row pitch: below which alignment the mainloop takes a dearer path.

A masked K or a misaligned row costs per cents. What an additive model leaves unexplained is as large, but
neighbours share it. So shapes are compared with their neighbours alone: those of the same tile rows and columns
whose K lie within one band. Beside the model's time each such cell keeps a level of its own, and what a ragged edge
costs is left to the timings.

The rows of A lie K elements apart. A masked K of s elements and a pitch of s e bytes are thus the same shapes, and
only rows laid out further apart would separate them. The dearest granularity of K is looked for first, then a
second one beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.constants.constant import IDENTIFIED, Constant, Profile, not_identifiable
from models.constants.scan import Finding, Scan, judge, places_of
from models.design import ALL_MECHANISMS, Design
from models.gram import BlockGram
from models.hardware import Hardware
from models.problem import Problem
from models.slow_steps import ATOM, PITCH
from models.solve import solve_nonnegative
from models.term import Term
from models.terms.channel_hash import ChannelHash
from models.terms.wave_quantization import counted_waves
from models.tile_data import TileData

Array = NDArray[np.float64]

GRANULES = (4, 8, 16, 32, 64, 128, 256)
"""Candidate alignments, bytes."""

BAND = 256
"""Elements of K that shapes compared with each other lie within."""

_ALIKE = 1.0 - 1e-6
_ROUNDING = 1e-12
_LEAST = 24
"""Fewest shapes that have a neighbour to be compared with."""


@dataclass(frozen=True)
class Granules:
    """The three granularities of the tiles that share a mainloop step."""

    k_granularity: Constant
    row_pitch_a: Constant
    row_pitch_b: Constant


@dataclass(frozen=True)
class _Contrasts:
    """Shapes of one tile, each less the mean of its cell."""

    response: Array
    base: Array
    blocks: NDArray[np.int64]
    cell: NDArray[np.int64]
    problem: Problem
    steps: Array  # of all waves, by the second, beside their mean

    def within(self, columns: NDArray[np.bool_]) -> Array:
        """Charge by the wave and step, and take the mean of its cell from every column, shape (n, c)."""
        return _demeaned(columns * self.steps[:, None], self.cell)


def granularities(
    data: Mapping[str, TileData], hardware: Hardware, terms: Sequence[Term], rng: np.random.Generator
) -> dict[str, Granules]:
    """Profile the granularities of K and of both pitches.

    Parameters
    ----------
    data : mapping of tile label to TileData
        All cubes of a fit.
    hardware : Hardware
        With cores, residencies and cache size.
    terms : sequence of Term
    rng : numpy.random.Generator

    Returns
    -------
    dict of tile label to Granules
        For tiles of known size; those of equal step share the profile.
    """
    found: dict[str, Granules] = {}
    steps = sorted({item.tile.k for item in data.values() if not item.hidden})
    for step in steps:
        labels = [label for label, item in data.items() if not item.hidden and item.tile.k == step]
        n_blocks = max(int(data[label].blocks.max()) for label in labels) + 1
        element = data[labels[0]].problem.element_bytes
        cells = {label: _contrasts(data[label], hardware, terms) for label in labels}
        cells = {label: part for label, part in cells.items() if part.response.size >= _LEAST}
        k_granularity, first = _profiled(cells, 0, hardware, n_blocks, rng, None)
        # Where no granule of K shows, the pitch of A has been asked for already.
        pitch_a = k_granularity if first is None else _profiled(cells, 0, hardware, n_blocks, rng, first)[0]
        pitch_b, _ = _profiled(cells, 1, hardware, n_blocks, rng, None)
        here = Granules(_in_elements(k_granularity, element), _beside(pitch_a, k_granularity), pitch_b)
        found.update(dict.fromkeys(labels, here))
    return found


def _off_granules(problem: Problem, hardware: Hardware) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the rows of A and of B miss each granule, shape (n, c) each."""
    off = [
        (problem.element_bytes * hardware.pitch(width))[:, None] % np.array(GRANULES) != 0
        for width in (problem.K, problem.N)
    ]
    return off[0], off[1]


def _contrasts(item: TileData, hardware: Hardware, terms: Sequence[Term]) -> _Contrasts:
    """Compare the shapes of one tile with their neighbours."""
    problem, time, blocks = item.problem, item.samples.time, item.blocks
    # A cell without two alignments says nothing of them.
    cell = _cells(problem)
    off = np.concatenate(_off_granules(problem, hardware), axis=1)
    told = _within_differs(off, cell)
    # Where the model has a column for a granule, a guess at it would be in its time.
    on = ALL_MECHANISMS - {ATOM, PITCH}
    if not told.any():
        kept = np.empty(0, dtype=np.int64)
        return _Contrasts(np.empty(0), np.empty((0, 1)), kept, kept, problem.take(kept), np.empty(0))
    matrix = Design.of(terms, item.tile, hardware).matrix(problem, hardware, on)
    gram, moment, _ = BlockGram.of(matrix, time, np.zeros(time.size, dtype=np.int64), 1).total()
    model = matrix @ solve_nonnegative(gram, moment)
    kept = np.flatnonzero(told[cell] & (model > 0))
    problem, time, model = problem.take(kept), time[kept], model[kept]
    cell = np.unique(cell[kept], return_inverse=True)[1]
    steps = counted_waves(problem, hardware, ALL_MECHANISMS) * problem.steps(ALL_MECHANISMS) / model
    base = _ragged(problem, hardware, (problem.steps(ALL_MECHANISMS) / model, steps), cell)
    hashed = [term for term in terms if term.name == ChannelHash.name and term.applies(item.tile, hardware) is None]
    waiting = [term.columns(problem, hardware, ALL_MECHANISMS) / model[:, None] for term in hashed]
    # Granules are charged by the step: without steps beside them, one that all shapes miss would be the steps.
    base = np.concatenate(
        [base, *waiting, steps[:, None], np.log(np.stack([problem.M, problem.N, problem.K], axis=1))], axis=1
    )
    response = np.log(time / model)[:, None]
    return _Contrasts(
        _demeaned(response, cell)[:, 0], _demeaned(base, cell), blocks[kept], cell, problem, steps / steps.mean()
    )


def _ragged(problem: Problem, hardware: Hardware, steps: tuple[Array, Array], cell: NDArray[np.int64]) -> Array:
    """What an edge may cost: a share of the time, or by the mainloop step, once a launch or in every wave."""
    shares = -problem.M % problem.tile.m / problem.tile.m, -problem.N % problem.tile.n / problem.tile.n
    features: list[NDArray[Any]] = [shares[0] * shares[1]]
    for share, size, atom in zip(shares, (problem.M, problem.N), hardware.atom[:2], strict=True):
        features += [share > 0, share, np.maximum(share - 0.5, 0.0), size % atom != 0]
    columns = np.stack(features, axis=1).astype(np.float64)
    # A feature that no cell varies would only let the launch's share of it take up noise.
    columns = columns[:, _demeaned(columns, cell).any(axis=0)]
    scales = [scale / scale.mean() if scale.size else scale for scale in steps]
    return np.concatenate([columns, *(columns * scale[:, None] for scale in scales)], axis=1)


def _profiled(
    cells: Mapping[str, _Contrasts],
    axis: int,
    hardware: Hardware,
    n_blocks: int,
    rng: np.random.Generator,
    given: int | None,
) -> tuple[Constant, int | None]:
    """Profile the granule of one operand, in bytes, beside one that is given; and the index of the best."""
    scans, counts = [], []
    for part in cells.values():
        both = [part.within(off) for off in _off_granules(part.problem, hardware)]
        off, other = both[axis], both[1 - axis]
        if given is None and not off.any():
            continue
        # Whatever the other operand's alignments cost is left to them.
        base = np.concatenate([part.base, other, off[:, [] if given is None else [given]]], axis=1)
        scans.append(Scan.of(base, off, part.response, part.blocks, n_blocks, free=True))
        counts.append(part.response.size)
    operand = "AB"[axis]
    size, remedy = (
        "KN"[axis],
        (f"shapes that differ in {'KN'[axis]} alone, by multiples of 2, 4, 8, ... elements, within a tile"),
    )
    if not any(scan.own.any() for scan in scans):
        reason = f"neighbouring shapes differ in no alignment of {size}"
        reason += " that ragged edges do not share" if axis else ""
        return Constant(None, (), not_identifiable(reason), "B", remedy=remedy), None
    shapes = [np.concatenate([getattr(part.problem, name) for part in cells.values()]) for name in "MN"]
    blocks = np.concatenate([part.blocks for part in cells.values()])
    finding = judge(scans, counts, rng, places_of(shapes[0], shapes[1], blocks, n_blocks))
    profile = Profile(
        (f"row pitch of {operand}, B",),
        tuple((float(size),) for size in GRANULES),
        tuple(map(float, finding.criterion)),
        tuple(map(bool, finding.tenable)),
    )
    values = tuple(float(g) for g, kept in zip(GRANULES, finding.tenable, strict=True) if kept)
    if not finding.found:
        reason = f"no alignment of {size} is found to cost anything (p = {finding.p_value:.2g})"
        return Constant(None, (), not_identifiable(reason), "B", profile=profile, remedy=remedy), None
    status = IDENTIFIED
    if len(values) > 2:
        status = not_identifiable(f"alignments of {', '.join(f'{v:.0f}' for v in values)} B explain it alike")
    best = float(GRANULES[finding.best])
    note = _untested(finding)
    return Constant(best, values, status, "B", profile=profile, note=note, remedy=remedy), finding.best


def _untested(finding: Finding) -> str:
    """Name the granules whose shapes were not measured apart, and those that are the same shapes as the best."""
    lost = [f"{size}" for size, told in zip(GRANULES, finding.measured, strict=True) if not told]
    row = finding.alike[finding.best]
    same = [f"{size}" for j, size in enumerate(GRANULES) if j != finding.best and row[j] > _ALIKE]
    notes = [f"{', '.join(lost)} B not told from edges or other alignments on this grid"] if lost else []
    return "; ".join([*notes, *([f"the same shapes as {', '.join(same)} B"] if same else [])])


def _in_elements(found: Constant, element: int) -> Constant:
    """Turn a granule of A's pitch into one of K."""
    profile = found.profile
    if profile is not None:
        candidates = tuple((size / element,) for (size,) in profile.candidates)
        profile = Profile(("K, elements",), candidates, profile.criterion, profile.tenable)
    estimate = None if found.estimate is None else found.estimate / element
    note = found.note
    if estimate is not None:
        same = f"the same shapes as a row pitch of A of {found.estimate:.0f} B"
        note = f"{same}; {note}" if note else same
    return Constant(
        estimate,
        tuple(value / element for value in found.values),
        found.status,
        "elements",
        profile=profile,
        note=note,
        remedy=found.remedy,
    )


def _beside(found: Constant, k_granularity: Constant) -> Constant:
    """Say that the pitch of A was looked for beside the granularity of K."""
    if k_granularity.estimate is None or found.identified:
        return found
    reason = (
        "no alignment is found to cost anything beside the granularity of K, and a K off that "
        f"granule is the same shapes as a pitch of {k_granularity.estimate:.0f} B"
    )
    remedy = "rows of A laid out further apart than K elements (a padded leading dimension)"
    return Constant(None, (), not_identifiable(reason), "B", profile=found.profile, remedy=remedy)


def _cells(problem: Problem) -> NDArray[np.int64]:
    """Number the cells 0, 1, ...: same tile rows, tile columns and band of K; shape (n,)."""
    rows, columns, bands = (
        part.astype(np.int64) for part in (problem.tile_rows, problem.tile_columns, np.ceil(problem.K / BAND))
    )
    key = (rows * (columns.max() + 1) + columns) * (bands.max() + 1) + bands
    return np.asarray(np.unique(key, return_inverse=True)[1], dtype=np.int64)


def _within_differs(off: NDArray[np.bool_], cell: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether some column differs within each cell, shape (cells,)."""
    count = np.bincount(cell)
    differs = np.zeros(count.size, dtype=np.bool_)
    for column in off.T:
        hits = np.bincount(cell, column, count.size)
        differs |= (hits > 0) & (hits < count)
    return differs


def _demeaned(columns: Array, cell: NDArray[np.int64]) -> Array:
    count = np.bincount(cell).astype(np.float64)
    means = np.stack([np.bincount(cell, column) / count for column in columns.T], axis=1)
    left = columns - means[cell]
    # What rounding leaves of a column that is constant in every cell is none.
    return np.where(np.abs(left) > _ROUNDING * np.abs(columns).max(axis=0, initial=0.0), left, 0.0)
