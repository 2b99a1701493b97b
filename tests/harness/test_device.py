"""Contract of the device records, packaged and foreign."""

import copy
import dataclasses
import json
import pickle
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.device import DTYPES, Alternative, DeviceRecord, known_devices, load_device
from harness.errors import DeviceError

COUNTS = (
    "cores",
    "last_level_cache_bytes",
    "core_local_bytes",
    "memory_bytes",
    "memory_channels",
    "channel_interleave_bytes",
    "line_bytes",
    "block_unit_bytes",
    "max_subgroups_per_core",
    "register_bytes_per_core",
)
RATES = ("clock_hz", "bandwidth_bytes_per_s")
NUMBERS = (*COUNTS, *RATES, "atom")

MINIMAL = """\
id = "mine"
name = "My device"
vendor = "me"
kind = "gpu"
"""
CORES = '[cores]\nvalue = 20\nsource = "data sheet"\n'


@pytest.fixture(params=known_devices())
def record(request):
    return load_device(request.param)


def stated(record):
    """Numbers that a record states, by key."""
    found = {key: getattr(record, key) for key in NUMBERS if getattr(record, key) is not None}
    return found | {f"peak_flops_per_s.{dtype}": value for dtype, value in record.peak_flops_per_s.items()}


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


# The packaged records


def test_known_devices_are_sorted_and_complete():
    assert known_devices() == ("a100", "b580", "b580-twin", "b60", "cpu", "h200")


def test_file_is_named_after_the_record(record):
    assert files("harness.devices").joinpath(f"{record.id}.toml").is_file()


def test_every_number_has_a_source_and_every_source_a_number(record):
    assert set(record.sources) == set(stated(record))


def test_alternatives_differ_from_the_value_in_use(record):
    for key, listed in record.alternatives.items():
        values = [item.value for item in listed]
        assert stated(record).get(key) not in values, key
        assert len(set(values)) == len(values), key


def test_numbers_with_alternatives_say_why(record):
    for key, listed in record.alternatives.items():
        assert all(item.note and item.source for item in listed), key
        assert key in stated(record) or key in record.notes, f"{key} is open without a reason"


def test_only_the_twin_is_simulated(record):
    assert record.simulated is (record.id == "b580-twin")


def test_names_lead_to_one_record():
    names = [name.casefold() for key in known_devices() for name in (key, *load_device(key).aliases)]
    assert len(set(names)) == len(names)


def test_json_round_trip(record):
    again = DeviceRecord.from_json(record.to_json())
    assert again == record
    assert hash(again) == hash(record)
    assert again.to_json() == record.to_json()
    assert "\n" not in record.to_json()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))])
def test_records_can_be_copied_and_sent_to_other_processes(record, duplicate):
    assert duplicate(record) == record


def test_records_are_immutable(record):
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.cores = 1
    with pytest.raises(TypeError):
        record.sources["cores"] = "me"
    assert dataclasses.replace(record, cores=7, simulated=True).cores == 7


def test_str_shows_every_number_with_its_source(record):
    text = str(record)
    assert record.name in text.splitlines()[0]
    for key in stated(record):
        (line,) = [line for line in text.splitlines() if line.startswith(f"{key} ")]
        assert line.endswith(record.sources[key])
    for key in NUMBERS:
        if getattr(record, key) is None:
            assert any(line.split() == [key, "open"] for line in text.splitlines())
    for listed in record.alternatives.values():
        assert all(item.source in text for item in listed)


def test_peaks_of_gpus_are_addressable(record):
    if record.kind == "gpu":
        assert record.peak("bf16") == record.peak_flops_per_s["bf16"] > record.peak("f32") > 0


def test_element_types_are_those_of_a_cube():
    from harness.cube import ELEMENT_BYTES

    assert set(DTYPES) == set(ELEMENT_BYTES)


# Facts, each checked against the two sources that disagree, or against arithmetic


