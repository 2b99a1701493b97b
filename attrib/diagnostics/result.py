"""What diagnosing a fit gives: one frozen result a tile, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrib.diagnostics.autocorrelation import Autocorrelation
from attrib.diagnostics.collinearity import Collinearity
from attrib.diagnostics.leverage import Leverage
from models.inference.criteria import Criteria
from models.inference.lack_of_fit import LackOfFit
from models.inference.nested import NestedTest
from models.inference.robust import RobustFit
from models.overlap_comparison import OverlapTest

Array = NDArray[np.float64]

SHOWN = 20
"""Outlying and leading cells in the JSON."""


@dataclass(frozen=True)
class TileDiagnostics:
    """Diagnostics of one tile.

    Attributes
    ----------
    label : str
    M, N, K : ndarray of int64, shape (n,)
        Its cells.
    measured, fitted : ndarray, shape (n,)
        Seconds.
    coefficients : tuple of str, length p
        Of the model, those that are identified.
    lack_of_fit : LackOfFit
    terms, interactions : tuple of NestedTest
        p-values adjusted over all tiles together, terms and interactions each for themselves.
    naive, effective : Criteria
        Of the model, on all cells and on what they are worth.
    effective_size : float
        Independent cells that these are worth.
    neighbours : tuple of float
        Correlation of the residuals of neighbouring sizes along M, N and K.
    own : float
        Share of the residual variance that a cell shares with no other.
    overlap : OverlapTest or None
        ``None`` where no memory cost is in the model, or too few blocks can be held out.
    uses_overlap : bool
        Whether the fitted model overlaps memory and computing.
    robust : RobustFit
    leverage : Leverage
    collinearity : Collinearity
    autocorrelation : Autocorrelation
    note : str
        Why tests on held-out blocks are missing; empty where they are not.
    """

    label: str
    M: NDArray[np.int64]
    N: NDArray[np.int64]
    K: NDArray[np.int64]
    measured: Array
    fitted: Array
    coefficients: tuple[str, ...]
    lack_of_fit: LackOfFit
    terms: tuple[NestedTest, ...]
    interactions: tuple[NestedTest, ...]
    naive: Criteria
    effective: Criteria
    effective_size: float
    neighbours: tuple[float, float, float]
    own: float
    overlap: OverlapTest | None
    uses_overlap: bool
    robust: RobustFit
    leverage: Leverage
    collinearity: Collinearity
    autocorrelation: Autocorrelation
    note: str = ""

    def shape_of(self, cell: int) -> tuple[int, int, int]:
        """Sizes of a cell, elements."""
        return int(self.M[cell]), int(self.N[cell]), int(self.K[cell])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; what is not known is ``None``."""
        robust, lines = self.robust, self.collinearity
        out = {
            "n": int(self.M.size),
            "note": self.note,
            "lack_of_fit": {"testable": self.lack_of_fit.testable, **asdict(self.lack_of_fit)},
            "terms": [asdict(test) for test in self.terms],
            "interactions": [asdict(test) for test in self.interactions],
            "criteria": {"naive": asdict(self.naive), "effective": asdict(self.effective)},
            "effective_size": self.effective_size,
            "residual": {
                "neighbour_correlation": dict(zip("MNK", self.neighbours, strict=True)),
                "own_share": self.own,
                "moran_i": self.autocorrelation.moran,
                "moran_p": self.autocorrelation.p_value,
                "correlation_by_lag": {name: row.tolist() for name, row in self.autocorrelation.by_lag.items()},
            },
            "overlap": None,
            "uses_overlap": self.uses_overlap,
            "robust": {
                "norm": robust.norm,
                "scale": robust.scale,
                "converged": robust.converged,
                "moved_half_widths": dict(zip(self.coefficients, robust.moved.tolist(), strict=True)),
                "outliers": int(robust.outliers.size),
                "outlying": [
                    self._cell(int(cell), float(robust.residual[cell])) for cell in robust.outliers[:SHOWN]
                ],
            },
            "leverage": {
                "by_edge": {
                    name: {"leverage": share, "cells": cells}
                    for name, (share, cells) in self.leverage.by_edge.items()
                },
                "cells_with_half": self.leverage.half,
                "largest": [
                    self._cell(int(cell), float(self.leverage.values[cell])) for cell in self.leverage.largest
                ],
            },
            "collinearity": {
                "condition_indices": lines.indices.tolist(),
                "inflation": dict(zip(lines.names, lines.inflation.tolist(), strict=True)),
                "entangled": [{"index": index, "coefficients": list(names)} for index, names in lines.entangled],
            },
        }
        if self.overlap is not None:
            out["overlap"] = {**asdict(self.overlap.test), "memory_bound": self.overlap.memory_bound}
        return out

    def _cell(self, cell: int, value: float) -> dict[str, Any]:
        m, n, k = self.shape_of(cell)
        return {"M": m, "N": n, "K": k, "value": value}


@dataclass(frozen=True)
class Diagnostics:
    """Diagnostics of all tiles of a fit.

    Attributes
    ----------
    tiles : mapping of tile label to TileDiagnostics
    draws : int
        Surrogates behind each test.
    seed : int
    """

    tiles: Mapping[str, TileDiagnostics]
    draws: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "draws": self.draws,
            "seed": self.seed,
            "tiles": {label: tile.to_dict() for label, tile in self.tiles.items()},
        }
