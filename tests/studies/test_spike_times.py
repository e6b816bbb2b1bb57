"""The study `spike_times`: closed forms of first spikes, silence that is said, what it learns."""

import dataclasses

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from experiments.common import InputError
from experiments.common.data import Split
from experiments.spike_times import STUDY, Config, summary
from experiments.spike_times.gradients import compare
from experiments.spike_times.networks import (
    FirstSpikes,
    Levels,
    Points,
    answers,
    init_network,
    solve_exactly,
)
from experiments.spike_times.tasks import yin_yang, yin_yang_class, yin_yang_splits
from experiments.spike_times.training import SpikeTimesConfig, examine, gradients_apart, loss, train
from figures import spike_times as figure

pytestmark = pytest.mark.study

TAU = 5.0


def chain(first, second, dt=0.5):
    """One input, one hidden neuron, one output."""
    weights = jnp.full((1, 1), first), jnp.full((1, 1), second)
    return FirstSpikes(*weights, jnp.zeros(2), TAU, 16.0, dt)


def chain_times(first, second, arrival):
    """A current w exp(-t / tau) / tau brings w (1 - exp(-t / tau)): threshold 1 at
    -tau log(1 - 1 / w); twice."""
    hidden = arrival - TAU * jnp.log(1 - 1 / first)
    return jnp.stack([hidden, hidden - TAU * jnp.log(1 - 1 / second)])


