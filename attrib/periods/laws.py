"""Two laws for a period across tiles: the same for all (cache sets, row pitch), or proportional to the tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from attrib.periods.autocorrelation import common_autocorrelation, innovations, of_innovations
from attrib.periods.design import design, nested
from attrib.periods.guards import FEWEST_PER_PERIOD, misses_teeth
from attrib.periods.harmonics import orthonormal, slow, waves
from attrib.periods.line import Line, lines_of, some_lines
from attrib.periods.permutation import Group, null_distribution, permutation_p_value
from harness.cube import tiles_of
from harness.errors import NotApplicableError
from harness.tile import Tile

Array = NDArray[np.float64]

FIXED, PROPORTIONAL = "fixed", "proportional to the tile"
LEVEL = 0.05
_OVERSAMPLED = 4
_NEIGHBOURS = 6
_BLOCK = 2.0
_MOST_LINES = 8
_SAME = 0.02
"""Of a width, by which a multiple of a period may miss it."""
_LONGEST = 2.0
"""Longest period looked at, in widths of the widest tile: beyond are the waves, which have a law of their own."""


@dataclass(frozen=True, eq=False)
class LawComparison:
    """Which law the strongest period of several tiles follows.

    Attributes
    ----------
    axis : {"M", "N", "K"}
    widths : tuple of int
        Tile widths compared, elements.
    null : str
    statistic : float
        Log likelihood ratio of the better law over no period.
    p_value : float or None
        Of the better law, over all periods looked at.
    distribution : ndarray, shape (draws,)
    log_evidence_ratio : float or None
        Natural logarithm of the evidence for the fixed law over that for the proportional one: their likelihoods,
        averaged over one period or one ratio, each equally likely on a grid of frequencies.
    law : str or None
        The better one.
    fixed_period : float or None
        Elements.
    proportional_ratio : float or None
        Periods per tile width.
    status : {"detected", "not detected", "not testable"}
    reason : str
        Why not testable, and what would be.
    note : str
        What else could look the same.
    """

    axis: str
    widths: tuple[int, ...]
    null: str
    statistic: float
    p_value: float | None
    distribution: Array
    log_evidence_ratio: float | None
    law: str | None
    fixed_period: float | None
    proportional_ratio: float | None
    status: str
    reason: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data without the distribution."""
        return {name: value for name, value in self.__dict__.items() if name not in ("distribution", "null")}

    def __str__(self) -> str:
        if self.status == "not testable":
            return f"Fixed against proportional law along {self.axis}: not testable: {self.reason}"
        if self.status == "not detected":
            return f"Fixed against proportional law along {self.axis}: no period of either (p = {self.p_value:.2g})"
        assert self.log_evidence_ratio is not None
        ratio = abs(self.log_evidence_ratio) / np.log(10.0)
        return (
            f"Along {self.axis}, the strongest period of tiles {', '.join(map(str, self.widths))} wide is "
            f"{self.law}: evidence ratio 10^{ratio:.1f} (fixed at {self.fixed_period:.4g} elements, against "
            f"{self.proportional_ratio:.3g} tile widths)" + (f"; {self.note}" if self.note else "")
        )


def compare_laws(
    cube: xr.Dataset, axis: str, at: Mapping[str, int] | None = None, *, draws: int = 499, seed: int = 0
) -> LawComparison:
    """Compare the laws over all tiles of a cube, by the first harmonic of a period.

    Only the first harmonic counts, because the higher ones of a wide tile's teeth are first ones of a narrow
    tile's.

    Returns
    -------
    LawComparison
        Not testable where fewer than two widths remain, or widths are nested and no size is a multiple of them.
    """
    lines = lines_of_tiles(tiles_of(cube), lambda tile: lines_of(cube, axis, tile, at))
    return compare_laws_of_lines(axis, lines, draws=draws, seed=seed)


