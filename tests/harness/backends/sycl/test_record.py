"""Records of SYCL devices: stand-ins for GPUs, since the numbers are what a driver would report."""

from types import SimpleNamespace

import pytest

from harness.backends.sycl import record as sycl_record
from harness.backends.sycl.record import intel_facts, last_level_caches, packaged_record, record_of_sycl_device
from harness.device import DeviceRecord, known_devices, load_device
from harness.device_toml import format_toml

XE = {
    "device_id": 0x56A0,
    "gpu_slices": 8,
    "gpu_subslices_per_slice": 4,
    "gpu_eu_count_per_subslice": 16,
    "gpu_hw_threads_per_eu": 8,
    "max_mem_bandwidth": 560e9,
}


def device(kind, **changed):
    fields = {
        "name": "Intel(R) Arc(TM) A770 Graphics",
        "vendor": "Intel(R) Corporation",
        "backend": SimpleNamespace(name="opencl"),
        "is_gpu": kind == "gpu",
        "is_cpu": kind == "cpu",
        "max_compute_units": 512,
        "max_clock_frequency": 2400,
        "global_mem_size": 16 << 30,
        "global_mem_cache_size": 16 << 20,
        "global_mem_cache_line_size": 64,
        "local_mem_size": 65536,
        "sub_group_sizes": [8, 16, 32],
    }
    return SimpleNamespace(**(fields | changed))


@pytest.fixture
def facts(monkeypatch):
    def tell(known):
        monkeypatch.setattr(sycl_record, "intel_facts", lambda _: known)

    tell({})
    return tell


def test_an_intel_gpu_counts_xe_cores_not_vector_engines(facts):
    facts(XE)
    record = record_of_sycl_device(device("gpu"), atom=(8, 8, 16))
    assert record.cores == 32
    assert record.core_name == "Xe-core"
    assert "Level Zero" in record.sources["cores"]
    assert record.max_subgroups_per_core == 128
    assert record.bandwidth_bytes_per_s == 560e9
    assert record.clock_hz == 2.4e9
    assert record.memory_bytes == 16 << 30
    assert record.last_level_cache_bytes == 16 << 20
    assert record.core_local_bytes == 65536
    assert record.atom == (8, 8, 16)
    assert record.aliases == ("0x56a0",)
    assert record.id == "intel-arc-a770-graphics"
    assert record.peak_flops_per_s == {}


def test_without_level_zero_the_cores_of_an_intel_gpu_are_open(facts):
    facts({"device_id": 0x56A0})
    record = record_of_sycl_device(device("gpu"))
    assert record.cores is None
    assert "512 vector engines" in record.notes["cores"]
    assert "8, 16, 32" in record.notes["max_subgroups_per_core"]
    assert record.atom is None


def test_slices_that_do_not_add_up_are_not_trusted(facts):
    facts(XE | {"gpu_slices": 7})
    assert record_of_sycl_device(device("gpu")).cores is None


def test_another_vendors_compute_units_are_cores(facts):
    record = record_of_sycl_device(device("gpu", name="gfx1100", vendor="AMD", max_compute_units=48))
    assert (record.cores, record.core_name, record.vendor) == (48, "compute unit", "AMD")
    assert record.sources["cores"] == "reported by the OpenCL driver"


def test_a_driver_that_reports_nothing_leaves_numbers_open(facts):
    silent = dict.fromkeys(
        ("max_clock_frequency", "global_mem_cache_size", "global_mem_cache_line_size", "local_mem_size"), 0
    )
    record = record_of_sycl_device(device("gpu", name="x", vendor="", **silent))
    for key in ("clock_hz", "last_level_cache_bytes", "line_bytes", "core_local_bytes", "bandwidth_bytes_per_s"):
        assert getattr(record, key) is None, key
        assert record.notes[key]
    assert record.vendor == "unknown"


