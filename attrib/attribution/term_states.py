"""Design columns of a grid in every state that a coalition of mechanisms can put them in, each computed once.

Two to the power of ten coalitions ask for as many designs, but a term responds to few mechanisms: the launch cost
to one, the waves to three. Which ones is observed rather than declared: a term is handed a set that notes what is
asked of it. A later coalition that gives the same answers to the same questions gets the same columns.

Where a coalition leaves the work of a launch divisible, several limits may bound it and the longest does
(:mod:`models.limits`), and memory and computing may overlap (:mod:`models.overlap`).
Terms are kept apart by limit and by resource, and put together when a coalition is played.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.design import ALL_MECHANISMS
from models.last_wave import LastWave
from models.limits import Limit, bounded, limits
from models.overlap import COMPUTE, LONGER, MEMORY, OverlapLaw, overlapped
from models.problem import Problem
from models.result import FitResult
from models.term import Term

Array = NDArray[np.float64]
Index = NDArray[np.int64]

RESOURCES = {COMPUTE: 1, MEMORY: 2}
"""Parts that overlap; 0 is what always adds."""

NOTHING = -1
"""State or column that is zero in every cell."""


class Consulted(AbstractSet[str]):
    """A set of mechanisms that notes which ones were asked for; one that is listed is asked for as a whole."""

    def __init__(self, on: AbstractSet[str]) -> None:
        self.on = frozenset(on)
        self.asked: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return name in self.on

    def __iter__(self) -> Iterator[str]:
        self.asked |= ALL_MECHANISMS | self.on
        return iter(self.on)

    def __len__(self) -> int:
        self.asked |= ALL_MECHANISMS | self.on
        return len(self.on)


@dataclass(frozen=True)
class TermBanks:
    """All distinct term times and columns of a grid, and where the work of launches is divisible.

    Attributes
    ----------
    times : ndarray, shape (state, cell)
        Seconds that a term costs at the estimated coefficients.
    columns : ndarray of float32, shape (column, cell)
        Design columns, of which there may be gigabytes; none where no derivatives are wanted.
    divisible : ndarray of bool, shape (mask, cell)
    last_waves : ndarray, shape (state, 3, cell)
        Shares of computing and of bytes that last waves have, and how long memory is waited for
        (:mod:`models.last_wave`).
    """

    times: Array
    columns: NDArray[np.float32]
    divisible: NDArray[np.bool_]
    last_waves: Array


@dataclass(frozen=True)
class CoalitionStates:
    """Which states each coalition is in; entries index the rows of :class:`TermBanks`, or are `NOTHING`.

    Attributes
    ----------
    times : ndarray of int, shape (coalition, tile, limit, term)
        Limit 0 is that of the engines, with which all launches begin.
    columns : ndarray of int, shape (coalition, limit, coefficient)
        Coefficients of all tiles, one tile after the other.
    divisible : ndarray of int, shape (coalition, tile)
        Launches that another limit may bound.
    last_waves : ndarray of int, shape (coalition, tile)
        Last waves that may compute while the others wait for memory, of tiles that overlap.
    limits : ndarray of int, shape (coalition,)
        How many limits there are, the first included.
    resources : ndarray of int, shape (tile, term)
        Of which overlapping resource a term is (:data:`RESOURCES`); 0 throughout a tile that adds up all costs.
    resources_of_columns : ndarray of int, shape (coefficient,)
        The same by coefficient.
    powers : ndarray, shape (tile,)
        With which the resources overlap (:mod:`models.overlap`).
    separable : tuple of bool, one a tile
        Whether the model's own design is really made of these parts; where it is not, they are not to be used.
    """

    times: Index
    columns: Index
    divisible: Index
    last_waves: Index
    limits: Index
    resources: Index
    resources_of_columns: Index
    powers: Array
    separable: tuple[bool, ...]


MOST_LIMITS = 1 + len(Limit)

_SAME = 0.99

_FEW_CELLS = 8192
"""Grids of fewer cells are evaluated by one thread."""

_CHECKED = 400
"""Cells on which the parts are compared with the model's own design."""


