"""Information criteria on the sample size that correlated residuals are worth.

Criteria of Akaike (1974), its small-sample form (Hurvich & Tsai 1989) and Schwarz (1978) count cells as if each
brought news. Neighbours share their lack of fit: n cells that are worth n_eff independent ones have the likelihood
of n_eff cells. The naive values stand beside the corrected ones for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Criteria:
    """Information criteria of one model; smaller is better, only differences mean anything.

    Attributes
    ----------
    aic, aicc, bic : float
        ``aicc`` is infinite where there are hardly more cells than parameters.
    """

    aic: float
    aicc: float
    bic: float


@dataclass(frozen=True)
class CriteriaChange:
    """Change that an addition brings; negative where the larger model is preferred.

    Attributes
    ----------
    naive, effective : Criteria
        As if all cells were independent; on the effective sample size.
    """

    naive: Criteria
    effective: Criteria


def information_criteria(mean_square: float, parameters: int, size: float) -> Criteria:
    """Compute the criteria of a Gaussian model.

    Parameters
    ----------
    mean_square : float
        Mean squared relative residual.
    parameters : int
        Coefficients that are not at their bound, and one for the variance.
    size : float
        Number of cells, or what they are worth.
    """
    aic = size * float(np.log(mean_square)) + 2.0 * parameters
    left = size - parameters - 1.0
    aicc = aic + 2.0 * parameters * (parameters + 1.0) / left if left > 0 else np.inf
    return Criteria(aic, aicc, aic + parameters * (float(np.log(size)) - 2.0))


def criteria_change(
    squares: tuple[float, float], active: tuple[int, int], size: int, effective_size: float
) -> CriteriaChange:
    """Compare two nested models.

    Parameters
    ----------
    squares : tuple of float
        Sums of squared relative residuals of the smaller and of the larger model.
    active : tuple of int
        Their coefficients that are not at their bound.
    size : int
        Cells.
    effective_size : float
        What they are worth (:meth:`models.inference.lattice_correlation.LatticeCorrelation.effective_size`).
    """
    changes = []
    for count in (float(size), effective_size):
        small, large = (
            information_criteria(square / size, number + 1, count)
            for square, number in zip(squares, active, strict=True)
        )
        corrected = large.aicc - small.aicc if np.isfinite(large.aicc) else np.inf
        changes.append(Criteria(large.aic - small.aic, corrected, large.bic - small.bic))
    return CriteriaChange(changes[0], changes[1])
