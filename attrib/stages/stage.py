"""What an optimizer stage is: a landscape in, the best time of every shape and how to reach it out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attrib.landscape import Landscape
from harness.errors import NotApplicableError

UNAVAILABLE = -1
"""Entry of a decision array where a shape cannot be computed."""

RUN = 0
"""Action of a shape that one launch computes; 1, 2 and 3 split it along M, N and K."""


class Launch(NamedTuple):
    """One kernel launch of a plan.

    ``shape`` is the part it computes and ``padded`` the shape it runs, both as indices on the axes M, N, K;
    ``tile`` is an index into the landscape's tiles.
    """

    shape: tuple[int, int, int]
    padded: tuple[int, int, int]
    tile: int


@dataclass(frozen=True, eq=False)
class Decisions:
    """How each shape reaches its time, one lookup a shape; every array has the shape (M, N, K).

    Attributes
    ----------
    tile : numpy.ndarray of int16
        Index of the tile to run, on the padded shape.
    target : numpy.ndarray of int32
        Padded shape to run, as the flat (C-order) index of its cell; a cell's own index means no padding.
    action : numpy.ndarray of int8
        0 runs one launch (`tile` on `target`); 1, 2 or 3 splits along M, N or K; -1 is not available.
    part : numpy.ndarray of int32
        Index on the split axis of the first part's size, -1 without a split. At index i of the axis the
        second part has index ``i - part - 1``; both parts have decisions of their own.
    """

    tile: NDArray[np.int16]
    target: NDArray[np.int32]
    action: NDArray[np.int8]
    part: NDArray[np.int32]

    @classmethod
    def run(cls, tile: NDArray[np.int16]) -> Decisions:
        """Run every shape as it is, with the given tile indices (-1 where not available)."""
        own = np.arange(tile.size, dtype=np.int32).reshape(tile.shape)
        missing = tile == UNAVAILABLE
        return cls(
            tile=tile,
            target=np.where(missing, np.int32(UNAVAILABLE), own),
            action=np.where(missing, UNAVAILABLE, RUN).astype(np.int8),
            part=np.full(tile.shape, UNAVAILABLE, dtype=np.int32),
        )

    def launches(self, m: int, n: int, k: int) -> tuple[Launch, ...]:
        """Unfold the plan of the cell at indices (m, n, k) into its launches, in the order they run.

        Raises
        ------
        NotApplicableError
            If the shape is not available.
        """
        plan: list[Launch] = []
        pending = [(m, n, k)]
        while pending:
            cell = pending.pop()
            action = int(self.action[cell])
            if action == UNAVAILABLE:
                raise NotApplicableError(f"the shape at indices {cell} has no time in this landscape")
            if action == RUN:
                rows, columns, depth = np.unravel_index(int(self.target[cell]), self.tile.shape)
                plan.append(Launch(cell, (int(rows), int(columns), int(depth)), int(self.tile[cell])))
                continue
            first, second = list(cell), list(cell)
            first[action - 1] = int(self.part[cell])
            second[action - 1] -= first[action - 1] + 1
            pending.append((second[0], second[1], second[2]))
            pending.append((first[0], first[1], first[2]))
        return tuple(plan)


@dataclass(frozen=True, eq=False)
class StageResult:
    """A landscape after a stage.

    Attributes
    ----------
    name : str
        Name of the stage.
    time : numpy.ndarray of float64, shape (M, N, K)
        Seconds; NaN where a shape cannot be computed. A table value until the plan has been run.
    decisions : Decisions
        How each shape reaches its time.
    """

    name: str
    time: NDArray[np.float64]
    decisions: Decisions

    def __repr__(self) -> str:
        action = self.decisions.action
        own = np.arange(action.size).reshape(action.shape)
        padded = np.mean((action == RUN) & (self.decisions.target != own))
        split = np.mean(action > RUN)
        return f"StageResult({self.name}: {action.size} shapes, {padded:.1%} padded, {split:.1%} split)"


class Stage(ABC):
    """One step of software that turns the times of all tiles into the best time of each shape."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the stage, with the stages it builds on."""

    @abstractmethod
    def apply(self, landscape: Landscape) -> StageResult:
        """Apply the stage.

        Raises
        ------
        NotApplicableError
            If the landscape does not allow it; the message says why.
        """
