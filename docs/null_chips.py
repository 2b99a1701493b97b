"""Chips without some mechanisms: draw one, measure it, fit it, and test for what it lacks.

What :mod:`twin_nulls` gathers. Whatever is changed here or in the code that it calls changes how chips are judged.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from constants_coverage import random_chip
from threadpoolctl import threadpool_limits

from attrib.diagnostics import diagnose
from harness.grid import Grid
from harness.twin import Twin
from models.additive import AdditiveModel

OFF = ("row pitch", "channel hash", "cache spill", "masked edge", "atom remainder", "pipeline fill")
TOGETHER, TILES, SURROGATES = 3, 3, 199
SIDES, DEPTHS = 12, 10
FINE, COARSE = 16, (64, 128, 256)

Found = list[dict[str, Any]]


def drawn_sizes(rng: np.random.Generator, least: float, most: float, count: int, *, log: bool) -> np.ndarray:
    """Draw sizes evenly spread from ``least`` to ``most``: half odd multiples of 16, half multiples of 64 or more.

    Sizes that mechanisms act on and sizes that they spare lie side by side, many of both, and at other places on
    every chip. On one fixed grid the same few sizes would be special for several things at once.
    """
    edges = np.geomspace(least, most, count + 1) if log else np.linspace(least, most, count + 1)
    sizes: list[int] = []
    for low, high in itertools.pairwise(edges):
        every = np.arange(np.floor(low / FINE) + 1, np.floor(high / FINE) + 1) * FINE
        ragged, granule = every[every % (2 * FINE) > 0], int(rng.choice(COARSE))
        even = every[every % granule == 0]
        wanted = ragged if rng.random() < 0.5 else even
        sizes.append(int(rng.choice(wanted if wanted.size else every)))
    return np.array(sizes)


def judged(seed: int, number: int) -> Found:
    """Tests of the mechanisms that one chip lacks, on each of its tiles."""
    rng = np.random.default_rng((seed, number))
    chip = random_chip(rng)
    off = sorted(str(name) for name in rng.choice(OFF, TOGETHER, replace=False))
    with threadpool_limits(1):
        twin = Twin(chip, off=off, seed=number)
        tiles = [twin.tiles[place] for place in np.sort(rng.choice(len(twin.tiles), TILES, replace=False))]
        rows, columns = (drawn_sizes(rng, 128, 3840, SIDES, log=False) for _ in range(2))
        depths = drawn_sizes(rng, 24, 2304, DEPTHS, log=True)
        cube = twin.landscape(Grid(rows, columns, depths), tiles=tiles, repeats=3)
        fit = AdditiveModel(draws=2, seed=number).fit(cube)
        found = diagnose(cube, fit, draws=SURROGATES, seed=number, only=off)
    return [
        {
            "chip": number,
            "cores": chip.numbers.cores,
            "tile": label,
            "mechanism": test.name,
            "p": test.p_value,
            "p_in_sample": test.p_in_sample,
            "share": test.share,
            "overlap": fit.tiles[label].overlap is not None,
            "error": fit.tiles[label].mape,
        }
        for label, tile in found.tiles.items()
        for test in tile.terms
    ]
