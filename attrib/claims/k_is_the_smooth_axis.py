"""K is the smooth axis: ruggedness along K against that along M and N."""

from __future__ import annotations

import numpy as np

from attrib.claims.claim import BELOW, Claim
from attrib.claims.evidence import Evidence, set_apart
from attrib.claims.ruggedness import misfit
from attrib.claims.sign_flips import Measure, block_sums, log_ratio_of_means, measure
from harness.errors import NotApplicableError


def examine(evidence: Evidence) -> Measure:
    """Ruggedness along K over the mean of M and N, at sizes that all three axes have."""
    grid = evidence.landscape
    common = np.intersect1d(np.intersect1d(grid.M, grid.N), grid.K)
    if common.size < 5:
        raise NotApplicableError(
            f"M, N and K have {common.size} sizes in common, and five are needed to compare "
            "equal steps: measure a cube"
        )
    rows, columns, depth = (np.searchsorted(grid.axis(axis), common) for axis in "MNK")
    rates = evidence.log_rate[:, rows][:, :, columns][..., depth]
    rough = {axis: np.abs(misfit(rates, common, axis)) for axis in "MNK"}
    across = np.stack([rough["M"], rough["N"]])
    labels = np.broadcast_to(set_apart(evidence.blocks)[np.ix_(rows, columns)][:, :, None], rates.shape).ravel()
    both = [np.nan_to_num(across).sum(axis=0).ravel(), np.isfinite(across).sum(axis=0).ravel().astype(np.float64)]
    own = [np.nan_to_num(rough["K"]).ravel(), np.isfinite(rough["K"]).ravel().astype(np.float64)]
    found = block_sums(np.stack([*own, *both]), labels)
    means = ", ".join(f"{axis} {100 * np.nanmean(rough[axis]):.2g} %" for axis in "MNK")
    return measure(found, log_ratio_of_means, 0.0, seed=evidence.seed, detail=f"mean departure: {means}").as_ratio()


CLAIM = Claim(
    name="K is the smooth axis",
    words="K is the smoothest axis.",
    section="3.4, 8.6",
    null="steps along K are as rough as steps of the same relative size along M and N",
    statistic="mean ruggedness along K over the mean of those along M and N, at the sizes they have in common, "
    "noise counted in; blocks of (M, N)",
    unit="times",
    smallest=0.9,
    side=BELOW,
    examine=examine,
    supported="Changing K is only {effect} as rough as changing M or N: K needs the least care.",
    refuted="Changing K is {effect} as rough as changing M or N: it needs as much care.",
    question="K needs less care than M and N",
)
