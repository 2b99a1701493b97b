"""Worths and slopes of every coalition, against the model's own times and finite differences."""

import dataclasses

import numpy as np
import pytest

from attrib.attribution import ModelLandscapes, stage_times
from attrib.attribution.model_landscapes import worths
from attrib.attribution.routes import Route
from attrib.attribution.term_states import term_states
from attrib.stages import BestTile, FixedTile, Pad, Split
from harness.tile import Tile
from models.design import ALL_MECHANISMS
from models.overlap import Overlap

STAGES = (
    FixedTile(Tile.parse("256x128x64")),
    FixedTile(Tile.parse("vendor")),
    BestTile(),
    Pad(BestTile()),
    Split(BestTile(), ("N",)),
    Split(Pad(BestTile())),
)


def overlapping(fit, **how):
    tiles = {
        label: item if item.tile.hidden else dataclasses.replace(item, overlap=Overlap(**how))
        for label, item in fit.tiles.items()
    }
    return dataclasses.replace(fit, tiles=tiles)


def tied(fit):
    """A model whose terms cannot be told apart: an odd number of mechanisms makes everything dearer."""

    class Tied(type(fit)):
        def matrix(self, label, problem, on=ALL_MECHANISMS):
            return super().matrix(label, problem, on) * (1.0 + 0.1 * (len(frozenset(on)) % 2))

    return Tied(**{item.name: getattr(fit, item.name) for item in dataclasses.fields(fit)})


def raw(time, volume):
    """Raw quantities by other means; NaN is missing."""
    rate = volume / time
    last = rate[..., -1]
    slices = [np.nanmean(np.abs(np.diff(last, axis=axis))) for axis in (1, 0)]
    whole = [np.nanmean(np.abs(np.diff(rate, axis=axis))) for axis in range(3)]
    return np.array([*slices, *whole, np.nanmean(rate), np.nanmean(np.log(time))])


def slow_values(landscape, fit, on):
    mesh = [axis.ravel() for axis in np.meshgrid(landscape.M, landscape.N, landscape.K, indexing="ij")]
    times = np.stack(
        [fit.time(t.name, fit.problem(t.name, *mesh), on).reshape(landscape.shape) for t in landscape.tiles]
    )
    times[np.isnan(landscape.time)] = np.nan
    volume = landscape.throughput(np.ones(landscape.shape))
    return np.array([raw(stage_times(stage, landscape, times[None])[0], volume) for stage in STAGES])


KINDS = {
    "additive": lambda fit: fit,
    "overlapping": overlapping,
    "rounded": lambda fit: overlapping(fit, power=4.0),
    "by wave": lambda fit: overlapping(fit, by_wave=True),
    "by wave, rounded": lambda fit: overlapping(fit, by_wave=True, power=12.0),
    "tied": tied,
}


def play(landscape, fit, most=10, **options):
    models = ModelLandscapes(landscape, fit, most_exact=most, pairs=2)
    (found,), tiles = worths([models], [Route.of(stage, landscape.tiles) for stage in STAGES], **options)
    return models, found, tiles


