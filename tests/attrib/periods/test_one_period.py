"""Size on lines without a period, power on planted teeth, and what the statistic is."""

import sys

import numpy as np
import pytest

from attrib.periods import PeriodHypothesis, period_test, scan_periods
from attrib.periods.harmonics import harmonic_basis, own_harmonics, waves
from attrib.periods.permutation import block_permutations


@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize(("period", "count"), [(64.0, 64), (200.0, 64)])
def test_size_is_nominal_without_a_period(draw_line, correlation, period, count):
    rejected = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        line = draw_line(rng, count, correlation=correlation)
        rejected += period_test(PeriodHypothesis((line,), (period,)), draws=99, rng=rng).p_value <= 0.05
    # Three standard errors of 400 draws around 5 %; docs/period_test_sizes.md holds larger counts.
    assert 0.017 <= rejected / 400 <= 0.083


def test_slow_noise_is_not_taken_for_a_period_of_many_samples(draw_line, monkeypatch):
    """Five teeth of 12.5 samples in noise that neighbours share: blocks alone find them in 7 % of lines."""
    module = sys.modules["attrib.periods.one_period"]

    def rejected():
        found = 0
        for seed in range(600):
            rng = np.random.default_rng(seed)
            line = draw_line(rng, 64, correlation=0.8)
            found += period_test(PeriodHypothesis((line,), (200.0,)), draws=99, rng=rng).p_value <= 0.05
        return found / 600

    with_both = rejected()
    assert 0.025 <= with_both <= 0.075
    monkeypatch.setattr(module, "_BENT", np.inf)
    assert rejected() > with_both + 0.005


def test_a_sawtooth_of_two_per_cent_and_four_samples_is_found(draw_line):
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        line = draw_line(rng, saw=(64, 0.02), correlation=0.5)
        found += period_test(PeriodHypothesis((line,), (64.0,)), draws=99, rng=rng).p_value <= 0.05
    assert found / 60 >= 0.95


def test_pooling_finds_what_one_line_does_not(draw_line):
    alone = together = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        lines = tuple(draw_line(rng, saw=(64, 0.005)) for _ in range(8))
        alone += period_test(PeriodHypothesis(lines[:1], (64.0,)), draws=199, rng=rng).p_value <= 0.05
        together += period_test(PeriodHypothesis(lines, (64.0,) * 8), draws=199, rng=rng).p_value <= 0.05
    assert together >= 18
    assert alone <= 0.8 * together


def test_all_harmonics_of_whole_samples_are_the_phase_folded_means(draw_line):
    """With the trend out of the way, harmonics 1 and 2 of four samples explain what the four phase means do."""
    line = draw_line(np.random.default_rng(3), saw=(64, 0.02))
    basis = harmonic_basis(line, 64.0, (1, 2))
    residual = basis.residual(line.log_throughput)
    explained = basis.powers(residual)[0].sum()
    phases = (line.x // 16) % 4
    dummies = np.stack([phases == phase for phase in range(4)], axis=1).astype(float)
    both = np.concatenate([basis.nuisance, dummies], axis=1)
    left = residual - both @ np.linalg.lstsq(both, residual, rcond=None)[0]
    assert explained == pytest.approx(residual @ residual - left @ left, rel=1e-9)


def test_explained_power_is_that_of_plain_least_squares(draw_line):
    line = draw_line(np.random.default_rng(4), saw=(70.3, 0.02))
    basis = harmonic_basis(line, 70.3, (1,))
    residual = basis.residual(line.log_throughput)
    columns = np.concatenate([basis.nuisance, waves(line.x.astype(float), np.array([1 / 70.3]))], axis=1)
    left = residual - columns @ np.linalg.lstsq(columns, residual, rcond=None)[0]
    assert basis.powers(residual)[0][0] == pytest.approx(residual @ residual - left @ left, rel=1e-9)


@pytest.mark.parametrize(
    ("period", "smaller", "own"),
    [(64.0, [], (1, 2)), (128.0, [64.0], (1, 3)), (256.0, [128.0, 64.0], (1, 3)), (128.0, [128.0, 8.0], (1, 2, 3))],
)
def test_harmonics_of_smaller_periods_are_not_own(period, smaller, own):
    assert own_harmonics(period, 16, 2048, smaller)[:3] == own


def test_a_smaller_period_is_no_evidence_for_its_double(draw_line):
    rng = np.random.default_rng(0)
    line = draw_line(rng, 128, comb=(64, 0.1))
    hypothesis = PeriodHypothesis((line,), (128.0,), smaller=((64.0,),))
    assert period_test(hypothesis, draws=199, rng=rng).p_value > 0.05
    assert period_test(PeriodHypothesis((line,), (128.0,)), draws=199, rng=rng).p_value <= 0.05


def test_blocks_are_permuted_whole():
    rows = block_permutations(50, 8.0, 20, np.random.default_rng(0))
    assert rows.shape == (20, 50)
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(np.arange(50), (20, 1)))
    followed = (np.diff(rows, axis=1) % 50 == 1).mean()
    assert 0.8 < followed < 0.95


def test_every_null_draw_is_equally_likely_to_lead_each_block():
    rows = block_permutations(30, 4.0, 4000, np.random.default_rng(1))
    assert np.bincount(rows[:, 0], minlength=30) == pytest.approx(np.full(30, 4000 / 30), rel=0.4)


def test_scan_finds_a_period_nobody_predicted(draw_line):
    rng = np.random.default_rng(0)
    scan = scan_periods((draw_line(rng, 128, saw=(97.0, 0.02)),), None, draws=199, rng=rng)
    assert scan.p_value <= 0.05
    assert scan.period == pytest.approx(97.0, abs=0.6 * 97.0**2 / 2048)


def test_scan_has_nominal_size(draw_line):
    rejected = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        rejected += scan_periods((draw_line(rng, 96, correlation=0.5),), None, draws=99, rng=rng).p_value <= 0.05
    assert 0.01 <= rejected / 300 <= 0.09


def test_spectrum_agrees_with_lomb_scargle_of_astropy(draw_line):
    timeseries = pytest.importorskip("astropy.timeseries")
    line = draw_line(np.random.default_rng(5), 128, saw=(64, 0.02))
    x = line.x.astype(float)
    y = line.log_throughput - np.polyval(np.polyfit(x, line.log_throughput, 4), x)
    frequencies = np.arange(8, 60) / line.span
    theirs = timeseries.LombScargle(x, y - y.mean(), fit_mean=False, center_data=False).power(
        frequencies, normalization="psd"
    )
    ours = []
    for frequency in frequencies:
        columns, _ = np.linalg.qr(waves(x, np.array([frequency])))
        ours.append(np.square((y - y.mean()) @ columns).sum() / 2)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
