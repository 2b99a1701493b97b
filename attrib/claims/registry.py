"""All claims, and what a cube says of them together."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from attrib.claims import (
    drift_is_not_the_cause,
    k_is_the_smooth_axis,
    largest_square_is_not_fastest,
    n_is_rougher_than_m,
    no_fixed_period,
    no_interaction,
    one_tile_does_not_suffice,
    padding_leaves_slow_paths,
    peaks_divide_by_the_cores,
    period_follows_the_tile,
    plans_add_to_the_tile_choice,
    residual_is_hardware,
    ruggedness_is_compute_bound,
    ruggedness_is_not_noise,
)
from attrib.claims.claim import Claim, Finding
from attrib.claims.evidence import Evidence

_multitest: Any = importlib.import_module("statsmodels.stats.multitest")

CLAIMS: tuple[Claim, ...] = (
    ruggedness_is_not_noise.CLAIM,
    drift_is_not_the_cause.CLAIM,
    period_follows_the_tile.CLAIM,
    no_fixed_period.CLAIM,
    peaks_divide_by_the_cores.CLAIM,
    largest_square_is_not_fastest.CLAIM,
    no_interaction.CLAIM,
    n_is_rougher_than_m.CLAIM,
    k_is_the_smooth_axis.CLAIM,
    ruggedness_is_compute_bound.CLAIM,
    one_tile_does_not_suffice.CLAIM,
    padding_leaves_slow_paths.CLAIM,
    plans_add_to_the_tile_choice.CLAIM,
    residual_is_hardware.CLAIM,
)
"""In the order of an argument: is it real, where does it come from, what helps, what is left."""


def examine_claims(
    evidence: Evidence, claims: Sequence[Claim] = CLAIMS, progress: Callable[[str], None] | None = None
) -> tuple[Finding, ...]:
    """Judge claims, and adjust their p-values for being several.

    Parameters
    ----------
    evidence : Evidence
    claims : sequence of Claim
    progress : callable, optional
        Called with a few words when a claim's turn has come.

    Returns
    -------
    tuple of Finding
        In the order of the claims.
    """
    findings = []
    for claim in claims:
        if progress is not None:
            progress(f"claim: {claim.name}")
        findings.append(claim.judge(evidence))
    return with_adjusted(findings)


def with_adjusted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Adjust all p-values together (Holm 1979); findings without one stay as they are."""
    tested = [place for place, item in enumerate(findings) if item.p_value is not None]
    out = list(findings)
    if tested:
        raw = [findings[place].p_value for place in tested]
        adjusted = _multitest.multipletests(raw, method="holm")[1]
        for place, value in zip(tested, adjusted, strict=True):
            out[place] = replace(out[place], adjusted_p_value=float(value))
    return tuple(out)
