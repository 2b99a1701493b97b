"""The paper's published figures as data, and the comparison of any device with them."""

from attrib.published.campaign import PAPER_TILES, Campaign
from attrib.published.comparison import Comparison, compare
from attrib.published.figure import Figure
from attrib.published.figures import FIGURES
from attrib.published.quantities import quantities

__all__ = ["FIGURES", "PAPER_TILES", "Campaign", "Comparison", "Figure", "compare", "quantities"]
