"""Wrappers of any neuron: a refractory period, or stochastic spikes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from .._instant import rounding
from ..system import AbstractKeyed, AbstractSpikingSystem, parameter
from ..views import AbstractView


class AbstractAroundNeuron(AbstractView):
    """Wrapper of a neuron, whose state is the field `neuron` of its own."""

    neuron: eqx.AbstractVar[AbstractSpikingSystem]

    @property
    def inner(self) -> AbstractSpikingSystem:
        """The wrapped neuron, to which hooks are forwarded."""
        return self.neuron

    def down(self, y):
        return y.neuron

    def put(self, y, inner):
        return y._replace(neuron=inner)


class RefractoryState(NamedTuple):
    """State of a refractory neuron: that of the wrapped neuron, its mode (`active`: 1, held: 0),
    and the `clock` (ms left)."""

    neuron: PyTree
    active: Float[Array, "*n"]
    clock: Float[Array, "*n"]


class Refractory(AbstractAroundNeuron):
    """Refractory period: the neuron's first state leaf (the potential) is held for `duration` after
    each spike.

    Its other variables go on; an `EscapeRate` neuron gathers no hazard meanwhile. The end of the
    period is an event like a spike, so both ends fall at their true times; it is not reported as
    a spike. The neuron is held in `[t, t + duration)`: what arrives at the end counts.
    """

    neuron: AbstractSpikingSystem
    duration: Float[Array, "*n"] = parameter(nonnegative=True)  # ms

    def rest(self, shape: tuple[int, ...] = ()) -> RefractoryState:
        """The wrapped neuron at rest, active, with no time left on its clock."""
        return RefractoryState(self.neuron.rest(shape), jnp.ones(shape), jnp.zeros(shape))

    def vector_field(self, t, y, args):
        rate = self.neuron.hold(self.neuron.vector_field(t, y.neuron, args), y.active)
        return RefractoryState(rate, jnp.zeros_like(y.active), y.active - 1)

    def guard(self, t, y, args):
        return jnp.where(y.active > 0.5, self.neuron.guard(t, y.neuron, args), -y.clock)

    def reset(self, t, y, args, fired):
        own = fired & (y.active > 0.5)
        spiked = own & self.neuron.emits(y.neuron, own)  # other events of the neuron hold nobody
        neuron = self.neuron.reset(t, y.neuron, args, own)
        released = fired & ~own
        active = jnp.where(released, 1.0, jnp.where(spiked, 0.0, y.active))
        hold = jnp.where(spiked, self.duration, 0.0)
        clock = jnp.where(released | spiked, hold, y.clock)
        return RefractoryState(neuron, active, clock)

    def emits(self, y, fired):
        return self.neuron.emits(y.neuron, fired) & (y.active > 0.5)

    def clocks(self, y, h):
        steps = y.clock / h
        whole = jnp.round(jax.lax.stop_gradient(steps))
        close = jnp.abs(steps - whole) <= 8 * rounding(whole + 1)
        clock = jnp.where(close, y.clock + jax.lax.stop_gradient(whole * h - y.clock), y.clock)
        return RefractoryState(y.neuron, y.active, clock)

    def up(self, y: RefractoryState, change: PyTree) -> RefractoryState:
        # nothing happens to the potential of a held one
        still = jnp.zeros_like(y.active)
        return RefractoryState(self.neuron.hold(change, y.active), still, still)


class EscapeState(NamedTuple):
    """State of an escape-rate neuron: that of the wrapped neuron, its hazard integrated since its
    last spike, and its `count`."""

    neuron: PyTree
    integral: Float[Array, "*n"]
    count: Float[Array, "*n"]


class EscapeRate(AbstractKeyed, AbstractAroundNeuron):
    """Escape noise: stochastic spikes at the rate `hazard(guard)`, where `guard` is the neuron's
    own distance past threshold (exponential: `lambda d: rho * jnp.exp(d / width)`).

    The integrated hazard is a state variable; a spike falls where it reaches an exponential draw
    that `key`, the neuron's index and its spike count determine. So the system is deterministic
    given its key, exact between spikes, and reproducible in any batch. Derivatives are pathwise,
    at fixed draws: not those of an expected count.

    With `key=None` the `key` of `simulate` is filled in. Source: Gerstner, Kistler, Naud &
    Paninski, *Neuronal Dynamics* (2014), ch. 9; time rescaling as in Brown et al. (2002).
    """

    neuron: AbstractSpikingSystem
    hazard: Callable[[Float[Array, "*n"]], Float[Array, "*n"]]  # per unit of time
    key: Key[Array, ""] | Any | None = None

    def __check_init__(self) -> None:
        if isinstance(self.neuron, Refractory):
            raise ValueError(
                "neuron: a hazard of a held neuron makes no sense; put Refractory outside: "
                "Refractory(EscapeRate(neuron, hazard), duration)."
            )

    def start(self, neuron: PyTree, shape: tuple[int, ...]) -> EscapeState:
        """Initial state with no hazard gathered; `shape` is that of the guard."""
        return EscapeState(neuron, jnp.zeros(shape), jnp.zeros(shape))

    def rest(self, shape: tuple[int, ...] = ()) -> EscapeState:
        """The wrapped neuron at rest, with no hazard gathered."""
        return self.start(self.neuron.rest(shape), shape)

    def draws(self, count: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Exponential draws of mean 1, one a neuron: the integrated hazard at which it spikes next.

        **Raises:** `ValueError` if there is no key.
        """
        if self.key is None:
            raise ValueError("key: stochastic spikes need one: pass `key=` to `simulate`.")
        base, count = self.key, jax.lax.stop_gradient(count)

        def draw(index, count):
            key = jax.random.fold_in(jax.random.fold_in(base, index), count)
            return jax.random.exponential(key, (), jnp.result_type(float))

        index = jnp.arange(count.size, dtype=jnp.uint32)
        exponentials = jax.vmap(draw)(index, count.ravel().astype(jnp.uint32))
        return exponentials.reshape(count.shape).astype(count.dtype)

    def vector_field(self, t, y, args):
        rate = self.neuron.vector_field(t, y.neuron, args)
        hazard = self.hazard(self.neuron.guard(t, y.neuron, args))
        hazard = jnp.where(hazard < 0, jnp.nan, hazard)  # none is negative: the solve tells
        return EscapeState(rate, hazard, jnp.zeros_like(y.count))

    def guard(self, t, y, args):
        return y.integral - self.draws(y.count)

    def reset(self, t, y, args, fired):
        neuron = self.neuron.reset(t, y.neuron, args, fired)
        count = y.count + fired.astype(y.count.dtype)
        return EscapeState(neuron, jnp.where(fired, 0.0, y.integral), count)

    def emits(self, y, fired):
        return self.neuron.emits(y.neuron, fired)

    def held(self, change, active):  # a held neuron gathers no hazard either
        return change._replace(integral=active * change.integral)

    def up(self, y: EscapeState, change: PyTree) -> EscapeState:
        return EscapeState(change, jnp.zeros_like(y.integral), jnp.zeros_like(y.count))
