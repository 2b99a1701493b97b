"""The one hierarchy of errors a user can meet: each says what was expected, what came and what to do."""

from __future__ import annotations


class AttribError(Exception):
    """Base of every error this toolkit raises on purpose; the command line prints it as one line."""


class InputError(AttribError):
    """A file, table or argument is not what it should be."""


class CubeError(AttribError):
    """A landscape cube breaks its schema or does not have what was asked of it."""


class DeviceError(AttribError):
    """A device record is unknown, incomplete or contradicts the data."""


class MissingExtraError(AttribError):
    """An optional dependency is needed; the message names the extra that installs it."""


class BackendError(AttribError):
    """A measuring backend cannot run here."""


class KernelError(BackendError):
    """One kernel cannot be built or run here; others may."""


class FitError(AttribError):
    """A model cannot be fitted to these data."""


class NotApplicableError(AttribError):
    """The question has no answer on this cube (a stage that needs a grid, say); the message says why."""
