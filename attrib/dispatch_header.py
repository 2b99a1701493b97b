"""A plan as one C header: compact tables and a lookup to compile into a kernel library."""

from __future__ import annotations

import hashlib
import re
import textwrap

import numpy as np
from numpy.typing import NDArray

from attrib.plan import Plan
from attrib.stages import RUN, UNAVAILABLE
from harness.errors import InputError, NotApplicableError
from harness.grid import AXES

NO_TIME = 252
"""Entry of the code table where a shape has no plan; below are tile indices, 253, 254, 255 split M, N, K."""

LARGEST_SIZE = 2**31 - 1
"""Largest size of an axis, in elements: the tables' sizes are 32-bit."""


def dispatch_header(plan: Plan, prefix: str = "attrib") -> str:
    """Write a plan as a self-contained C99 and C++ header.

    It needs nothing but ``<stdint.h>`` and agrees with `attrib.plan.Plan.lookup` and
    `attrib.plan.Plan.launches` on every shape, off-grid ones included. The tables take three bytes a grid
    shape (five beyond 65,536 shapes); at 32^3 = 32,768 shapes that is 96 KiB compiled and about 0.3 MB of
    text. The same plan always gives the same text: no date, no path, no version of anything.

    Parameters
    ----------
    plan : Plan
    prefix : str, optional
        Start of every name in the header, so that the plans of two devices can be included side by side.

    Returns
    -------
    str
        The text of the header.

    Raises
    ------
    InputError
        If the prefix is no C identifier.
    NotApplicableError
        If the plan has more than 252 tiles or an axis goes beyond 2^31 - 1.
    """
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", prefix) is None:
        raise InputError(f"prefix {prefix!r} is no C identifier: expected letters, digits and _")
    if len(plan.tiles) > NO_TIME:
        raise NotApplicableError(f"a header holds up to {NO_TIME} tiles, this plan has {len(plan.tiles)}")
    if max(axis[-1] for axis in plan.axes) > LARGEST_SIZE:
        raise NotApplicableError(f"a header holds sizes up to {LARGEST_SIZE}, this plan goes beyond")
    code, argument = _tables(plan)
    parts = [
        _comment(plan),
        f"#ifndef @P@_DISPATCH_H\n#define @P@_DISPATCH_H\n\n#include <stdint.h>\n\n"
        f"#define @P@_MAX_LAUNCHES {int(plan.launch_counts.max())} /* of any shape of the grid */\n"
        f"#define @P@_TILE_COUNT {len(plan.tiles)}\n",
        _TYPES,
        _tile_table(plan),
        *(_axis_functions(name, axis) for name, axis in zip(AXES, plan.axes, strict=True)),
        "/* What to do with a grid shape, in C order of M, N, K: below 252 the tile to run, 252 no plan,\n"
        "   253, 254 or 255 split along M, N or K. */",
        _array("static const uint8_t @p@_code", code),
        "/* The grid shape to pad to, or the first part's index on the split axis. */",
        _array(f"static const uint{8 * argument.itemsize}_t @p@_argument", argument),
        _FUNCTIONS.replace("@NN@", str(plan.N.size)).replace("@NK@", str(plan.K.size)),
        "#endif /* @P@_DISPATCH_H */\n",
    ]
    return "\n".join(parts).replace("@P@", prefix.upper()).replace("@p@", prefix)


def _tables(plan: Plan) -> tuple[NDArray[np.uint8], NDArray[np.unsignedinteger]]:
    """Per grid shape the code and its argument, flat in C order."""
    kept = plan.decisions
    split = kept.action > RUN
    code = np.where(split, NO_TIME + kept.action.astype(np.int16), kept.tile)
    code[kept.action == UNAVAILABLE] = NO_TIME
    argument = np.where(split, kept.part, kept.target)
    argument[kept.action == UNAVAILABLE] = 0
    width = np.uint16 if kept.target.size <= 2**16 else np.uint32
    return code.ravel().astype(np.uint8), argument.ravel().astype(width)


