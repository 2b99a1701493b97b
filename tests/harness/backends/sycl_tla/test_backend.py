"""The backend over two programs, from cells to seconds, on the stand-in."""

import json
import runpy
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from harness.backends import Backend, Cell, Problem
from harness.backends.backend import BackendOptions
from harness.backends.sycl_tla.backend import SyclTlaBackend, SyclTlaOptions
from harness.backends.sycl_tla.config import STOCK
from harness.backends.sycl_tla.registration import PAPER_TILES, emit_registrations, registration
from harness.device import load_device
from harness.errors import BackendError
from harness.tile import Tile
from harness.twin import Twin

stand_in = runpy.run_path(str(Path(__file__).parent / "stand_in" / "programs.py"))["stand_in"]

NEW = [config.name for config in STOCK if config.program == "executable"]
LEGACY = [config.name for config in STOCK if config.program == "legacy"]
WIDE, BIG, SMALL = Tile.of(512, 256, 32), Tile.of(256, 256, 32), Tile.of(8, 128, 32)
SHAPES = [(M, N, K) for M in (128, 520) for N in (256, 264) for K in (64, 512)]


def truth(M, N, K, tile):
    """Seconds by the shape and the tile, different for every cell of these tests."""
    return 5e-6 + (-(-M // tile.m) * -(-N // tile.n)) * 1e-6 + 1e-9 * K + 1e-11 * M + 1e-12 * tile.m


@pytest.fixture
def fill(stand_in):
    """Give the stand-in the times of these cells."""

    def fill(names, shapes):
        for tile, name in names.items():
            for shape in (*shapes, (256, 256, 64)):
                stand_in.times(name, shape, truth(*shape, tile))

    return fill


@pytest.fixture
def backend(stand_in, fill):
    fill({config.tile: config.name for config in STOCK}, SHAPES)
    return SyclTlaBackend(
        SyclTlaOptions(
            executable=str(stand_in.program("gemm", NEW)),
            legacy=str(stand_in.program("gemm_legacy", LEGACY)),
            timeout=60.0,
        )
    )


def cells_of(tiles, shapes=SHAPES):
    return [Cell(tile, *shape) for tile in tiles for shape in shapes]


def test_a_batch_over_two_programs_in_any_order(backend):
    cells = cells_of([WIDE, BIG, SMALL])
    rng = np.random.default_rng(3)
    cells = [cells[i] for i in rng.permutation(len(cells))]
    timings = backend.time(cells, rng.integers(1, 40, len(cells)), "rotating")
    expected = [truth(cell.M, cell.N, cell.K, cell.tile) for cell in cells]
    np.testing.assert_allclose(timings.seconds, expected, rtol=1e-6)
    assert timings.problems == {}


def test_the_same_cell_twice(backend):
    cells = [Cell(BIG, *SHAPES[0])] * 3
    timings = backend.time(cells, np.array([1, 1, 30]), "rotating")
    np.testing.assert_allclose(timings.seconds, truth(*SHAPES[0], BIG), rtol=1e-6)


def test_problems_stand_at_their_cells(backend, stand_in):
    stand_in.switch(WRONG="520x256x64", UNABLE="520x264x64", CRASH="128x256x512")
    cells = cells_of([WIDE, BIG])
    timings = backend.time(cells, np.full(len(cells), 4), "rotating")
    status = {"520x256x64": "wrong_result", "520x264x64": "unsupported", "128x256x512": "failed"}
    for position, cell in enumerate(cells):
        wanted = status.get(f"{cell.M}x{cell.N}x{cell.K}")
        assert np.isnan(timings.seconds[position]) == (wanted is not None)
        found = timings.problems.get(position, Problem("", "")).status
        assert found == (wanted or "")


def test_twin_timings_come_back(stand_in):
    """Times of the simulator through the whole path."""
    twin = Twin()
    tiles = PAPER_TILES[:2]
    axes = np.array([(M, N, K) for M in (256, 520) for N in (128, 1032) for K in (64, 1000)])
    cells = [Cell(tile, *map(int, shape)) for tile in tiles for shape in axes]
    expected = np.concatenate([twin.seconds(*axes.T, tile) for tile in tiles])
    configs = ",".join(f"{registration(tile).name}={tile}" for tile in tiles)
    for tile in tiles:
        name = registration(tile).name
        stand_in.times(name, (256, 256, 64), 1e-5)
        for cell, seconds in zip(cells, expected, strict=True):
            if cell.tile == tile:
                stand_in.times(name, (cell.M, cell.N, cell.K), float(seconds))
    program = stand_in.program("gemm", [registration(tile).name for tile in tiles])
    backend = SyclTlaBackend(SyclTlaOptions(executable=str(program), configs=configs, tiles=tiles))
    timings = backend.time(cells, np.full(len(cells), 8), "rotating")
    np.testing.assert_allclose(timings.seconds, expected, rtol=1e-6)


def test_the_emitted_configs_are_what_the_backend_reads(stand_in, fill, tmp_path):
    _, configs, _ = emit_registrations(tmp_path / "emitted")
    names = {tile: registration(tile).name for tile in PAPER_TILES}
    fill(names, SHAPES[:1])
    program = stand_in.program("gemm", [*names.values(), *NEW])
    backend = SyclTlaBackend(SyclTlaOptions(executable=str(program), configs=str(configs), tiles=PAPER_TILES))
    cells = cells_of(PAPER_TILES, SHAPES[:1])
    backend.prepare(cells)
    timings = backend.time(cells, np.full(len(cells), 4), "rotating")
    np.testing.assert_allclose(timings.seconds, [truth(*SHAPES[0], tile) for tile in PAPER_TILES], rtol=1e-6)


def test_a_benchmark_that_is_not_registered_is_named(stand_in, fill):
    fill({BIG: "Known", Tile.of(64, 64, 32): "Missing"}, SHAPES[:1])
    program = stand_in.program("gemm", ["Known", *NEW])
    options = SyclTlaOptions(executable=str(program), configs="Known=256x256x32,Missing=64x64x32")
    with pytest.raises(BackendError, match=r"gemm does not know Missing: build it with .*--emit-configs"):
        SyclTlaBackend(options).prepare(cells_of([BIG], SHAPES[:1]))


def test_a_program_that_knows_none_of_them(stand_in, fill):
    fill({BIG: "Known"}, SHAPES[:1])
    program = stand_in.program("gemm", ["Known"])
    with pytest.raises(BackendError, match=f"gemm does not know {NEW[0]}: build"):
        SyclTlaBackend(SyclTlaOptions(executable=str(program))).prepare(cells_of([WIDE], SHAPES[:1]))


def test_only_the_benchmarks_of_the_tiles_asked_for_are_needed(stand_in, fill):
    fill({BIG: "Known"}, SHAPES[:1])
    program = stand_in.program("gemm", ["Known"])
    configs = "Known=256x256x32,Missing=64x64x32"
    backend = SyclTlaBackend(SyclTlaOptions(executable=str(program), configs=configs, tiles=(BIG,)))
    backend.prepare(cells_of([BIG], SHAPES[:1]))
    assert set(backend.environment()["google_benchmark"]) == {"executable"}


def test_a_device_that_is_not_there_is_one_clear_error(backend, stand_in):
    stand_in.switch(NO_DEVICE=1)
    with pytest.raises(BackendError, match=r"ended before its first benchmark: .* No device of requested type"):
        backend.prepare(cells_of([BIG]))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (Cell(BIG, 1, 256, 64), None),
        (Cell(BIG, 100, 257, 64), "N must be a multiple of 8"),
        (Cell(BIG, 100, 256, 60), "K must be a multiple of 8"),
        (Cell(BIG, 65536, 65536, 64), "4294967296 elements is beyond"),
        (Cell(Tile.of(64, 64, 64), 64, 64, 64), "tile 64x64x64 is no registered benchmark: known are 512x256x32"),
    ],
)
def test_what_the_kernels_cannot_run(backend, cell, reason):
    found = backend.unsupported(cell)
    assert found is None if reason is None else reason in found


