"""Operation counts, Wilson's interval, the vote of spikes, and what spoils a query."""

import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.stepping import SpikeRecord
from experiments.corruptions import Mask, Noise
from experiments.counts import attention_counts, nearest_counts, spiking_counts, wilson
from experiments.recall_methods import vote


def test_wilson():
    # By hand: (0.8 + z^2 / 20 -+ z sqrt(0.016 + z^2 / 400)) / (1 + z^2 / 10), z^2 = 3.8414588.
    np.testing.assert_allclose(wilson(8, 10), [0.4901625, 0.9433178], atol=1e-7)
    # By hand, at p = 0 the upper end is z^2 / (n + z^2).
    np.testing.assert_allclose(wilson(0, 10), [0, 3.8414588 / 13.8414588], atol=1e-8)
    np.testing.assert_allclose(wilson(10, 10), [10 / 13.8414588, 1], atol=1e-8)
    for wrong in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="successes"):
            wilson(*wrong)


def test_counts_of_the_worked_example():
    # N = 784, P = 1000, 100 inputs, 10 spikes: 100,000 + 10 * 1,784 additions.
    assert spiking_counts(100, 10, 784, 1000) == (117_840, 17_840, 10_000)
    assert attention_counts(784, 1000) == (0, 1_568_000, 1000)
    assert nearest_counts(784, 1000) == (0, 784_000, 0)


def test_the_vote_is_of_late_spikes_only():
    spikes = SpikeRecord(
        jnp.array([0.1, 0.2, 0.3, 1.1, 1.2, 1.3, jnp.inf]),
        jnp.array([2, 2, 2, 0, 1, 1, -1]),
        jnp.array(6),
    )
    assert int(vote(spikes, 1.0, 4)) == 1 and int(vote(spikes, 0.0, 4)) == 2
    assert int(vote(spikes, 1.5, 4)) == -1


def test_corruptions():
    images, normal = np.ones((2, 12), np.float32), np.arange(24, dtype=np.float32).reshape(2, 12)
    np.testing.assert_array_equal(Noise(0.5)(images, normal, (4, 3)), 1 + 0.5 * normal)
    masked = Mask(0.5)(images, normal, (4, 3)).reshape(2, 4, 3)
    assert (masked[:, :2] == 1).all() and (masked[:, 2:] == 0).all()
    assert (images == 1).all() and Mask(0.25).name == "mask 0.25"
