"""Derivatives through spikes: closed forms of a neuron, differences of the event-driven oracle.

The neuron is `dv/dt = -v + I`, threshold 1, reset 0, from 0: after `n` spikes, each a time
`log(I / (I - 1))` after the one before, `v(t) = I (1 - exp(-(t - n log(I / (I - 1)))))`.
"""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from theory.closed_forms import lif_events

DRIVE, T1, SPIKES = 1.7, 20.3, 22


def closed_form(drive, t1=T1, spikes=SPIKES):
    last = spikes * jnp.log(drive / (drive - 1)) if spikes else 0.0
    return drive * (1 - jnp.exp(last - t1))


def neuron():
    return bpc.neurons.LIF(c=1.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)


def final(drive, inner, adjoint=None, *, t1=T1, dt=0.01):
    """The potential at `t1`."""
    solver = bpc.OrderedSpikes(inner, 2)
    options = dict(t1=t1, dt=dt, solver=solver, adjoint=adjoint, throw=False)
    return bpc.simulate(neuron(), neuron().rest(), drive, **options).ys.v[-1]


# --- one neuron -------------------------------------------------------------------------------


def test_the_derivative_through_22_spikes():
    def forward(drive):
        def value(drive):
            return final(drive, dfx.Tsit5(), dfx.ForwardMode())

        return jax.jvp(value, (drive,), (jnp.ones(()),))

    value, along = jax.jit(forward)(jnp.asarray(DRIVE))
    slope = jax.jit(jax.grad(lambda drive: final(drive, dfx.Tsit5())))(jnp.asarray(DRIVE))
    np.testing.assert_allclose(value, closed_form(DRIVE), rtol=0, atol=1e-8)
    # Closed form: 1 - e^-r + I e^-r n / (I (I - 1)), with r the time since the last.
    np.testing.assert_allclose(along, 14.957992826692706, rtol=0, atol=1e-8)
    np.testing.assert_allclose(slope, along, rtol=0, atol=1e-10)


def twice_forward(drive):
    return jax.jacfwd(jax.jacfwd(lambda i: final(i, dfx.Tsit5(), dfx.ForwardMode())))(drive)


def forward_of_reverse(drive):
    return jax.jacfwd(jax.grad(lambda i: final(i, dfx.Tsit5(), dfx.DirectAdjoint())))(drive)


@pytest.mark.slow
@pytest.mark.parametrize(
    "hessian",
    [twice_forward, pytest.param(forward_of_reverse, marks=pytest.mark.slow)],
    ids=["twice_forward", "forward_of_reverse"],
)
def test_second_derivatives_through_22_spikes(hessian):
    exact = jax.grad(jax.grad(closed_form))(DRIVE)
    np.testing.assert_allclose(exact, -278.6422207877, rtol=1e-12)  # worked out by hand as well
    np.testing.assert_allclose(jax.jit(hessian)(jnp.asarray(DRIVE)), exact, rtol=0, atol=1e-6)


QUICK = [dfx.Tsit5()]
OTHERS = [
    dfx.Euler(),
    dfx.Heun(),
    dfx.Midpoint(),
    dfx.Ralston(),
    dfx.Bosh3(),
    dfx.Dopri5(),
    dfx.Dopri8(),
]
SLOW = [pytest.param(inner, marks=pytest.mark.slow) for inner in OTHERS]


@pytest.mark.slow
@pytest.mark.parametrize("inner", [*QUICK, *SLOW], ids=lambda inner: type(inner).__name__)
def test_gradients_of_a_batch(inner):
    drives, dt = jnp.asarray([0.8, 1.5, 1.9]), 0.05

    def value(drive):
        return final(drive, inner, t1=3.0, dt=dt)

    @jax.jit
    def both(drives):
        rows = jax.vmap(jax.grad(value))(drives)
        return rows, jax.grad(lambda drives: jax.vmap(value)(drives).mean())(drives)

    rows, of_mean = both(drives)
    np.testing.assert_allclose(rows, 3 * of_mean, rtol=1e-12)
    cases = zip([0.8, 1.5, 1.9], [0, 2, 4], strict=True)
    exact = [jax.grad(closed_form)(drive, 3.0, spikes) for drive, spikes in cases]
    # Slopes converge with the order of the inner solver, which has constants near 1 here.
    order = inner.order(dfx.ODETerm(lambda t, y, args: y))
    np.testing.assert_allclose(rows, exact, rtol=0, atol=3 * dt**order + 1e-13)


# --- a recurrent network ----------------------------------------------------------------------

SIZE, END, HOLD = 8, 40.0, 2.0


