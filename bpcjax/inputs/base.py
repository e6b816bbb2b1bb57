"""Base classes of event inputs: sources of spikes other than the system's own without a delay.

A run from t0 to t1 takes the events in [t0, t1): one at a cut happens once, in the run that goes
on. All arrivals of an instant are one sum, whatever their number and order.
"""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from ..system import Module, Scalar

Arrivals = Float[Array, "..."]


class Step(NamedTuple):
    """Step of a solver that takes all events of a step at once: from `t0` for a time `span`.

    `index` counts the steps of the run, `number` those from time 0.
    """

    t0: Any
    span: Any
    index: Any
    number: Any


class Landing(NamedTuple):
    """Arrivals of a step, weighted by powers of the time r that is left of it: sums of 1, r and r^2
    / 2. `ok`: whether they are all there."""

    moments: tuple[Arrivals, Arrivals, Arrivals]
    ok: Bool[Array, ""]


class AbstractInput(Module):
    """Event input: a source of events, played out either one event after another, or step by step.

    What arrives is an array of counts whose shape is the input's own; the system's `arrive` says
    what it does to the state. The states below live in the solver.
    """

    delays: ClassVar[Any] = None
    """Hook: the transmission delays (ms) of the system's own spikes, where these are the source:
    spikes on their way are then no part of the system's state (default: a source outside)."""

    constant_steps: ClassVar[bool] = False
    """Hook: whether what arrives is right in steps of one length only (default: in all)."""

    def ready(self) -> "AbstractInput":
        """Hook: the input prepared once before a solve (default: itself)."""
        return self

    def leave(self, state: PyTree) -> PyTree | None:
        """Hook: the part of the state that goes over a cut (default: nothing, the source goes by
        time)."""
        return None

    def resume(self, fresh: PyTree, carried: PyTree | None) -> PyTree:
        """Hook: the state in which a cut run goes on, from the `fresh` one of the time of the cut
        and what was `carried` over it."""
        return fresh

    # One event after another

    @abstractmethod
    def wait(self, t0: Scalar, neurons: int, room: int) -> PyTree:
        """Initial state for `OrderedSpikes`, before the first event; `room` bounds the events on
        their way."""

    @abstractmethod
    def due(self, state: PyTree) -> Scalar:
        """The time of the next arrival, `inf` if there is none."""

    @abstractmethod
    def take(self, state: PyTree, t: Scalar) -> tuple[Arrivals, Arrivals, PyTree]:
        """Pop the arrivals of the instant `t`: their counts, the same times how much later than `t`
        (zero, but with a derivative), and the state after."""

    def send(
        self, state: PyTree, times: Float[Array, " n"], spiked: Bool[Array, " n"]
    ) -> tuple[PyTree, Bool[Array, ""]]:
        """Push own spikes: the state after, and whether there was room for them."""
        return state, jnp.array(True)

    # Step by step

    @abstractmethod
    def begin(self, t0: Scalar, neurons: int, room: int, dtype: Any) -> PyTree:
        """Initial state for solvers of whole steps, before the first step; `room` bounds the steps
        or the events to remember."""

    @abstractmethod
    def land(
        self, state: PyTree, step: Step, places: Float[Array, " n"], spiked: Bool[Array, " n"]
    ) -> tuple[Landing, PyTree]:
        """Arrivals within a step, of which spikes of the system in it are at `places` (a part of
        the step; before it where they are detected late), and the state after."""

    # Step by step, when spikes count at the ends of steps only

    def open(self, state: PyTree, step: Step) -> tuple[Arrivals | None, Bool[Array, ""], PyTree]:
        """Hook: arrivals as the step begins (`None`: never anything), whether all of them are
        there, and the state after."""
        return None, jnp.array(True), state

    def close(
        self, state: PyTree, step: Step, spikes: Float[Array, " n"]
    ) -> tuple[Arrivals | None, Bool[Array, ""], PyTree]:
        """Hook: arrivals as the step ends, after the system's own `spikes` (`None`: never
        anything), whether all of them are there, and the state after."""
        return None, jnp.array(True), state


class AbstractTrain(AbstractInput):
    """External spike train: a source outside of the system, with so many `channels`."""

    channels: eqx.AbstractVar[int]
