"""The Triton kernels against a float32 product: compiled where there is a CUDA device, else interpreted."""

import importlib
import os

import numpy as np
import pytest
from packaging.version import Version

from harness.backends.backend import Cell
from harness.backends.cuda.triton_variants import KernelKey, column_parts, sizes, work_groups
from harness.tile import Tile

torch = pytest.importorskip("torch", reason="needs the extra 'triton'")
# Some interpreters take a size out of an array of one element, which numpy advises against.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion of an array with ndim")

CUDA = torch.cuda.is_available()
if not CUDA:
    # Read where a kernel is defined, and triton defines some of its own on import.
    os.environ["TRITON_INTERPRET"] = "1"
triton = pytest.importorskip("triton", reason="needs the extra 'triton'")
if not CUDA and Version(triton.__version__) < Version("3.7") and Version(np.__version__) >= Version("2.4"):
    pytest.skip("this interpreter cannot run on this NumPy: take triton 3.7", allow_module_level=True)
triton_gemm = importlib.import_module("harness.backends.cuda.triton_gemm")

SMALL = Tile.of(16, 32, 16)
TWO_PARTS = (Tile.of(16, 48, 16), Tile.of(16, 80, 32))
SHAPES = [(16, 32, 16), (64, 64, 64), (40, 72, 48), (17, 33, 19), (1, 1, 1), (1, 40, 5), (33, 1, 64), (100, 90, 7)]


def operands(cell, pitch, dtype=torch.float16):
    """A, B and a poisoned D in flat buffers with padded rows; what the padding holds is random."""
    _, _, _, lda, ldb, ldd = sizes(cell, pitch)
    generator = torch.Generator().manual_seed(cell.M + 7 * cell.N + 31 * cell.K)
    device = "cuda" if CUDA else "cpu"
    a, b = (torch.randn(count, generator=generator).to(device, dtype) for count in (cell.M * lda, cell.K * ldb))
    return a, b, torch.full((cell.M * ldd,), float("nan"), dtype=dtype, device=device)


def relative_error(kernel, cell, pitch=1, programs=None, dtype=torch.float16):
    a, b, d = operands(cell, pitch, dtype)
    key = KernelKey.of(cell, pitch)
    tile = cell.tile
    kernel[(programs or work_groups(cell),)](
        a, b, d, *sizes(cell, pitch), tile.m, *column_parts(tile), tile.k, 2, key.even_k, key.wide_a
    )
    lda, ldb = sizes(cell, pitch)[3:5]
    left = torch.as_strided(a, (cell.M, cell.K), (lda, 1)).float()
    right = torch.as_strided(b, (cell.K, cell.N), (ldb, 1)).float()
    found = torch.as_strided(d, (cell.M, cell.N), (ldb, 1)).float()
    expected = torch.mm(left, right)
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pitch", [1, 8, 16, 64])
def test_gemm(shape, pitch):
    """Ragged edges, masked K, and rows padded to vectors or not."""
    assert relative_error(triton_gemm.gemm, Cell(SMALL, *shape), pitch) < 1e-3


@pytest.mark.parametrize("columns", [1, 31, 32, 33, 47, 48, 49, 79, 80, 81, 97, 130, 160])
@pytest.mark.parametrize("tile", TWO_PARTS, ids=str)
@pytest.mark.parametrize(("K", "pitch"), [(32, 1), (21, 1), (21, 16)])
def test_a_tile_in_two_parts(columns, tile, K, pitch):
    """The edge of D before, in, and after each part of a tile; whole and masked K."""
    assert relative_error(triton_gemm.gemm, Cell(tile, 40, columns, K), pitch) < 1e-3


@pytest.mark.parametrize("tile", TWO_PARTS, ids=str)
def test_persistent_programs_walk_over_tiles_in_two_parts(tile):
    assert relative_error(triton_gemm.persistent, Cell(tile, 50, 170, 21), programs=3) < 1e-3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("programs", [1, 3, 7])
def test_persistent(shape, programs):
    """Any number of programs, fewer or more than there are tiles, computes every tile."""
    assert relative_error(triton_gemm.persistent, Cell(SMALL, *shape), programs=programs) < 1e-3


def test_persistent_with_padded_rows():
    assert relative_error(triton_gemm.persistent, Cell(SMALL, 50, 70, 21), 16, programs=4) < 1e-3


@pytest.mark.skipif(not CUDA, reason="the interpreter multiplies the bits of BF16 as if they were integers")
def test_bf16():
    cell = Cell(SMALL, 48, 40, 24)
    assert relative_error(triton_gemm.gemm, cell, dtype=torch.bfloat16) < 1e-2


def test_too_few_tiles_show():
    """The check can fail: with one work-group of several the rest of D stays poisoned."""
    error = relative_error(triton_gemm.gemm, Cell(SMALL, 64, 64, 16), programs=1)
    assert not error < 1.0
