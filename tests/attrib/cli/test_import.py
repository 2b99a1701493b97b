"""``attrib import``: a table becomes a cube, or is refused with nothing written."""

import json

import pandas as pd
import pytest

from harness.cube import is_dense, tiles_of
from harness.store import open_cube

ROWS = [
    f"{m},{n},{k},{tile},{repeat},{1e-5 + 4e-14 * m * n * k + 1e-8 * repeat!r}"
    for m in (256, 512, 1024)
    for n in (256, 512)
    for k in (128, 256)
    for tile in ("128x128x32", "vendor")
    for repeat in (0, 1, 2)
]
GOOD = "\n".join(["M,N,K,tile,repeat,time_s", *ROWS]) + "\n"


def test_the_table_becomes_a_cube_and_is_summed_up(attrib, tmp_path):
    (tmp_path / "t.csv").write_text(GOOD)
    ended = attrib("import", tmp_path / "t.csv", "--device", "b580", "-o", tmp_path / "cube.nc")
    assert (ended.status, ended.err) == (0, "")
    cube = open_cube(tmp_path / "cube.nc")
    assert is_dense(cube)
    assert [tile.name for tile in tiles_of(cube)] == ["128x128x32", "vendor"]
    for said in ("72 rows, 24 cells", "dense: 3 x 2 x 2 shapes", "up to 3 a cell", "us to", "of the bf16 peak"):
        assert said in ended.out


def test_json(attrib, tmp_path):
    (tmp_path / "t.csv").write_text("\n".join(GOOD.splitlines()[:-3]) + "\n")
    ended = attrib("import", tmp_path / "t.csv", "--device", "b580", "-o", tmp_path / "cube.nc", "--json")
    data = json.loads(ended.out)
    assert (data["form"], data["rows"], data["cells"], data["repeats"]) == ("sparse", 69, 23, 3)
    assert data["time_s"][0] == float(open_cube(tmp_path / "cube.nc")["time"].min())
    assert data["best_share_of_peak"] == pytest.approx(data["best_tflops"] / 116.5)


def test_units(attrib, tmp_path):
    table = pd.DataFrame({"M": [256] * 9, "N": [256] * 9, "K": range(32, 320, 32), "time_us": [10.0] * 9})
    table.to_parquet(tmp_path / "t.parquet")
    ended = attrib(
        "import", tmp_path / "t.parquet", "--device", "h200", "--time-unit", "us", "-o", tmp_path / "cube.nc"
    )
    assert ended.status == 0
    assert "times: 10.0 us to 10.0 us" in ended.out


BAD = {
    "missing column": (GOOD.replace("time_s", "seconds_of_it"), "missing column time_s"),
    "negative time": (GOOD.replace(ROWS[4], "512,256,128,vendor,0,-1e-5"), "line 6: time_s is '-1e-5'"),
    "zero time": (GOOD.replace(ROWS[0], "512,256,128,vendor,0,0"), "line 2: time_s is '0'"),
    "text in M": (GOOD.replace(ROWS[7], "big,256,128,vendor,0,1e-5"), "line 9: M is 'big'"),
    "fraction in N": (GOOD.replace(ROWS[7], "256,2.5,128,vendor,0,1e-5"), "line 9: N is '2.5'"),
    "unknown tile": (GOOD.replace(ROWS[3], "256,256,128,128x,0,1e-5"), "line 5: tile is '128x'"),
    "empty file": ("", "the file is empty"),
    "header only": ("M,N,K,time_s\n", "no rows"),
    "milliseconds": (
        "M,N,K,time_s\n" + "".join(f"4096,4096,{k},{1.5 * k / 4096!r}\n" for k in range(256, 4097, 256)),
        "looks like milliseconds",
    ),
    "too fast": ("M,N,K,time_s\n" + "4096,4096,4096,1e-6\n", "too short to be true"),
}


@pytest.mark.parametrize("flaw", BAD)
def test_a_bad_table_is_refused_and_nothing_is_written(attrib, contents, tmp_path, flaw):
    text, said = BAD[flaw]
    (tmp_path / "t.csv").write_text(text)
    (tmp_path / "old.nc").write_bytes(b"what was there")
    before = contents(tmp_path)
    for output in ("cube.nc", "old.nc"):
        refusal = attrib("import", tmp_path / "t.csv", "--device", "b580", "-o", tmp_path / output).refusal
        assert said in refusal
        assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--device", "b850"], "device 'b850' is unknown"),
        (["--device", "none.toml"], "none.toml: cannot read"),
        (["--device", "b580", "--dtype", "bf61"], "dtype 'bf61' is unknown"),
        (["--device", "b580", "--time-unit", "min"], "time unit 'min' is unknown"),
    ],
)
def test_a_bad_option_is_refused(attrib, contents, tmp_path, options, said):
    (tmp_path / "t.csv").write_text(GOOD)
    before = contents(tmp_path)
    assert said in attrib("import", tmp_path / "t.csv", *options, "-o", tmp_path / "cube.nc").refusal
    assert contents(tmp_path) == before


def test_the_unit_check_can_be_switched_off(attrib, tmp_path):
    (tmp_path / "t.csv").write_text(BAD["too fast"][0])
    ended = attrib("import", tmp_path / "t.csv", "--device", "b580", "--no-unit-check", "-o", tmp_path / "cube.nc")
    assert ended.status == 0
    assert (tmp_path / "cube.nc").exists()


def test_the_table_is_not_overwritten(attrib, tmp_path):
    (tmp_path / "t.csv").write_text(GOOD)
    refusal = attrib("import", tmp_path / "t.csv", "--device", "b580", "-o", tmp_path / "t.csv").refusal
    assert "is an input" in refusal
    assert (tmp_path / "t.csv").read_text() == GOOD
