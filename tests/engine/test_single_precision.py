"""Time in single precision: what counts steps counts them exactly, at 0 and at 1,000 s."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc

DT = 0.1
STARTS = [0.0, 1e3, 2e4, 1e6]  # ms
GRID, LOCAL = bpc.GridSpikes(), bpc.LocalSpikes()


@pytest.fixture(autouse=True)
def single():
    with jax.enable_x64(False):
        yield


def intervals(solution):
    steps = np.asarray(solution.spikes.steps)[: int(solution.spikes.count)]
    return np.diff(steps)


@pytest.mark.slow
@pytest.mark.parametrize("t0", STARTS)
@pytest.mark.parametrize("hold", [1, 20, 1000])
def test_a_hold_of_whole_steps_lasts_as_many(hold, t0):
    # 15 steps to a spike at 1 from 0 by 1 / 15 a step, less one: 1.5 a step crosses at once.
    cell = bpc.Refractory(bpc.neurons.IF(c=1.0, v_th=1.0, v_reset=0.0), hold * DT)
    solution = bpc.simulate(
        cell, cell.rest((1,)), 15.0, t0=t0, t1=t0 + 400.0, dt=DT, solver=GRID, max_spikes=2048,
        max_steps=4096,
    )  # fmt: skip
    assert set(intervals(solution).tolist()) == {hold + 1}


@pytest.mark.slow
@pytest.mark.parametrize("t0", STARTS)
def test_a_delay_of_whole_steps_lasts_as_many(t0):
    # A spike of neuron 0 kicks neuron 1 over its threshold 17 steps later; it fires a step after.
    weights = np.array([[0.0, 5.0], [0.0, 0.0]])
    cell = bpc.neurons.IF(c=1.0, v_th=1.0, v_reset=0.0)
    net = bpc.Network(cell, [bpc.Projection(weights, bpc.synapses.Delta(), delay=17 * DT)])
    solution = bpc.simulate(
        net, net.rest(2), jnp.array([0.4, 0.0]), t0=t0, t1=t0 + 200.0, dt=DT, solver=GRID,
        max_spikes=256, max_steps=4096,
    )  # fmt: skip
    who = np.asarray(solution.spikes.neurons)[: int(solution.spikes.count)]
    steps = np.asarray(solution.spikes.steps)[: int(solution.spikes.count)]
    causes, effects = steps[who == 0], steps[who == 1]
    np.testing.assert_array_equal(effects - causes[: len(effects)], 18)
    # 1 / (0.4 * 0.1) = 25 steps (26 where rounding leaves the sum below one).
    assert set(np.diff(causes).tolist()) <= {25, 26}


@pytest.mark.slow
@pytest.mark.parametrize("t0", STARTS)
def test_bins_arrive_in_their_steps(t0):
    first = round(t0 / DT)
    amounts = np.zeros((first + 30, 1), np.float32)
    amounts[first + np.array([0, 7, 29])] = 1.0
    layers = bpc.Layers(
        [bpc.Layer(np.eye(1), bpc.neurons.IF(c=1.0, v_th=0.5, v_reset=0.0), 1)],
        bpc.Bins(amounts, DT),
    )
    solution = bpc.simulate(
        layers, layers.rest(), t0=t0, t1=t0 + 30 * DT, dt=DT, solver=GRID, max_spikes=5,
        max_steps=64,
    )  # fmt: skip
    # A bin arrives as its step ends, the neuron fires a step later; the last has none left.
    np.testing.assert_array_equal(np.asarray(solution.spikes.steps)[:2], [2, 9])
    assert int(solution.spikes.count) == 2 and solution.final.neurons[0].v[0] == 1.0


@pytest.mark.slow
def test_steps_that_single_precision_does_not_tell_apart_are_refused():
    lif = bpc.neurons.LIF()
    with pytest.raises(ValueError, match="dt=0.01 is finer than float32 tells times near"):
        bpc.simulate(lif, lif.rest(), 50.0, t0=1e6, t1=1e6 + 10, dt=0.01)

    def end(t1):
        return bpc.simulate(lif, lif.rest(), 50.0, t1=t1, dt=0.01, max_steps=16, throw=False)

    assert jax.jit(end)(1e6).result == bpc.RESULTS.unresolved_time


@pytest.mark.slow
def test_calm_steps_of_ordered_spikes_stay_calm():
    # Steps differ by rounding: what watches for events must not take that for longer steps.
    lif, solver = bpc.neurons.LIF(), bpc.OrderedSpikes()
    solution = bpc.simulate(
        lif, lif.rest((1,)), 150.0, t0=2e4, t1=2e4 + 400.0, dt=DT, solver=solver, max_spikes=32,
        max_steps=4096,
    )  # fmt: skip
    # 20 ms log(3) apart, at times that are rounded to 0.002 ms.
    times = np.asarray(solution.spikes.times)[: int(solution.spikes.count)]
    np.testing.assert_allclose(np.diff(times), 20 * np.log(3.0), atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [GRID, LOCAL], ids=["grid", "local"])
def test_a_thousand_seconds(solver):
    """1,000 s at 0.1 ms: ten million steps, held and delayed, each interval exact in steps."""
    hold, wait = 20, 15
    weights = np.array([[0.0, 5.0], [0.0, 0.0]])
    cell = bpc.Refractory(bpc.neurons.IF(c=1.0, v_th=1.0, v_reset=0.0), hold * DT)
    net = bpc.Network(cell, [bpc.Projection(weights, bpc.synapses.Delta(), delay=wait * DT)])
    # Neuron 0: a step of 1.5 to fire, held for 20: every 21 steps. Neuron 1: kicked 15 later.
    solution = bpc.simulate(
        net, net.rest(2), jnp.array([15.0, 0.0]), t1=1e6, dt=DT, solver=solver,
        max_spikes=1_000_000,
    )  # fmt: skip
    count = int(solution.spikes.count)
    who = np.asarray(solution.spikes.neurons)[:count]
    steps = np.asarray(solution.spikes.steps)[:count]
    first, second = steps[who == 0], steps[who == 1]
    if solver is GRID:
        assert len(first) == 1 + (10_000_000 - 1) // 21
        assert set(np.diff(first)) == {21}
        assert set(np.diff(second)) == {21} and set(second - first[: len(second)]) == {16}
    else:  # 1 / 15 ms and the hold: each 2.0666... ms, to one spike
        assert abs(len(first) - 1e6 / (hold * DT + 1 / 15)) <= 1
