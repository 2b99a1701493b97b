"""``attrib attribute``: shares per stage."""

import json

import pytest

from harness.device import load_device
from harness.store import save_cube


@pytest.fixture(scope="module")
def pair_file(coarse, tmp_path_factory):
    path = tmp_path_factory.mktemp("pair") / "pair.nc"
    save_cube(coarse.isel(tile=[0, 1]), path)
    return path


def test_json_is_the_list_of_stages_and_its_shares_add_up(attrib, pair_file, model_file):
    ended = attrib("attribute", pair_file, "--model", model_file, "--json")
    assert ended.status == 0
    stages = json.loads(ended.out, parse_constant=pytest.fail)
    assert [stage["name"] for stage in stages][:2] == ["fixed 256x128x64", "best tile"]
    for stage in stages:
        shares = sum(share["share"] for share in stage["attribution"].values())
        assert shares == pytest.approx(stage["roughness"]["slice_N"])


def test_tables(attrib, pair_file, model_file):
    ended = attrib("attribute", pair_file, "--model", model_file)
    assert "best tile + pad + split" in ended.out
    assert "wave quantization" in ended.out
    assert "unexplained" in ended.out
    assert "removed by best tile" in ended.out
    assert "table values until their plan has been run" in ended.out


def test_the_fixed_tile_can_be_chosen(attrib, pair_file, model_file):
    stages = json.loads(attrib("attribute", pair_file, "--model", model_file, "--tile", "128x256x64", "--json").out)
    assert stages[0]["name"] == "fixed 128x256x64"
    assert "tile '1x1x1' is not in the cube, which has" in attrib("attribute", pair_file, "--tile", "1x1x1").refusal


def test_a_model_of_other_timings_is_said_to_be_one(attrib, cube_file, pair_file, model_file, tmp_path):
    assert "note:" not in attrib("attribute", cube_file, "--model", model_file).err
    assert (
        "was fitted to other timings than those of this cube"
        in attrib("attribute", pair_file, "--model", model_file).err
    )


def test_samples_without_a_grid_have_stages_but_no_shares(attrib, sparse_file, model_file):
    ended = attrib("attribute", sparse_file, "--model", model_file)
    assert ended.status == 0
    assert "the samples form no grid" in ended.out
    stages = json.loads(attrib("attribute", sparse_file, "--model", model_file, "--json").out)
    assert {stage["attribution"] for stage in stages} == {None}


def test_a_model_of_something_else_is_refused(attrib, coarse, pair_file, model_file, tmp_path):
    save_cube(coarse.assign_attrs(device=load_device("b580").to_json()), tmp_path / "b580.nc")
    refusal = attrib("attribute", tmp_path / "b580.nc", "--model", model_file).refusal
    assert "is a model of NVIDIA H200, the cube was measured on Intel Arc B580" in refusal
    save_cube(coarse.assign_attrs(dtype="f32"), tmp_path / "f32.nc")
    assert "elements of 2 bytes" in attrib("attribute", tmp_path / "f32.nc", "--model", model_file).refusal
    refusal = attrib("attribute", pair_file, "--model", model_file, "--also", pair_file).refusal
    assert "--also is for fitting" in refusal
    assert "pair.nc: not a model" in attrib("attribute", pair_file, "--model", pair_file).refusal
    assert "no such file" in attrib("attribute", pair_file, "--model", tmp_path / "none.json").refusal


def test_every_quantity_with_its_unit_and_who_can_act(attrib, pair_file, model_file):
    stages = json.loads(attrib("attribute", pair_file, "--model", model_file, "--json").out)
    units = {"slice_N": "TFLOP/s per step", "lost_throughput": "TFLOP/s", "slowdown": "ln of time over ideal time"}
    for stage in stages:
        assert set(stage["attributions"]) >= {"slice_N", "slice_M", "M", "N", "K", "mean", *units}
        for key, part in stage["attributions"].items():
            assert part["unit"] == units.get(key, "TFLOP/s per step")
            shares = sum(share["share"] for share in part["shares"].values())
            assert shares == pytest.approx(part["measured"], rel=1e-9)
            actors = part["who_can_act"]["actors"]
            assert sum(share["share"] for share in actors.values()) == pytest.approx(part["measured"], rel=1e-9)
        assert stage["attributions"]["slice_N"]["shares"] == stage["attribution"]
        variance = stage["variance_of_time"]
        assert (variance is None) == (stage["name"] not in ("fixed 256x128x64", "fixed 128x256x64"))
        if variance is not None:
            assert sum(variance["shares"].values()) == pytest.approx(variance["r_squared"])
            assert 0.5 < variance["r_squared"] <= 1


def test_a_quantity_can_be_chosen(attrib, pair_file, model_file):
    asked = ("--quantity", "slowdown", "--quantity", "K")
    ended = attrib("attribute", pair_file, "--model", model_file, *asked)
    assert "Who can act: mean natural logarithm of time over ideal time" in ended.out
    assert "roughness along K" in ended.out
    assert "roughness along N, slice at the largest K, " not in ended.out
    assert "Variance of relative time" in ended.out
    stages = json.loads(attrib("attribute", pair_file, "--model", model_file, *asked, "--json").out)
    assert {tuple(stage["attributions"]) for stage in stages} == {("K", "slowdown")}
    assert all(stage["attribution"] for stage in stages)
    refused = attrib("attribute", pair_file, "--quantity", "speed")
    assert refused.status == 2
    assert "--quantity speed: there is slice_N, slice_M, M, N, K, mean" in refused.refusal