@pytest.mark.parametrize(
    ("key", "used", "label", "other"),
    [
        ("clock_hz", 2.85e9, "nominal", 2.67e9),
        ("clock_hz", 2.85e9, "paper-section-9", 2.644e9),
        ("clock_hz", 2.85e9, "paper-table-1", 2.844e9),
        ("peak_flops_per_s.bf16", 116.5e12, "paper-section-9", 108.2e12),
        ("peak_flops_per_s.bf16", 116.5e12, "nominal", pytest.approx(109.4e12, rel=1e-3)),
        ("peak_flops_per_s.bf16", 116.5e12, "boost", pytest.approx(116.7e12, rel=1e-3)),
        ("bandwidth_bytes_per_s", 456e9, "paper-section-9", 451e9),
        ("bandwidth_bytes_per_s", 456e9, "paper-table-3", 270e9),
        ("last_level_cache_bytes", 18 * 2**20, "paper-table-1", 12 * 2**20),
        ("core_local_bytes", 128 * 2**10, "whole-l1", 256 * 2**10),
        ("core_local_bytes", 128 * 2**10, "paper-table-1", 64 * 2**10),
        ("memory_channels", 6, "driver-counters", 12),
        ("max_subgroups_per_core", 32, "paper-table-1", 160 / 20),
        ("register_bytes_per_core", 32 * 256 * 64, "paper-table-1", 8 * 256 * 32),
    ],
)
def test_b580_keeps_both_of_the_disagreeing_values(key, used, label, other):
    b580 = load_device("b580")
    assert b580.number(key) == used
    assert b580.number(key, label) == other


def test_b580_facts_that_no_one_disputes():
    b580 = load_device("b580")
    assert (b580.cores, b580.core_name, b580.atom) == (20, "Xe-core", (8, 16, 16))
    assert (b580.memory_bytes, b580.channel_interleave_bytes) == (12 * 2**30, 256)


def test_b580_peak_bounds_what_the_paper_measured():
    b580 = load_device("b580")
    assert b580.peak("bf16", "paper-section-9") < 110.8e12 < 112.1e12 < b580.peak("bf16")
    assert b580.peak("bf16", "boost") == pytest.approx(20 * 8 * 256 * b580.clock_hz)


def test_b60_is_the_same_chip_with_more_memory_and_lower_clocks():
    b580, b60 = load_device("b580"), load_device("b60")
    for key in (
        "cores",
        "atom",
        "line_bytes",
        "last_level_cache_bytes",
        "core_local_bytes",
        "block_unit_bytes",
    ):
        assert getattr(b60, key) == getattr(b580, key)
    assert b60.memory_bytes == 2 * b580.memory_bytes
    assert b60.peak("bf16") == pytest.approx(20 * 8 * 256 * b60.clock_hz)
    assert b60.memory_channels is None


def test_h200_keeps_the_documented_cache_beside_the_reading():
    h200 = load_device("h200")
    assert (h200.cores, h200.line_bytes, h200.atom) == (132, 128, (64, 8, 16))
    assert (h200.clock_hz, h200.peak("bf16"), h200.bandwidth_bytes_per_s) == (1.98e9, 989.4e12, 4.8e12)
    assert (h200.core_local_bytes, h200.memory_bytes) == (228 * 2**10, 141 * 10**9)
    assert h200.last_level_cache_bytes == 60 * 2**20
    assert h200.number("last_level_cache_bytes", "h100-datasheet") == 50 * 2**20


@pytest.mark.parametrize(
    ("device", "flops_per_cycle", "label"),
    [("a100", 108 * 2048, None), ("h200", 132 * 4096, "tensor-boost")],
)
def test_datasheet_peaks_follow_from_cores_and_clock(device, flops_per_cycle, label):
    record = load_device(device)
    assert record.peak("bf16") == pytest.approx(flops_per_cycle * record.number("clock_hz", label), rel=1e-3)


def test_generic_cpu_is_open_but_for_its_line():
    assert stated(load_device("cpu")) == {"line_bytes": 64}


# Finding a record


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("b580", "b580"),
        ("B580", "b580"),
        (" intel arc b580 ", "b580"),
        ("Intel(R) Arc(TM) B580 Graphics", "b580"),
        ("0xE211", "b60"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
    ],
)
def test_ids_and_aliases_in_any_case(name, key):
    assert load_device(name).id == key


@pytest.mark.parametrize("name", ["b5800", "", "bmg", "b580.json"])
def test_unknown_name_lists_what_is_known(name):
    with pytest.raises(DeviceError) as caught:
        load_device(name)
    message = str(caught.value)
    assert "\n" not in message
    assert all(key in message for key in (repr(name), *known_devices(), "TOML"))


