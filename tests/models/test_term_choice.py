"""Which terms a tile's model has, beside waves that were counted in chains."""

from dataclasses import replace

import numpy as np
import pytest

from harness.grid import Grid
from harness.samples import Samples
from harness.tile import Tile
from harness.twin import B580, Twin
from models.blocks import block_labels, fold_labels
from models.chain_search import find_edge_costs
from models.design import Design
from models.hardware import Hardware
from models.ragged_launches import MASKED
from models.reasons import NO_GAIN
from models.term_choice import choose_terms
from models.terms import ALL_TERMS
from models.tile_data import split_tiles

NAME = "64x64x32"
OFF = ["atom remainder", "cache spill", "pipeline fill", "memory traffic"]
GRID = Grid(
    np.array([256, 720, 1024, 1152, 1408, 1792, 2048, 2560, 2688, 3008, 3520, 3840]),
    np.array([256, 512, 896, 1152, 1536, 1984, 2256, 2576, 2816, 3136, 3328, 3840]),
    np.array([256, 512, 1024, 2048]),
)


def launches(off=(), noise=0.04):
    """Launches of kernels whose edges are late at one M and two N, with what blocks cannot tell from chance."""
    known, numbers = B580.numbers, ("edge_m", "edge_n", "edge_m_constant", "edge_n_constant")
    chip = B580.replaced({number: 0.6 * getattr(known, number) for number in numbers})
    samples = Samples.from_cube(Twin(chip, off=[*OFF, *off]).landscape(GRID, tiles=[Tile.parse(NAME)]))
    factor = np.exp(noise * np.random.default_rng(0).standard_normal(samples.size))
    samples = replace(samples, time=samples.time * factor)
    blocks = block_labels(samples.M, samples.N)
    data, _ = split_tiles(samples, blocks, (2, 4), np.ones(samples.size, dtype=np.bool_))
    hardware = Hardware(cores=20, residency={NAME: 4}, cache_bytes=1.8e7, kept_bytes=1.8e7)
    hardware = hardware.with_core_spread(NAME, B580.numbers.core_spread)
    return data, hardware, fold_labels(np.arange(blocks.max() + 1), 8, np.random.default_rng(1))


def test_late_work_groups_cost_something_where_waves_are_counted_with_them():
    """Beside waves that late work-groups delay, their cost gains less than chance; both together are worth it."""
    data, hardware, folds = launches()
    designs = {NAME: Design.of(ALL_TERMS, data[NAME].tile, hardware)}
    edges, _ = find_edge_costs(data, designs, hardware, {}, 0)
    assert edges[NAME].late
    state = replace(hardware, edges=edges)
    design, _ = choose_terms(data[NAME], ALL_TERMS, state, folds, None)
    assert MASKED in design.names


@pytest.mark.parametrize("late", [0.0, 0.3])
def test_edges_that_cost_nothing_have_no_term(late):
    """Whatever the delays are that waves were counted with."""
    data, hardware, folds = launches(off=["masked edge"])
    designs = {NAME: Design.of(ALL_TERMS, data[NAME].tile, hardware)}
    state = hardware
    if late:
        known, _ = find_edge_costs(*launches()[:1], designs, hardware, {}, 0)
        state = replace(hardware, edges={NAME: replace(known[NAME], delay_n=(late, 0.0, 0.0))})
    design, left_out = choose_terms(data[NAME], ALL_TERMS, state, folds, None)
    assert MASKED not in design.names
    assert left_out[MASKED] == NO_GAIN