@pytest.mark.slow
def test_times_and_derivatives_are_those_of_the_closed_form():
    values = 2.3, 1.7, 0.9
    train_ = bpc.SpikeTrain(jnp.array([values[2]]), jnp.array([0]))

    def times(solver, dt):
        return lambda first, second: chain(first, second, dt)(train_, solver).times

    def both(run):
        def twice(first, second):
            result = run(first, second)
            return result, result

        slopes, result = jax.jit(jax.jacrev(twice, (0, 1), has_aux=True))(*values[:2])
        return result, jnp.stack(slopes)

    expected = both(lambda a, b: chain_times(a, b, values[2]))
    exact = both(times(bpc.OrderedSpikes(dfx.Tsit5()), 0.5))
    for a, b in zip(exact, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    errors = []
    for dt in (0.5, 0.125):
        local = both(times(None, dt))
        errors.append([float(jnp.abs(a - b).max()) for a, b in zip(local, expected, strict=True)])
    # Second order: a sixteenth for a quarter of the step.
    assert np.all(np.array(errors[1]) < 0.09 * np.array(errors[0])), errors


CODE = Levels(count=4, dark=0.2)
PIXELS = jnp.array([0.1, 0.2, 0.35, 0.55, 0.9, 1.0])


def test_brighter_pixels_come_first_and_dark_ones_never():
    # Levels of 0.2 from 1 down; 0.2 and less are dark.
    assert CODE.of(PIXELS).tolist() == [-1, -1, 3, 2, 0, 0]
    model = init_network(jax.random.key(0), (6, 3, 2), spikes=4, dt=0.5)
    train_ = CODE.train(model, PIXELS)
    assert train_.times[:4].tolist() == [0.5, 0.5, 1.5, 2.0]
    assert train_.neurons[:4].tolist() == [4, 5, 3, 2]
    amounts = CODE.weighted(model, PIXELS).bins.amounts
    np.testing.assert_allclose(amounts.sum(0), model.into[2:].sum(0), rtol=1e-12)
    np.testing.assert_allclose(amounts[2], model.into[3], rtol=1e-12)


@pytest.mark.slow
def test_pixels_in_bins_are_the_same_spikes_one_by_one():
    code, x = CODE, PIXELS
    model = init_network(jax.random.key(0), (6, 12, 3), spikes=4, t1=12.0, dt=0.125)
    local = jax.jit(lambda x: model(code.weighted(model, x)))(x)
    exact = solve_exactly(code, model, np.asarray(x)[None])
    assert local.fired.sum() >= 10
    np.testing.assert_array_equal(local.fired, exact.fired[0])
    # The step squared over a time constant is 0.003 ms.
    np.testing.assert_allclose(local.times, exact.times[0], atol=0.02)


@pytest.mark.slow
def test_silence_is_counted_and_has_a_way_back():
    code, config = Points(4.0), SpikeTimesConfig()
    model = chain(0.9, 2.0)  # never to threshold, by the closed form
    x = jnp.zeros((2, 1))
    labels = jnp.zeros(2, int)

    @jax.jit
    def both(model, x):
        return jax.grad(loss(config, code), has_aux=True)(model, x, labels, None), answers(code)(
            model, x
        )

    (slope, metrics), answer = both(model, x)
    assert not answer.fired.any() and (answer.times == model.t1).all()
    metrics = {key: float(value) for key, value in metrics.items()}
    assert metrics["unanswered"] == metrics["silent_right"] == metrics["silent_hidden"] == 1
    assert metrics["accuracy"] == 0  # although the only output would be the right one
    # The hidden neuron ends at w (1 - exp(-16 / 5)): the loss falls with w, by its mean of one.
    assert float(slope.into[0, 0]) == pytest.approx(-(1 - np.exp(-16 / TAU)), rel=1e-2)
    shown = examine(model, code, Split(np.zeros((2, 1)), np.zeros(2, int), 1))
    assert shown["unanswered"] == 2 and shown["confusion"].tolist() == [[0, 2]]
    assert shown["never"] == 1 and shown["silent_outputs"] == 1


def test_yin_and_yang_are_turned_into_each_other():
    x, labels = yin_yang(3000, 0)
    np.testing.assert_array_equal(yin_yang_class(x), labels)
    turned = yin_yang_class(1 - x)
    np.testing.assert_array_equal(turned, np.where(labels == 2, 2, 1 - labels))
    assert np.all(np.hypot(*(x - 0.5).T) <= 0.5)
    # A third each: 5 standard deviations of a binomial share are 0.043.
    assert np.abs(np.bincount(labels) / len(labels) - 1 / 3).max() < 0.043
    named = np.array([[0.25, 0.5], [0.75, 0.5], [0.5, 0.9], [0.5, 0.1]])
    assert yin_yang_class(named).tolist() == [2, 2, 1, 0]
    parts = yin_yang_splits(50, 50)
    assert not np.array_equal(parts[1].x, parts[2].x)


@pytest.mark.slow
def test_gradients_of_both_solvers_are_differences():
    derivatives = compare(2)
    assert (derivatives["differences"] < 1e-6).all()
    # In one direction of many, spikes and arrivals share a step: first order in it.
    assert derivatives["apart"] < 0.3


@pytest.mark.slow
def test_gradients_near_those_of_the_true_flow_as_steps_shrink():
    _, test, _ = yin_yang_splits(1, 8)
    config, far = SpikeTimesConfig(silent_hidden=0.1, tau=0.25), []
    for dt in (0.5, 0.125):
        model = init_network(jax.random.key(0), (4, 12, 3), spikes=4, spread=(1.5, 1.0), dt=dt)
        gradients = gradients_apart(model, Points(10.0), config, test)
        far.append(gradients["between"])
        assert gradients["cosine"] > 0.9
    # First order where an arrival and a spike share a step: a quarter; second order elsewhere.
    assert far[1] < 0.5 * far[0] < 0.25, far


@pytest.mark.slow
def test_a_rate_that_diverges_names_epoch_and_weights():
    train_set, _, _ = yin_yang_splits(64, 32)
    model = init_network(jax.random.key(0), (4, 10, 3), spikes=4, t1=6.0, dt=1.0)
    config = SpikeTimesConfig(epochs=2, batch=16, rate=1e3)
    with pytest.raises(InputError, match=r"epoch [12]: .*(into|out|bias).*smaller rate"):
        train(model, Points(4.0), train_set, config)


@pytest.mark.slow
def test_the_study_runs_and_learns(tmp_path):
    config = dataclasses.replace(
        Config(), data="digits", epochs=5, hidden=60, rate=5e-3, batch=32, shift=0, points=600,
        point_epochs=2, point_seeds=1, or_seeds=2, directions=1, exact=4, out=str(tmp_path),
    )  # fmt: skip
    dataset = STUDY(config)
    metrics = summary(dataset)
    assert metrics["derivative against differences, LocalSpikes"] < 1e-6
    assert metrics["exclusive or: seeds that solve it"] == 2
    assert metrics["digits: accuracy (%)"] > 80  # a tenth is chance
    assert metrics["yin-yang: accuracy (%)"] > 50  # a third is chance
    assert metrics["digits: same answers event by event (%)"] >= 75
    counted = dataset.images_confusion.values[..., -1].sum()
    assert counted == metrics["digits: inputs without answer"]
    assert len(figure.draw(dataset).axes) >= 6
