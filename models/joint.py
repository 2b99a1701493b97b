"""Joint estimation over tiles: coefficients of the hardware are shared, costs of a kernel are its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.gram import BlockGram
from models.solve import solve_nonnegative

Array = NDArray[np.float64]

_UNSEEN = 1e-6
"""Part of the sum of a column's squares."""


@dataclass(frozen=True)
class JointSystem:
    """Sums of several tiles and where their coefficients stand in the common vector.

    Attributes
    ----------
    sums : tuple of BlockGram
        One per tile, over the same blocks.
    places : tuple of ndarray of int64
        For each tile, the position of its columns in the common vector; shared columns have equal positions.
    size : int
        Length of the common vector.
    """

    sums: tuple[BlockGram, ...]
    places: tuple[NDArray[np.int64], ...]
    size: int

    @classmethod
    def of(cls, sums: Sequence[BlockGram], keys: Sequence[Sequence[str | None]]) -> JointSystem:
        """Lay out tiles; a column with a key other than ``None`` is shared by all columns of that key."""
        shared: dict[str, int] = {}
        places, size = [], 0
        for row in keys:
            positions = []
            for key in row:
                if key is not None and key in shared:
                    positions.append(shared[key])
                    continue
                if key is not None:
                    shared[key] = size
                positions.append(size)
                size += 1
            places.append(np.array(positions, dtype=np.int64))
        return cls(tuple(sums), tuple(places), size)

    def solve(self, weight: Array | None = None) -> tuple[Array, ...]:
        """Coefficients of each tile for given block weights (all ones when ``None``).

        A column that blocks of some weight hardly show, of all that it is, gets 0: they would tell any cost.
        """
        gram, moment = self._total(weight)
        if weight is not None:
            seen = np.diag(gram) > _UNSEEN * np.diag(self._total(None)[0])
            gram, moment = gram * np.outer(seen, seen), moment * seen
        theta = solve_nonnegative(gram, moment)
        return tuple(theta[place] for place in self.places)

    def refit(self, scores: Array, about: Sequence[Array] | None = None) -> tuple[Array, ...]:
        """Solve again with the scores moved, as other lack of fit would have moved them.

        The solution moves from the unconstrained one, not from a bound that it rests on.

        Parameters
        ----------
        scores : ndarray, shape (draws, size)
            What is added to the sums X'1 of the scaled design, in the order of the common vector.
        about : sequence of ndarray, shape (p,), optional
            Coefficients of each tile that the sums are those of, instead of the measured sums.

        Returns
        -------
        tuple of ndarray, shape (draws, p)
            One for each tile.
        """
        gram, moment = self._total(None)
        if about is not None:
            common = np.zeros(self.size)
            for place, theta in zip(self.places, about, strict=True):
                common[place] = theta
            moment = gram @ common
        fits = np.array([solve_nonnegative(gram, moment + score) for score in scores])
        fits = fits.reshape(scores.shape[0], self.size)
        return tuple(fits[:, place] for place in self.places)

    def _total(self, weight: Array | None) -> tuple[Array, Array]:
        gram, moment = np.zeros((self.size, self.size)), np.zeros(self.size)
        for sums, place in zip(self.sums, self.places, strict=True):
            part, right, _ = sums.total(weight)
            gram[np.ix_(place, place)] += part
            moment[place] += right
        return gram, moment

    def bootstrap(self, draws: int, rng: np.random.Generator) -> tuple[Array, ...]:
        """Refit to resampled blocks; for each tile an array of shape (draws, p).

        Blocks are resampled for all tiles together, because their lack of fit at an (M, N) is related. Blocks that
        share lack of fit with their neighbours make the draws too narrow: :func:`models.draws.draw_coefficients`
        comes here only where it cannot tell.
        """
        if draws == 0:
            return tuple(np.empty((0, place.size)) for place in self.places)
        n_blocks = self.sums[0].count.size
        weights = rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=draws)
        fits = [self.solve(weight.astype(np.float64)) for weight in weights]
        return tuple(np.stack([fit[tile] for fit in fits]) for tile in range(len(self.sums)))