@pytest.mark.parametrize("kind", KINDS)
def test_worths_are_those_of_the_models_times(planted, kind):
    landscape, fit = planted
    fit = KINDS[kind](fit)
    models, found, _ = play(landscape, fit, most=0 if kind == "tied" else 10, derive=False)
    codes = models.sample.codes
    assert found.values.shape == (codes.size, len(STAGES), 7)
    assert found.slopes.shape[0] == 0
    for row in [0, codes.size - 1, *np.random.default_rng(0).integers(0, codes.size, 16)]:
        expected = slow_values(landscape, fit, models.coalition(int(codes[row])))
        np.testing.assert_allclose(found.values[row], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_terms_are_told_apart_where_they_can_be(planted, kind):
    landscape, fit = planted
    fit = KINDS[kind](fit)
    mesh = [axis.ravel() for axis in np.meshgrid(landscape.M, landscape.N, landscape.K, indexing="ij")]
    everyone = frozenset(fit.mechanisms)
    labels = ("256x128x64", "64x128x64", "vendor")
    coalitions = [frozenset(), everyone - {"wave fill"}, everyone]
    states, banks = term_states([fit], labels, np.stack(mesh, axis=1), coalitions, True)
    assert states.separable == (kind != "tied",) * 3
    if kind == "tied":
        return
    assert np.all(states.resources[:2].any() == (kind not in ("additive", "tied")))
    # With all mechanisms on, the parts are the design itself.
    places = states.columns[2, 0, : fit.tiles[labels[0]].theta.size]
    matrix = fit.design(labels[0]).matrix(fit.problem(labels[0], *mesh), fit.hardware, everyone)
    np.testing.assert_array_equal(np.where(places >= 0, banks.columns[places].T, 0.0), matrix)


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_are_finite_differences(planted, kind):
    landscape, fit = planted
    fit, most = KINDS[kind](fit), 0 if kind == "tied" else 10
    _, played, tiles = play(landscape, fit, most)
    labels = [landscape.tiles[index].name for index in tiles]
    assert labels == sorted(labels)
    rng = np.random.default_rng(1)
    size = 1e-7
    ways = {label: fit.tiles[label].theta * rng.uniform(-1, 1, fit.tiles[label].theta.size) for label in labels}
    predicted = np.einsum("srcq,c->srq", played.slopes, np.concatenate([ways[label] for label in labels]))

    def moved(sign):
        changed = {
            label: dataclasses.replace(item, theta=item.theta + sign * size * ways[label])
            for label, item in fit.tiles.items()
        }
        return play(landscape, dataclasses.replace(fit, tiles=changed), most, derive=False)[1].values

    found = (moved(1) - moved(-1)) / (2 * size)
    # A kink between the two is rare; where a landscape is flat, so are both.
    scale = np.abs(played.values).mean(axis=0)
    apart = np.abs(found - predicted) > 1e-5 * scale + 1e-4 * np.abs(predicted)
    assert apart.mean() < 0.002
    assert np.abs(predicted).mean() > 0.01


def test_games_played_together_are_those_played_alone(planted):
    """Columns are made once for both; a game of fewer mechanisms has its own coalitions."""
    landscape, fit = planted
    tiles = {
        label: dataclasses.replace(item, theta=item.theta * np.where(np.arange(item.theta.size) < 2, 1.1, 0.9))
        for label, item in fit.tiles.items()
    }
    fewer = {
        label: dataclasses.replace(item, theta=item.theta * quiet(fit, label)) for label, item in tiles.items()
    }
    games = [ModelLandscapes(landscape, dataclasses.replace(fit, tiles=part)) for part in (fewer, tiles)]
    games[0].mechanisms = tuple(name for name in games[1].mechanisms if name != "row pitch")
    assert len(games[0].mechanisms) < len(games[1].mechanisms)
    routes = [Route.of(stage, landscape.tiles) for stage in STAGES]
    calls = []
    together, _ = worths(games, routes, progress=lambda *at: calls.append(at))
    assert calls[-1] == (sum(game.sample.codes.size for game in games),) * 2
    assert together[0].slopes.shape[0] == 0
    for game, found in zip(games, together, strict=True):
        (alone,), _ = worths([game], routes)
        for name in ("values", "times", "tile_times"):
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=1e-12)
    np.testing.assert_array_equal(together[1].slopes, alone.slopes)


def quiet(fit, label):
    """One for all costs but that of row pitch, zero for these."""
    columns = fit.design(label).columns(fit.hardware)
    return np.array([float("row pitch" not in column.term.mechanisms) for column in columns])


def test_only_the_slice_is_played_where_it_is_enough(planted):
    landscape, fit = planted
    models = ModelLandscapes(landscape, fit)
    routes = [Route.of(stage, landscape.tiles) for stage in STAGES[:4]]
    (whole,), _ = worths([models], routes, derive=False)
    (part,), _ = worths([models], routes, whole=False, derive=False)
    np.testing.assert_allclose(part.values[..., :2], whole.values[..., :2], rtol=1e-12, atol=1e-12)
    assert part.times.shape[-1] == 1
    assert np.isnan(part.values[..., 4]).all()


def test_a_term_is_evaluated_once_for_each_answer(planted, monkeypatch):
    landscape, fit = planted
    calls = []
    launch = next(term for term in fit.design("256x128x64").terms if term.name == "base overhead")
    columns = type(launch).columns

    def counted(self, problem, hardware, on):
        calls.append(problem.size)
        return columns(self, problem, hardware, on)

    monkeypatch.setattr(type(launch), "columns", counted)
    worths([ModelLandscapes(landscape, fit)], [Route((0,))], derive=False)
    # On and off; what else is called checks the parts against the model.
    whole = [size for size in calls if size == landscape.time[0].size]
    assert len(calls) < 100
    assert 2 <= len(whole) < 100
