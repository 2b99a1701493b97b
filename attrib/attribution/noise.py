"""What finite repeats add to a quantity of a stage.

Of one tile alone, roughness grows with noise, and the correction needs no model: the distribution of true steps is
estimated from the measured ones and their errors (:func:`attrib.roughness.denoised_mean_step`).

A stage that picks the fastest also picks lucky errors: shapes look faster than they are, neighbours share a lucky
launch, and the landscape can get smoother by it. No function of the measured steps knows that. What noise adds
here is what it adds to the model's landscape, which has none: the mean change when errors of the known sizes are
drawn and sent through the stage. This takes the model's word for how close the choices are to each other; where the
model lacks real differences between them, it tells too much. Means are treated in this way on every stage.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from attrib.attribution.quantity import Quantity
from attrib.attribution.routes import stage_times
from attrib.attribution.stage_kernels import RAW_QUANTITIES, raw_quantities
from attrib.landscape import Landscape
from attrib.roughness import Roughness, noise_corrected_roughness, roughness
from attrib.stages import FixedTile, Stage, StageResult

Array = NDArray[np.float64]

REPLICATES = 20
"""Noisy copies of the model's landscape."""


class StageNoise:
    """Noise of one stage's quantities; zero where no errors are known.

    Parameters
    ----------
    landscape : Landscape
    stage : Stage
    result : StageResult
        The stage on the measured landscape.
    errors : ndarray, shape (tile, M, N, K), or None
        Relative standard error of each tile's time; NaN counts as none.
    model : ndarray, shape (tile, M, N, K)
        Model times, seconds; NaN where missing. One K, the largest, is enough for quantities of the slice.
    seed : int
        Seed of the noisy copies.
    """

    def __init__(
        self,
        landscape: Landscape,
        stage: Stage,
        result: StageResult,
        errors: Array | None,
        model: Array,
        seed: int = 0,
    ) -> None:
        self.landscape, self.stage, self.result, self.model, self.seed = landscape, stage, result, model, seed
        self.errors = None if errors is None or not np.any(np.nan_to_num(errors) > 0) else np.nan_to_num(errors)

    def of(self, quantity: Quantity) -> float:
        """What noise adds to a quantity, in its unit."""
        if self.errors is None:
            return 0.0
        if not quantity.against_ideal and isinstance(self.stage, FixedTile):
            with_noise, without = self._roughness
            raw, corrected = getattr(with_noise, quantity.key), getattr(without, quantity.key)
            return 0.0 if raw is None or corrected is None else float(raw - corrected)
        return float(sum(factor * self._simulated[place] for place, factor in quantity.weights))

    @cached_property
    def _roughness(self) -> tuple[Roughness, Roughness]:
        """Roughness as it was measured, and without noise."""
        assert self.errors is not None
        rate = self.landscape.throughput(self.result.time)
        own = self.errors[np.maximum(self.result.decisions.tile, 0), *np.indices(rate.shape)]
        return roughness(rate), noise_corrected_roughness(rate, own * np.nan_to_num(rate))

    @cached_property
    def _simulated(self) -> Array:
        """Raw quantities that noise adds to the model's landscape, shape (raw quantity,)."""
        assert self.errors is not None
        rng = np.random.default_rng(self.seed)
        depth = self.model.shape[-1]
        error = self.errors[..., -depth:]
        volume = self.landscape.throughput(np.ones(self.landscape.shape))[..., -depth:]
        added = -self._quantities(self.model, volume)
        for _ in range(REPLICATES):
            noise = error * rng.standard_normal(error.shape) - 0.5 * error**2
            added += self._quantities(self.model * np.exp(noise), volume) / REPLICATES
        return added

    def _quantities(self, times: Array, volume: Array) -> Array:
        found = stage_times(self.stage, self.landscape, times[np.newaxis])[0]
        values = np.empty(RAW_QUANTITIES)
        raw_quantities(np.where(np.isnan(found), np.inf, found), volume, values, np.empty((0, 0, 0, 0)))
        return values
