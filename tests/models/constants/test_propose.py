"""Proposals: they tell what was open, for reasons; measured on the simulator, they do."""

import numpy as np
import pytest

from harness.cube import sparse_cube
from harness.errors import InputError
from harness.grid import Grid
from harness.samples import Samples
from harness.twin import Twin
from harness.twin.chip import B580
from harness.twin.twin import twin_record
from models.additive import AdditiveModel
from models.constants.optimal_design import apart_rivals, informative
from models.constants.propose import propose_shapes, with_remedies, write_shapes

MODEL = AdditiveModel(draws=0)


@pytest.fixture(scope="module")
def twin():
    return Twin(B580.replaced({"pitch_work": 0.08}))


@pytest.fixture(scope="module")
def cube(twin):
    grid = Grid.parse("256:4096:256;256:4096:256;512:4096:896")
    return twin.landscape(grid, tiles=twin.tiles[:3])


@pytest.fixture(scope="module")
def fit(cube):
    return MODEL.fit(cube)


@pytest.fixture(scope="module")
def groups(fit, cube):
    return propose_shapes(fit, 240, Samples.from_cube(cube))


def test_open_constants_become_identified_with_the_planted_values(twin, cube, fit, groups):
    """A grid of whole lines tells no alignment; the shapes proposed for it do."""
    shapes = np.array([shape for group in groups for shape in group.shapes])
    tiles = twin.tiles[:3]
    times = np.concatenate([twin.seconds(*shapes.T, tile) for tile in tiles])
    kernels = [tile for tile in tiles for _ in shapes]
    fine = sparse_cube(times, np.tile(shapes, (3, 1)), kernels, twin.device, attrs=twin.attributes())
    both = MODEL.fit(cube, [fine])
    chip = twin.chip.numbers
    for name, truth in (("k_granularity", 32), ("row_pitch_b_bytes", chip.line_bytes)):
        before, after = (each.tiles[tiles[0].name].constants[name] for each in (fit, both))
        assert not before.identified
        assert before.estimate is None
        assert before.shapes
        assert after.identified, after.status
        assert truth in after.values
    assert both.tiles[tiles[0].name].constants["cores"].estimate == chip.cores
    masked = [{e.name: e for e in each.tiles[tiles[0].name].estimates}["masked step"] for each in (fit, both)]
    assert [estimate.identifiable for estimate in masked] == [False, True]
    assert fit.tiles[tiles[0].name].left_out["row pitch"].startswith("zero on this grid")
    assert not both.tiles[tiles[0].name].left_out.get("row pitch", "").startswith("zero on this grid")


def test_every_group_has_a_reason_and_no_shape_is_proposed_twice(fit, groups):
    shapes = [shape for group in groups for shape in group.shapes]
    assert len(shapes) == len(set(shapes))
    assert 200 <= len(shapes) <= 240
    assert all(size >= 1 for shape in shapes for size in shape)
    for group in groups:
        assert group.question
        assert group.reason
        assert set(group.constants) <= set(fit.tiles["256x256x32"].constants)
    alignment = next(group for group in groups if group.question.startswith("alignment"))
    assert {"k_granularity", "row_pitch_b_bytes"} <= set(alignment.constants)
    residues = {shape[2] % 256 for shape in alignment.shapes}
    assert len({residue & -residue for residue in residues}) >= 5


def test_proposals_repeat_with_the_seed_and_differ_without(fit, cube):
    samples = Samples.from_cube(cube)
    assert propose_shapes(fit, 64, samples, 3) == propose_shapes(fit, 64, samples, 3)
    assert propose_shapes(fit, 64, samples, 3) != propose_shapes(fit, 64, samples, 4)


def test_too_few_are_refused(fit):
    with pytest.raises(InputError, match="at least 8 shapes"):
        propose_shapes(fit, 7)


def test_open_constants_carry_their_remedy(fit):
    again = with_remedies(fit)
    for tile in again.tiles.values():
        for name in ("k_granularity", "row_pitch_b_bytes"):
            constant = tile.constants[name]
            assert constant.remedy
            assert 2 <= len(constant.shapes) <= 8
        assert tile.constants["cores"].shapes == ()


def test_a_table_of_shapes_is_written_whole(groups, tmp_path):
    write_shapes(groups, tmp_path / "shapes.csv")
    lines = (tmp_path / "shapes.csv").read_text().splitlines()
    assert lines[0] == "M,N,K"
    assert len(lines) == 1 + sum(len(group.shapes) for group in groups)
    assert [path.name for path in tmp_path.iterdir()] == ["shapes.csv"]


def test_shapes_are_chosen_where_rivals_differ():
    pool = np.arange(1, 13).reshape(4, 3)
    scores = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.5]])
    chosen = apart_rivals(pool, [scores], 2, set())
    assert chosen == ((4, 5, 6), (10, 11, 12)) or chosen == ((10, 11, 12), (4, 5, 6))
    assert apart_rivals(pool, [scores], 2, {(4, 5, 6)})[0] == (10, 11, 12)


def test_the_information_grows_most_along_what_is_unknown():
    """Against all pairs: the greedy pair has the largest determinant that a greedy start allows."""
    rng = np.random.default_rng(0)
    pool = np.arange(60).reshape(20, 3) + 1
    rows = rng.standard_normal((20, 3))
    known = np.diag([1e4, 1e4, 0.0])
    first = informative(pool, [rows], [known], 1, set())[0]
    assert first == tuple(pool[int(np.argmax(np.abs(rows[:, 2])))])
    two = informative(pool, [rows], [np.zeros((3, 3))], 2, set())
    places = [int(np.flatnonzero((pool == shape).all(axis=1))[0]) for shape in two]
    ridge = 1e-6 * np.eye(3)

    def determinant(chosen):
        return np.linalg.slogdet(ridge + rows[chosen].T @ rows[chosen])[1]

    assert determinant(places) == pytest.approx(
        max(determinant([places[0], j]) for j in range(20) if j != places[0])
    )


def test_kernels_of_these_cores_take_all_that_is_proposed(groups):
    shapes = np.array([shape for group in groups for shape in group.shapes])
    assert not (2 * shapes[:, 1:] % twin_record().block_unit_bytes).any()