def test_a_tile_without_a_benchmark_cannot_be_timed(backend):
    with pytest.raises(BackendError, match="no registered benchmark"):
        backend.time([Cell(Tile.of(64, 64, 64), 64, 64, 64)], np.array([1]), "rotating")


def test_the_contract(backend):
    assert isinstance(backend, Backend)
    assert backend.tiles == (WIDE, BIG, Tile.of(128, 512, 32), Tile.of(256, 128, 32), Tile.of(128, 256, 16), SMALL)
    assert (backend.dtype, backend.dtype_out, backend.cache_states) == ("bf16", "f32", ("rotating",))
    assert backend.checks_itself
    assert backend.kernel_of(Cell(BIG, 1, 8, 8)) == "PvcGemmBF16BF16FP32_RRR_1"
    assert backend.cube_attributes() == {"vector_bytes": 16, "pitch_multiple": 1}
    with pytest.raises(BackendError, match="checks every timing"):
        backend.relative_error(Cell(BIG, 1, 8, 8))
    with pytest.raises(BackendError, match="cache 'warm' is not offered here: expected rotating"):
        backend.time([], np.array([], dtype=np.int64), "warm")


def test_every_option_has_a_help():
    added = {item.name for item in fields(SyclTlaOptions)} - {item.name for item in fields(BackendOptions)}
    assert added == {"executable", "legacy", "configs", "timeout", "profiling", "selector"}
    for item in fields(SyclTlaOptions):
        if item.name in added:
            assert item.metadata["help"]


