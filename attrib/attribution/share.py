"""Shares of a measured quantity: what each mechanism causes, the floor, the noise and what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLOOR, UNEXPLAINED, NOISE = "smooth floor", "unexplained", "noise"

_FEW_DRAWS = 200


@dataclass(frozen=True)
class Share:
    """A part of a quantity, in its unit, with its 95 % interval where it has one, from draws of the coefficients.

    ``monte_carlo`` is the standard error that sampling orders of mechanisms adds; ``None`` where the Shapley
    value is exact.
    """

    share: float
    lower: float | None = None
    upper: float | None = None
    monte_carlo: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return share, lower and upper by name, and the Monte-Carlo error where there is one."""
        data = {"share": self.share, "lower": self.lower, "upper": self.upper}
        return data if self.monte_carlo is None else {**data, "monte_carlo": self.monte_carlo}

    @classmethod
    def of(cls, value: float, draws: Array, too_large: float = 0.0, monte_carlo: float | None = None) -> Share:
        """Make a share of its estimate and its draws, shape (draws,).

        Up to two hundred draws the interval is 1.96 of their root mean square distances from the estimate to either
        side: extreme percentiles of so few are too narrow, and where draws lie about another model's estimate, the
        squares of both add up (Buckland, Burnham and Augustin, Biometrics 53, 1997). Of more draws it is that of
        their percentiles, as far as it takes to hold the estimate. ``too_large`` is what the estimate exceeds the
        truth by on average, if costs that may be nothing are nothing (:mod:`models.draws`): since they need not be,
        the interval reaches as far again on that side and stays where it is on the other.
        """
        if draws.size < 2 or not np.isfinite(draws).all():
            return cls(value, None, None, monte_carlo)
        if draws.size <= _FEW_DRAWS:
            reach = 1.96 * float(np.sqrt(np.sum((draws - value) ** 2) / (draws.size - 1)))
            low, high = value - reach, value + reach
        else:
            low, high = (float(end) for end in np.percentile(draws, [2.5, 97.5]))
            low, high = min(low, value), max(high, value)
        return cls(value, low - max(0.0, too_large), high - min(0.0, too_large), monte_carlo)


@dataclass(frozen=True)
class Attribution:
    """Where one quantity of a stage comes from.

    Attributes
    ----------
    stage : str
    quantity : str
        Key of :data:`attrib.attribution.QUANTITIES`.
    unit : str
    measured : float
        The quantity of the measured landscape, in ``unit``.
    shares : mapping of str to Share
        Mechanisms, then the smooth floor, unexplained and noise; the shares add up to ``measured``.
    modelled : float
        The quantity of the model landscape with all mechanisms on.
    step_correlation : float
        Correlation of measured and modelled steps; NaN where either is flat or the quantity has no steps.
    step_error : float
        Mean |measured step - modelled step|, TFLOP/s per step: how well single steps are told, where
        ``unexplained`` is the net difference of two means. NaN likewise.
    draws : int
        Draws of the coefficients behind the intervals.
    samples : mapping of str to ndarray, shape (draws,)
        Draws of each share, drawn together: differences between stages and sums over groups take
        their intervals from them.
    too_large : mapping of str to float
        Mean error of each share if costs that may be nothing are nothing; adds up like the shares.
    """

    stage: str
    quantity: str
    unit: str
    measured: float
    shares: Mapping[str, Share]
    modelled: float
    step_correlation: float
    step_error: float
    draws: int
    samples: Mapping[str, Array] = field(repr=False, compare=False)
    too_large: Mapping[str, float] = field(repr=False, compare=False)

    @property
    def roughness(self) -> float:
        """The measured quantity, where it is a roughness."""
        return self.measured

    @property
    def model_roughness(self) -> float:
        """The quantity of the model, where it is a roughness."""
        return self.modelled

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """Names of the shares that are mechanisms."""
        return tuple(name for name in self.shares if name not in (FLOOR, UNEXPLAINED, NOISE))
