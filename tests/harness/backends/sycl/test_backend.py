"""The backend on a real device: the CPU through its OpenCL driver."""

import json
from time import perf_counter

import numpy as np
import pytest

from harness.backends import Cell
from harness.backends.sycl.backend import SyclBackend, SyclOptions, record_of_filter
from harness.backends.sycl.host import choose_device, create_program, import_dpctl
from harness.backends.sycl.kernels import KernelPlan
from harness.backends.sycl.operands import SyclOperands, decode, encode
from harness.backends.sycl.record import last_level_caches
from harness.backends.sycl.timer import ProfiledQueue, displaced_bytes
from harness.cube import ELEMENT_BYTES
from harness.device import DeviceRecord, load_device
from harness.errors import BackendError, MissingExtraError
from harness.protocol import CACHE_STATES, TOLERANCE
from harness.tile import Tile

FILTER = "opencl:cpu:0"
RAGGED = [(1, 1, 1), (17, 33, 65), (130, 70, 40), (64, 64, 64), (5, 300, 7)]


@pytest.fixture(scope="module")
def dpctl():
    try:
        module = import_dpctl()
        choose_device(module, FILTER)
    except (MissingExtraError, BackendError) as error:
        pytest.skip(str(error))
    return module


@pytest.fixture(scope="module")
def backend(dpctl):
    return SyclBackend(SyclOptions(device=FILTER))


@pytest.fixture(scope="module", params=["f32", "bf16", "f16"])
def any_dtype(dpctl, request):
    return SyclBackend(SyclOptions(device=FILTER, dtype=request.param))


@pytest.fixture(scope="module")
def queue(dpctl):
    return ProfiledQueue(dpctl, choose_device(dpctl, FILTER))


def cell(tile, M, N, K):
    return Cell(Tile.parse(tile), M, N, K)


@pytest.mark.parametrize("tile", ["16x16x16", "32x32x16", "64x64x16", "24x40x8", "8x8x8", "32x128x24"])
def test_any_shape_is_computed_to_float32(any_dtype, tile):
    errors = [any_dtype.relative_error(cell(tile, *shape)) for shape in RAGGED]
    assert max(errors) < 1e-6, (tile, errors)


def test_the_default_tiles_are_supported_and_right(backend):
    assert len(backend.tiles) == 6
    for tile in backend.tiles:
        assert backend.unsupported(Cell(tile, 100, 100, 100)) is None
        assert backend.relative_error(Cell(tile, 150, 90, 33)) < TOLERANCE[backend.dtype_out]


def test_a_wrong_kernel_is_found_out(backend, monkeypatch):
    """The last column of tiles stays out of the launch: its outputs keep the poison."""
    whole = KernelPlan.global_range
    monkeypatch.setattr(KernelPlan, "global_range", lambda plan, M, N: whole(plan, M, N - 16))
    assert backend.relative_error(cell("16x16x16", 64, 64, 64)) == float("inf")


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Cell(Tile.parse("vendor"), 64, 64, 64), "needs its sizes"),
        (cell("20x16x16", 64, 64, 64), "multiples of 8"),
        (cell("2048x2048x8", 64, 64, 64), "work-items, the device allows"),
        (cell("64x64x4096", 64, 64, 64), "bytes of local memory, the device allows"),
        (cell("64x64x16", 1 << 30, 1, 1), "sizes must be below"),
        (cell("64x64x16", 1 << 29, 1 << 29, 1), "more than one launch takes"),
        (cell("64x64x16", 1 << 20, 1 << 15, 1), "at once"),
    ],
)
def test_what_is_unsupported_says_why(backend, wanted, reason):
    assert reason in backend.unsupported(wanted)


