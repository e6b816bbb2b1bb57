"""The study `autoencode`: images are drawn better than by no learning, codes are spike counts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import autoencode as study, classify
from experiments.autoencode.work import (
    AutoencoderConfig,
    axes,
    errors,
    reconstruct,
    spikes_of_code,
    train,
)
from experiments.common import InputError
from experiments.common.classifier_training import surrogate
from experiments.common.classifiers import dense, leaky
from experiments.common.data import splits
from experiments.common.linear_readouts import components
from experiments.common.relu_networks import relu
from figures import autoencode as figure

pytestmark = pytest.mark.study

SMALL = study.Config(
    data="digits", inner=(16,), epochs=8, steps=4, prices=(), batch=32, seeds=1, rate_numbers=1e-2
)
SIZES = 64, 12, 64


def digits(count=320):
    return [np.asarray(s.x, np.float32).reshape(len(s.x), -1)[:count] for s in splits("digits")]


def network(steps=3):
    return dense(jax.random.key(0), SIZES, steps=steps, neuron=leaky(10.0))


def test_errors_of_numbers_are_those_of_numpy():
    x, _ = digits(20)
    model = relu(jax.random.key(0), SIZES)
    images = 1 / (1 + np.exp(-np.asarray(model(jnp.asarray(x)), float)))
    np.testing.assert_allclose(errors(model, x), [np.square(images - x).mean()], rtol=1e-5)


def test_principal_axes_lose_what_the_spectrum_says():
    x, test = (each.astype(float) for each in digits())
    mean, along = axes(x, 7)
    left = np.square(mean + (test - mean) @ along @ along.T - test).sum(1).mean()
    np.testing.assert_allclose(left, components(x, test, [7])[0], rtol=1e-10)


def test_unknown_data_are_named(tmp_path):
    with pytest.raises(InputError, match="'letters' is unknown"):
        study.STUDY(dataclasses.replace(SMALL, data="letters", out=str(tmp_path)))


@pytest.mark.slow
def test_the_code_is_the_count_of_spikes_that_reach_the_picture():
    x, _ = digits(6)
    model = network()
    counts = spikes_of_code(model, x, 0)
    result = model(jnp.asarray(x), solver=surrogate())
    np.testing.assert_array_equal(counts[:, -1].sum(1), result.spikes[0])
    assert counts[:, -1].sum() > 0 and (np.diff(counts, axis=1) >= 0).all()
    assert reconstruct(model, jnp.asarray(x)).shape == (3, 6, 64)


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_a_rate_that_diverges_is_named(tmp_path):
    x, test = digits()
    config = AutoencoderConfig(2, 32, 1e-2)
    whole = train(network(), x, test, config)
    train(network(), x, test, config, folder=tmp_path, stop_after=1)
    rest = train(network(), x, test, config, folder=tmp_path)
    for a, b in zip(jax.tree.leaves(whole.model), jax.tree.leaves(rest.model), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(whole.history["mse"], rest.history["mse"])
    with pytest.raises(InputError, match=r"epoch 1: .*Pass a smaller rate"):
        train(network(), x * 1e38, test, config)


@pytest.mark.slow
def test_the_study_small(tmp_path):
    config = dataclasses.replace(SMALL, out=str(tmp_path), prices=(1e-2,))
    dataset = study.STUDY(config)
    metrics = study.summary(dataset)
    # The mean image is what a network draws that knows nothing of the image before it.
    assert metrics["spikes: MSE"] < 0.6 * metrics["mean image: MSE"]
    assert metrics["spikes: MSE"] < 0.5 * metrics["spikes, untrained: MSE"]
    assert metrics["numbers: MSE"] < 0.8 * metrics["mean image: MSE"]
    assert metrics["spikes: linear readout of the code (%)"] > 50  # a tenth is chance
    assert metrics["spikes: macs"] == 64 * 16 and metrics["numbers: macs"] == 2 * 64 * 16
    assert metrics["spikes: synaptic"] == pytest.approx(64 * metrics["spikes: spikes an image"])
    assert metrics["spikes at 0.01: spikes an image"] < 0.8 * metrics["spikes: spikes an image"]
    last = dataset.fixed_by_step.isel(seed=0, moment=-1)
    assert float(last) == pytest.approx(float(dataset.mse.sel(network="spikes").isel(seed=0)))
    figure.draw(dataset)


def test_the_command_of_a_picture_names_what_was_changed():
    config = study.Config(data_dir="where", inner=(64, 16, 64), out="elsewhere")
    command = "python -m experiments.autoencode --gallery --data-dir FOLDER --inner 64 16 64"
    assert study.STUDY.command(config) == command
    other = classify.Config(others=False)
    assert classify.STUDY.command(other).endswith("--gallery --no-others")
