"""Where a command writes: checked before the work begins, filled only when all of it succeeded."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import InputError


def check_outputs(outputs: Sequence[Path | None], inputs: Sequence[Path] = ()) -> None:
    """Make sure that files can be written, before minutes are spent on what goes into them.

    Raises
    ------
    InputError
        If a folder is missing or cannot be written to, an output is a folder, or it is also an input or
        another output.
    """
    taken = {path.resolve(): "an input" for path in inputs}
    for path in outputs:
        if path is None:
            continue
        if path.is_dir() and path.suffix != ".zarr":
            raise InputError(f"{path}: is a folder, expected the name of a file to write")
        if path.resolve() in taken:
            raise InputError(f"{path}: is {taken[path.resolve()]} of this command too; give another name")
        taken[path.resolve()] = "another output"
        check_folder(path)


def check_folder(path: Path) -> None:
    """Make sure that a new file or folder can be made beside ``path``.

    Raises
    ------
    InputError
        If the folder is missing or cannot be written to.
    """
    parent = path.parent
    if not parent.is_dir():
        raise InputError(f"{path}: the folder {parent} does not exist")
    try:
        with tempfile.TemporaryDirectory(prefix=".attrib.", dir=parent):
            pass
    except OSError as error:
        raise InputError(f"{path}: cannot write to the folder {parent} ({error.strerror})") from None


@contextmanager
def folder_draft(path: Path, owned: Sequence[str]) -> Iterator[Path]:
    """Yield a temporary folder whose files are moved to the folder ``path`` if the block succeeds.

    Parameters
    ----------
    path : Path
        A new folder in an existing one, or an existing folder: its other files stay.
    owned : sequence of str
        Names that the command writes. Where ``path`` exists and the block makes no file of such a name, one
        that an earlier run left is removed, so that the folder tells of one run.

    Raises
    ------
    InputError
        If the folder cannot be made or written to, or is a file.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file, expected the name of a folder")
    for name in owned:
        if (path / name).is_dir():
            raise InputError(f"{path / name}: is a folder, and this command writes a file of that name")
    exists = path.is_dir()
    check_folder(path / owned[0] if exists else path)
    outer = Path(tempfile.mkdtemp(prefix=".attrib.", dir=path if exists else path.parent))
    try:
        draft = outer / "draft"
        draft.mkdir()
        yield draft
        if not exists:
            draft.rename(path)
            return
        made = [entry.name for entry in draft.iterdir()]
        for name in made:
            (draft / name).replace(path / name)
        for name in set(owned).difference(made):
            (path / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(outer, ignore_errors=True)
