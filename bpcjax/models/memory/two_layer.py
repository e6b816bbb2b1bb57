"""Two-layer associative memory of Krotov & Hopfield, for any two Lagrangians."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..._require import function, number
from ...energies.base import as_bias, as_patterns, as_state
from ...energies.hopfield.lagrangians import Lagrangian, activation, layer_energy
from ...system import AbstractSystem, Scalar, as_parameter, parameter


class TwoLayerState(NamedTuple):
    """State of a two-layer memory: internal states of visible neurons `v` and of hidden neurons
    `h`, one a memory."""

    v: Float[Array, " N"]
    h: Float[Array, " P"]


class TwoLayerHopfield(AbstractSystem):
    """Two-layer associative memory: `tau_v v' = X.T f - v + I`, `tau_h h' = X g - h + a`, with `g =
    grad L_v`, `f = grad L_h`.

    `X` [P, N] are the patterns, `visible` and `hidden` the Lagrangians (`bpcjax.energies`), `I`
    the `inputs` [N], to which `args`, if not `None`, is added; `a` the `bias` [P]. Any convex
    Lagrangians give the Lyapunov function `energy` (Krotov & Hopfield 2021, arXiv:2008.06996).
    With the quadratic and log-sum-exp it is `ModernHopfield` as `tau_h` falls to 0.

    **Raises:** `ValueError` naming the argument whose shape or range does not fit.
    """

    visible: Lagrangian
    hidden: Lagrangian
    patterns: Float[Array, "P N"] = parameter()
    tau_v: Float[Array, ""] = parameter(positive=True)  # in the unit of time
    tau_h: Float[Array, ""] = parameter(positive=True)  # in the unit of time
    inputs: Float[Array, " N"] = parameter()
    bias: Float[Array, " P"] = parameter()

    def __init__(
        self,
        patterns: ArrayLike,
        visible: Lagrangian,
        hidden: Lagrangian,
        tau_v: ArrayLike = 1.0,
        tau_h: ArrayLike = 0.1,
        inputs: ArrayLike | None = None,
        bias: ArrayLike | None = None,
    ):
        for name, value in (("visible", visible), ("hidden", hidden)):
            function(name, value, "a Lagrangian, a function of a layer")
        self.visible, self.hidden = visible, hidden
        self.patterns = as_patterns(patterns)
        count, size = self.patterns.shape
        self.tau_v, self.tau_h = number("tau_v", tau_v), number("tau_h", tau_h)
        dtype = self.patterns.dtype
        self.inputs = jnp.zeros(size, dtype) if inputs is None else as_parameter(inputs, "inputs")
        if self.inputs.shape != (size,):
            raise ValueError(
                f"inputs must have shape ({size},), as patterns have it, got {self.inputs.shape}."
            )
        self.bias = as_bias(bias, count, dtype)

    def _inputs(self, args: Float[Array, " N"] | None) -> Float[Array, " N"]:
        return self.inputs if args is None else self.inputs + args

    def start(self, query: Float[Array, " N"]) -> TwoLayerState:
        """Initial state: the query [N] on the visible layer, with the hidden layer in equilibrium.

        **Raises:** `ValueError` if the query does not have the patterns' length.
        """
        query = as_state(query, self.inputs.shape, "query")
        v = query.astype(self.patterns.dtype)
        return TwoLayerState(v, self.patterns @ activation(self.visible, v) + self.bias)

    def vector_field(self, t, y, args):
        g, f = activation(self.visible, y.v), activation(self.hidden, y.h)
        dv = (f @ self.patterns - y.v + self._inputs(args)) / self.tau_v
        return TwoLayerState(dv, (self.patterns @ g - y.h + self.bias) / self.tau_h)

    def terms(
        self, state: TwoLayerState, args: Float[Array, " N"] | None = None
    ) -> dict[str, Scalar]:
        """Terms of the Lyapunov function, by name, which sum to it."""
        g, f = activation(self.visible, state.v), activation(self.hidden, state.h)
        return {
            "visible": layer_energy(self.visible, state.v) - self._inputs(args) @ g,
            "hidden": layer_energy(self.hidden, state.h) - self.bias @ f,
            "synapses": -f @ (self.patterns @ g),
        }

    def energy(self, state: TwoLayerState, args: Float[Array, " N"] | None = None) -> Scalar:
        """Lyapunov function `E(v, h)`: along the flow `dE/dt = -tau_v v' H_v v' - tau_h h' H_h h'`,
        the Hessians of the Lagrangians between, and so never positive."""
        return sum(self.terms(state, args).values(), start=jnp.zeros(()))

    def effective_energy(
        self, v: Float[Array, " N"], args: Float[Array, " N"] | None = None
    ) -> Scalar:
        """Effective energy of the visible layer, with the hidden one in equilibrium, `h = X g +
        a`."""
        g = activation(self.visible, v)
        hidden = self.hidden(self.patterns @ g + self.bias)
        return layer_energy(self.visible, v) - self._inputs(args) @ g - hidden
