"""Results are checked before times are believed: a sample of cells of every compiled kernel."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.backends.backend import Backend, Problem
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


@dataclass(frozen=True)
class Verdict:
    """What the checks say.

    Attributes
    ----------
    problems : mapping of int to Problem
        By index of the kernel: nothing it computes is to be trusted, on any device.
    devices : mapping of str to str
        Devices that compute a kernel wrong which another computes right, and what is wrong.
    """

    problems: Mapping[int, Problem] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)


def judge(found: Sequence[Kernel], errors: Mapping[tuple[str, int], float], tolerances: Sequence[float]) -> Verdict:
    """Tell wrong kernels from wrong devices.

    Parameters
    ----------
    found : sequence of Kernel
    errors : mapping of (device, row) to float
        Relative errors; NaN where a kernel could not be run for its check.
    tolerances : sequence of float
        By backend.
    """
    devices = dict.fromkeys(device for device, _ in errors)
    problems: dict[int, Problem] = {}
    bad_devices: dict[str, str] = {}
    for index, kernel in enumerate(found):
        tolerance = tolerances[kernel.backend]
        worst = {}
        for device in devices:
            own = [errors[device, row] for row in kernel.sample if (device, row) in errors]
            if own:
                worst[device] = float(np.max(own))  # NaN if one is
        bad = {device: error for device, error in worst.items() if not error <= tolerance}
        if bad and len(bad) == len(worst):
            problems[index] = _problem(kernel, next(iter(bad.values())), tolerance)
        else:
            bad_devices |= {device: _problem(kernel, error, tolerance).reason for device, error in bad.items()}
    return Verdict(problems, bad_devices)


def _problem(kernel: Kernel, error: float, tolerance: float) -> Problem:
    if np.isnan(error):
        return Problem("failed", f"kernel {kernel.name} could not be run for its check")
    return Problem("wrong_result", f"relative error {error:.3g} of kernel {kernel.name}, above {tolerance:.3g}")
