"""Prediction of tables: the same numbers as the model's, in the order asked for, and refusals with the row."""

import numpy as np
import pandas as pd
import pytest

import attrib.predict
from attrib.predict import COLUMNS, predict_table, read_shapes
from harness.errors import InputError
from harness.landscapes import bundled_cube
from models.additive import AdditiveModel


@pytest.fixture(scope="module")
def model():
    cube = bundled_cube("h200_bf16_grid").isel(
        tile=[0, 2, -1], M=slice(1, None, 2), N=slice(1, None, 2), K=slice(3, None, 4)
    )
    return AdditiveModel(draws=20).fit(cube)


@pytest.fixture
def shapes():
    sizes = np.random.default_rng(1).integers(1, 5000, size=(200, 3))
    return pd.DataFrame(sizes, columns=list("MNK"), index=np.arange(200)[::-1])


def test_numbers_are_those_of_the_model(model, shapes):
    for label in model.tiles:
        table = predict_table(model, shapes, tile=label, level=0.8)
        found = model.predict(label, *(shapes[axis].to_numpy() for axis in "MNK"), 0.8)
        assert tuple(table.columns) == COLUMNS
        assert table.index.equals(shapes.index)
        assert set(table["tile"]) == {label}
        for name, values in zip(COLUMNS[4:], vars(found).values(), strict=True):
            np.testing.assert_array_equal(table[name].to_numpy(), values)


def test_the_best_tile_is_the_fastest_of_known_sizes(model, shapes):
    every = predict_table(model, shapes, tile="all")
    assert every["tile"].tolist() == list(model.tiles) * len(shapes)
    assert every.index.tolist() == np.repeat(shapes.index, len(model.tiles)).tolist()
    known = every[every["tile"] != "vendor"].reset_index()
    fastest = known.loc[known.groupby("index", sort=False)["time_s"].idxmin()].set_index("index")
    best = predict_table(model, shapes)
    pd.testing.assert_frame_equal(best, fastest, check_names=False)


def test_a_library_is_taken_where_it_is_all_there_is(shapes):
    cube = bundled_cube("h200_bf16_grid").isel(
        tile=[-1], M=slice(1, None, 2), N=slice(1, None, 2), K=slice(3, None, 4)
    )
    table = predict_table(AdditiveModel(draws=20).fit(cube), shapes)
    assert set(table["tile"]) == {"vendor"}


def test_rows_may_name_their_tile(model, shapes):
    labels = list(model.tiles)
    named = shapes.assign(tile=[*labels, "", None] * 40)
    table = predict_table(model, named)
    given = named["tile"].isin(labels)
    assert (table["tile"][given] == named["tile"][given]).all()
    pd.testing.assert_frame_equal(table[~given], predict_table(model, shapes)[~given])
    with pytest.raises(InputError, match="names its tiles in a column"):
        predict_table(model, named, tile=labels[0])


def test_contributions_add_up_to_the_time(model, shapes):
    table = predict_table(model, shapes, tile="all", contributions=True)
    parts = table.iloc[:, len(COLUMNS) :]
    assert (parts.to_numpy() >= 0).all()
    np.testing.assert_allclose(parts.sum(axis=1), table["time_s"], rtol=1e-12)
    pd.testing.assert_frame_equal(table.iloc[:, : len(COLUMNS)], predict_table(model, shapes, tile="all"))


@pytest.mark.parametrize("tile", [None, "all", "vendor"])
def test_pieces_make_no_difference(model, shapes, monkeypatch, tile):
    whole = predict_table(model, shapes, tile=tile, contributions=True)
    monkeypatch.setattr(attrib.predict, "_CHUNK", 7)
    pd.testing.assert_frame_equal(predict_table(model, shapes, tile=tile, contributions=True), whole)


def test_no_shapes_no_rows(model):
    empty = pd.DataFrame({axis: np.zeros(0, dtype=np.int64) for axis in "MNK"})
    for tile in (None, "all", "vendor"):
        table = predict_table(model, empty, tile=tile)
        assert tuple(table.columns) == COLUMNS
        assert len(table) == 0


def test_text_and_numbers_are_the_same_shapes(model, tmp_path):
    (tmp_path / "s.csv").write_text('\ufeffname, K ,N,M\r\nx,64,48,32\r\n\r\n"a,\nb", 1e3 ,200.0,3000\r\n', "utf-8")
    read = read_shapes(tmp_path / "s.csv")
    assert read.index.tolist() == [2, 4]
    numbers = pd.DataFrame({"M": [32, 3000], "N": [48, 200], "K": [64, 1000]})
    pd.testing.assert_frame_equal(predict_table(model, read).reset_index(drop=True), predict_table(model, numbers))


@pytest.mark.parametrize("value", [0, -1, 1.5, np.nan, np.inf, "x", "", 2**31])
def test_a_bad_size_is_named_with_its_row(model, value):
    shapes = pd.DataFrame({"M": [1, 2], "N": pd.Series([3, value], dtype=object), "K": [4, 5]})
    with pytest.raises(InputError, match=r"row 1: N is .*, expected a whole number of elements from 1 to"):
        predict_table(model, shapes)


def test_what_is_asked_for_must_be_known(model, shapes):
    with pytest.raises(InputError, match="tile '7x7x7' is not in the model, which knows 256x128x64"):
        predict_table(model, shapes, tile="7x7x7")
    with pytest.raises(InputError, match=r"level 0\.42 is unknown: intervals are known for 0\.5"):
        predict_table(model, shapes, level=0.42)
    with pytest.raises(InputError, match="missing column K; found M, N"):
        predict_table(model, shapes[["M", "N"]])
    with pytest.raises(InputError, match="row 199: tile 'x' is not in the model"):
        predict_table(model, shapes.assign(tile="x"))
