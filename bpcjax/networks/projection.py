"""Projection: from whom, through which weights and synapse, with which delay, to whom."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._arrays import sized
from ..inputs import AbstractInput, AbstractTrain, Late
from ..system import Module, parameter
from .synapses import AbstractSynapse
from .weights import AbstractWeights, as_weights


class Span(eqx.Module):
    """Slice of a population, neurons `start` to `stop` (static and hashable)."""

    start: int = eqx.field(converter=sized("start"), static=True)
    stop: int = eqx.field(converter=sized("stop"), static=True)

    def of(self, x: Array) -> Array:
        """The slice of an array with the neurons on its first axis."""
        return x[self.start : self.stop]


def _as_span(part: Any) -> Span | None:
    if part is None or isinstance(part, Span):
        return part
    if not isinstance(part, slice) or part.step not in (None, 1):
        raise ValueError(f"pre and post must be slices without a step, or None, got {part!r}.")
    if part.stop is None or part.stop < 0 or (part.start or 0) < 0:
        raise ValueError(f"pre and post need both ends, counted from the front, got {part!r}.")
    if part.stop <= (part.start or 0):
        raise ValueError(f"pre and post must have neurons in them, got {part!r}.")
    return Span(part.start or 0, part.stop)


def _as_source(pre: Any) -> Any:
    return pre if isinstance(pre, AbstractTrain) else _as_span(pre)


class Projection(Module):
    """Projection: spikes of `pre` reach `post` through `weights` and `synapse`, after `delay`.

    `weights`: a matrix [pre, post], one of `bpcjax.connect`, or any linear callable of the spikes,
    in the synapse's unit (pA for a current, nS for a conductance, mV for `Delta`). `pre`: a slice
    of the population, or an external source (`SpikeTrain`, `PoissonTrain`); `post`: a slice;
    `None` is everybody. `delay` (ms): one for all, `[pre, 1]`, or one for each connection (a
    matrix like the weights).

    **Raises:** `ValueError` if the parts do not fit together.
    """

    weights: Callable = eqx.field(converter=as_weights("weights"))
    synapse: AbstractSynapse
    delay: Float[Array, "..."] | None = parameter(nonnegative=True, optional=True)  # ms
    pre: Any = eqx.field(default=None, converter=_as_source)
    post: Any = eqx.field(default=None, converter=_as_span)

    def __check_init__(self) -> None:
        super().__check_init__()
        if self.delay is None:
            return
        if isinstance(self.pre, AbstractTrain):
            raise ValueError("delay: add it to the times of an external train instead.")
        parts = self._parts()
        shape = self.delay.shape
        if shape and (len(shape) != 2 or shape[1] not in (1, parts)):
            each = f", or one for each connection, [pre, {parts}]" if parts else ""
            raise ValueError(f"delay must be a number, or [pre, 1]{each}, got shape {shape}.")

    def _parts(self) -> int | None:
        return self.weights.parts() if isinstance(self.weights, AbstractWeights) else None

    def source(self) -> AbstractInput | None:
        """Source of the spikes, if they are not from the population at once, else `None`."""
        if isinstance(self.pre, AbstractTrain):
            return self.pre
        if self.delay is None:
            return None
        return Late(self.delay, None if self.pre is None else (self.pre.start, self.pre.stop))

    def ends(self, size: int) -> tuple[int, int]:
        """The numbers of sources and targets in a population of `size`."""
        pre, post = self.pre, self.post
        sources = pre.channels if isinstance(pre, AbstractTrain) else _length(pre, size)
        return sources, _length(post, size)

    def check(self, size: int, name: str) -> None:
        """Raise `ValueError` if the weights or delays do not fit a population of `size`."""
        for part in (self.pre, self.post):
            if isinstance(part, Span) and part.stop > size:
                raise ValueError(f"{name}: {part} goes beyond the population of {size} neurons.")
        ends = self.ends(size)
        if isinstance(self.weights, AbstractWeights):
            got = self.weights.shape()
            if any(g not in (None, w) for g, w in zip(got, ends, strict=True)):
                raise ValueError(f"{name}.weights has shape {got}: it needs [pre, post] = {ends}.")
        try:
            result = jax.eval_shape(lambda: self.weights(jnp.zeros(ends[0])))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}.weights does not take {ends[0]} spikes: {error}") from error
        if result.shape != ends[1:]:
            raise ValueError(
                f"{name}.weights gives shape {result.shape} for {ends[0]} spikes: it needs one "
                f"for each of {ends[1]} targets."
            )
        if self.delay is not None and self.delay.ndim and self.delay.shape[0] not in (1, ends[0]):
            raise ValueError(
                f"{name}.delay has shape {self.delay.shape}: it needs a row for each of "
                f"{ends[0]} sources."
            )

    def spread(self, spikes: Float[Array, " all"]) -> Float[Array, " all"]:
        """Weighted spikes at all neurons, from spikes of the population or arrivals of an external
        source."""
        own = self.pre.of(spikes) if isinstance(self.pre, Span) else spikes
        return self._placed(self.weights(own), spikes.shape[0])

    def deliver(self, arrivals: Float[Array, "..."], size: int) -> Float[Array, " all"]:
        """Weighted arrivals of a delayed or external projection, at a population of `size`."""
        if arrivals.ndim == 1:
            return self._placed(self.weights(arrivals), size)
        if arrivals.shape[1] == 1:
            return self._placed(self.weights(arrivals[:, 0]), size)
        assert isinstance(self.weights, AbstractWeights)
        return self._placed(self.weights.spread_parts(arrivals), size)

    def _placed(self, values: Float[Array, " post"], size: int) -> Float[Array, " all"]:
        if self.post is None:
            return values
        return jnp.zeros(size, values.dtype).at[self.post.start : self.post.stop].set(values)


def _length(part: Span | None, size: int) -> int:
    return size if part is None else part.stop - part.start