def _array(declaration: str, values: NDArray[np.integer]) -> str:
    """A constant array of integers, 32 a line."""
    texts = [str(value) for value in values.tolist()]
    lines = [",".join(texts[start : start + 32]) for start in range(0, len(texts), 32)]
    return f"{declaration}[{len(texts)}] = {{\n" + ",\n".join(lines) + "};\n"


def _plain(text: str) -> str:
    """`text` with what could end a C comment or string, or is not ASCII, replaced."""
    return re.sub(r"[^A-Za-z0-9 .,:;()+_/=-]", "_", text)


def _tile_table(plan: Plan) -> str:
    rows = [f'    {{"{_plain(tile.name)}", {tile.m}, {tile.n}, {tile.k}}}' for tile in plan.tiles]
    return "static const @p@_tile @p@_tiles[@P@_TILE_COUNT] = {\n" + ",\n".join(rows) + "};\n"


def _axis_functions(name: str, axis: NDArray[np.int64]) -> str:
    """``index``: the position of the next grid value, -1 off the grid; ``size``: the value at a position."""
    n, first, last = name.lower(), int(axis[0]), int(axis[-1])
    steps = np.unique(np.diff(axis))
    if steps.size <= 1:
        step = int(steps[0]) if steps.size else 1
        table = ""
        find = f"    return size <= {first} ? 0 : (int32_t)((size - {first} + {step - 1}) / {step});"
        value = f"{first} + (int64_t){step} * index"
    else:
        table = _array(f"static const int32_t @p@_axis_{n}", axis)
        find = (
            f"    int32_t low = 0, high = {axis.size - 1};\n"
            "    while (low < high) {\n"
            "        const int32_t middle = low + (high - low) / 2;\n"
            f"        if (@p@_axis_{n}[middle] < size) low = middle + 1; else high = middle;\n"
            "    }\n"
            "    return low;"
        )
        value = f"@p@_axis_{n}[index]"
    return (
        f"{table}static inline int32_t @p@_index_{n}(int64_t size) {{\n"
        f"    if (size < 1 || size > {last}) return -1;\n{find}\n}}\n"
        f"static inline int64_t @p@_size_{n}(int64_t index) {{ return {value}; }}\n"
    )


def _comment(plan: Plan) -> str:
    """What the header is, where it comes from and how to use it."""
    content = hashlib.sha256(repr(plan.tiles).encode())
    dataset = plan.to_dataset()
    for array in (*plan.axes, *(dataset[name].values for name in dataset.data_vars)):
        content.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    limits = ", ".join(f"{name} <= {axis[-1]}" for name, axis in zip(AXES, plan.axes, strict=True))
    about = (
        f"For {limits}; sizes between the {' x '.join(map(str, plan.shape))} grid values are rounded up to "
        "the next. Times behind the decisions were measured or modelled on this device: for another device, "
        "kernel or software stack, make another plan."
    )
    return f"""\
/* GEMM dispatch table, made by attrib (attrib optimize --header); do not edit.

   device: {_plain(plan.device)}
   stage:  {_plain(plan.stage)}
   plan:   sha256 {content.hexdigest()}

{textwrap.indent(textwrap.fill(about, 96), "   ")}

   Include it in one source file, since each has a copy of the tables. For D = A B + beta D, row-major,
   D is M x N, A is M x K, B is K x N:

       @p@_launch launch[@P@_MAX_LAUNCHES];
       int count = @p@_launches(M, N, K, launch, @P@_MAX_LAUNCHES);
       if (count < 0) fall_back(M, N, K);
       for (int i = 0; i < count; ++i) {{
           const @p@_launch *l = &launch[i];
           run(@p@_tiles[l->tile], l->size, l->padded, l->beta ? 1 : beta,
               A + l->offset[0] * lda + l->offset[2],
               B + l->offset[2] * ldb + l->offset[1],
               D + l->offset[0] * ldd + l->offset[1]);
       }}

   Launches run in this order, one after the other. `size` is what a launch computes, `padded` the shape
   the kernel runs: extend or mask the operands with zeros, and drop the rows and columns of the result
   beyond `size`, which may be another launch's. `beta` is 1 where a launch adds to an earlier one's D. */
"""


