"""Speed of following ragged launches: the paper's 32 x 32 outputs, on the cores of an H200."""

import numpy as np

from models.critical_chain import core_rates, critical_chains

LEVELS = np.array([0.7, 1.0])


def test_1024_launches(benchmark):
    M, N = (size.ravel() for size in np.meshgrid(np.arange(1, 33), np.arange(1, 33), indexing="ij"))
    tiles = np.stack([-(-M // 2), N, N <= -(-M // 2)], axis=1).astype(np.int64)
    lengths = np.ones((M.size, 2))
    delays = np.tile([0.0, 1.4, 0.0], (M.size, 1))
    rates, chains = core_rates(132, 0.08), np.zeros((M.size, 8))
    whole = np.ones(len(tiles))
    none, alone = np.zeros(len(tiles)), np.ones(len(tiles), dtype=np.int64)
    critical_chains(tiles, lengths, whole, delays, LEVELS, rates, none, alone, chains)  # compiled
    benchmark(critical_chains, tiles, lengths, whole, delays, LEVELS, rates, none, alone, chains)
    # Every launch ends with a work-group at the edge, and few wait for more than one.
    assert (chains[:, 3] >= 1).all()
    assert np.median(chains[:, 3]) == 1
