"""Marks packed into words: every mark found once, as numpy finds it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from bpcjax import _bits

ROOM = 100

# A word holds 32 marks, a group 32 words: sizes on both sides of every edge, and any other.
EDGES = [1, 2, 31, 32, 33, 1023, 1024, 1025, 2047, 2049, 5000]
sizes = st.one_of(st.sampled_from(EDGES), st.integers(1, 5000))
shares = st.sampled_from([0.0, 1e-3, 0.05, 0.5, 1.0])


def draw(size, share, seed):
    return np.random.default_rng(seed).random(size) < share


@jax.jit
def search(marks, first):
    """The count, `ROOM` indices from `first` on, and how often a loop over all comes by each."""
    packed, n = _bits.pack(marks), marks.shape[0]

    each = _bits.for_each(packed, lambda k, seen: seen.at[k].add(1), jnp.zeros(n + 1, int))
    return _bits.count(packed), _bits.indices(packed, ROOM, n, first), each


@pytest.mark.slow
@given(size=sizes, share=shares, seed=st.integers(0, 2**32 - 1), part=st.floats(0, 1))
@example(size=5000, share=1.0, seed=0, part=0.0)
@example(size=1024, share=1.0, seed=0, part=1.0)
@settings(max_examples=10, deadline=None)
def test_every_mark_is_found_once(size, share, seed, part):
    marks = draw(size, share, seed)
    number, first = marks.sum(), int(part * marks.sum())
    count, some, each = search(marks, first)
    assert count == number
    np.testing.assert_array_equal(each[:size], marks)
    assert each[size] == 0
    real = np.asarray(some)[: min(ROOM, number - first)]
    assert np.unique(real).size == real.size and marks[real].all()
    np.testing.assert_array_equal(some[real.size :], size)


def test_windows_one_after_another_cover_all_marks():
    marks = draw(2500, 0.3, 1)
    firsts = range(0, int(marks.sum()) + ROOM, ROOM)
    parts = [np.asarray(search(marks, first)[1]) for first in firsts]
    together = np.concatenate(parts)
    assert (together == 2500).sum() == together.size - marks.sum()
    np.testing.assert_array_equal(np.sort(together[together < 2500]), np.flatnonzero(marks))


@pytest.mark.slow
def test_rows_of_a_batch_with_different_counts():
    marks = np.stack([draw(1500, share, 2) for share in (0.0, 0.01, 1.0)])
    count, some, each = jax.vmap(search, (0, None))(marks, 0)
    np.testing.assert_array_equal(count, marks.sum(1))
    np.testing.assert_array_equal(each[:, :1500], marks)
    for row, own in zip(np.asarray(some), marks, strict=True):
        real = row[row < 1500]
        assert real.size == min(ROOM, own.sum()) == np.unique(real).size and own[real].all()


# The carry of a loop may be any sum over marks: the order they come in changes rounding alone.
@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_sums_over_marks(seed):
    random = np.random.default_rng(seed)
    marks, values = random.random(1500) < 0.1, random.normal(size=1500)

    def total(values, marks):
        return _bits.for_each(_bits.pack(marks), lambda k, sum_: sum_ + values[k], 0.0)

    np.testing.assert_allclose(jax.jit(total)(values, marks), values[marks].sum(), atol=1e-12)
