"""Check all kernels of the bundled H200 landscapes: ``python -m harness.landscapes.verify_h200 OUT.json``.

Runs the smallest, the largest and some random cells of each kernel on fresh random data into a poisoned output and
compares with a float32 product. The result is kept beside the landscapes as ``h200_verification.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from harness.backends.backend import Cell
from harness.backends.torch_blas import TorchBlasBackend
from harness.backends.triton import TritonBackend
from harness.landscapes import BUNDLED, bundled_cube
from harness.protocol import TOLERANCE, Protocol
from harness.samples import Samples
from harness.sweep import owners, verify


def main() -> None:
    """Verify all kernels and write the largest error of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    backends = [TritonBackend(), TorchBlasBackend()]
    cells: list[Cell] = []
    for name in BUNDLED:
        part = Samples.from_cube(bundled_cube(name))
        sizes = zip(part.tile.tolist(), part.M.tolist(), part.N.tolist(), part.K.tolist(), strict=True)
        cells += [Cell(part.tiles[tile], m, n, k) for tile, m, n, k in sizes]
    owner = owners(backends, cells)
    errors, kernels = verify(backends, cells, owner, Protocol(verified_per_kernel=12), np.random.default_rng(0))
    table: dict[str, dict[str, Any]] = {}
    for row, error in errors.items():
        name = str(backends[owner[row]].kernel_of(cells[row]))
        entry = table.setdefault(name, {"cells": len(kernels[row]), "checked": 0, "largest_relative_error": 0.0})
        entry["checked"] += 1
        entry["largest_relative_error"] = max(entry["largest_relative_error"], error)
    data = {"tolerance": TOLERANCE["bf16"], "device": str(backends[0].environment()["device"]), "kernels": table}
    options.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
