"""summary.json: the contract's schema, no NaN anywhere, and never half a file."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from attrib.analysis import analyse
from attrib.attribution import FLOOR, NOISE, UNEXPLAINED
from attrib.summary import summary, write_summary
from harness.cube import dense_cube, sparse_cube
from harness.device import DeviceRecord
from harness.errors import InputError
from harness.tile import Tile
from models.additive import AdditiveModel

SCHEMA = Path(__file__).parents[2].parent / "shared" / "summary.schema.json"
SIDE, DEPTH = np.arange(128, 2049, 128), np.arange(256, 2049, 256)
TILES = [Tile.parse(name) for name in ("256x128x32", "64x128x32")]
DEVICE = DeviceRecord(
    "known", "Known", "tests", "gpu", cores=16, peak_flops_per_s={"bf16": 5e13}, bandwidth_bytes_per_s=4e11
)
BLANK = DeviceRecord("blank", "Blank", "tests", "other", simulated=True)
QUICK = AdditiveModel(draws=5)


def seconds(tile, M, N, K):
    groups = -(-M // tile.m) * -(-N // tile.n)
    area = tile.m * tile.n / 32768
    return 4e-6 + -(-groups // 16) * (2e-6 + -(-K // 32) * 9e-7 * area) + groups * K * 1e-10


def make(kind):
    if kind == "sparse":
        rows = 16 * np.random.default_rng(0).integers(1, 129, (500, 3))
        tiles = [TILES[i % 2] for i in range(500)]
        times = [seconds(tile, *row) for tile, row in zip(tiles, rows, strict=True)]
        return sparse_cube(times, rows, tiles, BLANK)
    times = np.stack([seconds(tile, *np.ix_(SIDE, SIDE, DEPTH)) for tile in TILES])
    if kind == "hidden":
        return dense_cube(times[1:], SIDE, SIDE, DEPTH, [Tile.parse("vendor")], BLANK)
    if kind == "holes":
        times[0, :, :, -1] = np.nan
        times[1].reshape(-1)[::3] = np.nan
        return dense_cube(times, SIDE, SIDE, DEPTH, TILES, DEVICE)
    if kind == "single depth":
        return dense_cube(times[..., -1:], SIDE, SIDE, DEPTH[-1:], TILES, DEVICE)
    attrs = {"measured_at": "2026-01-01T00:00:00+00:00"}
    return dense_cube(times, SIDE, SIDE, DEPTH, TILES, DEVICE, spread=0.01 * times, attrs=attrs)


@pytest.fixture(scope="module", params=["dense", "sparse", "hidden", "holes", "single depth"])
def analysed(request):
    cube = make(request.param)
    return analyse(cube, fit=QUICK.fit(cube))


@pytest.fixture(scope="module")
def dense():
    cube = make("dense")
    return analyse(cube, fit=QUICK.fit(cube))


def test_it_follows_the_schema(analysed):
    if not SCHEMA.is_file():
        pytest.skip("the contract's schema is not beside this checkout")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(summary(analysed))


def test_it_is_json_without_nan(analysed):
    data = summary(analysed)
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_it_covers_every_stage_and_everything_skipped(analysed):
    data = summary(analysed)
    assert [stage["name"] for stage in data["stages"]] == [stage.name for stage in analysed.stages]
    assert [item["part"] for item in data["skipped"]] == [item.part for item in analysed.skipped]
    assert list(data["fit"]) == list(analysed.fit.tiles)
    assert data["cube"]["form"] == ("dense" if analysed.landscape else "sparse")
    assert data["cube"]["ok"] == int(np.isfinite(analysed.cube["time"].values).sum())
    for stage in data["stages"]:
        assert {"M", "N", "K", "mean", "slice_N"} <= set(stage["roughness"])


def test_shares_in_json_add_up(analysed):
    for stage in summary(analysed)["stages"]:
        if stage["attribution"] is not None:
            total = sum(share["share"] for share in stage["attribution"].values())
            assert total == pytest.approx(stage["roughness"]["slice_N"])
            assert {FLOOR, UNEXPLAINED, NOISE} <= set(stage["attribution"])
        else:
            assert stage["note"]


def test_values_are_those_of_the_analysis(dense):
    data = summary(dense)
    assert data["schema_version"] == 1
    assert data["device"] == {
        "id": "known",
        "name": "Known",
        "simulated": False,
        "dtype": "bf16",
        "measured_at": "2026-01-01T00:00:00+00:00",
    }
    assert data["cube"] == {"form": "dense", "cells": 2 * 16 * 16 * 8, "ok": 2 * 16 * 16 * 8}
    fits = dense.fit.tiles.values()
    assert data["predict"]["mape"] == pytest.approx(np.mean([fit.mape for fit in fits]))
    assert 0 <= data["predict"]["coverage"] <= 1
    assert data["validation"]["seed"] == dense.fit.seed
    first, last = data["stages"][0], dense.stage("best tile + pad + split")
    assert first["tau"] == dense.stages[0].optimality.tau
    assert first["level"] in {"L0", "L1", "L2", "L3"}
    assert sum(first["software_removable"].values()) == pytest.approx(
        first["roughness"]["slice_N"] - last.roughness.slice_N
    )


def test_writing_is_read_back(dense, tmp_path):
    data = summary(dense)
    write_summary(data, tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == data
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "summary.json"
    write_summary({"schema_version": 1}, path)
    for bad, error in (({"value": float("nan")}, ValueError), ({"value": object()}, TypeError)):
        with pytest.raises(error):
            write_summary(bad, path)
        assert json.loads(path.read_text(encoding="utf-8")) == {"schema_version": 1}
        assert [item.name for item in tmp_path.iterdir()] == ["summary.json"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        write_summary({}, tmp_path / "nowhere" / "summary.json")