@pytest.mark.parametrize("kind", [str, Path])
def test_load_a_file(tmp_path, kind):
    record = load_device(kind(write(tmp_path, MINIMAL + CORES)))
    assert (record.id, record.cores, record.sources) == ("mine", 20, {"cores": "data sheet"})


def test_a_copied_packaged_file_is_the_same_record(tmp_path, record):
    path = tmp_path / "copy.TOML"
    shutil.copyfile(str(files("harness.devices").joinpath(f"{record.id}.toml")), path)
    assert load_device(str(path)) == record


@pytest.mark.parametrize("name", ["absent.toml", "folder.toml"])
def test_unreadable_file(tmp_path, name):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(DeviceError, match=rf"{name}: cannot read"):
        load_device(tmp_path / name)


@pytest.mark.parametrize("content", [b"id = ", b'id = "\xff"'])
def test_a_file_that_is_no_toml(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(DeviceError, match=r"mine\.toml: not TOML"):
        load_device(path)


# Validation


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (MINIMAL + "colour = 1\n", "colour: unknown key"),
        (MINIMAL.replace("vendor", "maker"), "maker: unknown key"),
        (MINIMAL.replace('vendor = "me"\n', ""), "vendor: missing"),
        (MINIMAL.replace('"gpu"', '"toaster"'), "kind: expected gpu, cpu or other, got 'toaster'"),
        (MINIMAL.replace('"My device"', "7"), "name: expected a text"),
        (MINIMAL.replace('"My device"', '" "'), "name: expected a text"),
        (MINIMAL + 'aliases = "mine too"\n', "aliases: expected a list"),
        (MINIMAL + "aliases = [1]\n", "aliases: expected a text"),
        (MINIMAL + "simulated = 1\n", "simulated: expected true or false"),
        (MINIMAL + "cores = 20\n", "cores: expected a table with value and source"),
        (MINIMAL + CORES.replace("20", "0"), "cores: expected a positive integer, got 0"),
        (MINIMAL + CORES.replace("20", "-3"), "cores: expected a positive integer, got -3"),
        (MINIMAL + CORES.replace("20", "20.0"), "cores: expected a positive integer, got 20.0"),
        (MINIMAL + CORES.replace("20", "true"), "cores: expected a positive integer, got True"),
        (MINIMAL + CORES.replace("20", '"20"'), "cores: expected a positive integer, got '20'"),
        (MINIMAL + "[cores]\nvalue = 20\n", "cores: source is missing"),
        (MINIMAL + '[cores]\nsource = "x"\n', "cores: the table has no value"),
        (MINIMAL + CORES.replace('"data sheet"', '""'), "cores.source: expected a text"),
        (MINIMAL + CORES + "note = 3\n", "cores.note: expected a text"),
        (MINIMAL + CORES + 'unit = "cores"\n', "cores.unit: unknown key"),
        (MINIMAL + CORES + "alternatives = 3\n", "cores.alternatives: expected a list of tables"),
        (MINIMAL + CORES + '[[cores.alternatives]]\nlabel = "x"\n', "cores.alternatives.value: missing"),
        (
            MINIMAL + CORES.replace("cores", "clock_hz").replace("20", "inf"),
            "clock_hz: expected a positive, finite",
        ),
        (
            MINIMAL + CORES.replace("cores", "clock_hz").replace("20", "nan"),
            "clock_hz: expected a positive, finite",
        ),
        (
            MINIMAL + CORES.replace("cores", "atom").replace("20", "[8, 16]"),
            "atom: expected three positive integers",
        ),
        (
            MINIMAL + CORES.replace("cores", "atom").replace("20", "[8, 16, 0]"),
            "atom: expected a positive integer",
        ),
        (
            MINIMAL + CORES.replace("cores", "peak_flops_per_s.bf17"),
            "peak_flops_per_s.bf17: unknown element type",
        ),
        (MINIMAL + CORES.replace("cores", "peak_flops_per_s"), "peak_flops_per_s.value: expected a table"),
        (MINIMAL + "peak_flops_per_s = 1e12\n", "peak_flops_per_s: expected a table"),
    ],
)
def test_a_bad_file_is_refused_by_file_and_key(tmp_path, text, key):
    path = write(tmp_path, text)
    with pytest.raises(DeviceError) as caught:
        load_device(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {key}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([-1], r"cores\.alternatives\.b: expected a positive integer, got -1"),
        ([1, 2], r"cores\.alternatives: labels must differ, got b, b"),
    ],
)
def test_alternatives_are_checked_like_the_value(tmp_path, values, message):
    table = '[[cores.alternatives]]\nlabel = "b"\nvalue = {}\nsource = "s"\nnote = "n"\n'
    text = MINIMAL + CORES + "".join(table.format(value) for value in values)
    with pytest.raises(DeviceError, match=message):
        load_device(write(tmp_path, text))


