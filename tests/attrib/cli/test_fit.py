"""``attrib fit``: a table to read aloud, JSON by contract, a model that predicts."""

import json

import numpy as np
import pytest

from harness.store import save_cube
from models.additive import AdditiveModel
from models.model_file import open_model


def test_the_table_names_costs_cores_and_what_is_not_identifiable(attrib, cube_file, tmp_path):
    ended = attrib("fit", cube_file, "-o", tmp_path / "model.json", "--draws", "20")
    assert ended.status == 0
    model = open_model(tmp_path / "model.json")
    for label, item in model.tiles.items():
        line = next(line for line in ended.out.splitlines() if line.startswith(f"{label}: "))
        assert f"{item.n:,} samples" in line
        assert f"held-out error {100 * item.mape:.1f} % (median {100 * item.median_ape:.1f} %)" in line
        if "slots" in item.constants:
            cores, resident, slots = (
                f"{item.constants[name].estimate:.0f}" for name in ("cores", "residency", "slots")
            )
            assert f"{cores} cores x {resident} resident = {slots} slots" in line
            assert int(cores) * int(resident) == int(slots)
    assert "hidden tile" in ended.out
    assert " us " in ended.out
    assert " ns/" in ended.out
    assert "GB/s)" in ended.out
    merged = [line for line in ended.out.splitlines() if line.startswith("not identifiable on this grid: ")]
    assert len([line for line in merged if "row pitch" in line]) == 1
    assert ended.out.isascii() or "─" in ended.out


def test_json_is_the_fit_of_the_contract_and_nothing_else(attrib, cube_file, model_file):
    ended = attrib("fit", cube_file, "--draws", "20", "--json")
    data = json.loads(ended.out, parse_constant=pytest.fail)
    assert data == open_model(model_file).to_contract()
    for item in data.values():
        assert {"n", "mape", "median_ape", "constants", "terms"} <= item.keys()


def test_the_model_predicts_as_the_library_does(coarse, model_file):
    saved, fitted = open_model(model_file), AdditiveModel(draws=20).fit(coarse)
    sizes = np.array([[300], [1000], [4096]])
    for label in fitted.tiles:
        np.testing.assert_array_equal(
            saved.predict(label, *sizes).time, fitted.predict(label, *sizes).time, strict=True
        )


def test_more_cubes_may_be_named_in_either_way(attrib, coarse, tmp_path):
    save_cube(coarse.isel(tile=[0]), tmp_path / "a.nc")
    save_cube(coarse.isel(tile=[0], K=slice(0, 3)), tmp_path / "b.nc")
    options = ["--draws", "20", "--json"]
    first = attrib("fit", tmp_path / "a.nc", "--also", tmp_path / "b.nc", *options)
    second = attrib("fit", tmp_path / "a.nc", tmp_path / "b.nc", *options)
    alone = attrib("fit", tmp_path / "a.nc", *options)
    assert first.out == second.out
    (item,) = json.loads(first.out).values()
    (other,) = json.loads(alone.out).values()
    assert item["n"] == other["n"] + coarse.isel(tile=[0], K=slice(0, 3))["time"].size


def test_too_little_to_fit_is_one_line(attrib, contents, coarse, tmp_path):
    save_cube(coarse.isel(M=[0, 1], N=[0, 1]), tmp_path / "tiny.nc")
    before = contents(tmp_path)
    refusal = attrib("fit", tmp_path / "tiny.nc", "-o", tmp_path / "model.json").refusal
    assert "blocks of neighbouring (M, N)" in refusal
    assert contents(tmp_path) == before


def test_ctrl_c_leaves_the_old_model(attrib, contents, monkeypatch, coarse, cube_file, tmp_path):
    (tmp_path / "model.json").write_text("old")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(AdditiveModel, "fit", interrupted)
    ended = attrib("fit", cube_file, "-o", tmp_path / "model.json")
    assert ended.status == 130
    assert ended.err == "attrib: interrupted\n"
    assert contents(tmp_path) == {"model.json": b"old"}
