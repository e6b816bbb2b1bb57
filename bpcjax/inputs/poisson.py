"""Poisson input: independent Poisson spikes, drawn as the solve goes."""

from typing import Any, ClassVar

import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .._require import key as one_key
from ..system import parameter
from .base import AbstractTrain, Landing

_SMALL = 30.0  # mean below which a search along the distribution is faster than rejection


def _by_inversion(key, mean: Float[Array, "..."]) -> Float[Array, "..."]:
    """Poisson counts by sequential search (Devroye 1986, ch. X.3.3)."""
    u = jax.random.uniform(key, mean.shape, mean.dtype)
    term = jnp.exp(-mean)

    def turn(carry):
        k, term, below, number = carry
        term = term * mean / k
        return k + 1, term, below + term, number + (u >= below)

    start = jnp.ones((), mean.dtype), term, term, jnp.zeros_like(mean)
    # Rounding may leave the sum below the largest u: no term is left to add then.
    return lax.while_loop(lambda c: ((u >= c[2]) & (c[2] + c[1] > c[2])).any(), turn, start)[3]


def poisson_counts(key: Key[Array, ""], mean: Float[Array, "..."]) -> Float[Array, "..."]:
    """Poisson-distributed counts of the given means; derivatives do not pass. Small means, as those
    of spikes in a step, cost a tenth of `jax.random.poisson`."""
    mean = lax.stop_gradient(mean)
    return lax.cond(
        mean.max() < _SMALL,
        lambda: _by_inversion(key, mean),
        lambda: jax.random.poisson(key, mean, mean.shape).astype(mean.dtype),
    )


class PoissonTrain(AbstractTrain):
    """Poisson input: Poisson spikes at `rates` [channels] (per ms), independent between channels
    and steps.

    The number in each step is drawn from `key` and the number of the step, counted from time 0, so
    no train is stored (this is the input of large balanced networks, 10 kHz a neuron), and a run
    that goes on has other draws. Only for `LocalSpikes` (which puts them in the middle of their
    step, so it is right in the mean and the variance) and `GridSpikes`; derivatives do not pass a
    draw. For spikes at exact times draw a train with `bpcjax.encode` and pass a `SpikeTrain`.

    **Raises:** `ValueError` if `rates` are not [channels], negative or NaN.
    """

    constant_steps: ClassVar[bool] = True
    rates: Float[Array, " channels"] = parameter(nonnegative=True)  # 1/ms
    key: Key[Array, ""] | Any  # pyright: ignore[reportGeneralTypeIssues]

    def __check_init__(self) -> None:
        one_key("PoissonTrain.key", self.key)
        if self.rates.ndim != 1:
            raise ValueError(f"rates must be [channels], got shape {self.rates.shape}.")

    @property
    def channels(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The number of independent channels of the train."""
        return self.rates.shape[0]

    def wait(self, t0, neurons, room):
        raise ValueError(
            "PoissonTrain is drawn step by step: OrderedSpikes cannot place its spikes. Pass "
            "LocalSpikes() or GridSpikes(), or a SpikeTrain drawn beforehand."
        )

    def due(self, state):
        raise NotImplementedError

    def take(self, state, t):
        raise NotImplementedError

    def begin(self, t0, neurons, room, dtype):
        return None

    def _draw(self, step, dtype):
        key = jax.random.fold_in(self.key, step.number)
        return poisson_counts(key, self.rates * step.span).astype(dtype)

    def land(self, state, step, places, spiked):
        number = self._draw(step, places.dtype)
        # Uniform in the step: the means of r and r^2 / 2 are h / 2 and h^2 / 6.
        h = step.span
        moments = number, 0.5 * h * number, h * h / 6 * number
        return Landing(moments, jnp.array(True)), state

    def open(self, state, step):
        return self._draw(step, jnp.result_type(step.span)), jnp.array(True), state
