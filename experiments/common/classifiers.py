"""Spiking classifiers: layers of leaky neurons, dense, recurrent or convolutional."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

import bpcjax as bpc
from bpcjax.models import AbstractCode, AbstractReadout, Classifier, CurrentCode, MembraneReadout

from .precision import single

TAU = 5.0  # ms, of the membranes


def leaky(tau: float = TAU) -> bpc.neurons.LIF:
    """A leaky neuron without dimensions: rest 0, threshold 1, reset to 0."""
    return bpc.neurons.LIF(c=tau, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)


def _weights(key, n: int, m: int, scale: float):
    return scale * math.sqrt(2 / n) * jax.random.normal(key, (n, m), jnp.float32)


def dense(
    key,
    sizes: Sequence[int],
    *,
    steps: int = 10,
    code: AbstractCode | None = None,
    readout: AbstractReadout | None = None,
    neuron: Any = None,
    recurrent: bool = False,
    entry: float = 1.0,
) -> Classifier:
    """A chain of dense layers of the given sizes, the last of which integrates (or fires, where
    the readout counts spikes); `entry` scales the weights of the first."""
    readout = MembraneReadout(3.0) if readout is None else readout
    fires = not isinstance(readout, MembraneReadout)
    layers = []
    for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False)):
        last = k + 2 == len(sizes)
        layer_key = jax.random.fold_in(key, k)
        back = jax.random.normal(jax.random.fold_in(layer_key, 1), (m, m), jnp.float32)
        back = back / (5 * m**0.5)
        layers.append(
            bpc.Layer(
                _weights(layer_key, n, m, 0.5 if k else entry),
                leaky() if neuron is None else neuron,
                m,
                recurrent=back if recurrent and not last else None,
                bias=jnp.zeros(m),
                fires=not last or fires,
            )
        )
    code = CurrentCode(4.0) if code is None else code
    return single(Classifier(bpc.Layers(layers), code, readout, steps))


def convolutional(
    key, extent: tuple[int, int], maps: Sequence[int], classes: int, *, steps: int = 10
) -> Classifier:
    """Convolutions of 5 x 5 with stride 2, of spikes, and a dense readout of what they send."""
    layers, n, size = [], 1, extent
    for k, m in enumerate(maps):
        layer_key = jax.random.fold_in(key, k)
        kernel = jax.random.normal(layer_key, (m, n, 5, 5), jnp.float32)
        kernel = (1.0 if k == 0 else 0.5) * math.sqrt(2 / (25 * n)) * kernel
        map_ = bpc.connect.Convolution(kernel, size, 2)
        width = map_.shape()[1]
        assert width is not None
        layers.append(bpc.Layer(map_, leaky(), width, bias=jnp.zeros(())))
        n, size = m, tuple((s - 5) // 2 + 1 for s in size)
    weights = _weights(jax.random.fold_in(key, 99), n * math.prod(size), classes, 0.5)
    layers.append(bpc.Layer(weights, leaky(), classes, bias=jnp.zeros(classes), fires=False))
    return single(Classifier(bpc.Layers(layers), CurrentCode(4.0), MembraneReadout(3.0), steps))


def trainable(model: Classifier) -> Any:
    """Mask of trainable leaves: true for weights and biases, not for the neurons' parameters."""
    mask = jax.tree.map(lambda leaf: False, model)
    return eqx.tree_at(
        lambda m: m.layers.layers, mask, tuple(map(_trainable_layer, model.layers.layers))
    )


def _trainable_layer(layer: bpc.Layer) -> Any:
    def parts(layer: bpc.Layer):
        return layer.weights, layer.bias, layer.recurrent

    marks = jax.tree.map(eqx.is_inexact_array, parts(layer))
    mask = jax.tree.map(lambda leaf: False, layer)
    return eqx.tree_at(parts, mask, marks, is_leaf=lambda leaf: leaf is None)
