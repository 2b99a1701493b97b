"""Cores and residencies counted from planted timings."""

from dataclasses import replace

import numpy as np
import pytest

from harness.samples import Samples
from models.blocks import block_labels
from models.design import ALL_MECHANISMS, Design, problem_of
from models.hardware import Hardware
from models.solve import solve_nonnegative
from models.terms import ALL_TERMS
from models.waves import GroupedWaves, wave_constants

OTHERS = [term for term in ALL_TERMS if term.name in ("base overhead", "tile work")]
SIDE = np.arange(256, 4097, 256)


def grouped(cube):
    samples = Samples.from_cube(cube)
    blocks = block_labels(samples.M, samples.N)
    found = {}
    for index, tile in enumerate(samples.tiles):
        rows = np.flatnonzero(samples.tile == index)
        part = samples.take(rows)
        problem = problem_of(part, tile, 2, 2)
        others = Design.of(OTHERS, tile, Hardware()).matrix(problem, Hardware())
        found[tile.name] = GroupedWaves(problem, part.time, others, blocks[rows], ALL_MECHANISMS)
    return found


def count(machine, M=SIDE, N=SIDE, K=(512, 2048, 4096), noise=0.01, seed=0, largest=256, known=None):
    cube = machine.cube(M, N, K, noise=noise, seed=seed)
    return wave_constants(grouped(cube), np.arange(1, largest + 1), np.random.default_rng(seed), known)


@pytest.mark.parametrize("noise", [0.001, 0.01])
@pytest.mark.parametrize("cores", [20, 132])
def test_planted_cores_and_residencies_are_recovered(machine, cores, noise):
    found = count(replace(machine, cores=cores), noise=noise)
    assert found.cores == cores
    assert found.cores_set == (cores,)
    assert found.identified
    assert dict(found.residency) == {"256x256x32": 1, "128x256x32": 2, "96x160x32": 3}


@pytest.mark.parametrize("noise", [0.003, 0.01])
def test_an_odd_core_count_is_in_the_set_of_most_draws(machine, noise):
    planted = replace(machine, cores=27)
    found = [count(planted, noise=noise, seed=seed, largest=64) for seed in range(5)]
    assert sum(27 in each.cores_set for each in found) >= 4
    assert all(each.identified for each in found)


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01])
@pytest.mark.parametrize("known", [None, 132])
def test_one_wave_identifies_no_cores(machine, noise, known):
    """Where all of W fits in one wave, every larger count explains the timings as well."""
    side = np.arange(64, 1025, 64)
    for seed in range(2):
        found = count(replace(machine, cores=132), side, side, noise=noise, seed=seed, known=known)
        assert not found.identified
        assert len(found.cores_set) > 13
        assert known is None or found.cores == known


def test_a_cost_without_waves_identifies_no_cores(machine):
    """All cost is per work-group: any count without steps of its own does."""
    flat = tuple(
        replace(c, residency=1, wave=(0.0,), step=(0.0,), group=1e-6, group_step=2e-7) for c in machine.kernels
    )
    found = [count(replace(machine, kernels=flat), seed=seed, largest=64) for seed in range(8)]
    assert not any(each.identified for each in found)


def test_the_loss_of_a_candidate_against_refitting_the_samples(machine):
    cube = machine.cube(SIDE[::3], SIDE[::3], (512, 4096), noise=0.05)
    (waves,) = list(grouped(cube.isel(tile=[2])).values())
    samples = Samples.from_cube(cube.isel(tile=[2]))
    problem = problem_of(samples, samples.tiles[0], 2, 2)
    blocks = block_labels(samples.M, samples.N)
    for cores, residency in ((20, 3), (7, 1), (19, 2), (50, 4)):
        hardware = Hardware(cores=cores, residency={samples.tiles[0].name: residency})
        terms = [term for term in ALL_TERMS if term.name == "waves"] + OTHERS
        design = Design.of(terms, samples.tiles[0], hardware)
        matrix = design.matrix(problem, hardware)
        for place in range(4, 2 * residency):
            # Counting keeps to costs that are concave: no resident's can be larger than the one before.
            matrix[:, place] += matrix[:, place - 2]
        design = matrix
        scaled = design / samples.time[:, None]
        error = 1 - scaled @ solve_nonnegative(scaled.T @ scaled, scaled.sum(axis=0))
        loss, columns = waves.loss(cores, residency)
        assert columns == design.shape[1]
        assert loss == pytest.approx(error @ error, rel=1e-6)
        np.testing.assert_allclose(waves.block_loss(cores, residency), np.bincount(blocks, error**2), rtol=1e-5)