def lines_of_tiles(tiles: Sequence[Tile], lines_of_tile: Callable[[Tile], tuple[Line, ...]]) -> tuple[Line, ...]:
    """Take at most eight lines of every tile that tells its size and has any."""
    lines: list[Line] = []
    for tile in tiles:
        try:
            lines += () if tile.hidden else some_lines(lines_of_tile(tile), _MOST_LINES)
        except NotApplicableError:
            continue
    return tuple(lines)


def compare_laws_of_lines(axis: str, lines: Sequence[Line], *, draws: int = 499, seed: int = 0) -> LawComparison:
    """Compare the laws over lines of several tiles (:func:`compare_laws`)."""
    rng = np.random.default_rng(seed)
    usable = [line for line in lines if _width(line) >= FEWEST_PER_PERIOD * line.spacing]
    widths = tuple(sorted({_width(line) for line in usable}))
    reason = _why_not(lines, usable, widths)
    if reason:
        return LawComparison(
            axis, widths, "", float("nan"), None, np.empty(0), None, None, None, None, "not testable", reason
        )
    # Frequencies in units of 1 / (oversampling x span), from the longest period to three samples.
    unit = 1.0 / (_OVERSAMPLED * max(line.span for line in usable))
    low = 1.0 / (_LONGEST * widths[-1])
    high = 1.0 / (FEWEST_PER_PERIOD * max(line.spacing for line in usable))
    fixed = np.arange(int(np.ceil(low / unit)), int(high / unit + 1e-9) + 1)
    scaled = fixed[fixed * unit >= low * widths[-1] / widths[0]]
    if scaled.size == 0:
        return LawComparison(
            axis,
            widths,
            "",
            float("nan"),
            None,
            np.empty(0),
            None,
            None,
            None,
            None,
            "not testable",
            _finer(widths),
        )
    groups = []
    total = np.zeros(fixed.size + scaled.size)
    known: dict[tuple[bytes, int], _LawStatistic] = {}
    for line in usable:
        if (line.x.tobytes(), _width(line)) not in known:
            numbers = np.round(scaled * widths[0] / _width(line)).astype(np.int64)
            known[line.x.tobytes(), _width(line)] = _LawStatistic(line, fixed, numbers, unit)
    laws_of = [known[line.x.tobytes(), _width(line)] for line in usable]
    phi = common_autocorrelation(
        [(line.log_throughput, law.nuisance) for line, law in zip(usable, laws_of, strict=True)]
    )
    for line, law in zip(usable, laws_of, strict=True):
        total += law(law.residual(line.log_throughput))
        groups.append(Group(law.shocks(line.log_throughput, phi, rng)[None], of_innovations(law, phi)))
    null = null_distribution(groups, [_BLOCK] * len(groups), draws, rng).max(axis=1)
    laws = total[: fixed.size], total[fixed.size :]
    evidence = [float(logsumexp(values) - np.log(values.size)) for values in laws]
    best = int(fixed[np.argmax(laws[0])]), int(scaled[np.argmax(laws[1])])
    p_value = permutation_p_value(float(total.max()), null)
    ratio = evidence[0] - evidence[1]
    period = 1.0 / (best[0] * unit)
    return LawComparison(
        axis,
        widths,
        "no period that follows either law",
        float(total.max()),
        p_value,
        null,
        ratio,
        FIXED if ratio > 0 else PROPORTIONAL,
        period,
        1.0 / (best[1] * unit * widths[0]),
        "detected" if p_value <= LEVEL else "not detected",
        note=_harmonic_of(period, widths) if ratio > 0 else "",
    )


def _harmonic_of(period: float, widths: Sequence[int]) -> str:
    """Say where a fixed period divides every width: their teeth have it too, as their own or as a harmonic."""
    parts = [width / period for width in widths]
    if any(abs(part - round(part)) > _SAME * part or round(part) < 1 for part in parts):
        return ""
    wider = ", ".join(str(width) for width, part in zip(widths, parts, strict=True) if round(part) > 1)
    return (
        f"it is also a harmonic of teeth {wider} wide, from which widths that are no multiples of it would tell it"
    )


