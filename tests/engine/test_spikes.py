"""Spikes as one value: of a solve, an encoder, by hand; trimmed, in part, fed on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc

TIMES = jnp.array([1.0, 2.0, 4.0, jnp.inf, jnp.inf])
NEURONS = jnp.array([2, 0, 1, -1, -1])
SPIKES = bpc.Spikes(TIMES, NEURONS)


def test_the_count_is_that_of_finite_times():
    assert SPIKES.count == 3 and SPIKES.ok
    assert jax.jit(lambda t: bpc.Spikes(t, NEURONS).count)(TIMES) == 3
    batch = bpc.Spikes(jnp.stack([TIMES, TIMES + 1.0]), jnp.stack([NEURONS] * 2))
    np.testing.assert_array_equal(batch.count, [3, 3])
    assert jax.vmap(lambda s: s.ok)(batch).all()


def test_trim_drops_the_padding():
    times, neurons = SPIKES.trim()
    np.testing.assert_array_equal(times, [1, 2, 4])
    np.testing.assert_array_equal(neurons, [2, 0, 1])


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        (bpc.Spikes(TIMES, NEURONS, 6), "6 in a room of 5"),
        (bpc.Spikes(TIMES.at[0].set(jnp.nan), NEURONS, 3), "NaN times"),
        (bpc.Spikes(TIMES[None], NEURONS[None]), "spikes are a batch"),
    ],
)
def test_what_cannot_be_trimmed_is_named(spikes, message):
    with pytest.raises(ValueError, match=message):
        spikes.trim()


def test_trim_under_a_transformation_is_named():
    with pytest.raises(ValueError, match="under a transformation"):
        jax.jit(lambda t: bpc.Spikes(t, NEURONS).trim())(TIMES)


def test_a_part_is_counted_from_its_start():
    part = SPIKES.of(slice(1, 3))
    np.testing.assert_array_equal(part.times, [1, 4, np.inf, np.inf, np.inf])
    np.testing.assert_array_equal(part.neurons, [1, 0, -1, -1, -1])
    assert part.count == 2
    everyone = SPIKES.of()
    np.testing.assert_array_equal(everyone.times, TIMES)
    np.testing.assert_array_equal(everyone.neurons, NEURONS)
    batch = bpc.Spikes(jnp.stack([TIMES] * 2), jnp.stack([NEURONS] * 2)).of(slice(0, 1))
    np.testing.assert_array_equal(batch.times[:, 0], [2, 2])


def test_a_part_of_spikes_that_were_lost_is_nan():
    # Which of the lost ones were of the part is not known.
    assert not bpc.Spikes(TIMES, NEURONS, 7).of(slice(0, 1)).ok
    for part in (slice(0, 2, 2), slice(-1, None), slice(0, -1)):
        with pytest.raises(ValueError, match="part"):
            SPIKES.of(part)


def test_a_solve_feeds_the_next():
    neuron = bpc.neurons.LIF()
    drive = jnp.array([130.0, 160.0])
    solution = bpc.simulate(neuron, neuron.rest((2,)), drive, t1=40.0, dt=0.1, max_spikes=20)
    times, neurons = solution.spikes.trim()
    assert len(times) == solution.spikes.count > 0 and set(neurons) == {0, 1}
    train = bpc.SpikeTrain.of(solution.spikes.of(slice(1, 2)), channels=1)
    np.testing.assert_array_equal(train.times[jnp.isfinite(train.times)], times[neurons == 1])
    first = bpc.encode.first_spike(solution.spikes, 2)
    np.testing.assert_array_equal(first, [times[neurons == k][0] for k in (0, 1)])


def test_a_train_of_spikes_that_were_lost_is_refused():
    with pytest.raises(ValueError, match="7 in a room of 5"):
        bpc.SpikeTrain.of(bpc.Spikes(TIMES, NEURONS, 7))

    def lost(count):
        return bpc.SpikeTrain.of(bpc.Spikes(TIMES, NEURONS, count), channels=3).times

    assert jnp.isnan(jax.jit(lost)(7)).all() and not jnp.isnan(jax.jit(lost)(3)).any()


def test_old_forms_warn_and_work():
    with pytest.warns(DeprecationWarning, match="neurons"):
        np.testing.assert_array_equal(SPIKES.channels, NEURONS)
    with pytest.warns(DeprecationWarning, match="first_spike"):
        first = bpc.encode.first_spike(TIMES, NEURONS, 3)
    np.testing.assert_array_equal(first, [2, 4, 1])
