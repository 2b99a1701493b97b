"""The published figures as data: each stated by the paper, each listed once.

Figures that the paper derives from others of its own (reductions of Table 14, "vs ideal" of Table 10, roughness
reductions of Table 8, slice values of Table 17) are left out, as are those that no GEMM timing can show
(Tables 2 to 5, 15 and 16: memory benchmarks, estimates) and the ideal and optimal landscapes, which are formulas.
"""

from __future__ import annotations

from attrib.published.figure import Figure

_STEP = "TFLOP/s per step"
_TWO_MEANS = "§6.4 gives N-axis 3D roughness of 13.5 and 9.3, Table 17 7.06 and 5.92 on all axes: no pair fits both"
_CAPTION = "captioned for 32,768 shapes; its roughness reductions are those of the slice"
_TREND = (
    "a slice mean of 58.7 at K = 4096 and +7 % from K = 2048 leave a cube mean of 41.2 (Table 6) no room: the "
    "trend alone gives more than 50"
)
_BYTES = "at K = 128 storing D alone bounds large shapes to some 29 TFLOP/s, which rules out +38 % to K = 1024"
_SESSIONS = "the same shape differs between the paper's sessions by 0.5 to 1.6 %"
_WINS = "the four shares add up to 100 %, which leaves none for 64x64 and 64x128 of six tiles"
_ALIGNMENT = "on a grid of step 128 no sub-group or atom is cut, so the cause that §3.3 names cannot act"
_RANGE = "the range of N is not stated; taken as 32..4096"
_NYQUIST = "all sampled N are 24 mod 32: for tile 64 only two remainders occur, a period at the sampling limit"
_SUM = "the four shares add up to 101 %"

_STAGES = (
    ("fixed", 58.7, 16.8),
    ("best", 68.3, 10.4),
    ("fixed+pad", 70.2, 5.6),
    ("fixed+pad+split", 71.2, 5.3),
    ("best+pad", 75.4, 5.3),
    ("best+pad+split", 76.3, 5.0),
)
_TILES = (
    ("256x256x32", 41.2, 109.0, 16.5),
    ("128x128x32", 44.6, 112.1, 36.1),
    ("256x128x32", 41.5, 108.8, 19.3),
    ("128x256x32", 44.5, 110.2, 28.1),
)
_FINE = (
    ("256x256x32", 82.09, 91.39, 5.58, 1.56, 70.92, 86.40),
    ("128x128x32", 89.46, 90.90, 3.30, 1.03, 74.76, 86.50),
    ("64x64x32", 46.26, 47.99, 3.09, 0.61, 34.84, 45.92),
    ("best", 90.23, 92.29, 3.79, 1.31, 75.50, 86.90),
)
_LINE = (("fixed", 63.8, 11.1, None), ("best of 4", 85.4, 8.5, 26.6), ("best of 6", 87.1, 8.0, 23.1))
_GROUPS = (
    ("aligned", 95.19, 6.92),
    ("misaligned", 86.40, 4.38),
    ("control", 75.71, 4.69),
    ("saturation", 66.48, 43.99),
)
_POINTS = (
    (4096, 2048, 99.26),
    (4096, 4096, 96.22),
    (4096, 3168, 81.77),
    (4096, 3096, 70.51),
    (2560, 1536, 109.55),
)


