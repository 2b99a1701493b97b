"""``attrib fit --propose-shapes``: shapes that ``attrib measure`` takes, with the reasons for them."""

import json

import numpy as np
import pytest

from attrib.cli.inputs import read_grid_or_shapes


def test_shapes_are_written_for_a_sweep_and_explained(attrib, one_tile_file, tmp_path):
    proposed = tmp_path / "shapes.csv"
    ended = attrib("fit", one_tile_file, "--draws", "20", "--propose-shapes", "48", "--shapes-out", proposed)
    assert ended.status == 0, ended.err
    shapes = read_grid_or_shapes(None, proposed)
    assert 40 <= len(shapes) <= 48
    assert f"{len(shapes)} shapes that would tell what is open: {proposed}" in ended.out
    assert "alignment of K and N" in ended.out
    assert "hardware constants, from the timings alone" in ended.out
    assert "not identifiable on this grid: granularity of K" in ended.out
    assert len(np.unique(shapes[:, 2] % 64)) > 3


def test_a_sweep_takes_them(attrib, one_tile_file, tmp_path):
    out = tmp_path / "shapes.csv"
    assert attrib("fit", one_tile_file, "--draws", "20", "--propose-shapes", "8", "--shapes-out", out).status == 0
    cube = tmp_path / "cube.nc"
    ended = attrib("measure", "--backend", "twin", "--tiles", "256x256x32", "--shapes", out, "-o", cube)
    assert ended.status == 0, ended.err
    assert cube.exists()


def test_json_holds_the_fit_of_the_contract_and_the_proposal(attrib, one_tile_file):
    plain = json.loads(attrib("fit", one_tile_file, "--draws", "20", "--json").out)
    ended = attrib("fit", one_tile_file, "--draws", "20", "--json", "--propose-shapes", "16")
    data = json.loads(ended.out, parse_constant=pytest.fail)
    assert data["fit"] == plain
    assert sum(len(group["shapes"]) for group in data["proposed"]) <= 16
    assert all(group["reason"] for group in data["proposed"])
    (tile,) = plain.values()
    for name in ("cores", "residency", "cache_spill_bytes", "base_overhead_s"):
        assert {"estimate", "set", "status", "unit"} <= tile["constants"][name].keys()
    for constant in tile["constants"].values():
        assert constant["status"] == "identified" or constant["status"].startswith(
            "not identifiable on this grid: "
        )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--propose-shapes", "3"], "at least 8 shapes"),
        (["--propose-shapes", "100000"], "at most 5000 shapes"),
        (["--shapes-out", "shapes.csv"], "needs --propose-shapes"),
        (["--propose-shapes", "8", "--shapes-out", "CUBE"], "is an input of this command"),
        (["--propose-shapes", "8", "--shapes-out", "missing/shapes.csv"], "does not exist"),
        (["--propose-shapes", "8", "-o", "same.json", "--shapes-out", "same.json"], "another output"),
    ],
)
def test_bad_requests_are_one_line_and_write_nothing(attrib, one_tile_file, tmp_path, monkeypatch, options, match):
    monkeypatch.chdir(tmp_path)
    given = [str(one_tile_file) if option == "CUBE" else option for option in options]
    before = one_tile_file.read_bytes()
    assert match in attrib("fit", one_tile_file, "--draws", "20", *given).refusal
    assert list(tmp_path.iterdir()) == []
    assert one_tile_file.read_bytes() == before


def test_a_cube_given_twice_is_refused(attrib, one_tile_file):
    assert "is given twice" in attrib("fit", one_tile_file, one_tile_file).refusal
