"""``summary.json``: the analysis as plain data, for machines."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from attrib.analysis import Analysis, StageReport
from attrib.attribution import QUANTITIES, Attribution
from harness.store import atomic_path

SCHEMA_VERSION = 1


def summary(analysis: Analysis) -> dict[str, Any]:
    """Return the summary: times in seconds, throughput in TFLOP/s, errors and shares as fractions."""
    fits = analysis.fit.tiles.values()
    weight = np.array([fit.n for fit in fits], dtype=np.float64)
    attrs = analysis.cube.attrs
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "device": {
            "id": analysis.device.id,
            "name": analysis.device.name,
            "simulated": analysis.device.simulated,
            "dtype": str(attrs["dtype"]),
            "measured_at": attrs.get("measured_at"),
        },
        "cube": {
            "form": "sparse" if "sample" in analysis.cube.dims else "dense",
            "cells": int(analysis.cube["time"].size),
            "ok": int((analysis.cube["status"].values == 0).sum()),
        },
        "fit": analysis.fit.to_contract(),
        "stages": [stage_summary(stage) for stage in analysis.stages],
        "periods": [finding.to_contract() for finding in analysis.periods],
        "predict": {
            "mape": float(np.average([fit.mape for fit in fits], weights=weight)),
            "coverage": float(np.average([fit.coverage for fit in fits], weights=weight)),
            "nominal_coverage": 0.9,
        },
        "validation": {
            "blocks": analysis.fit.blocks,
            "folds": analysis.fit.folds,
            "seed": analysis.fit.seed,
            "held_out": "whole blocks of neighbouring (M, N), all K and all tiles together",
            "held_fixed": "hardware constants and the choice of terms, made on all blocks, in folds and in draws",
        },
        "skipped": [{"part": item.part, "reason": item.reason} for item in analysis.skipped],
    }
    cleaned: dict[str, Any] = _finite(data)
    return cleaned


def stage_summary(stage: StageReport) -> dict[str, Any]:
    """Return one entry of ``stages``."""
    shape = stage.roughness
    grade = stage.optimality
    data: dict[str, Any] = {
        "name": stage.name,
        "mean_tflops": stage.mean_tflops,
        "peak_tflops": stage.peak_tflops,
        "slice_mean_tflops": stage.slice_mean_tflops,
        "roughness": {axis: getattr(shape, axis, None) for axis in ("M", "N", "K", "mean", "slice_N", "slice_M")},
        "tau": None if grade is None else grade.tau,
        "rho": None if grade is None else grade.rho,
        "level": None if grade is None else grade.level,
        "attribution": None,
        "software_removable": dict(stage.removable),
        "note": stage.note,
        "attributions": {key: _quantity(stage, part) for key, part in stage.attributions.items()},
        "variance_of_time": None if stage.variance is None else stage.variance.to_dict(),
    }
    if stage.attribution is not None:
        data["attribution"] = {name: share.to_dict() for name, share in stage.attribution.shares.items()}
        data["model_roughness"] = stage.attribution.model_roughness
        data["step_correlation"] = stage.attribution.step_correlation
        data["step_error"] = stage.attribution.step_error
        data["bootstrap_draws"] = stage.attribution.draws
    return data


def _quantity(stage: StageReport, part: Attribution) -> dict[str, Any]:
    """Return one quantity of a stage: its shares, and who can act on them."""
    actors = stage.actors.get(part.quantity)
    return {
        "unit": part.unit,
        "meaning": QUANTITIES[part.quantity].meaning,
        "measured": part.measured,
        "model": part.modelled,
        "shares": {name: share.to_dict() for name, share in part.shares.items()},
        "step_correlation": part.step_correlation,
        "step_error": part.step_error,
        "bootstrap_draws": part.draws,
        "who_can_act": None if actors is None else actors.to_dict(),
    }


def write_summary(data: dict[str, Any], path: Path) -> None:
    """Write the summary as JSON; never leaves half a file."""
    with atomic_path(path) as draft:
        draft.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """JSON knows no NaN: what is not a number becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
