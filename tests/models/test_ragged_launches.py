"""Launches handed out one by one as design columns: what they count, for which launches, and in which states."""

import json
from dataclasses import replace

import numpy as np
import pytest

from harness.tile import Tile
from models.critical_chain import core_rates, critical_chains
from models.design import ALL_MECHANISMS, Design
from models.edge_costs import EdgeCosts
from models.hardware import Hardware
from models.idle_channels import waiting_bytes
from models.limits import Limit
from models.problem import Problem
from models.ragged_launches import _distinct, chains, ending_together, followed, memory_of_waves, outside
from models.terms import ALL_TERMS

TILE = Tile.parse("256x128x32")
COSTS = EdgeCosts((0.7, 1.0), (0.2, 0.1, 0.3), (0.4, 0.2, 0.0), 0.5)
HARDWARE = Hardware(cores=20, residency={TILE.name: 2}, edges={TILE.name: COSTS})
TERMS = [term for term in ALL_TERMS if term.name in ("waves", "masked edge")]


def problem(shapes, tile=TILE):
    M, N, K = np.array(shapes, dtype=np.int64).T
    return Problem(M, N, K, tile, 2, 4)


def test_launches_of_not_too_many_work_groups_are_followed():
    """80 x 60 tiles are 4800 work-groups, 120 waves on 20 cores of two and 38 on 64."""
    shapes = [(512, 512, 320), (500, 512, 320), (512, 500, 320), (500 + 256 * 79, 128 * 60, 320)]
    np.testing.assert_array_equal(followed(problem(shapes), HARDWARE), [True, True, True, False])
    assert followed(problem(shapes), replace(HARDWARE, cores=64)).all()
    assert not followed(problem(shapes), replace(HARDWARE, edges={})).any()


