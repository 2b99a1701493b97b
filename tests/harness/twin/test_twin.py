"""The twin as a whole: switches, floor, noise, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cube import device_of, validate
from harness.device import load_device
from harness.errors import DeviceError, InputError
from harness.grid import Grid
from harness.tile import Tile
from harness.twin import B580, MECHANISMS, Chip, Twin
from harness.twin.launches import core_speeds
from harness.twin.mechanisms import switches
from harness.twin.schedule import makespan
from harness.twin.workgroups import along_n, demands

TILES = Twin().tiles
ALL = frozenset(MECHANISMS)
sizes = st.integers(1, 1200).map(lambda n: 8 * n)


def floor(M, N, K, tile):
    chip, kernel = B580.numbers, B580.kernels[tile]
    peak = chip.cores * chip.engines * chip.flop_per_cycle * chip.clock_hz
    return 2.0 * M * N * K / (peak * kernel.efficiency)


@pytest.mark.parametrize("cores", [8, 14, 20, 35])
def test_slow_cores_are_scattered(cores):
    """Each rate once, and neither up nor down from core to core."""
    speeds = core_speeds(B580.replaced({"cores": cores}).numbers, switches(()))
    assert speeds.max() == 1.0
    assert speeds.min() == pytest.approx(1.0 - B580.numbers.core_spread)
    np.testing.assert_allclose(np.diff(np.sort(speeds)), B580.numbers.core_spread / (cores - 1))
    rises = np.diff(speeds) > 0
    assert 0.1 <= rises.mean() <= 0.9


def test_seconds_are_those_of_the_scheduled_demands():
    chip = B580.numbers
    for tile, (M, N, K) in zip(TILES, [(4096, 3096, 512), (3000, 1000, 264)] * 3, strict=True):
        kernel = B580.kernels[tile]
        count = -(-M // tile.m) * -(-N // tile.n)
        wait, work, loads = np.empty((3, count))
        on = switches(())
        alone = demands(M, N, K, kernel, chip, on, False, along_n(M, N, kernel), wait, work, loads)
        residents = chip.subgroups_per_core // kernel.sub_groups
        speeds = core_speeds(chip, on)
        last = makespan(wait, work, loads, count, speeds, residents, alone, chip.overlap, np.empty(0))
        assert Twin().seconds(M, N, K, tile) == pytest.approx(chip.base_s + last, rel=1e-12)


@pytest.mark.parametrize("tile", TILES)
def test_everything_off_is_the_smooth_floor(tile):
    axis = np.array([8, 100, 1000, 4096])
    found = Twin(off=ALL).seconds(axis[:, None], axis, 264, tile)
    np.testing.assert_allclose(found, floor(axis[:, None], axis, 264, tile), rtol=1e-9)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    sizes, sizes, st.integers(1, 512).map(lambda n: 8 * n), st.sampled_from(TILES), st.sampled_from([*MECHANISMS])
)
def test_switching_a_mechanism_off_saves_time(M, N, K, tile, mechanism):
    """Exactly where work is divisible; list scheduling on unequal cores may end less work a little later."""
    divisible = {"wave quantization"}
    assert Twin(off={mechanism, *divisible}).seconds(M, N, K, tile) <= Twin(off=divisible).seconds(
        M, N, K, tile
    ) * (1 + 1e-9)
    assert Twin(off=ALL).seconds(M, N, K, tile) <= Twin(off=ALL - {mechanism}).seconds(M, N, K, tile) * (1 + 1e-9)
    assert Twin(off={mechanism}).seconds(M, N, K, tile) <= Twin().seconds(M, N, K, tile) * 1.2


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_mechanism_costs_time_on_average(mechanism):
    axis = np.arange(152, 2200, 128)
    for tile in TILES:
        on, off = (twin.seconds(axis[:, None], axis, 1000, tile).mean() for twin in (Twin(), Twin(off={mechanism})))
        assert off <= on * 1.001
    K = np.array([256, 1000, 1024, 4096])
    spent = [
        twin.seconds(axis[:, None], axis, K[:, None, None], TILES[1]) for twin in (Twin(), Twin(off={mechanism}))
    ]
    assert spent[1].mean() < spent[0].mean()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sizes, sizes, st.integers(1, 100), st.integers(1, 50))
def test_a_longer_mainloop_takes_longer(M, N, steps, more):
    """On equal, unshared cores and without effects of the row pitch, whose remainders K changes."""
    twin = Twin(off={"core spread", "channel hash", "row pitch", "atom remainder"})
    first, second = twin.seconds(M, N, np.array([32 * steps, 32 * (steps + more)]), TILES[0])
    assert second > first


def only(mechanism):
    return Twin(off=ALL - {mechanism})


def test_base_overhead_is_a_constant():
    found = only("base overhead").seconds(1000, 500, 300, TILES[0]) - floor(1000, 500, 300, TILES[0])
    assert found == pytest.approx(B580.numbers.base_s)


@pytest.mark.parametrize("tile", TILES)
def test_tile_padding_computes_whole_tiles(tile):
    M, N, K = 1000, 520, 100
    padded = floor(-(-M // tile.m) * tile.m, -(-N // tile.n) * tile.n, -(-K // tile.k) * tile.k, tile)
    assert only("tile padding").seconds(M, N, K, tile) == pytest.approx(padded)


def test_wave_fill_makes_a_launch_last_one_work_group():
    tile = TILES[0]
    assert only("wave fill").seconds(256, 256, 1024, tile) == pytest.approx(20 * floor(256, 256, 1024, tile))
    assert only("wave fill").seconds(2048, 2048, 1024, tile) == pytest.approx(floor(2048, 2048, 1024, tile))


@pytest.mark.parametrize(("tile", "slots"), list(zip(TILES, [20, 80, 40, 40, 80, 80], strict=True)))
def test_wave_quantization_counts_whole_waves(tile, slots):
    """One work-group more than fits begins a wave that costs what its busiest core does."""
    twin = Twin(off=ALL - {"wave quantization", "wave fill"})
    one = floor(tile.m, tile.n, 4096, tile) * 20  # on a core of its own
    full = twin.seconds(tile.m, tile.n * slots, 4096, tile)
    assert full == pytest.approx(one * slots / 20)
    assert twin.seconds(tile.m, tile.n * (slots + 1), 4096, tile) == pytest.approx(full + one)


def test_a_full_slot_runs_at_the_rate_of_one_work_group():
    tile = Tile.parse("128x128x32")
    twin = Twin(off=ALL - {"thread latency", "wave fill", "wave quantization"})
    alone = twin.seconds(128, 128, 4096, tile)
    rate = B580.kernels[tile].solo_rate
    assert alone == pytest.approx(floor(128, 128, 4096, tile) * 20 / rate)


def test_a_ragged_edge_costs_on_the_edge_alone():
    with_edge = only("masked edge")
    np.testing.assert_allclose(with_edge.seconds(512, 512, 512, TILES[0]), floor(512, 512, 512, TILES[0]))
    assert with_edge.seconds(512, 520, 512, TILES[0]) > 1.01 * floor(512, 520, 512, TILES[0])


def test_row_pitch_costs_only_inside_a_line():
    twin = only("row pitch")
    assert twin.seconds(512, 512, 512, TILES[0]) == pytest.approx(floor(512, 512, 512, TILES[0]))
    ratio = twin.seconds(512, 520, 512, TILES[0]) / floor(512, 520, 512, TILES[0])
    assert ratio == pytest.approx(1 + B580.numbers.pitch_work)


def test_cold_caches_never_help():
    axis = np.array([128, 640, 1024, 4096])
    divisible = Twin(off={"wave quantization"})  # without anomalies of list scheduling
    for tile in TILES:
        for twin, least in ((divisible, 1 - 1e-9), (Twin(), 0.95)):
            warm, cold = (twin.seconds(axis[:, None], axis, 1024, tile, cache=state) for state in ("warm", "cold"))
            assert np.all(cold >= warm * least)
            assert np.any(cold > 1.002 * warm)


def test_noise_has_the_published_variation_and_no_bias():
    twin = Twin(seed=3)
    M = 8 * np.arange(1, 41)
    times = twin.measure(M[:, None], 512, 512, TILES[1], np.arange(400))
    cv = times.std(axis=1, ddof=1) / times.mean(axis=1)
    assert cv.min() > 0.0003
    assert cv.max() < 0.0011
    assert cv.std() > 0.0001  # cells differ in their variation
    deviation = times.mean(axis=1) / twin.seconds(M, 512, 512, TILES[1]) - 1
    assert np.abs(deviation).max() < 0.001 / np.sqrt(400) * 4


def test_noise_is_a_function_of_seed_cell_repeat_and_session():
    first = Twin(seed=1).measure([256, 512], 512, 512, TILES[0], 5)
    np.testing.assert_array_equal(first[1], Twin(seed=1).measure(512, 512, 512, TILES[0], 5))
    for other in (
        Twin(seed=2).measure(512, 512, 512, TILES[0], 5),
        Twin(seed=1).measure(512, 512, 512, TILES[0], 6),
        Twin(seed=1).measure(512, 512, 512, TILES[0], 5, session=0),
    ):
        assert other != first[1]


def test_sessions_have_offsets_of_their_own():
    twin = Twin()
    offsets = [
        twin.measure(512, 512, 512, TILES[0], np.arange(50), session=s).mean()
        / twin.seconds(512, 512, 512, TILES[0])
        for s in range(40)
    ]
    assert 0.002 < np.std(offsets) < 0.008


def test_a_landscape_says_that_it_is_simulated():
    cube = validate(Twin(off={"wave fill"}).landscape(Grid.parse("128,256;128;256,512"), repeats=3))
    assert cube.attrs["simulated"] == 1
    assert device_of(cube).simulated
    assert "wave fill" in cube.attrs["twin"]
    assert B580.digest in cube.attrs["twin"]
    assert cube["time_repeats"].shape == (6, 2, 1, 2, 3)
    assert np.all(cube["time_spread"] > 0)


def test_what_the_twin_refuses():
    with pytest.raises(InputError, match="tail"):
        Twin(off={"tail"})
    with pytest.raises(InputError, match="32x32x32"):
        Twin().seconds(8, 8, 8, Tile.parse("32x32x32"))
    for size in (0, -8, 1.5):
        with pytest.raises(InputError, match="positive whole"):
            Twin().seconds(size, 8, 8, TILES[0])
    with pytest.raises(InputError, match="rotating"):
        Twin().seconds(8, 8, 8, TILES[0], cache="rotating")
    with pytest.raises(DeviceError, match="no number 'volts'"):
        B580.replaced({"volts": 1.0})


def test_a_chip_is_replaced_and_told_apart():
    other = B580.replaced({"cores": 10, "64x64x32.solo_rate": 0.5})
    assert (other.numbers.cores, other.kernels[Tile.parse("64x64x32")].solo_rate) == (10, 0.5)
    assert other.digest != B580.digest
    times = [Twin(chip, off={"memory traffic"}).seconds(4096, 4096, 512, TILES[0]) for chip in (other, B580)]
    assert times[0] > 1.7 * times[1]


def test_the_record_is_that_of_the_chip():
    assert Twin().device == load_device("b580-twin")
    chip = B580.replaced({"cores": 10, "channels": 8, "bandwidth": 2 * B580.numbers.bandwidth, "clock_hz": 1.422e9})
    record, plain = Twin(chip).device, Twin().device
    assert (record.cores, record.memory_channels, record.line_bytes) == (10, 8, 64)
    assert record.bandwidth_bytes_per_s == pytest.approx(2 * plain.bandwidth_bytes_per_s)
    assert record.peak_flops_per_s["bf16"] == pytest.approx(plain.peak_flops_per_s["bf16"] / 4)
    assert record.last_level_cache_bytes == plain.last_level_cache_bytes
    assert record.simulated
    assert record.id != plain.id
    assert all(chip.digest in source for source in record.sources.values())
    assert device_of(Twin(chip).landscape(Grid.parse("256;256;256"), tiles=Twin(chip).tiles[:1])) == record


def test_every_number_of_the_chip_has_a_kind_and_a_source():
    assert set(B580.kinds.values()) == {"public", "calibrated", "assumed"}
    assert all(B580.sources[name] for name in B580.kinds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("[cores]\nvalue = 20", "cores: expected a table"),
        ('[cores]\nvalue = "x"\nkind = "public"\nsource = "y"', "value a number"),
        ("[watts]\nvalue = 1", "unknown entries watts"),
        ("cores = [", "not TOML"),
    ],
)
def test_a_wrong_chip_file_is_one_line(tmp_path, change, message):
    path = tmp_path / "chip.toml"
    fields = [name for name in B580.numbers._fields if name != "cores"]
    rest = "\n".join(f'[{name}]\nvalue = 1\nkind = "public"\nsource = "a test"' for name in fields)
    path.write_text(f'id = "x"\n{change}\n{rest}\n[tiles]\n')
    with pytest.raises(DeviceError, match=message):
        Chip.from_toml(path)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(sizes, sizes, st.sampled_from(TILES), st.sets(st.sampled_from(sorted(ALL - {"memory traffic"}))))
def test_no_mechanism_is_why_bytes_cross_the_memory_in_time(M, N, tile, off):
    """Whatever is switched off, the result takes its bytes at full bandwidth."""
    seconds = Twin(off=off).seconds(M, N, 8, tile)
    assert seconds >= 4.0 * M * N / B580.numbers.bandwidth * (1 - 1e-9)