@pytest.mark.parametrize(("device", "expected"), [(None, "b580"), ("b60", "b60")])
def test_the_device_record(stand_in, device, expected):
    program = str(stand_in.program("gemm", NEW))
    assert SyclTlaBackend(SyclTlaOptions(executable=program, device=device)).device.id == expected
    record = load_device("h200")
    assert SyclTlaBackend(SyclTlaOptions(executable=program, device=device, record=record)).device is record


def test_the_configuration_explains_the_timings(backend):
    found = backend.configuration()
    assert json.loads(json.dumps(found)) == found
    assert found["profiling"] == "not stated"
    assert found["programs"]["legacy"]["path"].endswith("gemm_legacy")
    assert found["configs"]["256x256x32"] == "legacy:PvcGemmBF16BF16FP32_RRR_1"
    assert "small integers" in found["operands"]
    assert set(found["packages"]) >= {"libze-intel-gpu1"}


def test_the_environment_names_the_library_of_each_program(backend):
    found = backend.environment()
    assert json.loads(json.dumps(found)) == found
    for program in ("executable", "legacy"):
        assert found["google_benchmark"][program]["library_version"].lstrip("v") == "1.9.5"
        assert found["google_benchmark"][program]["library_build_type"] == "release"


def test_what_is_recorded_needs_no_device(backend, stand_in):
    stand_in.switch(NO_DEVICE=1)
    assert backend.configuration()["profiling"] == "not stated"
    assert backend.environment()["google_benchmark"]["legacy"]["library_version"] == "missing"


def test_the_configuration_changes_with_the_program_and_with_nothing_else(backend, stand_in):
    options = backend.options
    assert SyclTlaBackend(options).configuration() == backend.configuration()
    other = stand_in.folder / "gemm"
    other.write_text(other.read_text() + "\n# rebuilt\n")
    assert SyclTlaBackend(options).configuration() != backend.configuration()


@pytest.mark.parametrize(("given", "recorded"), [(True, True), (False, False), (None, "not stated")])
def test_profiling_is_what_the_user_states(stand_in, fill, given, recorded):
    fill({WIDE: NEW[0]}, [])
    program = str(stand_in.program("gemm", NEW))
    options = SyclTlaOptions(executable=program, profiling=given)
    assert SyclTlaBackend(options).configuration()["profiling"] == recorded


def test_no_program_says_which_option_names_it_and_how_to_build():
    with pytest.raises(BackendError, match=r"option executable or legacy: .*--emit-configs DIR' writes how"):
        SyclTlaBackend()


@pytest.mark.parametrize("make", ["nothing", "folder", "text"])
def test_a_path_that_is_no_program(tmp_path, make):
    path = tmp_path / "program"
    if make == "folder":
        path.mkdir()
    elif make == "text":
        path.write_text("")
    with pytest.raises(BackendError, match=r"option legacy: .* is no program that can be run"):
        SyclTlaBackend(SyclTlaOptions(legacy=str(path)))


def test_bad_options(stand_in):
    program = str(stand_in.program("gemm", NEW))
    with pytest.raises(BackendError, match="config A needs the option legacy"):
        SyclTlaBackend(SyclTlaOptions(executable=program, configs="legacy:A=256x256x32"))
    with pytest.raises(BackendError, match="expected positive seconds"):
        SyclTlaBackend(SyclTlaOptions(executable=program, timeout=0.0))
    with pytest.raises(BackendError, match="expected SyclTlaOptions"):
        SyclTlaBackend(BackendOptions())
    with pytest.raises(BackendError, match="dtype 'f32' is not offered"):
        SyclTlaBackend(SyclTlaOptions(executable=program, dtype="f32"))
    with pytest.raises(BackendError, match=r"SplitK.*refused"):
        SyclTlaBackend(SyclTlaOptions(executable=program, configs="Gemm_SplitK_RRR=256x256x32"))


def test_a_relative_path_is_found_from_where_the_user_is(stand_in, fill, monkeypatch):
    fill({WIDE: NEW[0]}, SHAPES[:1])
    stand_in.program("gemm", NEW)
    monkeypatch.chdir(stand_in.folder)
    backend = SyclTlaBackend(SyclTlaOptions(executable="gemm"))
    assert backend.time(cells_of([WIDE], SHAPES[:1]), np.array([4]), "rotating").problems == {}
    shutil.rmtree(stand_in.folder)
    with pytest.raises(BackendError, match="cannot be started"):
        backend.time(cells_of([WIDE], SHAPES[:1]), np.array([4]), "rotating")
