"""Direct and latency coding: a number for each channel as a current, or as the time of a spike."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._require import floating, function, number, require
from .spikes import Spikes, fit, padded


def current(
    values: Float[ArrayLike, "*n"], low: ArrayLike = 0.0, high: ArrayLike = 1.0
) -> Float[Array, "*n"]:
    """Direct coding: values in 0..1 as a constant drive from `low` to `high` (pA).

    For a drive that varies, pass `simulate` a function of time, such as
    `diffrax.LinearInterpolation(ts, current(signal, low, high)).evaluate`.
    """
    low, high = floating("low", low), floating("high", high)
    return low + (high - low) * floating("values", values)


def _positive(name: str) -> Callable[[Any], Array]:
    """Converter of a field that holds positive numbers."""
    return lambda value: floating(name, value, above=0)


class Charging(eqx.Module):
    """Latency curve of a leaky membrane driven by x: the time tau ln(x / (x - threshold)) at which
    it reaches its threshold, and never for x up to the threshold. Exactly an integrate-and-fire
    neuron's."""

    tau: Float[Array, "*n"] = eqx.field(default=20.0, converter=_positive("tau"))  # ms
    threshold: Float[Array, "*n"] = eqx.field(default=0.2, converter=_positive("threshold"))  # of x

    def __call__(self, values: Float[Array, "*n"]) -> Float[Array, "*n"]:
        reached = values > self.threshold
        safe = jnp.where(reached, values, 2 * self.threshold)  # keeps NaN out of derivatives
        return jnp.where(reached, -self.tau * jnp.log1p(-self.threshold / safe), jnp.inf)


class Linear(eqx.Module):
    """Linear latency curve, the time span * (1 - x): 1 spikes at once, more than 0 before `span`, 0
    never."""

    span: Float[Array, "*n"] = eqx.field(default=20.0, converter=_positive("span"))  # ms

    def __call__(self, values: Float[Array, "*n"]) -> Float[Array, "*n"]:
        good = require(
            (values >= 0) & (values <= 1), "values must be in 0..1 for Linear; rescale them."
        )
        times = jnp.where(values > 0, self.span * (1 - values), jnp.inf)
        return jnp.where(good, times, jnp.nan)


def latency(
    values: Float[ArrayLike, "*n"],
    curve: Callable[[Float[Array, " n"]], Float[Array, " n"]] | None = None,
    *,
    t0: ArrayLike = 0.0,
) -> Spikes:
    """Latency coding: at most one spike a channel, at `t0 + curve(value)` (ms).

    Larger values spike earlier. `curve` is `Charging()` by default, `Linear()`, or any function to
    times, `inf` for never. Channels are places in `values` in C order; the room is their number.
    Times carry derivatives with respect to values and the curve's parameters.

    **Raises:** `ValueError` if a value is NaN (under a transformation: times are NaN).
    """
    start, values = number("t0", t0, finite=True), floating("values", values).ravel()
    if curve is not None:
        function("curve", curve)
    good = require(~jnp.isnan(values), "values must not be NaN.")
    times = (Charging() if curve is None else curve)(values)
    good = good & ~jnp.isnan(times).any()
    spikes = padded(start + times, jnp.arange(values.size))
    return fit(spikes, good, "")
