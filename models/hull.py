"""The measured hull: shapes inside it are interpolated, shapes outside are extrapolated and marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

Array = NDArray[np.float64]

_SLACK = 1e-6
"""Shapes on the hull are inside, whatever rounding says; in octaves."""


@dataclass(frozen=True)
class MeasuredHull:
    """Convex hull of the measured shapes in log2(M), log2(N), log2(K), within their bounding box.

    Logarithms, because sizes act by ratios: a line that runs down to N = 16 at large M and K says little about
    a problem that is small on every side, and the bounding box alone would take that as measured.

    Attributes
    ----------
    lower, upper : tuple of int
        Smallest and largest M, N, K, elements.
    facets : ndarray, shape (f, 4)
        A shape x is inside where every ``facets @ (x, 1) <= 0``; none where the shapes span no volume.
    """

    lower: tuple[int, int, int]
    upper: tuple[int, int, int]
    facets: Array

    @classmethod
    def of(cls, M: NDArray[np.int64], N: NDArray[np.int64], K: NDArray[np.int64]) -> MeasuredHull:
        """Hull of measured shapes, each array of shape (n,)."""
        sizes = np.unique(np.stack([M, N, K], axis=1), axis=0)
        try:
            facets = np.unique(np.round(ConvexHull(np.log2(sizes)).equations, 12), axis=0)
        except (QhullError, ValueError):
            # Shapes on one plane or line: the box is all there is.
            facets = np.empty((0, 4))
        low, high = sizes.min(axis=0).tolist(), sizes.max(axis=0).tolist()
        return cls((low[0], low[1], low[2]), (high[0], high[1], high[2]), facets)

    def outside(self, M: NDArray[np.int64], N: NDArray[np.int64], K: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether shapes are extrapolated, shape (n,)."""
        sizes = np.stack([M, N, K], axis=1)
        beyond = np.any((sizes < np.array(self.lower)) | (sizes > np.array(self.upper)), axis=1)
        if self.facets.size:
            above = np.log2(sizes) @ self.facets[:, :3].T + self.facets[:, 3]
            beyond |= np.any(above > _SLACK, axis=1)
        return np.asarray(beyond)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; :meth:`from_dict` is its inverse."""
        return {"lower": list(self.lower), "upper": list(self.upper), "facets": self.facets.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MeasuredHull:
        """Rebuild from plain data."""
        low, high = data["lower"], data["upper"]
        facets = np.array(data["facets"], dtype=np.float64).reshape(-1, 4)
        return cls((low[0], low[1], low[2]), (high[0], high[1], high[2]), facets)