@pytest.mark.parametrize("cache", ["warm", "cold"])
def test_device_times_fit_into_the_wall_time(backend, cache):
    cells = [cell("64x64x16", 192, 192, 192), cell("16x16x16", 16, 16, 16), cell("64x64x16", 192, 192, 192)]
    counts = np.array([3, 5, 1])
    backend.prepare(cells)
    began = perf_counter()
    timings = backend.time(cells, counts, cache)
    wall = perf_counter() - began
    assert not timings.problems
    assert (timings.seconds > 0).all()
    assert (timings.seconds * counts).sum() <= wall
    assert timings.seconds[0] > 2 * 192**3 / 1e14  # no CPU does 100 TFLOP/s


def test_more_work_takes_longer(backend):
    cells = [cell("64x64x16", 64, 64, 64), cell("64x64x16", 384, 384, 384)]
    rounds = [backend.time(cells, np.array([2, 2]), "warm").seconds for _ in range(4)]
    small, large = np.min(rounds, axis=0)  # 216 times the work
    assert large > 3 * small


def test_the_caches_are_displaced_before_every_cold_launch(queue):
    launches = []
    program = create_program(queue.queue, "kernel void nothing(global int *out) { out[0] = 1; }", "")
    kernel, out = program.get_sycl_kernel("nothing"), SyclOperands(queue.queue, "f32", 0)
    out.reserve(1, 1, 1)

    def launch():
        launches.append(1)
        return queue.submit(kernel, [out.arguments[0]], [1], [1])

    assert queue.seconds(launch, 3, 8192) > 0
    assert len(launches) == 3
    kernel_buffer = queue._displacing[1]
    contents = np.frombuffer(kernel_buffer.tobytes(), dtype=np.float32)
    assert contents.size == 2048
    assert np.all(contents == 1.75)  # x -> x / 2 + 1, three times from 0
    assert queue.seconds(launch, 3) > 0
    assert len(launches) == 3 + 4  # one untimed launch comes first


def test_more_than_two_caches_are_displaced(dpctl, backend):
    device = choose_device(dpctl, FILTER)
    assert displaced_bytes(device, backend.device) > 2 * sum(last_level_caches())
    large = 5 * sum(last_level_caches()) + (1 << 20)
    record = DeviceRecord(
        id="x",
        name="x",
        vendor="x",
        kind="cpu",
        last_level_cache_bytes=large,
        sources={"last_level_cache_bytes": "x"},
    )
    assert displaced_bytes(device, record) > 2 * large


def test_launches_without_a_time_are_a_problem(backend, monkeypatch):
    monkeypatch.setattr(backend._queue, "seconds", lambda *_: 0.0)
    timings = backend.time([cell("16x16x16", 16, 16, 16)], np.array([1]), "warm")
    assert np.isnan(timings.seconds[0])
    assert timings.problems[0].status == "failed"
    assert "no time" in timings.problems[0].reason


def test_a_refused_launch_is_a_problem_of_its_cell(dpctl, backend, monkeypatch):
    submit, refused = backend._queue.submit, cell("16x16x16", 48, 16, 16)

    def refuse(kernel, arguments, whole, group):
        if arguments[3].value == 48:
            raise dpctl.SyclKernelSubmitError("no room")
        return submit(kernel, arguments, whole, group)

    cells = [cell("16x16x16", 32, 32, 32), refused]
    backend.prepare(cells)
    monkeypatch.setattr(backend._queue, "submit", refuse)
    timings = backend.time(cells, np.array([1, 1]), "warm")
    assert timings.seconds[0] > 0
    assert list(timings.problems) == [1]
    assert "no room" in timings.problems[1].reason


def test_a_cache_state_that_is_not_offered(backend):
    assert set(backend.cache_states) < set(CACHE_STATES)
    with pytest.raises(BackendError, match="'rotating' is not offered here: expected warm or cold"):
        backend.time([cell("16x16x16", 16, 16, 16)], np.array([1]), "rotating")


def test_the_configuration_is_plain_and_stays_the_same(dpctl, any_dtype):
    options = any_dtype.options
    first, second = any_dtype.configuration(), SyclBackend(options).configuration()
    assert json.loads(json.dumps(first)) == json.loads(json.dumps(second))
    assert first["filter"] == FILTER
    assert first["driver"]
    assert first["dpctl"] == dpctl.__version__
    assert (first["dtype"], first["dtype_out"]) == (options.dtype, "f32")
    assert first["matrix_engine"] is False
    assert first["matrix_engine_reason"]
    assert first["displaced_bytes"] > 0
    assert any_dtype.cube_attributes() == {"vector_bytes": ELEMENT_BYTES[options.dtype]}


