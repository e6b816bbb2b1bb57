"""Layers of neurons against a hand-written network, its derivative, and the flat network."""

import dataclasses

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate2d

import bpcjax as bpc
from bpcjax.neurons import LIF, Izhikevich
from bpcjax.stepping import arctan, fast_sigmoid
from bpcjax.synapses import Delta, Exponential
from theory.closed_forms import stepped_layers

TAU, DT, STEPS = 5.0, 1.0, 20


def plain(tau=TAU):
    return LIF(c=tau, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)


def chain(sizes, key, fires=False, **kwargs):
    """Weights between layers of these sizes, and the network; the first layer takes currents."""
    weights = [
        1.5 * jax.random.normal(jax.random.fold_in(key, k), (n, m)) / n**0.5
        for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False))
    ]
    layers = [bpc.Layer(jnp.eye(sizes[0]), plain(), sizes[0])]
    for k, w in enumerate(weights):
        layers.append(
            bpc.Layer(w, plain(), w.shape[1], fires=fires or k + 1 < len(weights), **kwargs)
        )
    return weights, bpc.Layers(layers)


def potentials(network, drive, spike=None, steps=STEPS):
    solution = bpc.simulate(
        network,
        network.rest(drive.shape[:-1]),
        drive,
        t1=steps * DT,
        dt=DT,
        solver=bpc.GridSpikes(spike=bpc.Surrogate() if spike is None else spike),
        saveat=dfx.SaveAt(steps=True, fn=lambda t, y, args: (y.neurons[-1].v, y.counts)),
        throw=False,
    )
    v, counts = solution.ys
    return v[:steps], counts


@pytest.mark.slow
def test_steps_and_counts_are_those_of_the_written_out_network():
    weights, network = chain((6, 8, 5, 3), jax.random.key(0))
    drive = jax.random.uniform(jax.random.key(1), (6,), minval=0.5, maxval=4.0)
    v, counts = potentials(network, drive)
    expected, kept = stepped_layers.forward(
        np.asarray(drive), list(map(np.asarray, weights)), TAU, STEPS, DT
    )
    np.testing.assert_allclose(v, expected, atol=1e-13)
    for k, of in enumerate(counts[:-1]):
        total = np.sum([spikes[k] for spikes, _ in kept], axis=0)
        assert total.sum() > 10
        np.testing.assert_array_equal(of[STEPS - 1], total)


