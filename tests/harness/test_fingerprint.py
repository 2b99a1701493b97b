"""Fingerprints: the same for the same timings, another for others."""

import numpy as np

from harness.cube import dense_cube, sparse_cube
from harness.device import load_device
from harness.fingerprint import fingerprint
from harness.store import open_cube, save_cube
from harness.tile import Tile

TILES = (Tile.parse("256x256x32"), Tile.parse("vendor"))
AXES = (np.array([128, 256, 384]), np.array([64, 100]), np.array([32, 64]))
TIME = np.random.default_rng(0).uniform(1e-5, 1e-3, (2, 3, 2, 2))


def cube(time=TIME, axes=AXES, tiles=TILES, **options):
    return dense_cube(time, *axes, tiles, load_device("b580"), **options)


def test_a_file_keeps_the_fingerprint_and_attributes_do_not_change_it(tmp_path):
    save_cube(cube(), tmp_path / "cube.nc")
    opened = open_cube(tmp_path / "cube.nc")
    assert fingerprint(opened) == fingerprint(cube()) == fingerprint(cube().assign_attrs(operator="x"))


def test_other_times_shapes_tiles_and_forms_have_another():
    moved = TIME.copy()
    moved[1, 2, 1, 0] *= 1.0 + 1e-12
    others = [
        cube(moved),
        cube(axes=(AXES[0], AXES[1], np.array([32, 96]))),
        cube(tiles=(TILES[0], Tile.parse("128x128x32"))),
        cube().isel(M=slice(0, 2)),
        sparse_cube(TIME[:1].ravel(), np.ones((12, 3), dtype=np.int64) * 128, TILES[:1] * 12, load_device("b580")),
    ]
    assert len({fingerprint(one) for one in [cube(), *others]}) == 6
