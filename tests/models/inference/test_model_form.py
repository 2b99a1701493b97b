"""What a model misses at the least: a part of the time, shared by sizes."""

import numpy as np

from models.inference.lattice import Lattice
from models.inference.model_form import SHARE, model_form


def test_it_is_drawn_in_parts_that_sizes_share():
    M, N, K = (axis.ravel() for axis in np.meshgrid([128, 256, 512], [64, 128, 192, 256], [32, 64], indexing="ij"))
    drawn = model_form(Lattice.of(M, N, K), 4000, np.random.default_rng(0))
    assert drawn.shape == (24, 4000)
    np.testing.assert_allclose(drawn.std(axis=1), SHARE, rtol=0.06)
    # Samples share a third of the variance for each size that they have in common.
    common = sum(size[:, None] == size for size in (M, N, K)) / 3.0
    np.testing.assert_allclose(np.corrcoef(drawn), common, atol=0.08)
