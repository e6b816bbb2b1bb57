"""Price lists, Wilson's interval, the vote of spikes, and what spoils a query."""

import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax import cost
from experiments.common.operations import ledgers, loihi
from experiments.common.statistics import wilson
from experiments.recall.corruptions import Mask, Noise
from experiments.recall.methods import vote


def test_wilson():
    # By hand: (0.8 + z^2 / 20 -+ z sqrt(0.016 + z^2 / 400)) / (1 + z^2 / 10), z^2 = 3.8414588.
    np.testing.assert_allclose(wilson(8, 10), [0.4901625, 0.9433178], atol=1e-7)
    # By hand, at p = 0 the upper end is z^2 / (n + z^2).
    np.testing.assert_allclose(wilson(0, 10), [0, 3.8414588 / 13.8414588], atol=1e-8)
    np.testing.assert_allclose(wilson(10, 10), [10 / 13.8414588, 1], atol=1e-8)
    for wrong in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="successes"):
            wilson(*wrong)


def test_price_lists_take_the_smallest_memory_that_holds_the_patterns():
    # 200 patterns of 64 pixels: 51 kB in single precision, 12.8 kB at 8 bits; overlaps 40,000.
    result = ledgers(64, 200)
    assert list(result) == ["fp32", "fp32+memory", "int8", "int8+memory"]
    names = [result[k].memory.name for k in ("fp32+memory", "int8+memory")]
    assert names == ["SRAM 1 MB", "SRAM 32 kB"] and result["fp32"].memory is None
    assert ledgers(64, 200, kernel=True)["int8+memory"].memory.name == "SRAM 1 MB"
    np.testing.assert_allclose(  # by hand: 25,600 at 0.3, 200 at 9.6, 0.1 and 1.4 pJ
        result["int8"].energy(cost.attention_counts(64, 200)),
        25_600 * 0.3 + 200 * (9.6 + 0.1 + 1.4),
    )


def test_a_chip_of_spikes_is_priced_without_rates():
    # By hand: 64 inputs reach 98 memories, 10 spikes 162 neurons, at 23.6, 81 and 1.7 pJ.
    counts = cost.spiking(64.0, 10.0, 64, 98)
    np.testing.assert_allclose(
        loihi(counts), (64 * 98 + 10 * 162) * 23.6 + 10 * 162 * 81 + 74 * 1.7
    )


def test_the_vote_is_of_late_spikes_only():
    times = jnp.array([0.1, 0.2, 0.3, 1.1, 1.2, 1.3, jnp.inf])
    winners = jnp.array([2, 2, 2, 0, 1, 1, -1])
    assert int(vote(times, winners, 1.0, 4)) == 1 and int(vote(times, winners, 0.0, 4)) == 2
    assert int(vote(times, winners, 1.5, 4)) == -1


def test_corruptions():
    images, normal = np.ones((2, 12), np.float32), np.arange(24, dtype=np.float32).reshape(2, 12)
    np.testing.assert_array_equal(Noise(0.5)(images, normal, (4, 3)), 1 + 0.5 * normal)
    masked = Mask(0.5)(images, normal, (4, 3)).reshape(2, 4, 3)
    assert (masked[:, :2] == 1).all() and (masked[:, 2:] == 0).all()
    assert (images == 1).all() and Mask(0.25).name == "mask 0.25"
    seen = Mask(0.25).seen((4, 3))
    assert seen.sum() == 9 and seen[:9].all() and Noise(1.0).seen((4, 3)).all()
