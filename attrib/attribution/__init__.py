"""Attribution: what each mechanism causes of a stage's roughness, lost throughput and time, and who can act."""

from attrib.attribution.actors import ACTORS, ActorView, actor_of, by_actor
from attrib.attribution.model_landscapes import MOST_EXACT, ModelLandscapes
from attrib.attribution.quantity import QUANTITIES, Quantity
from attrib.attribution.routes import stage_tiles, stage_times
from attrib.attribution.share import FLOOR, NOISE, UNEXPLAINED, Attribution, Share
from attrib.attribution.shares import StageAttribution, attribute, attribute_stages
from attrib.attribution.variance_shares import VarianceShares, lmg_shares, time_variance

__all__ = [
    "ACTORS",
    "FLOOR",
    "MOST_EXACT",
    "NOISE",
    "QUANTITIES",
    "UNEXPLAINED",
    "ActorView",
    "Attribution",
    "ModelLandscapes",
    "Quantity",
    "Share",
    "StageAttribution",
    "VarianceShares",
    "actor_of",
    "attribute",
    "attribute_stages",
    "by_actor",
    "lmg_shares",
    "stage_tiles",
    "stage_times",
    "time_variance",
]
