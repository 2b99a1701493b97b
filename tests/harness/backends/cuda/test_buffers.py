"""Operands on a device, here the CPU: where they lie, what they hold."""

import pytest

from harness.backends.backend import Cell
from harness.backends.cuda.buffers import GemmBuffers
from harness.tile import VENDOR, Tile

torch = pytest.importorskip("torch", reason="needs the extra 'triton'")


def buffers(pitch=1, seed=0):
    return GemmBuffers(torch, torch.float16, "cpu", seed, pitch)


@pytest.mark.parametrize(("pitch", "lda", "ldb"), [(1, 70, 33), (16, 80, 48), (64, 128, 64)])
def test_views_have_padded_rows(pitch, lda, ldb):
    a, b, d = buffers(pitch).view(5, 33, 70)
    assert (a.shape, b.shape, d.shape) == ((5, 70), (70, 33), (5, 33))
    assert (a.stride(), b.stride(), d.stride()) == ((lda, 1), (ldb, 1), (ldb, 1))


def test_every_cell_begins_at_the_same_addresses():
    made = buffers(16)
    made.reserve(Cell(Tile.parse(VENDOR), *sizes) for sizes in ((100, 20, 30), (8, 90, 50)))
    pointers = made.pointers()
    for sizes in ((100, 20, 30), (8, 90, 50), (1, 1, 1)):
        assert tuple(view.data_ptr() for view in made.view(*sizes)) == pointers


def test_operands_are_random_and_repeatable():
    first, again, other = (buffers(seed=seed).view(20, 20, 20)[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.8 < float(first.float().std()) < 1.2


def test_the_check_tells_right_from_wrong():
    made = buffers(64)
    a, b, d = made.refresh(40, 30, 20)
    assert made.relative_error(a, b, d) == float("inf")
    torch.mm(a, b, out=d)
    assert made.relative_error(a, b, d) < 1e-3
    d[-1, -1] += 10
    assert made.relative_error(a, b, d) > 1e-2
    before = a.clone()
    assert not torch.equal(made.refresh(40, 30, 20)[0], before)


def test_what_padding_holds_is_finite():
    """A kernel may read it, and multiplies it by zeros."""
    made = buffers(16)
    a, _, _ = made.refresh(10, 10, 17)
    assert torch.isfinite(torch.as_strided(a, (10, 32), (32, 1))).all()
