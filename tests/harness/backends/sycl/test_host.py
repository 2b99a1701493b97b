"""Finding dpctl, drivers and devices."""

import importlib
import os
import sys
from types import SimpleNamespace

import pytest

from harness.backends.sycl import host as sycl_host
from harness.backends.sycl.host import choose_device, create_program, describe_device, import_dpctl, named_device
from harness.errors import BackendError, MissingExtraError


def device(filter_string, name="x"):
    backend, kind, _ = filter_string.split(":")
    return SimpleNamespace(
        name=name, filter_string=filter_string, is_gpu=kind == "gpu", backend=SimpleNamespace(name=backend)
    )


class CreationError(Exception):
    pass


def dpctl_of(*devices):
    def select(text):
        for found in devices:
            if found.filter_string == text:
                return found
        raise CreationError

    return SimpleNamespace(get_devices=lambda: devices, SyclDevice=select, SyclDeviceCreationError=CreationError)


CPU, GPU, ZERO = device("opencl:cpu:0"), device("opencl:gpu:0", "Arc"), device("level_zero:gpu:0", "Arc")


@pytest.mark.parametrize(
    ("devices", "wanted", "chosen"),
    [
        ((CPU, ZERO, GPU), None, GPU),
        ((CPU,), None, CPU),
        ((CPU, GPU), "opencl:cpu:0", CPU),
        ((CPU, GPU), "1", GPU),
    ],
)
def test_the_first_gpu_unless_another_is_named(devices, wanted, chosen):
    assert choose_device(dpctl_of(*devices), wanted) is chosen


@pytest.mark.parametrize(
    ("devices", "wanted", "reason"),
    [
        ((), None, "finds no SYCL device.*sycl-cpu"),
        ((), "0", "finds no SYCL device.*sycl-cpu"),
        ((CPU,), "1", "expected one of 0: opencl:cpu:0"),
        ((CPU,), "gpu", "expected one of 0: opencl:cpu:0"),
        ((CPU, ZERO, GPU), "level_zero:gpu:0", "the same device is opencl:gpu:0"),
        ((CPU, ZERO), None, "level_zero:gpu:0 cannot build.*install the OpenCL driver.*choose opencl:cpu:0"),
        ((ZERO,), "0", "install the OpenCL driver of the device"),
    ],
)
def test_a_device_that_cannot_be_had_says_what_to_do(devices, wanted, reason):
    with pytest.raises(BackendError, match=reason):
        choose_device(dpctl_of(*devices), wanted)


def test_a_device_of_another_interface_can_be_named():
    assert named_device(dpctl_of(CPU, ZERO), "level_zero:gpu:0") is ZERO


def test_missing_dpctl_names_the_extras(monkeypatch):
    monkeypatch.setenv("OCL_ICD_FILENAMES", "as it was")
    monkeypatch.setitem(sys.modules, "dpctl", None)
    with pytest.raises(
        MissingExtraError, match=r"is not installed: .*gemm-attrib\[sycl\].*gemm-attrib\[sycl-cpu\]"
    ):
        import_dpctl()


def test_a_runtime_that_does_not_load_is_named(monkeypatch):
    def stop(name):
        raise ImportError("libsycl.so.9: cannot open", name="dpctl._sycl_context")

    monkeypatch.setenv("OCL_ICD_FILENAMES", "as it was")
    monkeypatch.setattr(importlib, "import_module", stop)
    with pytest.raises(MissingExtraError, match=r"does not load \(libsycl.*--force-reinstall"):
        import_dpctl()


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """A driver that the environment's packages brought, and a system that has registered none."""
    path = tmp_path / "lib" / "libintelocl.so"
    monkeypatch.setattr(sycl_host, "_environment_driver", lambda: path)
    monkeypatch.setattr(sycl_host, "_DRIVER_FOLDERS", ())
    monkeypatch.setenv("OCL_ICD_FILENAMES", "set, so that it is restored")
    monkeypatch.delenv("OCL_ICD_FILENAMES")
    monkeypatch.delenv("OCL_ICD_VENDORS", raising=False)
    return path


def test_the_cpu_driver_of_the_environment_is_offered(driver):
    sycl_host._offer_cpu_driver()
    assert os.environ["OCL_ICD_FILENAMES"] == str(driver)


def test_the_users_setting_stays(driver, monkeypatch):
    monkeypatch.setenv("OCL_ICD_FILENAMES", "/opt/other.so")
    sycl_host._offer_cpu_driver()
    assert os.environ["OCL_ICD_FILENAMES"] == "/opt/other.so"


@pytest.mark.parametrize(("content", "offered"), [("/usr/lib/libintelocl.so", False), ("libigdrcl.so", True)])
def test_a_registered_cpu_driver_is_not_doubled_and_a_gpus_does_not_count(
    driver, monkeypatch, tmp_path, content, offered
):
    (tmp_path / "vendors").mkdir()
    (tmp_path / "vendors" / "a.icd").write_text(f"{content}\n")
    monkeypatch.setenv("OCL_ICD_VENDORS", str(tmp_path / "vendors"))
    sycl_host._offer_cpu_driver()
    assert ("OCL_ICD_FILENAMES" in os.environ) == offered


def test_no_driver_is_no_setting(driver, monkeypatch):
    monkeypatch.setattr(sycl_host, "_environment_driver", lambda: None)
    sycl_host._offer_cpu_driver()
    assert "OCL_ICD_FILENAMES" not in os.environ


NEW, OLD = ("create_kernel_bundle_from_source", "SyclKernelBundle"), ("create_program_from_source", "SyclProgram")


@pytest.mark.parametrize(
    ("names", "used"),
    [
        ({"dpctl.compiler": NEW, "dpctl.program": OLD}, "dpctl.compiler"),
        ({"dpctl.compiler": None, "dpctl.program": NEW}, "dpctl.program"),
        ({"dpctl.compiler": None, "dpctl.program": OLD}, "dpctl.program"),
    ],
)
def test_the_newest_home_of_the_compiler_is_taken(monkeypatch, names, used):
    class Failed(Exception):
        pass

    def home(module, function, stem):
        def build(queue, source, copts):
            if source == "bad":
                raise Failed
            return (module, queue, source, copts)

        return SimpleNamespace(**{function: build, f"{stem}CompilationError": Failed})

    for module, found in names.items():
        monkeypatch.setitem(sys.modules, module, home(module, *found) if found else None)
    assert create_program("queue", "good", "-DA") == (used, "queue", "good", "-DA")
    with pytest.raises(BackendError, match="gives no reason"):
        create_program("queue", "bad", "-DA")


def test_a_dpctl_without_a_compiler_says_which_has_one(monkeypatch):
    monkeypatch.setitem(sys.modules, "dpctl.compiler", None)
    monkeypatch.setitem(sys.modules, "dpctl.program", SimpleNamespace())
    with pytest.raises(BackendError, match=r"expected dpctl 0\.22"):
        create_program("queue", "source", "")


def test_what_a_driver_does_not_answer_is_none():
    class Mute:
        name = " Arc "

        @property
        def driver_version(self):
            raise RuntimeError("not supported")

    told = describe_device(Mute())
    assert told["name"] == "Arc"
    assert told["driver"] is None
    assert told["sub_group_sizes"] is None
    assert told["record"] is None


def test_the_real_driver_gives_a_device_beside_those_of_the_system():
    try:
        found = [device.filter_string for device in import_dpctl().get_devices()]
    except MissingExtraError as error:
        pytest.skip(str(error))
    if sycl_host._environment_driver() is None:
        pytest.skip("the OpenCL CPU driver is not installed")
    assert "opencl:cpu:0" in found
