"""Files: saving and opening is the identity, and nothing half-written is left or believed."""

import importlib.util

import numpy as np
import pytest
import xarray as xr

from harness.cube import STATUS, dense_cube, device_of, sparse_cube
from harness.device import load_device
from harness.errors import CubeError, InputError, MissingExtraError
from harness.store import atomic_path, open_cube, save_cube
from harness.tile import Tile

H200 = load_device("h200")
TILES = (Tile.parse("256x128x64"), Tile.parse("vendor"))
EXTRA = {"protocol": {"repeats": 3, "order": "shuffled"}, "seed": 5, "gap": 0.25, "software": "x 1.0", "empty": []}
ZARR = importlib.util.find_spec("zarr") is not None


def make_dense(seed=0):
    rng = np.random.default_rng(seed)
    time = rng.uniform(1e-6, 1e-3, (2, 3, 4, 5))
    status = np.zeros(time.shape, dtype=np.int8)
    time[0, 0, 0, 0], status[0, 0, 0, 0] = np.nan, STATUS["unsupported"]
    status[1, 2, 3, 4] = STATUS["wrong_result"]
    repeats = time[..., None] * rng.uniform(0.9, 1.1, (*time.shape, 3))
    axes = [128 * np.arange(1, size + 1) for size in time.shape[1:]]
    return dense_cube(time, *axes, TILES, H200, status=status, spread=0.01 * time, repeats=repeats, attrs=EXTRA)


def make_sparse():
    shapes = [[1, 7, 9], [4096, 1, 1], [1, 7, 9]]
    return sparse_cube([1e-6, 2.5e-3, 1e-300], shapes, [TILES[1], TILES[0], TILES[1]], H200, attrs=EXTRA)


CUBES = pytest.mark.parametrize("make", [make_dense, make_sparse])


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@CUBES
@pytest.mark.parametrize(
    "suffix", ["nc", pytest.param("zarr", marks=pytest.mark.skipif(not ZARR, reason="no zarr"))]
)
def test_saving_and_opening_is_the_identity(tmp_path, make, suffix):
    cube, path = make(), tmp_path / f"cube.{suffix}"
    save_cube(cube, path)
    back = open_cube(path)
    xr.testing.assert_identical(back, cube)
    assert back.attrs == cube.attrs
    assert device_of(back) == H200
    assert {name: back[name].dtype for name in back.variables} == {
        name: cube[name].dtype for name in cube.variables
    }
    save_cube(back, str(path))  # over itself, once more
    xr.testing.assert_identical(open_cube(str(path)), cube)
    assert files(tmp_path) == [path.name]


def test_long_attributes_are_kept(tmp_path):
    cube = make_sparse().assign_attrs(software="x" * 200_000)
    save_cube(cube, tmp_path / "cube.nc")
    assert open_cube(tmp_path / "cube.nc").attrs["software"] == cube.attrs["software"]


@CUBES
def test_truncated_file_is_refused_in_one_line(tmp_path, make):
    path = tmp_path / "cube.nc"
    save_cube(make(), path)
    content = path.read_bytes()
    for size in {0, 1, 100, *range(0, len(content), len(content) // 40), len(content) - 1}:
        path.write_bytes(content[:size])
        with pytest.raises(CubeError, match=r"cube\.nc") as caught:
            open_cube(path)
        assert "\n" not in str(caught.value)


def test_foreign_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_cube(tmp_path / "absent.nc")
    text = tmp_path / "text.nc"
    text.write_text("M,N,K,time_s\n")
    with pytest.raises(CubeError, match="not a readable cube"):
        open_cube(text)
    other = tmp_path / "other.nc"
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(other, engine="h5netcdf")
    with pytest.raises(CubeError, match=r"other\.nc: not a landscape cube"):
        open_cube(other)
    with pytest.raises(CubeError):
        open_cube(tmp_path)


def test_cube_that_breaks_the_schema_is_not_written(tmp_path):
    with pytest.raises(CubeError):
        save_cube(make_sparse().drop_vars("time"), tmp_path / "cube.nc")
    assert files(tmp_path) == []


def test_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "cube.nc"
    save_cube(make_dense(), path)
    before = path.read_bytes()

    def half(self, target, **options):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", half)
    with pytest.raises(InputError, match="disk full"):
        save_cube(make_sparse(), path)
    assert path.read_bytes() == before
    assert files(tmp_path) == ["cube.nc"]


def test_atomic_path_replaces_files_and_folders(tmp_path):
    file, folder = tmp_path / "a.txt", tmp_path / "a.zarr"
    for text in ("old", "new"):
        with atomic_path(file) as draft:
            draft.write_text(text)
        with atomic_path(folder) as draft:
            draft.mkdir()
            (draft / text).touch()
    assert file.read_text() == "new"
    assert files(folder) == ["new"]
    with pytest.raises(InputError), atomic_path(folder) as draft:
        (draft / "no" / "such").mkdir()
    assert files(folder) == ["new"]
    with pytest.raises(InputError, match="a folder of this name is in the way"), atomic_path(folder) as draft:
        draft.write_text("file")
    with pytest.raises(InputError, match="a file of this name is in the way"), atomic_path(file) as draft:
        draft.mkdir()
    assert files(tmp_path) == ["a.txt", "a.zarr"]


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        save_cube(make_sparse(), tmp_path / "no" / "cube.nc")


def test_missing_zarr_names_the_extra(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "zarr" else find(name))
    with pytest.raises(MissingExtraError, match=r"gemm-attrib\[zarr\]"):
        save_cube(make_sparse(), tmp_path / "cube.zarr")
    assert files(tmp_path) == []
    (tmp_path / "cube.zarr").mkdir()
    with pytest.raises(MissingExtraError, match=r"gemm-attrib\[zarr\]"):
        open_cube(tmp_path / "cube.zarr")
