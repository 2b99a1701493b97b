"""A planted model with ten mechanisms on a small grid: all terms cost something."""

import runpy
from pathlib import Path

import pytest

from attrib.analysis import landscape_of
from harness.landscapes import bundled_cube

SPEED = Path(__file__).parents[3] / "docs" / "attribution_speed.py"


@pytest.fixture(scope="session")
def planted():
    """Landscape and model of three tiles and a library, 6 x 7 x 5 shapes, two of them missing."""
    cube = bundled_cube("h200_bf16_grid").isel(tile=[0, 2, 4, 6])
    fit = runpy.run_path(str(SPEED))["planted_model"](cube.isel(M=slice(0, 8), N=slice(0, 8), K=slice(0, 6)))
    corner = cube.isel(M=slice(0, 6), N=slice(0, 7), K=slice(0, 5)).copy(deep=True)
    corner["time"][0, 2, 3, 4] = corner["time"][1, 5, 6, 0] = float("nan")
    return landscape_of(corner), fit
