"""Information criteria against statsmodels', and what the sample size does to them."""

import numpy as np
import pytest
import statsmodels.api as sm

from models.inference.criteria import criteria_change, information_criteria


def test_differences_are_those_of_statsmodels():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 3))
    y = x @ [1.0, 0.2, 0.0] + rng.standard_normal(80)
    small, large = (sm.OLS(y, x[:, :k]).fit() for k in (1, 3))
    change = criteria_change((small.ssr, large.ssr), (1, 3), 80, 80.0)
    assert change.naive.aic == pytest.approx(large.aic - small.aic)
    assert change.naive.bic == pytest.approx(large.bic - small.bic)
    assert change.effective == change.naive


def test_fewer_effective_cells_prefer_the_smaller_model():
    change = criteria_change((1.05, 1.0), (4, 6), 1000, 20.0)
    assert change.naive.aic < 0 < change.effective.aic
    assert change.effective.aicc > change.effective.aic


def test_too_few_cells_have_no_corrected_criterion():
    assert information_criteria(0.01, 9, 10.0).aicc == np.inf
    assert criteria_change((1.05, 1.0), (4, 9), 1000, 10.0).effective.aicc == np.inf
