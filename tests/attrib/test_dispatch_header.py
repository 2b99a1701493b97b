"""The C header agrees with the plan: compiled with the system's compiler and asked thousands of shapes."""

import dataclasses
import shutil
import subprocess

import numpy as np
import pytest

from attrib.dispatch_header import dispatch_header
from attrib.landscape import Landscape
from attrib.plan import Plan
from attrib.stages import RUN, UNAVAILABLE, BestTile, FixedTile, Pad, Split
from harness.errors import InputError, NotApplicableError
from harness.tile import Tile

TILES = tuple(Tile.parse(text) for text in ("128x128x32", "256x256x32", "64x64x32"))
STACK = Split(Pad(BestTile()))
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-Wshadow", "-Wconversion", "-O1"]
COMPILERS = {"cc": ["-xc", "-std=c99"], "c++": ["-xc++", "-std=c++11"]}

MAIN = """
#include "dispatch.h"
#include <stdio.h>

int main(void) {
    long long m, n, k;
    while (scanf("%lld %lld %lld", &m, &n, &k) == 3) {
        PREFIX_choice c;
        PREFIX_launch launch[MAXIMUM];
        const int code = PREFIX_dispatch(m, n, k, &c);
        const int count = PREFIX_launches(m, n, k, launch, MAXIMUM);
        int i, a;
        if (code != 0) {
            printf("%d %d\\n", code, count);
            continue;
        }
        printf("0 %d %d %lld %lld %lld %lld %lld", (int)c.split, (int)c.tile, (long long)c.padded[0],
               (long long)c.padded[1], (long long)c.padded[2], (long long)c.first, (long long)c.second);
        printf(" %d %d", count, PREFIX_launches(m, n, k, launch, count - 1));
        PREFIX_launches(m, n, k, launch, count);
        for (i = 0; i < count; ++i) {
            const PREFIX_launch *l = &launch[i];
            printf(" %s %d", PREFIX_tiles[l->tile].name, (int)l->beta);
            for (a = 0; a < 3; ++a)
                printf(" %lld %lld %lld", (long long)l->offset[a], (long long)l->size[a],
                       (long long)l->padded[a]);
        }
        printf("\\n");
    }
    return 0;
}
"""


def make_plan(axes, stage=STACK, tiles=TILES, seed=0, missing=0.1, device="H200", overhead=2e-8):
    rng = np.random.default_rng(seed)
    work = np.multiply.outer(np.multiply.outer(axes[0], axes[1]), axes[2]) * 1e-12
    time = (work + overhead) * rng.uniform(0.5, 2.0, (len(tiles), *work.shape))
    time[rng.random(time.shape) < missing] = np.nan
    landscape = Landscape(time, tiles, *axes)
    return Plan.from_stage(landscape, stage.apply(landscape), device)


def steps(count, step=128, start=None):
    return (start or step) + step * np.arange(count)


PLANS = {
    "steps": make_plan([steps(8), steps(7), steps(9)]),
    "many launches": make_plan([steps(12, 3)] * 3, overhead=0.0, seed=4),
    "holes": make_plan([steps(5)] * 3, Split(BestTile()), missing=0.5),
    "scattered": make_plan([np.array([1, 64, 100, 4096]), np.array([7]), np.array([16, 17])], Pad(BestTile())),
    "mixed": make_plan([steps(6), steps(5, 96, 256), np.array([100, 1000, 10**9])], Split(Pad(BestTile()), ("M",))),
    "hidden tile": make_plan([steps(3)] * 3, FixedTile(Tile(0, 0, 0, "cuBLAS")), (Tile(0, 0, 0, "cuBLAS"),)),
    "one shape": make_plan([np.array([100])] * 3, BestTile(), missing=0.0),
}