def test_constructor_checks_too():
    with pytest.raises(DeviceError, match="clock_hz: expected a positive, finite number"):
        DeviceRecord("x", "X", "me", "other", clock_hz=10**400)
    with pytest.raises(DeviceError, match="speed: no such number of a device"):
        DeviceRecord("x", "X", "me", "other", sources={"speed": "s"})
    with pytest.raises(DeviceError, match=r"peak_flops_per_s: no such number"):
        DeviceRecord("x", "X", "me", "other", notes={"peak_flops_per_s": "s"})


def test_constructor_brings_numbers_to_their_type():
    record = DeviceRecord("x", "X", "me", "other", clock_hz=3, atom=[8, 16, 16], aliases=["y"])
    assert (record.clock_hz, type(record.clock_hz)) == (3.0, float)
    assert (record.atom, record.aliases) == ((8, 16, 16), ("y",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object, got list"),
        ("{}", "id: missing"),
        ('{"id": "x", "flavour": 1}', "flavour: unknown key"),
    ],
)
def test_text_that_is_no_record(text, message):
    with pytest.raises(DeviceError, match=f"device record: {message}"):
        DeviceRecord.from_json(text)


# Asking a record


def test_an_open_number_says_so_and_what_else_is_known():
    with pytest.raises(DeviceError, match=r"memory_channels of NVIDIA H200 is open .*memory-controllers.*TOML"):
        load_device("h200").number("memory_channels")
    with pytest.raises(DeviceError, match=r"peak_flops_per_s\.bf16 of generic CPU is open \(no alternatives\)"):
        load_device("cpu").peak("bf16")


def test_asking_for_what_is_not_there():
    b580 = load_device("b580")
    with pytest.raises(DeviceError, match=r"no alternative 'x' .*paper-section-9"):
        b580.peak("bf16", "x")
    with pytest.raises(DeviceError, match="unknown element type"):
        b580.peak("bf17")
    with pytest.raises(DeviceError, match="no such number"):
        b580.number("name")
    with pytest.raises(DeviceError, match="triple"):
        b580.number("atom")


# Any record survives being stored

texts = st.text(min_size=1).filter(str.strip)
counts = st.integers(1, 2**62)
rates = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


@st.composite
def records(draw):
    numbers = draw(
        st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(COUNTS, counts)
            | dict.fromkeys(RATES, rates)
            | {"atom": st.tuples(*[counts] * 3)},
        )
    )
    labels = draw(st.lists(texts, unique=True, max_size=3))
    others = tuple(Alternative(label, draw(counts), draw(texts), draw(texts)) for label in labels)
    return DeviceRecord(
        id=draw(texts),
        name=draw(texts),
        vendor=draw(texts),
        kind=draw(st.sampled_from(["gpu", "cpu", "other"])),
        aliases=tuple(draw(st.lists(texts, max_size=3))),
        core_name=draw(texts),
        peak_flops_per_s=draw(st.dictionaries(st.sampled_from(DTYPES), rates)),
        simulated=draw(st.booleans()),
        sources={key: draw(texts) for key in numbers},
        notes={key: draw(texts) for key in numbers},
        alternatives={"cores": others},
        **numbers,
    )


@given(records())
def test_any_record_survives_json(record):
    text = record.to_json()
    again = DeviceRecord.from_json(text)
    assert again == record
    assert again.to_json() == text
    assert json.loads(text)["name"] == record.name


@given(records())
def test_any_record_prints_itself(record):
    assert "cores" in str(record)
