"""Fixed against proportional, nesting guards, and the designs they name."""

from math import gcd

import numpy as np
import pytest

from attrib.periods import compare_laws, compare_laws_of_lines, design, nested
from attrib.periods.autocorrelation import innovations
from attrib.periods.laws import _LawStatistic
from harness.errors import InputError
from harness.landscapes import bundled_cube
from harness.tile import Tile


def planted(draw_line, law, widths, seed=0, **grid):
    rng = np.random.default_rng(seed)
    return [
        draw_line(rng, saw=(160 if law == "fixed" else width, 0.02), tile=Tile.of(128, width, 32), **grid)
        for width in widths
    ]


@pytest.mark.parametrize("widths", [(96, 160, 224), (64, 128, 256)])
@pytest.mark.parametrize("law", ["fixed", "proportional"])
def test_the_planted_law_wins(draw_line, law, widths):
    for seed in range(3):
        found = compare_laws_of_lines("N", planted(draw_line, law, widths, seed, count=128), draws=199)
        assert found.status == "detected"
        assert found.law.startswith(law)
        assert (found.log_evidence_ratio > 0) == (law == "fixed")
        assert not found.note  # no fixed period is a harmonic of every width
        if law == "fixed":
            assert found.fixed_period == pytest.approx(160, rel=0.05)
        else:
            assert found.proportional_ratio == pytest.approx(1, rel=0.05)


def test_without_a_period_no_law_is_detected(draw_line):
    detected = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        lines = [draw_line(rng, 96, correlation=0.5, tile=Tile.of(128, width, 32)) for width in (96, 160, 224)]
        detected += compare_laws_of_lines("N", lines, draws=99, seed=seed).status == "detected"
    assert detected <= 9


def test_many_lines_with_slow_noise_do_not_add_up_to_a_period(draw_line):
    detected = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        lines = [
            draw_line(rng, 128, correlation=0.85, tile=Tile.of(128, width, 32))
            for width in (96, 160, 224)
            for _ in range(8)
        ]
        detected += compare_laws_of_lines("N", lines, draws=99, seed=seed).status == "detected"
    assert detected <= 2


def test_innovations_are_as_large_where_the_trend_is_as_elsewhere(draw_line):
    """Slow noise is large; what fills the trend's place has to be as large, or shuffled lines lack it."""
    inside, outside = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        line = draw_line(rng, 128, correlation=0.8)
        law = _LawStatistic(line, np.arange(20, 60), np.arange(20, 60), 1 / (4 * line.span))
        shocks = law.shocks(line.log_throughput, 0.8, rng)
        trend, _ = np.linalg.qr(innovations(law.nuisance.T, 0.8).T)
        taken = trend.T @ shocks
        inside.append(np.mean(taken**2))
        outside.append((shocks @ shocks - taken @ taken) / (128 - taken.size))
    assert np.mean(outside) == pytest.approx(0.005**2 * (1 - 0.8**2), rel=0.05)
    assert np.mean(inside) == pytest.approx(np.mean(outside), rel=0.15)


def test_the_published_grid_is_not_testable_and_says_what_is(draw_line):
    """Tiles 64, 128, 256 at N = 24 mod 32: nested widths, no remainder 0 (paper, section 8.3)."""
    lines = planted(draw_line, "proportional", (64, 128, 256), count=35, step=32, first=3000)
    found = compare_laws_of_lines("N", lines)
    assert found.status == "not testable"
    assert found.law is None
    assert "nested and the least remainder is 24" in found.reason
    assert "tiles 96, 160, 224 wide" in found.reason


def test_one_width_scales_with_nothing(draw_line):
    found = compare_laws_of_lines("N", planted(draw_line, "fixed", (128,)))
    assert found.status == "not testable"
    assert "one width scales with nothing" in found.reason


def test_the_strongest_period_of_the_bundled_lines_along_n_is_the_pitch():
    found = compare_laws(bundled_cube("h200_bf16_lines"), "N", draws=199)
    assert found.law == "fixed"
    assert "also a harmonic of teeth 128, 256 wide" in found.note
    assert found.fixed_period == pytest.approx(64, rel=0.01)
    assert found.log_evidence_ratio > np.log(1e6)
    assert "fixed at 64" in str(found)


@pytest.mark.parametrize(("widths", "answer"), [((64, 128), True), ((96, 160, 192), True), ((96, 160, 224), False)])
def test_nested(widths, answer):
    assert nested(widths) is answer


@pytest.mark.parametrize(
    ("widths", "periods"), [((64, 128, 256), ()), ((128, 256), (64,)), ((96, 160), (528.0, 60.5))]
)
def test_a_design_has_what_it_promises(widths, periods):
    plan = design(widths, periods)
    assert not nested(plan.widths)
    x = np.arange(plan.first, plan.last + 1, plan.step)
    assert x.size == plan.samples
    for period in (*plan.widths, *periods):
        assert period / plan.step >= 6
        assert (plan.last - plan.first) / period >= 15.9
        if period == int(period):
            assert gcd(plan.step, int(period)) == 1
            assert np.unique(x % int(period)).size == int(period)


def test_a_design_can_be_used_by_the_test_it_is_for(draw_line):
    plan = design((64, 128, 256))
    grid = {"count": plan.samples, "step": plan.step, "first": plan.first}
    found = compare_laws_of_lines("N", planted(draw_line, "proportional", plan.widths, **grid), draws=199)
    assert found.status == "detected"
    assert found.law.startswith("proportional")


def test_a_design_refuses_what_whole_sizes_cannot_sample():
    with pytest.raises(InputError, match="too short"):
        design((64,), (4,))
    with pytest.raises(InputError, match="positive"):
        design(())


@pytest.mark.parametrize(("rows", "law"), [("plain", "fixed"), ("padded", "proportional")])
def test_the_law_on_the_h200_is_that_of_what_costs_more(rows, law):
    """Widths of 96 and 160 tell a fixed 64 from a harmonic: with padded rows the tile's own period is left."""
    found = compare_laws(bundled_cube(f"h200_bf16_rows_{rows}"), "N", draws=199)
    assert found.status == "detected"
    assert found.law.startswith(law)
    assert not found.note
    if law == "fixed":
        assert found.fixed_period == pytest.approx(64, rel=0.01)
    else:
        assert found.proportional_ratio == pytest.approx(1, rel=0.01)
