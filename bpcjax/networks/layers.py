"""Layered networks of spiking neurons, one layer feeding the next, as in classifiers."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .._arrays import sized
from .._require import counts, sequence
from ..inputs import AbstractInput
from ..system import AbstractSpikingSystem, Module, parameter
from .synapses import AbstractSynapse, Delta
from .weights import AbstractWeights, Dense, as_weights


def _as_optional(weights: Any) -> Callable | None:
    return None if weights is None else as_weights("recurrent")(weights)


def _each(weights: Callable, x: Float[Array, "... pre"]) -> Float[Array, "... post"]:
    """The map of one sample, over any axes before the last."""
    if isinstance(weights, Dense):
        return x @ weights.weights.astype(x.dtype)
    whole = jax.vmap(weights)(x.reshape(-1, x.shape[-1]))
    return whole.reshape(*x.shape[:-1], -1)


class Layer(Module):
    """Layer: `size` neurons of one kind, and how the layer below (or the input) reaches them.

    `weights`: a matrix [pre, size], one of `bpcjax.connect`, or any linear callable of one
    sample's spikes, through `synapse`; `recurrent` the same from the layer itself; `bias` is a
    constant current. Weights are in the synapse's unit. A layer that does not fire (`fires=False`)
    integrates what it gets, and its membrane is there to be read.

    **Raises:** `ValueError` if the parts do not fit together.
    """

    weights: Callable = eqx.field(converter=as_weights("weights"))
    neuron: AbstractSpikingSystem
    size: int = eqx.field(converter=sized("size", 1), static=True)
    synapse: AbstractSynapse = eqx.field(default_factory=Delta)
    recurrent: Callable | None = eqx.field(default=None, converter=_as_optional)
    bias: Float[Array, "*size"] = parameter(0.0)
    fires: bool = eqx.field(default=True, static=True)

    def __check_init__(self) -> None:
        super().__check_init__()
        if self.bias.shape not in ((), (self.size,)):
            raise ValueError(f"bias must be [{self.size}], got shape {self.bias.shape}.")
        for name, weights, rows in (("weights", self.weights, None), ("recurrent", self.recurrent,
                                                                      self.size)):  # fmt: skip
            if isinstance(weights, AbstractWeights):
                pre, post = weights.shape()
                if post not in (None, self.size) or (rows and pre not in (None, rows)):
                    raise ValueError(
                        f"{name} or size: weights of shape [{pre}, {post}] for {self.size} neurons."
                    )
        if self.recurrent is not None and not self.fires:
            raise ValueError("recurrent: a layer that does not fire sends itself nothing.")

    def check(self, sources: int | None, name: str) -> None:
        """Raise `ValueError` if weights do not take `sources` spikes or give not one a neuron."""
        for what, weights, pre in (
            ("weights", self.weights, sources),
            ("recurrent", self.recurrent, self.size),
        ):
            if weights is None or pre is None:
                continue
            rows = weights.shape()[0] if isinstance(weights, AbstractWeights) else None
            if rows not in (None, pre):
                raise ValueError(f"{name}.{what} does not take {pre} spikes: it takes {rows}.")
            try:
                shape = jax.eval_shape(lambda w=weights, n=pre: w(jnp.zeros(n))).shape
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name}.{what} does not take {pre} spikes: {error}") from error
            if shape != (self.size,):
                raise ValueError(
                    f"{name}.{what} gives shape {shape}: it needs one entry for each of "
                    f"{self.size} neurons."
                )

    def current(self, neuron: PyTree, synapse: PyTree) -> Float[Array, "..."]:
        """Input current of the neurons: that of the synapse plus the bias."""
        v = self.neuron.potential(neuron)
        synaptic, bias = self.synapse.current(synapse, v), jnp.broadcast_to(self.bias, v.shape)
        return bias if synaptic is None else bias + synaptic

    def received(self, neuron: PyTree, weighted: Float[Array, "..."] | None, synapse: PyTree):
        """Increments of the states of the neurons and of the synapse by weighted spikes."""
        if weighted is None:
            return jax.tree.map(jnp.zeros_like, (neuron, synapse))
        jump = self.synapse.jump(weighted)
        pushed = None if jump is None else self.neuron.push(neuron, jump)
        still = jax.tree.map(jnp.zeros_like, neuron)
        return still if pushed is None else pushed, self.synapse.kick(weighted)


class LayersState(NamedTuple):
    """State of layers, by layer: the `neurons`' states, those of their `synapses`, and the spikes
    of each neuron so far (`counts`; `None` for a layer that does not fire)."""

    neurons: tuple[PyTree, ...]
    synapses: tuple[PyTree, ...]
    counts: tuple[Float[Array, "..."] | None, ...]


class Layers(AbstractSpikingSystem):
    """Layered network: layers one above the other, each with its own kind of neuron; itself a
    spiking system.

    `args` is a current into the first layer: `drive(x)` of a constant input, so that its weights
    are applied once and not at every step. Or spikes come from a `source`, an input whose arrivals
    are weighted already. States and drives may carry any axes before that of the neurons: a batch
    is one solve, which is faster than a `vmap` of solves.

    For `GridSpikes` and `OrderedSpikes` (not for `LocalSpikes`, which wants one population).

    **Raises:** `ValueError` if layers do not fit together.
    """

    layers: tuple[Layer, ...]
    source: AbstractInput | None = None

    def __init__(self, layers: Sequence[Layer], source: AbstractInput | None = None):
        self.layers, self.source = sequence("layers", layers, Layer, least=1), source
        if not any(layer.fires for layer in self.layers):
            raise ValueError("layers: none of them fires.")
        first = self.layers[0].weights
        below = first.shape()[0] if isinstance(first, AbstractWeights) else None
        for k, layer in enumerate(self.layers):
            layer.check(below, f"layers[{k}]")
            if layer.neuron.inputs():
                raise ValueError(
                    f"layers[{k}].neuron has sources of events of its own, which Layers does not "
                    "take: pass them as a projection of a Network."
                )
            if not layer.fires and k + 1 < len(self.layers):
                raise ValueError(f"layers[{k}] does not fire: it must be the last one.")
            below = layer.size

    def rest(self, shape: tuple[int, ...] = ()) -> LayersState:
        """The state at rest of all layers, for a batch of the given shape."""
        shape = counts("shape", shape, least=0)
        parts = [(layer, (*shape, layer.size)) for layer in self.layers]
        return LayersState(
            tuple(layer.neuron.rest(own) for layer, own in parts),
            tuple(layer.synapse.rest(own) for layer, own in parts),
            tuple(jnp.zeros(own) if layer.fires else None for layer, own in parts),
        )

    def weighted(self, x: Float[Array, "... pre"]) -> Float[Array, "... post"]:
        """Weighted input: the first layer's weights applied to inputs, or to spikes from outside.

        **Raises:** `ValueError` if these are not as many as the weights take.
        """
        self.layers[0].check(x.shape[-1], "layers[0]")
        return _each(self.layers[0].weights, x)

    def _each_layer(self, y: LayersState, args: PyTree):
        """Each layer with its state and its drive."""
        for k, (layer, own, synapse) in enumerate(
            zip(self.layers, y.neurons, y.synapses, strict=True)
        ):
            current = layer.current(own, synapse)
            yield layer, own, current if k or args is None else current + args

    def vector_field(self, t, y, args):
        neurons = tuple(
            layer.neuron.vector_field(t, own, drive)
            for layer, own, drive in self._each_layer(y, args)
        )
        synapses = tuple(
            layer.synapse.vector_field(t, s)
            for layer, s in zip(self.layers, y.synapses, strict=True)
        )
        return LayersState(neurons, synapses, jax.tree.map(jnp.zeros_like, y.counts))

    def guard(self, t, y, args):
        return jnp.concatenate(
            [
                layer.neuron.guard(t, own, drive)
                for layer, own, drive in self._each_layer(y, args)
                if layer.fires
            ],
            axis=-1,
        )

    def _split(self, marks: Array) -> list[Array | None]:
        """Marks of all neurons that fire, by layer."""
        parts, begin = [], 0
        for layer in self.layers:
            end = begin + layer.size if layer.fires else begin
            parts.append(marks[..., begin:end] if layer.fires else None)
            begin = end
        return parts

    def reset(self, t, y, args, fired):
        neurons = tuple(
            own if mark is None else layer.neuron.reset(t, own, drive, mark)
            for (layer, own, drive), mark in zip(
                self._each_layer(y, args), self._split(fired), strict=True
            )
        )
        return LayersState(neurons, y.synapses, y.counts)

    def emits(self, y, fired):
        marks = [
            layer.neuron.emits(own, mark)
            for layer, own, mark in zip(self.layers, y.neurons, self._split(fired), strict=True)
            if mark is not None
        ]
        return jnp.concatenate(marks, axis=-1)

    def noise(self, t, y, args):
        noises = [layer.neuron.noise(t, own, drive) for layer, own, drive in
                  self._each_layer(y, args)]  # fmt: skip
        if all(noise is None for noise in noises):
            return None
        still = jax.tree.map(jnp.zeros_like, y)
        neurons = (
            zero if noise is None else noise
            for zero, noise in zip(still.neurons, noises, strict=True)
        )
        return still._replace(neurons=tuple(neurons))

    def kick(self, t, y, args, spikes):
        parts, inputs, kicks = self._split(spikes), [], []
        for k, (layer, own, drive) in enumerate(self._each_layer(y, args)):
            below, mark = parts[k - 1] if k else None, parts[k]
            sums = [] if below is None else [_each(layer.weights, below)]
            if layer.recurrent is not None and mark is not None:
                sums.append(_each(layer.recurrent, mark))
            inputs.append(sum(sums[1:], start=sums[0]) if sums else None)
            kicks.append(None if mark is None else layer.neuron.kick(t, own, drive, mark))
        received = self._received(y, inputs, tuple(parts))
        neurons = (
            own if kick is None else jax.tree.map(jnp.add, own, kick)
            for own, kick in zip(received.neurons, kicks, strict=True)
        )
        return received._replace(neurons=tuple(neurons))

    def whole_steps(self, y, h):
        pairs = zip(self.layers, y.neurons, strict=True)
        return y._replace(neurons=tuple(layer.neuron.whole_steps(own, h) for layer, own in pairs))

    def inputs(self):
        return () if self.source is None else (self.source,)

    def arrive(self, t, y, args, arrivals):
        inputs = [arrivals[0], *(None for _ in self.layers[1:])]
        return self._received(y, inputs, jax.tree.map(jnp.zeros_like, y.counts))

    def _received(self, y: LayersState, inputs, counts) -> LayersState:
        pairs = [
            layer.received(own, weighted, synapse)
            for layer, own, weighted, synapse in zip(
                self.layers, y.neurons, inputs, y.synapses, strict=True
            )
        ]
        neurons, synapses = zip(*pairs, strict=True)
        return LayersState(neurons, synapses, counts)