def test_the_environment_names_the_kernels(backend):
    backend.relative_error(cell("32x32x16", 32, 32, 32))
    told = json.loads(json.dumps(backend.environment()))
    kernel = next(k for k in told["kernels"] if k["tile"] == "32x32x16")
    assert "-DTM=32 -DTN=32 -DTK=16" in kernel["options"]
    assert np.prod(kernel["work_group"]) >= 64


def test_options_choose_device_record_and_dtype(dpctl):
    record = load_device("cpu")
    chosen = SyclBackend(SyclOptions(device="0", record=record, dtype="bf16", matrix_engine=False))
    assert chosen.device == record
    assert chosen.dtype == "bf16"
    assert "option matrix_engine" in chosen.configuration()["matrix_engine_reason"]
    with pytest.raises(BackendError, match="dtype 'f64' is not offered"):
        SyclBackend(SyclOptions(dtype="f64"))
    with pytest.raises(BackendError, match=r"no SYCL device 'opencl:cpu:9' here: expected one of 0: "):
        SyclBackend(SyclOptions(device="opencl:cpu:9"))


def test_the_record_describes_the_device(dpctl, backend):
    record = record_of_filter(FILTER)
    assert record == backend.device
    device = choose_device(dpctl, FILTER)
    assert record.kind == "cpu"
    assert record.cores == device.max_compute_units
    assert record.memory_bytes == device.global_mem_size


def test_a_tile_that_the_kernel_cannot_have_is_named(backend):
    with pytest.raises(BackendError, match="tile 20x16x16"):
        backend.prepare([cell("20x16x16", 16, 16, 16)])


def test_a_kernel_that_does_not_build_is_one_line(queue):
    with pytest.raises(BackendError, match=r"compiler refuses the kernel \(-DX=1\)"):
        create_program(queue.queue, "kernel void broken( {", "-DX=1")


def test_operands_grow_and_are_fresh(queue):
    operands = SyclOperands(queue.queue, "f32", 3)
    operands.reserve(10, 10, 10)
    small = operands.arguments
    operands.reserve(5, 5, 5)
    assert operands.arguments == small
    operands.reserve(20, 5, 5)
    assert operands.arguments[0].nbytes == 80
    assert operands.arguments[1:] == small[1:]
    assert operands.arguments[0]._pointer % 64 == 0  # what 2D block operations ask of a base
    a, b = operands.refresh(3, 4, 2)
    assert (a.shape, b.shape) == ((3, 2), (2, 4))
    assert np.isnan(operands.result(3, 4)).all()
    assert not np.array_equal(a, operands.refresh(3, 4, 2)[0])
    assert abs(np.frombuffer(operands.arguments[0].tobytes(), np.float32)).max() < 10


def test_no_room_is_one_line(queue):
    with pytest.raises(BackendError, match=r"a buffer of \d+ bytes does not fit"):
        SyclOperands(queue.queue, "f32", 0).reserve(1, 1, 1 << 45)


@pytest.mark.parametrize(("dtype", "step"), [("f32", 0.0), ("f16", 2.0**-11), ("bf16", 2.0**-8)])
def test_elements_are_rounded_to_nearest(dtype, step):
    values = np.random.default_rng(0).standard_normal(5000, dtype=np.float32)
    stored = encode(values, dtype)
    assert stored.nbytes == 5000 * ELEMENT_BYTES[dtype]
    assert (abs(decode(stored, dtype) - values) <= step * abs(values) + 2.0**-25).all()


def test_bf16_ties_go_to_even():
    ties = np.array([0x3F808000, 0x3F818000], dtype=np.uint32).view(np.float32)
    assert encode(ties, "bf16").tolist() == [0x3F80, 0x3F82]
