"""What happens at one instant: arrivals are one sum, whatever their order, number and source."""

import functools

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import bpcjax as bpc

EVENTS, T1, DT, HOLD = 10, 6.0, 0.25, 1.0
SOLVERS = {
    "ordered": bpc.OrderedSpikes(dfx.Heun(), per_step=24),
    "local": bpc.LocalSpikes(),
    "grid": bpc.GridSpikes(),
}
SLOW = functools.partial(pytest.param, marks=pytest.mark.slow)
WEIGHTS = np.array([[0.6, 0.3], [-0.6, 0.5]])  # one channel excites, one inhibits neuron 0


@functools.cache
def program(name):
    """The run over two trains, and the same cut at a time: potentials, spikes of each neuron."""
    solver = SOLVERS[name]
    cell = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)

    @jax.jit
    def run(times, channels, second, cut):
        trains = [
            bpc.SpikeTrain(jnp.where(out, jnp.inf, times), jnp.where(out, -1, channels), 2)
            for out in (second, ~second)
        ]
        delta = bpc.synapses.Delta()
        net = bpc.Network(
            bpc.Refractory(cell, HOLD), [bpc.Projection(WEIGHTS, delta, pre=t) for t in trains]
        )
        options = dict(max_steps=64, max_spikes=64, throw=False)
        begin = options | dict(dt=DT, solver=solver)
        whole = bpc.simulate(net, net.rest(2), 0.5, t1=T1, **begin)
        first = bpc.simulate(net, net.rest(2), 0.5, t1=cut, **begin)
        then = bpc.simulate(net, first.restart, 0.5, t1=T1, **options)

        def spikes(*parts):
            return sum(jnp.stack([(p.spikes.neurons == k).sum() for k in (0, 1)]) for p in parts)

        ok = whole.ok & first.ok & then.ok
        return (whole.final.neurons.neuron.v, spikes(whole)), (
            then.final.neurons.neuron.v, spikes(first, then)), ok  # fmt: skip

    return run


def outcome(name, times, channels, second, cut):
    whole, pieces, ok = program(name)(
        jnp.asarray(times, float), jnp.asarray(channels), jnp.asarray(second), jnp.asarray(cut)
    )
    assert bool(ok)
    return whole, pieces


def same(a, b, tol=1e-10):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=tol)


