"""Networks that inhibition balances: chaos of quadratic neurons, and none of leaky ones.

Monteforte & Wolf (2010), PRL 105:268104, for theta neurons; for leaky ones Zillmer et al. (2006),
PRE 74:036203, and Jahnke, Memmesheimer & Timme (2008), PRL 100:048102. At constant drive one
exponent is zero, that of a shift in time: "the largest" is the largest but for this one. The oracle
is `theory.closed_forms.pulse_events`, which passes every spike in closed form.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import lyapunov
from bpcjax.analysis.flow_map import map_of
from theory.closed_forms import fi
from theory.closed_forms.pulse_events import Leaky, Quadratic, exponents, simulate

TAU = 10.0  # ms
RATE = 0.1  # spikes in a TAU that balance the drive


class Theta(bpc.AbstractSpikingSystem):
    """Theta neurons whose spikes move the potentials `tan(theta / 2)` of their targets."""

    neurons: bpc.neurons.Theta
    weights: jax.Array = bpc.parameter()

    def vector_field(self, t, y, args):
        return self.neurons.vector_field(t, y, args)

    def guard(self, t, y, args):
        return self.neurons.guard(t, y, args)

    def reset(self, t, y, args, fired):
        return self.neurons.reset(t, y, args, fired)

    def kick(self, t, y, args, spikes):
        # the angle to (c, s + dv c): exact for each spike, though not linear in the jump
        c, s, dv = jnp.cos(y.theta / 2), jnp.sin(y.theta / 2), spikes @ self.weights
        return type(y)(2 * jnp.arctan2(dv * c**2, 1 + dv * s * c))


def wiring(size, inputs, seed):
    """Weights [pre, post] of which each neuron has so many, and potentials to start from."""
    random = np.random.default_rng([size, seed])
    weights = np.zeros((size, size))
    for post in range(size):
        pre = random.choice(np.delete(np.arange(size), post), inputs, replace=False)
        weights[pre, post] = -1 / np.sqrt(inputs)
    return weights, random.uniform(0.0, 0.9, size)


def pair(inputs):
    """Neurons of both kinds at one net drive, what balances `RATE` spikes of each input."""
    drive = np.sqrt(inputs) * RATE
    return Quadratic(drive, TAU), Leaky(1 + drive, TAU)


def solved(neuron, weights, v0):
    """The same network for the engine, and its start."""
    if isinstance(neuron, Quadratic):
        cells = bpc.neurons.Theta(neuron.tau)
        return Theta(cells, weights), cells.start(jnp.asarray(v0))
    cells = bpc.neurons.LIF(c=neuron.tau, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    network = bpc.Network(cells, [bpc.Projection(weights, bpc.synapses.Delta())])
    start = network.rest(len(v0))
    return network, start._replace(neurons=start.neurons._replace(v=jnp.asarray(v0)))


# --- the oracle -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0, 1])
def test_the_oracle_by_differences_and_identities(kind):
    weights, v0 = wiring(8, 3, 0)
    neuron = pair(3)[kind]
    solution = simulate(neuron, weights, v0, 120.0)
    assert len(solution.times) > 10 and (np.diff(solution.times) >= 0).all()
    h = 1e-6
    for k, step in enumerate(h * np.eye(8)):
        ahead, behind = (simulate(neuron, weights, v0 + s, 120.0) for s in (step, -step))
        assert (ahead.neurons == solution.neurons).all() and (
            behind.neurons == solution.neurons
        ).all()
        np.testing.assert_allclose(
            (ahead.v - behind.v) / (2 * h), solution.jacobian[:, k], rtol=1e-5, atol=1e-7
        )
    # it takes the velocity at the start to that at the end, which is the zero exponent
    np.testing.assert_allclose(
        solution.jacobian @ neuron.speed(v0), neuron.speed(solution.v), rtol=1e-9
    )
    # two halves are the whole
    half = simulate(neuron, weights, v0, 70.0)
    rest = simulate(neuron, weights, half.v, 50.0)
    np.testing.assert_allclose(
        rest.jacobian @ half.jacobian, solution.jacobian, rtol=1e-7, atol=1e-9
    )
    np.testing.assert_allclose(rest.times + 70.0, solution.times[len(half.times) :], rtol=1e-9)


def test_the_oracle_of_a_neuron_alone_has_its_period():
    alone = np.zeros((1, 1))
    for neuron, period in (
        (Quadratic(0.3, TAU), np.pi * TAU / 0.3**0.5),
        (Quadratic(0.3, TAU, 8.0, -3.0), fi.qif_period(0.3, -3.0, 8.0, TAU)),
        (Leaky(1.3, TAU), 1 / fi.lif_rate(1.3, TAU)),
    ):
        times = simulate(neuron, alone, [0.0], 500.0).times
        np.testing.assert_allclose(np.diff(times), period, rtol=1e-12)
    with pytest.raises(ValueError, match="weights"):
        simulate(Leaky(1.3), np.ones((2, 2)) - np.eye(2), [0.0, 0.1], 1.0)
    with pytest.raises(ValueError, match="v0"):
        simulate(Leaky(1.3), alone, [1.0], 1.0)


def test_the_sum_of_the_exponents_is_the_growth_of_volumes():
    weights, v0 = wiring(8, 3, 0)
    for neuron in pair(3):
        result = exponents(neuron, weights, v0, 320.0, leg=10.0, count=8)
        # in ages the volume changes only by the slopes of the kicks
        end = simulate(neuron, weights, v0, 320.0)
        ages = np.linalg.slogdet(end.jacobian)[1] - np.log(neuron.speed(end.v)).sum()
        ages += np.log(neuron.speed(v0)).sum()
        np.testing.assert_allclose(result.exponents.sum(), ages / 320.0, rtol=1e-6)


def test_quadratic_neurons_are_chaotic_and_leaky_ones_are_not():
    # 200 neurons of 50 inputs, by the oracle, over 2 s: the same signs for each of three networks
    for seed in range(3):
        weights, v0 = wiring(200, 50, seed)
        chaotic, calm = (
            exponents(neuron, weights, v0, 2000.0, leg=10.0, burn_in=400.0) for neuron in pair(50)
        )
        assert 0.5 < calm.rate / chaotic.rate < 2
        assert chaotic.exponents[0] > 10 * chaotic.error[0]
        assert abs(calm.exponents[0]) < 1e-12  # the shift in time
        assert calm.exponents[1] < -10 * calm.error[1]


# --- the engine -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", [0, 1])
def test_small_disturbances_pass_spikes_as_in_the_oracle(kind):
    weights, v0 = wiring(8, 3, 1)
    neuron = pair(3)[kind]
    exact = simulate(neuron, weights, v0, 120.0)
    assert len(exact.times) >= 8
    system, start = solved(neuron, weights, v0)
    drive = neuron.drive
    step_map, x = map_of(system, start, jnp.full(8, drive), None, 480)
    after, moved, ok = step_map.along(x, 0.0, 120.0, jnp.eye(8))
    assert ok
    if kind == 0:  # from angles to potentials
        slope = 0.5 / jnp.cos(jnp.stack([x, after]) / 2) ** 2
        moved = slope[1][:, None] * moved / slope[0][None, :]
        after = jnp.tan(after / 2)
    np.testing.assert_allclose(after, exact.v, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moved, exact.jacobian, rtol=1e-5, atol=1e-5)


def both(kind, seed, t1):
    """The two largest exponents of 20 neurons of 7 inputs, by the engine and by the oracle."""
    weights, v0 = wiring(20, 7, seed)
    neuron = pair(7)[kind]
    system, start = solved(neuron, weights, v0)
    drive = jnp.full(20, neuron.drive)
    spectrum = lyapunov(system, start, drive, t1=t1, dt=1.0, burn_in=t1 / 5, count=2)
    exact = exponents(neuron, weights, v0, t1, leg=10.0, burn_in=t1 / 5)
    return spectrum, exact


@pytest.mark.slow
def test_a_balanced_network_of_leaky_neurons_is_stable():
    solution, exact = both(1, 0, 20_000.0)
    assert solution.ok and not solution.structural.any()
    assert exact.error[1] < 2e-4
    np.testing.assert_allclose(solution.exponents, exact.exponents, atol=1e-4)
    assert solution.exponents[1] < -100 * solution.error[1]


@pytest.mark.slow
def test_its_twin_of_theta_neurons_is_chaotic():
    solution, exact = both(0, 0, 20_000.0)
    error = np.hypot(solution.error, exact.error)
    assert solution.ok and (error < 2e-3).all()  # of 0.016 and 0.012 per ms
    assert (np.abs(solution.exponents - exact.exponents) < 4 * error).all()
    assert (solution.exponents > 5 * solution.error).all()
