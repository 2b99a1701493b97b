"""Diagnostics of a fit: what its residuals, its columns and its cells say about how far it can be trusted."""

from attrib.diagnostics.diagnose import diagnose
from attrib.diagnostics.result import Diagnostics, TileDiagnostics

__all__ = ["Diagnostics", "TileDiagnostics", "diagnose"]
