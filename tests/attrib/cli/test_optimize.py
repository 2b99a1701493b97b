"""``attrib optimize``: a plan, its header and its lookup."""

import json

import pytest

from attrib.dispatch_header import dispatch_header
from attrib.plan import Plan
from harness.store import save_cube


@pytest.fixture(scope="module")
def plan_file(cube_file, tmp_path_factory):
    from attrib.cli.main import main

    path = tmp_path_factory.mktemp("plan") / "plan.nc"
    assert main(["optimize", str(cube_file), "-o", str(path)]) == 0
    return path


def test_the_last_stage_is_planned(attrib, cube_file, tmp_path):
    ended = attrib("optimize", cube_file, "-o", tmp_path / "plan.nc", "--header", tmp_path / "dispatch.h")
    assert (ended.status, ended.err) == (0, "")
    plan = Plan.open(tmp_path / "plan.nc")
    assert plan.stage == "best tile + pad + split"
    assert (tmp_path / "dispatch.h").read_text() == dispatch_header(plan)
    for said in ("% padded", "% split", "% over fixed 256x128x64", "% over best tile", "table values until"):
        assert said in ended.out


def test_one_kernel_is_padded_and_split(attrib, one_tile_file, tmp_path):
    assert attrib("optimize", one_tile_file, "-o", tmp_path / "plan.nc").status == 0
    assert Plan.open(tmp_path / "plan.nc").stage == "fixed 256x128x64 + pad + split"


def test_where_shapes_cannot_be_split_they_are_padded(attrib, coarse, tmp_path):
    save_cube(coarse.isel(N=slice(1, None)), tmp_path / "cube.nc")
    data = json.loads(attrib("optimize", tmp_path / "cube.nc", "--json").out)
    assert data["stage"] == "best tile + pad"
    assert data["split"] == 0


def test_a_stage_can_be_chosen(attrib, cube_file, tmp_path):
    data = json.loads(attrib("optimize", cube_file, "--stage", "fixed vendor", "--json").out)
    assert (data["stage"], data["padded"], data["split"], data["max_launches"]) == ("fixed vendor", 0, 0, 1)
    data = json.loads(
        attrib("optimize", cube_file, "--tile", "64x64x64", "--stage", "fixed 64x64x64 + pad", "--json").out
    )
    assert data["gain_over"]["fixed 64x64x64"] >= 0
    refusal = attrib("optimize", cube_file, "--stage", "magic", "-o", tmp_path / "plan.nc").refusal
    assert "stage 'magic' is unknown: this cube has fixed 256x128x64; best tile" in refusal
    assert list(tmp_path.iterdir()) == []


def test_lookup_is_that_of_the_plan(attrib, cube_file, plan_file):
    plan = Plan.open(plan_file)
    shapes = [(1000, 512, 4096), (100, 100, 100), (3333, 4096, 2000)]
    asked = [word for shape in shapes for word in ("--lookup", ",".join(map(str, shape)))]
    data = json.loads(attrib("optimize", plan_file, *asked, "--json").out)
    assert data["lookup"] == json.loads(attrib("optimize", cube_file, *asked, "--json").out)["lookup"]
    for shape, found in zip(shapes, data["lookup"], strict=True):
        assert tuple(found["shape"]) == shape
        assert found["time_s"] == plan.lookup(*shape).time
        launches = plan.launches(*shape)
        assert [launch["tile"] for launch in found["launches"]] == [launch.tile.name for launch in launches]
        assert [tuple(launch["padded"]) for launch in found["launches"]] == [x.padded for x in launches]
    text = attrib("optimize", plan_file, *asked).out
    assert "1000x512x4096: " in text
    assert "planned" in text


@pytest.mark.parametrize(
    ("lookup", "said"),
    [
        ("1,2", "expected M,N,K"),
        ("1,2,x", "expected M,N,K"),
        ("1,2,-3", "expected M,N,K"),
        ("0,2,3", "expected M,N,K"),
        ("5000,1,1", "M=5000 is out of reach"),
    ],
)
def test_a_bad_lookup_is_refused_and_nothing_is_written(attrib, contents, cube_file, tmp_path, lookup, said):
    outputs = ["-o", tmp_path / "plan.nc", "--header", tmp_path / "d.h"]
    assert said in attrib("optimize", cube_file, *outputs, "--lookup", lookup).refusal
    assert contents(tmp_path) == {}


def test_a_header_of_a_plan_that_is_there(attrib, plan_file, tmp_path):
    ended = attrib("optimize", plan_file, "--header", tmp_path / "d.h", "--prefix", "h200")
    assert ended.status == 0
    assert (tmp_path / "d.h").read_text() == dispatch_header(Plan.open(plan_file), "h200")
    assert (
        "is no C identifier" in attrib("optimize", plan_file, "--header", tmp_path / "e.h", "--prefix", "2").refusal
    )
    assert not (tmp_path / "e.h").exists()
    assert "is a plan already" in attrib("optimize", plan_file, "-o", tmp_path / "p.nc").refusal


def test_one_name_for_two_outputs_is_refused(attrib, cube_file, tmp_path):
    refusal = attrib("optimize", cube_file, "-o", tmp_path / "p", "--header", tmp_path / "p").refusal
    assert "is another output" in refusal


def test_a_cut_short_plan_is_refused(attrib, plan_file, tmp_path):
    whole = plan_file.read_bytes()
    (tmp_path / "plan.nc").write_bytes(whole[: len(whole) * 3 // 4])
    assert "plan.nc" in attrib("optimize", tmp_path / "plan.nc", "--lookup", "100,100,100").refusal


def test_samples_without_a_grid_have_no_plan(attrib, sparse_file, tmp_path):
    assert "the samples form no grid" in attrib("optimize", sparse_file, "-o", tmp_path / "plan.nc").refusal
    assert list(tmp_path.iterdir()) == []
