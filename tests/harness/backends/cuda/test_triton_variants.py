"""What is a kernel of its own, and with which sizes it is compiled and launched."""

import pytest

from harness.backends.backend import Cell
from harness.backends.cuda.triton_variants import (
    NOT_NESTED,
    PERSISTENT,
    VARIANTS,
    VECTOR,
    KernelKey,
    column_parts,
    sizes,
    work_groups,
)
from harness.tile import Tile

TILE = Tile.of(128, 64, 64)


def test_aligned_sizes_are_launched_as_they_are():
    assert sizes(Cell(TILE, 100, 128, 64)) == (100, 128, 64, 64, 128, 128)
    assert sizes(Cell(TILE, 100, 100, 50)) == (100, 100, 50, 50, 100, 100)


def test_padded_rows_widen_the_columns_to_whole_vectors_only():
    assert sizes(Cell(TILE, 7, 1032, 65), pitch=64) == (7, 1040, 65, 128, 1088, 1088)
    assert sizes(Cell(TILE, 7, 10, 10), pitch=24) == (7, 10, 10, 24, 24, 24)


@pytest.mark.parametrize("pitch", [16, 64, 512])
@pytest.mark.parametrize("tile", [TILE, Tile.of(128, 96, 64)], ids=str)
def test_padding_adds_no_work_group(pitch, tile):
    for n in range(1, 600):
        cell = Cell(tile, 128, n, 64)
        columns = sizes(cell, pitch)[1]
        assert -(-columns // tile.n) == work_groups(cell)


@pytest.mark.parametrize(
    ("K", "N", "pitch", "name"),
    [
        (128, 128, 1, "whole K steps, aligned"),
        (48, 128, 1, "masked K, aligned"),
        (50, 100, 1, "masked K, unaligned K and N"),
        (64, 100, 1, "whole K steps, unaligned N"),
        (50, 100, 16, "masked K, padded rows, aligned"),
        (64, 100, 16, "whole K steps, aligned"),
        (50, 100, 8, "masked K, unaligned K and N"),
    ],
)
def test_the_kernel_follows_the_leading_dimension(K, N, pitch, name):
    assert str(KernelKey.of(Cell(TILE, 1, N, K), pitch)) == f"128x64x64, {name}"


@pytest.mark.parametrize("pitch", [1, 2, 8, 16, 24, 64])
def test_an_example_promises_no_more_than_every_cell_of_its_kernel_keeps(pitch):
    """Where the example is a multiple of the vector, so is every cell; and no example is 1."""
    for n in (1, 2, 8, 16, 24, 48, 100, 1040):
        for k in (1, 8, 16, 24, 48, 64, 100, 128):
            cell = Cell(TILE, 1, n, k)
            example = KernelKey.of(cell, pitch).example()
            for promised, kept in zip(example[1:], sizes(cell, pitch)[1:], strict=True):
                assert promised > 1
                assert kept % VECTOR == 0 or promised % VECTOR != 0


def test_a_persistent_program_fills_more_than_half_a_core():
    """Two programs cannot share an H200 core's 228 KB of shared memory: bf16 stages of A and B."""
    assert set(PERSISTENT) == {*VARIANTS, *NOT_NESTED}
    for tile, variant in PERSISTENT.items():
        assert 2 * variant.stages * 2 * tile.k * (tile.m + tile.n) > 228 * 1024


def test_parts_are_powers_of_two_and_make_up_the_tile():
    expected = {64: (64, 0), 96: (64, 32), 160: (128, 32), 256: (256, 0)}
    assert {n: column_parts(Tile.of(64, n, 64)) for n in expected} == expected
    for tile in PERSISTENT:
        first, rest = column_parts(tile)
        assert first + rest == tile.n
        assert first & (first - 1) == rest & (rest - 1) == 0
    assert all(column_parts(tile)[1] == 0 for tile in VARIANTS), "kernels that landscapes were measured with"


def test_of_the_widths_none_divides_another():
    """Not so among the six, where 64 divides all."""
    widths = sorted({tile.n for tile in NOT_NESTED} | {128})
    assert len(widths) >= 3
    assert all(wide % narrow for narrow in widths for wide in widths if wide > narrow)