def network_parameters():
    random = np.random.default_rng(52)  # 30 spikes, no two within 0.08 ms of each other
    return dict(
        weights=random.normal(0.0, 1.0, (SIZE, SIZE)) * (1 - np.eye(SIZE)),
        drive=random.uniform(1.8, 3.0, SIZE),
        tau=random.uniform(15.0, 25.0, SIZE),
        tau_s=random.uniform(4.0, 8.0, SIZE),
        threshold=random.uniform(0.9, 1.1, SIZE),
        v0=random.uniform(0.0, 0.8, SIZE),
    )


def oracle(weights, drive, v0, **others):
    return lif_events.simulate(weights, drive, v0, t1=END, refractory=HOLD, **others)


def differences(parameters, direction):
    """Central differences of the oracle along `direction`, extrapolated to fourth order."""
    order = oracle(**parameters).neurons

    def ends(step):
        result = oracle(**{k: x + step * direction.get(k, 0.0) for k, x in parameters.items()})
        np.testing.assert_array_equal(result.neurons, order)  # or it would not be a derivative
        return np.concatenate([result.times, result.v, result.s])

    def central(step):
        return (ends(step) - ends(-step)) / (2 * step)

    return (4 * central(5e-5) - central(1e-4)) / 3


def ends(parameters, adjoint, count, dt, inner):
    """The first `count` spike times, the potentials and the currents at the end."""
    p = parameters
    cells = bpc.neurons.LIF(c=p["tau"], g_l=1.0, e_l=0.0, v_th=p["threshold"], v_reset=0.0)
    synapse = bpc.synapses.Exponential(p["tau_s"])
    system = bpc.Network(bpc.Refractory(cells, HOLD), [bpc.Projection(p["weights"], synapse)])
    y0 = eqx.tree_at(lambda y: y.neurons.neuron.v, system.rest(SIZE), p["v0"])
    solution = bpc.simulate(
        system, y0, p["drive"], t1=END, dt=dt, solver=bpc.OrderedSpikes(inner, 4),
        adjoint=adjoint, max_spikes=count, max_steps=2048,
    )  # fmt: skip
    v, s = solution.ys.neurons.neuron.v[-1], solution.ys.synapses[0][-1]
    return jnp.concatenate([solution.spikes.times, v, s])


@eqx.filter_jit
def forward(parameters, direction, dt, count, inner):
    def value(parameters):
        return ends(parameters, dfx.ForwardMode(), count, dt, inner)

    return jax.jvp(value, (parameters,), (direction,))


@pytest.fixture(scope="module")
def case():
    """Parameters, a random direction in each group of them, and the oracle's derivatives."""
    parameters, random = network_parameters(), np.random.default_rng(4)
    directions = {k: random.normal(size=x.shape) for k, x in parameters.items()}
    expected = {k: differences(parameters, {k: u}) for k, u in directions.items()}
    return parameters, directions, expected, oracle(**parameters)


def arrays(tree):
    return jax.tree.map(jnp.asarray, tree)


@pytest.mark.slow
def test_forward_derivatives_of_a_network(case):
    parameters, directions, expected, exact = case
    still = {k: np.zeros_like(x) for k, x in parameters.items()}
    for name, direction in directions.items():
        given = arrays(parameters), arrays(still | {name: direction}), jnp.asarray(0.1)
        value, slope = forward(*given, exact.times.size, dfx.Tsit5())
        np.testing.assert_allclose(value[: exact.times.size], exact.times, rtol=0, atol=1e-9)
        # The differences: rounding 1e-14 / 1e-4, and 1e-16 of the fifth derivative.
        np.testing.assert_allclose(slope, expected[name], rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.slow
def test_reverse_derivatives_of_a_network(case):
    parameters, directions, expected, exact = case
    weighting = np.random.default_rng(5).normal(size=exact.times.size + 2 * SIZE)

    @jax.jit
    def reverse(parameters):
        def value(parameters):
            return weighting @ ends(parameters, None, exact.times.size, 0.1, dfx.Tsit5())

        return jax.grad(value)(parameters)

    slopes = reverse(arrays(parameters))
    for name, direction in directions.items():
        along = (slopes[name] * direction).sum()
        np.testing.assert_allclose(along, weighting @ expected[name], rtol=1e-7, err_msg=name)


@pytest.mark.slow
def test_derivatives_keep_the_order_of_the_solver(case):
    parameters, directions, expected, exact = case
    steps, total = np.array([0.2, 0.1, 0.05, 0.025]), sum(expected.values())
    errors = []
    for dt in steps:
        given = arrays(parameters), arrays(directions), jnp.asarray(dt)
        slope = forward(*given, exact.times.size, dfx.Heun())[1]
        errors.append(np.sqrt(np.mean((slope - total) ** 2)))
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order > 1.8, errors
