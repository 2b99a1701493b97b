"""The kernels for matrix engines, their functions emulated on a CPU after the texts of the extensions."""

from pathlib import Path

import numpy as np
import pytest

from harness.backends import Cell
from harness.backends.sycl.backend import SyclBackend, SyclOptions
from harness.backends.sycl.engine import find_matrix_engine
from harness.backends.sycl.host import choose_device, create_program, import_dpctl
from harness.backends.sycl.kernels import (
    MATRIX,
    KernelPlan,
    Limits,
    MatrixEngine,
    plan_matrix,
    plan_vector,
    source_digests,
    takes_block_io,
)
from harness.errors import BackendError, MissingExtraError
from harness.tile import Tile

FILTER = "opencl:cpu:0"
EMULATION = Path(__file__).with_name("emulation.cl").read_text()
ENGINES = {
    "2D blocks": MatrixEngine(16, True, ""),
    "sub-groups of 16": MatrixEngine(16, False, ""),
    "sub-groups of 8": MatrixEngine(8, False, ""),
}
GPU = Limits(work_items=1024, local_bytes=65536)


@pytest.fixture(scope="module")
def dpctl():
    try:
        module = import_dpctl()
        device = choose_device(module, FILTER)
    except (MissingExtraError, BackendError) as error:
        pytest.skip(str(error))
    if not {8, 16} <= set(device.sub_group_sizes):
        pytest.skip(f"{device.name} has no sub-groups of 8 and 16")
    return module


@pytest.fixture(scope="module")
def build(dpctl):
    """Builds on the CPU behind the emulation, in which a kernel finds the extensions of sub-groups of 16."""
    queue = dpctl.SyclQueue(choose_device(dpctl, FILTER))
    return lambda source, options: create_program(queue, EMULATION + source, f"{options} -DSG=16")


def emulated(engine, dtype):
    class Emulated(SyclBackend):
        prelude = EMULATION

        def _find_engine(self):
            return engine

    return Emulated(SyclOptions(device=FILTER, dtype=dtype))


@pytest.fixture(scope="module", params=[(name, dtype) for name in ENGINES for dtype in ("bf16", "f16")], ids=str)
def backend(dpctl, request):
    name, dtype = request.param
    return emulated(ENGINES[name], dtype)


# Pitches of 16 bytes, of 4, and odd ones; inside and across every edge; K within and beyond a step.
SHAPES = [(1, 1, 1), (17, 33, 65), (31, 64, 56), (100, 40, 32), (70, 70, 34), (5, 130, 33), (64, 128, 64)]


@pytest.mark.parametrize("tile", ["16x16x16", "24x48x32"])
def test_any_shape_is_computed_to_float32(backend, tile):
    errors = [backend.relative_error(Cell(Tile.parse(tile), *shape)) for shape in SHAPES]
    assert max(errors) < 1e-6, (tile, errors)


@pytest.mark.parametrize("name", ENGINES)
def test_the_largest_block_of_a_sub_group_is_right(dpctl, name):
    """The default tiles give a sub-group 32 rows and four atoms' columns."""
    tile = Tile.parse("128x128x16")
    backend = emulated(ENGINES[name], "bf16")
    assert f"-DSM=32 -DSN={4 * ENGINES[name].sub_group}" in backend._plan(tile, block_io=False).options
    wanted = Cell(tile, 130, 72, 40)
    assert backend.kernel_of(wanted) == (tile, ENGINES[name].block_io)
    assert backend.relative_error(wanted) < 1e-6


def test_each_kernel_is_named_and_timed(dpctl):
    backend = emulated(ENGINES["2D blocks"], "bf16")
    tile = Tile.parse("16x16x16")
    blocks, rows = Cell(tile, 64, 64, 64), Cell(tile, 64, 64, 65)
    assert backend.kernel_of(blocks) != backend.kernel_of(rows)
    assert (backend.time([blocks, rows], np.array([2, 2]), "warm").seconds > 0).all()
    assert {kernel["source"] for kernel in backend.environment()["kernels"]} == {MATRIX}
    assert len(backend.environment()["kernels"]) == 2
    told = backend.configuration()
    assert told["matrix_engine"] is True
    assert told["matrix_engine_kernel"] == {"atom": [8, 16, 16], "block_io": True, "options": ""}
    assert backend.cube_attributes() == {"vector_bytes": 16}
    assert backend.device.atom == (8, 16, 16)
    assert backend.dtype_out == "f32"


@pytest.mark.parametrize("shape", [(64, 64, 36), (64, 40, 16), (64, 36, 64)])
def test_the_emulation_shows_blocks_outside_the_rules(dpctl, monkeypatch, shape):
    """A pitch of 72 bytes and a row of 32 are refused, so the kernel chosen for them must be the other one."""
    backend = emulated(ENGINES["2D blocks"], "bf16")
    wanted = Cell(Tile.parse("16x16x16"), *shape)
    assert backend.relative_error(wanted) < 1e-6
    monkeypatch.setattr(backend, "_uses_block_io", lambda _: True)
    assert backend.relative_error(wanted) == float("inf")


