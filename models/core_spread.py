"""How far cores fall out of step, from timings: the spread of their rates that tells held-out blocks best.

The spread stands for all that makes cores drift apart in one kernel's launches: clocks, distance from memory, what
else they serve. It rounds the steps between waves (:mod:`models.list_scheduling`), so timings tell it where
launches have several waves. A kernel whose waves stay in step has none. Chains of ragged launches tell it more
exactly (:mod:`models.edge_turns`): where they do, what they say stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.constants.confidence import unrefuted
from models.constants.constant import IDENTIFIED, Constant, Profile, not_identifiable
from models.design import Design
from models.gram import BlockGram
from models.hardware import Hardware
from models.overlap import MEMORY
from models.select import STANDARD_ERRORS, held_out_loss
from models.term import Term
from models.tile_data import LEAST_SAMPLES, TileData

CANDIDATES = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3)
"""Spreads that are tried, as parts of the fastest core's rate."""

_NAME = "core_spread"
_ENOUGH = 0.5
"""Share of the blocks that shapes of whole tiles must reach, for a spread to be judged by them alone."""
_REMEDY = "launches of many waves, with work-group counts on both sides of multiples of the slots"


def profile_core_spread(
    data: Mapping[str, TileData],
    terms: Sequence[Term],
    hardware: Hardware,
    fold_of_block: NDArray[np.int64],
    rng: np.random.Generator,
    computing: Mapping[str, NDArray[np.bool_]] | None = None,
    by_chains: Mapping[str, float] | None = None,
) -> dict[str, Constant]:
    """Profile the spread of every tile that has launches of several waves.

    Parameters
    ----------
    data : mapping of tile label to TileData
    terms : sequence of Term
        What else may cost time.
    hardware : Hardware
        With cores and residencies.
    fold_of_block : ndarray of int64, shape (B,)
        Folds for the held-out errors that the spreads are compared by.
    rng : numpy.random.Generator
        Resamples blocks for the confidence sets.
    computing : mapping of tile label to ndarray of bool, optional
        Launches that do not wait for memory, of tiles whose memory traffic overlaps with computing: where they are
        enough, they alone are looked at. In a sum, costs of memory would round steps as a spread does.
    by_chains : mapping of tile label to float, optional
        Spreads that chains of ragged launches told, on all launches and together with what edges cost.

    Returns
    -------
    dict of tile label to Constant
        With an estimate only where chains told it, or it tells held-out blocks better than cores in step do, by
        more than two standard errors. Hidden tiles have none. Work-groups that are delayed at a ragged edge bring
        cores out of step, too: where shapes of whole tiles are enough, only they are looked at.
    """
    found = {}
    for label, item in data.items():
        told = (by_chains or {}).get(label, 0.0)
        if item.hidden or not (item.problem.whole_groups > hardware.slots_of(item.tile.name)).any():
            continue
        if computing is not None and label in computing:
            part = item.part(np.flatnonzero(computing[label]))
            if (part.problem.whole_groups > hardware.slots_of(item.tile.name)).sum() >= LEAST_SAMPLES:
                others = [term for term in terms if term.resource != MEMORY]
                found[label] = _profile(part, others, hardware, fold_of_block, rng, told)
                continue
        found[label] = _profile(item, terms, hardware, fold_of_block, rng, told)
    return found


def _profile(
    item: TileData,
    terms: Sequence[Term],
    hardware: Hardware,
    fold_of_block: NDArray[np.int64],
    rng: np.random.Generator,
    told: float,
) -> Constant:
    name = item.tile.name
    whole = np.flatnonzero(~item.problem.ragged)
    if np.unique(item.blocks[whole]).size >= _ENOUGH * np.unique(item.blocks).size and whole.size >= LEAST_SAMPLES:
        item = item.part(whole)
    design = Design.of(terms, item.tile, hardware)
    candidates = tuple(sorted({*CANDIDATES, told}))
    losses = []
    for spread in candidates:
        state = hardware.with_core_spread(name, spread)
        sums = BlockGram.of(design.matrix(item.problem, state), item.samples.time, item.blocks, fold_of_block.size)
        losses.append(held_out_loss(sums, fold_of_block))
    loss = np.stack(losses)
    kept = unrefuted([loss], rng)
    best = int(np.argmin(loss.sum(axis=1)))
    gain = loss[0] - loss[best]
    apart = float(gain.sum()) > STANDARD_ERRORS * float(np.std(gain, ddof=1) * np.sqrt(gain.size))
    blocks = int((sums.count > 0).sum())
    profile = Profile(
        (_NAME,),
        tuple((spread,) for spread in candidates),
        tuple(float(blocks * np.log(max(value / item.samples.size, 1e-300))) for value in loss.sum(axis=1)),
        tuple(map(bool, kept)),
    )
    values = tuple(s for s, tenable in zip(candidates, kept, strict=True) if tenable or s == told > 0.0)
    if told > 0.0:
        return Constant(told, values, IDENTIFIED, "of the fastest rate", profile=profile, remedy=_REMEDY)
    if best == 0 or not apart:
        status = not_identifiable("cores in step explain the timings as well")
        return Constant(None, values, status, "of the fastest rate", profile=profile, remedy=_REMEDY)
    return Constant(candidates[best], values, IDENTIFIED, "of the fastest rate", profile=profile, remedy=_REMEDY)
