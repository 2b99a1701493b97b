"""The contract of a term, over all terms; and each term's columns against values worked out by hand."""

import dataclasses
import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tile import Tile
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.limits import Limit, bounded, limits
from models.problem import Problem
from models.term import Term
from models.terms import ALL_TERMS
from models.terms.wave_quantization import counted_waves

TILES = ("256x256x32", "128x64x64", "96x160x48", "7x13x5", "1x1x1", "vendor")
COUNTING = {"tile padding", "wave fill", "wave quantization"}
"""Mechanisms that change the counts of work-groups, steps and waves by which other terms charge."""


def hardware(residency=1, **changes):
    known = {"cores": 20, "cache_bytes": 1e6, "channels": 6, "interleave_bytes": 256, "line_bytes": 64}
    return Hardware(residency=dict.fromkeys(TILES, residency), **{**known, **changes})


def problem(tile, shapes):
    M, N, K = np.array(shapes, dtype=np.int64).T
    return Problem(M, N, K, Tile.parse(tile), 2, 4)


CASES = [
    pytest.param(term, tile, residency, id=f"{term.name}-{tile}-{residency}")
    for term in ALL_TERMS
    for tile in TILES
    for residency in (1, 2, 3, 4)
    if term.applies(Tile.parse(tile), hardware()) is None
]

shapes = st.lists(st.tuples(*[st.integers(1, 5000)] * 3), min_size=1, max_size=12)


@pytest.mark.parametrize("term", ALL_TERMS, ids=lambda term: term.name)
def test_a_term_explains_itself(term):
    assert term.name
    assert term.source
    assert term.identified_by
    assert set(term.mechanisms) <= ALL_MECHANISMS
    assert len({other.name for other in ALL_TERMS}) == len(ALL_TERMS)
    assert hash(term) == hash(type(term)())
    assert term == type(term)()
    with pytest.raises(dataclasses.FrozenInstanceError):
        term.cost = 1.0


@pytest.mark.parametrize("term", ALL_TERMS, ids=lambda term: term.name)
def test_a_term_never_sees_the_response(term):
    assert list(inspect.signature(term.columns).parameters) == ["problem", "hardware", "on"]
    assert not {"time", "spread", "samples"} & {field.name for field in dataclasses.fields(Problem)}


def test_a_term_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Term()


@pytest.mark.parametrize(("term", "tile", "residency"), CASES)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(shapes=shapes)
def test_contract(term, tile, residency, shapes):
    device, work = hardware(residency), problem(tile, shapes)
    names = term.coefficients(work.tile, device)
    assert all(name.name and name.unit and name.meaning for name in names)
    assert len({name.name for name in names}) == len(names)

    columns = term.columns(work, device, ALL_MECHANISMS)
    assert columns.shape == (work.size, len(names))
    assert columns.dtype == np.float64
    assert np.isfinite(columns).all()
    assert (columns >= 0).all()
    np.testing.assert_array_equal(columns, term.columns(work, device, ALL_MECHANISMS))  # the same call predicts

    backwards = np.arange(work.size)[::-1]
    np.testing.assert_array_equal(columns[backwards], term.columns(work.take(backwards), device, ALL_MECHANISMS))
    np.testing.assert_array_equal(columns[:1], term.columns(work.take(np.array([0])), device, ALL_MECHANISMS))
    for limit in Limit:
        bound = term.limit_columns(limit, work, device, ALL_MECHANISMS - {"wave quantization"})
        assert bound.shape == columns.shape
        assert np.isfinite(bound).all()
        assert (bound >= 0).all()

    for name in sorted(ALL_MECHANISMS - set(term.mechanisms) - COUNTING):
        np.testing.assert_array_equal(columns, term.columns(work, device, ALL_MECHANISMS - {name}))
    off = term.columns(work, device, frozenset())
    assert off.shape == columns.shape
    assert np.isfinite(off).all()
    assert (off >= 0).all()
    if not set(term.mechanisms) & COUNTING:
        # A cost with no smooth part of its own is gone; one without a mechanism is its own counterpart.
        gone = len(names) if term.mechanisms else 0
        if term.name == "operand re-reads":
            gone = sum("waiting" in name.name for name in names)
        kept = len(names) - gone
        np.testing.assert_array_equal(off[:, :kept], columns[:, :kept])
        assert not off[:, kept:].any()


