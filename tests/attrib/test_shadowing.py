"""Foreign packages called ``models`` or ``harness`` are refused with both paths, and only those."""

import subprocess
import sys
import types
from pathlib import Path

import pytest

import attrib
from attrib.shadowing import refuse_shadowed_packages

HOME = Path(attrib.__file__).parents[1]


def python(code, folder):
    """Run Python in a folder, which then comes first on the path."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def refusal(result):
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    return last


@pytest.mark.parametrize("name", ["harness", "models"])
@pytest.mark.parametrize("form", ["package", "module"])
def test_a_foreign_package_in_the_current_folder_is_refused(tmp_path, name, form):
    foreign = tmp_path / name / "__init__.py" if form == "package" else tmp_path / f"{name}.py"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("")
    message = refusal(python("import attrib", tmp_path))
    assert repr(name) in message
    assert str(foreign) in message
    assert str(HOME / name / "__init__.py") in message
    assert "rename" in message


def test_a_foreign_package_that_was_imported_before_is_refused(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import models; sys.path.pop(0); import attrib"
    message = refusal(python(code, elsewhere))
    assert str(tmp_path / "models" / "__init__.py") in message
    assert str(HOME / "models" / "__init__.py") in message


def test_the_submodules_of_attrib_are_guarded_too(tmp_path):
    (tmp_path / "harness.py").write_text("")
    assert str(tmp_path / "harness.py") in refusal(python("from attrib.roughness import roughness", tmp_path))


def test_a_plain_folder_of_that_name_does_no_harm(tmp_path):
    # A folder without __init__.py yields to a package further down the path: ours.
    for name in ("harness", "models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "other.py").write_text("")
    code = "import attrib, models, harness.cube; print(models.__file__)"
    result = python(code, tmp_path)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()) == HOME / "models" / "__init__.py"


def test_nothing_is_refused_normally(tmp_path):
    result = python("import attrib.analysis; print('fine')", tmp_path)
    assert (result.returncode, result.stdout.strip()) == (0, "fine"), result.stderr
    refuse_shadowed_packages(("harness", "models"))


def test_a_namespace_package_that_was_loaded_is_refused(tmp_path, monkeypatch):
    foreign = types.ModuleType("models")
    foreign.__path__ = [str(tmp_path / "models")]
    monkeypatch.setitem(sys.modules, "models", foreign)
    with pytest.raises(ImportError) as error:
        refuse_shadowed_packages(("models",))
    assert str(tmp_path / "models") in str(error.value)
    assert str(HOME / "models" / "__init__.py") in str(error.value)


def test_a_loaded_module_whose_file_is_gone_is_refused(tmp_path, monkeypatch):
    foreign = types.ModuleType("models")
    foreign.__file__ = str(tmp_path / "archive.zip" / "models.py")
    monkeypatch.setitem(sys.modules, "models", foreign)
    with pytest.raises(ImportError, match=r"archive\.zip"):
        refuse_shadowed_packages(("models",))


def test_a_module_without_any_place_and_a_missing_package_come_from_nowhere(monkeypatch):
    monkeypatch.setitem(sys.modules, "models", types.ModuleType("models"))
    with pytest.raises(ImportError, match="taken from nowhere"):
        refuse_shadowed_packages(("models",))
    with pytest.raises(ImportError, match="'no_such_package_here' is taken from nowhere"):
        refuse_shadowed_packages(("no_such_package_here",))


def test_a_namespace_package_that_would_be_found_is_refused(tmp_path, monkeypatch):
    (tmp_path / "only_a_folder_here").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as error:
        refuse_shadowed_packages(("only_a_folder_here",))
    assert str(tmp_path / "only_a_folder_here") in str(error.value)
