"""A system of the user's own needs nothing but its equations; the README shows these two."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc


class VanDerPol(bpc.AbstractSystem):
    mu: jax.Array = bpc.parameter(1.0)

    def vector_field(self, t, y, args):
        x, v = y
        return v, self.mu * (1 - x**2) * v - x + args


class PerfectIntegrator(bpc.AbstractSpikingSystem):
    threshold: jax.Array = bpc.parameter(1.0, positive=True)

    def vector_field(self, t, y, args):
        return jnp.broadcast_to(args, jnp.shape(y))

    def guard(self, t, y, args):
        return y - self.threshold

    def reset(self, t, y, args, fired):
        return jnp.where(fired, y - self.threshold, y)


@pytest.mark.slow
def test_own_flow_runs_differentiates_and_batches():
    def end(mu):
        start = (jnp.array(2.0), jnp.array(0.0))
        return bpc.simulate(VanDerPol(mu), start, 0.0, t1=10.0, dt=0.01).ys[0][0]

    mus = jnp.array([0.5, 1.0, 2.0])
    slopes = jax.vmap(jax.grad(end))(mus)
    h = 1e-5  # central differences of the same solve
    expected = [(end(mu + h) - end(mu - h)) / (2 * h) for mu in mus]
    np.testing.assert_allclose(slopes, expected, rtol=1e-6)


@pytest.mark.slow
def test_own_neuron_runs_differentiates_and_batches():
    def third_spike(threshold, drive):
        neuron = PerfectIntegrator(threshold)
        solution = bpc.simulate(neuron, jnp.zeros(()), drive, t1=8.0, dt=0.1, max_spikes=12)
        return solution.spikes.times[2]

    # Spike k of a perfect integrator is at k threshold / drive.
    thresholds, drives = jnp.array([0.7, 1.0, 1.3]), jnp.array([0.8, 1.1, 0.9])
    np.testing.assert_allclose(
        jax.vmap(third_spike)(thresholds, drives), 3 * thresholds / drives, atol=1e-12
    )
    slopes = jax.vmap(jax.grad(third_spike, argnums=(0, 1)))(thresholds, drives)
    np.testing.assert_allclose(slopes[0], 3 / drives, atol=1e-11)
    np.testing.assert_allclose(slopes[1], -3 * thresholds / drives**2, atol=1e-11)


@pytest.mark.slow
def test_a_drive_that_varies_is_seen_by_every_method():
    # Integral of 1 + sin(t): t + 1 - cos(t) reaches 1, 2, ... (bisection in numpy).
    solution = bpc.simulate(
        PerfectIntegrator(1.0), jnp.zeros(()), lambda t: 1 + jnp.sin(t), t1=8.0, dt=0.05,
        max_spikes=20,
    )  # fmt: skip
    times = np.linspace(0, 8, 2_000_001)
    gathered = times + 1 - np.cos(times)
    expected = np.interp(np.arange(1, int(gathered[-1]) + 1), gathered, times)
    count = int(solution.spikes.count)
    assert count == len(expected)
    np.testing.assert_allclose(solution.spikes.times[:count], expected, atol=1e-8)


@pytest.mark.slow
def test_drive_derivative_passes_through_a_closure():
    def first_spike(size):
        drive = {"current": lambda t: size * (1 + t)}

        class Driven(bpc.AbstractSpikingSystem):
            def vector_field(self, t, y, args):
                return args["current"]

            def guard(self, t, y, args):
                return y - 1.0

            def reset(self, t, y, args, fired):
                return jnp.where(fired, 0.0, y)

        solution = bpc.simulate(Driven(), jnp.zeros(()), drive, t1=1.0, dt=0.1, max_spikes=4)
        return solution.spikes.times[0]

    # size (t + t^2 / 2) = 1, so t = sqrt(1 + 2 / size) - 1.
    size = 2.0
    np.testing.assert_allclose(first_spike(size), np.sqrt(1 + 2 / size) - 1, atol=1e-12)
    expected = -1 / size**2 / np.sqrt(1 + 2 / size)
    np.testing.assert_allclose(jax.grad(first_spike)(size), expected, atol=1e-10)
