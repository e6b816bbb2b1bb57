"""Spiking classifier: a code, layers of neurons, a readout."""

from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, Shaped

from ..._arrays import sized
from ..._require import floating, key as one_key
from ...inputs import Bins
from ...networks.layers import Layers
from ...simulate import simulate
from ...stepping import GridSpikes, Surrogate
from ...stepping.base import AbstractSpikes
from ...system import Module, parameter
from .codes import AbstractCode, CurrentCode
from .readouts import AbstractReadout, MembraneReadout


class Classified(NamedTuple):
    """Classification: the `scores` [steps, ..., classes] after each step, the last being the
    answer; how many `spikes` [...] each layer sent (and `inputs` before them, `None` for a
    current); `ok` [...].

    An input that is not `ok`, because it has no code or the solve failed, has NaN for all the
    rest: it is no answer, and what is made of it is NaN too. It leaves the others as they are.
    """

    scores: Float[Array, "steps ... classes"]
    spikes: tuple[Float[Array, "..."], ...]
    inputs: Float[Array, "..."] | None
    ok: Bool[Array, "..."]


class Classifier(Module):
    """Spiking classifier: `layers` with inputs in a `code` for `steps` steps of `dt`, and a
    `readout`.

    One solve for a whole batch. With `GridSpikes(spike=Surrogate(...))` (the default) its
    derivatives are those that learning takes; any other surrogate, inner solver or `OrderedSpikes`
    is passed to the call, and nothing else changes.

    **Raises:** `ValueError` if the readout does not fit the last layer or the code the steps, or
    for less than one step.
    """

    layers: Layers
    code: AbstractCode = eqx.field(default_factory=CurrentCode)
    readout: AbstractReadout = eqx.field(default_factory=MembraneReadout)
    steps: int = eqx.field(static=True, converter=sized("steps", 1), default=10)
    dt: Float[Array, ""] = parameter(1.0, positive=True)  # ms

    def __check_init__(self) -> None:
        super().__check_init__()
        if self.layers.source is not None:
            raise ValueError("layers: their source is what the code gives; leave it out.")
        self.readout.check(self.layers)
        self.code.check(self.steps, self.dt)

    def __call__(
        self,
        x: Shaped[Array, "... pre"],
        *,
        key: Key[Array, ""] | Any | None = None,
        solver: AbstractSpikes | None = None,
    ) -> Classified:
        """Scores of inputs [..., pre] (events: [..., steps, pre]); `key` for codes that draw.

        **Raises:** `ValueError` if inputs are not as many as the first layer takes, or if it is
        known that the code does not take their values (`ok` says it where they are traced).
        """
        whole = not jnp.issubdtype(getattr(x, "dtype", int), jnp.inexact)
        x = floating("x", x)
        x = x.astype(self.dt.dtype) if whole else x
        if not (x.ndim and x.size):
            raise ValueError(f"x must be inputs [..., pre], one or more, got shape {x.shape}.")
        try:
            self.layers.layers[0].check(x.shape[-1], "layers[0]")
        except ValueError as error:
            raise ValueError(f"x of shape {x.shape}: {error}") from error
        if key is not None:
            one_key("key", key)
        layers, drive, inputs = self.layers, self.code.drive(x), None
        dt = self.dt.astype(x.dtype)
        batch = x.shape[:-1]
        if drive is None:
            bins = self.code.bins(x, self.steps, dt, key)
            good = jnp.isfinite(bins).all((0, -1))
            bins = jnp.where(good[None, ..., None], bins, 0.0)
            batch, inputs = bins.shape[1:-1], bins.sum((0, -1))
            layers = Layers(layers.layers, Bins(layers.weighted(bins), dt))
        else:
            good = jnp.isfinite(drive).all(-1)
            drive = layers.weighted(jnp.where(good[..., None], drive, 0.0))
        y0 = jax.tree.map(lambda leaf: leaf.astype(x.dtype), layers.rest(batch))
        solve = GridSpikes(spike=Surrogate()) if solver is None else solver
        solution = simulate(
            layers,
            y0,
            drive,
            t1=self.steps * dt,
            dt=dt,
            solver=solve,
            saveat=dfx.SaveAt(
                subs=[
                    dfx.SubSaveAt(steps=True, fn=lambda t, y, args: self.readout.look(y)),
                    dfx.SubSaveAt(t1=True, fn=lambda t, y, args: y.counts),
                ]
            ),
            # A checkpoint at every step: the backward pass computes nothing twice.
            adjoint=dfx.RecursiveCheckpointAdjoint(checkpoints=self.steps),
            # Times in single precision may leave a last crumb of a step.
            max_steps=self.steps + 1,
            throw=False,
        )
        assert solution.ys is not None
        trace, counts = solution.ys
        ok = solution.ok & good
        scores = self.readout.scores(trace[: self.steps], dt)
        spikes = tuple(jnp.where(ok, of[-1].sum(-1), jnp.nan) for of in counts if of is not None)
        inputs = None if inputs is None else jnp.where(ok, inputs, jnp.nan)
        return Classified(jnp.where(ok[None, ..., None], scores, jnp.nan), spikes, inputs, ok)
