"""Bootstrap draws by derivatives, against draws whose coefficients go through every stage anew."""

import dataclasses

import numpy as np
import pytest

from attrib.analysis import landscape_of
from attrib.attribution import NOISE, QUANTITIES, ModelLandscapes, Share, attribute_stages
from attrib.stages import BestTile, FixedTile, Pad, Split
from harness.landscapes import bundled_cube
from models.additive import AdditiveModel

DRAWS = 60
LEAST = 0.01
"""Standard deviations below this part of the largest of a quantity are not compared."""


@pytest.fixture(scope="module")
def both():
    """Shares of each stage and quantity: by derivatives, and by fits that are the draws themselves."""
    cube = bundled_cube("h200_bf16_grid").isel(tile=[0, 2, 5])
    cube = cube.isel(M=slice(1, None, 2), N=slice(1, None, 2), K=slice(3, None, 4))
    fit = AdditiveModel(draws=DRAWS).fit(cube)
    landscape, best = landscape_of(cube), BestTile()
    stages = [FixedTile(landscape.tiles[0]), best, Pad(best), Split(best), Split(Pad(best))]
    applied = [(stage, stage.apply(landscape)) for stage in stages]
    ideal = np.full(landscape.shape, 800.0)

    class Same(type(fit)):
        mechanisms = fit.mechanisms

    def of(theta):
        tiles = {
            label: dataclasses.replace(item, theta=theta(item), all_terms=None) for label, item in fit.tiles.items()
        }
        data = {item.name: getattr(fit, item.name) for item in dataclasses.fields(fit)}
        return ModelLandscapes(landscape, Same(**{**data, "tiles": tiles}))

    derived = attribute_stages(applied, of(lambda item: item.theta), ideal=ideal)
    anew = [attribute_stages(applied, of(lambda item, b=b: item.draws[b]), ideal=ideal) for b in range(DRAWS)]
    return derived, anew


@pytest.mark.parametrize("key", QUANTITIES)
def test_draws_by_derivatives_are_close_to_draws_that_decide_anew(both, key):
    derived, anew = both
    for place, stage in enumerate(derived):
        part = stage.quantities[key]
        names = [name for name in part.shares if name != NOISE]
        exact = {
            name: np.array([draw[place].quantities[key].shares[name].share for draw in anew]) for name in names
        }
        widest = max(values.std() for values in exact.values())
        for name in names:
            values, drawn = exact[name], part.samples[name]
            if values.std() < LEAST * widest:
                assert drawn.std() < 0.05 * widest
                continue
            # Kinks (a step near zero, two tiles equally fast) make small shares a little wider or narrower.
            size = drawn.std() / values.std()
            assert 0.9 < size < 1.1 or abs(drawn.std() - values.std()) < 0.08 * widest, (stage.stage, name)
            assert abs(drawn.mean() - values.mean()) < 0.35 * values.std() + 0.02 * widest, (stage.stage, name)
            if values.std() > 0.25 * widest:
                assert np.corrcoef(values, drawn)[0, 1] > 0.95, (stage.stage, name)


def test_errors_at_bounds_go_the_way_of_the_draws(both):
    derived, _ = both
    found = [stage.quantities[key] for stage in derived for key in QUANTITIES]
    assert any(any(part.too_large.values()) for part in found)
    for part in found:
        assert set(part.too_large) == set(part.shares)
        assert part.too_large[NOISE] == 0.0
        # What is measured has no error: what one share has too much the others have too little.
        total = sum(part.too_large.values())
        assert abs(total) < 1e-9 * max(1e-300, *map(abs, part.too_large.values()))


def test_an_interval_of_few_draws_is_of_their_deviation_and_of_many_their_percentiles():
    rng = np.random.default_rng(0)
    few, many = rng.normal(5, 2, 200), rng.normal(5, 2, 4000)
    share = Share.of(5.0, few)
    distance = np.sqrt(np.sum((few - 5.0) ** 2) / 199)
    assert (share.lower, share.upper) == pytest.approx((5.0 - 1.96 * distance, 5.0 + 1.96 * distance))
    share = Share.of(5.0, many)
    assert (share.lower, share.upper) == pytest.approx(tuple(np.percentile(many, [2.5, 97.5])))
    # Draws about another estimate: their bias counts, and the interval holds the estimate.
    assert Share.of(8.0, few).lower < 8.0 - 1.96 * 3.0
    assert Share.of(12.0, many).upper == 12.0
    assert Share.of(5.0, few[:1]) == Share(5.0)
    assert Share.of(5.0, np.append(few, np.nan)) == Share(5.0)
    assert Share.of(5.0, few, monte_carlo=0.25).to_dict()["monte_carlo"] == 0.25


def test_an_interval_reaches_as_far_again_as_estimates_at_a_bound_are_too_large():
    draws = np.random.default_rng(0).normal(5, 2, 200)
    share, above, below = (Share.of(5.0, draws, error) for error in (0.0, 0.7, -0.4))
    assert (above.share, above.lower, above.upper) == pytest.approx((5.0, share.lower - 0.7, share.upper))
    assert (below.share, below.lower, below.upper) == pytest.approx((5.0, share.lower, share.upper + 0.4))
    assert "monte_carlo" not in Share(1.0).to_dict()
