"""Residents, counted beside what edges cost."""

import numpy as np
import pytest

from models.chain_residents import recount_by_chains
from models.overlap import Overlap


@pytest.mark.parametrize("counted", [(4, 4), (1, 1)])
def test_residents_are_seen_with_chains(computing_launches, counted):
    """Costly edges bend waves of lone work-groups as several residents would, or hide how those of several bend."""
    data, designs, hardware = computing_launches(("256x256x32", "128x128x32"), counted)
    assert recount_by_chains(data, designs, hardware, {}, 0) == {"256x256x32": 1, "128x128x32": 4}
    # The same where overlap was found with the residents that were counted first: all these launches compute.
    computing = {label: (np.tile([[1.0], [0.0]], item.samples.size), Overlap()) for label, item in data.items()}
    assert recount_by_chains(data, designs, hardware, computing, 0) == {"256x256x32": 1, "128x128x32": 4}


def test_tiles_without_ragged_launches_are_left_alone(computing_launches):
    data, designs, hardware = computing_launches(("256x256x32",), (1,))
    whole = {label: item.part(np.flatnonzero(~item.problem.ragged)) for label, item in data.items()}
    assert recount_by_chains(whole, designs, hardware, {}, 0) == {}
