"""Design columns of a grid in every state that a coalition of mechanisms can put them in, each computed once.

Two to the power of ten coalitions ask for as many designs, but a term responds to few mechanisms: the launch cost
to one, the waves to three. Which ones is observed (:mod:`models.consulted`). A later coalition that gives the same
answers to the same questions gets the same columns.

Where a coalition leaves the work of a launch divisible, several limits may bound it and the longest does
(:mod:`models.limits`), and memory and computing may overlap (:mod:`models.overlap`).
Terms are kept apart by limit and by resource, and put together when a coalition is played.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.consulted import Consulted
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


@dataclass(frozen=True)
class TermBanks:
    """All distinct term times and columns of a grid, and where the work of launches is divisible.

    Attributes
    ----------
    times : ndarray, shape (model, state, cell)
        Seconds that a term costs at the coefficients of each model.
    columns : ndarray, shape (column, cell)
        Design columns; none where no derivatives are wanted.
    divisible : ndarray of bool, shape (mask, cell)
    last_waves : ndarray, shape (state, 3, cell)
        Shares of computing and of bytes that last waves have, and how long memory is waited for
        (:mod:`models.last_wave`).
    """

    times: Array
    columns: Array
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

_CHECKED = 400
"""Cells on which the parts are compared with the model's own design."""


def term_states(
    fits: Sequence[FitResult],
    labels: Sequence[str],
    shapes: Index,
    coalitions: Sequence[frozenset[str]],
    derive: bool,
) -> tuple[CoalitionStates, TermBanks]:
    """Evaluate all terms of some tiles under some coalitions.

    Parameters
    ----------
    fits : sequence of FitResult
        Models of one design, each with its own costs; columns are kept for the last, where it draws or counts them.
    labels : sequence of str
        Tiles, which the fit knows.
    shapes : ndarray of int, shape (cell, 3)
        M, N, K of each cell.
    coalitions : sequence of frozenset of str
        Mechanisms that are on.
    derive : bool
        Whether to keep the columns.
    """
    cells, count, fit = shapes.shape[0], len(coalitions), fits[-1]
    bank = _Bank(cells, derive)
    most = max(len(fit.design(label).terms) for label in labels)
    sizes = [fit.tiles[label].theta.size for label in labels]
    times = np.full((count, len(labels), MOST_LIMITS, most), NOTHING, dtype=np.int64)
    columns = np.full((count, MOST_LIMITS, sum(sizes)), NOTHING, dtype=np.int64)
    loose, last = np.full((2, count, len(labels)), NOTHING, dtype=np.int64)
    numbers = np.ones(count, dtype=np.int64)
    resources = np.zeros((len(labels), most), dtype=np.int64)
    of_columns = np.zeros(sum(sizes), dtype=np.int64)
    powers = np.full(len(labels), LONGER)
    separable = []
    start = 0
    for place, (label, size) in enumerate(zip(labels, sizes, strict=True)):
        span = slice(start, start + size)
        start += size
        problem = fit.problem(label, *np.ascontiguousarray(shapes.T))
        separable.append(all(_is_separable(one, label, problem, coalitions) for one in fits))
        how = fit.tiles[label].overlap
        if how is not None:
            powers[place] = how.power
            design = fit.design(label)
            kinds = [RESOURCES.get(term.resource, 0) for term in design.terms]
            resources[place, : len(kinds)] = kinds
            of_columns[span] = [RESOURCES.get(r, 0) for r in design.resources(fit.hardware)]
        if separable[-1]:
            tile = _Tile(fits, label, problem, bank)
            for row, on in enumerate(coalitions):
                loose[row, place], found = tile.states(on)
                last[row, place] = tile.last_wave(on)
                numbers[row] = max(numbers[row], len(found))
                for limit, (states, places) in enumerate(found):
                    times[row, place, limit, : len(states)] = states
                    columns[row, limit, span] = places
    found_states = CoalitionStates(
        times, columns, loose, last, numbers, resources, of_columns, powers, tuple(separable)
    )
    return found_states, bank.close(len(fits))


