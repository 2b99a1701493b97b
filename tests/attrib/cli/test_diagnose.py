"""``attrib diagnose``: tables and sentences, JSON alone, a page, and nothing on bad input."""

import json

import pytest

from attrib.cli.diagnose import SMALLEST
from harness.store import save_cube
from models.inference import nested


@pytest.fixture(scope="module")
def ended(one_tile_file, model_file, tmp_path_factory):
    from attrib.cli.main import main

    page = tmp_path_factory.mktemp("diagnose") / "diagnostics.html"
    assert main(["diagnose", str(one_tile_file), "--model", str(model_file), "--draws", "99", "-o", str(page)]) == 0
    return page


def test_prints_tests_and_findings(attrib, one_tile_file, model_file, ended):
    out = attrib("diagnose", one_tile_file, "--model", model_file, "--draws", "99")
    assert out.status == 0
    assert "noise against lack of fit" in out.out
    assert "each mechanism, beside all others" in out.out
    assert "Measurement noise in the held-out squared error: 256x128x64: " in out.out
    assert "diagnosing 256x128x64" in out.err
    assert "×" not in out.out
    assert "</html>" in ended.read_text()


def test_json_is_the_diagnostics_and_nothing_else(attrib, one_tile_file, model_file):
    out = attrib("diagnose", one_tile_file, "--model", model_file, "--draws", "99", "--json")
    data = json.loads(out.out, parse_constant=pytest.fail)
    assert data["draws"] == 99
    (tile,) = data["tiles"].values()
    assert {"lack_of_fit", "terms", "interactions", "criteria", "robust", "leverage", "collinearity"} <= tile.keys()
    waves = next(test for test in tile["terms"] if test["name"] == "waves")
    assert 0 < waves["p_value"] <= waves["p_holm"] <= 1
    assert waves["in_model"]


def test_fits_a_model_where_none_is_given(attrib, coarse, tmp_path):
    save_cube(coarse.isel(tile=[1], K=slice(0, 3)), tmp_path / "cube.nc")
    out = attrib("diagnose", tmp_path / "cube.nc", "--draws", "99", "--json")
    assert list(json.loads(out.out)["tiles"]) == [str(coarse["tile"].values[1])]


def test_bad_input_is_one_line_and_writes_nothing(attrib, contents, one_tile_file, model_file, tmp_path):
    page = tmp_path / "page.html"
    before = contents(tmp_path)
    assert "no such file" in attrib("diagnose", tmp_path / "none.nc", "-o", page).refusal
    assert "does not exist" in attrib("diagnose", one_tile_file, "-o", tmp_path / "no" / "page.html").refusal
    also = attrib("diagnose", one_tile_file, "--model", model_file, "--also", one_tile_file, "-o", page)
    assert "cannot go with --model" in also.refusal
    assert "draws" in attrib("diagnose", one_tile_file, "--draws", "5", "-o", page).refusal
    assert contents(tmp_path) == before


def test_the_floor_of_p_values_is_that_of_the_tests():
    assert nested.SMALLEST == SMALLEST