@pytest.mark.parametrize(
    "shape, rate", [(fast_sigmoid, lambda x: 1 / (1 + abs(x)) ** 2),
                    pytest.param(arctan, lambda x: 1 / (1 + (np.pi * x / 2) ** 2),
                                 marks=pytest.mark.slow)],
)  # fmt: skip
def test_derivatives_are_backpropagation_through_time(shape, rate):
    weights, network = chain((6, 8, 5, 3), jax.random.key(2))
    drive = jax.random.uniform(jax.random.key(3), (6,), minval=0.5, maxval=4.0)
    slope = np.random.default_rng(0).normal(size=(STEPS, 3))
    spike = bpc.Surrogate(slope=2.0, height=0.7, shape=shape)

    def loss(drive, weights):
        layers = [network.layers[0]] + [
            dataclasses.replace(layer, weights=w)
            for layer, w in zip(network.layers[1:], weights, strict=True)
        ]
        return (slope * potentials(bpc.Layers(layers), drive, spike)[0]).sum()

    result = jax.grad(loss, (0, 1))(drive, weights)
    _, kept = stepped_layers.forward(
        np.asarray(drive), list(map(np.asarray, weights)), TAU, STEPS, DT
    )
    by_drive, by_weights = stepped_layers.backward(
        slope, kept, [np.asarray(w) for w in weights], TAU, DT, lambda g: 0.7 * rate(2.0 * g)
    )
    np.testing.assert_allclose(result[0], by_drive, rtol=1e-10, atol=1e-12)
    for a, b in zip(result[1], by_weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_a_batch_is_as_one_after_another():
    _, network = chain((5, 7, 4), jax.random.key(4), synapse=Exponential(3.0))
    drive = jax.random.uniform(jax.random.key(5), (3, 2, 5), minval=0.5, maxval=4.0)
    whole = potentials(network, drive)[0]
    for i in range(3):
        for j in range(2):
            np.testing.assert_allclose(
                whole[:, i, j], potentials(network, drive[i, j])[0], atol=1e-13
            )


@pytest.mark.slow
def test_in_exact_mode_they_are_the_flat_network():
    # The same neurons as one population with projections: times agree to rounding.
    sizes = (4, 6, 3)
    n = sum(sizes)
    keys = jax.random.split(jax.random.key(6), 3)
    w1, w2 = (
        jax.random.uniform(k, shape, minval=-1.0, maxval=2.0)
        for k, shape in zip(keys, ((4, 6), (6, 3)), strict=False)
    )
    own = 0.3 * jax.random.normal(keys[2], (6, 6))
    synapse = Exponential(4.0)
    layered = bpc.Layers(
        [
            bpc.Layer(jnp.eye(4), plain(), 4),
            bpc.Layer(w1, plain(), 6, synapse, recurrent=own, bias=0.3 * jnp.ones(6)),
            bpc.Layer(w2, plain(), 3, synapse),
        ]
    )
    a, b, c = slice(0, 4), slice(4, 10), slice(10, 13)
    flat = bpc.Network(
        plain(),
        [
            bpc.Projection(w1, synapse, pre=a, post=b),
            bpc.Projection(own, synapse, pre=b, post=b),
            bpc.Projection(w2, synapse, pre=b, post=c),
        ],
    )
    drive = jnp.array([1.3, 1.7, 2.1, 2.9])
    both = jnp.concatenate([drive, 0.3 * jnp.ones(6), jnp.zeros(3)])
    solve = dict(t1=20.0, dt=0.05, max_spikes=1000)
    one = bpc.simulate(layered, layered.rest(), drive, **solve).spikes
    other = bpc.simulate(flat, flat.rest(n), both, **solve).spikes
    assert int(one.count) == int(other.count) > 40
    assert len(set(np.asarray(one.neurons[: one.count]))) > 8
    np.testing.assert_allclose(one.times, other.times, atol=1e-9)
    np.testing.assert_array_equal(one.neurons, other.neurons)


@pytest.mark.slow
def test_layers_may_be_of_different_neurons():
    # The Izhikevich layer alone, its spikes a train to the leaky layer alone: the same spikes.
    below = Izhikevich()
    weights = jnp.array([[30.0, 8.0], [10.0, 25.0]])
    leaky = LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    layered = bpc.Layers(
        [bpc.Layer(jnp.eye(2), below, 2), bpc.Layer(weights / 3, leaky, 2, Exponential(5.0))]
    )
    drive, solve = jnp.array([8.0, 11.0]), dict(t1=100.0, dt=0.02, max_spikes=100)
    solution = bpc.simulate(layered, layered.rest(), drive, **solve).spikes
    first = bpc.simulate(below, below.rest((2,)), drive, **solve).spikes
    train = bpc.SpikeTrain(first.times, first.neurons, channels=2)
    then = bpc.Network(leaky, [bpc.Projection(weights / 3, Exponential(5.0), pre=train)])
    second = bpc.simulate(then, then.rest(2), **solve).spikes
    for layer, spikes in ((0, first), (2, second)):
        for k in range(2):
            times = np.asarray(solution.times)[np.asarray(solution.neurons) == layer + k]
            expected = np.asarray(spikes.times)[np.asarray(spikes.neurons) == k]
            assert len(times) == len(expected) > 2
            np.testing.assert_allclose(times, expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [bpc.GridSpikes(), bpc.OrderedSpikes(dfx.Euler())])
def test_bins_arrive_at_their_ends(solver):
    # v jumps by what arrives and decays in Euler steps: v_k = sum_j a_j (1 - dt / tau)^(k - j).
    amounts = jnp.array([[0.2], [0.0], [0.5], [0.0], [0.1]])
    network = bpc.Layers([bpc.Layer(jnp.eye(1), plain(), 1, Delta())], source=bpc.Bins(amounts, DT))
    ts = jnp.arange(1.0, 8.0)
    solution = bpc.simulate(
        network,
        network.rest(),
        t1=7.0,
        dt=DT,
        solver=solver,
        saveat=dfx.SaveAt(ts=ts, fn=lambda t, y, args: y.neurons[0].v),
    )
    decay = 1 - DT / TAU
    expected = [
        sum(float(a) * decay ** (k - j) for j, a in enumerate(amounts[:, 0]) if j <= k)
        for k in range(7)
    ]
    np.testing.assert_allclose(solution.ys[:, 0], expected, atol=1e-12)


def test_bins_of_another_step_are_no_silent_loss():
    network = bpc.Layers(
        [bpc.Layer(jnp.eye(1), plain(), 1)], source=bpc.Bins(jnp.ones((4, 1)), 1.0)
    )
    solution = bpc.simulate(
        network, network.rest(), t1=4.0, dt=0.5, solver=bpc.GridSpikes(), throw=False
    )
    assert not solution.ok


@pytest.mark.slow
def test_convolutions_and_pools_are_linear_maps():
    kernel = jax.random.normal(jax.random.key(7), (2, 1, 3, 3))
    conv = bpc.connect.Convolution(kernel, (6, 6))
    network = bpc.Layers(
        [
            bpc.Layer(conv, plain(), 32),
            bpc.Layer(jnp.ones((32, 2)) / 8, plain(), 2, fires=False),
        ]
    )
    x = jax.random.uniform(jax.random.key(8), (4, 36))
    maps = np.asarray(x).reshape(4, 6, 6)
    expected = [
        [correlate2d(image, window, mode="valid") for window in np.asarray(kernel[:, 0])]
        for image in maps
    ]
    weighted = np.reshape(expected, (4, 32))
    np.testing.assert_allclose(network.weighted(x), weighted, atol=1e-14)
    # The written-out network, which the map drives as any other current.
    v, counts = potentials(network, 6 * network.weighted(x))
    for k in range(4):
        result, kept = stepped_layers.forward(
            6 * weighted[k], [np.ones((32, 2)) / 8], TAU, STEPS, DT
        )
        np.testing.assert_allclose(v[:, k], result, atol=1e-12)
        total = np.sum([spikes[0] for spikes, _ in kept], axis=0)
        assert total.sum() > 10
        np.testing.assert_array_equal(counts[0][STEPS - 1, k], total)


def test_bad_input_is_named():
    eye = jnp.eye(3)
    with pytest.raises(ValueError, match="layers: there must be 1 at least"):
        bpc.Layers([])
    with pytest.raises(ValueError, match=r"layers\[1\].weights"):
        bpc.Layers([bpc.Layer(eye, plain(), 3), bpc.Layer(jnp.eye(4), plain(), 4)])
    with pytest.raises(ValueError, match=r"layers\[0\] does not fire"):
        bpc.Layers([bpc.Layer(eye, plain(), 3, fires=False), bpc.Layer(eye, plain(), 3)])
    with pytest.raises(ValueError, match="bias must be"):
        bpc.Layer(eye, plain(), 3, bias=jnp.zeros(2))
    with pytest.raises(ValueError, match="recurrent"):
        bpc.Layer(eye, plain(), 3, recurrent=eye, fires=False)
    with pytest.raises(ValueError, match="amounts"):
        bpc.Bins(jnp.zeros((0, 3)))
    with pytest.raises(ValueError, match="none of them fires"):
        bpc.Layers([bpc.Layer(eye, plain(), 3, fires=False)])


def test_the_first_layer_fits_its_weights_and_its_inputs():
    with pytest.raises(ValueError, match="weights or size: .* 3 neurons"):
        bpc.Layers([bpc.Layer(jnp.ones((4, 5)), plain(), 3)])
    network = bpc.Layers([bpc.Layer(jnp.ones((4, 3)), plain(), 3)])
    with pytest.raises(ValueError, match=r"layers\[0\].weights does not take 5 spikes: it takes 4"):
        network.weighted(jnp.ones((2, 5)))
    # Any callable: what it says itself is passed on.
    called = bpc.Layers([bpc.Layer(lambda x: jnp.ones((3, 4)) @ x, plain(), 3)])
    with pytest.raises(ValueError, match=r"layers\[0\].weights does not take 5 spikes"):
        called.weighted(jnp.ones((2, 5)))


def test_parameters_are_leaves():
    _, network = chain((3, 4, 2), jax.random.key(9))
    leaves = jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))
    assert any(leaf.shape == (3, 4) for leaf in leaves)
