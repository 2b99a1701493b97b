"""The Triton kernels of the ``triton`` backend. Imported only where triton is installed.

One tile of D is computed by one work-group in a mainloop over K. In ``gemm`` the grid has one work-group per tile,
handed to the cores as those become free. In ``persistent`` the grid has one program per core and each walks over
the tiles with the number of programs as its stride: a launch takes as long as ceil(tiles / programs) tiles, by
construction. Tiles are rastered in bands of ``BAND`` tile rows, which keeps a band's rows of A and the current
columns of B in the last-level cache.

The compiler's ranges are powers of two long. A tile of another width is computed as two parts side by side, of
``TN`` and ``TR`` columns, which share the loads of A and have an accumulator each. ``TR`` = 0 is a tile in one
part: nothing of the second is compiled then.

No size is specialised by value: what the compiler may assume of alignment is decided by the caller, through the
sizes that it compiles with. ``WIDE_A`` says that rows of A may be read up to the next multiple of 16 elements:
their pitch leaves room, so that loads of whole vectors need no exact mask along K. What they read there is
multiplied by zeros.
"""

# The jit compiler reads the annotations: they must not be postponed, and mean nothing to a type checker.
import importlib
from typing import Any, no_type_check

triton: Any = importlib.import_module("triton")
tl: Any = importlib.import_module("triton.language")
cuda: Any = importlib.import_module("triton.language.extra.cuda")


@triton.jit
@no_type_check
def _tile(
    group,
    a_ptr,
    b_ptr,
    d_ptr,
    M,
    N,
    K,
    lda,
    ldb,
    ldd,
    TM: tl.constexpr,
    TN: tl.constexpr,
    TR: tl.constexpr,
    TK: tl.constexpr,
    BAND: tl.constexpr,
    EVEN_K: tl.constexpr,
    WIDE_A: tl.constexpr,
):
    """Compute the tile of number ``group`` of D = A B, row-major, accumulated in float32."""
    rows = tl.cdiv(M, TM)
    columns = tl.cdiv(N, TN + TR)
    band = group // (BAND * columns)
    first_row = band * BAND
    height = min(rows - first_row, BAND)
    inside = group % (BAND * columns)
    row = first_row + inside % height
    column = inside // height

    # Rows and columns past the edge wrap around: they load something valid and are never stored.
    m = (row * TM + tl.arange(0, TM)) % M
    n = (column * (TN + TR) + tl.arange(0, TN)) % N
    k = tl.arange(0, TK)
    a = a_ptr + m[:, None].to(tl.int64) * lda + k[None, :]
    b = b_ptr + k[:, None].to(tl.int64) * ldb + n[None, :]
    total = tl.zeros((TM, TN), dtype=tl.float32)
    if TR > 0:
        more_n = (column * (TN + TR) + TN + tl.arange(0, TR)) % N
        more_b = b_ptr + k[:, None].to(tl.int64) * ldb + more_n[None, :]
        more_total = tl.zeros((TM, TR), dtype=tl.float32)
    for step in range(0, tl.cdiv(K, TK)):
        if EVEN_K:
            left = tl.load(a)
            right = tl.load(b)
            if TR > 0:
                more_right = tl.load(more_b)
        else:
            rest = K - step * TK
            if WIDE_A:
                left = tl.load(a, mask=k[None, :] < tl.cdiv(K, 16) * 16 - step * TK, other=0.0)
            else:
                left = tl.load(a, mask=k[None, :] < rest, other=0.0)
            right = tl.load(b, mask=k[:, None] < rest, other=0.0)
            if TR > 0:
                more_right = tl.load(more_b, mask=k[:, None] < rest, other=0.0)
        total = tl.dot(left, right, total)
        if TR > 0:
            more_total = tl.dot(left, more_right, more_total)
            more_b += TK * ldb
        a += TK
        b += TK * ldb

    m = row * TM + tl.arange(0, TM)
    n = column * (TN + TR) + tl.arange(0, TN)
    d = d_ptr + m[:, None].to(tl.int64) * ldd + n[None, :]
    tl.store(d, total.to(d_ptr.dtype.element_ty), mask=(m[:, None] < M) & (n[None, :] < N))
    if TR > 0:
        n = column * (TN + TR) + TN + tl.arange(0, TR)
        d = d_ptr + m[:, None].to(tl.int64) * ldd + n[None, :]
        tl.store(d, more_total.to(d_ptr.dtype.element_ty), mask=(m[:, None] < M) & (n[None, :] < N))


