"""The additive model: non-negative mechanism costs that add up to a kernel's time.

Estimation goes in steps, each on Gram matrices per block of (M, N):

1. the cores and residencies are counted from the wave pattern (:mod:`models.core_count`);
2. the working set at which the cache spills is profiled (:mod:`models.cache_size`), and what else the timings tell
   of the hardware (:mod:`models.constants`);
3. how far cores fall out of step (:mod:`models.core_spread`), which optional terms lower held-out errors
   (:mod:`models.select`), which memory costs hide behind computing, or hide it (:mod:`models.overlap`), and what
   ragged launches wait for (:mod:`models.ragged_launches`) are found by turns (:mod:`models.structure`);
4. all tiles are solved jointly, the launch cost shared (:mod:`models.joint`), and drawn again under other lack of
   fit (:mod:`models.draws`) and, for intervals of coefficients and constants, under other tenable choices
   (:mod:`models.open_choices`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.cube import cache_state_of, device_of, element_bytes_of, output_bytes_of
from harness.errors import FitError
from harness.fingerprint import fingerprint
from harness.samples import Samples
from models.blocks import Blocks, fold_labels
from models.cells import Cells
from models.constants.collect import Profiled, with_constants
from models.constants.propose import with_remedies
from models.core_count import count_cores_of_tiles
from models.device_search import DeviceSearch, search_device
from models.draws import draw_coefficients
from models.hardware import Hardware
from models.open_choices import draw_open_choices, with_open_choices
from models.overlap_tiles import predicted, prepare_overlapping
from models.result import FitResult
from models.term import Term
from models.terms import ALL_TERMS
from models.tile_data import LEAST_SAMPLES, split_tiles
from models.tile_fit import joint_system, tile_fit

_threads: Any = importlib.import_module("threadpoolctl")

Array = NDArray[np.float64]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class AdditiveModel:
    """An additive mechanism model, ready to be fitted.

    Attributes
    ----------
    terms : tuple of Term
        Candidate terms; those that are not ``always`` in have to earn their place.
    folds : int
        Folds of blocks for held-out errors.
    draws : int
        Draws of the coefficients for intervals (:mod:`models.draws`).
    seed : int
        Seed of folds and draws.
    """

    terms: tuple[Term, ...] = ALL_TERMS
    folds: int = 8
    draws: int = 200
    seed: int = 0

    def fit(self, cube: xr.Dataset, also: Sequence[xr.Dataset] = (), progress: Progress | None = None) -> FitResult:
        """Fit all tiles of a cube.

        Parameters
        ----------
        cube : xarray.Dataset
            Landscape cube, dense or sparse. Constants are profiled and errors are held out on it.
        also : sequence of xarray.Dataset
            More cubes of the same device and kernels, fine lines say, that help to identify coefficients.
        progress : callable, optional
            Called with a few words when a step begins.

        Raises
        ------
        FitError
            If no tile has enough samples.
        """
        # Systems of a few dozen coefficients: threads of linear algebra would only wait for each other.
        with _threads.threadpool_limits(1):
            return self._fit(cube, also, progress or (lambda _: None))

    def _fit(self, cube: xr.Dataset, also: Sequence[xr.Dataset], say: Progress) -> FitResult:
        rng = np.random.default_rng(self.seed)
        device = device_of(cube)
        sizes = (element_bytes_of(cube), output_bytes_of(cube))
        for other in also:
            if (element_bytes_of(other), output_bytes_of(other)) != sizes or device_of(other).id != device.id:
                raise FitError("all cubes of a fit must be of one device and one dtype")
        main = Samples.from_cube(cube)
        parts = [main, *(Samples.from_cube(other) for other in also)]
        samples = Samples.concatenate(parts)
        in_main = np.arange(samples.size) < main.size
        # Blocks are those of the main cube: what other cubes measured inside one is held out with it.
        division = Blocks.of(main.M, main.N)
        distinct, inverse = np.unique(division.labels(samples.M, samples.N), return_inverse=True)
        blocks = inverse.astype(np.int64)
        places = np.divmod(distinct, division.edges_n.size + 1)
        n_blocks = int(blocks.max()) + 1
        if n_blocks < 2 * self.folds:
            raise FitError(
                f"only {n_blocks} blocks of neighbouring (M, N) in the cube: {2 * self.folds} are needed "
                "to hold any out; measure more values of M and N"
            )
        fold = fold_labels(blocks, self.folds, rng)
        data, tiny = split_tiles(samples, blocks, sizes, in_main)
        if not data:
            raise FitError(f"no tile has {LEAST_SAMPLES} samples: there is too little to fit")

        # Facts of the kernel and its operands, where the cube states them; 0 stands for open.
        stated = ("vector_bytes", "pitch_multiple", "core_limit")
        vector, pitch, limit = (int(cube.attrs.get(key, 0)) for key in stated)
        hardware = Hardware.from_device(device, vector or None, pitch or None)
        caches = {state for part in (cube, *also) if (state := cache_state_of(part)) is not None}
        if len(caches) > 1:
            raise FitError(f"all cubes of a fit must find the caches alike, these {' and '.join(sorted(caches))}")
        if caches == {"warm"}:
            hardware = replace(hardware, kept_bytes=hardware.cache_bytes)
        summed = tuple(term for term in self.terms if not term.needs_overlap)
        say("counting cores")
        grid = {label: item.among(in_main) for label, item in data.items()}
        known = limit or device.cores
        waves = count_cores_of_tiles(grid, hardware, summed, known, rng)
        if waves is not None and not waves.identified and also:
            # Shapes measured for this very question may tell what the grid does not.
            waves = count_cores_of_tiles(data, hardware, summed, known, rng)
        fold_of_block = np.zeros(n_blocks, dtype=np.int64)
        fold_of_block[blocks] = fold
        search = partial(
            search_device,
            data,
            grid,
            terms=self.terms,
            fold_of_block=fold_of_block,
            places=places,
            progress=say,
            seed=self.seed,
        )
        # Streams of their own: what is looked for there changes no fold and no draw.
        own = np.random.default_rng((self.seed, 1))
        device_found = search(hardware, waves, streams=(rng, own))
        if waves is not None and known is not None and waves.cores != known:
            # Counts are told with costs of a simpler form. Before timings refute a record, both counts are tried.
            say(f"trying the {known} cores of the record beside {waves.cores}")
            streams = np.random.default_rng((self.seed, 2)), np.random.default_rng((self.seed, 3))
            as_recorded = search(hardware, waves.with_cores(known), streams=streams)
            device_found = min((as_recorded, device_found), key=DeviceSearch.misfit)
        data, structure = device_found.data, device_found.structure
        cache, channels = device_found.cache, device_found.channels
        hardware, designs, wide = structure.hardware, structure.designs, structure.wide
        overlaps, left_out, spreads = structure.overlaps, structure.left_out, structure.spreads

        say("estimating")
        prepared, overlapping = prepare_overlapping(data, designs, wide, hardware, n_blocks, overlaps)
        for label in overlapping:
            left_out[label] = {k: v for k, v in left_out[label].items() if k not in wide[label].names}
        system = joint_system(prepared)
        theta = dict(zip(data, system.solve(), strict=True))
        say("drawing coefficients")
        cells = Cells.of(samples.M, samples.N, samples.K)
        residuals = [prepared[label].residuals(item, cells, theta[label]) for label, item in data.items()]
        drawn = draw_coefficients(system, residuals, self.draws, rng)
        draws = dict(zip(data, drawn.draws, strict=True))
        too_large = dict(zip(data, drawn.too_large, strict=True))
        held_out = {label: np.empty(item.samples.size) for label, item in data.items()}
        for number in range(self.folds):
            weight = (fold_of_block != number).astype(np.float64)
            for label, part in zip(data, system.solve(weight), strict=True):
                rows = fold_of_block[data[label].blocks] == number
                overlap = overlaps[label] if label in overlapping else None
                held_out[label][rows] = predicted(data[label], prepared[label], rows, part, overlap)
        fits = {
            label: tile_fit(
                data[label],
                prepared[label],
                theta[label],
                draws[label],
                too_large[label],
                held_out[label],
                in_main,
                left_out[label],
                rng,
            )
            for label in data
        }
        say("trying what the timings leave open")
        undecided = draw_open_choices(
            data,
            fits,
            self.terms,
            hardware,
            [("cache_bytes", cache), ("channels", channels.channels), *spreads.items()],
            {label: overlaps[label].how for label in overlapping},
            cells,
            own,
        )
        profiled = Profiled(
            structure.waves, cache, channels, device_found.granules, device_found.effective, spreads, undecided
        )
        fits = {
            label: replace(
                with_constants(
                    label,
                    with_open_choices(fit, undecided[label]) if undecided else fit,
                    profiled,
                    hardware,
                ),
                overlap=overlaps[label].how if label in overlapping else None,
            )
            for label, fit in fits.items()
        }
        of = fingerprint(cube)
        result = FitResult(device, hardware, *sizes, fits, n_blocks, self.folds, self.seed, of, tiny)
        return with_remedies(result, samples, self.seed)
