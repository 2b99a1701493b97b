"""The measured hull: inside, outside, flat data, round trip."""

import json

import numpy as np
import pytest

from models.hull import MeasuredHull


def shapes(*rows):
    return np.array(rows, dtype=np.int64).T


@pytest.fixture
def grid():
    axis = np.arange(128, 4097, 128)
    return [mesh.ravel() for mesh in np.meshgrid(axis, axis, axis)]


def test_every_measured_shape_is_inside(grid):
    assert not MeasuredHull.of(*grid).outside(*grid).any()


def test_between_is_inside_and_beyond_is_outside(grid):
    hull = MeasuredHull.of(*grid)
    inside = shapes((129, 1000, 4096), (4000, 4000, 4000), (128, 128, 128))
    outside = shapes((127, 1000, 1000), (4097, 128, 128), (128, 8192, 128))
    assert not hull.outside(*inside).any()
    assert hull.outside(*outside).all()


def test_a_corner_that_only_lines_reach_is_outside():
    fine = np.arange(16, 4097, 16)
    big = np.full(fine.size, 4096)
    M, N, K = np.concatenate([[fine, big, big], [big, fine, big], [big, big, fine]], axis=1)
    hull = MeasuredHull.of(M, N, K)
    assert not hull.outside(M, N, K).any()
    assert hull.outside(*shapes((16, 16, 16), (64, 64, 4096))).all()
    assert not hull.outside(*shapes((2048, 2048, 4096))).any()


@pytest.mark.parametrize("flat", [shapes((128, 128, 4096), (256, 128, 4096), (128, 512, 4096), (64, 64, 4096))])
def test_shapes_on_a_plane_fall_back_to_the_box(flat):
    hull = MeasuredHull.of(*flat)
    assert hull.facets.shape == (0, 4)
    assert not hull.outside(*shapes((200, 400, 4096))).any()
    assert hull.outside(*shapes((200, 400, 2048))).all()


def test_round_trip(grid):
    hull = MeasuredHull.of(*grid)
    again = MeasuredHull.from_dict(json.loads(json.dumps(hull.to_dict())))
    assert (again.lower, again.upper) == (hull.lower, hull.upper)
    np.testing.assert_array_equal(again.facets, hull.facets)