@pytest.mark.parametrize(
    ("term", "tile", "residency"), [case for case in CASES if case.values[0].name != "pipeline fill"]
)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(shapes=shapes)
def test_a_mechanism_only_adds_cost(term, tile, residency, shapes):
    """Summed over fill levels. (More steps leave fewer missing ones, so padding can spare pipeline fill.)"""
    device, work = hardware(residency), problem(tile, shapes)

    def cost(*off):
        columns = term.columns(work, device, ALL_MECHANISMS - set(off))
        if term.name == "waves":
            return columns.reshape(work.size, -1, 2).sum(axis=1)
        return columns

    slack = 1 + 1e-9
    everything, smooth = cost(), cost(*ALL_MECHANISMS)
    assert (everything * slack >= smooth).all()
    assert (everything * slack >= cost("tile padding")).all()
    filled, even = cost("wave quantization"), cost("wave quantization", "wave fill")
    assert (everything * slack >= filled).all()
    assert (filled * slack >= even).all()


def test_waves_of_a_launch():
    work = problem("256x256x32", [(256, 256, 64), (4096, 2048, 33), (1280, 1024, 32), (1281, 1024, 32)])
    device = hardware()
    np.testing.assert_array_equal(counted_waves(work, device, ALL_MECHANISMS), [1, 7, 1, 2])
    fill = ALL_MECHANISMS - {"wave quantization"}
    np.testing.assert_allclose(counted_waves(work, device, fill), [1, 6.4, 1, 1.2])
    np.testing.assert_allclose(counted_waves(work, device, fill - {"wave fill"}), [0.05, 6.4, 1, 1.2])
    columns = term_named("waves").columns(work, device, ALL_MECHANISMS)
    np.testing.assert_array_equal(columns, [[1, 2], [7, 14], [1, 1], [2, 2]])


def test_waves_by_fill_level():
    work = problem("128x64x64", [(128, 64 * w, 128) for w in (1, 20, 21, 40, 41, 60, 81)])
    columns = term_named("waves").columns(work, hardware(2), ALL_MECHANISMS)
    once, twice = [1, 1, 1, 1, 2, 2, 3], [1, 1, 2, 2, 3, 3, 5]
    expected = [once, np.multiply(2, once), twice, np.multiply(2, twice)]
    np.testing.assert_array_equal(columns, np.transpose(expected))
    names = [c.name for c in term_named("waves").coefficients(work.tile, hardware(2))]
    assert names == [f"{name}, residents to {cap}" for cap in (1, 2) for name in ("wave", "step")]


def term_named(name):
    return next(term for term in ALL_TERMS if term.name == name)


def columns_of(name, tile, shapes, device=None, on=ALL_MECHANISMS):
    return term_named(name).columns(problem(tile, shapes), device or hardware(), on)


def test_base_overhead():
    np.testing.assert_array_equal(columns_of("base overhead", "vendor", [(1, 2, 3)] * 2), [[1], [1]])
    np.testing.assert_array_equal(columns_of("base overhead", "vendor", [(1, 2, 3)], on=set()), [[0]])


def test_tile_work_and_its_padding():
    shape = [(300, 100, 40)]
    np.testing.assert_array_equal(columns_of("tile work", "256x256x32", shape), [[2, 4]])
    smooth = 300 * 100 / 65536
    np.testing.assert_allclose(columns_of("tile work", "256x256x32", shape, on=set()), [[smooth, smooth * 1.25]])


def test_atom_remainder():
    shape = [(16, 32, 64), (9, 17, 33)]
    columns = columns_of("atom remainder", "8x16x32", shape)
    padding = 2 * (16 * 32 * 48 - 9 * 17 * 33)
    # 2 x 2 work-groups are one wave; 33 is no multiple of 32 and takes two steps.
    np.testing.assert_array_equal(columns, [[0, 0, 0], [padding, 1, 2]])
    np.testing.assert_array_equal(columns_of("atom remainder", "vendor", shape), [[0], [padding]])


def test_atom_remainder_is_zero_everywhere_on_a_128_grid():
    side = [(m, n, k) for m in range(128, 1025, 128) for n in (128, 384) for k in (128, 640)]
    assert not columns_of("atom remainder", "256x256x32", side).any()


def test_memory_traffic_and_arithmetic():
    shape = [(3, 5, 7)]
    np.testing.assert_array_equal(columns_of("memory traffic", "vendor", shape), [[172]])
    np.testing.assert_array_equal(columns_of("arithmetic", "vendor", shape), [[210]])
    assert problem("vendor", shape).footprint == [172]


def test_operands_that_warm_caches_lose_are_charged_to_the_cache():
    shapes = [(3, 5, 7), (30, 50, 70)]
    warm = hardware(kept_bytes=172.0, cache_bytes=172.0)
    np.testing.assert_allclose(columns_of("memory traffic", "vendor", shapes, warm), [[4 * 15], [4 * 1500]])
    lost = (2 * 70 * (30 + 50)) * (1 - 172 / (2 * 70 * (30 + 50) + 4 * 1500))
    np.testing.assert_allclose(columns_of("cache spill", "vendor", shapes, warm), [[0], [lost]])
    endless = hardware(kept_bytes=np.inf, cache_bytes=172.0)
    assert not columns_of("cache spill", "vendor", shapes, endless).any()


