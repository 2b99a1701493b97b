"""What a model is made of before its coefficients are estimated: spreads, terms, overlap, residents and chains.

Each of these is told best when the others are known. They are found in turns:

1. cores out of step, terms and overlap, with the residents that were counted on all launches;
2. residents of tiles that overlap are counted again on launches that compute, those of tiles with ragged launches
   with chains, and chains of ragged launches are followed, with the best of a few spreads; then all of 1 again, the
   spread of the cores told from launches that compute, and terms chosen by what bounds each launch;
3. chains of tiles that overlap are followed again, now that it is known how, and of those whose residents changed
   or whose masked edges came or went; and all of 1 once more;
4. how abruptly the cache gives way and spreads are settled with all that is known by then, and where one of these
   changed, costs of bytes and of edges are found again with it, and all of 1 a last time.

Where all tiles are hidden there are no waves to count, and 1 is all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.chain_residents import recount_by_chains
from models.chain_search import find_edge_costs, turned_again
from models.constants.constant import Constant
from models.core_count import count_residents
from models.core_spread import profile_core_spread
from models.design import ALL_MECHANISMS, Design
from models.edge_costs import EdgeCosts
from models.edge_turns import LEAST_LOSS, Bounded, edge_costs, solved
from models.hardware import Hardware
from models.overlap import LONGER, scales_at
from models.overlap_comparison import OverlapTest
from models.overlap_power import with_power
from models.overlap_tiles import find_overlap, launches_that_compute, with_memory
from models.ragged_launches import MASKED
from models.settled_spill import settle_spill
from models.settled_spreads import settle_spreads
from models.term import Term
from models.term_choice import choose_terms
from models.tile_data import TileData
from models.waves import WaveConstants

Indices = NDArray[np.int64]

_ROUNDS = 4


@dataclass(frozen=True)
class Structure:
    """All that is fixed when coefficients are estimated.

    Attributes
    ----------
    hardware : Hardware
        With residencies, spreads and edge costs.
    waves : WaveConstants or None
        With the residents as counted last.
    spreads : mapping of tile label to Constant
    designs, wide : mapping of tile label to Design
        Terms that were chosen; the same with all memory terms, for tiles that overlap.
    left_out : mapping of tile label to mapping of str to str
        Terms that were not chosen, with the reason.
    overlaps : mapping of tile label to OverlapTest
    """

    hardware: Hardware
    waves: WaveConstants | None
    spreads: dict[str, Constant]
    designs: dict[str, Design]
    wide: dict[str, Design]
    left_out: dict[str, dict[str, str]]
    overlaps: dict[str, OverlapTest]


def find_structure(
    data: Mapping[str, TileData],
    hardware: Hardware,
    terms: Sequence[Term],
    waves: WaveConstants | None,
    fold_of_block: Indices,
    places: tuple[Indices, Indices],
    *,
    progress: Callable[[str], object],
    seed: int,
    rng: np.random.Generator,
) -> Structure:
    """Find the structure of the model of some tiles.

    Parameters
    ----------
    data : mapping of tile label to TileData
    hardware : Hardware
        With cores and residencies counted on all launches, spill size and channels.
    terms : sequence of Term
        Candidates.
    waves : WaveConstants or None
        How cores and residents were counted; ``None`` where all tiles are hidden.
    fold_of_block : ndarray of int64, shape (B,)
    places : tuple of ndarray of int64, shape (B,)
        Row and column of each block among the blocks of (M, N).
    progress : callable
        Called with a few words when a step begins.
    seed : int
        Of the cells that large landscapes are thinned to.
    rng : numpy.random.Generator
        Resamples blocks for confidence sets.
    """
    computing: dict[str, NDArray[np.bool_]] = {}
    bounded: dict[str, Bounded] = {}
    masked: frozenset[str] = frozenset()
    by_chains: dict[str, float] = {}
    power, settled = LONGER, False
    summed = [term for term in terms if not term.needs_overlap]
    for number in range(_ROUNDS):
        progress("looking for cores out of step")
        untold = {label: item for label, item in data.items() if label not in by_chains}
        spreads = profile_core_spread(untold, summed, hardware, fold_of_block, rng, computing)
        told = {label: found.estimate for label, found in spreads.items() if found.estimate is not None}
        hardware = replace(hardware, core_spread={**told, **by_chains})
        progress("choosing terms")
        chosen = {
            label: choose_terms(item, terms, hardware, fold_of_block, bounded.get(label))
            for label, item in data.items()
        }
        designs = {label: design for label, (design, _) in chosen.items()}
        progress("looking for overlap")
        wide = {label: with_memory(designs[label], terms, hardware) for label in data}
        waiting = {label: scales[1] > scales[0] for label, (scales, _) in bounded.items()}
        overlaps = find_overlap(data, wide, hardware, fold_of_block, places, seed, waiting, power)
        overlaps, power = with_power(overlaps, data, wide, hardware, seed)
        if number == _ROUNDS - 1 or waves is None:
            break
        bounded = _bounded(data, wide, hardware, overlaps)
        before, masked = masked, frozenset(label for label in data if MASKED in designs[label].names)
        wanted: AbstractSet[str] = data.keys()
        if number == 0:
            computing = launches_that_compute(data, wide, hardware, overlaps)
            used = {label: wide[label] if label in computing else designs[label] for label in data}
            waves, recounted = _recounted(data, computing, used, hardware, summed, waves, bounded, seed, rng)
            wanted = data.keys() - recounted
        elif settled:
            break
        elif number > 1 or not (wanted := recounted | (masked ^ before) | computing.keys()):
            progress("settling how caches give way and how far cores fall out of step")
            settled = True
            gradual = settle_spill(data, wide, hardware, bounded, seed)
            hardware = gradual or hardware
            used = {label: wide[label] if label in computing else designs[label] for label in data}
            better = settle_spreads(data, used, hardware, bounded, seed)
            if gradual is None and not better:
                break
            settled_now = {label: spread for label, (spread, _) in better.items()}
            by_chains |= settled_now
            kept = {k: v for k, v in hardware.edges.items() if k not in better}
            told_again = {k: costs for k, (_, costs) in better.items() if costs is not None}
            spread = {**hardware.core_spread, **settled_now}
            hardware = replace(hardware, edges={**kept, **told_again}, core_spread=spread)
            # Terms are chosen by what bounds launches, which is another thing now.
            overlaps, power = with_power(overlaps, data, wide, hardware, seed)
            bounded = _bounded(data, wide, hardware, overlaps)
            hardware = replace(hardware, overlapping=_wave_costs(data, wide, hardware, overlaps))
            hardware = replace(hardware, edges=turned_again(data, used, hardware, bounded))
            continue
        hardware = replace(hardware, overlapping=_wave_costs(data, wide, hardware, overlaps))
        progress("following ragged launches")
        known = hardware.edges
        hardware = replace(hardware, edges={k: v for k, v in known.items() if k not in wanted})
        used = {label: wide[label] if label in computing else designs[label] for label in data}
        asked = {label: data[label] for label in data if label in wanted}
        edges, found = find_edge_costs(asked, used, hardware, bounded, seed, known, near=number > 0)
        by_chains |= found
        spread = {**hardware.core_spread, **by_chains}
        hardware = replace(hardware, edges={**hardware.edges, **edges}, core_spread=spread)
        hardware = hardware.with_waves(hardware.cores, {**hardware.residency, **waves.residency})
        if not computing and not edges and not found:
            break
    # What chains told stands; which other spreads are tenable is asked once, with all that is known by now.
    told_by_chains = {label: item for label, item in data.items() if label in by_chains}
    spreads |= profile_core_spread(told_by_chains, summed, hardware, fold_of_block, rng, computing, by_chains)
    left_out = {label: reasons for label, (_, reasons) in chosen.items()}
    return Structure(hardware, waves, spreads, designs, wide, left_out, overlaps)


def misfit(data: Mapping[str, TileData], structure: Structure) -> float:
    """Criterion by which structures of the same tiles compare: the sum of B log(loss), B blocks of each tile."""
    hardware = structure.hardware
    bounded = _bounded(data, structure.wide, hardware, structure.overlaps)
    total = 0.0
    for label, item in data.items():
        design = structure.wide[label] if label in bounded else structure.designs[label]
        loss = solved(item, design, hardware, bounded.get(label))[1]
        total += np.unique(item.blocks).size * np.log(max(loss, LEAST_LOSS))
    return total


def _recounted(
    data: Mapping[str, TileData],
    computing: Mapping[str, NDArray[np.bool_]],
    designs: Mapping[str, Design],
    hardware: Hardware,
    terms: Sequence[Term],
    waves: WaveConstants,
    bounded: Mapping[str, Bounded],
    seed: int,
    rng: np.random.Generator,
) -> tuple[WaveConstants, frozenset[str]]:
    """Count residents of tiles that overlap on launches that compute, all with chains; also say which changed."""
    residency, held = dict(waves.residency), dict(waves.residency_set)
    for label, rows in computing.items():
        count = count_residents(data[label], rows, hardware, terms, rng)
        if count is not None:
            residency[label], held[label] = count
    state = hardware.with_waves(hardware.cores, {**hardware.residency, **residency})
    for label, found in recount_by_chains(data, designs, state, bounded, seed).items():
        residency[label] = found
        held[label] = tuple(sorted({*held[label], found}))
    changed = frozenset(label for label, count in residency.items() if count != waves.residency[label])
    return replace(waves, residency=residency, residency_set=held), changed


def _bounded(
    data: Mapping[str, TileData],
    wide: Mapping[str, Design],
    hardware: Hardware,
    overlaps: Mapping[str, OverlapTest],
) -> dict[str, Bounded]:
    """Find what each launch of tiles that overlap counts of computing and of memory, and how they overlap."""
    found = {}
    for label, test in overlaps.items():
        if test.overlaps:
            problem, design = data[label].problem, wide[label]
            law = test.how.law(problem, hardware, ALL_MECHANISMS)
            resources = design.resources(hardware)
            found[label] = scales_at(design.matrix(problem, hardware), test.theta, resources, law), test.how
    return found


def _wave_costs(
    data: Mapping[str, TileData],
    wide: Mapping[str, Design],
    hardware: Hardware,
    overlaps: Mapping[str, OverlapTest],
) -> dict[str, EdgeCosts]:
    """Take from the costs of tiles that overlap how long waves of few residents last, and their bytes."""
    found = {}
    for label, test in overlaps.items():
        if test.overlaps and not data[label].hidden:
            costs = edge_costs(data[label], wide[label], hardware, test.theta, test.how.power)
            if costs is not None:
                found[label] = costs
    return found
