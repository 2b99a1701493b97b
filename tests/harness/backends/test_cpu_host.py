"""The record of a CPU from what Linux tells, here of machines that are written down."""

import os

import pytest

from harness.backends.cpu_host import cpu_record
from harness.device import load_device

CPUINFO = """\
processor\t: 0
model name\t: Example 9000
physical id\t: 0
core id\t: 0

processor\t: 1
model name\t: Example 9000
physical id\t: 0
core id\t: 0

processor\t: 2
model name\t: Example 9000
physical id\t: 1
core id\t: 0

processor\t: 3
model name\t: Example 9000
physical id\t: 1
core id\t: 5
"""


@pytest.fixture
def linux(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    for number, level, size in ((0, 1, "32K"), (1, 1, "32K"), (2, 2, "1024K"), (3, 3, "24M")):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        (folder / "level").write_text(f"{level}\n")
        (folder / "size").write_text(f"{size}\n")
        (folder / "coherency_line_size").write_text("128\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    return tmp_path


def test_a_record_is_read(linux):
    record = cpu_record(linux / "cpuinfo", linux)
    assert (record.id, record.kind, record.name) == ("cpu", "cpu", "Example 9000")
    assert record.cores == 3  # two of the four processors are threads of one core
    assert record.last_level_cache_bytes == 24 << 20
    assert record.line_bytes == 128
    assert record.sources["cores"] == "reading of the host"


def test_only_the_cores_that_may_be_used_count(linux, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert cpu_record(linux / "cpuinfo", linux).cores == 1


def test_a_host_that_tells_nothing_keeps_the_generic_record(tmp_path):
    record = cpu_record(tmp_path / "none", tmp_path)
    generic = load_device("cpu")
    assert record.last_level_cache_bytes is None
    assert (record.line_bytes, record.sources["line_bytes"]) == (generic.line_bytes, generic.sources["line_bytes"])
    assert record.cores >= 1
