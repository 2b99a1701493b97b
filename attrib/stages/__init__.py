"""Optimizer stages: what software can take from a landscape's ruggedness, and the decisions that do it."""

from attrib.stages.best_tile import BestTile
from attrib.stages.fixed_tile import FixedTile, default_tile
from attrib.stages.ladder import standard_stages
from attrib.stages.pad import Pad, suffix_argmin, suffix_minimum
from attrib.stages.pad_samples import pad_samples
from attrib.stages.split import Split, split_minimum
from attrib.stages.stage import RUN, UNAVAILABLE, Decisions, Launch, Stage, StageResult

__all__ = [
    "RUN",
    "UNAVAILABLE",
    "BestTile",
    "Decisions",
    "FixedTile",
    "Launch",
    "Pad",
    "Split",
    "Stage",
    "StageResult",
    "default_tile",
    "pad_samples",
    "split_minimum",
    "standard_stages",
    "suffix_argmin",
    "suffix_minimum",
]
