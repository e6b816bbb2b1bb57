"""Derivatives of `GridSpikes`: surrogates, and what a reset on the grid loses."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from tests.support.lif_networks import GRID, LOCAL, TAU, TAU_S, arrays, close, neuron

SHAPES = {
    bpc.stepping.surrogate.fast_sigmoid: lambda x: 1 / (1 + np.abs(x)) ** 2,
    bpc.stepping.surrogate.arctan: lambda x: 1 / (1 + (np.pi * x / 2) ** 2),
    bpc.stepping.surrogate.triangle: lambda x: np.maximum(0, 1 - np.abs(x)),
    bpc.stepping.surrogate.gaussian_shape: lambda x: np.exp(-(x**2) / 2),
}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_surrogate_is_a_step_with_the_slope_it_says(shape):
    spike, at = bpc.Surrogate(2.0, 0.3, shape), np.array([-3.0, -0.4, -0.01, 0.0, 0.2, 1.7])
    value, slope = jax.jvp(spike, (jnp.asarray(at),), (jnp.full(6, 2.0),))
    np.testing.assert_array_equal(value, at >= 0)
    close(slope, 2.0 * 0.3 * SHAPES[shape](2.0 * at), 1e-15)
    close(jax.grad(lambda x: spike(x).sum())(jnp.asarray(at)), slope / 2, 1e-15)


def test_bad_surrogates_are_named():
    for field in ("slope", "height"):
        with pytest.raises(ValueError, match=f"Surrogate.{field} must be positive"):
            bpc.Surrogate(**{field: 0.0})


# One step of Euler: v1 = v0 + dt (I - v0) / TAU, a spike s if v1 >= 1, then v1 - s v1.
def test_one_step_with_a_surrogate_by_hand():
    surrogate, dt, v0 = bpc.Surrogate(4.0, 0.5, through_resets=True), 2.0, np.array([0.7, 0.95])
    solver = bpc.GridSpikes(spike=surrogate)
    drive = np.array([1.5, 1.6])
    v1 = v0 + dt * (drive - v0) / TAU
    assert v1[0] < 1 < v1[1]

    def end(drive):
        start = bpc.neurons.LIFState(jnp.asarray(v0))
        options = dict(t1=dt, dt=dt, solver=solver, adjoint=dfx.ForwardMode())
        return bpc.simulate(neuron(), start, drive, **options).ys.v[-1]

    result, along = jax.jvp(end, arrays(drive), (jnp.ones(2),))
    close(result, [v1[0], 0.0], 1e-15)
    slope = 0.5 / (1 + 4.0 * np.abs(v1 - 1)) ** 2
    spike = np.array([0.0, 1.0])
    close(along, dt / TAU * (1 - spike - slope * v1), 1e-14)


@pytest.mark.parametrize("through", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_surrogate_gradient_is_that_of_an_unrolled_loop(through):
    dt, steps, size = 0.5, 60, 5
    random = np.random.default_rng(1)
    given = random.normal(0.0, 1.0, (size, size)), random.uniform(1.2, 2.5, size)
    given = arrays(*given, random.uniform(0.0, 0.9, size))
    weighting = jnp.asarray(random.normal(size=(2, size)))

    def simulated(weights, drive, v0):
        projection = bpc.Projection(weights, bpc.synapses.Exponential(TAU_S))
        system = bpc.Network(neuron(), [projection])
        solver = bpc.GridSpikes(spike=bpc.Surrogate(5.0, 0.4, through_resets=through))
        y0 = eqx.tree_at(lambda y: y.neurons.v, system.rest(size), v0)
        solution = bpc.simulate(
            system, y0, drive, t1=steps * dt, dt=dt, solver=solver, max_spikes=64
        )
        y = jnp.stack([solution.ys.neurons.v[-1], solution.ys.synapses[0][-1]])
        return (weighting * y).sum(), solution.spikes.count

    def unrolled(weights, drive, v0):
        def step(carry, _):
            v, s, count = carry
            v, s = v + dt / TAU * (drive + s - v), s - dt / TAU_S * s
            slope = jax.lax.stop_gradient(0.4 / (1 + 5.0 * jnp.abs(v - 1)) ** 2)
            hard = jax.lax.stop_gradient((v >= 1).astype(float))
            spike = hard + slope * (v - jax.lax.stop_gradient(v))
            lost = (spike if through else hard) * v
            return (v - lost, s + spike @ weights, count + hard.sum()), None

        (v, s, count), _ = jax.lax.scan(step, (v0, jnp.zeros(size), 0.0), length=steps)
        return (weighting * jnp.stack([v, s])).sum(), count

    solution, exact = (
        jax.jit(jax.value_and_grad(fn, (0, 1, 2), has_aux=True))(*given)
        for fn in (simulated, unrolled)
    )
    assert int(solution[0][1]) == int(exact[0][1]) > 5
    close(solution[0][0], exact[0][0], 1e-12)
    for a, b in zip(solution[1], exact[1], strict=True):
        assert np.abs(b).max() > 1e-2
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
# dv/dt = -v + I, I = 1.7: 22 spikes by 20.3. Of the derivative by I, 14.957992826692706 (closed
# form, see test_derivatives), a reset on the grid keeps what happened since the last spike.
def test_the_derivative_of_a_grid_reset_is_the_wrong_one_that_is_announced():
    cell = bpc.neurons.LIF(c=1.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)

    def end(drive, solver, adjoint=None):
        options = dict(t1=20.3, dt=0.1, solver=solver, adjoint=adjoint)
        return bpc.simulate(cell, cell.rest(), drive, **options).ys.v[-1]

    slope = jax.jvp(lambda drive: end(drive, GRID, dfx.ForwardMode()), (1.7,), (1.0,))[1]
    # A period of log(1.7 / 0.7) = 0.887 is 9 steps: 5 are left, each of the factor of Heun.
    np.testing.assert_allclose(slope, 1 - (1 - 0.1 + 0.005) ** 5, rtol=1e-12)
    close(slope, 0.39, 0.005)
    # Second order: (dt^2 / 6) of the slope by dt of a period is about 1 % of it.
    local = jax.grad(lambda drive: end(drive, LOCAL))(1.7)
    np.testing.assert_allclose(local, 14.957992826692706, rtol=0.05)
