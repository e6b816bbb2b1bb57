"""A network: neurons, and projections between them. It is itself a spiking system."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree, Shaped

from .synapses import AbstractSynapse
from .system import AbstractSpikingSystem, as_parameter

Weights = Shaped[ArrayLike, "..."] | Callable[[Float[Array, " pre"]], Float[Array, " post"]]


def _as_weights(weights: Weights) -> Weights:
    return weights if callable(weights) else as_parameter(weights)


class Projection(eqx.Module):
    """Weights from each neuron (row) to each (column), or a linear callable of the spikes, and
    the synapse that carries them; `weights` in the synapse's unit (pA for a current).
    """

    weights: Weights = eqx.field(converter=_as_weights)
    synapse: AbstractSynapse

    def __check_init__(self) -> None:
        if not callable(self.weights) and jnp.ndim(self.weights) != 2:
            shape = jnp.shape(self.weights)
            raise ValueError(f"weights must be a matrix [pre, post] or a callable, got {shape}.")

    def spread(self, spikes: Float[Array, " pre"]) -> Float[Array, " post"]:
        """The weighted sum of the spikes at each target."""
        return self.weights(spikes) if callable(self.weights) else spikes @ self.weights


class NetworkState(NamedTuple):
    """The neurons' state, and one state per projection's synapse."""

    neurons: PyTree
    synapses: tuple[PyTree, ...]


class Network(AbstractSpikingSystem):
    """A population with recurrent projections; `args` is an external current (pA)."""

    neurons: AbstractSpikingSystem
    projections: tuple[Projection, ...] = eqx.field(converter=tuple)

    def __init__(self, neurons: AbstractSpikingSystem, projections: Sequence[Projection] = ()):
        self.neurons = neurons
        self.projections = tuple(projections)

    def rest(self, size: int) -> NetworkState:
        """`size` neurons at rest with silent synapses.

        **Raises:** `ValueError` if a weight matrix is not `[size, size]`.
        """
        for index, projection in enumerate(self.projections):
            shape = None if callable(projection.weights) else jnp.shape(projection.weights)
            if shape not in (None, (size, size)):
                raise ValueError(
                    f"projections[{index}].weights has shape {shape}: {size} neurons need "
                    f"[pre, post] = {(size, size)}."
                )
        synapses = tuple(p.synapse.rest((size,)) for p in self.projections)
        return NetworkState(self.neurons.rest((size,)), synapses)

    def _input(self, y: NetworkState, args: PyTree) -> PyTree:
        if isinstance(y.neurons, dict):
            raise ValueError("neurons: their state is a dict; use a NamedTuple, potential first.")
        v = jax.tree.leaves(y.neurons)[0]
        pairs = zip(self.projections, y.synapses, strict=True)
        return sum((p.synapse.current(s, v) for p, s in pairs), start=args)

    def vector_field(self, t, y, args):
        neurons = self.neurons.vector_field(t, y.neurons, self._input(y, args))
        pairs = zip(self.projections, y.synapses, strict=True)
        return NetworkState(neurons, tuple(p.synapse.vector_field(t, s) for p, s in pairs))

    def noise(self, t, y, args):
        noise = self.neurons.noise(t, y.neurons, self._input(y, args))
        if noise is None:
            return None
        return NetworkState(noise, jax.tree.map(jnp.zeros_like, y.synapses))

    def guard(self, t, y, args):
        return self.neurons.guard(t, y.neurons, self._input(y, args))

    def reset(self, t, y, args, fired):
        neurons = self.neurons.reset(t, y.neurons, self._input(y, args), fired)
        return NetworkState(neurons, y.synapses)

    def kick(self, t, y, args, spikes):
        own = self.neurons.kick(t, y.neurons, self._input(y, args), spikes)
        if own is None and not self.projections:
            return None
        own = jax.tree.map(jnp.zeros_like, y.neurons) if own is None else own
        return NetworkState(own, tuple(p.synapse.kick(p.spread(spikes)) for p in self.projections))

    def emits(self, y, fired):
        return self.neurons.emits(y.neurons, fired)
