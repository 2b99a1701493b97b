"""Profile the working set at which the last-level cache begins to spill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.design import Design
from models.gram import BlockGram
from models.hardware import Hardware
from models.problem import Problem
from models.profile import winning_set
from models.result import Constant
from models.solve import solve_nonnegative
from models.term import Term

Array = NDArray[np.float64]

_SHARES = (0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.5625, 0.625, 0.75, 0.875, 1.0, 1.25, 1.5)
"""Candidate sizes as shares of the nominal cache."""


def profile_cache(
    data: Mapping[str, tuple[Problem, Array, NDArray[np.int64]]],
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
        working set passes a quarter of it.
    """
    if hardware.cache_bytes <= 0:
        return None
    largest = max(float(problem.footprint.max()) for problem, _, _ in data.values())
    sizes = [share * hardware.cache_bytes for share in _SHARES if share * hardware.cache_bytes < 0.9 * largest]
    if len(sizes) < 3:
        return Constant(None, (), "not identifiable on this grid: working sets stay inside the cache")
    tables: list[list[tuple[Array, float]]] = []
    for problem, time, blocks in data.values():
        n_blocks = int(blocks.max()) + 1
        plain = Design.of([term for term in terms if term.name != "cache spill"], problem.tile, hardware)
        spill = Design.of([term for term in terms if term.name == "cache spill"], problem.tile, hardware)
        if not spill.terms:
            return None
        fixed = plain.matrix(problem, hardware)
        table = []
        for size in sizes:
            column = spill.matrix(problem, replace(hardware, cache_bytes=size))
            sums = BlockGram.of(np.concatenate([fixed, column], axis=1), time, blocks, n_blocks)
            gram, moment, _ = sums.total()
            table.append((sums.loss(solve_nonnegative(gram, moment)), 0.0))
        tables.append(table)
    shared = max(table[0][0].size for table in tables)
    tables = [[(np.pad(loss, (0, shared - loss.size)), p) for loss, p in table] for table in tables]
    total = np.sum([[np.log(loss.sum()) for loss, _ in table] for table in tables], axis=0)
    best = int(np.argmin(total))
    values = winning_set(tables, sizes, rng)
    status = "identified" if 0 < best < len(sizes) - 1 else "at the edge of the candidates"
    if len(values) > max(2, len(sizes) // 3):
        status = f"not identified on this grid: {len(values)} of {len(sizes)} sizes explain it alike"
    return Constant(sizes[best], values, status)