def compiled(folder, plan, compiler="cc", prefix="attrib"):
    path = shutil.which(compiler)
    if path is None:
        pytest.skip(f"no compiler {compiler!r} here")
    (folder / "dispatch.h").write_text(dispatch_header(plan, prefix))
    source = MAIN.replace("PREFIX", prefix).replace("MAXIMUM", f"{prefix.upper()}_MAX_LAUNCHES")
    (folder / "main.c").write_text(source)
    command = [path, *STRICT, *COMPILERS[compiler], "main.c", "-o", "main"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "main"


def answers(program, shapes):
    text = "\n".join(" ".join(map(str, shape)) for shape in shapes.tolist())
    done = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(shapes)
    return [line.split() for line in lines]


def asked(plan, count, seed=1):
    """Every shape of the grid, and as many random ones as `count`."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*plan.axes, indexing="ij"), axis=-1).reshape(-1, 3)
    random = np.stack([rng.integers(1, axis[-1] + 1, count) for axis in plan.axes], axis=-1)
    return np.concatenate([grid, random])


def check_dispatch(plan, shapes, rows):
    found = plan.lookup_many(*shapes.T)
    able = found.action != UNAVAILABLE
    assert all(row == ["-1", "-1"] for row, planned in zip(rows, able, strict=True) if not planned)
    table = np.array([row[1:8] for row in rows if row[0] == "0"], dtype=np.int64).reshape(-1, 7)
    assert len(table) == np.count_nonzero(able)
    np.testing.assert_array_equal(table[:, 0], found.action[able])
    np.testing.assert_array_equal(table[:, 1], found.tile[able])
    np.testing.assert_array_equal(table[:, 2:5], found.padded[able])
    np.testing.assert_array_equal(table[:, 5], found.first[able])
    np.testing.assert_array_equal(table[:, 6], found.second[able])
    return found


def check_launches(plan, shape, row):
    launches = plan.launches(*shape)
    assert [int(value) for value in row[8:10]] == [len(launches), -1]
    for launch, start in zip(launches, range(10, len(row), 11), strict=True):
        values = [int(value) for value in row[start + 1 : start + 11]]
        expected = [launch.beta, *np.transpose([launch.offset, launch.size, launch.padded]).ravel()]
        assert (row[start], values) == (launch.tile.name, expected)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", PLANS)
def test_agrees_with_the_plan(tmp_path, name, compiler):
    plan = PLANS[name]
    shapes = asked(plan, 2000)
    rows = answers(compiled(tmp_path, plan, compiler), shapes)
    found = check_dispatch(plan, shapes, rows)
    for i in np.nonzero(found.action != UNAVAILABLE)[0][::5]:
        check_launches(plan, shapes[i].tolist(), rows[i])


def test_plans_of_the_tests_are_varied():
    actions = np.concatenate([plan.decisions.action.ravel() for plan in PLANS.values()])
    assert set(actions.tolist()) == {UNAVAILABLE, RUN, 1, 2, 3}
    assert PLANS["many launches"].launch_counts.max() > 4
    assert 1 in PLANS["mixed"].decisions.action


@pytest.mark.parametrize("name", ["steps", "scattered"])
def test_shapes_off_the_grid_are_refused(tmp_path, name):
    plan = PLANS[name]
    bad = [(0, -5, last + 1, 2**32 + 1, 2**62, -(2**62)) for last in (int(axis[-1]) for axis in plan.axes)]
    shapes = [[size if a == i else 1 for a in range(3)] for i in range(3) for size in bad[i]]
    assert all(row == ["-1", "-1"] for row in answers(compiled(tmp_path, plan), np.array(shapes)))


def test_a_full_grid_is_of_sensible_size_and_agrees(tmp_path):
    plan = make_plan([steps(32)] * 3, missing=0.01, overhead=1e-4)
    text = dispatch_header(plan)
    assert "uint16_t attrib_argument[32768]" in text
    assert "uint8_t attrib_code[32768]" in text
    assert len(text) < 400_000
    shapes = asked(plan, 20_000)
    check_dispatch(plan, shapes, answers(compiled(tmp_path, plan), shapes))


def test_beyond_16_bits_of_shapes(tmp_path):
    plan = make_plan([steps(41, 8)] * 3, Pad(BestTile()))
    assert "uint32_t attrib_argument[68921]" in dispatch_header(plan)
    shapes = asked(plan, 5000)
    check_dispatch(plan, shapes, answers(compiled(tmp_path, plan), shapes))


def test_text_says_where_it_is_from_and_repeats():
    plan = PLANS["steps"]
    text = dispatch_header(plan)
    assert "device: H200\n" in text
    assert "stage:  best tile + pad + split\n" in text
    assert "M <= 1024, N <= 896, K <= 1152" in text
    assert text == dispatch_header(make_plan([steps(8), steps(7), steps(9)]))
    assert text.isascii()
    assert "@" not in text
    assert max(map(len, text.splitlines())) < 200
    time = plan.time * 0.99
    digests = {
        line
        for p in (plan, dataclasses.replace(plan, time=time))
        for line in dispatch_header(p).split("\n")[:8]
        if "sha256" in line
    }
    assert len(digests) == 2


def test_names_cannot_break_the_header(tmp_path):
    tiles = (Tile(0, 0, 0, 'a"\\*/??/'), Tile(64, 64, 32, "64x64x32"))
    plan = make_plan([steps(2)] * 3, FixedTile(tiles[0]), tiles, device="*/ #error \\\n Größe @p@")
    rows = answers(compiled(tmp_path, plan), asked(plan, 10))
    assert {row[0] for row in rows} <= {"0", "-1"}
    assert "device: _/ _error __ Gr__e _p_\n" in dispatch_header(plan)


def test_two_headers_live_side_by_side(tmp_path):
    plan = PLANS["steps"]
    program = compiled(tmp_path, plan, prefix="h200_bf16")
    shapes = asked(plan, 100)
    check_dispatch(plan, shapes, answers(program, shapes))
    (tmp_path / "other.h").write_text(dispatch_header(PLANS["scattered"]))
    source = '#include "other.h"\n' + (tmp_path / "main.c").read_text()
    (tmp_path / "both.c").write_text(source)
    subprocess.run([shutil.which("cc"), *STRICT, "-c", "both.c"], cwd=tmp_path, check=True)
    for prefix in ("", "2x", "a-b", "a b"):
        with pytest.raises(InputError, match="no C identifier"):
            dispatch_header(plan, prefix)


def test_limits_are_named():
    small = PLANS["one shape"]
    many = tuple(Tile.of(i, 1, 1) for i in range(1, 254))
    with pytest.raises(NotApplicableError, match="up to 252 tiles, this plan has 253"):
        dispatch_header(dataclasses.replace(small, tiles=many))
    assert dispatch_header(dataclasses.replace(small, tiles=many[:252]))
    with pytest.raises(NotApplicableError, match="sizes up to 2147483647"):
        dispatch_header(dataclasses.replace(small, N=np.array([2**31])))