class _LawStatistic:
    """Statistics of one line at all fixed periods, then at all proportional ones."""

    def __init__(self, line: Line, fixed: NDArray[np.int64], scaled: NDArray[np.int64], unit: float) -> None:
        x = line.x.astype(np.float64)
        trend = np.stack([np.ones_like(x), np.log(x), x / x[-1]], axis=1)
        columns = np.concatenate([trend, slow(line, 1.5 / (float(fixed[0]) * unit))], axis=1)
        self.nuisance = orthonormal(columns, np.empty((x.size, 0)))
        left = waves(x, np.asarray(fixed * unit, dtype=np.float64))
        left -= self.nuisance @ (self.nuisance.T @ left)
        # In the middle of the band a wave keeps half its samples as size; at the trend's edge it is not blown up.
        self._columns = left / np.maximum(np.linalg.norm(left, axis=0), 0.3 * np.sqrt(x.size))
        self._count = fixed.size
        self._pick = np.concatenate([np.arange(fixed.size), scaled - fixed[0]])
        apart = np.abs(fixed[:, None] - fixed) / _OVERSAMPLED
        self._window = ((apart > 0.5) & (apart <= _NEIGHBOURS) & (apart == np.round(apart))).astype(np.float64)

    def residual(self, y: Array) -> Array:
        """Line less its trend."""
        return np.asarray(y - self.nuisance @ (self.nuisance.T @ y))

    def shocks(self, y: Array, phi: float, rng: np.random.Generator) -> Array:
        """Innovations of the line's autoregression beside the trend, with as much noise where the trend is.

        Trend and line are freed of the autoregression before one is taken off the other (generalized least squares,
        Aitken 1935). Filled up before, slow innovations would be too small: slow noise is the largest part of what
        neighbours share, and the trend takes it.
        """
        trend, _ = np.linalg.qr(innovations(self.nuisance.T, phi).T)
        whole = innovations(y, phi)
        left = whole - trend @ (trend.T @ whole)
        size = float(np.sqrt(np.square(left).sum() / max(1, left.size - trend.shape[1])))
        return np.asarray(left + trend @ (rng.standard_normal(trend.shape[1]) * size))

    def __call__(self, residual: Array) -> Array:
        power = np.square(residual @ self._columns)
        power = power[..., : self._count] + power[..., self._count :]
        around = np.maximum(power @ self._window, 1e-300)
        degrees = 2.0 * (1.0 + self._window.sum(axis=0))
        return np.asarray((0.5 * degrees * np.log1p(power / around))[..., self._pick])


def _width(line: Line) -> int:
    return {"M": line.tile.m, "N": line.tile.n, "K": line.tile.k}[line.axis]


def _why_not(lines: Sequence[Line], usable: Sequence[Line], widths: Sequence[int]) -> str:
    """Say why laws cannot be told apart, and what would do it."""
    every = sorted({_width(line) for line in lines})
    if not every:
        return "no tile of known size has a line along this axis"
    if len(every) == 1:
        return f"all tiles are {every[0]} wide, and one width scales with nothing; " + _finer(every)
    if len(widths) < 2:
        few = ", ".join(f"{width} ({width / lines[0].spacing:.2g})" for width in every)
        return f"samples a tile width: {few}, and {FEWEST_PER_PERIOD} are needed for two widths; " + _finer(every)
    if nested(widths) and any(misses_teeth(float(_width(line)), line) for line in usable):
        line = next(line for line in usable if misses_teeth(float(_width(line)), line))
        least = int(np.min(line.x % _width(line)))
        return (
            f"widths {', '.join(map(str, widths))} are nested and the least remainder is {least}, so that the "
            f"teeth of the widest lie among those of all and their feet are never seen; " + _finer(every)
        )
    return ""


def _finer(widths: Sequence[int]) -> str:
    return f"measure {design(widths)}"