def term_states(
    fit: FitResult,
    labels: Sequence[str],
    shapes: Index,
    coalitions: Sequence[frozenset[str]],
    derive: bool,
    workers: int | None = None,
) -> tuple[CoalitionStates, TermBanks]:
    """Evaluate all terms of some tiles under some coalitions.

    Parameters
    ----------
    fit : FitResult
    labels : sequence of str
        Tiles, which the fit knows.
    shapes : ndarray of int, shape (cell, 3)
        M, N, K of each cell.
    coalitions : sequence of frozenset of str
        Mechanisms that are on.
    derive : bool
        Whether to keep the columns.
    workers : int, optional
        Threads, a tile each; by default one a processor.
    """
    cells, count = shapes.shape[0], len(coalitions)
    bank = _Bank(cells, derive)
    most = max(len(fit.design(label).terms) for label in labels)
    sizes = [fit.tiles[label].theta.size for label in labels]
    times = np.full((count, len(labels), MOST_LIMITS, most), NOTHING, dtype=np.int64)
    columns = np.full((count, MOST_LIMITS, sum(sizes)), NOTHING, dtype=np.int64)
    loose, last = np.full((2, count, len(labels)), NOTHING, dtype=np.int64)
    resources = np.zeros((len(labels), most), dtype=np.int64)
    of_columns = np.zeros(sum(sizes), dtype=np.int64)
    powers = np.full(len(labels), LONGER)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)

    def fill(place: int) -> tuple[bool, list[int]]:
        """Fill in one tile; say whether it is made of parts, and how many limits each coalition has."""
        label, span = labels[place], slice(int(starts[place]), int(starts[place + 1]))
        problem = fit.problem(label, *np.ascontiguousarray(shapes.T))
        made_of_parts = _is_separable(fit, label, problem, coalitions)
        how, several = fit.tiles[label].overlap, [1] * count
        if how is not None:
            powers[place] = how.power
            design = fit.design(label)
            kinds = [RESOURCES.get(term.resource, 0) for term in design.terms]
            resources[place, : len(kinds)] = kinds
            of_columns[span] = [RESOURCES.get(r, 0) for r in design.resources(fit.hardware)]
        if made_of_parts:
            tile = _Tile(fit, label, problem, bank)
            for row, on in enumerate(coalitions):
                loose[row, place], found = tile.states(on)
                last[row, place] = tile.last_wave(on)
                several[row] = len(found)
                for limit, (states, places) in enumerate(found):
                    times[row, place, limit, : len(states)] = states
                    columns[row, limit, span] = places
        return made_of_parts, several

    # Columns of few cells are made in less time than threads take to pass the interpreter on.
    threads = 1 if cells < _FEW_CELLS else workers or os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        filled = list(pool.map(fill, range(len(labels))))
    separable = [made_of_parts for made_of_parts, _ in filled]
    numbers = np.max([several for _, several in filled], axis=0).astype(np.int64)
    found_states = CoalitionStates(
        times, columns, loose, last, numbers, resources, of_columns, powers, tuple(separable)
    )
    return found_states, bank.close()