def test_a_cpu_has_the_caches_of_its_host(facts, monkeypatch):
    monkeypatch.setattr(sycl_record, "last_level_caches", lambda: (32 << 20, 32 << 20))
    cpu = device("cpu", name="AMD EPYC", max_compute_units=16, global_mem_cache_size=1 << 20)
    record = record_of_sycl_device(cpu)
    assert record.last_level_cache_bytes == 64 << 20
    assert "2 caches" in record.notes["last_level_cache_bytes"]
    assert record.number("last_level_cache_bytes", "driver") == 1 << 20
    assert (record.cores, record.kind, record.vendor) == (16, "cpu", "AMD")
    assert record.core_local_bytes is None
    monkeypatch.setattr(sycl_record, "last_level_caches", lambda: ())
    assert record_of_sycl_device(cpu).last_level_cache_bytes is None


def test_a_known_gpu_keeps_its_packaged_record(facts):
    assert record_of_sycl_device(device("gpu", name="Intel(R) Arc(TM) B580 Graphics")) == load_device("b580")
    facts({"device_id": 0xE211})
    assert record_of_sycl_device(device("gpu", name="Intel(R) Graphics [0xe211]")) == load_device("b60")


@pytest.mark.parametrize(
    ("name", "device_id", "known"),
    [
        ("Intel(R) Arc(TM) B580 Graphics", None, "b580"),
        ("Intel(R) Arc(TM) Pro B60 Graphics", None, "b60"),
        ("Intel(R) Graphics", 0xE20B, "b580"),
        ("Intel(R) Graphics", 0x56A0, None),
        ("NVIDIA H200", None, "h200"),
        ("AMD EPYC", None, None),
        ("cpu", None, None),
    ],
)
def test_names_and_ids_of_packaged_records(name, device_id, known):
    record = packaged_record(name, device_id)
    assert (record.id if record else None) == known


def test_facts_of_what_is_no_gpu_are_none():
    assert intel_facts(device("cpu")) == {}
    assert intel_facts(SimpleNamespace(name="x")) == {}


def test_caches_are_read_once_for_all_that_share_them(tmp_path):
    for cpu in range(4):
        for index, (level, kind, size, shared) in enumerate(
            [
                (1, "Data", "48K", f"{cpu}"),
                (1, "Instruction", "64K", f"{cpu}"),
                (2, "Unified", "1024K", f"{cpu}"),
                (3, "Unified", "32M", "0-1" if cpu < 2 else "2-3"),
            ]
        ):
            folder = tmp_path / f"cpu{cpu}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            for name, text in zip(
                ("level", "type", "size", "shared_cpu_list"), (str(level), kind, size, shared), strict=True
            ):
                (folder / name).write_text(f"{text}\n")
    (tmp_path / "cpu9" / "cache" / "index0").mkdir(parents=True)  # a processor that tells nothing
    assert last_level_caches(tmp_path) == (32 << 20, 32 << 20)
    assert last_level_caches(tmp_path / "none") == ()


@pytest.mark.parametrize("name", known_devices())
def test_toml_gives_back_every_packaged_record(name, tmp_path):
    record = load_device(name)
    path = tmp_path / "record.toml"
    path.write_text(format_toml(record), encoding="utf-8")
    assert DeviceRecord.from_toml(path) == record


def test_toml_keeps_notes_on_open_numbers_as_comments(facts, tmp_path):
    facts({"device_id": 0x56A0})
    record = record_of_sycl_device(device("gpu", name='A "quoted" \\ name \x7f\n'.strip() + " é"))
    path = tmp_path / "record.toml"
    path.write_text(format_toml(record), encoding="utf-8")
    assert "# cores: Open: the driver counts 512 vector engines" in path.read_text(encoding="utf-8")
    read = DeviceRecord.from_toml(path)
    assert (read.name, read.memory_bytes, read.sources) == (record.name, record.memory_bytes, record.sources)
    assert DeviceRecord.from_json(record.to_json()) == record
