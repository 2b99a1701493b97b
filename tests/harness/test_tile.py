"""Tiles: texts that are tiles, texts that are not, and hidden ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.tile import VENDOR, Tile

sizes = st.integers(1, 4096)


@given(m=sizes, n=sizes, k=sizes)
def test_label_and_sizes_tell_the_same(m, n, k):
    tile = Tile.of(m, n, k)
    assert tile == Tile.parse(f" {m}x{n}x{k}\n") == Tile.labelled(tile.name)
    assert (tile.m, tile.n, tile.k) == (m, n, k)
    assert str(tile) == tile.name == f"{m}x{n}x{k}"
    assert not tile.hidden


def test_vendor_is_hidden():
    assert Tile.parse(VENDOR) == Tile.of(0, 0, 0) == Tile.labelled(VENDOR)
    assert Tile.parse(VENDOR).hidden


@pytest.mark.parametrize("text", ["", "256x256", "256x0x32", "256x256x32x1", "-1x2x3", "256X256X32", "oneDNN"])
def test_parse_refuses_what_is_neither(text):
    with pytest.raises(InputError, match="256x256x32"):
        Tile.parse(text)


@pytest.mark.parametrize("sizes", [(256, 0, 32), (-1, -1, -1), (0, 1, 1)])
def test_of_refuses_mixed_and_negative_sizes(sizes):
    with pytest.raises(InputError):
        Tile.of(*sizes)


@pytest.mark.parametrize("text", ["libxsmm", "oneDNN", " torch-blas "])
def test_any_name_labels_a_hidden_tile(text):
    tile = Tile.labelled(text)
    assert tile.hidden
    assert tile.name == text.strip()


@pytest.mark.parametrize("text", ["", " ", "256*256*32", "256x256", "256,256,32", "-x"])
def test_labelled_refuses_near_tiles(text):
    with pytest.raises(InputError):
        Tile.labelled(text)
