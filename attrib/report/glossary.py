"""The words of the page, in our own words."""

from __future__ import annotations

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("tile", "The block of the output, tm × tn, that one work-group computes, and the tk of K it takes per step."),
    ("work-group", "The unit of work that a core is given: one output tile (a thread block on NVIDIA)."),
    ("residency", "How many work-groups of a tile one core holds at once; small tiles fit two or three times."),
    ("slot, wave", "Cores times residency make the slots; a wave is one filling of all slots with work-groups."),
    ("wave quantization", "The last wave costs a wave even when it is nearly empty: one more tile, one more wave."),
    ("wave fill", "A shape with fewer work-groups than slots leaves cores idle, and still waits for one wave."),
    ("tile padding", "Work past the edge of the matrix, done because only whole tiles and whole steps exist."),
    ("atom remainder", "Work past the edge that the matrix instruction's own block size (the atom) forces."),
    ("row pitch", "Bytes from one row to the next; off a cache line, loads are split and the mainloop slows down."),
    ("channel hash", "How addresses spread over memory channels; an unlucky pitch leaves channels idle."),
    ("base overhead", "The time of a launch that does no work."),
    ("pipeline fill", "A mainloop of too few steps to hide the first loads."),
    ("exposed prologue", "What each wave waits for its first operands, whether it computes or waits for memory."),
    ("cache spill", "Traffic of a working set that is larger than the last-level cache keeps."),
    (
        "operand re-reads",
        "Traffic of operands that every row of tiles walks through anew, once the cache loses them.",
    ),
    (
        "cores out of step",
        "Cores that are not equally fast end their waves at different times: with more waves, steps get rounder.",
    ),
    ("slice", "The M × N plane of the landscape at the largest K that was measured."),
    ("roughness", "Mean absolute change of throughput from one shape to the next along an axis, TFLOP/s per step."),
    (
        "share",
        "A mechanism's part of the roughness: what it adds when switched on, averaged over all orders of switching "
        "(Shapley value). The shares add up to the measured roughness.",
    ),
    ("smooth floor", "The roughness of the model with all mechanisms off: a smooth rise is a change too."),
    ("unexplained", "Measured roughness less noise and less what the model has: mechanisms not yet found."),
    (
        "noise",
        "Roughness that only comes from the spread of repeated timings. After padding or splitting it can be "
        "negative: neighbours that share a lucky launch are smoother.",
    ),
    ("masked edge", "What a work-group at a ragged edge costs beyond its padding: a slower, masked path."),
    ("overlap", "A kernel that computes while memory works takes little more than the longer, not the sum."),
    ("lost throughput", "Mean throughput below the ideal landscape, TFLOP/s."),
    ("slowdown", "Mean natural logarithm of time over ideal time: 0.10 is about 10 % longer."),
    ("later stages", "What choosing tiles, padding and splitting still take away from this stage."),
    ("ideal (bound)", "A device that is at its peak as soon as every core has a work-group."),
    ("optimal (bound)", "What datasheet numbers, whole waves and the best tile leave possible at each shape."),
    ("tau", "Mean throughput over that of the optimal landscape, on the slice: 1 is optimal."),
    (
        "rho",
        "Roughness along N over that of the optimal landscape: 1 is as rough as the bound, which has waves too; a "
        "slow kernel can be below 1 because its steps are small.",
    ),
    ("KOL, level", "Kernel Optimality Level L0 to L3: the lesser of the bands that tau (T) and rho (S) reach."),
    ("best tile", "The stage that runs each shape with its fastest tile."),
    ("pad, split", "Stages that run a shape as a larger, faster one, or as two smaller ones one after another."),
    ("full stack", "Best tile, pad and split together, by dynamic programming over the table of times."),
    ("held out", "Whole blocks of neighbouring shapes that a fit has not seen when it is tested on them."),
)
