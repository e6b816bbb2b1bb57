"""Local event solver: all spikes of a step at once, each neuron at its own time inside it."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .._arrays import sized
from .base import AbstractAroundInterpolation, Around, as_inner
from .clock import Clock
from .step_events import Neurons, take_events
from .stepwise import AbstractWholeSteps, WholeState, add, if_any
from .term import unwrap


class LocalSpikes(AbstractWholeSteps):
    """Local event solver: a step of `inner`, then all its events at once, each neuron's at its own
    time; second order in values and derivatives, without ordering, for large populations and
    sweeps.

    Each guard's crossing is the root of its cubic; the neuron is reset there and flows on to the
    end of the step by Heun's rule; what its spike sends arrives weighted by the time left.

    What it does not do: order the spikes of one step. A neuron that is kicked in the step in which
    it fires gets the kick out of order: an error of first order in that spike. Such pairs become
    rare as steps shrink, so medians keep order two, maxima do not, and a synchronous network may
    gain or lose synchrony (exponents need `OrderedSpikes`). A neuron has one event a step; a second
    one waits for the next step. An excursion above threshold within a step is detected where the
    guard heads for it at the step's start. A neuron that is kicked over threshold fires in the next
    step, at the time that its slope gives backwards, so a cascade of voltage kicks takes a step a
    stage and has no right derivative. Derivatives, forward and reverse, are those of the true event
    times: to second order with currents, first with conductances, and through delays not spike by
    spike. No noise. The rate of a neuron may depend on others through spikes only; a drive that is
    a function of time is linear within a step. Between saved grid times, kicks are spread over
    their step.

    `gather` is the number of neurons with an event above which the whole population is worked on;
    `room` bounds delays, in steps (`None`: what they need in `simulate`, else 64); `clock` is set
    by `simulate`.
    """

    inner: dfx.AbstractSolver = eqx.field(default_factory=dfx.Heun, converter=as_inner)
    max_spikes: int | None = eqx.field(default=None, converter=sized("max_spikes"), static=True)
    room: int | None = eqx.field(default=None, converter=sized("room", 1), static=True)
    gather: int = eqx.field(default=128, converter=sized("gather", 1), static=True)
    clock: Clock | None = None

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return Around(_OwnTimes, self.inner.interpolation_cls)

    def step(self, terms, t0: Any, t1: Any, y0, args, solver_state: WholeState, made_jump):
        system, direction, noisy = unwrap(terms)
        if noisy:
            raise ValueError("solver: LocalSpikes takes no noise; use OrderedSpikes or GridSpikes.")
        state, step = solver_state, self.now(t0, t1, solver_state)
        sources, ends = system.inputs(), step.t0 + step.span
        y, error, info, inner, result = self.flow(terms, step, y0, args, state.inner)
        back = (state.index > 0).astype(step.span.dtype)  # not to before the solve
        neurons = Neurons.over(system, args, step.t0, step.span, y0, y, back)
        watch = neurons.watch()
        events = take_events(neurons, watch, self.gather)
        place, spiked = events.place, events.spiked
        left = jnp.where(spiked, (1 - place) * step.span, 0.0).astype(place.dtype)

        def land(source, own):
            landing, then = source.land(own, step, place.ravel(), spiked.ravel())
            return landing.moments, landing.ok, then

        moments, inputs, ok = self.landed(sources, state.inputs, land)
        moments = list(zip(*moments, strict=True))
        spikes = spiked.astype(place.dtype)
        powers = spikes, left, 0.5 * left * left

        def receive(y):
            def impulse(order: int):
                """Increment by all spikes, each times a power of the time that is left to it."""
                change = jax.tree.map(jnp.zeros_like, y)
                kick = system.kick(ends, y, args, powers[order])
                change = change if kick is None else add(change, kick)
                return (
                    add(change, system.arrive(ends, y, args, moments[order])) if sources else change
                )

            _, along = jax.linearize(lambda y: system.vector_field(ends, y, args), y)
            return add(y, add(impulse(0), along(add(impulse(1), along(impulse(2))))))

        y1 = events.end
        coupled = jax.eval_shape(lambda: system.kick(ends, y1, args, spikes)) is not None
        if coupled or sources:
            arrived = [(x != 0).any() for of in moments[:1] for x in of]
            which = jnp.stack([spiked.any() & coupled, *arrived])
            y1 = if_any(which, receive, y1)
        y1 = system.whole_steps(y1, step.span)
        record = self.recorded(state, t1, step, place * step.span, spiked)
        ok = ok & (direction > 0)
        state, result = self.after(system, state, t0, t1, inner, record, inputs, ok, result, y0)
        # Apart from the branches above: where nothing reads the dense output it is not computed.
        reset = neurons.outcome_and_resets(watch)[1]
        dense = dict(
            info=info, unreset=y, place=place, reset=reset, end=y1, begins=step.t0, span=step.span
        )
        within = self.interpolation_cls(t0=step.t0, t1=ends, **dense)
        y1 = self.cut(solver_state, t1, step, y1, lambda past: within.at(step.t0 + past))
        return y1, error, dense, state, result


class _OwnTimes(AbstractAroundInterpolation):
    """Before a neuron's event the inner solver's interpolation, then a line to the step's end."""

    t0: Any
    t1: Any
    info: PyTree
    unreset: PyTree
    place: Float[Array, "*n"]
    reset: PyTree
    end: PyTree
    begins: Any
    span: Any
    interpolation_cls: Callable[..., Any] = eqx.field(static=True)

    def at(self, t):
        past = t - self.begins
        part = jnp.where(t >= self.t1, 1.0, past / self.span)
        inner = self.interpolation_cls(t0=jnp.zeros_like(past), t1=self.span, **self.info)
        inside = inner.evaluate(past)
        since = jnp.clip((part - self.place) / jnp.maximum(1 - self.place, 1e-9), 0.0, 1.0)
        gone = (self.place <= part) & (self.place <= 1)

        def at(inside, unreset, reset, end):
            before = inside + part * jnp.where(self.place <= 1, 0.0, end - unreset)
            now = jnp.where(gone, reset + since * (end - reset), before)
            return jnp.where(part >= 1, end, now)

        return jax.tree.map(at, inside, self.unreset, self.reset, self.end)
