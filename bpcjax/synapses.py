"""Synapses: what a spike leaves at its targets, and the current that it makes."""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .system import Time, check_parameters, parameter


class AbstractSynapse(eqx.Module):
    """The lumped synapse of a postsynaptic population: a state that weighted spikes kick."""

    def __check_init__(self) -> None:
        check_parameters(self)

    @abstractmethod
    def rest(self, shape: tuple[int, ...]) -> PyTree:
        """The state with no spike yet, one entry per postsynaptic neuron."""

    @abstractmethod
    def vector_field(self, t: Time, s: PyTree) -> PyTree:
        """The rate of change of the state."""

    @abstractmethod
    def kick(self, weighted: Float[Array, "*n"]) -> PyTree:
        """What weighted spikes add to the state, linear in them."""

    @abstractmethod
    def current(self, s: PyTree, v: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """The current (pA) into neurons at potential `v` (mV)."""


class Exponential(AbstractSynapse):
    """A current that jumps by the weight (pA) at a spike and decays with `tau` (ms)."""

    tau: Float[Array, "*n"] = parameter(5.0, positive=True)  # ms

    def rest(self, shape):
        return jnp.zeros(shape)

    def vector_field(self, t, s):
        return -s / self.tau

    def kick(self, weighted):
        return weighted

    def current(self, s, v):
        return s
