"""Finding the matrix engines of a SYCL device: its OpenCL compiler says which functions it offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from harness.backends.sycl.kernels import MatrixEngine
from harness.errors import BackendError

MULTIPLY: Final = "cl_intel_subgroup_matrix_multiply_accumulate"
BLOCK_IO: Final = "cl_intel_subgroup_2d_block_io"

_PROBE: Final = """
#ifndef {extension}
#error not offered
#endif
kernel void probe(global int *out) {{ out[0] = 1; }}
"""

Build = Callable[[str, str], Any]


def find_matrix_engine(build: Build, sub_group_sizes: Sequence[int]) -> MatrixEngine | str:
    """Return the matrix engine that a compiler offers, or why there is none.

    dpctl does not hand on a device's list of extensions; a compiler that offers one defines the macro of its name.

    Parameters
    ----------
    build : callable
        Builds OpenCL C with options, and raises BackendError when the compiler refuses.
    sub_group_sizes : sequence of int
        Sizes that the device supports: the functions are bound to the smallest, which must be 8 or 16.
    """
    if not _builds(build, _PROBE.format(extension=MULTIPLY), ""):
        return f"the device's OpenCL compiler does not offer {MULTIPLY}"
    width = min(sub_group_sizes, default=0)
    if width not in (8, 16):
        return f"{MULTIPLY} is defined for sub-groups of 8 or 16, the device's smallest has {width}"
    # 2D block operations are defined for sub-groups of 16 alone.
    block_io = width == 16 and _builds(build, _PROBE.format(extension=BLOCK_IO), "")
    engine = MatrixEngine(width, block_io)
    if _builds(build, "kernel void probe(global int *out) { out[0] = 1; }", engine.options):
        return engine
    return replace(engine, options="")


def _builds(build: Build, source: str, options: str) -> bool:
    try:
        build(source, options)
    except BackendError:
        return False
    return True
