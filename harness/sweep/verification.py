"""Results are checked before times are believed: a sample of cells of every compiled kernel."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.backends.backend import Backend
from harness.errors import InputError
from harness.protocol import TOLERANCE
from harness.sweep.cells import CellTable, Rows


@dataclass(frozen=True)
class Kernel:
    """One compiled kernel, the rows that it runs and those of them that are checked."""

    name: str
    backend: int
    rows: Rows
    sample: tuple[int, ...]


def kernels(backends: Sequence[Backend], table: CellTable, owner: Rows, per_kernel: int, seed: int) -> list[Kernel]:
    """Group the rows by compiled kernel and choose a sample: smallest and largest shape and random ones.

    Kernels of a backend that checks every timing itself are left out.

    Parameters
    ----------
    backends : sequence of Backend
    table : CellTable, n rows
    owner : ndarray of int64, shape (n,)
        Which backend runs a row; negative for none.
    per_kernel : int
        Random cells per kernel, beside the two extremes.
    seed : int
    """
    groups: dict[tuple[int, Hashable], list[int]] = {}
    cells = table.cells(range(len(table)))
    for row, cell in enumerate(cells):
        number = int(owner[row])
        if number >= 0 and not backends[number].checks_itself:
            groups.setdefault((number, backends[number].kernel_of(cell)), []).append(row)
    volume = table.volume
    found = []
    for index, ((number, kernel), rows) in enumerate(groups.items()):
        ordered = np.array(rows)[np.argsort(volume[rows], kind="stable")]
        chosen = np.random.default_rng([seed, index]).choice(ordered, min(per_kernel, ordered.size), replace=False)
        sample = sorted({int(ordered[0]), int(ordered[-1]), *(int(row) for row in chosen)})
        found.append(Kernel(str(kernel), number, ordered, tuple(sample)))
    return found


def tolerance_of(dtype: str) -> float:
    """Largest accepted relative error for an output type.

    Raises
    ------
    InputError
        If none is known.
    """
    if dtype not in TOLERANCE:
        raise InputError(f"dtype {dtype!r} has no tolerance: expected one of {', '.join(TOLERANCE)}")
    return TOLERANCE[dtype]


def wrong_rows(found: Sequence[Kernel], errors: Mapping[int, float], tolerances: Sequence[float]) -> Rows:
    """Return the rows of every kernel of which a checked cell is off: the rest of it is not to be trusted either.

    Parameters
    ----------
    found : sequence of Kernel
    errors : mapping of int to float
        Relative error of the rows checked so far.
    tolerances : sequence of float
        By backend.
    """
    wrong = [
        kernel.rows
        for kernel in found
        if any(not errors[row] <= tolerances[kernel.backend] for row in kernel.sample if row in errors)
    ]
    return np.concatenate(wrong) if wrong else np.empty(0, dtype=np.int64)
