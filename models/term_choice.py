"""Which terms a tile's model has: those that lower held-out errors, each launch counting what bounds it.

In a sum, costs that others hide would make the gain of a term look like chance. Where it is known what bounds the
launches of a tile, memory terms are all in, as they are in the fit.

Where waves were counted in chains that late work-groups delay, these waves and the cost of being late belong
together: without the cost such waves are those of no model. So it is judged against waves without delays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.design import Design
from models.edge_turns import Bounded
from models.gram import BlockGram
from models.hardware import Hardware
from models.overlap import MEMORY, shown
from models.ragged_launches import MASKED
from models.reasons import NO_GAIN, ZERO
from models.select import earns_its_place, held_out_loss, select_terms
from models.term import Term
from models.tile_data import TileData

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def choose_terms(
    item: TileData,
    terms: Sequence[Term],
    hardware: Hardware,
    fold_of_block: Indices,
    bounded: Bounded | None,
) -> tuple[Design, dict[str, str]]:
    """Choose terms by held-out error; also say why the others are left out.

    Parameters
    ----------
    item : TileData
    terms : sequence of Term
        Candidates.
    hardware : Hardware
        With residencies, spreads of the cores and edge costs.
    fold_of_block : ndarray of int64, shape (B,)
    bounded : Bounded or None
        What each launch counts of computing and of memory, where they overlap.

    Returns
    -------
    Design
    dict of str to str
        Reason by name of a term that was left out.
    """
    candidates = _Candidates.of(item, terms, hardware, fold_of_block, bounded)
    chosen = candidates.chosen()
    costs = hardware.edges.get(item.tile.name)
    if costs is not None and costs.late and MASKED in candidates.names:
        on_time = replace(hardware, edges={**hardware.edges, item.tile.name: costs.without_delays()})
        plain = _Candidates.of(item, terms, on_time, fold_of_block, bounded)
        in_time = plain.chosen()
        if MASKED not in plain.named(in_time):
            late = candidates.chosen(always=MASKED)
            chosen = late if earns_its_place(plain.loss(in_time), candidates.loss(late)) else in_time
    return Design.of([candidates.every.terms[i] for i in chosen], item.tile, hardware), candidates.left_out(chosen)


@dataclass(frozen=True)
class _Candidates:
    """Terms that may cost something, and the sums over blocks that they are chosen by."""

    every: Design
    sums: BlockGram
    places: tuple[Indices, ...]
    given: tuple[bool, ...]
    fold_of_block: Indices

    @classmethod
    def of(
        cls,
        item: TileData,
        terms: Sequence[Term],
        hardware: Hardware,
        fold_of_block: Indices,
        bounded: Bounded | None,
    ) -> _Candidates:
        known = [term for term in terms if bounded is not None or not term.needs_overlap]
        every = Design.of(known, item.tile, hardware)
        matrix = every.matrix(item.problem, hardware)
        if bounded is not None:
            matrix = shown(matrix, bounded[0], every.resources(hardware))
        sums = BlockGram.of(matrix, item.samples.time, item.blocks, fold_of_block.size)
        widths = [len(term.coefficients(item.tile, hardware)) for term in every.terms]
        ends = np.cumsum(widths)
        places = tuple(np.arange(end - width, end) for width, end in zip(widths, ends, strict=True))
        given = tuple(bounded is not None and term.resource == MEMORY for term in every.terms)
        return cls(every, sums, places, given, fold_of_block)

    @property
    def names(self) -> list[str]:
        return [term.name for term in self.every.terms]

    def named(self, chosen: Sequence[int]) -> list[str]:
        return [self.names[index] for index in chosen]

    def chosen(self, always: str = "") -> tuple[int, ...]:
        """Indices of the terms chosen, one of them whatever it gains."""
        kept = [term.always or term.name == always for term in self.every.terms]
        return select_terms(self.sums, self.places, kept, self.fold_of_block, self.given)

    def loss(self, chosen: Sequence[int]) -> Array:
        """Held-out loss of each block."""
        columns = np.concatenate([self.places[index] for index in chosen])
        return held_out_loss(self.sums.take(columns), self.fold_of_block)

    def left_out(self, chosen: Sequence[int]) -> dict[str, str]:
        """Say why terms are left out."""
        found = dict(self.every.skipped)
        for index, term in enumerate(self.every.terms):
            if index not in chosen:
                used = self.sums.gram[:, self.places[index], self.places[index]].any()
                found[term.name] = NO_GAIN if used else f"{ZERO}; would be identified by {term.identified_by}"
        return found
