"""Synapses: waveforms in closed form, their limits, conductances, and jumps of the potential."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.integrate import solve_ivp

import bpcjax as bpc
from bpcjax.synapses import Alpha, Delta, DoubleExponential, Exponential

# Rise and decay of five targets: usual, swapped, almost equal on both sides, equal.
RISE = np.array([1.0, 6.0, 3.0, 3.0 * (1 + 1e-6), 4.0])
DECAY = np.array([5.0, 2.0, 3.0 * (1 + 1e-3), 3.0, 4.0])
WEIGHT = np.array([1.0, -2.0, 0.5, 3.0, 1.5])


def rise_and_decay(t, rise, decay):
    """`exp(-t / decay) - exp(-t / rise)` over its peak, and when that is: 0 before time 0."""
    gap = np.asarray(decay - rise) / (rise * decay)
    safe = np.where(gap == 0, 1.0, gap)
    peak = np.where(gap == 0, decay, np.log1p(gap * decay) / safe)

    def shape(t):  # expm1 keeps the digits that are lost where the times are almost equal
        return np.exp(-t / decay) * np.where(gap == 0, t, -np.expm1(-t * gap) / safe)

    return np.where(t >= 0, shape(np.maximum(t, 0.0)), 0.0) / shape(peak), peak


@eqx.filter_jit
def run(system, y0, args, t1, dt, solver, saveat, **options):
    options = dict(max_spikes=32, max_steps=4096) | options
    return bpc.simulate(system, y0, args, t1=t1, dt=dt, solver=solver, saveat=saveat, **options)


# Steps of 1/32 are exact in binary: arrivals on that grid are exact in `GridSpikes`.
GRID = bpc.GridSpikes(dfx.Tsit5())


def solve(system, y0, args=None, *, t1, dt=2.0**-5, ts=None, solver=GRID):
    saveat = dfx.SaveAt(t1=True) if ts is None else dfx.SaveAt(ts=jnp.asarray(ts))
    return run(system, y0, args, *map(jnp.asarray, (t1, dt)), solver, saveat)


def close(actual, desired, atol=1e-9):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=atol)


# --- waveforms --------------------------------------------------------------------------------


@pytest.mark.slow
def test_currents_after_spikes_are_the_closed_forms():
    train = bpc.SpikeTrain(np.array([0.5, 7.25]), np.array([0, 0]), 1)
    kinds = [Exponential(DECAY), Alpha(DECAY), DoubleExponential(RISE, DECAY)]
    neuron = bpc.neurons.LIF(v_th=1e6)
    network = bpc.Network(neuron, [bpc.Projection(WEIGHT[None], k, pre=train) for k in kinds])
    peaks = rise_and_decay(0.0, RISE, DECAY)[1]
    # At the end of a step a saved state does not have yet what arrives there: look just after.
    late = np.array([0.5, 7.25]) + 1e-12
    ts = np.sort(np.concatenate([[0.2, 12.0, 24.9], late, 0.5 + DECAY, 0.5 + peaks]))
    solution = solve(network, network.rest(5), t1=25.0, ts=ts).ys.synapses
    age = ts[:, None] - np.array([0.5, 7.25])[:, None, None]
    alone = np.where(age >= 0, np.exp(-np.maximum(age, 0.0) / DECAY), 0.0)
    alpha = np.where(age >= 0, age / DECAY * np.exp(1 - age / DECAY), 0.0)
    double, _ = rise_and_decay(age, RISE, DECAY)
    close(solution[0], WEIGHT * alone.sum(0))
    close(solution[1].s, WEIGHT * alpha.sum(0))
    close(solution[2].s, WEIGHT * double.sum(0))


@pytest.mark.parametrize("kind", [Alpha, DoubleExponential])
def test_peaks_are_the_weights(kind):
    synapse = Alpha(DECAY) if kind is Alpha else DoubleExponential(RISE, DECAY)
    peak = DECAY if kind is Alpha else rise_and_decay(0.0, RISE, DECAY)[1]
    start = synapse.kick(jnp.asarray(WEIGHT))
    assert not np.any(start.s)  # continuous at the spike

    # ds/dt = h - s / decay, dh/dt = -h / rise: the closed form of this linear system.
    rise = DECAY if kind is Alpha else RISE
    h = np.asarray(start.h) * np.exp(-peak / rise)
    gap = (DECAY - rise) / (rise * DECAY)
    ramp = np.where(gap == 0, peak, -np.expm1(-peak * gap) / np.where(gap == 0, 1.0, gap))
    s = np.asarray(start.h) * ramp * np.exp(-peak / DECAY)
    close(s, WEIGHT, 1e-13)
    slope = synapse.vector_field(0.0, type(start)(jnp.asarray(s), jnp.asarray(h)))
    close(slope.s, 0.0, 1e-12)  # stationary there


def log_height_slope(x):
    """The derivative of `r log(r) / (r - 1)` at `r = 1 + x`: that of the log of the kick."""
    series = sum((-x) ** k / (k + 2) for k in range(40))
    far = np.abs(x) > 0.3
    return np.where(far, (x - np.log1p(x)) / np.where(far, x, 1.0) ** 2, series)


# From a rise of a tenth of the decay to ten times it, through equal times from both sides.
GAPS = np.concatenate([-np.logspace(-0.05, -9, 40), [0.0], np.logspace(-9, 0.95, 40)])


@pytest.mark.slow
@pytest.mark.parametrize("dtype, bound", [(np.float64, 2e-12), (np.float32, 5e-4)])
def test_derivatives_go_through_equal_times(dtype, bound):
    def log_kick(rise):
        return jnp.log(DoubleExponential(rise, jnp.asarray(3.0, dtype)).kick(jnp.ones((), dtype)).h)

    rise = (3.0 / (1 + GAPS)).astype(dtype)
    ratio = np.float64(3.0) / rise.astype(np.float64)  # as rounded
    value, slope = jax.vmap(jax.value_and_grad(log_kick))(jnp.asarray(rise))
    x = ratio - 1
    near = np.abs(x) < 1e-3
    log = np.where(near, 1 - x / 2 + x**2 / 3 - x**3 / 4, np.log1p(x) / np.where(near, 1.0, x))
    np.testing.assert_allclose(value, ratio * log - np.log(3.0), rtol=0, atol=bound)
    np.testing.assert_allclose(slope, -log_height_slope(x) * ratio / rise, rtol=bound)
    assert value.dtype == slope.dtype == dtype


# --- conductances -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_conductance_pulls_towards_its_reversal():
    reversal, weight, tau = np.array([0.0, -80.0, -60.0]), np.array([8.0, 8.0, 50.0]), 4.0
    neuron = bpc.neurons.LIF(v_th=1e3)  # 200 pF, 10 nS, -60 mV
    train = bpc.SpikeTrain(np.array([1.0]), np.array([0]), 1)
    fast = bpc.Projection(weight[None], Exponential(tau, reversal), pre=train)
    slow = bpc.Projection(weight[None], DoubleExponential(1.0, tau, reversal), pre=train)
    network = bpc.Network(neuron, [fast, slow])
    solution = solve(
        network, network.rest(3), jnp.asarray(20.0), t1=30.0, ts=np.arange(2.0, 31.0, 4)
    )

    def conductance(t):
        return weight * (np.exp(-(t - 1.0) / tau) + rise_and_decay(t - 1.0, 1.0, tau)[0])

    def rate(t, v):
        return (-10.0 * (v + 60.0) + 20.0 + conductance(t) * (reversal - v)) / 200.0

    start = -60.0 + 2.0 * -np.expm1(-1.0 / 20.0) * np.ones(3)  # 20 pA for 1 ms
    times = np.asarray(solution.ts)
    exact = solve_ivp(rate, (1.0, 30.0), start, t_eval=times, rtol=1e-12, atol=1e-12).y.T
    close(solution.ys.neurons.v, exact, 1e-8)
    v = np.asarray(solution.ys.neurons.v)
    assert (v[:4, 0] > v[:4, 2]).all() and (v[:4, 1] < -60).all()  # excites, inhibits, shunts


# --- jumps of the potential -------------------------------------------------------------------

TAU, HOLD, DRIVE = 20.0, 2.0, 1.5


def held_network(train_times):
    neuron = bpc.neurons.LIF(c=TAU, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    train = bpc.SpikeTrain(train_times, np.zeros(len(train_times), int), 1)
    projection = bpc.Projection(np.array([[0.25]]), Delta(), pre=train)
    return bpc.Network(bpc.Refractory(neuron, HOLD), [projection])


SOLVERS = {
    "ordered": (bpc.OrderedSpikes(dfx.Tsit5()), 1e-8),
    "local": (bpc.LocalSpikes(), 2e-4),  # (dt / TAU)^2 / 6 a unit of time constants
    "grid": (bpc.GridSpikes(dfx.Heun()), 1e-2),  # dt DRIVE / TAU, an arrival and a spike late
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVERS)
def test_held_neurons_ignore_jumps(name):
    solver, bound = SOLVERS[name]
    # Active, held twice, active again: only the first and the last count.
    network = held_network(np.array([5.0, 17.75, 18.65, 26.0]))
    # The potential, 1.5 - (1.5 - 0.25 e^(5 / 20)) e^(-t / 20) after the first jump, is 1 there.
    spike = TAU * np.log((DRIVE - 0.25 * np.exp(5.0 / TAU)) / (DRIVE - 1.0))
    assert spike < 17.75 < 18.65 < spike + HOLD < 26.0
    drive, last = jnp.asarray(DRIVE), np.asarray(26.0)
    solution = solve(network, network.rest(1), drive, t1=30.0, dt=0.05, solver=solver)
    close(solution.spikes.times[:1], [spike], 5 * bound)
    free = DRIVE * -np.expm1(-(30.0 - spike - HOLD) / TAU)
    exact = free + 0.25 * np.exp(-(30.0 - last) / TAU)
    close(solution.ys.neurons.neuron.v[-1], exact, bound)


@pytest.mark.slow
def test_a_jump_leaves_other_variables_alone():
    neuron = bpc.neurons.AdEx()
    train = bpc.SpikeTrain(np.array([1.0]), np.array([0]), 1)
    network = bpc.Network(neuron, [bpc.Projection(np.array([[3.0]]), Delta(), pre=train)])
    end = 1.0 + 1e-9  # just after it
    solution = solve(network, network.rest(1), t1=end).ys
    later = eqx.tree_at(lambda n: n.projections[0].pre.times, network, train.times + 1.0)
    still = solve(later, network.rest(1), t1=end).ys
    close(solution.neurons.v - still.neurons.v, 3.0, 1e-8)
    close(solution.neurons.w, still.neurons.w, 1e-8)


# --- what is out of range ---------------------------------------------------------------------

bad = st.one_of(st.just(float("nan")), st.floats(-1e6, 0.0))
TIMES = [(Exponential, "tau"), (Alpha, "tau")]
TIMES += [(DoubleExponential, name) for name in ("rise", "decay")]


@pytest.mark.parametrize("kind, field", TIMES)
@given(value=bad)
@settings(max_examples=8, deadline=None)
def test_bad_times_are_named(kind, field, value):
    with pytest.raises(ValueError, match=f"{kind.__name__}.{field} must be positive"):
        kind(**{field: value})


@pytest.mark.parametrize("kind", [Exponential, DoubleExponential, Alpha])
def test_a_reversal_that_is_not_a_number_is_named(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__}.reversal must not be NaN"):
        kind(reversal=np.nan)


def test_a_bad_time_in_a_batch_marks_its_row():
    train = bpc.SpikeTrain(np.array([1.0]), np.array([0]), 1)

    def end(tau):
        projection = bpc.Projection(np.ones((1, 2)), Exponential(tau), pre=train)
        network = bpc.Network(bpc.neurons.LIF(), [projection])
        solution = bpc.simulate(
            network, network.rest(2), t1=2.0, dt=0.125, solver=GRID, throw=False
        )
        return solution.ok, solution.result == bpc.RESULTS.bad_parameter, solution.ys.synapses[0][0]

    ok, named, s = jax.jit(jax.vmap(end))(jnp.asarray([5.0, -5.0, jnp.nan]))
    np.testing.assert_array_equal(ok, [True, False, False])
    np.testing.assert_array_equal(named, [False, True, True])
    close(s[0], np.exp(-1 / 5), 1e-9)