def test_operands_that_warm_caches_keep_wait_for_no_channel():
    shapes = [(128, 768, 768), (4096, 768, 768)]
    idle = columns_of("channel hash", "128x128x32", shapes)[:, 0]
    warm = columns_of("channel hash", "128x128x32", shapes, hardware(kept_bytes=4e6))[:, 0]
    result = columns_of("channel hash", "128x128x32", shapes, hardware(kept_bytes=np.inf))[:, 0]
    assert warm[0] == result[0] < idle[0]
    assert result[1] < warm[1] < idle[1]


def test_cache_spill():
    shapes = [(3, 5, 7), (2, 2, 2)]
    np.testing.assert_array_equal(
        columns_of("cache spill", "vendor", shapes, hardware(cache_bytes=100)), [[72], [0]]
    )
    reason = term_named("cache spill").applies(Tile.parse("vendor"), hardware(cache_bytes=0.0))
    assert "open" in reason


def test_row_pitch_indicators():
    shapes = [(256, 64, 64), (256, 16, 64), (256, 64, 8), (256, 63, 64), (256, 64, 7)]
    columns = columns_of("row pitch", "256x256x32", shapes)
    # A: off 64, 32, 16 bytes; then B. One wave; two steps where K = 64, else one.
    expected = [[0, 0, 0, 0, 0, 0], [0, 0, 0, 2, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 2, 2, 2], [1, 1, 1, 0, 0, 0]]
    np.testing.assert_array_equal(columns, expected)
    bytes_b = 2 * 63 * 64
    np.testing.assert_array_equal(columns_of("row pitch", "vendor", shapes[3:4]), [[0, 0, 0] + [bytes_b] * 3])


def test_a_padded_pitch_takes_the_place_of_the_width():
    shapes = [(256, 63, 64), (256, 64, 7), (256, 16, 8)]
    assert columns_of("row pitch", "256x256x32", shapes).any(axis=1).all()
    padded = columns_of("row pitch", "256x256x32", shapes, hardware(pitch_multiple=64))
    np.testing.assert_array_equal(padded, 0.0)


def test_row_pitch_granules_are_distinct_and_real():
    names = term_named("row pitch").coefficients(Tile.parse("vendor"), hardware(line_bytes=32, vector_bytes=16))
    assert [c.name for c in names] == ["A off 32 B", "A off 16 B", "B off 32 B", "B off 16 B"]
    assert all(c.unit == "s/byte" for c in names)


def test_pipeline_fill():
    shapes = [(256, 256, k) for k in (1, 32, 64, 96, 4096)] + [(256, 256 * 21, 64)]
    np.testing.assert_array_equal(columns_of("pipeline fill", "256x256x32", shapes)[:, 0], [2, 2, 1, 0, 0, 2])


def test_masked_edge():
    whole, ragged_n, ragged_m, corner = (256, 512, 64), (256, 320, 64), (224, 512, 64), (128, 448, 32)
    columns = columns_of("masked edge", "256x256x32", [whole, ragged_n, ragged_m, corner])
    # Outside: of N 0, 3/4, 0, 1/4; of M 0, 0, 1/8, 1/2. Two steps, one at the corner. One wave: nothing earlier.
    none = [0] * 6
    expected = [
        [0, 0, 0, 0, 0, 0, *none, 0],
        [2, 2 * 7 / 8, 2 / 4, 0, 0, 0, *none, 0],
        [0, 0, 0, 2, 2 / 32, 0, *none, 0],
        [1, 1 / 8, 0, 1, 1 / 2, 0, *none, 1 / 8],
    ]
    np.testing.assert_array_equal(columns, expected)


def test_the_last_masked_work_group_delays_a_launch_once_however_many_waves_it_has():
    one, many = columns_of("masked edge", "256x256x32", [(256, 320, 64), (4096, 4160, 64)])
    np.testing.assert_array_equal(one[:6], many[:6])


def test_earlier_masked_work_groups_count_by_what_the_last_wave_cannot_take_up():
    # 20 slots. 5 x 5 work-groups: 2 waves with 15 slots free, 3/4 of a wave, beside 1/5 of a delay from the first.
    # 5 x 8: 2 waves, all full: the five of 20 that are ragged in N delay by 1/8, and by 1/5 those ragged in M.
    slack, full = columns_of("masked edge", "256x256x32", [(1200, 1200, 32), (1200, 2000, 32)])
    assert not slack[6:12].any()
    np.testing.assert_allclose(full[6:12:3], [1 / 8, 1 / 5])


