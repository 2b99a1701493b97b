"""Planted truth gets its verdict, landscapes without the effect do not, and tests keep their size."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from attrib.claims import CLAIMS, NOT_TESTABLE, REFUTED, SUPPORTED, Evidence, examine_claims
from attrib.claims.sign_flips import measure
from harness.cube import sparse_cube
from harness.samples import Samples
from harness.tile import Tile

peaks_module = sys.modules["attrib.claims.peaks_divide_by_the_cores"]
TESTED = [claim.name for claim in CLAIMS if claim.name != "the residual is hardware"]
QUICK = (
    "ruggedness is not noise",
    "drift is not the cause",
    "the largest square is not the fastest",
    "no M x N interaction",
    "N is rougher than M",
    "padding leaves slow paths",
)
"""Claims whose size is looked at here too; docs/claims_sizes.py does all."""


def case_of(drawn, name):
    return next(case for case in drawn.CASES if case.claim == name)


@pytest.mark.parametrize("name", TESTED)
def test_planted_effect_gets_its_verdict(drawn, name):
    case = case_of(drawn, name)
    finding = drawn.judged(case, planted=True, draw=100_000)
    assert finding.verdict == case.truth_of_planted
    assert finding.p_value <= 0.05
    assert finding.lower <= finding.effect <= finding.upper


@pytest.mark.parametrize("name", TESTED)
def test_null_landscape_never_gets_the_wrong_verdict(drawn, name):
    case = case_of(drawn, name)
    found = [drawn.judged(case, planted=False, draw=100_000 + draw) for draw in range(2)]
    assert case.truth_of_planted not in [finding.verdict for finding in found]


@pytest.mark.parametrize("name", QUICK)
def test_size_is_near_nominal(drawn, name):
    """Of 40 null draws at 5 %, eight or more rejections have a probability below 0.1 %."""
    case = case_of(drawn, name)
    found = [drawn.judged(case, planted=False, draw=200_000 + draw) for draw in range(40)]
    assert sum(finding.p_value <= 0.05 for finding in found) < 8


@pytest.mark.parametrize(("cores", "units"), [(20, 9), (132, 12)])
def test_peaks_are_told_on_few_large_blocks_or_on_more_where_few_shapes_divide(drawn, monkeypatch, cores, units):
    """On 32 x 32 sizes a hundredth of the shapes of 132 cores divide: too few of nine blocks hold some."""
    used = []

    def looked_at(sums, estimator, null, **more):
        used.append(len(sums))
        return measure(sums, estimator, null, **more)

    monkeypatch.setattr(peaks_module, "measure", looked_at)
    monkeypatch.setattr(drawn, "DEVICE", replace(drawn.DEVICE, cores=cores))
    rng, side, depth = np.random.default_rng(0), 128 * np.arange(1, 33), 128 * np.arange(4, 7)
    tiles = ("128x128x64", "128x256x64", "256x128x64", "64x128x64")
    rates = np.broadcast_to(drawn.trend(*np.ix_(side, side, depth)), (len(tiles), 32, 32, 3))
    found = peaks_module.examine(drawn.evidence(rng, rates, tiles, depth, side))
    assert used == [found.units] == [units]


def test_every_claim_has_a_case(drawn):
    assert sorted(case.claim for case in drawn.CASES) == sorted(TESTED)


def test_results_repeat(drawn):
    case = case_of(drawn, "N is rougher than M")
    assert drawn.judged(case, planted=True, draw=1) == drawn.judged(case, planted=True, draw=1)


@pytest.fixture(scope="module")
def findings(drawn):
    """All claims on a small landscape without a model."""
    said = []
    found = examine_claims(drawn.rugged(np.random.default_rng(1)), progress=said.append)
    assert len(said) == len(CLAIMS)
    return {finding.name: finding for finding in found}


def test_ledger_holds_every_claim(findings):
    assert list(findings) == [claim.name for claim in CLAIMS]
    assert findings["the residual is hardware"].verdict == NOT_TESTABLE
    assert "model" in findings["the residual is hardware"].reason


def test_p_values_of_the_ledger_are_adjusted(findings):
    tested = [item for item in findings.values() if item.p_value is not None]
    assert len(tested) > 5
    assert all(item.adjusted_p_value >= item.p_value for item in tested)
    assert any(item.adjusted_p_value > item.p_value for item in tested)


def without_repeats(evidence):
    return Evidence(evidence.cube.drop_vars(["time_repeats", "time_spread"], errors="ignore"), seed=0)


def test_claims_about_noise_need_repeats(drawn):
    plain = without_repeats(drawn.rugged(np.random.default_rng(2)))
    found = {item.name: item for item in examine_claims(plain)}
    for name in (
        "ruggedness is not noise",
        "the largest square is not the fastest",
        "plans add to the tile choice",
    ):
        assert found[name].verdict == NOT_TESTABLE
        assert "repeats" in found[name].reason
    # What may be noise cannot refute; what needs no repeats goes on.
    assert found["no M x N interaction"].verdict != REFUTED
    assert found["N is rougher than M"].effect is not None
    assert "neighbour along K" in found["one tile does not suffice"].reason


def scattered(evidence, share):
    samples = Samples.from_cube(evidence.cube)
    rng = np.random.default_rng(0)
    samples = samples.take(rng.permutation(samples.size)[: int(share * samples.size)])
    shapes = np.stack([samples.M, samples.N, samples.K], axis=1)
    return sparse_cube(samples.time, shapes, [samples.tiles[place] for place in samples.tile], evidence.device)


def test_sparse_samples_go_as_far_as_they_can(drawn):
    evidence = drawn.turned(np.random.default_rng(3), 2.5)
    few = {item.name: item for item in examine_claims(Evidence(scattered(evidence, 0.2)))}
    assert {item.verdict for item in few.values()} == {NOT_TESTABLE}
    assert "no grid" in few["N is rougher than M"].reason
    many = {item.name: item for item in examine_claims(Evidence(scattered(evidence, 0.95)))}
    assert many["N is rougher than M"].verdict == SUPPORTED


def test_order_of_samples_does_not_matter(drawn):
    cube = scattered(drawn.rugged(np.random.default_rng(4)), 1.0)
    turned = cube.isel(sample=slice(None, None, -1))
    effects = [[item.effect for item in examine_claims(Evidence(part))] for part in (cube, turned)]
    assert effects[0] == pytest.approx(effects[1], nan_ok=True)


def test_hidden_tile_leaves_what_needs_no_tile(drawn):
    cube = drawn.rugged(np.random.default_rng(5)).cube.isel(tile=[0])
    samples = Samples.from_cube(cube)
    shapes = np.stack([samples.M, samples.N, samples.K], axis=1)
    vendor = sparse_cube(samples.time, shapes, [Tile.parse("vendor")] * samples.size, drawn.DEVICE)
    found = {item.name: item for item in examine_claims(Evidence(vendor))}
    assert "hides its tile" in found["peaks divide by the cores"].reason
    assert found["N is rougher than M"].effect is not None


def test_sentinels_decide_about_drift(drawn):
    claim = next(claim for claim in CLAIMS if claim.name == "drift is not the cause")
    evidence = drawn.rugged(np.random.default_rng(6))
    rng = np.random.default_rng(0)
    steady, restless = 1 + 1e-5 * rng.standard_normal(40), 1 + 0.03 * np.sin(np.arange(40) / 3)
    for ratio, verdict in ((steady, SUPPORTED), (restless, REFUTED)):
        attrs = {**evidence.cube.attrs, "drift": '{"ratio": [' + ", ".join(map(str, ratio)) + "]}"}
        finding = claim.judge(Evidence(evidence.cube.assign_attrs(attrs)))
        assert finding.verdict == verdict
        assert "sentinel" in finding.reason
    bare = {key: value for key, value in evidence.cube.attrs.items() if key != "protocol"}
    cube = evidence.cube.copy()
    cube.attrs = bare
    assert "attrib measure" in claim.judge(Evidence(cube)).reason


def test_fixed_law_refutes_that_the_period_follows_the_tile(drawn):
    claim = next(claim for claim in CLAIMS if claim.name == "the period follows the tile")
    finding = claim.judge(drawn.lines(np.random.default_rng(7), 0.0, 0.05, 0.0))
    assert finding.verdict == REFUTED
    assert finding.p_value > 0.05
