"""Lines with planted periods."""

import numpy as np
import pytest

from attrib.periods import Line
from harness.tile import Tile


@pytest.fixture
def draw_line():
    """Make a line: a smooth trend, noise that may be correlated, a sawtooth and a comb where asked for."""

    def draw(rng, count=64, step=16, first=1040, correlation=0.0, noise=0.005, saw=None, comb=None, **more):
        x = first + step * np.arange(count)
        shocks = rng.normal(size=count + 30) * np.sqrt(1 - correlation**2)
        errors = np.empty(count + 30)
        errors[0] = rng.normal()
        for place in range(1, errors.size):
            errors[place] = correlation * errors[place - 1] + shocks[place]
        relative = x / x[-1]
        y = np.log(80 * relative / (0.2 + relative)) + noise * errors[30:]
        if saw is not None:
            period, depth = saw
            y -= depth * np.mod(-x, period) / period
        if comb is not None:
            period, depth = comb
            y -= depth * (x % period != 0)
        tile = more.get("tile", Tile.parse("128x128x32"))
        return Line("N", tile, x, y, more.get("at", {"M": 4096, "K": 4096}))

    return draw
