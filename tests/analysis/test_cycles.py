"""Cycles, their multipliers, phase responses, saltation and spike maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import find_cycle, next_spike, orbit, phase_response, saltation
from bpcjax.analysis.flow_map import map_of
from tests.support.systems import QIF, Ball, StuartLandau, VanDerPol
from theory.closed_forms import flows, neurons_ivp, saltation as jumps


def test_van_der_pol():
    cycle = find_cycle(VanDerPol(), jnp.array([2.0, 0.0]), 6.5, dt=0.01)
    # period, amplitude and multiplier: DOP853 at 1e-13; Amore, arXiv:2111.12198
    assert cycle.ok and cycle.stable
    np.testing.assert_allclose(cycle.period, 6.66328686, atol=1e-8)
    np.testing.assert_allclose(cycle.y[0], 2.00861986, atol=1e-8)
    np.testing.assert_allclose(cycle.multipliers, [1.0, 8.59695e-4], atol=1e-8)
    np.testing.assert_allclose(cycle.period, flows.van_der_pol(1.0).period, atol=1e-8)


@pytest.mark.slow
def test_stuart_landau():
    r, nu = 0.1, 1.0
    cycle = find_cycle(StuartLandau(r, nu), jnp.array([0.4, 0.0]), 6.0, dt=0.02)
    expected = [1.0, np.exp(-4 * np.pi * r / nu)]
    np.testing.assert_allclose(cycle.multipliers, expected, atol=1e-8)
    np.testing.assert_allclose(cycle.period, 2 * np.pi, rtol=1e-9)
    np.testing.assert_allclose(jnp.linalg.norm(cycle.y), r**0.5, rtol=1e-9)


@pytest.mark.slow
def test_a_spiking_cycle_and_its_phase_response():
    neuron = bpc.neurons.LIF()
    start = neuron.rest()._replace(v=jnp.array(-55.0))
    cycle = find_cycle(neuron, start, 20.0, 150.0, dt=0.1)
    np.testing.assert_allclose(cycle.period, 20 * np.log(3), atol=1e-9)
    np.testing.assert_allclose(cycle.multipliers, [1.0], atol=1e-9)
    push = neuron.rest()._replace(v=jnp.array(-0.01))
    answer = phase_response(neuron, cycle, 150.0, dt=0.1, count=32, push=push)
    # Z = tau / (R I - v): discontinuous at the spike
    np.testing.assert_allclose(answer.gradient.v, 20 / (-45 - answer.y.v), rtol=1e-9)
    np.testing.assert_allclose(answer.shift / -0.01, answer.gradient.v, rtol=1e-3)
    assert answer.ok


@pytest.mark.slow
def test_the_phase_response_of_the_quadratic_neuron():
    cycle = find_cycle(QIF(), jnp.array(-1.0), 3.0, 1.0, dt=0.005)
    np.testing.assert_allclose(cycle.period, 3.07495066, atol=1e-7)  # 2 atan(30)
    answer = phase_response(QIF(), cycle, 1.0, dt=0.005, count=64, push=jnp.array(1e-3))
    np.testing.assert_allclose(answer.gradient, 1 / (1 + answer.y**2), atol=1e-5)
    np.testing.assert_allclose(answer.shift / 1e-3, answer.gradient, atol=1e-3)


@pytest.mark.slow
def test_phase_responses_of_a_smooth_cycle_agree():
    cycle = find_cycle(VanDerPol(), jnp.array([2.0, 0.0]), 6.5, dt=0.02)
    push = jnp.array([1e-3, 0.0])
    answer = phase_response(VanDerPol(), cycle, dt=0.02, push=push)
    assert answer.ok
    np.testing.assert_allclose(answer.shift / 1e-3, answer.gradient[:, 0], atol=2e-3)
    rate = jax.vmap(lambda y: VanDerPol().vector_field(0.0, y, None))(answer.y)
    np.testing.assert_allclose((rate * answer.gradient).sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.slow
def test_what_is_no_cycle():
    assert not find_cycle(VanDerPol(), jnp.zeros(2), 6.5, dt=0.05).ok  # it rests
    lost = find_cycle(StuartLandau(-1.0, 1.0), jnp.array([0.5, 0.0]), 6.0, dt=0.05)
    assert not lost.ok and jnp.isnan(lost.period) and jnp.isnan(lost.multipliers).all()
    with pytest.raises(ValueError, match="not ok"):
        phase_response(StuartLandau(-1.0, 1.0), lost, dt=0.05)
    neuron = bpc.neurons.LIF()
    with pytest.raises(ValueError, match="time"):
        find_cycle(neuron, neuron.rest(), 20.0, lambda t: 150.0 + jnp.sin(t), dt=0.1)
    with pytest.raises(ValueError, match="t1"):
        find_cycle(VanDerPol(), jnp.ones(2), jnp.nan, dt=0.05)


def test_saltation_in_closed_form():
    neuron = bpc.neurons.LIF()
    matrix = saltation(neuron, neuron.rest()._replace(v=jnp.array(-50.0)), 150.0)
    np.testing.assert_allclose(matrix.matrix, [[3.0]], rtol=1e-12)  # (R I - v_r) / (R I - v_th)
    y = jnp.array(0.0), jnp.array(-2.0)
    bounce = saltation(Ball(0.8), y, 9.81)
    np.testing.assert_allclose(bounce.matrix, jumps.bouncing_ball(-2.0, 0.8, 9.81), rtol=1e-12)
    np.testing.assert_allclose(jnp.linalg.det(bounce.matrix), 0.8**2, rtol=1e-12)
    away = saltation(neuron, neuron.rest()._replace(v=jnp.array(-50.0)), 50.0)  # it falls there
    assert away.slope < 0 and jnp.isnan(away.matrix).all()
    with pytest.raises(ValueError, match="neuron"):
        saltation(neuron, neuron.rest(), 150.0, neuron=1)


class Between(bpc.AbstractSystem):
    """The flow of a spiking system, without its spikes."""

    system: bpc.AbstractSpikingSystem

    def vector_field(self, t, y, args):
        return self.system.vector_field(t, y, args)


@pytest.mark.slow
def test_two_routes_to_the_derivative_through_spikes():
    size = 4
    weights = 0.4 * jnp.sin(jnp.arange(16.0)).reshape(size, size) * (1 - jnp.eye(size))
    cells = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    network = bpc.Network(cells, [bpc.Projection(weights, bpc.synapses.Exponential(3.0))])
    start = network.rest(size)
    start = start._replace(neurons=start.neurons._replace(v=jnp.linspace(0.0, 0.8, size)))
    drive, t1 = jnp.linspace(1.3, 1.6, size), 20.0
    through, x = map_of(network, start, drive, None, 400)
    end, derivative, ok = through.along(x, 0.0, t1, jnp.eye(x.size))
    spikes = bpc.simulate(network, start, drive, t1=t1, dt=0.05, max_spikes=50).spikes
    assert ok and spikes.count >= 5

    between, _ = map_of(Between(network), start, drive, None, 100)
    product, now = jnp.eye(x.size), 0.0
    for at, neuron in zip(spikes.times, spikes.neurons, strict=True):
        span = min(float(at), t1) - now
        x, moved, _ = between.along(x, now, span, jnp.eye(x.size))
        product, now = moved @ product, now + span
        if float(at) > t1:
            break
        jump = saltation(network, between.flow.layout.unravel(x), drive, neuron=int(neuron))
        product, x = jump.matrix @ product, between.flow.layout.ravel(jump.y)
    np.testing.assert_allclose(x, end, atol=1e-8)
    np.testing.assert_allclose(product, derivative, atol=1e-6)


def reset_route(v_reset):
    """The cell of Touboul & Brette (2008) whose orbits double their period with the reset."""
    return bpc.neurons.AdEx(
        c=281.0, g_l=30.0, e_l=-70.6, v_t=-50.4, delta_t=2.0, tau_w=40.0, a=4.0, b=80.0,
        v_reset=v_reset, v_cut=-40.4,
    )  # fmt: skip


def just_after(neuron, w):
    return neuron.rest()._replace(v=neuron.v_reset, w=jnp.asarray(w, float))


@pytest.mark.slow
def test_the_slope_of_a_return_map():
    neuron = reset_route(-48.0)

    def after(w):
        event = next_spike(neuron, just_after(neuron, w), 800.0, dt=0.02, wait=100.0)
        return event.y.w, event.interval

    (w, interval), (slope, _) = jax.jit(lambda w: jax.jvp(after, (w,), (1.0,)))(320.0)
    # 0.0507882: the product of saltation and flow, and an independent integration
    np.testing.assert_allclose(slope, 0.0507882, atol=2e-6)
    oracle = neurons_ivp.adex_spike_map(
        800.0, 320.0, c=281.0, g_l=30.0, e_l=-70.6, v_t=-50.4, delta_t=2.0, tau_w=40.0, a=4.0,
        b=80.0, v_reset=-48.0, v_cut=-40.4,
    )  # fmt: skip
    np.testing.assert_allclose([w, slope, interval], oracle, rtol=1e-5)


@pytest.mark.slow
def test_orbits_of_the_reset_route():
    def settle(v_reset):
        neuron = reset_route(v_reset)
        return orbit(
            neuron, just_after(neuron, 300.0), 800.0, dt=0.05, wait=100.0, count=60, burn_in=60
        )

    solution = jax.jit(jax.vmap(settle))(jnp.array([-48.5, -47.8]))
    assert solution.ok.all()
    twice = jnp.sort(solution.y.w[0, -2:])
    np.testing.assert_allclose(twice, [293.1656, 322.7310], atol=1e-3)
    np.testing.assert_allclose(solution.interval[0, -2:].mean(), 18.43453, atol=1e-4)
    thrice = jnp.sort(solution.y.w[1, -3:])
    np.testing.assert_allclose(thrice, [273.5849, 333.8410, 368.3843], atol=1e-3)
    np.testing.assert_allclose(solution.interval[1, -3:].mean(), 17.33308, atol=1e-4)
    np.testing.assert_allclose(solution.exponent, [-1.289, -0.525], atol=0.01)


@pytest.mark.slow
def test_chaos_of_the_reset_route():
    neuron = reset_route(-48.0)
    run = jax.jit(
        lambda w: orbit(
            neuron, just_after(neuron, w), 800.0, dt=0.05, wait=100.0, count=1500, burn_in=100
        )
    )
    solution = run(300.0)
    np.testing.assert_allclose(solution.exponent, 0.355, atol=0.02)  # 3,000 spikes, to about 0.01
    np.testing.assert_allclose(solution.interval.mean(), 16.558, atol=0.03)


@pytest.mark.slow
def test_a_silent_neuron_has_no_next_spike():
    neuron = bpc.neurons.LIF()
    event = next_spike(neuron, neuron.rest(), 90.0, dt=0.1, wait=50.0)
    assert not event.ok and jnp.isnan(event.interval) and jnp.isnan(event.y.v)
    with pytest.raises(ValueError, match="spikes"):
        next_spike(VanDerPol(), jnp.ones(2), dt=0.1, wait=5.0)
    with pytest.raises(ValueError, match="count"):
        orbit(neuron, neuron.rest(), 150.0, dt=0.1, wait=50.0, count=0)
    with pytest.raises(ValueError, match="dt"):
        orbit(neuron, neuron.rest(), 150.0, dt=0.0, wait=50.0, count=1)


@pytest.mark.slow
def test_an_orbit_is_compiled_once():
    traced = []

    class Counted(bpc.AbstractSpikingSystem):
        def vector_field(self, t, y, args):
            traced.append(1)
            return y**2 + args

        def guard(self, t, y, args):
            return y - 10.0

        def reset(self, t, y, args, fired):
            return jnp.where(fired, -10.0, y)

    counts = []
    for drive in (1.0, 2.0):
        before = len(traced)
        args = jnp.asarray(drive)
        result = orbit(Counted(), jnp.array(-10.0), args, dt=0.01, wait=5.0, count=3)
        period = 2 * np.arctan(10 / drive**0.5) / drive**0.5
        np.testing.assert_allclose(result.interval, period, atol=1e-8)
        counts.append(len(traced) - before)
    assert counts[1] < counts[0] / 4  # only the checks of shapes look again


@pytest.mark.slow
def test_the_squid_axon_fires_on_a_cycle():
    neuron = bpc.neurons.HodgkinHuxley(e_l=-54.4)
    settled = bpc.simulate(neuron, neuron.rest(), 10.0, t1=200.0, dt=0.02).ys
    start = jax.tree.map(lambda x: x[-1], settled)
    cycle = find_cycle(neuron, start, 14.6, 10.0, dt=0.02)
    np.testing.assert_allclose(1000 / cycle.period, 68.314, atol=1e-3)  # Hz, RK4 at 0.005 ms
    assert cycle.stable and cycle.multipliers.shape == (4,)  # `above` is a mode
