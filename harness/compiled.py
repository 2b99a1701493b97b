"""Just-in-time compilation of array kernels: one typed decorator around numba, which is untyped."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

_numba: Any = importlib.import_module("numba")

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def njit(function: Kernel) -> Kernel:
    """Compile ``function`` to machine code at its first call, keep the code on disk and release the GIL.

    Kernels stay single-threaded: callers spread batches over Python threads, which, unlike numba's own
    threading layers, is safe under forks and under concurrent callers. Where no cache folder can be written
    the kernel is compiled anew in each process.
    """
    try:
        compiled: Kernel = _numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba finds no writable cache folder
        compiled = _numba.njit(nogil=True)(function)
    return compiled