def _figures() -> tuple[Figure, ...]:
    rows: list[Figure] = []
    for name, mean, roughness in _STAGES:
        rows.append(Figure(f"slice {name} mean", "Table 10", mean, stage=True))
        rows.append(Figure(f"slice {name} roughness", "Table 10", roughness, _STEP, stage=True))
    for tile, mean, peak, wins in _TILES:
        note = _TREND if tile == "256x256x32" else ""
        rows.append(Figure(f"cube {tile} mean", "Table 6", mean, contradiction=note))
        peak_note = "§3.2 states 110.8 for the same tile and grid" if tile == "256x256x32" else ""
        rows.append(Figure(f"cube {tile} peak", "Table 6", peak, contradiction=peak_note))
        rows.append(Figure(f"cube {tile} wins", "Table 6", wins, "%", contradiction=_WINS))
    rows += [
        Figure("cube best mean", "§6.4", 53.9),
        Figure("cube fixed roughness", "§6.4", 13.5, _STEP, contradiction=_TWO_MEANS),
        Figure("cube best roughness", "§6.4", 9.3, _STEP, contradiction=_TWO_MEANS),
        Figure("cube fixed roughness of three axes", "Table 17", 7.06, _STEP, contradiction=_TWO_MEANS),
        Figure("cube best roughness of three axes", "Table 17", 5.92, _STEP, contradiction=_TWO_MEANS),
        Figure("cube best+pad+split roughness of three axes", "Table 17", 3.50, _STEP, contradiction=_TWO_MEANS),
        Figure("cube above 100", "§3", 1.4, "%"),
        Figure("alignment N", "§3.3", 27.6, "%", contradiction=_ALIGNMENT),
        Figure("alignment M", "§3.3", 10.7, "%"),
        Figure("step to N=1024", "§3.3", 14.3, contradiction="§3.3 predicts it by a percentage, 100/87.5 - 1"),
        Figure("trend K 128 to 1024", "§3.4", 38.0, "%", contradiction=_BYTES),
        Figure("trend K 2048 to 4096", "§3.4", 7.0, "%", contradiction=_TREND),
    ]
    for name, mean, roughness, variation in _LINE:
        rows.append(Figure(f"line {name} mean", "Table 7", mean, contradiction=_RANGE))
        rows.append(Figure(f"line {name} roughness", "Table 7", roughness, _STEP, contradiction=_RANGE))
        if variation is not None:
            rows.append(Figure(f"line {name} variation", "Table 7", variation, "%", contradiction=_RANGE))
    for plan, mean in (("pad", 22.7), ("pad+split", 24.4)):
        rows.append(Figure(f"cube fixed+{plan} mean saving", "Table 8", mean, "%", contradiction=_CAPTION))
        rows.append(Figure(f"cube fixed+{plan} largest saving", "Table 8", 87.6, "%", contradiction=_CAPTION))
        rows.append(Figure(f"cube fixed+{plan} above 10 %", "Table 8", 74.0, "%", contradiction=_CAPTION))
        rows.append(Figure(f"cube fixed+{plan} above 20 %", "Table 8", 53.0, "%", contradiction=_CAPTION))
    rows += [
        Figure("cube best+pad mean saving", "§7.4", 10.4, "%"),
        Figure("cube best+pad+split mean saving", "§7.4", 11.6, "%"),
        Figure("action run or pad", "Table 9", 75.0, "%", contradiction=_SUM),
        Figure("action split K", "Table 9", 13.0, "%", contradiction=_SUM),
        Figure("action split N", "Table 9", 8.0, "%", contradiction=_SUM),
        Figure("action split M", "Table 9", 5.0, "%", contradiction=_SUM),
    ]
    for name, mean, deviation in _GROUPS:
        rows.append(Figure(f"group {name} mean", "Table 11", mean))
        rows.append(Figure(f"group {name} deviation", "Table 11", deviation))
    rows.append(Figure("group aligned at M=4096 mean", "§8.1", 93.65))
    rows += [Figure(f"kernel {m}x{n}x4096", "Table 12", value) for m, n, value in _POINTS]
    for side in (256, 128, 64):
        note = _NYQUIST if side == 64 else ""
        rows.append(Figure(f"fine {side}x{side}x32 period", "Table 13", side, "elements", contradiction=note))
        rows.append(Figure(f"fine {side}x{side}x32 valley", "Table 13", 24, "elements", contradiction=note))
    for name, mean, padded, rough, smooth, least, lifted in _FINE:
        note = "§8.2 gives 70.51 at N = 3096, below this minimum" if name == "256x256x32" else ""
        rows += [
            Figure(f"fine {name} mean", "Table 14", mean),
            Figure(f"fine {name} padded mean", "Table 14", padded),
            Figure(f"fine {name} roughness", "Table 14", rough, _STEP),
            Figure(f"fine {name} padded roughness", "Table 14", smooth, _STEP),
            Figure(f"fine {name} minimum", "Table 14", least, contradiction=note),
            Figure(f"fine {name} padded minimum", "Table 14", lifted),
        ]
    rows += [
        Figure("shape 4096x4096x4096", "§3.2", 97.1, contradiction=_SESSIONS),
        Figure("shape 3840x2048x4096", "§3.2", 110.8, contradiction="Table 6 states 109.0 as this tile's maximum"),
    ]
    return tuple(rows)


FIGURES = _figures()
"""Every published figure that timings of the six tiles can be held against."""
