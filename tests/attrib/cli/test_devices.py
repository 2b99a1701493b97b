"""``attrib devices``: records, and devices here through whatever is installed."""

import json
import sys
from types import SimpleNamespace

import pytest

from harness.device import DeviceRecord, known_devices, load_device


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
