"""What timings leave open is tried: other spill sizes, channels, spreads and terms, one at a time."""

from dataclasses import dataclass

import numpy as np
import pytest

from harness.grid import Grid
from harness.samples import Samples
from harness.tile import Tile
from models.constants.alternatives import Alternative, solved_alternatives, with_open_constants
from models.constants.constant import IDENTIFIED, Constant, Profile
from models.design import Design
from models.hardware import Hardware
from models.planted import planted_cube
from models.result import Estimate
from models.terms import ALL_TERMS, SUMMED_TERMS
from models.tile_data import split_tiles


@dataclass(frozen=True)
class Fit:
    """What of a fit is looked at."""

    tile: Tile
    estimates: tuple[Estimate, ...]


TILES = ("256x128x32", "128x128x32")
HARDWARE = Hardware(cores=20, cache_bytes=8e6, channels=6, interleave_bytes=256)
GRID = Grid.parse("128:2048:128;128:2048:128;64,512,2048")


@pytest.fixture(scope="module")
def plan():
    return planted_cube(HARDWARE, TILES, GRID, lack_of_fit=0.0, noise=0.0)


@pytest.fixture(scope="module")
def data(plan):
    samples = Samples.from_cube(plan.cube)
    blocks = np.zeros(samples.size, dtype=np.int64)
    return split_tiles(samples, blocks, (2, 2), np.ones(samples.size, dtype=np.bool_))[0]


def solved(data, constants=(), left_out=()):
    terms = [term for term in SUMMED_TERMS if term.name not in left_out]
    designs = {label: Design.of(terms, item.tile, HARDWARE) for label, item in data.items()}
    rng = np.random.default_rng(1)
    return solved_alternatives(data, designs, ALL_TERMS, HARDWARE, constants, {}, {}, rng)


def test_without_alternatives_there_are_the_costs_of_the_fit_alone(data, plan):
    (only,) = solved(data)
    assert only.hardware == HARDWARE
    for label in TILES:
        assert only.costs[label]["launch"] == pytest.approx(plan.costs(label)["launch"], rel=1e-3)
    assert len({only.costs[label]["launch"] for label in TILES}) == 1


def test_a_model_of_all_terms_is_an_alternative_to_the_chosen_ones(data, plan):
    chosen, every = solved(data, left_out=("memory traffic", "pipeline fill"))
    true = plan.costs(TILES[0])["launch"]
    assert "byte" in every.costs[TILES[0]]
    assert "byte" not in chosen.costs[TILES[0]]
    assert abs(every.costs[TILES[0]]["launch"] - true) < abs(chosen.costs[TILES[0]]["launch"] - true)


def test_each_tenable_value_is_tried_once(data):
    cache = Profile(("B",), ((4e6,), (8e6,), (9e6,)), (1.0, 0.0, 0.5), (True, True, False))
    pairs = Profile(("c", "i"), ((4.0, 256.0), (6.0, 256.0)), (1.0, 0.0), (True, True))
    spread = Profile(("s",), tuple((0.01 * i,) for i in range(12)), (0.0,) * 12, (True,) * 12)
    constants = [
        (key, Constant(None, (), IDENTIFIED, profile=profile))
        for key, profile in (("cache_bytes", cache), ("channels", pairs), (TILES[1], spread))
    ]
    found = solved(data, [*constants, ("cache_bytes", None)])
    states = [other.hardware for other in found[1:]]
    # A size is tried with the terms of the fit, and with all that apply.
    assert [state.cache_bytes for state in states[:2]] == [4e6, 4e6]
    assert (states[2].channels, states[2].interleave_bytes) == (4, 256)
    tried = [state.core_spread_of(TILES[1]) for state in states[3:]]
    assert len(tried) <= 5
    assert max(tried) == pytest.approx(0.11)
    assert all(state != HARDWARE for state in states)
    # What another constant is a part of, and nothing else: the second tile's spread is no matter of the first one.
    assert found[0].redefined == {}
    assert found[1].redefined[TILES[0]] >= {"spilt byte"}
    assert not {"launch", "wave", "waiting byte"} & found[1].redefined[TILES[0]]
    assert "waiting byte" in found[3].redefined[TILES[0]]
    assert all(name.startswith("waiting") for name in found[3].redefined[TILES[0]])
    assert not found[4].redefined[TILES[0]]
    assert "launch" not in found[4].redefined[TILES[1]]


def test_an_interval_of_a_coefficient_holds_those_under_other_values_of_its_constant():
    def alternative(cost, redefined=()):
        return Alternative(HARDWARE, {"a": {"byte": cost, "launch": cost}}, {"a": frozenset(redefined)})

    def estimate(name, lower, upper):
        return Estimate("t", name, "s", "m", 5.0, lower, upper, 0.1, lower is not None)

    estimates = (estimate("byte", 4.0, 6.0), estimate("launch", 4.0, 6.0), estimate("open", None, None))
    fit = Fit(Tile(128, 128, 32, "a"), estimates)
    others = [alternative(5.0), alternative(7.5, ["byte"]), alternative(4.5, ["byte"]), alternative(0.0)]
    byte, launch, unknown = with_open_constants(fit, others).estimates
    assert (byte.lower, byte.upper) == (3.5, 8.5)
    assert (launch.lower, launch.upper) == (4.0, 6.0)
    assert unknown.lower is None
    (byte, *_) = with_open_constants(fit, [alternative(5.0), alternative(0.0, ["byte"])]).estimates
    assert (byte.lower, byte.upper) == (0.0, 6.0)  # no cost is negative
    assert with_open_constants(fit, ()).estimates == estimates