_TYPES = """\
/* A kernel variant: sizes of its work-group tile in elements, 0 where a library hides them. */
typedef struct {
    const char *name;
    int32_t m, n, k;
} @p@_tile;

/* What to do with one shape; sizes in elements. */
typedef struct {
    int32_t split;     /* 0: one launch; 1, 2, 3: two parts along M, N, K */
    int32_t tile;      /* one launch: index into @p@_tiles; else -1 */
    int64_t padded[3]; /* one launch: the shape M, N, K to run; else 0 */
    int64_t first;     /* two parts: size of the first along the split axis; else 0 */
    int64_t second;    /* two parts: size of the second, what remains; else 0 */
} @p@_choice;

/* One kernel launch; triples are M, N, K in elements. */
typedef struct {
    int32_t tile;
    int32_t beta;
    int64_t offset[3], size[3], padded[3];
} @p@_launch;
"""

_FUNCTIONS = """\
/* Look up a shape: 0, or -1 where it is off the grid or has no plan (then `out` is untouched). A part of a
   split is looked up by its own sizes. */
static inline int @p@_dispatch(int64_t m, int64_t n, int64_t k, @p@_choice *out) {
    const int32_t i = @p@_index_m(m), j = @p@_index_n(n), l = @p@_index_k(k);
    int64_t cell, argument;
    int32_t code;
    if (i < 0 || j < 0 || l < 0) return -1;
    cell = ((int64_t)i * @NN@ + j) * @NK@ + l;
    code = @p@_code[cell];
    argument = (int64_t)@p@_argument[cell];
    if (code == 252) return -1;
    if (code < 252) {
        out->split = 0;
        out->tile = code;
        out->padded[0] = @p@_size_m(argument / @NK@ / @NN@);
        out->padded[1] = @p@_size_n(argument / @NK@ % @NN@);
        out->padded[2] = @p@_size_k(argument % @NK@);
        out->first = out->second = 0;
        return 0;
    }
    out->split = code - 252;
    out->tile = -1;
    out->padded[0] = out->padded[1] = out->padded[2] = 0;
    out->first = code == 253   ? @p@_size_m(argument)
                 : code == 254 ? @p@_size_n(argument)
                               : @p@_size_k(argument);
    out->second = (code == 253 ? m : code == 254 ? n : k) - out->first;
    return 0;
}

/* Write the launches of a shape, in order: their number, or -1 where the shape is off the grid, has no plan
   or needs more than `capacity`. Parts that wait are kept at the far end of `out`. */
static inline int @p@_launches(int64_t m, int64_t n, int64_t k, @p@_launch *out, int capacity) {
    int done = 0, top = capacity;
    @p@_launch part = {0, 0, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
    @p@_choice choice;
    if (capacity < 1) return -1;
    part.size[0] = m;
    part.size[1] = n;
    part.size[2] = k;
    out[--top] = part;
    while (top < capacity) {
        part = out[top++];
        if (@p@_dispatch(part.size[0], part.size[1], part.size[2], &choice) != 0) return -1;
        if (choice.split == 0) {
            int a;
            part.tile = choice.tile;
            part.beta = part.offset[2] > 0;
            for (a = 0; a < 3; ++a) part.padded[a] = choice.padded[a];
            out[done++] = part;
        } else {
            const int axis = choice.split - 1;
            @p@_launch second = part;
            if (top - done < 2) return -1;
            second.offset[axis] += choice.first;
            second.size[axis] = choice.second;
            part.size[axis] = choice.first;
            out[--top] = second;
            out[--top] = part;
        }
    }
    return done;
}
"""