class _Bank:
    """Rows of the banks as they are found."""

    def __init__(self, cells: int, derive: bool) -> None:
        self.cells, self.derive = cells, derive
        self.times: list[Array] = []
        self.columns: list[Array] = []
        self.divisible: list[NDArray[np.bool_]] = []
        self.last_waves: list[Array] = []

    def add(self, matrix: Array, thetas: Sequence[Array], silent: NDArray[np.bool_]) -> tuple[int, Index]:
        """Put a term's times and its columns into the banks, unless they are zero; return where they are."""
        state = NOTHING
        costs = np.stack([matrix @ theta for theta in thetas])
        if costs.any():
            state = len(self.times)
            self.times.append(costs)
        places = np.full(matrix.shape[1], NOTHING, dtype=np.int64)
        if self.derive:
            for j in np.flatnonzero(~silent & matrix.any(axis=0)):
                places[j] = len(self.columns)
                self.columns.append(np.ascontiguousarray(matrix[:, j]))
        return state, places

    def close(self, models: int) -> TermBanks:
        """Return the banks."""

        def stack(rows: Sequence[NDArray[Any]], inner: tuple[int, ...], kind: type, axis: int = 0) -> NDArray[Any]:
            return np.stack(rows, axis) if rows else np.empty((*inner[:axis], 0, *inner[axis:]), dtype=kind)

        return TermBanks(
            stack(self.times, (models, self.cells), np.float64, axis=1),
            stack(self.columns, (self.cells,), np.float64),
            stack(self.divisible, (self.cells,), np.bool_),
            stack(self.last_waves, (3, self.cells), np.float64),
        )


class _Tile:
    """One tile's terms under every limit, and what has been found of them so far."""

    def __init__(self, fits: Sequence[FitResult], label: str, problem: Problem, bank: _Bank) -> None:
        fit = fits[-1]
        self.fit, self.label, self.problem, self.bank = fit, label, problem, bank
        item, self.design = fit.tiles[label], fit.design(label)
        widths = [len(term.coefficients(self.design.tile, fit.hardware)) for term in self.design.terms]
        ends = np.cumsum(widths)
        self.spans = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        self.thetas = [one.tiles[label].theta for one in fits]
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
        self.bank.last_waves.append(np.stack([last.work, last.traffic, last.waited]))
        return len(self.bank.last_waves) - 1

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
            return self.bank.add(matrix, [theta[span] for theta in self.thetas], self.silent[span])

        found: tuple[int, Index] = answers.of(on, make)
        return found

    def _mask(self, consulted: Consulted) -> int:
        if self.problem.tile.hidden:
            return NOTHING
        slots = self.fit.hardware.slots_of(self.problem.tile.name)
        mask = bounded(self.problem, slots, consulted)
        if not mask.any():
            return NOTHING
        self.bank.divisible.append(mask)
        return len(self.bank.divisible) - 1


class _Answers:
    """What was made for each set of answers to what it asked."""

    def __init__(self) -> None:
        self.known: dict[frozenset[str], dict[frozenset[str], Any]] = {}

    def of(self, on: frozenset[str], make: Callable[[Consulted], Any]) -> Any:
        """Return what an earlier coalition with the same answers got, or make it."""
        for asked, cases in self.known.items():
            if on & asked in cases:
                return cases[on & asked]
        consulted = Consulted(on, ALL_MECHANISMS)
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
    bank = _Bank(some.size, True)
    tile, theta = _Tile([fit], label, some, bank), fit.tiles[label].theta
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
        chosen, longest = matrices[0].copy(), matrices[0] @ theta
        for matrix in matrices[1:]:
            time = matrix @ theta
            binding = bank.divisible[mask] & (time > longest)
            chosen[binding] = matrix[binding]
            longest = np.where(binding, time, longest)
        how = fit.tiles[label].overlap
        if how is not None:
            place, last = tile.last_wave(frozenset(on)), None
            if place != NOTHING:
                last = LastWave(*bank.last_waves[place])
            law = OverlapLaw(how.power, last)
            chosen = overlapped(chosen, theta, tile.design.resources(fit.hardware), law)
        own = fit.matrix(label, some, frozenset(on))
        same = np.all(chosen == own, axis=1).mean()
        if same < _SAME or not np.allclose(chosen @ theta, own @ theta, rtol=1e-9, atol=0.0):
            return False
    return True
