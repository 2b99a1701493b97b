"""Mechanism terms, one a file."""

from __future__ import annotations

from models.term import Term
from models.terms.arithmetic import Arithmetic
from models.terms.atom_remainder import AtomRemainder
from models.terms.base_overhead import BaseOverhead
from models.terms.cache_spill import CacheSpill
from models.terms.channel_hash import ChannelHash
from models.terms.exposed_prologue import ExposedPrologue
from models.terms.masked_edge import MaskedEdge
from models.terms.memory_traffic import MemoryTraffic
from models.terms.operand_rereads import OperandRereads
from models.terms.pipeline_fill import PipelineFill
from models.terms.row_pitch import RowPitch
from models.terms.tile_padding import TilePadding
from models.terms.wave_quantization import WaveQuantization

ALL_TERMS: tuple[Term, ...] = (
    BaseOverhead(),
    WaveQuantization(),
    TilePadding(),
    AtomRemainder(),
    ChannelHash(),
    Arithmetic(),
    RowPitch(),
    MemoryTraffic(),
    CacheSpill(),
    OperandRereads(),
    PipelineFill(),
    ExposedPrologue(),
    MaskedEdge(),
)
"""Every term, those that are always in the model first."""

SUMMED_TERMS: tuple[Term, ...] = tuple(term for term in ALL_TERMS if not term.needs_overlap)
"""Those of a model in which memory and computing add up."""

__all__ = [
    "ALL_TERMS",
    "SUMMED_TERMS",
    "Arithmetic",
    "AtomRemainder",
    "BaseOverhead",
    "CacheSpill",
    "ChannelHash",
    "ExposedPrologue",
    "MaskedEdge",
    "MemoryTraffic",
    "OperandRereads",
    "PipelineFill",
    "RowPitch",
    "TilePadding",
    "WaveQuantization",
]
