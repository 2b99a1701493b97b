"""Model files: a fit as JSON, written whole or not at all, and read with one line of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from harness.device import DeviceRecord
from harness.errors import DeviceError, InputError
from harness.store import atomic_path
from harness.tile import Tile
from models.all_terms import AllTerms
from models.conformal import ConformalIntervals
from models.constants.constant import Constant
from models.hardware import Hardware
from models.hull import MeasuredHull
from models.overlap import Overlap
from models.result import Estimate, FitResult, TileFit

FORMAT = 13
"""Version of the file."""


def save_model(fit: FitResult, path: Path | str) -> None:
    """Write a fit as JSON; never leaves half a file."""
    data = {
        "format": FORMAT,
        "device": json.loads(fit.device.to_json()),
        "hardware": fit.hardware.to_dict(),
        "element_bytes": fit.element_bytes,
        "output_bytes": fit.output_bytes,
        "blocks": fit.blocks,
        "folds": fit.folds,
        "seed": fit.seed,
        "too_few": dict(fit.too_few),
        "timings": fit.timings,
        "tiles": {label: _tile_to_dict(item) for label, item in fit.tiles.items()},
    }
    with atomic_path(Path(path)) as draft:
        draft.write_text(json.dumps(data), encoding="utf-8")


def open_model(path: Path | str) -> FitResult:
    """Read a saved model.

    Raises
    ------
    InputError
        If the file is missing or is no model.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise InputError(f"{path}: model format {data['format']}, this attrib reads {FORMAT}: refit")
        return FitResult(
            DeviceRecord.from_json(json.dumps(data["device"])),
            Hardware.from_dict(data["hardware"]),
            data["element_bytes"],
            data["output_bytes"],
            {label: _tile_from_dict(item) for label, item in data["tiles"].items()},
            data["blocks"],
            data["folds"],
            data["seed"],
            data["timings"],
            data["too_few"],
        )
    except (DeviceError, AttributeError, ValueError, KeyError, IndexError, TypeError):
        raise InputError(f"{path}: not a model written by 'attrib fit', or cut short") from None


def _tile_to_dict(fit: TileFit) -> dict[str, Any]:
    return {
        "tile": [fit.tile.m, fit.tile.n, fit.tile.k, fit.tile.name],
        "terms": list(fit.terms),
        "left_out": dict(fit.left_out),
        "estimates": [e.__dict__ for e in fit.estimates],
        "constants": {name: constant.to_contract() for name, constant in fit.constants.items()},
        "theta": fit.theta.tolist(),
        "draws": fit.draws.tolist(),
        "too_large": fit.too_large.tolist(),
        "n": fit.n,
        "mape": fit.mape,
        "median_ape": fit.median_ape,
        "coverage": fit.coverage,
        "noise": None if np.isnan(fit.noise) else fit.noise,
        "intervals": fit.intervals.to_dict(),
        "hull": fit.hull.to_dict(),
        "paths": [list(pair) for pair in fit.paths],
        "overlap": None if fit.overlap is None else fit.overlap.to_dict(),
        "all_terms": None if fit.all_terms is None else fit.all_terms.to_dict(),
    }


def _tile_from_dict(data: dict[str, Any]) -> TileFit:
    return TileFit(
        tile=Tile(*data["tile"]),
        terms=tuple(data["terms"]),
        left_out=data["left_out"],
        estimates=tuple(Estimate(**item) for item in data["estimates"]),
        constants={name: Constant.from_contract(item) for name, item in data["constants"].items()},
        theta=np.array(data["theta"], dtype=np.float64),
        draws=np.array(data["draws"], dtype=np.float64).reshape(-1, len(data["theta"])),
        too_large=np.array(data["too_large"], dtype=np.float64),
        n=data["n"],
        mape=data["mape"],
        median_ape=data["median_ape"],
        coverage=data["coverage"],
        noise=float("nan") if data["noise"] is None else data["noise"],
        intervals=ConformalIntervals.from_dict(data["intervals"]),
        hull=MeasuredHull.from_dict(data["hull"]),
        paths=tuple((int(a), int(b)) for a, b in data["paths"]),
        overlap=None if data["overlap"] is None else Overlap.from_dict(data["overlap"]),
        all_terms=None if data["all_terms"] is None else AllTerms.from_dict(data["all_terms"]),
    )
