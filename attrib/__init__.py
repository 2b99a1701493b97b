"""Questions asked of landscape cubes and fits: stages, attribution, prediction, report, command line."""

from __future__ import annotations

from attrib.shadowing import refuse_shadowed_packages

refuse_shadowed_packages(("harness", "models"))
