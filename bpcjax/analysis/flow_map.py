"""Flow map: the state after a span of time, as a function of one vector, with its derivative.

It is `simulate` itself: through spikes the derivative is exact, because each event's time carries
its own.
"""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float, PyTree

from .._require import instance
from ..simulate import simulate
from ..stepping import OrderedSpikes
from ..system import AbstractSpikingSystem, AbstractSystem
from ._flow import Flow, Vector, as_floats, flow_of, ravel


class FlowMap(eqx.Module):
    """Flow map over a span of time, in so many steps of a solver."""

    flow: Flow
    solver: Any
    steps: int = eqx.field(static=True)

    def __call__(self, x: Vector, t0: Any, span: Any) -> tuple[Vector, Bool[Array, ""]]:
        """The state `span` after `t0`, and whether the solve succeeded."""
        solution = simulate(
            self.flow.system,
            self.flow.layout.unravel(x),
            self.flow.args,
            t0=t0,
            t1=t0 + span,
            dt=span / self.steps,
            solver=self.solver,
            adjoint=dfx.ForwardMode(),
            max_steps=self.steps + 2,
            throw=False,
        )
        return self.flow.layout.ravel(jax.tree.map(lambda x: x[-1], solution.ys)), solution.ok

    def along(
        self, x: Vector, t0: Any, span: Any, directions: Float[Array, "n k"]
    ) -> tuple[Vector, Float[Array, "n k"], Bool[Array, ""]]:
        """The state [n] `span` after `t0`, and the tangent map applied to `directions`
        (columns)."""

        def push(direction):
            return jax.jvp(lambda x: self(x, t0, span), (x,), (direction,), has_aux=True)

        return jax.vmap(push, in_axes=1, out_axes=(None, 1, None))(directions)


def check_solver(system: AbstractSystem, solver: Any) -> None:
    """Raise `ValueError` unless derivatives of states through this system's spikes are exact."""
    if solver is not None:
        instance("solver", solver, dfx.AbstractSolver)
    if not isinstance(system, AbstractSpikingSystem):
        return
    if solver is not None and not isinstance(solver, OrderedSpikes):
        raise ValueError(
            f"solver: {type(solver).__name__} does not take spikes in their order, and its "
            "derivatives are wrong where they come together. Pass OrderedSpikes(...)."
        )
    if any(source.delays is not None for source in system.inputs()):
        raise ValueError(
            "system: spikes on their way through a delay are no part of the state, so its "
            "derivatives lack them. Leave the delays out."
        )


def check_noiseless(system: AbstractSystem, flow: Flow, y: PyTree) -> None:
    """Raise `ValueError` if a system has noise, which no derivative of its flow knows."""
    if jax.eval_shape(lambda: flow.system.noise(flow.t, y, flow.args)) is not None:
        raise ValueError(
            f"system: {type(system).__name__} has noise; its exponents, cycles and maps are those "
            "of the flow without it. Pass that one."
        )


def map_of(
    system: AbstractSystem, y0: PyTree, args: PyTree, solver: Any, steps: int, name: str = "y0"
) -> tuple[FlowMap, Vector]:
    """Flow map of a system, and its start as a vector.

    **Raises:** `ValueError` for noise, for delays, for a solver whose derivatives through spikes
    are not exact, and if state, drive and vector field do not fit together.
    """
    flow = flow_of(system, y0, args, 0.0, name)
    y0 = as_floats(y0, name)
    check_solver(system, solver)
    check_noiseless(system, flow, y0)
    return FlowMap(flow, solver, steps), ravel(y0)
