"""Views: systems that are another one, through a part of the state and a drive.

Here, and nowhere else, hooks are forwarded: who wraps a system derives from one of these classes,
and no hook of what is inside gets lost.
"""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import PyTree

from ._require import instance
from .system import AbstractKeyed, AbstractSpikingSystem, AbstractSystem, Drive, drive_at, varies


class AbstractView(AbstractSpikingSystem):
    """View of an `inner` system, whose state is a part of the view's own.

    Its own are the flow, the guard, the reset and which crossings are spikes; noise, kicks,
    arrivals and all else that concerns the inner system reach it.
    """

    @property
    @abstractmethod
    def inner(self) -> AbstractSpikingSystem:
        """The inner system, to which hooks are forwarded."""

    @abstractmethod
    def down(self, y: PyTree) -> PyTree:
        """Projection: the inner system's part of a state, or of a change of it."""

    @abstractmethod
    def put(self, y: PyTree, inner: PyTree) -> PyTree:
        """The state `y` with `inner` for the inner system's part."""

    @abstractmethod
    def up(self, y: PyTree, change: PyTree) -> PyTree:
        """Lift: the change of the whole by a change of the inner system's part, in the state
        `y`."""

    def kicked(self, t, y: PyTree, change: PyTree) -> PyTree:
        """Hook: the lift of a kick at `t` (default: as for any change)."""
        return self.up(y, change)

    def clocks(self, y: PyTree, h) -> PyTree:
        """Hook: `whole_steps` for the clocks of the view itself (default: it has none)."""
        return y

    def held(self, change: PyTree, active) -> PyTree:
        """Hook: `hold` for the variables of the view itself (default: they go on)."""
        return change

    def drive(self, t, y: PyTree, args: PyTree) -> PyTree:
        """Hook: the drive of the inner system (default: that of the view)."""
        return args

    @abstractmethod
    def emits(self, y, fired):
        """Which of the guards that crossed are spikes."""

    def noise(self, t, y, args):
        noise = self.inner.noise(t, self.down(y), self.drive(t, y, args))
        return None if noise is None else self.up(y, noise)

    def kick(self, t, y, args, spikes):
        kick = self.inner.kick(t, self.down(y), self.drive(t, y, args), spikes)
        return None if kick is None else self.kicked(t, y, kick)

    def inputs(self):
        return self.inner.inputs()

    def arrive(self, t, y, args, arrivals):
        drive = self.drive(t, y, args)
        return self.up(y, self.inner.arrive(t, self.down(y), drive, arrivals))

    def potential(self, y):
        return self.inner.potential(self.down(y))

    def push(self, y, dv):
        return self.up(y, self.inner.push(self.down(y), dv))

    def hold(self, change, active):
        return self.held(self.put(change, self.inner.hold(self.down(change), active)), active)

    def whole_steps(self, y, h):
        return self.clocks(self.put(y, self.inner.whole_steps(self.down(y), h)), h)

    def mark_cut(self, y):
        return self.put(y, self.inner.mark_cut(self.down(y)))


class AbstractSameState(AbstractView):
    """View with the same state: a system that is its `inner` one, under a drive of its own."""

    def down(self, y):
        return y

    def put(self, y, inner):
        return inner

    def up(self, y, change):
        return change

    def vector_field(self, t, y, args):
        return self.inner.vector_field(t, y, self.drive(t, y, args))

    def guard(self, t, y, args):
        return self.inner.guard(t, y, self.drive(t, y, args))

    def reset(self, t, y, args, fired):
        return self.inner.reset(t, y, self.drive(t, y, args), fired)

    def emits(self, y, fired):
        return self.inner.emits(y, fired)


class AbstractLayered(AbstractKeyed, AbstractSameState):
    """Model with random draws that is its `layer`, built from the model's parameters."""

    layer: eqx.AbstractVar[AbstractSpikingSystem]

    @property
    def inner(self) -> AbstractSpikingSystem:
        """The layer, to which hooks are forwarded."""
        return self.layer


class DrivenSpiking(AbstractSameState):
    """Driven system: a spiking system whose drive is evaluated at `t`."""

    system: AbstractSpikingSystem

    @property
    def inner(self) -> AbstractSpikingSystem:
        """The spiking system whose drive is evaluated."""
        return self.system

    def drive(self, t, y, args):
        return drive_at(t, args)


class _Driven(AbstractSystem):
    """A flow whose drive is evaluated at `t`."""

    system: AbstractSystem

    def vector_field(self, t, y, args):
        return self.system.vector_field(t, y, drive_at(t, args))

    def noise(self, t, y, args):
        return self.system.noise(t, y, drive_at(t, args))


def bind(system: AbstractSystem, args: Drive) -> AbstractSystem:
    """`system` itself, or, where `args` holds functions of `t`, a wrapper that evaluates them.

    The wrapper takes the same `args`, so that no vector field ever sees a callable.
    """
    instance("system", system, AbstractSystem)
    if not varies(args):
        return system
    if isinstance(system, AbstractSpikingSystem):
        return DrivenSpiking(system)
    return _Driven(system)
