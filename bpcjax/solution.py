"""Solution of a simulation: what `simulate` returns."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from .restart import Restart
from .spikes import Spikes
from .stepping import RESULTS


class Solution(eqx.Module):
    """Solution of a simulation: `ts` and `ys` as in diffrax, the record of spikes, and `result`.

    `final` is the state at the end; `restart` stands in the place of `y0` for the run that goes on
    from there. `interpolation` is there with `SaveAt(dense=True)`, `spikes` with `max_spikes`.
    """

    ts: PyTree[Float[Array, "..."]] | None
    ys: PyTree | None
    spikes: Spikes | None
    result: Any  # a RESULTS
    stats: dict[str, Any]
    final: PyTree
    restart: Restart
    interpolation: dfx.DenseInterpolation | None = None

    @property
    def ok(self) -> Bool[Array, ""]:
        """Whether the solve succeeded: a boolean, one a row under `vmap`."""
        return succeeded(self.result)

    def evaluate(self, t: Float[Array, ""]) -> PyTree:
        """The state at `t`, just after any event there.

        **Raises:** `ValueError` without `SaveAt(dense=True)`.
        """
        if self.interpolation is None:
            raise ValueError("saveat: dense output was not saved; pass SaveAt(dense=True).")
        return self.interpolation.evaluate(t, left=False)


def succeeded(result: Any) -> Bool[Array, ""]:
    """Whether a widened result is a success."""
    return (result == RESULTS.successful) | (result == RESULTS.event_occurred)


def is_finite(y: PyTree) -> Bool[Array, ""]:
    """Whether a state is free of NaN and infinities."""
    leaves = [x for x in jax.tree.leaves(y) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(x).all() for x in leaves]).all() if leaves else jnp.array(True)


def widened(base: Any, causes: list[tuple[Bool[Array, ""], Any]]) -> Any:
    """The widened result: the first cause that holds, else diffrax's own."""
    result = RESULTS.promote(base)
    for failed, cause in reversed(causes):
        result = RESULTS.where(failed, cause, result)
    return result
