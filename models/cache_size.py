"""Profile the working set at which the last-level cache begins to spill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.constants.confidence import unrefuted
from models.constants.constant import IDENTIFIED, Constant, Profile, not_identifiable
from models.constants.scan import LEVEL, Scan, judge, places_of
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.problem import Problem
from models.state_losses import MOST_CELLS, state_losses
from models.term import Term
from models.terms.cache_spill import CacheSpill

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_SHARES = (0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.5625, 0.625, 0.75, 0.875, 1.0, 1.25, 1.5)
"""Candidate sizes as shares of the nominal cache."""

REMEDY = "working sets from a quarter to twice the last-level cache, closely spaced"


def profile_cache(
    data: Mapping[str, tuple[Problem, Array, Indices]],
    hardware: Hardware,
    terms: Sequence[Term],
    rng: np.random.Generator,
) -> Constant | None:
    """Find the spill size that fits all tiles best.

    Parameters
    ----------
    data : mapping of tile label to (problem, time in seconds, block labels)
    hardware : Hardware
        With the nominal cache size.
    terms : sequence of Term
    rng : numpy.random.Generator

    Returns
    -------
    Constant or None
        Bytes with their confidence set; ``None`` when the nominal size is unknown. Not identified where no
        working set passes a quarter of it, or no spilt byte is found to cost anything.
    """
    if hardware.cache_bytes <= 0 or not any(term.name == CacheSpill.name for term in terms):
        return None
    largest = max(float(problem.footprint.max()) for problem, _, _ in data.values())
    sizes = [share * hardware.cache_bytes for share in _SHARES if share * hardware.cache_bytes < 0.9 * largest]
    if len(sizes) < 3:
        return Constant(None, (), not_identifiable("working sets stay inside the cache"), "B", remedy=REMEDY)
    n_blocks = max(int(blocks.max()) for _, _, blocks in data.values()) + 1
    found = _any_cost(data, hardware, terms, sizes, n_blocks, rng)
    losses, counts = [], []
    for problem, time, blocks in data.values():
        rows = np.arange(time.size)
        if rows.size > MOST_CELLS:
            rows = np.sort(rng.permutation(rows.size)[:MOST_CELLS])
        states = [hardware.with_spill_size(size) for size in sizes]
        losses.append(state_losses(problem.take(rows), time[rows], blocks[rows], states, terms, n_blocks)[0])
        counts.append(rows.size)
    tenable = unrefuted(losses, rng)
    criterion = np.sum(
        [n_blocks * np.log(loss.sum(axis=1) / count) for loss, count in zip(losses, counts, strict=True)], axis=0
    )
    profile = Profile(
        ("working set, B",),
        tuple((size,) for size in sizes),
        tuple(map(float, criterion)),
        tuple(map(bool, tenable)),
    )
    values = tuple(size for size, kept in zip(sizes, tenable, strict=True) if kept)
    best, status = int(np.argmin(criterion)), IDENTIFIED
    if found > LEVEL:
        status = not_identifiable(f"no spilt byte is found to cost anything (p = {found:.2g})")
    elif len(values) > max(2, len(sizes) // 3):
        status = not_identifiable(f"{len(values)} of {len(sizes)} sizes explain it alike")
    elif best in (0, len(sizes) - 1):
        status = not_identifiable("the best size is the last of the candidates")
    return Constant(sizes[best], values, status, "B", profile=profile, remedy=REMEDY)


def _any_cost(
    data: Mapping[str, tuple[Problem, Array, Indices]],
    hardware: Hardware,
    terms: Sequence[Term],
    sizes: Sequence[float],
    n_blocks: int,
    rng: np.random.Generator,
) -> float:
    """Test whether what caches of any of the sizes lose costs something: the p-value."""
    # Whatever caches keep of operands, none of it is lost in the model without spilling.
    kept = replace(hardware, kept_bytes=np.inf if hardware.kept_bytes > 0 else 0.0)
    plain = [term for term in terms if term.name != CacheSpill.name]
    scans, counts = [], []
    for problem, time, blocks in data.values():
        base = Design.of(plain, problem.tile, kept).matrix(problem, kept)
        states = [hardware.with_spill_size(size) for size in sizes]
        columns = [CacheSpill().columns(problem, state, ALL_MECHANISMS) for state in states]
        weight = 1.0 / time[:, None]
        spilt = np.concatenate(columns, axis=1)
        scans.append(Scan.of(base * weight, spilt * weight, np.ones(time.size), blocks, n_blocks))
        counts.append(time.size)
    shapes = [np.concatenate([getattr(problem, name) for problem, _, _ in data.values()]) for name in "MN"]
    labels = np.concatenate([blocks for _, _, blocks in data.values()])
    return judge(scans, counts, rng, places_of(shapes[0], shapes[1], labels, n_blocks)).p_value
