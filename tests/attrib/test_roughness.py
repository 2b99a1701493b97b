"""Roughness: definition, gaps, batches, and the correction for noise on planted truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attrib.roughness import (
    axis_roughness,
    denoised_mean_step,
    noise_corrected_roughness,
    roughness,
    slice_roughness,
)
from harness.errors import InputError


def slow_roughness(cube, axis):
    """Definition of section 2.3 with plain loops: steps whose both ends exist."""
    steps = [
        abs(line[i + 1] - line[i])
        for line in np.moveaxis(cube, "MNK".index(axis), -1).reshape(-1, cube.shape["MNK".index(axis)])
        for i in range(len(line) - 1)
        if not np.isnan(line[i]) and not np.isnan(line[i + 1])
    ]
    return sum(steps) / len(steps) if steps else None


cubes = arrays(
    np.float64,
    st.tuples(*[st.integers(1, 4)] * 3),
    elements=st.one_of(st.floats(0.0, 200.0), st.just(np.nan)),
)


@given(cubes)
def test_matches_the_definition(cube):
    measured = roughness(cube)
    for axis in "MNK":
        expected = slow_roughness(cube, axis)
        assert getattr(measured, axis) == (expected if expected is None else pytest.approx(expected))
    for axis in "MN":
        expected = slow_roughness(cube[:, :, -1:], axis)
        found = getattr(measured, f"slice_{axis}")
        assert found == (expected if expected is None else pytest.approx(expected))


def test_monotone_line_gives_the_range_over_its_steps():
    cube = np.sort(np.random.default_rng(1).uniform(0, 100, 32)).reshape(1, 32, 1)
    assert float(axis_roughness(cube, "N")) == pytest.approx((cube.max() - cube.min()) / 31)


def test_leading_dimensions_are_cubes_of_their_own():
    draws = np.random.default_rng(2).uniform(0, 100, (2, 3, 4, 5, 6))
    draws[1, 2, 0, 0, 0] = np.nan
    for axis in "MNK":
        batched = axis_roughness(draws, axis)
        assert batched.shape == (2, 3)
        for index in np.ndindex(2, 3):
            assert batched[index] == pytest.approx(slow_roughness(draws[index], axis))
    assert slice_roughness(draws, "N").shape == (2, 3)


def test_an_axis_of_one_value_has_no_roughness():
    measured = roughness(np.arange(12.0).reshape(3, 4, 1))
    assert measured.K is None
    assert measured.mean is None
    assert measured.slice_N == measured.N == 1.0
    assert measured.slice_M == 4.0
    assert measured.to_dict()["K"] is None
    assert "K -" in str(measured)


def test_mean_is_that_of_the_three_axes():
    measured = roughness(np.random.default_rng(3).uniform(0, 9, (4, 5, 6)))
    assert measured.mean == pytest.approx((measured.M + measured.N + measured.K) / 3)


@pytest.mark.parametrize("call", [lambda: axis_roughness(np.ones((2, 2, 2)), "x"), lambda: roughness(np.ones(3))])
def test_refuses_what_is_no_landscape(call):
    with pytest.raises(InputError, match="got"):
        call()


# Planted steps, in units of the noise of a step: from none at all to mostly far above the noise.
PLANTED = {
    "none": lambda _, n: np.zeros(n),
    "all half the noise": lambda _, n: np.full(n, 0.5),
    "all the noise": lambda _, n: np.full(n, 1.0),
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails": lambda rng, n: 2.0 * rng.laplace(size=n),
    "few cliffs": lambda rng, n: np.where(rng.random(n) < 0.1, 20.0, 0.2) * rng.standard_normal(n),
}


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize(("size", "seeds"), [(31, 300), (1000, 100)])
def test_correction_shrinks_the_bias_on_planted_truth(planted, size, seeds):
    raw, corrected = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        truth = PLANTED[planted](rng, size)
        scale = rng.uniform(0.5, 1.5, size)
        measured = scale * (truth + rng.standard_normal(size))
        mean = np.abs(scale * truth).mean()
        raw.append(np.abs(measured).mean() - mean)
        corrected.append(denoised_mean_step(measured, scale) - mean)
    assert np.mean(raw) > 0.14
    left = 0.7 if size == 31 else 0.3  # of the bias; a single line tells little about the sizes of its steps
    assert abs(np.mean(corrected)) < left * np.mean(raw)


def test_steps_far_above_the_noise_stay():
    rng = np.random.default_rng(4)
    truth = 10.0 + rng.uniform(0, 20, 5000)
    measured = truth + rng.standard_normal(5000)
    assert denoised_mean_step(measured, np.ones(5000)) == pytest.approx(np.abs(measured).mean(), abs=1e-4)


def test_without_noise_the_correction_is_nothing():
    cube = np.random.default_rng(5).uniform(0, 100, (5, 6, 7))
    cube[0, 0, 0] = np.nan
    assert noise_corrected_roughness(cube, np.zeros(cube.shape)) == roughness(cube)


def test_corrects_every_axis_of_a_noisy_landscape():
    rng = np.random.default_rng(6)
    ramp = np.add.outer(np.add.outer(0.2 * np.arange(16), 3.0 * np.arange(16)), np.zeros(16))
    noisy = ramp + 0.5 * rng.standard_normal(ramp.shape)
    truth, raw = roughness(ramp), roughness(noisy)
    corrected = noise_corrected_roughness(noisy, np.full(ramp.shape, 0.5))
    for axis in "MNK":
        gap = abs(getattr(corrected, axis) - getattr(truth, axis))
        assert gap < max(0.3 * abs(getattr(raw, axis) - getattr(truth, axis)), 0.02)


def test_correction_refuses_errors_of_another_shape():
    with pytest.raises(InputError, match="one shape"):
        noise_corrected_roughness(np.ones((2, 2, 2)), np.ones((2, 2, 1)))
    with pytest.raises(InputError, match="negative"):
        denoised_mean_step(np.ones(3), -np.ones(3))
    assert np.isnan(denoised_mean_step(np.array([np.nan]), np.ones(1)))
