"""Facts of a host, where it tells them and where it does not."""

import pytest

from harness.backends.sycl_tla.host import MISSING, PACKAGES, gpu_frequencies, host_facts


def tool(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_host_without_intel_software(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ONEAPI_ROOT", raising=False)
    found = host_facts("level_zero:gpu")
    assert (found["icpx"], found["sycl_ls"], found["oneapi_root"]) == (MISSING, MISSING, MISSING)
    assert found["packages"] == dict.fromkeys(PACKAGES, MISSING)
    assert found["host"]


def test_what_the_tools_print(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("ONEAPI_ROOT", "/opt/oneapi")
    tool(tmp_path, "icpx", "echo 'Compiler 2025.1.0'; echo 'Target: x86_64'")
    tool(tmp_path, "sycl-ls", 'echo "[$ONEAPI_DEVICE_SELECTOR] Arc B580 [1.6.33578]"')
    tool(tmp_path, "dpkg-query", 'for last; do :; done; test "$last" = libigc2 && echo 2.11.7')
    found = host_facts("level_zero:gpu")
    assert found["icpx"] == "Compiler 2025.1.0"
    assert found["sycl_ls"] == ["[level_zero:gpu] Arc B580 [1.6.33578]"]
    assert found["packages"] == {**dict.fromkeys(PACKAGES, MISSING), "libigc2": "2.11.7"}
    assert found["oneapi_root"] == "/opt/oneapi"


def test_a_tool_that_fails_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    tool(tmp_path, "sycl-ls", "echo half an answer; exit 1")
    assert host_facts("x")["sycl_ls"] == MISSING


def test_clocks_are_in_hertz(tmp_path):
    folder = tmp_path / "card1" / "device" / "tile0" / "gt0" / "freq0"
    (folder / "throttle").mkdir(parents=True)
    (folder / "act_freq").write_text("2850\n")
    (folder / "max_freq").write_text("2850\n")
    (folder / "cur_freq").write_text("unknown\n")
    (folder / "throttle" / "status").write_text("1\n")
    found = gpu_frequencies(tmp_path)
    assert found == {
        "card1/tile0/gt0/act_freq": pytest.approx(2.85e9),
        "card1/tile0/gt0/max_freq": pytest.approx(2.85e9),
        "card1/tile0/gt0/throttle/status": 1.0,
    }
    assert gpu_frequencies(tmp_path / "none") == {}
