"""Identifiability: which columns of a design these samples can tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.design import Column
from models.reasons import COMBINATION, ZERO

Array = NDArray[np.float64]

_UNIQUE = 1e-6
"""A column whose share not explained by the others is below this cannot be told apart from them."""


def unidentified(gram: Array, columns: Sequence[Column]) -> dict[int, str]:
    """Find the columns that cannot be estimated on these samples.

    Columns are admitted in order: one that is zero, or that the admitted ones reproduce (to a millionth of its
    weighted sum of squares), is reported and left out of the fit, never quietly estimated.

    Parameters
    ----------
    gram : ndarray, shape (p, p)
        Weighted Gram matrix of the design.
    columns : sequence of Column, length p

    Returns
    -------
    dict of int to str
        Index of each such column and the reason, with the shapes that would identify it.
    """
    reasons: dict[int, str] = {}
    admitted: list[int] = []
    for j, column in enumerate(columns):
        remedy = f"would be identified by {column.term.identified_by}"
        if gram[j, j] <= 0:
            reasons[j] = f"{ZERO}; {remedy}"
            continue
        if _left(gram, admitted, j) < _UNIQUE:
            partners = ", ".join(columns[i].coefficient.name for i in _partners(gram, admitted, j))
            reasons[j] = f"{COMBINATION}, its cost is in: {partners}; {remedy}"
        else:
            admitted.append(j)
    return reasons


def unidentified_jointly(
    grams: Sequence[Array], columns: Sequence[Sequence[Column]], keys: Sequence[Sequence[str | None]]
) -> tuple[dict[int, str], ...]:
    """Find the columns of several tiles that cannot be estimated together.

    A tile's own columns are admitted among themselves, as by :func:`unidentified`. A shared column is left out
    of all tiles only where the own columns reproduce it on every tile: one tile that tells it apart fixes it for
    the others.

    Parameters
    ----------
    grams : sequence of ndarray, shape (p, p)
        Weighted Gram matrix of each tile's design.
    columns : sequence of sequences of Column
    keys : sequence of sequences of str or None
        Columns of equal key share a coefficient.

    Returns
    -------
    tuple of dict of int to str
        For each tile, the index of each such column and the reason.
    """
    found: list[dict[int, str]] = []
    left: dict[str, float] = {}
    total: dict[str, float] = {}
    for gram, listed, row in zip(grams, columns, keys, strict=True):
        own = np.array([j for j, key in enumerate(row) if key is None], dtype=np.int64)
        inside = unidentified(gram[np.ix_(own, own)], [listed[j] for j in own])
        found.append({int(own[j]): reason for j, reason in inside.items()})
        admitted = [int(j) for j in own if int(j) not in found[-1]]
        for j, key in enumerate(row):
            if key is not None:
                weight = float(gram[j, j])
                total[key] = total.get(key, 0.0) + weight
                left[key] = left.get(key, 0.0) + (weight * _left(gram, admitted, j) if weight > 0 else 0.0)
    for reasons, listed, row in zip(found, columns, keys, strict=True):
        for j, key in enumerate(row):
            if key is not None and left[key] <= _UNIQUE * total[key]:
                what = COMBINATION if total[key] > 0 else ZERO
                reasons[j] = f"{what}; would be identified by {listed[j].term.identified_by}"
    return tuple(found)


def _left(gram: Array, admitted: Sequence[int], j: int) -> float:
    """Share of the weighted sum of squares of column j that the admitted columns do not reproduce."""
    if not admitted:
        return 1.0
    weights, cross = _reproduction(gram, admitted, j)
    return 1.0 - float(cross @ weights)


def _partners(gram: Array, admitted: Sequence[int], j: int) -> list[int]:
    """Admitted columns that reproduce column j: those with a tenth of the largest weight or more."""
    weights, _ = _reproduction(gram, admitted, j)
    return [i for i, weight in zip(admitted, np.abs(weights), strict=True) if weight >= 0.1 * np.abs(weights).max()]


def _reproduction(gram: Array, admitted: Sequence[int], j: int) -> tuple[Array, Array]:
    """Weights of the admitted columns, all of unit length, that come nearest to column j; and its cosines."""
    index = np.array(admitted)
    scale = np.sqrt(np.diag(gram)[index])
    inner = gram[np.ix_(index, index)] / scale[:, None] / scale
    cross = gram[index, j] / scale / np.sqrt(gram[j, j])
    return np.linalg.lstsq(inner, cross, rcond=1e-12)[0], cross
