"""The C++ that registers tiles: its structure, and what it registers with nothing behind the names."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from harness.backends.sycl_tla.config import parse_configs, refusal
from harness.backends.sycl_tla.registration import PAPER_TILES, emit_registrations, registration
from harness.errors import InputError
from harness.tile import Tile

HEADERS = Path(__file__).parent / "stand_in" / "sycl_tla_headers"

PAPER = {
    "256x256x32": "8x4",
    "128x128x32": "4x2",
    "256x128x32": "8x2",
    "128x256x32": "4x4",
    "64x64x32": "4x2",
    "64x128x32": "4x2",
}


def test_the_papers_tiles_and_sub_groups():
    assert {str(t): "{}x{}".format(*registration(t).layout) for t in PAPER_TILES} == PAPER


def test_other_tiles_take_a_sub_group_for_each_32_by_64():
    assert registration(Tile.of(128, 64, 16)).layout == (4, 1)
    assert registration(Tile.of(8, 128, 32)).layout == (1, 2)
    assert registration(Tile.of(512, 256, 32)).layout == (8, 4)


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        (Tile.parse("vendor"), "cannot be registered"),
        (Tile.of(100, 64, 32), "does not divide into 3x1 sub-groups"),
        (Tile.of(64, 72, 32), "does not divide"),
        (Tile.of(64, 64, 24), "does not divide"),
        (Tile.of(512, 512, 32), "takes 128 sub-groups of 32x64: a work-group has 32 at most"),
    ],
)
def test_tiles_that_cannot_be_registered(tile, message, tmp_path):
    with pytest.raises(InputError, match=message):
        emit_registrations(tmp_path, [tile])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tiles", [(), (PAPER_TILES[0], PAPER_TILES[0])])
def test_tiles_are_given_once(tiles, tmp_path):
    with pytest.raises(InputError, match="each only once"):
        emit_registrations(tmp_path, tiles)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        emit_registrations(tmp_path / "file")


def test_the_three_files_agree(tmp_path):
    paths = emit_registrations(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["benchmarks_attrib.hpp", "attrib_configs.toml", "README.md"]
    header, configs, build = (path.read_text() for path in paths)
    names = {registration(tile).name: str(tile) for tile in PAPER_TILES}
    assert tomllib.loads(configs) == {"executable": names}
    assert re.findall(r"^using (\w+) = attrib::Gemm<", header, re.MULTILINE) == list(names)
    assert re.findall(r"^CUTLASS_CREATE_GEMM_BENCHMARK\((\w+)\);", header, re.MULTILINE) == list(names)
    assert re.findall(r"^  CUTLASS_BENCHMARK\((\w+)\);", header, re.MULTILINE) == list(names)
    assert re.findall(r"^\| (\w+) \| (\w+) \| `(\w+)` \|$", build, re.MULTILINE) == [
        (tile, PAPER[tile], name) for name, tile in names.items()
    ]
    assert "--tiles " + ",".join(names.values()) in build
    assert {config.name: str(config.tile) for config in parse_configs(str(paths[1]))} == names
    assert not any(refusal(name) for name in names)
    for text in (header, configs, build):
        assert "{{" not in text
        assert "{%" not in text


def test_the_build_names_every_flag(tmp_path):
    build = emit_registrations(tmp_path)[2].read_text()
    for flag in (
        "CC=icx CXX=icpx",
        "-DCUTLASS_ENABLE_SYCL=ON",
        "-DDPCPP_SYCL_TARGET=intel_gpu_bmg_g21",
        "-DCUTLASS_ENABLE_BENCHMARKS=ON",
        "-DCUTLASS_SYCL_PROFILING_ENABLED=ON",
        "-DCMAKE_BUILD_TYPE=Release",
        'IGC_ExtraOCLOptions="-cl-intel-256-GRF-per-thread"',
        'IGC_VISAOptions="-perfmodel"',
        "IGC_VectorAliasBBThreshold=100000000000",
        'SYCL_PROGRAM_COMPILE_OPTIONS="-ze-opt-large-register-file -gline-tables-only"',
        "ninja cutlass_benchmarks_gemm_sycl",
    ):
        assert flag in build


@pytest.fixture
def tree(tmp_path):
    """A folder like sycl-tla's own, with the header copied and the edits of README.md made."""
    header, _, build = emit_registrations(tmp_path / "emitted", (*PAPER_TILES, Tile.of(128, 64, 16)))
    gemm = tmp_path / "benchmarks" / "gemm"
    shutil.copytree(HEADERS, gemm)
    shutil.copy(header, gemm)
    edits = [line.strip() for line in build.read_text().splitlines() if line.strip().startswith("sed ")]
    assert len(edits) == 2
    for edit in edits:
        subprocess.run(["sh", "-c", edit], cwd=tmp_path, check=True)
    return gemm


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler here")
def test_the_header_registers_the_tiles_where_its_names_are_declared(tree):
    """Only the structure: the names of cute and cutlass stand for nothing."""
    compiler = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, "main.cpp", "-o", "listing"], cwd=tree, check=True)
    listed = subprocess.run([str(tree / "listing")], capture_output=True, text=True, check=True).stdout
    expected = [registration(tile) for tile in (*PAPER_TILES, Tile.of(128, 64, 16))]
    assert sorted(listed.splitlines()) == sorted(
        f"{item.name} {item.tile} {item.layout[0]}x{item.layout[1]}" for item in expected
    )
