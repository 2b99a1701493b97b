"""What the stages leave is hardware: the residual roughness, shared out among mechanisms."""

from __future__ import annotations

import numpy as np

from attrib.attribution import FLOOR, NOISE, UNEXPLAINED, Attribution, ModelLandscapes, actor_of, attribute
from attrib.attribution.actors import HARDWARE
from attrib.attribution.share import Share
from attrib.claims.claim import ABOVE, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.sign_flips import Measure
from attrib.measurement_noise import relative_error_of
from attrib.stages import standard_stages
from harness.errors import NotApplicableError

_MOST_UNEXPLAINED = 0.1
"""Share of the residual, more or less than measured, beyond which a model's shares of it settle nothing."""

_FEWEST_DRAWS = 40
"""Of fewer draws the 2.5 % point is a guess."""


def examine(evidence: Evidence) -> Measure:
    """Share of the last stage's roughness that the fitted model puts on hardware."""
    if evidence.fit is None:
        raise NotApplicableError("it takes a fitted model: give --model, or let one be fitted")
    landscape = evidence.landscape
    models = ModelLandscapes(landscape, evidence.fit)
    errors = relative_error_of(evidence.dense)
    reason = "no stage applies to this grid"
    for stage in reversed(standard_stages(landscape, landscape.tiles[evidence.fixed_tile])):
        try:
            attribution = attribute(stage, stage.apply(landscape), models, errors)
        except NotApplicableError as refusal:
            reason = str(refusal)
            continue
        return of_attribution(attribution)
    raise NotApplicableError(reason)


def counts_as_hardware(name: str) -> bool:
    """Whether a share is the device's: the paper's four causes (Table 15), and its smooth floor (section 8.5)."""
    return name == FLOOR or actor_of(name) == HARDWARE


def of_attribution(attribution: Attribution) -> Measure:
    """Sum the shares of hardware, as a fraction of the measured roughness; the interval from their joint draws."""
    shares = attribution.shares
    whole = sum(share.share for share in shares.values())
    missed = shares[UNEXPLAINED].share / whole
    if abs(missed) > _MOST_UNEXPLAINED:
        raise NotApplicableError(
            f"{missed:+.0%} of what {attribution.stage} leaves is unexplained: the model is no judge of the rest"
        )
    hardware = [name for name in shares if counts_as_hardware(name)]
    kernel = [name for name in shares if not counts_as_hardware(name) and name not in (UNEXPLAINED, NOISE)]
    value = sum(shares[name].share for name in hardware) / whole
    detail = (
        f"stage {attribution.stage}: hardware and smooth floor {value * whole:.3g}, kernel "
        f"{round(sum(shares[name].share for name in kernel), 6):.3g}, unexplained "
        f"{shares[UNEXPLAINED].share:.3g}, noise {shares[NOISE].share:.3g} TFLOP/s per step"
    )
    draws = np.sum([attribution.samples[name] for name in hardware if name in attribution.samples], axis=0)
    if np.size(draws) < _FEWEST_DRAWS or not np.isfinite(draws).all():
        return Measure(value, None, None, None, 0, f"shares have no interval; {detail}")
    error = sum(attribution.too_large[name] for name in hardware)
    found = Share.of(value, np.asarray(draws / whole), error / whole)
    return Measure(value, found.lower, found.upper, None, int(np.size(draws)), detail)


CLAIM = Claim(
    name="the residual is hardware",
    words="All roughness that the stages leave is caused by the hardware.",
    section="8.4, 8.5 (Tables 15 and 16)",
    null="no test: a share of a fitted model, with the interval of its draws",
    statistic="share of the last stage's roughness along N at the largest K that the model puts on the hardware "
    "(waves, launch, atoms, channels) or that a smooth landscape has too",
    unit=FRACTION,
    smallest=0.9,
    side=ABOVE,
    examine=examine,
    supported="What is left is the device itself ({effect} of it): no software will remove it.",
    refuted="Only {effect} of what is left can be put on the device: there is work left for software, or a cause "
    "that nobody has named.",
    question="the device itself causes what is left",
    would_settle="a grid or fine lines that tell the mechanisms apart would narrow the interval",
)
