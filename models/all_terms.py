"""The model of all terms that apply to a tile: what it says beside a fit that has chosen some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AllTerms:
    """Costs of one tile in the model of all terms, with the constants of the fit.

    Attributes
    ----------
    terms : tuple of str
        All terms that apply to the tile, in the order of its design.
    names : tuple of str
        Coefficients of these terms, p of them.
    theta : ndarray, shape (p,)
        Estimates, seconds per what each counts; 0 for coefficients that the timings cannot tell from others.
    draws : ndarray, shape (draws, p)
        What they would have been under other lack of fit (:mod:`models.draws`).
    too_large : ndarray, shape (p,)
        What the costs exceed the truth by, on average, if every cost that may be nothing is nothing.
    """

    terms: tuple[str, ...]
    names: tuple[str, ...]
    theta: Array
    draws: Array
    too_large: Array

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; :meth:`from_dict` is its inverse."""
        return {
            "terms": list(self.terms),
            "names": list(self.names),
            "theta": self.theta.tolist(),
            "draws": self.draws.tolist(),
            "too_large": self.too_large.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AllTerms:
        """Rebuild from plain data."""
        names = tuple(data["names"])
        return cls(
            tuple(data["terms"]),
            names,
            np.array(data["theta"], dtype=np.float64),
            np.array(data["draws"], dtype=np.float64).reshape(-1, len(names)),
            np.array(data["too_large"], dtype=np.float64),
        )
