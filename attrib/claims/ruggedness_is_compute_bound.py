"""Ruggedness is mostly where compute is the bottleneck, above the ridge of the roofline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrib.claims.claim import ABOVE, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.ruggedness import misfit
from attrib.claims.sign_flips import Measure, contrast
from attrib.roughness import axis_roughness, slice_roughness
from harness.cube import element_bytes_of, output_bytes_of
from harness.errors import DeviceError, NotApplicableError

Array = NDArray[np.float64]


def examine(evidence: Evidence) -> Measure:
    """Ruggedness along N of shapes above the ridge over that of shapes below it.

    Departures of log throughput are relative to the local throughput, so that slow shapes count as much as fast.
    """
    try:
        ridge = evidence.device.peak(str(evidence.cube.attrs["dtype"])) / evidence.device.number(
            "bandwidth_bytes_per_s"
        )
    except DeviceError as error:
        raise NotApplicableError(str(error)) from None
    rough = np.abs(misfit(evidence.log_rate, evidence.landscape.N, "N"))
    above = np.broadcast_to(intensity(evidence) > ridge, rough.shape).ravel().astype(np.float64)
    known = np.isfinite(rough).ravel()
    for share, name in ((above[known], "below"), (1.0 - above[known], "above")):
        if share.size == 0 or share.min() == 1.0:
            raise NotApplicableError(f"no shape of the grid lies {name} the ridge of {ridge:.0f} FLOP/B")
    flat = rough.ravel()
    labels = evidence.spread_blocks(rough.shape, apart=True)
    detail = f"ridge at {ridge:.0f} FLOP/B; {_slice_against_cube(evidence)}"
    return contrast(flat, above, labels, seed=evidence.seed, detail=detail).as_ratio()


def intensity(evidence: Evidence) -> Array:
    """FLOP per byte when every operand moves once, shape (M, N, K)."""
    grid = evidence.landscape
    M, N, K = (axis.astype(np.float64) for axis in np.ix_(grid.M, grid.N, grid.K))
    inputs, outputs = element_bytes_of(evidence.cube), output_bytes_of(evidence.cube)
    return np.asarray(2.0 * M * N * K / (inputs * (M * K + K * N) + outputs * M * N))


def _slice_against_cube(evidence: Evidence) -> str:
    """Compare the paper's roughness in the slice at the largest K with that of the cube."""
    rate = np.exp(evidence.log_rate[evidence.fixed_tile])
    part, whole = float(slice_roughness(rate, "N")), float(axis_roughness(rate, "N"))
    relative = part / float(np.nanmean(rate[..., -1])), whole / float(np.nanmean(rate))
    return (
        f"mean steps of {evidence.landscape.tiles[evidence.fixed_tile].name} along N are {part:.3g} TFLOP/s in the "
        f"slice at the largest K and {whole:.3g} in the cube, {100 * relative[0]:.2g} % and "
        f"{100 * relative[1]:.2g} % of their mean throughput"
    )


CLAIM = Claim(
    name="ruggedness is compute bound",
    words="Ruggedness is mostly in the compute-bound part of the landscape.",
    section="8.6",
    null="shapes above and below the ridge are equally rugged, relative to their throughput",
    statistic="mean ruggedness along N of shapes above the ridge of the roofline over that of shapes below; "
    "blocks of (M, N)",
    unit="times",
    smallest=1.1,
    side=ABOVE,
    examine=examine,
    supported="Shapes that are limited by arithmetic are {effect} as rugged as the rest: look there first.",
    refuted="Shapes that are limited by arithmetic are {effect} as rugged as the rest, which needs care as well.",
    question="shapes limited by arithmetic are the more rugged ones",
)
