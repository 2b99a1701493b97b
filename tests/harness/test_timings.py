"""Tables of timings through real files: what is read, and what is refused with which line."""

import gzip
import hashlib
import json
import re
import time as clock
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cube import STATUS, dense_cube, densify, is_dense, sparse_cube, throughput, tiles_of
from harness.device import load_device
from harness.errors import InputError
from harness.samples import Samples
from harness.tile import Tile
from harness.timings import read_timings

B580, CPU = load_device("b580"), load_device("cpu")
FOREIGN = Path(__file__).parents[2].parent / "shared" / "data"
HEADER = "M,N,K,time_s\n"


def write(folder, text, name="t.csv"):
    path = folder / name
    content = text.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def read(folder, text, name="t.csv", device=B580, **options):
    return read_timings(write(folder, text, name), device, **options)


def refusal(path, device=B580, **options):
    """The one line that says why a file is refused; it names the file."""
    with pytest.raises(InputError) as caught:
        read_timings(path, device, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


# What is read


def test_grid_becomes_dense_whatever_its_order(tmp_path):
    rows = [(m, n, k, 1e-5 + 1e-12 * m * n * k) for m in (8, 16) for n in (1, 2, 3) for k in (32, 64)]
    np.random.default_rng(0).shuffle(rows)
    cube = read(tmp_path, HEADER + "".join(f"{int(m)},{int(n)},{int(k)},{t!r}\n" for m, n, k, t in rows))
    assert is_dense(cube)
    assert dict(cube.sizes) == {"tile": 1, "M": 2, "N": 3, "K": 2}
    assert tiles_of(cube) == (Tile.of(0, 0, 0),)
    np.testing.assert_allclose(cube["time"].sel(tile="vendor"), 1e-5 + 1e-12 * cube["M"] * cube["N"] * cube["K"])
    assert "time_spread" not in cube
    assert "time_repeats" not in cube


def test_incomplete_grid_stays_sparse(tmp_path):
    cube = read(tmp_path, HEADER + "8,8,8,1e-5\n16,16,8,2e-5\n8,16,8,3e-5\n")
    assert not is_dense(cube)
    assert cube["M"].values.tolist() == [8, 16, 8]
    assert cube["time"].values.tolist() == [1e-5, 2e-5, 3e-5]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.tsv.gz", "T.CSV"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_text_formats_agree(tmp_path, name, newline):
    text = "\ufeffM, N ,K,time_s\n 8,16,32,1e-5\n8.0,16,64, 2e-5 \n"
    text = text.replace(",", "\t") if "tsv" in name else text
    cube = read(tmp_path, text.replace("\n", newline), name)
    assert cube["time"].values.ravel().tolist() == [1e-5, 2e-5]


def test_parquet_agrees_with_csv(tmp_path):
    frame = pd.DataFrame(
        {
            "M": [8, 8, 16],
            "N": np.array([8, 8, 8], dtype=np.int32),
            "K": [64.0, 64.0, 64.0],
            "time_s": [1e-5, 1.1e-5, np.nan],
            "tile": pd.Categorical(["256x256x32", "256x256x32", "cublas"]),
            "status": ["ok", "ok", "failed"],
            "host": ["a", "b", "c"],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    first, second = (read_timings(tmp_path / name, B580) for name in ("t.parquet", "t.csv"))
    assert json.loads(first.attrs["ignored_columns"]) == ["host"]
    xr.testing.assert_equal(first, second)


def test_cube_explains_its_origin(tmp_path):
    path = write(tmp_path, "M,N,K,time_s,gpu,note\n8,8,8,1e-5,x,y\n8,8,8,2e-5,,\n")
    attrs = read_timings(path, B580, "f16").attrs
    assert json.loads(attrs["ignored_columns"]) == ["gpu", "note"]
    assert json.loads(attrs["provenance"]) == {
        "file": "t.csv",
        "bytes": path.stat().st_size,
        "rows": 2,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert attrs["dtype"] == "f16"
    assert str(tmp_path) not in str(attrs)


def test_duplicates_become_repeats(tmp_path):
    times = {(8, 8): [4e-5, 1e-5, 2e-5], (16, 8): [3e-5], (24, 8): [5e-5, 7e-5]}
    rows = [(8, 4e-5), (16, 3e-5), (8, 1e-5), (24, 5e-5), (24, 7e-5), (8, 2e-5)]
    cube = read(tmp_path, HEADER + "".join(f"{m},8,8,{t}\n" for m, t in rows))
    assert cube["time_repeats"].sizes["repeat"] == 3
    for (m, n), values in times.items():
        cell = cube.sel(M=m, N=n, K=8, tile="vendor")
        assert float(cell["time"]) == pytest.approx(np.median(values), rel=1e-15)
        kept = cell["time_repeats"].values
        assert kept[: len(values)].tolist() == values  # in the order of the file
        assert np.isnan(kept[len(values) :]).all()
        if len(values) < 2:
            assert np.isnan(cell["time_spread"])
        else:
            mad = np.median(np.abs(np.array(values) - np.median(values)))
            assert float(cell["time_spread"]) == pytest.approx(1.4826 * mad, rel=1e-9)


def test_column_repeat_orders_and_aligns_passes(tmp_path):
    aligned = "M,N,K,time_s,repeat\n8,8,8,3e-5,2\n8,8,8,1e-5,0\n16,8,8,7e-5,2\n8,8,8,2e-5,1\n"
    kept = read(tmp_path, aligned)["time_repeats"].values.reshape(2, 3)
    np.testing.assert_array_equal(kept, [[1e-5, 2e-5, 3e-5], [np.nan, np.nan, 7e-5]])
    running = "M,N,K,time_s,repeat\n8,8,8,3e-5,90\n8,8,8,1e-5,7\n16,8,8,7e-5,1000000\n"
    kept = read(tmp_path, running)["time_repeats"].values.reshape(2, 2)
    np.testing.assert_array_equal(kept, [[1e-5, 3e-5], [7e-5, np.nan]])
    doubled = "M,N,K,time_s,repeat\n8,8,8,3e-5,0\n8,8,8,1e-5,0\n16,8,8,7e-5,1\n"
    kept = read(tmp_path, doubled)["time_repeats"].values.reshape(2, 2)
    np.testing.assert_array_equal(kept, [[3e-5, 1e-5], [7e-5, np.nan]])


def test_status_by_name_and_number(tmp_path):
    rows = ["ok", "0", "unsupported", "2.0", "Wrong Result", "4", "not_measured"]
    times = ["1e-5", "1e-5", "", "NaN", "1e-5", "", "NA"]
    text = "M,N,K,time_s,status\n" + "".join(
        f"{8 * i},8,8,{t},{s}\n" for i, (t, s) in enumerate(zip(times, rows, strict=True), 1)
    )
    cube = read(tmp_path, text)
    assert cube["status"].values.ravel().tolist() == [0, 0, 2, 2, 3, 4, 1]
    assert Samples.from_cube(cube).size == 2


@pytest.mark.parametrize(
    ("rows", "status", "time"),
    [
        (["ok,1e-5", "failed,", "ok,3e-5"], "ok", 2e-5),
        (["ok,1e-5", "wrong_result,9e-5", "ok,3e-5"], "wrong_result", 9e-5),
        (["not_measured,", "failed,"], "failed", np.nan),
        (["unsupported,", "unsupported,"], "unsupported", np.nan),
    ],
)
def test_rows_of_a_cell_settle_its_status(tmp_path, rows, status, time):
    cube = read(tmp_path, "M,N,K,status,time_s\n" + "".join(f"8,8,8,{row}\n" for row in rows))
    assert cube["status"].item() == STATUS[status]
    np.testing.assert_allclose(cube["time"].item(), time, rtol=1e-12)


def test_tiles_by_label_and_by_size(tmp_path):
    labels = "M,N,K,time_s,tile\n8,8,8,1e-5,256x128x32\n8,8,8,2e-5,libxsmm\n8,8,8,3e-5, vendor \n"
    cube = read(tmp_path, labels)
    assert tiles_of(cube) == tuple(Tile.labelled(name) for name in ("256x128x32", "libxsmm", "vendor"))
    assert cube["time"].values.ravel().tolist() == [1e-5, 2e-5, 3e-5]
    sizes = "M,N,K,time_s,tile_m,tile_n,tile_k\n8,8,8,1e-5,256,128,32\n8,8,8,3e-5,0,0,0\n9,8,8,3e-5,256,128,32\n"
    cube = read(tmp_path, sizes)
    assert [tile.name for tile in tiles_of(cube)] == ["256x128x32", "vendor"]
    assert cube["tile"].values.tolist() == ["256x128x32", "vendor", "256x128x32"]
    both = "M,N,K,time_s,tile,tile_m,tile_n,tile_k\n8,8,8,1e-5,256x128x32,256,128,32\n"
    assert read(tmp_path, both)["tile_n"].values.tolist() == [128]


def test_other_time_units(tmp_path):
    cube = read(tmp_path, "M,N,K,time_us\n8,8,8,12.5\n", time_unit="us")
    assert cube["time"].item() == pytest.approx(12.5e-6, rel=1e-15)


def test_one_cell_repeated_often_does_not_pad_all(tmp_path):
    rows = [f"{8 * m},8,8,1e-5\n" for m in range(1, 3001)] + ["8,8,8,2e-5\n"] * 5000
    cube = read(tmp_path, HEADER + "".join(rows))
    assert "time_repeats" not in cube
    assert cube["time"].sel(M=8).item() == 2e-5
    assert cube["time_spread"].sel(M=8).item() == 0


def test_many_rows_take_seconds(tmp_path):
    rng = np.random.default_rng(0)
    count = 300_000
    frame = pd.DataFrame(rng.integers(1, 4096, (count, 3)), columns=list("MNK"))
    frame["time_s"] = 1e-5 + frame["M"] * frame["N"] * frame["K"] * 4e-14
    frame["tile"] = rng.choice(["256x256x32", "vendor"], count)
    frame.to_csv(tmp_path / "t.csv", index=False)
    began = clock.perf_counter()
    cube = read_timings(tmp_path / "t.csv", B580)
    assert clock.perf_counter() - began < 10
    assert cube.sizes["sample"] >= 0.99 * count


def to_csv(cube, path):
    """Every repeat of every cell as a row, in a random order."""
    frame = cube["time_repeats"].to_dataset(name="time_s").assign(status=cube["status"]).to_dataframe()
    frame = frame.reset_index()
    frame = frame[np.isfinite(frame["time_s"]) | (frame["repeat"] == 0)]
    frame[["M", "N", "K", "tile", "repeat", "status", "time_s"]].sample(frac=1, random_state=1).to_csv(
        path, index=False
    )


@st.composite
def cubes(draw):
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    tiles = [Tile.labelled(name) for name in draw(st.sampled_from([["vendor"], ["64x64x32", "mkl"]]))]
    axes = [np.unique(rng.integers(1, 5000, draw(st.integers(1, 3)))) for _ in "MNK"]
    shape = (len(tiles), *(axis.size for axis in axes))
    width = draw(st.integers(2, 4))
    kept = rng.lognormal(-9, 3, (*shape, width))
    kept[..., 1:][rng.random((*shape, width - 1)) < 0.3] = np.nan
    kept[0, 0, 0, 0] = rng.lognormal(-9, 3, width)  # one cell has them all
    status = np.where(rng.random(shape) < 0.8, STATUS["ok"], STATUS["wrong_result"]).astype(np.int8)
    failed = rng.random(shape) < 0.1
    failed[0, 0, 0, 0] = False
    kept[failed], status[failed] = np.nan, STATUS["failed"]
    cells = pd.DataFrame(kept.reshape(-1, width))
    center = cells.median(axis=1)
    spread = 1.4826 * cells.sub(center, axis=0).abs().median(axis=1).where(cells.count(axis=1) > 1)
    arrays = {
        "status": status,
        "spread": spread.to_numpy().reshape(shape),
        "repeats": kept,
    }
    time = center.to_numpy().reshape(shape)
    if draw(st.booleans()) or time.size < 2:
        return dense_cube(time, *axes, tiles, B580, **arrays)
    index = np.unravel_index(np.arange(time.size - 1), shape)  # all cells but one
    shapes = np.stack([axis[i] for axis, i in zip(axes, index[1:], strict=True)], axis=1)
    rows = {name: values[index] for name, values in arrays.items()}
    return sparse_cube(time[index], shapes, [tiles[i] for i in index[0]], B580, **rows)


def canonical(cube):
    if is_dense(cube):
        return cube.sortby("tile")
    order = np.lexsort([cube["K"], cube["N"], cube["M"], cube["tile"].values.astype(str)])
    return cube.isel(sample=order)


@given(cube=cubes())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cube_to_csv_to_cube_is_the_identity(tmp_path, cube):
    to_csv(cube, tmp_path / "t.csv")
    back = read_timings(tmp_path / "t.csv", B580, check_units=False)
    if is_dense(back) and not is_dense(cube):  # what is left of a grid may be a smaller grid
        cube = densify(cube)
    first, second = canonical(cube), canonical(back)
    for name in ("time", "time_spread", "time_repeats", "status", "M", "N", "K", "tile_m", "tile_n", "tile_k"):
        found = second[name].transpose(*first[name].dims).values
        np.testing.assert_allclose(found, first[name].values, rtol=1e-9 if name == "time_spread" else 1e-15)
    assert second["tile"].values.tolist() == first["tile"].values.tolist()


@pytest.mark.parametrize(
    ("name", "device", "rows", "best"),
    [("b60_bf16_vllm0.20", "b60", 11_088, 98.24), ("h200_bf16_trtllm1.3.0rc10", "h200", 35_742, 850.0)],
)
def test_foreign_timings_import(tmp_path, name, device, rows, best):
    path = FOREIGN / f"{name}.csv.gz"
    if not path.is_file():
        pytest.skip("the shared data are not here")
    record = load_device(device)
    cube = read_timings(path, record)
    assert cube.sizes["sample"] == rows
    assert (cube["status"] == STATUS["ok"]).all()
    assert float(throughput(cube).max()) == pytest.approx(best, rel=0.1)
    frame = pd.read_csv(path)
    for factor, unit in ((1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds"), (1e-3, "too short")):
        # The same campaign in a wrong unit is found out, whole and for its skinny and its tiny shapes.
        for part in (frame, frame[frame["M"] == 1], frame[frame["N"] * frame["K"] < 300_000]):
            if factor < 1 and part is not frame:
                continue  # a skinny GEMM a thousand times too fast is still below the peak
            part.assign(time_s=part["time_s"] * factor).to_csv(tmp_path / "t.csv", index=False)
            assert unit in refusal(tmp_path / "t.csv", record)
            part.to_csv(tmp_path / "t.csv", index=False)
            read_timings(tmp_path / "t.csv", record)


# What is refused


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("8,8,8,-1e-5", r"time_s is '-1e-5', expected a positive"),
        ("8,8,8,0", "time_s is '0'"),
        ("8,8,8,inf", "time_s is 'inf'"),
        ("8,8,8,nan", "time_s is missing"),
        ("8,8,8,", "time_s is missing"),
        ("8,8,8,fast", "time_s is 'fast', expected a number"),
        ("8,8,8,1e-5s", "time_s is '1e-5s', expected a number"),
        ("8.5,8,8,1e-5", "M is '8.5', expected a whole number"),
        ("8,0,8,1e-5", "N is '0', expected a whole number"),
        ("8,8,-8,1e-5", "K is '-8', expected a whole number"),
        ("8,8,inf,1e-5", "K is 'inf', expected a whole number"),
        ("8,8,1e12,1e-5", "K is '1e12', expected a whole number"),
        ("many,8,8,1e-5", "M is 'many', expected a number"),
        ("True,8,8,1e-5", "M is 'True', expected a number"),
        (",8,8,1e-5", "M is missing"),
        ("8,8,8", "expected 4 values as in the header, got 3"),
        ("8,8,8,1,5e-5", "expected 4 values as in the header, got 5"),
        ("   ", "expected 4 values as in the header, got 1"),
        (f"{'x' * 500},8,8,1e-5", r"M is 'x{20,60}\.\.\., expected"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 70_000])
def test_bad_row_is_refused_with_its_line(tmp_path, row, message, before):
    text = HEADER + "8,8,8,1e-5\n" * before + row + "\n" + "8,8,8,1e-5\n" * 3 + "8,8,8,-1\n"
    assert re.match(rf", line {before + 2}: .*{message}", refusal(write(tmp_path, text)))


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        ("tile", "256x256", "tile is '256x256', expected MxNxK"),
        ("tile", "256x0x32", "tile is '256x0x32'"),
        ("tile", "", "tile is missing"),
        ("tile", "128", "tile is '128'"),
        ("tile_m,tile_n,tile_k", "256,0,32", "tile_m '256', tile_n '0', tile_k '32': expected three positive"),
        ("tile_m,tile_n,tile_k", "256,-1,32", "tile_n is '-1'"),
        ("tile_m,tile_n,tile_k", "256,big,32", "tile_n is 'big'"),
        ("tile,tile_m,tile_n,tile_k", "256x256x32,256,256,16", "tile_k is '16', expected what the column"),
        ("status", "fine", "status is 'fine', expected one of ok"),
        ("status", "7", "status is '7'"),
        ("status", "0.5", "status is '0.5'"),
        ("status", "", "status is missing"),
        ("repeat", "-1", "repeat is '-1'"),
        ("repeat", "first", "repeat is 'first'"),
    ],
)
def test_bad_optional_value_is_refused_with_its_line(tmp_path, columns, row, message):
    fine = {"tile": "vendor", "status": "ok", "repeat": "0", "tile,tile_m,tile_n,tile_k": "256x256x32,256,256,32"}
    good = "8,8,8,1e-5," + fine.get(columns, "256,256,32") + "\n"
    text = f"M,N,K,time_s,{columns}\n{good}{good}8,8,8,1e-5,{row}\n{good}"
    assert re.match(f", line 4: .*{message}", refusal(write(tmp_path, text)))


def test_time_that_is_given_must_be_sound_whatever_the_status(tmp_path):
    text = "M,N,K,time_s,status\n8,8,8,,failed\n8,8,8,-1,failed\n"
    assert ", line 3: time_s is '-1'" in refusal(write(tmp_path, text))


def test_first_bad_line_is_named(tmp_path):
    text = HEADER + "8,8,8,1e-5\n8,8,0,1e-5\n8,8,8,-1\nx,8,8,1e-5\n"
    assert refusal(write(tmp_path, text)).startswith(", line 3: K is '0'")


def test_lines_are_counted_as_an_editor_does(tmp_path):
    text = 'M,N,K,time_s,note\n\n8,8,8,1e-5,"two\nlines"\n\r\n\n8,8,8,-1,x\n\n'
    assert refusal(write(tmp_path, text)).startswith(", line 7: time_s is '-1'")
    assert refusal(write(tmp_path, text, "t.csv.gz")).startswith(", line 7: time_s is '-1'")


def test_bad_parquet_rows_and_columns(tmp_path):
    frame = pd.DataFrame({"M": [8, 8, 0], "N": [8] * 3, "K": [8] * 3, "time_s": [1e-5] * 3})
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    assert refusal(path).startswith(", row 3: M is 0, expected a whole number")
    frame.assign(M=[8.0, np.nan, 8.0]).to_parquet(path)
    assert re.match(", row 2: M is (nan|missing)", refusal(path))
    for column, values in (
        ("M", ["a", "b", "c"]),
        ("N", [True, False, True]),
        ("time_s", pd.to_timedelta([1, 2, 3], unit="us")),
        ("tile", [256, 256, 256]),
    ):
        frame.assign(**{column: values}).to_parquet(path)
        assert f": column {column!r} has the type" in refusal(path)
    frame.drop(columns="K").to_parquet(path)
    assert ": missing column K; found 'M', 'N', 'time_s'" in refusal(path)
    path.write_bytes(path.read_bytes()[:200])
    assert "cannot be read as a table" in refusal(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("m,N,K,time_s", "missing column M; found 'm', 'N', 'K', 'time_s'; rename 'm' to 'M'"),
        ("M,N,K,time_us", "missing column time_s; .*'time_us' looks like times in us: multiply by 1e-06"),
        ("M,N,K,Latency (ms)", r"'Latency \(ms\)' looks like times in ms: multiply by 0.001"),
        ("M,N,K,time", "if 'time' holds times in s, rename it to 'time_s'"),
        ("M,N,K,Time_S", "rename 'Time_S' to 'time_s'"),
        ("a,b", "missing column M, N, K, time_s; found 'a', 'b'$"),
        ("M;N;K;time_s", "look separated by ';'"),
        ("M,N,K,time_s,tile_m", "missing column tile_n, tile_k"),
        ("M,M,N,K,time_s", "column 'M' occurs 2 times"),
        (",".join(f"c{i}" for i in range(30)), "'c19', ...$"),
        ("", "found none"),
    ],
)
def test_missing_columns_are_listed_with_a_hint(tmp_path, header, message):
    assert re.search(message, refusal(write(tmp_path, header + "\n1,2,3,4\n")))


def test_unreadable_files(tmp_path):
    assert refusal(tmp_path / "absent.csv") == ": no such file"
    assert "expected a table .csv" in refusal(write(tmp_path, "x", "t.xlsx"))
    assert "expected a table .csv" in refusal(write(tmp_path, "x", "t.gz"))
    assert ": the file is empty" in refusal(write(tmp_path, ""))
    assert "missing column" in refusal(write(tmp_path, "", "e.csv.gz"))
    assert "no rows" in refusal(write(tmp_path, HEADER))
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read" in refusal(tmp_path / "folder.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"M,N,K,time_s\n\xff\xfe,8,8,1e-5\n")
    assert "cannot be read" in refusal(binary)


def test_damaged_gzip(tmp_path):
    rng = np.random.default_rng(0)
    text = HEADER + "".join(f"{m},8,8,{rng.random()}\n" for m in range(1, 3000))
    path = write(tmp_path, text, "t.csv.gz")
    content = path.read_bytes()
    for size in (1, 9, 15, len(content) // 2, len(content) - 9, len(content) - 1):
        path.write_bytes(content[:size])
        assert "damaged or cut short" in refusal(path)
    broken = bytearray(content)
    broken[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(broken))
    refusal(path)
    path.write_bytes(text.encode())
    assert "not gzip" in refusal(path)


def test_unknown_dtype_and_unit(tmp_path):
    path = write(tmp_path, HEADER + "8,8,8,1e-5\n")
    with pytest.raises(InputError, match="dtype 'bf17'"):
        read_timings(path, B580, "bf17")
    with pytest.raises(InputError, match="time unit 'min'"):
        read_timings(path, B580, time_unit="min")


# Units


def large(folder, seconds_per_flop, odd=()):
    """Thirty large shapes at a given speed, with some odd times of their own."""
    sizes = 1024 + 128 * np.arange(30)
    times = 2 * sizes.astype(float) ** 3 * seconds_per_flop
    times[: len(odd)] = odd
    return write(folder, HEADER + "".join(f"{n},{n},{n},{t}\n" for n, t in zip(sizes, times, strict=True)))


PEAK = B580.peak("bf16")


@pytest.mark.parametrize("share", [0.004, 0.01, 0.3, 1.0, 1.1, 2.2])
def test_honest_speeds_pass(tmp_path, share):
    """From a naive kernel to 2:4 sparsity."""
    assert read_timings(large(tmp_path, 1 / (share * PEAK)), B580).sizes["sample"] == 30


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(("factor", "unit"), [(1e3, "milliseconds"), (1e6, "microseconds")])
def test_larger_units_are_named(tmp_path, share, factor, unit):
    path = large(tmp_path, factor / (share * PEAK))
    message = refusal(path)
    assert f"time_s looks like {unit}" in message
    assert f"divide by {factor:,.0f}" in message
    assert read_timings(path, B580, check_units=False).sizes["sample"] == 30
    assert read_timings(path, CPU).sizes["sample"] == 30  # its peak is open
    read_timings(path, B580, "fp8")  # so is this one


def test_times_too_short_are_refused(tmp_path):
    path = large(tmp_path, 1e-3 / (0.8 * PEAK))
    assert re.search(r"its throughput is [78]\d\d times the bf16 peak of Intel Arc B580", refusal(path))
    assert read_timings(path, B580, check_units=False).sizes["sample"] == 30


def test_one_outlier_does_not_decide(tmp_path):
    read_timings(large(tmp_path, 1 / PEAK, odd=[1e-9]), B580)
    assert "milliseconds" in refusal(large(tmp_path, 1e3 / PEAK, odd=[1e-4]))


def test_a_few_slow_rows_are_no_evidence(tmp_path):
    read(tmp_path, HEADER + "8,8,8,0.5\n16,16,16,0.5\n")
