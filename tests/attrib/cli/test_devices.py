"""``attrib devices``: records, and devices here through whatever is installed."""

import json
import sys
from types import SimpleNamespace

import pytest

from harness.backends.sycl.host import sycl_devices
from harness.device import DeviceRecord, known_devices, load_device
from harness.errors import MissingExtraError


@pytest.fixture
def bare(monkeypatch):
    """A machine where neither torch nor dpctl is installed."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "dpctl", None)


def test_every_record_is_a_row(attrib, bare):
    ended = attrib("devices")
    assert ended.status == 0
    assert ended.err == ""
    for known in known_devices():
        assert any(line.split()[:1] == [known] for line in ended.out.splitlines())
    b580 = next(line for line in ended.out.splitlines() if line.strip().startswith("b580"))
    assert "20 Xe-cores" in b580
    assert "116.5 TFLOP/s" in b580
    assert "456 GB/s" in b580
    assert "torch is not installed" in ended.out
    assert "dpctl is not installed" in ended.out


def test_json_holds_whole_records(attrib, bare):
    data = json.loads(attrib("devices", "--json").out)
    assert [DeviceRecord.from_json(json.dumps(r)) for r in data["records"]] == [
        load_device(name) for name in known_devices()
    ]
    assert data["here"] == []
    assert len(data["remarks"]) == 2


@pytest.mark.parametrize("name", ["b580", "Intel Arc B580", "H200"])
def test_one_record_with_its_sources(attrib, name):
    assert attrib("devices", name).out == f"{load_device(name)}\n"
    shown = json.loads(attrib("devices", name, "--json").out)
    assert DeviceRecord.from_json(json.dumps(shown)) == load_device(name)


def test_unknown_device(attrib):
    assert "device 'b850' is unknown: expected one of a100, b580" in attrib("devices", "b850").refusal


def test_devices_here_are_matched_to_records(attrib, monkeypatch):
    names = ["NVIDIA H200", "NVIDIA GeForce GT 710"]
    cuda = SimpleNamespace(device_count=lambda: 2, get_device_name=names.__getitem__)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    arc = SimpleNamespace(name="Intel(R) Arc(TM) B580 Graphics")
    monkeypatch.setitem(sys.modules, "dpctl", SimpleNamespace(get_devices=lambda: [arc]))
    data = json.loads(attrib("devices", "--json").out)
    assert [(d["api"], d["record"]) for d in data["here"]] == [("CUDA", "h200"), ("CUDA", None), ("SYCL", "b580")]
    assert "here: NVIDIA H200 (CUDA), record h200" in attrib("devices").out


@pytest.mark.parametrize("trouble", [RuntimeError("no driver\nat all"), OSError("libze.so"), AttributeError()])
def test_a_broken_runtime_is_a_remark(attrib, monkeypatch, bare, trouble):
    def stop():
        raise trouble

    monkeypatch.setitem(sys.modules, "dpctl", SimpleNamespace(get_devices=stop))
    ended = attrib("devices")
    assert ended.status == 0
    assert "no SYCL device: dpctl says" in ended.out


@pytest.fixture
def sycl_cpu():
    """Filter string of a real SYCL device."""
    try:
        found = [device["filter"] for device in sycl_devices()]
    except MissingExtraError as error:
        pytest.skip(str(error))
    if "opencl:cpu:0" not in found:
        pytest.skip("there is no OpenCL CPU device")
    return "opencl:cpu:0"


def test_missing_dpctl_names_both_extras(attrib, bare):
    out = attrib("devices").out
    assert "'gemm-attrib[sycl]'" in out
    assert "'gemm-attrib[sycl-cpu]'" in out


def test_no_driver_names_the_extra(attrib, monkeypatch, bare):
    monkeypatch.setitem(sys.modules, "dpctl", SimpleNamespace(get_devices=list))
    assert "no SYCL device: dpctl finds none; pip install 'gemm-attrib[sycl-cpu]'" in attrib("devices").out


def test_sycl_devices_are_described(attrib, sycl_cpu):
    here = json.loads(attrib("devices", "--json").out)["here"]
    found = next(device for device in here if device.get("filter") == sycl_cpu)
    assert found["api"] == "SYCL"
    assert found["kind"] == "cpu"
    assert found["compute_units"] >= 1
    assert found["memory_bytes"] > 1 << 28
    assert len(found["sub_group_sizes"]) >= 1
    line = next(line for line in attrib("devices").out.splitlines() if line.startswith(sycl_cpu))
    for part in (found["name"], found["driver"], f"{found['memory_bytes'] / 1e9:.1f} GB"):
        assert part in line


def test_the_record_of_a_sycl_device_is_shown_and_written(attrib, sycl_cpu, tmp_path, contents):
    path = tmp_path / "mine.toml"
    ended = attrib("devices", sycl_cpu, "-o", path)
    assert ended.status == 0
    assert "reported by the OpenCL driver" in ended.out
    assert list(contents(tmp_path)) == ["mine.toml"]
    written = DeviceRecord.from_toml(path)
    shown = DeviceRecord.from_json(attrib("devices", sycl_cpu, "--json").out)
    assert (written.id, written.cores, written.sources) == (shown.id, shown.cores, shown.sources)
    assert attrib("devices", path).out == f"{written}\n"


def test_a_packaged_record_is_written_to_be_changed(attrib, tmp_path):
    path = tmp_path / "mine.toml"
    assert attrib("devices", "b580", "-o", path).out == f"{load_device('b580')}\n"
    assert DeviceRecord.from_toml(path) == load_device("b580")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("-o", "mine.toml"), "which record?"),
        (("b580", "-o", "mine.txt"), "ends in .toml"),
        (("b580", "-o", "none/mine.toml"), "does not exist"),
    ],
)
def test_a_record_that_cannot_be_written(attrib, tmp_path, monkeypatch, contents, arguments, reason):
    monkeypatch.chdir(tmp_path)
    assert reason in attrib("devices", *arguments).refusal
    assert contents(tmp_path) == {}


def test_a_sycl_device_that_is_not_there(attrib, sycl_cpu):
    assert "no SYCL device 'opencl:cpu:99' here" in attrib("devices", "opencl:cpu:99").refusal


def test_a_sycl_record_without_dpctl(attrib, bare):
    assert "gemm-attrib[sycl]" in attrib("devices", "opencl:gpu:0").refusal
