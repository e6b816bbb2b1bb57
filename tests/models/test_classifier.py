"""Codes, readouts, and the classifier that they make with layers of neurons."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.models import (
    Classifier,
    CurrentCode,
    DeltaCode,
    EventCode,
    FirstSpikeReadout,
    LatencyCode,
    MembraneReadout,
    RateCode,
    RateReadout,
)
from bpcjax.neurons import LIF, Izhikevich


def leaky(tau=5.0):
    return LIF(c=tau, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)


def one_layer(fires=False, n=3, **kwargs):
    first = bpc.Layer(jnp.eye(n), leaky(), n)
    return bpc.Layers([first, bpc.Layer(jnp.eye(n), leaky(**kwargs), n, fires=fires)])


def test_latency_puts_one_spike_into_the_bin_of_its_time():
    x = jnp.array([1.0, 0.8, 0.31, 0.0])
    bins = LatencyCode(bpc.encode.Linear(10.0)).bins(x, 10, 1.0, None)
    expected = bpc.encode.latency(x, bpc.encode.Linear(10.0))
    for channel in range(4):
        times = np.asarray(expected.times)[np.asarray(expected.neurons) == channel]
        assert bins[:, channel].sum() == len(times)
        for t in times:
            assert bins[int(t), channel] == 1
    assert bins[:, 3].sum() == 0  # 0 never spikes


@pytest.mark.slow
@pytest.mark.parametrize("quantum", [0.7, 3.0])
def test_delta_bins_are_those_of_sigma_delta(quantum):
    # The exact events of the stream that stays at x, counted in bins.
    x = jnp.array([0.05, 0.4, 0.93])
    ts = jnp.linspace(0.0, 12.0, 13)
    events = bpc.encode.sigma_delta(ts, jnp.broadcast_to(x, (13, 3)), quantum)
    times, channels = np.asarray(events.times), np.asarray(events.neurons)
    bins = np.asarray(DeltaCode(quantum).bins(x, 12, 1.0, None))
    for channel in range(3):
        counted = np.histogram(times[channels == channel] - 1e-9, np.arange(13))[0]
        np.testing.assert_array_equal(bins[:, channel], counted)


def test_rates_have_the_mean_and_variance_of_poisson():
    x = jnp.array([0.2, 1.0])
    bins = RateCode(0.5).bins(x, 20000, 2.0, jax.random.key(0))
    # Mean 0.5 * 2 * x; four standard errors of 20,000 draws.
    np.testing.assert_allclose(bins.mean(0), x, atol=4 * np.sqrt(x / 20000).max())
    np.testing.assert_allclose(bins.var(0), x, rtol=0.08)
    with pytest.raises(ValueError, match="key"):
        RateCode().bins(x, 3, 1.0, None)


def test_readouts_are_their_formulas():
    seen = jnp.array([[0.0, 1.0], [2.0, 1.0], [1.0, 4.0]])
    dt = jnp.array(0.5)
    np.testing.assert_allclose(MembraneReadout(2.0).scores(seen, dt), [[0, 2], [2, 2], [2, 4]])
    counts = jnp.array([[0.0, 1.0], [0.0, 2.0], [1.0, 2.0]])
    np.testing.assert_allclose(RateReadout(3.0).scores(counts, dt), [[0, 3], [0, 3], [1, 2]])
    # Silent for two steps of .5 ms, and for none; divided by tau = 2 ms.
    np.testing.assert_allclose(FirstSpikeReadout(2.0).scores(counts, dt)[-1], [-0.5, 0.0])


@pytest.mark.slow
def test_a_neuron_with_more_current_fires_first():
    model = Classifier(one_layer(fires=True), CurrentCode(4.0), FirstSpikeReadout(), steps=20)
    model = eqx.tree_at(lambda m: m.layers.layers[1].weights.weights, model, 2.0 * jnp.eye(3))
    result = model(jnp.array([0.4, 1.0, 0.6]))
    assert result.scores[-1].argmax() == 1 and result.scores[-1].argmin() == 0
    # LIF with 4 x = 1.6, 4 and 2.4: v after k Euler steps is I (1 - .8^k); the first k with v >= 1.
    for i, current in enumerate((1.6, 4.0, 2.4)):
        k = next(k for k in range(1, 20) if current * (1 - 0.8**k) >= 1)
        # the output is kicked over its threshold at the end of step k, and fires in the next
        assert -2.0 * result.scores[-1][i] == pytest.approx(k)


def test_other_neurons_need_nothing_else():
    layers = [
        bpc.Layer(10 * jnp.eye(3), Izhikevich(), 3),
        bpc.Layer(0.3 * jnp.eye(3), leaky(), 3, bpc.synapses.Exponential(5.0), fires=False),
    ]
    model = Classifier(bpc.Layers(layers), steps=200, dt=0.25)
    solution = model(jnp.array([0.2, 1.5, 0.9]))
    assert solution.ok and solution.scores[-1].argmax() == 1 and float(solution.spikes[0]) > 3


@pytest.mark.slow
def test_many_steps_in_single_precision_are_no_failure():
    # 750 x 0.02 in single precision is not where 750 steps of 0.02 end.
    model = Classifier(one_layer(), CurrentCode(3.0), steps=750, dt=0.02)
    x = jnp.array([0.5, 0.9, 1.3])
    single, double = model(x.astype(jnp.float32)), model(x)
    assert single.ok and double.ok
    np.testing.assert_array_equal(single.spikes[0], double.spikes[0])
    np.testing.assert_allclose(
        single.scores[-1], double.scores[-1], rtol=0.05
    )  # a spike may be a step late


@pytest.mark.slow
def test_exact_and_stepped_modes_agree_as_steps_shrink():
    x, gaps = jnp.array([0.5, 0.9, 1.3]), []
    for refine in (4, 16, 64):
        model = Classifier(one_layer(tau=8.0), CurrentCode(3.0), steps=15 * refine, dt=1.0 / refine)
        exact = model(x, solver=bpc.OrderedSpikes()).scores[-1]
        gaps.append(float(jnp.abs(model(x).scores[-1] - exact).max()))
    # Each spike is up to a step late: first order, which is 4 from one to the next.
    assert gaps[1] < gaps[0] / 2 and gaps[2] < gaps[1] / 2


@pytest.mark.slow
def test_spikes_in_bins_drive_as_they_are_weighted():
    amounts = jnp.zeros((1, 6, 3)).at[0, 1, 2].set(2.0)
    model = Classifier(one_layer(), EventCode(), steps=6)
    solution = model(amounts)
    # Weight 1, 2 events: channel 2 is over its threshold at the end of bin 1, fires once in bin 2.
    assert float(solution.spikes[0][0]) == 1 and float(solution.inputs[0]) == 2
    assert solution.scores[-1, 0].argmax() == 2
    with pytest.raises(ValueError, match="events must be"):
        model(jnp.zeros((1, 5, 3)))


SPIKES = [RateCode(0.5), LatencyCode(bpc.encode.Linear(8.0)), DeltaCode(0.7)]


def named(value):
    return type(value).__name__


@pytest.mark.parametrize(
    "code",
    [CurrentCode(4.0), *(pytest.param(code, marks=pytest.mark.slow) for code in SPIKES)],
    ids=named,
)
def test_bad_images_are_bad_alone(code):
    x = jnp.array([[0.2, 0.9, 0.4], [jnp.nan, 0.9, 0.4], [-0.5, 0.9, 0.4], [200.0, 0.9, 0.4]])
    kind = type(code)
    good = {
        CurrentCode: [True, False, True, True],
        LatencyCode: [True, False, False, False],
    }.get(kind, [True, False, False, True])
    model, key = Classifier(one_layer(), code), jax.random.key(0)
    run = jax.jit(lambda x: model(x, key=key))
    solution = run(x)
    np.testing.assert_array_equal(solution.ok, good)
    for k, fine in enumerate(good):
        assert bool(jnp.isnan(solution.scores[:, k]).all()) is not fine
        assert bool(jnp.isnan(solution.spikes[0][k])) is not fine
    # The first image is answered as it is among images that are all good.
    others = run(jnp.where(jnp.array(good)[:, None], x, 0.1))
    np.testing.assert_array_equal(solution.scores[:, 0], others.scores[:, 0])
    with pytest.raises(ValueError, match="must be"):
        model(x, key=key)


@pytest.mark.slow
def test_a_loss_tells_of_a_bad_image_and_its_derivative_does_not_spoil_others():
    model = Classifier(one_layer(), CurrentCode(4.0))

    def loss(gain, x):
        answers = eqx.tree_at(lambda m: m.code.gain, model, gain)(x).scores[-1]
        return answers[0].sum(), answers.sum()

    x = jnp.array([[0.4, 0.9, 0.6], [jnp.inf, 0.9, 0.6]])
    (_, both), slope = jax.jit(jax.value_and_grad(loss, has_aux=True))(jnp.array(4.0), x)
    assert jnp.isnan(both)
    alone = jax.grad(lambda gain: loss(gain, x[:1])[0])(jnp.array(4.0))
    assert float(alone) != 0
    np.testing.assert_allclose(slope, alone, rtol=1e-12)


def test_a_solve_that_fails_has_no_scores():
    model = Classifier(one_layer())

    def run(bias, x):  # NaN is a bad parameter of the solve
        return eqx.tree_at(lambda m: m.layers.layers[0].bias, model, bias)(x)

    solution = jax.jit(run)(jnp.nan, jnp.ones((2, 3)))
    assert not solution.ok.any() and jnp.isnan(solution.scores).all()


@pytest.mark.slow
@pytest.mark.parametrize("code", [CurrentCode(0.5), *SPIKES], ids=named)
@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_whole_numbers_are_numbers(code, dtype):
    x = jnp.array([[0, 1, 1], [1, 0, 0]])
    model, key = Classifier(one_layer(), code, dt=0.9), jax.random.key(0)
    result, expected = (model(x.astype(d), key=key) for d in (dtype, float))
    np.testing.assert_array_equal(result.scores, expected.scores)
    if isinstance(code, CurrentCode):
        np.testing.assert_array_equal(code.drive(x.astype(dtype)), 0.5 * x)


@pytest.mark.slow
def test_spikes_after_the_last_step_are_refused():
    late = LatencyCode(bpc.encode.Linear(20.0))
    with pytest.raises(ValueError, match=r"until 20.0 ms, and 6 steps end at 6.0 ms"):
        Classifier(one_layer(), late, steps=6)
    with pytest.raises(ValueError, match="curve"):
        late.bins(jnp.ones(3), 6, 1.0, None)
    # Where the end is traced: no answer.
    model = Classifier(one_layer(), late, steps=20)
    result = jax.jit(lambda dt: eqx.tree_at(lambda m: m.dt, model, dt)(jnp.ones(3)))
    assert result(1.0).ok and not result(0.3).ok
    # 20 (1 - x) rounds to 20 ms, the end: the spike is in the last bin.
    np.testing.assert_array_equal(
        late.bins(jnp.array([1e-30]), 20, 1.0, None)[:, 0], [0] * 19 + [1]
    )


@pytest.mark.slow
def test_images_of_another_size_are_named():
    with pytest.raises(ValueError, match="does not take 4 spikes: it takes 3"):
        Classifier(one_layer())(jnp.ones((2, 4)))
    with pytest.raises(ValueError, match="does not take 4 spikes: it takes 3"):
        Classifier(one_layer(), RateCode())(jnp.ones((2, 4)), key=jax.random.key(0))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="counts spikes"):
        Classifier(one_layer(fires=False), readout=RateReadout())
    with pytest.raises(ValueError, match="steps must be"):
        Classifier(one_layer(), steps=0)
    with pytest.raises(ValueError, match="source"):
        Classifier(bpc.Layers(one_layer().layers, bpc.Bins(jnp.ones((3, 3)))))
    with pytest.raises(NotImplementedError, match="is a drive"):
        CurrentCode().bins(jnp.ones(3), 3, 1.0, None)
