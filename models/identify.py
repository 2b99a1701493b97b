"""Identifiability: which columns of a design these samples can tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.design import Column

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
            reasons[j] = f"zero on this grid; {remedy}"
            continue
        left = 1.0
        if admitted:
            index = np.array(admitted)
            scale = np.sqrt(np.diag(gram)[index])
            inner = gram[np.ix_(index, index)] / scale[:, None] / scale
            cross = gram[index, j] / scale / np.sqrt(gram[j, j])
            left = 1.0 - float(cross @ np.linalg.lstsq(inner, cross, rcond=1e-12)[0])
        if left < _UNIQUE:
            reasons[j] = f"a combination of other columns on this grid; {remedy}"
        else:
            admitted.append(j)
    return reasons
