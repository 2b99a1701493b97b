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

from harness.backends.cuda.torch_blas import TorchBlasBackend
from harness.backends.cuda.triton import TritonBackend
from harness.landscapes import BUNDLED, bundled_cube
from harness.protocol import TOLERANCE
from harness.samples import Samples
from harness.sweep.bench import Bench
from harness.sweep.cells import CellTable


def main() -> None:
    """Verify all kernels and write the largest error of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    bench = Bench({"triton": TritonBackend(), "torch-blas": TorchBlasBackend()})
    parts = [Samples.from_cube(bundled_cube(name)) for name in BUNDLED]
    tables = [CellTable(p.tiles, p.tile, np.stack([p.M, p.N, p.K], axis=1)) for p in parts]
    table: dict[str, dict[str, Any]] = {}
    for cells in tables:
        owner = bench.survey(cells).owner
        bench.prepare(cells, owner)
        for kernel in bench.kernels(cells, owner, per_kernel=12, seed=0):
            entry = table.setdefault(kernel.name, {"cells": 0, "checked": 0, "largest_relative_error": 0.0})
            errors = bench.errors(cells, owner, kernel.sample)
            entry["cells"] += kernel.rows.size
            entry["checked"] += len(errors)
            entry["largest_relative_error"] = max(entry["largest_relative_error"], *errors.values())
    device = str(bench.backends["triton"].configuration()["device"])
    data = {"tolerance": TOLERANCE["bf16"], "device": device, "kernels": table}
    options.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
