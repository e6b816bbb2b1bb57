"""Network: a population of neurons, and projections between them. It is itself a spiking system."""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from .._require import count, sequence
from ..system import AbstractSpikingSystem, Cut
from .projection import Projection


class NetworkState(NamedTuple):
    """State of a network: the neurons' state, and one state per projection's synapse (`None`
    without projections).

    `way` is `Cut()` in a state out of a run with delays, whose spikes on their way are not in it.
    """

    neurons: PyTree
    synapses: tuple[PyTree, ...] | None
    way: Cut | None = None


class Network(AbstractSpikingSystem):
    """Network: a population with projections among itself and from outside.

    `args` is an external current (pA), `None` for none. Populations of one kind lie one after
    another on the last axis, with parameters one per neuron; projections name them by slices.
    """

    neurons: AbstractSpikingSystem
    projections: tuple[Projection, ...] = eqx.field(converter=tuple)

    def __init__(self, neurons: AbstractSpikingSystem, projections: Sequence[Projection] = ()):
        self.neurons = neurons
        self.projections = sequence("projections", projections, Projection)

    def rest(self, size: int) -> NetworkState:
        """`size` neurons at rest with silent synapses.

        **Raises:** `ValueError` if a projection does not fit.
        """
        size = count("size", size, 1)
        for index, projection in enumerate(self.projections):
            projection.check(size, f"projections[{index}]")
        synapses = tuple(p.synapse.rest((size,)) for p in self.projections)
        return NetworkState(self.neurons.rest((size,)), synapses or None)

    def _pairs(self, y: NetworkState):
        return zip(self.projections, y.synapses or (), strict=True)

    def _input(self, y: NetworkState, args: PyTree) -> PyTree:
        v = self.potential(y)
        currents = [p.synapse.current(s, v) for p, s in self._pairs(y)]
        start = jnp.zeros((), v.dtype) if args is None else args
        return sum((c for c in currents if c is not None), start=start)

    def potential(self, y):
        return self.neurons.potential(y.neurons)

    def vector_field(self, t, y, args):
        neurons = self.neurons.vector_field(t, y.neurons, self._input(y, args))
        synapses = tuple(p.synapse.vector_field(t, s) for p, s in self._pairs(y))
        return NetworkState(neurons, synapses or None)

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
        inputs = [p.spread(spikes) if p.source() is None else None for p in self.projections]
        if own is None and all(x is None for x in inputs):
            return None
        return self._received(y, inputs, own)

    def _sources(self):
        """Where each projection's spikes come from, if not from the population at once."""
        return [p.source() for p in self.projections]

    def inputs(self):
        own = tuple(self.neurons.inputs())
        return (*own, *(source for source in self._sources() if source is not None))

    def arrive(self, t, y, args, arrivals):
        size, sources = self.potential(y).shape[-1], self._sources()
        count = len(arrivals) - sum(source is not None for source in sources)
        own, left = tuple(arrivals[:count]), list(arrivals[count:])
        inputs = [
            None if source is None else projection.deliver(left.pop(0), size)
            for projection, source in zip(self.projections, sources, strict=True)
        ]
        if own:
            own = self.neurons.arrive(t, y.neurons, self._input(y, args), own)
        return self._received(y, inputs, own if count else None)

    def whole_steps(self, y, h):
        return y._replace(neurons=self.neurons.whole_steps(y.neurons, h))

    def mark_cut(self, y):
        late = any(source.delays is not None for source in self.inputs())
        return y._replace(neurons=self.neurons.mark_cut(y.neurons), way=Cut() if late else y.way)

    def _received(self, y: NetworkState, inputs, own) -> NetworkState:
        """Increment of the state by weighted spikes, for each projection."""
        total = jax.tree.map(jnp.zeros_like, y.neurons) if own is None else own
        synapses = []
        for (projection, state), weighted in zip(self._pairs(y), inputs, strict=True):
            if weighted is None:
                synapses.append(jax.tree.map(jnp.zeros_like, state))
                continue
            synapses.append(projection.synapse.kick(weighted))
            jump = projection.synapse.jump(weighted)
            if jump is not None:
                pushed = self.neurons.push(y.neurons, jump)
                total = jax.tree.map(lambda a, b: a + b, total, pushed)
        return NetworkState(total, tuple(synapses) or None)

    def emits(self, y, fired):
        return self.neurons.emits(y.neurons, fired)