def test_the_cpu_offers_no_matrix_engine(dpctl):
    backend = SyclBackend(SyclOptions(device=FILTER, dtype="bf16"))
    assert "Intel GPUs" in backend.configuration()["matrix_engine_reason"]
    queue = dpctl.SyclQueue(choose_device(dpctl, FILTER))
    reason = find_matrix_engine(lambda source, options: create_program(queue, source, options), [8, 16])
    assert "does not offer cl_intel_subgroup_matrix_multiply_accumulate" in reason


def test_an_engine_is_found_by_what_its_compiler_defines(build):
    found = find_matrix_engine(build, [32, 16])
    assert found == MatrixEngine(16, True, found.options)
    assert "smallest has 4" in find_matrix_engine(build, [4, 16])
    assert find_matrix_engine(build, [8, 16]) == MatrixEngine(8, False, found.options)


def test_a_compiler_without_the_larger_registers_is_not_asked_for_them(build):
    def plain(source, options):
        if options:
            raise BackendError("unknown option")
        return build(source, options)

    assert find_matrix_engine(plain, [16]) == MatrixEngine(16, True, "")


@pytest.mark.parametrize(
    ("tile", "block", "items"),
    [
        ("256x256x32", (32, 64), 512),
        ("256x128x32", (32, 64), 256),
        ("128x64x32", (32, 32), 128),
        ("64x64x32", (32, 16), 128),
        ("16x16x16", (8, 16), 32),
    ],
)
def test_the_plan_of_a_matrix_kernel(tile, block, items):
    plan = plan_matrix(Tile.parse(tile), "bf16", GPU, MatrixEngine(16, True), block_io=True)
    assert f"-DSM={block[0]} -DSN={block[1]} -DSG=16 -DBLOCK_IO=1 -DBF16" in plan.options
    assert plan.local_range == (1, items)
    assert plan.global_range(300, 257) == (-(-300 // plan.tile.m), -(-257 // plan.tile.n) * items)


@pytest.mark.parametrize(
    ("tile", "reason"),
    [
        ("20x16x16", "multiples of the atom 8x16x16"),
        ("16x24x16", "atom"),
        ("16x16x8", "atom"),
        ("512x512x32", "2048"),
    ],
)
def test_tiles_that_a_matrix_kernel_cannot_have(tile, reason):
    assert reason in plan_matrix(Tile.parse(tile), "bf16", GPU, MatrixEngine(16, True), block_io=True)


def test_larger_registers_leave_a_work_group_half_the_work_items():
    tile = Tile.parse("512x256x32")
    assert isinstance(plan_matrix(tile, "f16", GPU, MatrixEngine(16, True, ""), block_io=True), KernelPlan)
    assert "allows 512" in plan_matrix(tile, "f16", GPU, MatrixEngine(16, True), block_io=True)


@pytest.mark.parametrize(
    ("tile", "block", "local_range"),
    [
        ("128x128x16", (8, 4), (16, 32)),
        ("64x64x16", (8, 4), (8, 16)),
        ("32x32x16", (8, 2), (4, 16)),
        ("16x16x16", (4, 1), (4, 16)),
        ("8x8x8", (1, 1), (8, 8)),
    ],
)
def test_the_plan_of_a_vector_kernel(tile, block, local_range):
    plan = plan_vector(Tile.parse(tile), "f32", GPU)
    assert f"-DRM={block[0]} -DRN={block[1]} -DF32" in plan.options
    assert plan.local_range == local_range


def test_a_small_device_gets_larger_blocks_or_a_reason():
    tile = Tile.parse("128x128x16")
    assert plan_vector(tile, "f32", Limits(256, 65536)).local_range == (16, 16)
    assert "needs work-groups of 256 work-items, the device allows 128" in plan_vector(
        tile, "f32", Limits(128, 65536)
    )
    assert "bytes of local memory" in plan_vector(tile, "f32", Limits(1024, 16384))


@pytest.mark.parametrize(
    ("shape", "taken"),
    [
        ((1, 32, 32), True),
        ((4096, 4096, 4096), True),
        ((64, 64, 36), False),  # A's pitch is no multiple of 16 bytes
        ((64, 36, 64), False),  # B's
        ((64, 32, 24), False),  # A's rows are shorter than 64 bytes
        ((64, 24, 64), False),  # B's
        ((1 << 25, 64, 64), False),  # too many rows
        ((1, 1 << 23, 32), False),  # rows of D beyond 16 MiB
    ],
)
def test_which_matrices_2d_blocks_take(shape, taken):
    assert takes_block_io(*shape) is taken


def test_sources_have_digests():
    digests = source_digests()
    assert len(digests) == 3
    assert len(set(digests.values())) == 3
