"""The sweep on a backend that computes its times: order, repeats, launches, checks."""

import dataclasses

import numpy as np
import pytest

from harness.backends.backend import Backend, Cell
from harness.cube import STATUS, sparse_cube
from harness.device import load_device
from harness.errors import BackendError, InputError
from harness.protocol import Protocol
from harness.samples import Samples
from harness.sweep import sweep
from harness.tile import Tile

SMALL, LARGE = Tile.parse("64x64x32"), Tile.parse("256x256x32")


def seconds(cell):
    return 1e-6 + 1e-13 * cell.M * cell.N * cell.K


@dataclasses.dataclass
class Fake(Backend):
    """Records what it is asked; each pass is one part in a hundred slower than the one before."""

    tiles: tuple = (SMALL, LARGE)
    wrong: tuple = ()
    broken: tuple = ()
    calls: list = dataclasses.field(default_factory=list)
    seen: dict = dataclasses.field(default_factory=dict)
    checked: list = dataclasses.field(default_factory=list)

    @property
    def device(self):
        return load_device("b580")

    def environment(self):
        return {}

    def unsupported(self, cell):
        return None if cell.tile in self.tiles and cell.M % 8 == 0 else "M is no multiple of 8"

    def time(self, cells, launches):
        self.calls.append((tuple(cells), launches.copy()))
        passes = np.array([self.seen.setdefault(cell, 0) for cell in cells])
        for cell in cells:
            self.seen[cell] += 1
        times = np.array([seconds(cell) for cell in cells]) * (1 + 0.01 * passes)
        return np.where([cell in self.broken for cell in cells], np.nan, times)

    def relative_error(self, cell):
        self.checked.append(cell)
        return 0.5 if cell in self.wrong else 1e-3


CELLS = [Cell(tile, M, N, 64) for tile in (SMALL, LARGE) for M in (8, 512, 1024, 2048) for N in (64, 4096)]
PROTOCOL = Protocol(repeats=3, seed=4)


def orders(backend):
    return [cells for cells, _ in backend.calls]


def test_every_pass_runs_every_cell_in_a_new_order():
    backend = Fake()
    result = sweep([backend], CELLS, PROTOCOL)
    assert len(backend.calls) == PROTOCOL.repeats + 1  # one to warm up
    assert all(sorted(cells, key=CELLS.index) == CELLS for cells in orders(backend))
    assert len(set(orders(backend))) == PROTOCOL.repeats + 1
    assert result.cells == tuple(CELLS)
    assert (result.status == STATUS["ok"]).all()


def test_the_seed_decides_the_order():
    same, again, other = Fake(), Fake(), Fake()
    sweep([same], CELLS, PROTOCOL)
    sweep([again], CELLS, PROTOCOL)
    sweep([other], CELLS, dataclasses.replace(PROTOCOL, seed=5))
    assert orders(same) == orders(again)
    assert orders(same) != orders(other)


def test_repeats_lie_with_their_cells():
    result = sweep([Fake()], CELLS, PROTOCOL)
    truth = np.array([seconds(cell) for cell in CELLS])
    np.testing.assert_allclose(result.repeats, truth[:, None] * [1.01, 1.02, 1.03])
    np.testing.assert_allclose(result.time, 1.02 * truth)
    np.testing.assert_allclose(result.spread, 1.4826 * 0.01 * truth)
    np.testing.assert_allclose(result.pass_ratio, np.array([1.01, 1.02, 1.03]) / 1.01)


def test_launches_fill_the_series_and_are_clipped():
    backend = Fake()
    protocol = Protocol(repeats=1, series_seconds=20e-6, max_launches=12)
    result = sweep([backend], CELLS, protocol)
    assert (backend.calls[0][1] == 1).all()
    expected = np.clip(np.ceil(20e-6 / np.array([seconds(cell) for cell in CELLS])), 1, 12)
    np.testing.assert_array_equal(result.launches, expected)
    assert result.launches.min() == 1
    assert result.launches.max() == 12
    asked = dict(zip(*backend.calls[1], strict=True))
    assert [asked[cell] for cell in CELLS] == result.launches.tolist()


