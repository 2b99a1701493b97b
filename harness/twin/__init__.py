"""The twin: an event-level simulator of an Arc B580, calibrated to the published landscape.

Costs emerge from work-groups that are handed to cores one by one, each with its own work. The twin shares no
code with the models that are fitted to landscapes, and of their formulas only the curves of how caches give way and
how memory overlaps with computing, so a mechanism recovered from it has been recovered.
"""

from harness.twin.chip import B580, Chip, ChipNumbers, KernelNumbers
from harness.twin.mechanisms import MECHANISMS
from harness.twin.twin import Twin, twin_record

__all__ = ["B580", "MECHANISMS", "Chip", "ChipNumbers", "KernelNumbers", "Twin", "twin_record"]
