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
