"""Cells as columns."""

import numpy as np
import pytest
from fake_backend import LARGE, SHAPES, SMALL, make_table

from harness.backends import Cell
from harness.errors import InputError
from harness.sweep.cells import CellTable
from harness.tile import Tile


def test_tiles_are_outermost():
    table = make_table()
    assert len(table) == 2 * len(SHAPES)
    assert table.cells([0, len(SHAPES)]) == [Cell(SMALL, 8, 64, 64), Cell(LARGE, 8, 64, 64)]
    np.testing.assert_array_equal(table.volume, np.tile(SHAPES.prod(axis=1), 2))


def test_volume_of_a_large_shape_does_not_overflow():
    table = make_table([SMALL], np.array([[2**22, 2**22, 2**22]]))
    assert table.volume[0] == 2.0**66


@pytest.mark.parametrize(
    ("tiles", "shapes", "message"),
    [
        ([], SHAPES, "at least one tile"),
        ([SMALL], SHAPES[:0], "at least one tile and one shape"),
        ([SMALL, SMALL], SHAPES, "tile is given twice"),
        ([SMALL], np.concatenate([SHAPES, SHAPES[3:4]]), "shape is given twice"),
    ],
)
def test_nonsense_is_refused(tiles, shapes, message):
    with pytest.raises(InputError, match=message):
        CellTable.product(tiles, shapes)


def test_the_digest_tells_cells_and_their_order():
    changed = SHAPES.copy()
    changed[-1, 2] += 1
    tables = [
        make_table(),
        make_table([LARGE, SMALL]),
        make_table([SMALL]),
        make_table(shapes=SHAPES[::-1]),
        make_table(shapes=changed),
        make_table([SMALL, Tile.parse("256x256x64")]),
    ]
    assert len({table.digest() for table in tables}) == len(tables)
    assert make_table().digest() == make_table(shapes=SHAPES.astype(np.int32)).digest()
