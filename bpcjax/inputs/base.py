"""What reaches a system as events, apart from its own spikes at once."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from ..system import Scalar, check_parameters

Arrivals = Float[Array, "..."]


class Step(NamedTuple):
    """A step of a solver that takes all events of a step at once.

    `span` is the nominal step, `fraction` the part of it that this step covers (1, but for the
    last step of a solve), `index` counts the steps.
    """

    t0: Any
    t1: Any
    span: Any
    fraction: Any
    index: Any


class Landing(NamedTuple):
    """Arrivals in a step, weighted by powers of the time r that is left of it: sums of 1, r and
    r^2 / 2. Whether they are all there: `ok`.
    """

    moments: tuple[Arrivals, Arrivals, Arrivals]
    ok: Bool[Array, ""]


class AbstractInput(eqx.Module):
    """A source of events, played out either one event after another, or step by step.

    What arrives is an array of counts whose shape is the input's own; the system's `arrive` says
    what it does to the state. The states below live in the solver.
    """

    def __check_init__(self) -> None:
        check_parameters(self)

    # One event after another

    @abstractmethod
    def wait(self, t0: Scalar, neurons: int, room: int) -> PyTree:
        """The state before the first event; `room` bounds the events on their way."""

    @abstractmethod
    def due(self, state: PyTree) -> Scalar:
        """The time of the next arrival, `inf` if there is none."""

    @abstractmethod
    def take(self, state: PyTree, t: Scalar) -> tuple[Arrivals, Arrivals, PyTree]:
        """What arrives at `t`, the same times how much later than `t` (zero, but with a
        derivative), and the state after.
        """

    def send(
        self, state: PyTree, times: Float[Array, " n"], spiked: Bool[Array, " n"]
    ) -> tuple[PyTree, Bool[Array, ""]]:
        """The state after spikes of the system itself, and whether there was room for them."""
        return state, jnp.array(True)

    # Step by step

    @abstractmethod
    def begin(self, t0: Scalar, neurons: int, room: int, dtype: Any) -> PyTree:
        """The state before the first step; `room` bounds the steps or the events to remember."""

    @abstractmethod
    def land(
        self, state: PyTree, step: Step, places: Float[Array, " n"], spiked: Bool[Array, " n"]
    ) -> tuple[Landing, PyTree]:
        """What arrives in the step, of which spikes of the system in it are at `places` (a part
        of the nominal step; before it where they are found late), and the state after.
        """

    @abstractmethod
    def snap(self, state: PyTree, step: Step, spikes: Float[Array, " n"]) -> tuple[Landing, PyTree]:
        """What arrives in the step when spikes count at the ends of steps only."""


class AbstractTrain(AbstractInput):
    """A source outside of the system, with so many `channels`."""

    channels: eqx.AbstractVar[int]
