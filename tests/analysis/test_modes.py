"""Phase responses of systems with modes, and noise that spike maps refuse."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import SpikeMap, find_cycle, follow, next_spike, orbit, phase_response
from bpcjax.analysis.phase_response import _shift_covector
from bpcjax.networks import RefractoryState
from tests.support.systems import VanDerPol


class Marked(NamedTuple):
    x: jax.Array
    v: jax.Array
    above: jax.Array


class MarkedVanDerPol(bpc.AbstractSpikingSystem):
    """Van der Pol's oscillator; a mode marks the half of its cycle that follows a spike."""

    def vector_field(self, t, y, args):
        dx, dv = VanDerPol().vector_field(t, jnp.stack([y.x, y.v]), args)
        return Marked(dx, dv, jnp.zeros_like(y.above))

    def guard(self, t, y, args):
        return jnp.where(y.above > 0.5, -0.5 - y.x, y.x - 0.5)

    def reset(self, t, y, args, fired):
        return y._replace(above=jnp.where(fired, 1.0 - y.above, y.above))


@pytest.mark.slow
def test_the_phase_response_is_that_of_the_shift_not_of_a_mode():
    start = Marked(*jnp.array([2.0, 0.0, 1.0]))
    cycle = find_cycle(MarkedVanDerPol(), start, 6.5, dt=0.05)
    assert cycle.ok and cycle.multipliers.shape == (2,)
    size = 1e-3
    push = Marked(*jnp.array([size, 0.0, 0.0]))
    answer = phase_response(MarkedVanDerPol(), cycle, dt=0.05, count=32, push=push, periods=4)
    assert answer.ok
    np.testing.assert_array_equal(answer.gradient.above, 0.0)
    scale = jnp.abs(answer.gradient.x).max()
    np.testing.assert_allclose(answer.shift / size, answer.gradient.x, atol=0.02 * scale)
    # without the mode the system is the same one
    plain = find_cycle(VanDerPol(), jnp.array([2.0, 0.0]), 6.5, dt=0.05)
    expected = phase_response(VanDerPol(), plain, dt=0.05, count=32)
    np.testing.assert_allclose(answer.gradient.x, expected.gradient[:, 0], atol=1e-3)
    np.testing.assert_allclose(answer.gradient.v, expected.gradient[:, 1], atol=1e-3)


@pytest.mark.slow
def test_the_phase_response_of_the_squid_axon_is_that_of_finite_pushes():
    neuron = bpc.neurons.HodgkinHuxley()
    settled = bpc.simulate(neuron, neuron.rest(), 10.0, t1=205.0, dt=0.05).ys
    cycle = find_cycle(neuron, jax.tree.map(lambda x: x[-1], settled), 14.6, 10.0, dt=0.05)
    size = 1e-4
    push = jax.tree.map(jnp.zeros_like, cycle.y)._replace(v=jnp.array(size))
    answer = phase_response(neuron, cycle, 10.0, dt=0.05, count=8, push=push, periods=4)
    assert answer.ok
    scale = jnp.abs(answer.gradient.v).max()
    np.testing.assert_allclose(answer.shift / size, answer.gradient.v, atol=0.02 * scale)


def test_a_second_multiplier_near_one_does_not_take_the_place_of_the_shift():
    # rate (1, 0): by M = [[1, b], [0, m]] its covector is (1, b / (1 - m)); one nearer to 1 than
    # the rounding of the shift's own is told apart all the same
    near = np.array([[1 + 1e-7, 0.5], [0.0, 1 - 1e-4]])
    covector = _shift_covector(near, np.array([1.0, 0.0]))
    np.testing.assert_allclose(covector, [1.0, 0.5 / 1e-4], rtol=1e-2)
    assert np.isnan(_shift_covector(np.eye(2), np.array([1.0, 0.0]))).all()  # every shift lasts


class Noisy(bpc.AbstractSpikingSystem):
    def vector_field(self, t, y, args):
        return args - y

    def noise(self, t, y, args):
        return jnp.full_like(y, 0.1)

    def guard(self, t, y, args):
        return y - 1

    def reset(self, t, y, args, fired):
        return jnp.where(fired, 0.0, y)


def test_spike_maps_refuse_noise():
    held = bpc.Refractory(Noisy(), 1.0)
    start = RefractoryState(*jnp.array([0.0, 1.0, 0.0]))
    for run in (
        lambda: next_spike(Noisy(), jnp.array(0.0), 1.5, dt=0.1, wait=5.0),
        lambda: orbit(Noisy(), jnp.array(0.0), 1.5, dt=0.1, wait=5.0, count=2),
        lambda: follow(Noisy(), None, jnp.array(0.0), 1.5, step=0.1, count=2, of=SpikeMap(0.1)),
        lambda: find_cycle(Noisy(), jnp.array(0.0), 1.0, 1.5, dt=0.1),
        lambda: next_spike(  # the drive a function of time
            Noisy(), jnp.array(0.0), lambda t: 1.5 + t, dt=0.1, wait=5.0
        ),
        lambda: next_spike(  # inside a wrapper
            held, start, 1.5, dt=0.1, wait=5.0
        ),
    ):
        with pytest.raises(ValueError, match="Noisy has noise|Refractory has noise"):
            run()