def test_what_a_divisible_launch_lasts_at_least_as_long_as():
    term = next(term for term in ALL_TERMS if term.name == "masked edge")
    work, device = problem("256x256x32", [(1200, 2000, 32)]), hardware()
    even = ALL_MECHANISMS - {"wave quantization"}
    assert not term.columns(work, device, even).any()  # engines never wait
    spread = term.limit_columns(Limit.SLOTS, work, device, even)[0]
    np.testing.assert_allclose(spread[[0, 3]], [5 / 20, 8 / 20])
    longest = term.limit_columns(Limit.LONGEST, work, device, even)[0]
    np.testing.assert_allclose(longest[[0, 3]], [1, 1])
    assert not term.limit_columns(Limit.INTERIOR, work, device, even).any()


def test_a_work_group_alone_on_a_core():
    term = next(term for term in ALL_TERMS if term.name == "waves")
    work, device = problem("256x256x32", [(1200, 2000, 32), (64, 4096, 32)]), hardware(residency=2)
    even = ALL_MECHANISMS - {"wave quantization"}
    np.testing.assert_array_equal(term.limit_columns(Limit.LONGEST, work, device, even)[:, 0], [1, 1])
    short = even - {"tile padding"}
    # 1200 leaves 176 of the last 256 rows, 2000 leaves 208 columns; 64 rows are a quarter of a tile.
    edge = term.limit_columns(Limit.LONGEST, work, device, short)
    np.testing.assert_allclose(edge[:, 0], [176 / 256 * 208 / 256, 1 / 4])
    np.testing.assert_allclose(term.limit_columns(Limit.INTERIOR, work, device, short)[:, 0], [1, 1 / 4])
    slots = term.limit_columns(Limit.SLOTS, work, device, even)
    # 40 work-groups on 40 slots, each alone: of two residents one is there, up to either count.
    np.testing.assert_allclose(slots[0], [1, 1, 1, 1])


def test_a_delay_uses_up_first_what_a_short_work_group_is_shorter_by():
    """At a ragged edge that is not padded, a launch of one wave lasts as long as its longest work-group."""
    device, on = hardware(), ALL_MECHANISMS - {"tile padding"}
    work = problem("256x256x32", [(512, 640, 320), (512, 768, 320)])
    waves = next(term for term in ALL_TERMS if term.name == "waves")
    masked = next(term for term in ALL_TERMS if term.name == "masked edge")
    np.testing.assert_array_equal(bounded(work, 20, on), [True, False])
    assert limits(on) == (Limit.EDGE,)
    np.testing.assert_allclose(waves.columns(work, device, on), [[1, 10], [1, 10]])
    assert not masked.columns(work, device, on).any()
    edge = waves.limit_columns(Limit.EDGE, work, device, on)
    np.testing.assert_allclose(edge, [[0.5, 5], [1, 10]])
    late = masked.limit_columns(Limit.EDGE, work, device, on)
    np.testing.assert_allclose(late[0], masked.columns(work, device, ALL_MECHANISMS)[0])
    assert not late[1].any()


def test_masked_edge_is_zero_everywhere_on_a_grid_of_whole_tiles():
    side = [(m, n, k) for m in range(256, 2049, 256) for n in (256, 768) for k in (100, 640)]
    assert not columns_of("masked edge", "256x256x32", side).any()
    assert columns_of("masked edge", "96x160x32", side).any(axis=1).all()


def test_channel_hash_of_a_hidden_tile():
    columns = columns_of("channel hash", "vendor", [(10, 768, 4096), (10, 4096, 4096)])
    np.testing.assert_allclose(columns[:, 0], [2 * 768 * 4096 * 2 + 4 * 10 * 768 / 2, 0])
    reason = term_named("channel hash").applies(Tile.parse("vendor"), hardware(channels=None))
    assert "open" in reason


def test_channel_hash_of_a_known_tile():
    """K = 768: rows of A begin on one channel of six and fill 64 bytes of it; so do those of B, 256 bytes long."""
    columns = columns_of("channel hash", "128x128x32", [(10, 768, 768)])
    # Rows of D are 3072 bytes apart, two turns round all channels, and 512 of them are stored: two channels.
    np.testing.assert_allclose(columns[:, 0], [2 * 768 * (10 + 768) * 5 + 4 * 10 * 768 * 2])


@pytest.mark.parametrize("tile", TILES)
def test_a_design_is_its_terms_side_by_side(tile):
    device, work = hardware(2), problem(tile, [(100, 200, 300), (4096, 4096, 64)])
    design = Design.of(ALL_TERMS, work.tile, device)
    matrix = design.matrix(work, device)
    assert matrix.shape == (2, len(design.columns(device)))
    names = [column.coefficient.name for column in design.columns(device)]
    assert len(set(names)) == len(names)
    assert {term.name for term in design.terms} | {name for name, _ in design.skipped} == {
        term.name for term in ALL_TERMS
    }
    assert all(reason for _, reason in design.skipped)
    assert ("waves" in dict(design.skipped)) == (tile == "vendor")
