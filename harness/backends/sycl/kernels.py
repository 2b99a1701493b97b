"""How a tile becomes a kernel of the SYCL backend: source, compiler options, work-group, limits of the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from harness.tile import Tile

VECTOR, MATRIX, DISPLACE = "gemm.cl", "dpas.cl", "displace.cl"
"""Sources: the GEMM of the vector units, that of the matrix engines, and the kernel that empties the caches."""

_ELEMENT_MACRO: Final = {"f32": "F32", "f16": "F16", "bf16": "BF16"}

_LARGE_REGISTERS: Final = "-cl-intel-256-GRF-per-thread"
"""Twice the registers a thread, for half the threads: a 32x64 block of D alone fills the usual number."""

_MIN_ITEMS: Final = 64
"""Fewest work-items of a vector work-group where the tile is large enough: four sub-groups of 16."""

_VECTOR: Final = 16
"""Work-items in a row of a vector work-group: a vector of AVX-512, a sub-group of a GPU."""

_MAX_BLOCK: Final = 32
"""Outputs of one work-item: with more, CPU and GPU registers run short."""

_MIN_SUB_GROUPS: Final = 8
"""Fewest sub-groups of a matrix work-group where the tile is large enough: one a vector engine of an Xe-core."""

_ATOM_M, _ATOM_K = 8, 16
_BLOCK_MIN_BYTES, _BLOCK_MAX_BYTES, _BLOCK_PITCH_BYTES = 64, 1 << 24, 16
_BLOCK_MAX_ROWS: Final = 1 << 24


@dataclass(frozen=True)
class MatrixEngine:
    """The matrix multiply-accumulate functions that a device's OpenCL compiler offers.

    Attributes
    ----------
    sub_group : int
        Work-items of a sub-group, 16 or 8, and so the columns of an atom.
    block_io : bool
        Whether 2D block loads and stores are offered too.
    options : str
        Options of the compiler for kernels with a large block.
    """

    sub_group: int
    block_io: bool
    options: str = _LARGE_REGISTERS

    @property
    def atom(self) -> tuple[int, int, int]:
        """Rows, columns and depth of one multiply, in elements."""
        return (_ATOM_M, self.sub_group, _ATOM_K)


@dataclass(frozen=True)
class Limits:
    """What a device allows one work-group."""

    work_items: int
    local_bytes: int

    @classmethod
    def of(cls, device: Any) -> Limits:
        """Ask a ``dpctl.SyclDevice``."""
        widest = min(int(device.max_work_group_size), *(int(size) for size in device.max_work_item_sizes3d))
        return cls(widest, int(device.local_mem_size))


@dataclass(frozen=True)
class KernelPlan:
    """One kernel to build and how it is launched.

    Attributes
    ----------
    tile : Tile
    source : str
        Name of the file of OpenCL C.
    options : str
        Options of the OpenCL compiler.
    local_range : tuple of int
        Work-group, slowest dimension first.
    local_bytes : int
        Local memory of a work-group.
    """

    tile: Tile
    source: str
    options: str
    local_range: tuple[int, int]
    local_bytes: int

    def global_range(self, M: int, N: int) -> tuple[int, int]:
        """Work-items of a launch, slowest dimension first: tile rows, then tile columns."""
        rows, columns = self.local_range
        return (-(-M // self.tile.m) * rows, -(-N // self.tile.n) * columns)


def plan_vector(tile: Tile, dtype: str, limits: Limits) -> KernelPlan | str:
    """Plan the kernel of the vector units, or say why the tile cannot be had.

    A work-item computes a block of at most 32 outputs, the largest that leaves a row of the work-group a whole
    vector and the work-group enough work-items. On CPUs a row shorter than the vector costs a factor of six.
    """
    if tile.m % 8 or tile.n % 8 or tile.k % 8:
        return f"tile {tile}: sizes must be multiples of 8"
    local_bytes = 4 * tile.k * (tile.m + 1 + tile.n)
    blocks = [(m, n) for m in (8, 4, 2, 1) for n in (8, 4, 2, 1)]
    fewest = min(tile.m // m * (tile.n // n) for m, n in blocks)
    too_large = _exceeds(tile, fewest, local_bytes, limits)
    if too_large is not None:
        return too_large

    def merit(block: tuple[int, int]) -> tuple[bool, bool, bool, int, int]:
        (m, n), size = block, block[0] * block[1]
        items = tile.m // m * (tile.n // n)
        return (tile.n // n >= _VECTOR, items >= _MIN_ITEMS, size <= _MAX_BLOCK, size, m)

    allowed = [(m, n) for m, n in blocks if tile.m // m * (tile.n // n) <= limits.work_items]
    rows, columns = max(allowed, key=merit)
    local_range = (tile.m // rows, tile.n // columns)
    macros = {"TM": tile.m, "TN": tile.n, "TK": tile.k, "RM": rows, "RN": columns}
    return KernelPlan(tile, VECTOR, _options(macros, dtype), local_range, local_bytes)


def plan_matrix(
    tile: Tile, dtype: str, limits: Limits, engine: MatrixEngine, *, block_io: bool
) -> KernelPlan | str:
    """Plan the kernel of the matrix engines, or say why the tile cannot be had.

    A sub-group computes the largest block, up to 32 rows and 4 atoms' columns, that leaves the work-group 8
    sub-groups; of equal blocks the one that loads less.
    """
    width = engine.sub_group
    if tile.m % _ATOM_M or tile.n % width or tile.k % _ATOM_K:
        return f"tile {tile}: sizes must be multiples of the atom {_ATOM_M}x{width}x{_ATOM_K} of the matrix engine"
    blocks = [
        (m, n * width) for m in (32, 16, 8) for n in (4, 2, 1) if tile.m % m == 0 and tile.n % (n * width) == 0
    ]
    fitting = [(m, n) for m, n in blocks if tile.m // m * (tile.n // n) >= _MIN_SUB_GROUPS]
    smallest = [min(blocks, key=lambda block: block[0] * block[1])]
    m, n = max(fitting or smallest, key=lambda block: (block[0] * block[1], -block[0] - block[1]))
    items = tile.m // m * (tile.n // n) * width
    # With twice the registers a thread, a core holds half the threads, and so a work-group half the work-items.
    share = 2 if engine.options else 1
    too_large = _exceeds(tile, items, 0, replace(limits, work_items=limits.work_items // share))
    if too_large is not None:
        return too_large
    macros = {"TM": tile.m, "TN": tile.n, "TK": tile.k, "SM": m, "SN": n, "SG": width, "BLOCK_IO": int(block_io)}
    options = f"{_options(macros, dtype)} {engine.options}".strip()
    return KernelPlan(tile, MATRIX, options, (1, items), 0)


def takes_block_io(M: int, N: int, K: int) -> bool:
    """Whether 2D block operations take the matrices A and B (2 bytes an element) and D (4 bytes).

    The rules are those of cl_intel_subgroup_2d_block_io, section "Restrictions": rows of 64 bytes to 16 MiB in a
    pitch that is a multiple of 16 bytes, and at most 2^24 rows. The bases are aligned by the allocation.
    """
    pitches = (2 * K, 2 * N, 4 * N)
    return max(M, K) <= _BLOCK_MAX_ROWS and all(
        _BLOCK_MIN_BYTES <= pitch <= _BLOCK_MAX_BYTES and pitch % _BLOCK_PITCH_BYTES == 0 for pitch in pitches
    )


@cache
def source_of(name: str) -> str:
    """OpenCL C of a packaged source."""
    return files("harness.backends.sycl").joinpath(name).read_text(encoding="utf-8")


def source_digests() -> Mapping[str, str]:
    """First digits of the SHA-256 of every source: kernels that differ must not meet in one sweep."""
    return {name: sha256(source_of(name).encode()).hexdigest()[:16] for name in (VECTOR, MATRIX, DISPLACE)}


def _options(macros: Mapping[str, int], dtype: str) -> str:
    return " ".join([*(f"-D{name}={value}" for name, value in macros.items()), f"-D{_ELEMENT_MACRO[dtype]}"])


def _exceeds(tile: Tile, items: int, local_bytes: int, limits: Limits) -> str | None:
    if items > limits.work_items:
        return f"tile {tile}: needs work-groups of {items} work-items, the device allows {limits.work_items}"
    if local_bytes > limits.local_bytes:
        return f"tile {tile}: needs {local_bytes} bytes of local memory, the device allows {limits.local_bytes}"
    return None