@pytest.mark.parametrize("most", [40, 2**40], ids=["as one number", "too wide for one"])
def test_distinct_rows_are_those_of_numpy(most):
    rng = np.random.default_rng(5)
    rows = rng.choice(np.append(rng.integers(0, most, 6), -1000), (500, 3))
    found, place = _distinct(rows)
    expected, inverse = np.unique(rows, axis=0, return_inverse=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(place, inverse.ravel())


def test_columns_are_exact_at_the_costs_that_they_were_counted_with():
    """The time of a launch from the design is that of its work-groups, handed out one by one."""
    work = problem([(700, 900, 320), (384, 4000, 320), (3000, 3000, 640)])
    design = Design.of(TERMS, TILE, HARDWARE)
    wave = 1e-6  # of two residents, per step
    costs = {"step, residents to 1": 0.4 * wave, "step, residents to 2": 0.3 * wave, "masked corner": 0.5 * wave}
    for axis, delay in (("N", COSTS.delay_n), ("M", COSTS.delay_m)):
        kinds = ("masked step", "outside", "mostly outside")
        costs.update({f"{kind}, {axis}": part * wave for kind, part in zip(kinds, delay, strict=True)})
    theta = np.array([costs.get(column.coefficient.name, 0.0) for column in design.columns(HARDWARE)])
    time = design.matrix(work, HARDWARE) @ theta / work.steps(ALL_MECHANISMS)
    found = chains(work, HARDWARE, ALL_MECHANISMS)[1]
    outside_m, outside_n = -work.M % 256 / 256, -work.N % 128 / 128

    def delay(share, pieces):
        """Slopes of the smooth pieces are hats with a knot at a half, integrated here step by step."""
        at = (np.arange(200_000) + 0.5) / 200_000
        hats = [1 - np.abs(2 * at - 1), np.maximum(2 * at - 1, 0)]
        return (share > 0) * pieces[0] + sum(
            piece * hat[at < share].sum() / hat.sum() for piece, hat in zip(pieces[1:], hats, strict=True)
        )

    for row in range(3):
        n, m = delay(outside_n[row], COSTS.delay_n), delay(outside_m[row], COSTS.delay_m)
        corner = COSTS.corner * n * m
        expected = found.waves[row] @ [0.4, 0.3] + found.late[row] @ [n, m, corner]
        assert time[row] / wave == pytest.approx(expected, rel=1e-5)


def test_whole_launches_cost_what_they_cost_without_edge_costs():
    work = problem([(256 * m, 128 * n, 320) for m in (1, 3, 8) for n in (1, 5, 32)])
    plain = Hardware(cores=20, residency={TILE.name: 2})
    waves = next(term for term in TERMS if term.name == "waves")
    for on in (ALL_MECHANISMS, ALL_MECHANISMS - {"wave fill"}, ALL_MECHANISMS - {"tile padding"}):
        np.testing.assert_array_equal(waves.columns(work, HARDWARE, on), waves.columns(work, plain, on))


def test_chains_that_were_counted_last_are_kept_but_for_the_same_question_alone():
    work = problem([(2100, 1900, 320), (500, 512, 320), (512, 512, 320)])
    rows, found = chains(work, HARDWARE, ALL_MECHANISMS)
    assert chains(work, HARDWARE, set(ALL_MECHANISMS))[1] is found
    questions = [
        (HARDWARE, ALL_MECHANISMS - {"masked edge"}),
        (HARDWARE, ALL_MECHANISMS - {"tile padding"}),
        (replace(HARDWARE, cores=11), ALL_MECHANISMS),
        (replace(HARDWARE, core_spread={TILE.name: 0.1}), ALL_MECHANISMS),
        (HARDWARE, ALL_MECHANISMS),
    ]
    for hardware, on in questions:
        other, fresh = chains(work, hardware, on)[1], chains(work.take(rows), hardware, on)[1]
        np.testing.assert_array_equal(other.waves, fresh.waves)
        np.testing.assert_array_equal(other.late, fresh.late)
    assert (other.waves == found.waves).all()


def test_where_work_is_divisible_or_costs_are_unknown_there_are_no_chains():
    work = problem([(2100, 1900, 320), (512, 512, 320)])
    for hardware, on in ((HARDWARE, ALL_MECHANISMS - {"wave quantization"}), (Hardware(cores=20), ALL_MECHANISMS)):
        rows, found = chains(work, hardware, on)
        assert rows.size == 0
        assert found is None
    rows, _ = chains(work, HARDWARE, ALL_MECHANISMS - {"wave fill"})
    np.testing.assert_array_equal(rows, [0])


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_whole_launches_are_told_by_their_number_as_with_their_lines(spread):
    """Against the kernel with the rows and columns that they have, with and without waiting for memory."""
    costs = replace(COSTS, byte=2e-7, steps=10.0, power=8.0, seconds=1e-5)
    state = replace(HARDWARE, core_spread={TILE.name: spread}, edges={TILE.name: costs})
    sides = [(4, 18), (18, 4), (6, 12), (72, 1), (7, 13), (1, 3), (30, 31)]
    work = problem([(256 * m, 128 * n, k) for m, n in sides for k in (32, 2048)])
    found = chains(work, state, ALL_MECHANISMS)[1]
    memory = memory_of_waves(work, state, costs, ALL_MECHANISMS)
    assert (memory < 0.8).any()
    assert (memory > 1.0).any()
    graded = np.where(memory < 0.8, 0.0, np.exp(np.round(16 * np.log(memory)) / 16))
    together = ending_together(work, state, costs, memory, ALL_MECHANISMS)
    for row in range(work.size):
        lines = np.array([[work.tile_rows[row], work.tile_columns[row], work.along_n[row]]], dtype=np.int64)
        out = np.zeros((1, 8))
        whole, late = np.ones((1, 2)), np.zeros((1, 3))
        rates, levels = core_rates(20, spread), np.array(costs.levels)
        bytes_of, ending = graded[row : row + 1], together[row : row + 1]
        critical_chains(lines, whole, np.ones(1), late, levels, rates, bytes_of, ending, out)
        np.testing.assert_allclose(found.waves[row], out[0, :2] @ [[1, 1], [1, 2]], rtol=1e-12)
        assert found.waited[row] == pytest.approx(out[0, 5], rel=1e-12)


def test_states_of_ragged_launches():
    work = problem([(2100, 1900, 320), (500, 500, 320)])
    late = chains(work, HARDWARE, ALL_MECHANISMS)[1].late
    on_time = chains(work, HARDWARE, ALL_MECHANISMS - {"masked edge"})[1]
    short = chains(work, HARDWARE, ALL_MECHANISMS - {"masked edge", "tile padding"})[1].waves
    # On time and whole, all work-groups are alike: 9 x 15 on 40 slots are 4 waves, the last one of one resident
    # on 15 of 20 cores; and 2 x 4 one of one resident.
    np.testing.assert_allclose(on_time.waves, [[4, 7], [1, 1]])
    assert (late.sum(axis=1) > 0).all()
    np.testing.assert_allclose(on_time.waited, 1.0, rtol=1e-5)
    assert (short <= on_time.waves + 1e-9).all()
    assert short[0, 0] < 4
    masked = next(term for term in TERMS if term.name == "masked edge")
    assert not masked.columns(work, HARDWARE, ALL_MECHANISMS - {"masked edge"}).any()
    unpadded = ALL_MECHANISMS - {"tile padding"}
    np.testing.assert_array_equal(
        masked.limit_columns(Limit.EDGE, work, HARDWARE, unpadded), masked.columns(work, HARDWARE, unpadded)
    )


@pytest.mark.parametrize(("power", "waited"), [(12.0, 1.0), (2.0, (40 + 6 / 0.7) / 46)])
def test_many_times_the_computing_keeps_cores_in_step(power, waited):
    """46 tiles, six more than fill 20 cores of two: one to a core, or two to each of the cores that are done first.

    Bytes take twenty times as long as computing. A low power lets what is computed tell cores apart all the same.
    """
    work = problem([(256 * 2, 128 * 23, 64)])
    moved = 2 * 64 * (512 + 128 * 23) + 4 * 512 * 128 * 23
    costs = EdgeCosts((0.7, 1.0), byte=20.0 * (46 / 40) / moved, steps=2.0, power=power, seconds=1e-5)
    state = replace(HARDWARE, edges={TILE.name: costs}).with_core_spread(TILE.name, 0.1)
    assert chains(work, state, ALL_MECHANISMS)[1].waited == pytest.approx(waited, rel=1e-3)


def test_edge_costs_survive_json():
    costs = replace(COSTS, byte=3e-7, spilt_byte=2e-7, waiting_byte=1e-7, steps=12.0, power=14.0, seconds=2e-5)
    costs = replace(costs, bytes_again=(1e-7, 0.0, 0.0, 2e-7, 0.0, 0.0))
    known = replace(HARDWARE, overlapping={TILE.name: costs, "64x64x32": COSTS})
    assert Hardware.from_dict(json.loads(json.dumps(known.to_dict()))) == known
    between = costs.halfway(replace(costs, byte=1e-7, spilt_byte=0.0, waiting_byte=0.0, power=9.0))
    mean = np.array([between.byte, between.spilt_byte, between.waiting_byte])
    np.testing.assert_allclose([*mean, between.seconds], [2e-7, 1e-7, 5e-8, 2e-5])
    assert between.bytes_again == costs.bytes_again
    assert between.power == 9.0  # as the newer costs have it


def test_launches_that_wait_for_memory_are_followed_with_their_bytes():
    """What a full wave's bytes take, in what its computing does, written out here; to a grade of six per cent."""
    work = problem([(2100, 1900, 64), (2100, 1900, 640)])
    late = replace(COSTS, byte=2e-7, steps=10.0)  # waves of ten steps that a byte takes
    state = replace(HARDWARE, edges={TILE.name: late})
    counted = chains(work, state, ALL_MECHANISMS)[1]
    without = chains(work, HARDWARE, ALL_MECHANISMS)[1]
    moved = 2 * (work.M * work.K + work.K * work.N) + 4 * work.M * work.N
    of_wave = 2e-7 * moved / (9 * 15 / 40) / (work.steps(ALL_MECHANISMS) / 10)
    assert of_wave[0] > 1 > 0.8 > of_wave[1]
    rest = 1.0 - np.array([outside(work.N, 128)[0], outside(work.M, 256)[0]])
    delays = COSTS.delays(1.0 - rest[:1], 1.0 - rest[1:]) * [1.0, 1.0, COSTS.corner]
    found = np.zeros((1, 8))
    levels = np.array(COSTS.levels)
    grade = np.exp(np.round(16 * np.log(of_wave[:1])) / 16)
    tiles = np.array([[9, 15, 0]])
    together = np.array([20])  # of equal cores all
    critical_chains(tiles, np.ones((1, 2)), rest[:1], delays, levels, core_rates(20, 0.0), grade, together, found)
    np.testing.assert_allclose(counted.waves[0], [found[0, :2].sum(), found[0, 0] + 2 * found[0, 1]])
    np.testing.assert_allclose(counted.late[0], found[0, 2:5])
    assert (counted.waited[0], counted.last_work[0], counted.last_waited[0]) == pytest.approx(found[0, 5:])
    # Bytes that a warm cache has lost have a price of their own.
    warm = replace(state, kept_bytes=1.0, edges={TILE.name: replace(late, byte=0.0, spilt_byte=2e-7)})
    operands = 2 * (work.M * work.K + work.K * work.N)
    lost = operands * (1.0 - 1.0 / (operands + 4 * work.M * work.N))
    np.testing.assert_allclose(
        memory_of_waves(work, warm, warm.edges[TILE.name], ALL_MECHANISMS), of_wave * lost / moved
    )
    # And those that wait for idle channels, where these are on: rows of 2000 elements start on few of sixteen.
    known = replace(state, channels=16, interleave_bytes=256, edges={TILE.name: replace(late, waiting_byte=1e-7)})
    more = memory_of_waves(work, known, known.edges[TILE.name], ALL_MECHANISMS) / of_wave
    np.testing.assert_allclose(more, 1.0 + 0.5 * waiting_bytes(work, known) / moved)
    assert (more > 1.0).all()
    np.testing.assert_allclose(
        memory_of_waves(work, known, known.edges[TILE.name], ALL_MECHANISMS - {"channel hash"}), of_wave
    )
    # With few bytes the chain is that of computing alone.
    np.testing.assert_allclose(counted.waves[1], without.waves[1])
    np.testing.assert_allclose(counted.late[1], without.late[1])
