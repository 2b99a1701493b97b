"""Draws of a tile's costs that keep no choice of the fit, and the intervals that follow (see `open_choices`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.all_terms import AllTerms
from models.draws import interval_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OpenCosts:
    """Draws of one tile's costs in the model of all terms, each at tenable values of the constants.

    Attributes
    ----------
    model : AllTerms
        With the constants of the fit.
    told : ndarray of bool, shape (p,)
        Whether the timings tell a coefficient from all others.
    draws : ndarray, shape (d, p)
        Seconds per what each counts, never negative; 0 for coefficients that are not told.
    """

    model: AllTerms
    told: NDArray[np.bool_]
    draws: Array

    def interval(self, weights: Mapping[str, float], estimate: float) -> tuple[float, float] | None:
        """Return the 95 % interval of a sum of costs, as far as it takes to hold the estimate of the fit.

        Parameters
        ----------
        weights : mapping of coefficient name to float
            How often the sum has each cost; names that the tile does not have cost nothing.
        estimate : float
            The sum at the estimates.

        Returns
        -------
        tuple of float, or None
            ``None`` where a cost of the sum is not told: others have a part of it then.
        """
        weight = np.array([weights.get(name, 0.0) for name in self.model.names])
        if not weight.any() or not self.told[weight != 0.0].all():
            return None
        low, high = interval_of(self.draws @ weight)
        return min(float(low), estimate), max(float(high), estimate)

    def interval_of(self, name: str, estimate: float) -> tuple[float, float] | None:
        """Return the 95 % interval of one cost.

        Costs that cannot fall below nothing make it too large or too small on average. The interval reaches as
        much further, as that of a share does; a sum, in which such errors mostly cancel, does without.
        """
        ends = self.interval({name: 1.0}, estimate)
        if ends is None:
            return None
        error = float(self.model.too_large[self.model.names.index(name)])
        return max(0.0, ends[0] - max(0.0, error)), ends[1] - min(0.0, error)