instants = st.lists(st.integers(0, 47), min_size=EVENTS, max_size=EVENTS)
channels_of = st.lists(st.integers(0, 1), min_size=EVENTS, max_size=EVENTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVERS)
@given(
    at=instants, channels=channels_of, order=st.permutations(range(EVENTS)),
    second=st.lists(st.booleans(), min_size=EVENTS, max_size=EVENTS), cut=st.integers(1, 46),
    ulps=st.lists(st.integers(-1, 1), min_size=EVENTS, max_size=EVENTS),
)  # fmt: skip
@example(
    at=[20] * EVENTS, channels=[0, 1] * 5, order=[0, 2, 4, 6, 8, 1, 3, 5, 7, 9],
    second=[False, True] * 5, cut=20, ulps=[0] * EVENTS,
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_inputs_permuted_split_and_cut_are_the_same_inputs(
    name, at, channels, order, second, cut, ulps
):
    # Times and cuts on an eighth of a ms, half of them on the grid of the steps.
    times, cut = np.array(at) / 8, cut / 8
    channels, order = np.array(channels), np.array(order)
    one = [False] * EVENTS
    whole, pieces = outcome(name, times, channels, one, cut)
    # A step of Heun's rule that is cut is made in two: of order dt^3.
    tol = 1e-5 if name == "ordered" else 1e-10
    same(whole, pieces, tol)
    same(whole, outcome(name, times[order], channels[order], one, cut)[0])
    split, split_pieces = outcome(name, times, channels, second, cut)
    same(whole, split)
    same(whole, split_pieces, tol)
    # Rounding takes times apart that are one instant.
    moved = times + np.array(ulps) * np.spacing(times)
    same(whole, outcome(name, np.maximum(moved, 0.0), channels, second, cut)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ordered", *(SLOW(name) for name in ("local", "grid"))])
def test_many_that_cancel_make_no_spike(name):
    # Fifty of +0.5 and fifty of -0.5 at 5.03 ms, all in one train: their sum is nothing.
    solver, n = SOLVERS[name], 50
    for signs in (np.repeat([0, 1], n), np.repeat([1, 0], n)):
        train = bpc.SpikeTrain(np.full(2 * n, 5.03), signs, channels=2)
        cell = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
        net = bpc.Network(
            cell, [bpc.Projection(np.array([[0.5], [-0.5]]), bpc.synapses.Delta(), pre=train)]
        )
        options = dict(t1=10.0, dt=0.1, solver=solver, max_spikes=9)
        assert int(bpc.simulate(net, net.rest(1), 0.5, **options).spikes.count) == 0


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.5, 1.0, 0.3, 0.7, 1.1])
def test_what_arrives_as_a_hold_ends_counts(gap):
    # The neuron is held in [t, t + gap): each of 20 inputs, a hold apart, makes it fire. On a
    # grid, where it fires a step later, each second one does.
    at = gap * np.arange(1, 21)
    train = bpc.SpikeTrain(at, np.zeros(20, int))
    cell = bpc.Refractory(bpc.neurons.IF(c=1.0, v_th=1.0, v_reset=0.0), gap)
    net = bpc.Network(cell, [bpc.Projection(np.array([[1.5]]), bpc.synapses.Delta(), pre=train)])
    for name, count in (("ordered", 20), ("local", 10), ("grid", 10)):
        solution = bpc.simulate(
            net, net.rest(1), 0.0, t1=at[-1] + gap, dt=gap / 4, solver=SOLVERS[name],
            max_spikes=30, max_steps=128,
        )  # fmt: skip
        assert int(solution.spikes.count) == count, (name, gap)


@pytest.mark.parametrize("name", ["grid", *(SLOW(name) for name in ("ordered", "local"))])
def test_events_at_both_ends_of_a_run(name):
    # A run takes the events in [t0, t1): at 0 and 1, not at 2; a bin that ends at 2 it has.
    train = bpc.SpikeTrain([0.0, 1.0, 2.0], [0, 0, 0])
    cell = bpc.neurons.IF(c=1.0, v_th=1e9, v_reset=0.0)
    net = bpc.Network(cell, [bpc.Projection(np.eye(1), bpc.synapses.Delta(), pre=train)])
    options = dict(dt=DT, solver=SOLVERS[name])
    first = bpc.simulate(net, net.rest(1), 0.0, t1=2.0, **options)
    then = bpc.simulate(net, first.final, 0.0, t0=2.0, t1=3.0, **options)
    assert first.final.neurons.v[0] == 2.0 and then.final.neurons.v[0] == 3.0


@pytest.mark.slow
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_derivatives_at_a_hold_and_a_delay_of_nothing(start):
    # Spike k of a neuron that is held for h after each comes k h later: 0, 1, 2 at h = 0 as at 1.
    lif = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    options = dict(dt=0.1, max_spikes=4, adjoint=dfx.ForwardMode(), max_steps=512)

    def held(hold):
        cell = bpc.Refractory(lif, hold)
        return bpc.simulate(cell, cell.rest((1,)), 1.5, t1=36.0, **options).spikes.times[:3]

    def late(delay):
        weights = np.array([[0.0, 5.0], [0.0, 0.0]])
        net = bpc.Network(lif, [bpc.Projection(weights, bpc.synapses.Delta(), delay=delay)])
        return bpc.simulate(net, net.rest(2), jnp.array([1.5, 0.0]), t1=13.0, **options
                            ).spikes.times[:2]  # fmt: skip

    one = jnp.ones(())
    slope = jax.jvp(held, (jnp.asarray(start),), (one,))[1]
    np.testing.assert_allclose(slope, [0.0, 1.0, 2.0], atol=1e-9)
    np.testing.assert_allclose(
        jax.jvp(late, (jnp.asarray(start),), (one,))[1], [0.0, 1.0], atol=1e-9
    )
