"""``attrib period``: contract, tables, and one line for bad input."""

import json

import pytest

from harness.landscapes import bundled_cube
from harness.store import save_cube


@pytest.fixture(scope="module")
def lines_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("period") / "lines.nc"
    cube = bundled_cube("h200_bf16_lines")
    save_cube(cube.isel(sample=(cube["tile"].isin(["128x128x64", "256x128x64"])).values), path)
    return path


def test_json_has_the_contract_of_a_period(attrib, lines_file):
    ended = attrib(
        "period",
        lines_file,
        "--axis",
        "N",
        "--at",
        "M=4096,K=4096",
        "--tile",
        "128x128x64",
        "--draws",
        499,
        "--json",
    )
    assert ended.status == 0
    periods = json.loads(ended.out)["periods"]
    assert {"period", "lower", "upper", "mechanism", "p_value", "status"} <= set(periods[0])
    assert {item["status"] for item in periods} == {"detected", "not detected", "not testable"}
    pitch = next(item for item in periods if "row pitch, line" in (item["mechanism"] or ""))
    assert pitch["status"] == "detected"
    assert pitch["lower"] <= pitch["period"] <= pitch["upper"]
    assert pitch["p_value"] <= 0.05
    assert all(item["p_value"] is None for item in periods if item["status"] == "not testable")


def test_table_states_units_and_what_would_be_testable(attrib, lines_file):
    ended = attrib("period", lines_file, "--axis", "N", "--draws", 199)
    assert ended.status == 0
    for text in ("Tile 128x128x64, along N", "Period, elements of N", "row pitch, line of 128 B", "95 % interval"):
        assert text in ended.out
    assert "fewer than 3: measure at step 8 or less" in ended.out
    assert "nan" not in ended.out


def test_dense_cubes_pool_all_lines(attrib, cube_file):
    ended = attrib("period", cube_file, "--axis", "N", "--draws", 199, "--json")
    assert ended.status == 0
    data = json.loads(ended.out)
    assert {item["axis"] for item in data["periods"]} == {"N"}
    assert len({item["tile"] for item in data["periods"]}) == 7
    assert "laws" in data


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--axis", "X"], "--axis 'X': expected M, N or K"),
        ([], "Missing option '--axis'"),
        (["--axis", "N", "--at", "M=4096;K=1"], "--at 'M=4096;K=1': expected sizes of the other axes"),
        (["--axis", "N", "--at", "N=64"], "expected sizes of the other axes, as M=4096,K=4096"),
        (["--axis", "N", "--at", "M=0"], "--at 'M=0'"),
        (["--axis", "N", "--at", "M=1,M=2"], "--at 'M=1,M=2'"),
        (["--axis", "N", "--at", "M=7777"], "has no line of at least 12 samples along N at M=7777"),
        (["--axis", "N", "--tile", "1x1x1"], "is not in the cube"),
        (["--axis", "N", "--draws", "5"], "Invalid value for '--draws'"),
    ],
)
def test_bad_input_is_one_line(attrib, lines_file, arguments, said):
    assert said in attrib("period", lines_file, *arguments).refusal


def test_no_cube(attrib, tmp_path):
    (tmp_path / "x.nc").write_text("no cube")
    assert "x.nc" in attrib("period", tmp_path / "x.nc", "--axis", "N").refusal


@pytest.fixture(scope="module")
def pair_files(tmp_path_factory):
    """Rows as they come and padded, of two tiles and the library."""
    folder = tmp_path_factory.mktemp("pair")
    for rows in ("plain", "padded"):
        cube = bundled_cube(f"h200_bf16_rows_{rows}")
        kept = cube["tile"].isin(["64x64x64", "128x96x64", "vendor"]).values
        save_cube(cube.isel(sample=kept), folder / f"{rows}.nc")
    return folder / "plain.nc", folder / "padded.nc"


def test_a_pair_tells_the_pitch_from_a_tile_of_its_width(attrib, pair_files):
    plain, padded = pair_files
    ended = attrib("period", plain, "--without", padded, "--axis", "N", "--draws", 499, "--json")
    assert ended.status == 0
    data = json.loads(ended.out)
    assert data["pair"] == {"pitch_multiple": [1, 64]}
    found = {(item["tile"], item["mechanism"]): item for item in data["periods"]}
    pitch = found["64x64x64", "row pitch, line of 128 B"]
    assert pitch["status"] == "detected"
    assert pitch["lower"] <= 64 <= pitch["upper"]
    assert ("64x64x64", "tile width or row pitch, line of 128 B") not in found
    assert data["laws"]["law"] == "fixed"
    assert "pair" not in json.loads(attrib("period", plain, "--axis", "N", "--draws", 199, "--json").out)


def test_the_table_of_a_pair_says_what_it_is_of(attrib, pair_files):
    plain, padded = pair_files
    ended = attrib("period", plain, "--without", padded, "--axis", "N", "--tile", "vendor", "--draws", 199)
    assert ended.status == 0
    assert ended.out.startswith("Times of the cube over those of the cube without: what both have cancels.")
    assert "Tile vendor, along N" in ended.out


@pytest.mark.parametrize(
    ("swapped", "arguments", "said"),
    [
        (True, ["--axis", "N"], "the cube has pitch_multiple 64, without: 1; expected rows as they come (1) first"),
        (False, ["--axis", "N", "--at", "M=7777"], "has no line of at least 12 samples along N at M=7777"),
        (False, ["--axis", "M"], "has no line of at least 12 samples along M"),
        (False, ["--axis", "N", "--tile", "128x128x64"], "is not in the cube"),
    ],
)
def test_pairs_that_cannot_be_tested_are_one_line(attrib, pair_files, swapped, arguments, said):
    plain, padded = reversed(pair_files) if swapped else pair_files
    assert said in attrib("period", plain, "--without", padded, *arguments).refusal


def test_cubes_that_are_no_pair_are_one_line(attrib, pair_files, lines_file, tmp_path):
    plain, padded = pair_files
    assert "nothing was changed between them" in attrib("period", plain, "--without", plain, "--axis", "N").refusal
    refusal = attrib("period", lines_file, "--without", padded, "--axis", "N").refusal
    assert "tile 256x128x64 is not in the cube without the mechanism, which has 64x64x64" in refusal
    assert "missing.nc" in attrib("period", plain, "--without", tmp_path / "missing.nc", "--axis", "N").refusal
