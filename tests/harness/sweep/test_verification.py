"""Which results are checked, and what a wrong one condemns."""

import numpy as np
import pytest
from fake_backend import Fake, make_table

from harness.errors import InputError
from harness.sweep.verification import Kernel, Verdict, judge, kernels, tolerance_of


class SelfChecking(Fake):
    checks_itself = True


def test_smallest_and_largest_shapes_are_always_checked():
    table = make_table()
    half = len(table) // 2
    found = kernels([Fake()], table, np.zeros(len(table), dtype=np.int64), 0, 0)
    assert [kernel.name for kernel in found] == ["64x64x32", "256x256x32"]
    assert [kernel.sample for kernel in found] == [(0, half - 1), (half, 2 * half - 1)]
    assert sorted(np.concatenate([kernel.rows for kernel in found])) == list(range(2 * half))


def test_random_cells_come_on_top_and_follow_the_seed():
    table = make_table()
    owner = np.zeros(len(table), dtype=np.int64)
    samples = [[kernel.sample for kernel in kernels([Fake()], table, owner, 6, seed)] for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]
    assert all(6 <= len(sample) <= 8 for sample in samples[0])


def test_only_owned_rows_of_backends_that_need_it():
    table = make_table()
    owner = np.full(len(table), -1, dtype=np.int64)
    owner[:5], owner[30:] = 0, 1
    found = kernels([Fake(), SelfChecking()], table, owner, 99, 0)
    assert [(kernel.backend, kernel.sample) for kernel in found] == [(0, (0, 1, 2, 3, 4))]


@pytest.mark.parametrize(
    ("error", "status"), [(0.02, "wrong_result"), (np.inf, "wrong_result"), (np.nan, "failed")]
)
def test_one_wrong_cell_condemns_its_kernel(error, status):
    found = [
        Kernel("good", 0, np.array([0, 1, 2]), (0, 2)),
        Kernel("bad", 1, np.array([3, 4, 5]), (3, 5)),
    ]
    errors = {("a", 0): 1e-3, ("a", 2): 1e-2, ("a", 3): 1e-4, ("a", 5): error}
    verdict = judge(found, errors, (1e-2, 1e-2))
    assert list(verdict.problems) == [1]
    assert verdict.problems[1].status == status
    assert verdict.devices == {}
    assert judge(found, {("a", 0): 1e-3}, (1e-2, 1e-2)) == Verdict()


def test_a_wrong_device_is_told_from_a_wrong_kernel():
    found = [Kernel("a", 0, np.array([0]), (0,)), Kernel("b", 0, np.array([1]), (1,))]
    both = {("x", 0): 1e-3, ("y", 0): 0.5, ("x", 1): 0.5, ("y", 1): 0.6}
    verdict = judge(found, both, (1e-2,))
    assert list(verdict.problems) == [1]
    assert list(verdict.devices) == ["y"]
    assert "relative error 0.5 of kernel a" in verdict.devices["y"]


def test_each_backend_has_its_own_tolerance():
    found = [Kernel("a", 0, np.array([0]), (0,)), Kernel("b", 1, np.array([1]), (1,))]
    assert list(judge(found, {("x", 0): 5e-3, ("x", 1): 5e-3}, (1e-2, 1e-3)).problems) == [1]


def test_tolerances():
    assert tolerance_of("bf16") > tolerance_of("f16") > tolerance_of("f32")
    with pytest.raises(InputError, match="no tolerance: expected one of bf16"):
        tolerance_of("i8")