def test_unsupported_cells_are_never_run():
    odd = Cell(SMALL, 7, 64, 64)
    backend = Fake()
    result = sweep([backend], [odd, *CELLS], PROTOCOL)
    assert odd not in backend.seen
    assert odd not in backend.checked
    assert result.status[0] == STATUS["unsupported"]
    assert (result.status[1:] == STATUS["ok"]).all()
    assert np.isnan(result.repeats[0]).all()
    assert np.isnan(result.time[0])
    with pytest.raises(BackendError):
        sweep([backend], [odd], PROTOCOL)


def test_first_backend_that_can_runs_the_cell():
    first, second = Fake(tiles=(SMALL,)), Fake()
    sweep([first, second], CELLS, PROTOCOL)
    assert {cell.tile for cell in first.seen} == {SMALL}
    assert {cell.tile for cell in second.seen} == {LARGE}


def to_samples(result):
    return Samples.from_cube(
        sparse_cube(
            result.time,
            [[cell.M, cell.N, cell.K] for cell in result.cells],
            [cell.tile for cell in result.cells],
            load_device("b580"),
            status=result.status,
            spread=result.spread,
            repeats=result.repeats,
        )
    )


def test_a_wrong_kernel_is_marked_whole_and_left_out():
    backend = Fake(wrong=(CELLS[-1],))
    result = sweep([backend], CELLS, PROTOCOL)
    large = np.array([cell.tile == LARGE for cell in CELLS])
    assert (result.status[large] == STATUS["wrong_result"]).all()
    assert (result.status[~large] == STATUS["ok"]).all()
    assert result.errors == {SMALL.name: 1e-3, LARGE.name: 0.5}
    samples = to_samples(result)
    assert samples.size == np.count_nonzero(~large)
    assert {samples.tiles[index] for index in samples.tile} == {SMALL}


def test_every_compiled_kernel_of_a_tile_is_checked():
    class PerShape(Fake):
        def kernel_of(self, cell):
            return cell

    backend = PerShape(wrong=(CELLS[-1],))
    result = sweep([backend], CELLS, PROTOCOL)
    assert set(backend.checked) == set(CELLS)
    assert result.status[-1] == STATUS["wrong_result"]
    assert (result.status[:-1] == STATUS["ok"]).all()


def test_cells_that_give_no_time_have_failed():
    result = sweep([Fake(broken=(CELLS[3],))], CELLS, PROTOCOL)
    assert result.status[3] == STATUS["failed"]
    assert to_samples(result).size == len(CELLS) - 1


def test_smallest_and_largest_shapes_are_always_checked():
    backend = Fake()
    sweep([backend], CELLS, dataclasses.replace(PROTOCOL, verified_per_kernel=0))
    assert set(backend.checked) == {CELLS[0], CELLS[7], CELLS[8], CELLS[15]}


def test_progress_counts_every_pass():
    reports = []
    sweep([Fake()], CELLS, PROTOCOL, progress=lambda done, total: reports.append((done, total)))
    total = len(CELLS) * (PROTOCOL.repeats + 1)
    assert [done for done, _ in reports] == list(range(len(CELLS), total + 1, len(CELLS)))
    assert {seen for _, seen in reports} == {total}


def test_unknown_type_is_refused_before_anything_runs():
    backend = Fake()
    with pytest.raises(InputError, match="tolerance"):
        sweep([backend], CELLS, PROTOCOL, dtype="complex")
    assert not backend.calls


def test_protocol_refuses_nonsense():
    for wrong in ({"repeats": 0}, {"max_launches": 0}, {"series_seconds": 0.0}):
        with pytest.raises(InputError):
            Protocol(**wrong)
    assert Protocol().to_dict()["repeats"] == 4
