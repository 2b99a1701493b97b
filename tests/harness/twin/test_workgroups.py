"""What work-groups have to do, against sets of panels and bytes counted one by one."""

import numpy as np
import pytest

from harness.twin import B580, Twin
from harness.twin.channels import channel_imbalance
from harness.twin.mechanisms import switches
from harness.twin.workgroups import along_n, demands

CHIP = B580.numbers
SHAPES = [
    (128, 128, 512),
    (4096, 3096, 4096),
    (3000, 2000, 1000),
    (1000, 4096, 264),
    (640, 5120, 2048),
    (72, 40, 8),
]


def imbalance(pitch, rows, width):
    """Every byte walks to its channel."""
    addresses = (pitch * np.arange(rows)[:, None] + np.arange(width)).ravel()
    load = np.bincount(addresses // CHIP.interleave_bytes % CHIP.channels, minlength=CHIP.channels)
    return load.max() / load.mean()


def missed(footprint):
    return 1 / (1 + (CHIP.cache_bytes / footprint) ** CHIP.cache_sharpness)


def reference(M, N, K, kernel, cold=False):
    """Waits and works in raster order with everything on, from the story rather than from index arithmetic."""
    rows = [min(kernel.m, M - start) for start in range(0, M, kernel.m)]
    columns = [min(kernel.n, N - start) for start in range(0, N, kernel.n)]
    if len(columns) <= len(rows):
        raster = [(i, j) for i in range(len(rows)) for j in range(len(columns))]
    else:
        raster = [(i, j) for j in range(len(columns)) for i in range(len(rows))]
    pitches = sum(2 * size % 64 != 0 for size in (N, K))
    padded_k = -(-K // kernel.k) * kernel.k
    flop = 2 * kernel.m * kernel.n * padded_k
    rate = CHIP.engines * CHIP.flop_per_cycle * CHIP.clock_hz * kernel.efficiency
    plain = flop / rate * (1 + pitches * CHIP.pitch_work + (K % kernel.k != 0) * CHIP.k_mask)
    alone = min(1, kernel.solo_rate / (1 + pitches * CHIP.pitch_latency))

    def edge(size, tile, atom, slope, constant):
        slow = 1.0 if size == tile else 1 + constant + slope * (1 - size / tile) ** CHIP.edge_power
        return slow + (size % atom != 0) * CHIP.atom_mask

    price = {
        "A": 1 + CHIP.channel_share * (imbalance(2 * K, kernel.m, 2 * kernel.k) - 1),
        "B": 1 + CHIP.channel_share * (imbalance(2 * N, 32, 2 * kernel.n) - 1),
        "D": 1 + CHIP.channel_share * (imbalance(4 * N, 32, 4 * kernel.n) - 1),
    }
    # Only what lies inside the matrices is moved.
    panel = {("A", i): 2 * K * size for i, size in enumerate(rows)}
    panel |= {("B", j): 2 * K * size for j, size in enumerate(columns)}
    first = 1.0 if cold else missed(2 * K * (M + N) + 4 * M * N)
    walks_n = len(columns) <= len(rows)
    slow, fast = ("A", "B") if walks_n else ("B", "A")
    sweep = 2 * K * ((N + kernel.m) if walks_n else (M + kernel.n))
    slots = CHIP.cores * (CHIP.subgroups_per_core // kernel.sub_groups)
    touched, waits, works, loads = set(), [], [], []
    for start in range(0, len(raster), slots):
        batch = raster[start : start + slots]
        panels = {("A", i) for i, _ in batch} | {("B", j) for _, j in batch}
        result = sum(4 * rows[i] * columns[j] for i, j in batch)
        footprint = sum(panel[one] for one in panels) + result
        lost = {slow: missed(footprint), fast: missed(max(footprint, sweep))}
        # Once the first sweep along the fast axis has begun anew, its panels count as touched.
        again = {fast} if batch[0][0 if walks_n else 1] > 0 else set()
        moved = result * price["D"]
        for name, index in panels:
            old = name in again if name == fast else (name, index) in touched
            moved += panel[name, index] * price[name] * (lost[name] if old else first)
        touched |= panels
        # One core's work-groups can use a part of it each; together they move what the bandwidth lets through.
        used = min(1, alone * min(slots // CHIP.cores, -(-len(batch) // CHIP.cores)))
        memory = moved / CHIP.bandwidth * used / min(slots // CHIP.cores, -(-len(batch) // CHIP.cores))
        for i, j in batch:
            factor = edge(rows[i], kernel.m, CHIP.atom_m, CHIP.edge_m, CHIP.edge_m_constant)
            factor *= edge(columns[j], kernel.n, CHIP.atom_n, CHIP.edge_n, CHIP.edge_n_constant)
            waits.append(CHIP.fill_s + (factor - 1) * kernel.edge_scale * plain / alone)
            works.append(plain)
            loads.append(memory)
    return np.array(waits), np.array(works), np.array(loads), alone


@pytest.mark.parametrize("tile", B580.kernels)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cold", [False, True])
def test_demands_are_those_of_the_story(tile, shape, cold):
    kernel = B580.kernels[tile]
    M, N, K = shape
    count = -(-M // tile.m) * -(-N // tile.n)
    wait, work, loads = np.full((3, count), np.nan)
    alone = demands(M, N, K, kernel, CHIP, switches(()), cold, along_n(M, N, kernel), wait, work, loads)
    *expected, expected_alone = reference(M, N, K, kernel, cold)
    assert alone == pytest.approx(expected_alone, rel=1e-12)
    for found, told in zip((wait, work, loads), expected, strict=True):
        np.testing.assert_allclose(found, told, rtol=1e-9)


@pytest.mark.parametrize(
    ("pitch", "rows", "width"), [(8192, 256, 64), (1536, 32, 512), (6192, 32, 512), (48, 7, 100), (256, 6, 256)]
)
def test_channels_by_counting_bytes(pitch, rows, width):
    found = channel_imbalance(pitch, rows, width, CHIP.channels, CHIP.interleave_bytes)
    assert found == pytest.approx(imbalance(pitch, rows, width))


def test_a_row_on_one_channel_and_rows_on_all():
    assert channel_imbalance(1536, 32, 256, 6, 256) == 6.0
    assert channel_imbalance(256, 6, 256, 6, 256) == 1.0


def test_residents_follow_from_sub_groups():
    twin = Twin()
    found = {tile.name: twin.residents(tile) for tile in twin.tiles}
    assert found == {
        "256x256x32": 1,
        "128x128x32": 4,
        "256x128x32": 2,
        "128x256x32": 2,
        "64x64x32": 4,
        "64x128x32": 4,
    }