class _Bank:
    """Rows of the banks as they are found, by several threads at once."""

    def __init__(self, cells: int, derive: bool, kind: type = np.float32) -> None:
        self.cells, self.derive, self.kind = cells, derive, kind
        self.times: list[Array] = []
        self.columns: list[NDArray[Any]] = []
        self.divisible: list[NDArray[np.bool_]] = []
        self.last_waves: list[Array] = []
        self.lock = Lock()

    def put(self, rows: list[NDArray[Any]], row: NDArray[Any]) -> int:
        """Append a row to one of the lists; return where it is."""
        with self.lock:
            rows.append(row)
            return len(rows) - 1

    def add(self, matrix: Array, theta: Array, silent: NDArray[np.bool_]) -> tuple[int, Index]:
        """Put a term's time and its columns into the banks, unless they are zero; return where they are."""
        state = NOTHING
        cost = np.asarray(matrix @ theta)
        if cost.any():
            state = self.put(self.times, cost)
        places = np.full(theta.size, NOTHING, dtype=np.int64)
        if self.derive:
            for j in np.flatnonzero(~silent & matrix.any(axis=0)):
                places[j] = self.put(self.columns, matrix[:, j].astype(self.kind))
        return state, places

    def close(self) -> TermBanks:
        """Return the banks."""

        def stack(rows: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
            return np.stack(rows) if rows else np.empty((0, self.cells), dtype=kind)

        last = np.stack(self.last_waves) if self.last_waves else np.empty((0, 3, self.cells))
        return TermBanks(
            stack(self.times, np.float64), stack(self.columns, self.kind), stack(self.divisible, np.bool_), last
        )


class _Tile:
    """One tile's terms under every limit, and what has been found of them so far."""

    def __init__(self, fit: FitResult, label: str, problem: Problem, bank: _Bank) -> None:
        self.fit, self.label, self.problem, self.bank = fit, label, problem, bank
        item, self.design = fit.tiles[label], fit.design(label)
        widths = [len(term.coefficients(self.design.tile, fit.hardware)) for term in self.design.terms]
        ends = np.cumsum(widths)
        self.spans = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        self.theta = item.theta
        self.silent = (item.theta == 0) & ~np.any(item.draws != 0, axis=0)
        self.known: dict[tuple[int, Limit | None], _Answers] = {}
        self.masks = _Answers()
        self.lasts = _Answers()

    def states(self, on: frozenset[str]) -> tuple[int, list[tuple[list[int], Index]]]:
        """Where launches are divisible, and under each limit the states of the terms and the columns."""
        mask = self.masks.of(on, self._mask)
        found = []
        for limit in (None, *(limits(on) if mask != NOTHING else ())):
            states, places = [], []
            for index, term in enumerate(self.design.terms):
                state, columns = self._term(index, term, limit, on)
                states.append(state)
                places.append(columns)
            found.append((states, np.concatenate(places)))
        return int(mask), found

    def last_wave(self, on: frozenset[str]) -> int:
        """Where the shares of last waves are."""
        how = self.fit.tiles[self.label].overlap
        return int(self.lasts.of(on, self._last)) if how is not None and how.by_wave else NOTHING

    def _last(self, consulted: Consulted) -> int:
        last = LastWave.of(self.problem, self.fit.hardware, consulted)
        if not last.work.any() and np.all(last.waited == 1.0):
            return NOTHING
        return self.bank.put(self.bank.last_waves, np.stack([last.work, last.traffic, last.waited]))

    def _term(self, index: int, term: Term, limit: Limit | None, on: frozenset[str]) -> tuple[int, Index]:
        # What does not override the limits costs the same under each.
        own = limit if type(term).limit_columns is not Term.limit_columns else None
        answers = self.known.setdefault((index, own), _Answers())
        span = self.spans[index]

        def make(consulted: Consulted) -> tuple[int, Index]:
            matrix = (
                term.columns(self.problem, self.fit.hardware, consulted)
                if own is None
                else term.limit_columns(own, self.problem, self.fit.hardware, consulted)
            )
            return self.bank.add(matrix, self.theta[span], self.silent[span])

        found: tuple[int, Index] = answers.of(on, make)
        return found

    def _mask(self, consulted: Consulted) -> int:
        if self.problem.tile.hidden:
            return NOTHING
        slots = self.fit.hardware.slots_of(self.problem.tile.name)
        mask = bounded(self.problem, slots, consulted)
        if not mask.any():
            return NOTHING
        return self.bank.put(self.bank.divisible, mask)


class _Answers:
    """What was made for each set of answers to what it asked."""

    def __init__(self) -> None:
        self.known: dict[frozenset[str], dict[frozenset[str], Any]] = {}

    def of(self, on: frozenset[str], make: Callable[[Consulted], Any]) -> Any:
        """Return what an earlier coalition with the same answers got, or make it."""
        for asked, cases in self.known.items():
            if on & asked in cases:
                return cases[on & asked]
        consulted = Consulted(on)
        made = make(consulted)
        asked = frozenset(consulted.asked)
        self.known.setdefault(asked, {})[on & asked] = made
        return made


def _is_separable(fit: FitResult, label: str, problem: Problem, coalitions: Sequence[frozenset[str]]) -> bool:
    """Whether terms side by side, under the limit that lasts longest, give the model's own design.

    Compared on some cells, for the smallest and largest coalitions and those one mechanism away. Where two limits
    last equally long, rounding may choose the other: times must agree, columns almost everywhere.
    """
    some = problem.take(np.unique(np.linspace(0, problem.size - 1, min(problem.size, _CHECKED)).astype(np.int64)))
    bank = _Bank(some.size, True, np.float64)
    tile = _Tile(fit, label, some, bank)
    tile.silent = np.zeros(tile.silent.shape, dtype=np.bool_)
    everyone = max(coalitions, key=len)
    for on in (everyone, frozenset(), *(everyone - {name} for name in everyone), *({name} for name in everyone)):
        mask, found = tile.states(frozenset(on))
        matrices = []
        for _, places in found:
            matrix = np.zeros((some.size, places.size))
            for j in np.flatnonzero(places != NOTHING):
                matrix[:, j] = bank.columns[places[j]]
            matrices.append(matrix)
        chosen, longest = matrices[0].copy(), matrices[0] @ tile.theta
        for matrix in matrices[1:]:
            time = matrix @ tile.theta
            binding = bank.divisible[mask] & (time > longest)
            chosen[binding] = matrix[binding]
            longest = np.where(binding, time, longest)
        how = fit.tiles[label].overlap
        if how is not None:
            place, last = tile.last_wave(frozenset(on)), None
            if place != NOTHING:
                last = LastWave(*bank.last_waves[place])
            law = OverlapLaw(how.power, last)
            chosen = overlapped(chosen, tile.theta, tile.design.resources(fit.hardware), law)
        own = fit.matrix(label, some, frozenset(on))
        same = np.all(chosen == own, axis=1).mean()
        if same < _SAME or not np.allclose(chosen @ tile.theta, own @ tile.theta, rtol=1e-9, atol=0.0):
            return False
    return True
