"""``attrib predict``: files of shapes, shapes on the command line, and refusals with the line."""

import io
import json

import pandas as pd
import pytest

from attrib.predict import COLUMNS, predict_table
from models.model_file import open_model

SHAPES = "M,N,K\n1000,512,4096\n256,256,512\n\n4096,4096,4096\n"


@pytest.fixture
def shapes_file(tmp_path):
    path = tmp_path / "shapes.csv"
    path.write_text(SHAPES)
    return path


def test_the_table_has_the_columns_of_the_contract(attrib, model_file, shapes_file, tmp_path):
    ended = attrib("predict", model_file, shapes_file, "-o", tmp_path / "out.csv")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(f"{tmp_path / 'out.csv'}: 3 rows, ")
    table = pd.read_csv(tmp_path / "out.csv")
    assert tuple(table.columns) == COLUMNS
    assert table[["M", "N", "K"]].to_numpy().tolist() == [
        [1000, 512, 4096],
        [256, 256, 512],
        [4096, 4096, 4096],
    ]
    assert table["extrapolated"].tolist() == [True, False, False]
    assert (table["lower_s"] <= table["time_s"]).all()
    assert (table["time_s"] <= table["upper_s"]).all()
    expected = predict_table(open_model(model_file), table[["M", "N", "K"]])
    pd.testing.assert_frame_equal(table, expected, check_exact=True, check_dtype=False)


def test_without_a_file_the_table_goes_to_stdout(attrib, model_file, shapes_file):
    whole = attrib("predict", model_file, shapes_file).out
    assert whole == attrib("predict", model_file, shapes_file, "-o", "-").out
    assert len(pd.read_csv(io.StringIO(whole))) == 3
    given = ["--shape", "1000,512,4096", "--shape", "256,256,512", "--shape", "4096,4096,4096"]
    assert attrib("predict", model_file, *given).out == whole


def test_json(attrib, model_file, shapes_file, tmp_path):
    records = json.loads(attrib("predict", model_file, shapes_file, "--json").out)
    assert [tuple(record) for record in records] == [COLUMNS] * 3
    written = json.loads(attrib("predict", model_file, shapes_file, "-o", tmp_path / "out.csv", "--json").out)
    assert written == {"output": str(tmp_path / "out.csv"), "rows": 3, "extrapolated": 1, "simulated": False}


def test_tiles_levels_and_contributions(attrib, model_file, shapes_file):
    labels = list(open_model(model_file).tiles)
    every = pd.read_csv(io.StringIO(attrib("predict", model_file, shapes_file, "--tile", "all").out))
    assert every["tile"].tolist() == labels * 3
    vendor = pd.read_csv(
        io.StringIO(
            attrib("predict", model_file, shapes_file, "--tile", "vendor", "--contributions", "--level", "0.99").out
        )
    )
    assert set(vendor["tile"]) == {"vendor"}
    parts = vendor.columns[len(COLUMNS) :]
    assert "base_overhead_s" in parts
    assert vendor[list(parts)].sum(axis=1).to_numpy() == pytest.approx(vendor["time_s"].to_numpy())


BAD = {
    "text": ("M,N,K\n1,2,3\n1,two,3\n", "shapes.csv, line 3: N is 'two'"),
    "negative": ("M,N,K\n1,2,3\n\n4,5,-6\n", "shapes.csv, line 4: K is '-6'"),
    "zero": ("M,N,K\n0,2,3\n", "shapes.csv, line 2: M is '0'"),
    "fraction": ("M,N,K\n1.5,2,3\n", "shapes.csv, line 2: M is '1.5'"),
    "infinite": ("M,N,K\n1,inf,3\n", "shapes.csv, line 2: N is 'inf'"),
    "empty value": ("M,N,K\n1,,3\n", "shapes.csv, line 2: N is ''"),
    "huge": ("M,N,K\n1,2,99999999999\n", "shapes.csv, line 2: K is"),
    "unknown tile": ("M,N,K,tile\n1,2,3,64x64x64\n1,2,3,7x7x7\n", "line 3: tile '7x7x7' is not in the model"),
    "missing column": ("M,N\n1,2\n", "missing column K"),
    "column twice": ("M,N,K,K\n1,2,3,4\n", "occurs 2 times"),
    "ragged": ("M,N,K\n1,2,3\n1,2\n", "shapes.csv, line 3: expected 3 values"),
    "empty": ("", "the file is empty"),
    "header only": ("M,N,K\n", "no rows"),
}


@pytest.mark.parametrize("flaw", BAD)
def test_bad_shapes_are_refused_with_their_line(attrib, contents, model_file, tmp_path, flaw):
    text, said = BAD[flaw]
    (tmp_path / "shapes.csv").write_text(text)
    (tmp_path / "out.csv").write_text("old")
    before = contents(tmp_path)
    assert said in attrib("predict", model_file, tmp_path / "shapes.csv", "-o", tmp_path / "out.csv").refusal
    assert contents(tmp_path) == before


def test_bad_options_are_refused(attrib, cube_file, model_file, shapes_file, tmp_path):
    assert "level 0.42 is unknown" in attrib("predict", model_file, shapes_file, "--level", "0.42").refusal
    assert (
        "tile '7x7x7' is not in the model" in attrib("predict", model_file, shapes_file, "--tile", "7x7x7").refusal
    )
    assert "expected M,N,K" in attrib("predict", model_file, "--shape", "12").refusal
    assert "either a file of shapes or --shape" in attrib("predict", model_file).refusal
    assert "either" in attrib("predict", model_file, shapes_file, "--shape", "1,2,3").refusal
    assert "not a model" in attrib("predict", cube_file, shapes_file).refusal
    assert "no such file" in attrib("predict", tmp_path / "none.json", shapes_file).refusal
    assert "no such file" in attrib("predict", model_file, tmp_path / "none.csv").refusal
    assert "cannot be read as CSV" in attrib("predict", model_file, tmp_path).refusal
    assert "is an input" in attrib("predict", model_file, shapes_file, "-o", shapes_file).refusal
    assert shapes_file.read_text() == SHAPES


def test_a_cut_short_model_is_refused(attrib, model_file, shapes_file, tmp_path):
    text = model_file.read_text()
    (tmp_path / "model.json").write_text(text[: len(text) // 2])
    assert (
        "model.json: not a model written by 'attrib fit', or cut short"
        in attrib("predict", tmp_path / "model.json", shapes_file).refusal
    )
