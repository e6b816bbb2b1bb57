"""Clock of whole steps: the grid of a run, and the controllers that keep to it.

Step n of a run begins at `origin + n dt`, whatever its number: times are not summed up, so that
they do not drift, and a run that goes on has the steps of one that was not cut.
"""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from ..system import Scalar


class Clock(eqx.Module):
    """Grid of steps of a run: from number `first` to the end at `t1`, which is that of step `last`.

    Steps from number `whole` on are not whole: the run ends inside. `inside`: whether it may, or
    begins inside a step, whose events up to `horizon` after its start are on record already.
    `on_their_way`: the states of a cut run's inputs, one each.
    """

    origin: Scalar
    dt: Scalar
    t1: Scalar
    first: Int[Array, ""]
    whole: Int[Array, ""]
    last: Int[Array, ""]
    horizon: Scalar
    on_their_way: tuple[PyTree, ...] | None = None
    inside: bool = eqx.field(default=True, static=True)

    def time(self, step: Int[Array, ""]) -> Scalar:
        """The time at which a step of this number begins."""
        return self.origin + step.astype(self.dt.dtype) * self.dt

    def end(self, step: Int[Array, ""]) -> Scalar:
        """The time at which a step of this number ends, `t1` for the last."""
        return jnp.where(step + 1 >= self.last, self.t1, self.time(step + 1))

    @property
    def base(self) -> Int[Array, ""]:
        """The number of step 0, counted from time 0: what draws are made by."""
        return jnp.ceil(self.origin / self.dt - 1e-3).astype(jnp.int32)


def beyond(t1: Any) -> Scalar:
    """A time after `t1` that diffrax, which takes times within 100 units of the last place for
    one, tells from it. In single precision these are many steps after some seconds.
    """
    info = jnp.finfo(t1.dtype)
    return t1 + 256 * float(info.eps) * jnp.abs(t1) + 1e6 * float(info.tiny)


class GridSteps(dfx.AbstractStepSizeController):
    """Step size controller of constant steps on the grid of a clock.

    The solve is to be asked for up to `beyond(t1)`, and ends at `t1`.
    """

    clock: Clock

    def wrap(self, direction):
        return self

    def init(self, terms, t0, t1, y0, dt0, args, func, error_order):
        return self.clock.end(self.clock.first), self.clock.first

    def adapt_step_size(
        self, t0, t1, y0, y1_candidate, args, y_error, error_order, controller_state
    ):
        step = controller_state + 1
        over = step >= self.clock.last
        end = beyond(self.clock.t1)
        start = jnp.where(over, end, t1)
        stop = jnp.where(over, end, self.clock.end(step))
        return True, start, stop, False, step, dfx.RESULTS.successful


class AbstractStarting(eqx.Module):
    """Step size controller that knows its first step: diffrax need not be told it, and so does not
    check it by a call of the host, which would keep the program out of JAX's compilation cache."""

    controller: eqx.AbstractVar[dfx.AbstractStepSizeController]
    dt: eqx.AbstractVar[Scalar]

    def wrap(self, direction):
        return eqx.tree_at(lambda s: s.controller, self, self.controller.wrap(direction))

    def init(self, terms, t0, t1, y0, dt0, args, func, error_order):
        end, state = self.controller.init(terms, t0, t1, y0, self.dt, args, func, error_order)
        return end, (state, end - t0)

    def adapt_step_size(
        self, t0, t1, y0, y1_candidate, args, y_error, error_order, controller_state
    ):
        keep, start, end, jumped, state, result = self.controller.adapt_step_size(
            t0, t1, y0, y1_candidate, args, y_error, error_order, controller_state[0]
        )
        return keep, start, end, jumped, (state, end - start), result


class Starting(AbstractStarting, dfx.AbstractStepSizeController):
    """Step size controller without tolerances that starts with `dt`."""

    controller: dfx.AbstractStepSizeController
    dt: Scalar


class StartingAdaptive(AbstractStarting, dfx.AbstractAdaptiveStepSizeController):
    """Adaptive step size controller that starts with `dt`; implicit solvers read its tolerances."""

    controller: dfx.AbstractAdaptiveStepSizeController
    dt: Scalar

    @property
    def rtol(self):
        """Relative tolerance of the inner controller."""
        return self.controller.rtol

    @property
    def atol(self):
        """Absolute tolerance of the inner controller."""
        return self.controller.atol

    @property
    def norm(self):
        """Norm of the error in the inner controller."""
        return self.controller.norm


def starting(controller: dfx.AbstractStepSizeController, dt: Scalar) -> Any:
    """`controller` with its first step."""
    adaptive = isinstance(controller, dfx.AbstractAdaptiveStepSizeController)
    kind: Any = StartingAdaptive if adaptive else Starting
    return kind(controller, dt)
