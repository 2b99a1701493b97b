"""The order of a pass: complete, random, and the same when a sweep is resumed."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.sweep.order import batches

rows_of = st.lists(st.integers(0, 5000), min_size=1, max_size=300, unique=True).map(
    lambda rows: np.array(rows, dtype=np.int64)
)
sentinels_of = st.lists(st.integers(0, 5000), max_size=12, unique=True).map(
    lambda rows: np.array(rows, dtype=np.int64)
)


def flat(found):
    """The cells of a pass in the order they are timed, sentinels left out."""
    return np.concatenate([batch.rows[~batch.sentinel] for batch in found])


@given(rows_of, st.integers(0, 40), st.integers(1, 400), st.integers(0, 2**32), sentinels_of)
def test_a_pass_visits_every_cell_once(rows, number_of_pass, size, seed, sentinels):
    found = batches(rows, number_of_pass, size, seed, sentinels)
    assert sorted(flat(found)) == sorted(rows)
    assert [batch.number for batch in found] == list(range(len(found)))
    for batch in found:
        cells = int((~batch.sentinel).sum())
        assert 1 <= cells <= size
        assert set(batch.rows[batch.sentinel]) <= set(sentinels)
        watched = min(sentinels.size, max(1, cells // 16))
        assert batch.sentinel.sum() == watched
        assert len(set(batch.rows[batch.sentinel])) == watched


@given(rows_of, st.integers(0, 40), st.integers(1, 400), st.integers(0, 2**32), sentinels_of, st.randoms())
def test_the_same_settings_give_the_same_batches(rows, number_of_pass, size, seed, sentinels, random):
    shuffled = rows.tolist()
    random.shuffle(shuffled)
    first = batches(rows, number_of_pass, size, seed, sentinels)
    again = batches(np.array(shuffled), number_of_pass, size, seed, sentinels)
    assert len(first) == len(again)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.sentinel, other.sentinel)


def test_pass_and_seed_decide_the_order():
    rows, none = np.arange(500), np.empty(0, dtype=np.int64)
    orders = {
        (seed, number): tuple(flat(batches(rows, number, 64, seed, none)))
        for seed in range(4)
        for number in range(6)
    }
    assert len(set(orders.values())) == len(orders)
    # Between two passes a cell's places are unrelated: repeats lie at unrelated times.
    places = [np.argsort(order) for order in orders.values()]
    ranks = [stats.spearmanr(places[0], other).statistic for other in places[1:]]
    assert np.abs(ranks).max() < 4 / np.sqrt(500)


def test_sentinels_take_turns_over_batches():
    rows, sentinels = np.arange(64 * 30), np.arange(8)
    found = batches(rows, 3, 64, 0, sentinels)
    times = Counter(int(row) for batch in found for row in batch.rows[batch.sentinel])
    assert set(times) == set(range(8))
    assert max(times.values()) - min(times.values()) <= 1


def test_sentinels_take_turns_over_passes_of_one_batch():
    seen = [batches(np.arange(20), number, 64, 0, np.arange(5)) for number in range(1, 6)]
    watched = [int(found[0].rows[found[0].sentinel][0]) for found in seen]
    assert sorted(watched) == list(range(5))


def test_sentinels_stand_at_random_places():
    found = batches(np.arange(32 * 400), 1, 32, 0, np.arange(4))
    places = np.concatenate([np.flatnonzero(batch.sentinel) for batch in found])
    assert stats.chisquare(np.bincount(places, minlength=34)).pvalue > 0.001
