"""attrib claims, through real files."""

import json
from pathlib import Path

import pytest

from harness.store import save_cube

FOREIGN = Path(__file__).parents[3].parent / "shared" / "data" / "b60_bf16_vllm0.20.csv.gz"


@pytest.fixture(scope="module")
def ledger(cube_file, model_file, tmp_path_factory):
    """Outcome of one run with a page, which several tests read."""
    return cube_file, model_file, tmp_path_factory.mktemp("claims") / "claims.md"


def test_table_first_then_plain_sentences(attrib, ledger):
    cube, model, page = ledger
    done = attrib("claims", cube, "--model", model, "-o", page)
    assert done.status == 0
    assert done.out.startswith("Claims\n")
    assert "SUPPORTED: " in done.out
    assert "wholly on the claim's side" in done.out
    assert "claim: K is the smooth axis" in done.err
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Claims on cube.nc\n")
    assert text.count("\n| ") >= 15


def test_json_is_a_list_of_claims(attrib, cube_file, model_file):
    done = attrib("claims", cube_file, "--model", model_file, "--json")
    assert done.status == 0
    found = json.loads(done.out)
    assert len(found) >= 14
    assert {item["verdict"] for item in found} <= {"supported", "refuted", "not testable here"}
    for item in found:
        assert item["plain"].endswith(".")
        assert item["reason"]
        if item["verdict"] != "not testable here":
            assert item["lower"] <= item["effect"] <= item["upper"]
    named = {item["name"]: item for item in found}
    # This landscape was measured: its jumps return, and one tile is not enough.
    assert named["one tile does not suffice"]["verdict"] == "supported"
    assert named["ruggedness is not noise"]["p_value"] < 0.05


def test_a_sparse_cube_says_what_is_missing(attrib, sparse_file):
    done = attrib("claims", sparse_file, "--json")
    assert done.status == 0
    found = json.loads(done.out)
    assert all(item["verdict"] == "not testable here" for item in found)
    assert any("no grid" in item["reason"] for item in found)


def test_bad_input_is_refused_and_nothing_written(attrib, cube_file, model_file, tmp_path, contents):
    before = contents(tmp_path)
    assert "ends in .md" in attrib("claims", cube_file, "-o", tmp_path / "claims.txt").refusal
    assert "does not exist" in attrib("claims", cube_file, "-o", tmp_path / "no" / "claims.md").refusal
    assert "no such file" in attrib("claims", tmp_path / "none.nc").refusal
    assert "is given twice" in attrib("claims", cube_file, "--model", model_file, "--also", cube_file).refusal
    assert contents(tmp_path) == before


def test_a_library_with_a_hidden_tile(attrib, coarse, tmp_path):
    path = tmp_path / "vendor.nc"
    save_cube(coarse.isel(tile=[-1]), path)
    done = attrib("claims", path, "--json")
    assert done.status == 0
    found = {item["name"]: item for item in json.loads(done.out)}
    assert "hides its tile" in found["padding leaves slow paths"]["reason"]
    assert found["K is the smooth axis"]["effect"] is not None


def test_imported_timings_go_as_far_as_they_can(attrib, tmp_path):
    if not FOREIGN.exists():
        pytest.skip("the shared data are not here")
    path = tmp_path / "b60.nc"
    assert attrib("import", FOREIGN, "--device", "b60", "--dtype", "bf16", "-o", path).status == 0
    done = attrib("claims", path, "--json")
    assert done.status == 0
    found = {item["name"]: item for item in json.loads(done.out)}
    # A library, measured once a shape, on sizes that fill most of a grid.
    assert "repeats" in found["ruggedness is not noise"]["reason"]
    assert "hides its tile" in found["peaks divide by the cores"]["reason"]
    assert found["K is the smooth axis"]["effect"] is not None
    assert found["no M x N interaction"]["verdict"] != "refuted"
