"""Lyapunov spectra: identities, published numbers, and spikes passed exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import lyapunov, spectrum
from bpcjax.analysis.flow_map import map_of
from tests.support.systems import Henon, HenonState, Logistic, Lorenz, StuartLandau, Ticked


class Linear(bpc.AbstractSystem):
    matrix: jax.Array = bpc.parameter()

    def vector_field(self, t, y, args):
        return self.matrix @ y


@pytest.mark.slow
def test_lorenz():
    start = jnp.array([1.0, 2.0, 20.0])
    result = lyapunov(Lorenz(), start, t1=1000.0, dt=0.01, burn_in=10.0)
    assert result.ok and not result.structural.any()
    # the sum is the divergence, -(sigma + 1 + beta), at any length
    np.testing.assert_allclose(result.exponents.sum(), -41 / 3, atol=1e-6)
    # 0.9050(10), 0, -14.5716(9) over 4e4; over 1000 the spread is 0.011
    np.testing.assert_allclose(result.exponents, [0.905, 0.0, -14.572], atol=0.03)
    assert (jnp.abs(result.exponents - jnp.array([0.905, 0.0, -14.5716])) < 5 * result.error).all()
    np.testing.assert_allclose(result.dimension, 2.062, atol=0.003)
    np.testing.assert_allclose(result.running[-1], result.exponents, rtol=1e-9)
    few = lyapunov(Lorenz(), start, t1=100.0, dt=0.01, count=1)
    assert few.exponents.shape == (1,) and jnp.isnan(few.dimension)


@pytest.mark.slow
def test_lorenz_to_three_digits():
    result = lyapunov(Lorenz(), jnp.array([1.0, 2.0, 20.0]), t1=40_000.0, dt=0.01, burn_in=10.0)
    np.testing.assert_allclose(result.exponents, [0.9050, 0.0, -14.5716], atol=4e-3)
    other = Lorenz(45.92, 16.0, 4.0)  # Wolf et al. (1985): 1.50, 0, -22.46
    result = lyapunov(other, jnp.array([1.0, 2.0, 20.0]), t1=10_000.0, dt=0.005, burn_in=10.0)
    np.testing.assert_allclose(result.exponents[:2], [1.50, 0.0], atol=0.01)
    # the published three do not add up to the trace, -(16 + 1 + 4), by 0.04
    np.testing.assert_allclose(result.exponents[2], -22.46, atol=0.05)
    np.testing.assert_allclose(result.exponents.sum(), -21.0, atol=1e-4)


@pytest.mark.slow
def test_closed_forms_of_smooth_flows():
    result = lyapunov(
        Linear(jnp.diag(jnp.array([0.1, -0.4]))), jnp.ones(2), t1=100.0, dt=0.1, burn_in=60.0
    )
    np.testing.assert_allclose(result.exponents, [0.1, -0.4], atol=1e-9)
    np.testing.assert_allclose(result.dimension, 1.25, atol=1e-8)
    mixed = jnp.array([[0.1, 5.0], [0.0, -0.4]])
    result = lyapunov(Linear(mixed), jnp.ones(2), t1=100.0, dt=0.1, burn_in=60.0)
    np.testing.assert_allclose(result.exponents, [0.1, -0.4], atol=1e-9)
    for r, nu in ((0.1, 1.0), (0.5, 3.0)):  # 0 and -2 r
        start = jnp.array([r**0.5, 0.0])
        result = lyapunov(StuartLandau(r, nu), start, t1=250.0, dt=0.02, burn_in=150.0)
        np.testing.assert_allclose(result.exponents, [0.0, -2 * r], atol=1e-6)


@pytest.mark.slow
def test_maps_are_spiking_systems_with_a_clock():
    result = lyapunov(
        Logistic(), Ticked(*jnp.array([0.3, 0.5])), t1=3000.0, dt=0.5, leg=1.0, burn_in=50.0
    )
    # ln 2, and the clock, whose phase neither grows nor shrinks
    np.testing.assert_allclose(result.exponents, [np.log(2), 0.0], atol=0.02)
    start = HenonState(*jnp.array([0.1, 0.1, 0.5]))
    result = lyapunov(Henon(), start, t1=3000.0, dt=0.5, leg=1.0, burn_in=50.0)
    np.testing.assert_allclose(result.exponents, [0.4193, 0.0, -1.6233], atol=0.03)
    np.testing.assert_allclose(result.exponents.sum(), np.log(0.3), atol=1e-9)


@pytest.mark.slow
def test_a_driven_neuron_neither_forgets_nor_amplifies():
    neuron = bpc.neurons.LIF()
    result = lyapunov(neuron, neuron.rest(), 150.0, t1=2000.0, dt=0.1)
    assert jnp.abs(result.exponents[0]) < 1e-4  # flow times saltation is one
    quiet = lyapunov(neuron, neuron.rest(), 50.0, t1=200.0, dt=0.1)
    np.testing.assert_allclose(quiet.exponents, -1 / 20, atol=1e-9)


def pair(sign=1.0):
    """Two pulse-coupled leaky neurons: tau 10, synapses 3, refractory 0.5 ms."""
    cells = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    weights = sign * 0.3 * jnp.array([[0.0, 1.0], [1.0, 0.0]])
    synapses = [bpc.Projection(weights, bpc.synapses.Exponential(3.0))]
    network = bpc.Network(bpc.Refractory(cells, 0.5), synapses)
    start = network.rest(2)
    v = start.neurons.neuron._replace(v=jnp.array([0.1, 0.5]))
    return network, start._replace(neurons=start.neurons._replace(neuron=v))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sign", "expected"),  # independent prototype, 400 legs of 10 ms, first 20 % dropped
    [(1.0, [-3e-4, -0.0070, -0.3135, -0.3497]), (-1.0, [-1e-4, -0.01058, -0.3145, -0.3518])],
)
def test_two_neurons_that_synchronise(sign, expected):
    network, start = pair(sign)
    result = lyapunov(network, start, 1.5, t1=4000.0, dt=0.1, leg=10.0, burn_in=800.0)
    np.testing.assert_allclose(result.exponents[:4], expected, atol=4e-4)
    assert result.exponents[1] < -0.006  # not zero: they do not merely synchronise within a step
    # a mode and a clock each: directions that the first spikes destroy
    assert result.structural.tolist() == 4 * [False] + 4 * [True]
    assert jnp.isneginf(result.exponents[4:]).all()


def test_what_is_refused():
    network, start = pair()
    with pytest.raises(ValueError, match="OrderedSpikes"):
        lyapunov(network, start, 1.5, t1=10.0, dt=0.1, solver=bpc.LocalSpikes())
    late = [bpc.Projection(jnp.ones((2, 2)), bpc.synapses.Exponential(3.0), delay=1.0)]
    delayed = bpc.Network(bpc.neurons.LIF(), late)
    with pytest.raises(ValueError, match="delay"):
        lyapunov(delayed, delayed.rest(2), 100.0, t1=10.0, dt=0.1)
    noisy = bpc.Langevin(lambda y, args: (y**2).sum(), 0.1)
    with pytest.raises(ValueError, match="noise"):
        lyapunov(noisy, jnp.ones(2), t1=10.0, dt=0.1)
    for bad in ({"count": 4}, {"count": 0}, {"burn_in": 20.0}, {"leg": -1.0}, {"leg": 30.0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            lyapunov(Lorenz(), jnp.ones(3), t1=10.0, dt=0.1, **bad)
    with pytest.raises(ValueError, match="dt"):
        lyapunov(Lorenz(), jnp.ones(3), t1=10.0, dt=0.0)


@pytest.mark.slow
def test_a_run_that_blows_up_gives_no_number():
    class Explodes(bpc.AbstractSystem):
        def vector_field(self, t, y, args):
            return y**2

    result = lyapunov(Explodes(), jnp.ones(1), t1=5.0, dt=0.01)
    assert not result.ok and jnp.isnan(result.exponents).all() and jnp.isnan(result.dimension)


@pytest.mark.slow
def test_the_flow_map_of_a_linear_flow_is_its_exponential():
    matrix = jnp.array([[0.1, 1.0], [-1.0, -0.3]])
    step_map, x = map_of(Linear(matrix), jnp.array([1.0, 0.5]), None, None, 100)
    after, moved, ok = step_map.along(x, 0.0, 2.0, jnp.eye(2))
    expected = jax.scipy.linalg.expm(2.0 * matrix)
    assert ok
    np.testing.assert_allclose(moved, expected, atol=1e-9)
    np.testing.assert_allclose(after, expected @ x, atol=1e-9)
    assert spectrum(matrix).shape == (2,)


@pytest.mark.slow
def test_spectra_of_a_network_do_not_depend_on_the_step():
    size = 20
    weights = 0.15 * jax.random.normal(jax.random.key(3), (size, size)) * (1 - jnp.eye(size))
    cells = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    network = bpc.Network(cells, [bpc.Projection(weights, bpc.synapses.Exponential(3.0))])
    start = network.rest(size)
    v = start.neurons._replace(v=jnp.linspace(0.0, 0.9, size))
    start = start._replace(neurons=v)
    drive = jnp.linspace(1.2, 1.6, size)
    coarse, fine = (
        lyapunov(network, start, drive, t1=600.0, dt=dt, leg=2.0, burn_in=200.0)
        for dt in (0.1, 0.05)
    )
    assert coarse.ok and fine.ok
    difference = jnp.abs(coarse.exponents - fine.exponents)
    assert (difference <= 4 * (coarse.error + fine.error) + 1e-4).all()
