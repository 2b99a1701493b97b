"""Autoregression of lines: its estimate, and taking it out and putting it back."""

import numpy as np
import pytest

from attrib.periods.autocorrelation import common_autocorrelation, innovations, of_innovations


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.85])
def test_a_trend_does_not_hide_what_neighbours_share(draw_line, phi):
    estimates = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        lines = [draw_line(rng, 128, correlation=phi) for _ in range(4)]
        trends = [np.vander(line.x / line.x[-1], 7) for line in lines]
        estimates.append(
            common_autocorrelation([(line.log_throughput, t) for line, t in zip(lines, trends, strict=True)])
        )
    assert np.mean(estimates) == pytest.approx(phi, abs=0.04)


def test_innovations_go_through_the_autoregression_back_to_the_line():
    values = np.random.default_rng(0).standard_normal((3, 90))
    back = of_innovations(lambda lines: lines, 0.6)(innovations(values, 0.6))
    np.testing.assert_allclose(back[:, 30:], values[:, 30:], atol=1e-5)
    np.testing.assert_array_equal(of_innovations(lambda lines: lines, 0.0)(innovations(values, 0.0)), values)


def test_what_comes_back_has_the_spectrum_it_had():
    rng = np.random.default_rng(1)
    found = of_innovations(lambda lines: lines, 0.7)(rng.standard_normal((2000, 64)))
    assert np.corrcoef(found[:, 20], found[:, 21])[0, 1] == pytest.approx(0.7, abs=0.04)
    assert found.std() == pytest.approx(1 / np.sqrt(1 - 0.49), rel=0.02)