def test_the_criterion_of_a_candidate(machine):
    """Of the wave columns those that cost something count, of the other columns all."""
    (waves,) = list(grouped(machine.cube(SIDE[::3], SIDE[::3], (512, 4096), noise=0.05).isel(tile=[2])).values())
    profile = waves.profile(np.array([19, 20]))
    for row, cores in enumerate((19, 20)):
        for residency in (1, 2, 3, 4):
            loss, theta = waves.solved(cores, residency)
            freedom = np.count_nonzero(theta[: 2 * residency]) + 3  # and launch, work-group and its step
            fit = waves.n_blocks * np.log(loss / waves.n)
            assert profile.fit[row, residency - 1] == pytest.approx(fit)
            expected = fit + freedom * np.log(waves.n_blocks)
            assert profile.criterion[row, residency - 1] == pytest.approx(expected)
            assert profile.akaike[row, residency - 1] == pytest.approx(fit + 2 * freedom)


def test_a_tile_measured_on_a_part_of_the_blocks(machine):
    cube = machine.cube(SIDE, SIDE, (512, 2048, 4096))
    cube["status"][1, 8:] = 1
    found = wave_constants(grouped(cube), np.arange(1, 65), np.random.default_rng(0))
    assert (found.cores, found.identified) == (20, True)
    assert dict(found.residency) == {"256x256x32": 1, "128x256x32": 2, "96x160x32": 3}


def test_residents_that_change_nothing_are_no_reason_for_more_cores(machine):
    """Partly filled waves cost as much as full ones: each tile shows its slots alone, 20, 40 and 80."""
    kernels = tuple(
        replace(c, residency=held, wave=(3e-6,) * held, step=(5e-7,) * held)
        for c, held in zip(machine.kernels, (1, 2, 4), strict=True)
    )
    for seed in range(3):
        found = count(replace(machine, kernels=kernels), seed=seed)
        assert found.identified
        assert (found.cores, found.cores_set) == (20, (20,))
        assert dict(found.residency) == {"256x256x32": 1, "128x256x32": 2, "96x160x32": 4}


def test_slots_without_the_tile_that_fills_a_core_leave_the_largest_count(machine):
    """With 40 and 80 slots alone, 20 cores explain the timings as 40 do: the largest is named, the other noted."""
    kernels = tuple(
        replace(c, residency=held, wave=(3e-6,) * held, step=(5e-7,) * held)
        for c, held in zip(machine.kernels[1:], (2, 4), strict=True)
    )
    found = count(replace(machine, kernels=kernels))
    assert found.cores == 40
    assert found.cores_set == (40,)
    assert 20 in found.aliases


def test_the_record_is_heeded_unless_the_timings_refute_it(machine):
    kernels = tuple(
        replace(c, residency=held, wave=(3e-6,) * held, step=(5e-7,) * held)
        for c, held in zip(machine.kernels[1:], (2, 4), strict=True)
    )
    alone = count(replace(machine, kernels=kernels))
    stated = count(replace(machine, kernels=kernels), known=20)
    assert (alone.cores, stated.cores, stated.alone) == (40, 20, 40)
    assert stated.cores_set == (20, 40)
    assert dict(stated.residency) == {"128x256x32": 2, "96x160x32": 4}
    wrong = count(replace(machine, kernels=kernels), known=27)
    assert (wrong.cores, wrong.cores_set) == (40, (40,))