@triton.jit(do_not_specialize=["M"])
@no_type_check
def gemm(
    a_ptr,
    b_ptr,
    d_ptr,
    M,
    N,
    K,
    lda,
    ldb,
    ldd,
    TM: tl.constexpr,
    TN: tl.constexpr,
    TR: tl.constexpr,
    TK: tl.constexpr,
    BAND: tl.constexpr,
    EVEN_K: tl.constexpr,
    WIDE_A: tl.constexpr,
):
    """D = A B with one work-group per tile; EVEN_K drops the mask of the last mainloop step."""
    _tile(tl.program_id(0), a_ptr, b_ptr, d_ptr, M, N, K, lda, ldb, ldd, TM, TN, TR, TK, BAND, EVEN_K, WIDE_A)


@triton.jit(do_not_specialize=["M"])
@no_type_check
def persistent(
    a_ptr,
    b_ptr,
    d_ptr,
    M,
    N,
    K,
    lda,
    ldb,
    ldd,
    TM: tl.constexpr,
    TN: tl.constexpr,
    TR: tl.constexpr,
    TK: tl.constexpr,
    BAND: tl.constexpr,
    EVEN_K: tl.constexpr,
    WIDE_A: tl.constexpr,
):
    """D = A B with as many programs as cores are to work; each computes every so-many-th tile."""
    for group in range(tl.program_id(0), tl.cdiv(M, TM) * tl.cdiv(N, TN + TR), tl.num_programs(0)):
        _tile(group, a_ptr, b_ptr, d_ptr, M, N, K, lda, ldb, ldd, TM, TN, TR, TK, BAND, EVEN_K, WIDE_A)


@triton.jit(do_not_specialize=["M"])
@no_type_check
def persistent_cores(
    core_ptr,
    a_ptr,
    b_ptr,
    d_ptr,
    M,
    N,
    K,
    lda,
    ldb,
    ldd,
    TM: tl.constexpr,
    TN: tl.constexpr,
    TR: tl.constexpr,
    TK: tl.constexpr,
    BAND: tl.constexpr,
    EVEN_K: tl.constexpr,
    WIDE_A: tl.constexpr,
):
    """Do as ``persistent`` does, and store the number of the core that each program ran on."""
    persistent(a_ptr, b_ptr, d_ptr, M, N, K, lda, ldb, ldd, TM, TN, TR, TK, BAND, EVEN_K, WIDE_A)
    tl.store(core_ptr + tl.program_id(0), cuda.smid())


@triton.jit(do_not_specialize=["M", "work"])
@no_type_check
def idle(
    a_ptr,
    b_ptr,
    d_ptr,
    M,
    N,
    K,
    lda,
    ldb,
    ldd,
    work,
    TM: tl.constexpr,
    TN: tl.constexpr,
    TR: tl.constexpr,
    TK: tl.constexpr,
    BAND: tl.constexpr,
    EVEN_K: tl.constexpr,
    WIDE_A: tl.constexpr,
):
    """The GEMM told to do no work: a launch with the GEMM's own registers and shared memory.

    work = 0 does nothing, work = 2 stores one element a work-group (a launch that wrote must be flushed before
    the next begins), work = 1 is the GEMM, never asked for here.
    """
    if work == 1:
        gemm(a_ptr, b_ptr, d_ptr, M, N, K, lda, ldb, ldd, TM, TN, TR, TK, BAND, EVEN_K, WIDE_A)
    if work == 2:
        tl.store(d_ptr + tl.program_id(0), 0.0)


@triton.jit(do_not_specialize=["M"])
@no_type_check
def empty(
    a_ptr,
    b_ptr,
    d_ptr,
    M,
    N,
    K,
    lda,
    ldb,
    ldd,
):
    """Do nothing with next to no resources: the least a launch can cost."""
