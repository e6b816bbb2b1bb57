"""Spike descent: a jump process that lowers an energy, one quantum at a time."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, PyTree

from .._require import count as as_count, instance, key as one_key, state as as_state
from ..flows import Energy
from ..networks.wrappers import EscapeRate, EscapeState
from ..system import (
    AbstractKeyed,
    AbstractSpikingSystem,
    bad_parameters,
    check_parameters,
    parameter,
)
from ..views import AbstractSameState
from .path import AbstractJumps, jump_path


def differences(
    energy: Energy, y: PyTree, args: PyTree, quantum: ArrayLike
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Exact energy differences of single moves: one unit of `y` by `quantum` up, and down, for each
    unit in the order of `ravel_pytree`.

    An energy that has a method `differences(y, args, quantum)` gives them itself.
    """
    own = getattr(energy, "differences", None)
    if own is not None:
        return own(y, args, quantum)
    flat, unravel = ravel_pytree(y)
    before = energy(y, args)

    def after(by):
        energy_at = jax.vmap(lambda unit: energy(unravel(flat.at[unit].add(by)), args))
        return energy_at(jnp.arange(flat.size)) - before

    return after(quantum), after(-jnp.asarray(quantum))


class AbstractSpikeRate(eqx.Module):
    """Acceptance law: the rate of a spike that changes the energy by `change`."""

    @abstractmethod
    def log(self, change: Float[Array, "..."], temperature: Float[Array, ""]) -> Array:
        """The logarithm of the rate, in units of the base rate, at a temperature above 0."""

    def __call__(self, change: Float[Array, "..."], temperature: Float[Array, ""]) -> Array:
        """The logarithm of the rate at any temperature: at 0 it is 0 for what lowers the energy,
        else -inf."""
        warm = self.log(change, jnp.where(temperature > 0, temperature, 1.0))
        greedy = jnp.where(change < 0, 0.0, -jnp.inf)
        return jnp.where(temperature > 0, warm, greedy)


class Glauber(AbstractSpikeRate):
    """Glauber dynamics `sigma(-change / T)` (Glauber 1963, J. Math. Phys. 4:294): bounded by 1.

    The stationary law is `exp(-E / T)` on the lattice if spikes cost nothing.
    """

    def log(self, change, temperature):
        return jax.nn.log_sigmoid(-change / temperature)


class Arrhenius(AbstractSpikeRate):
    """Arrhenius law: `exp(-change / 2 T)`: the stationary law is `exp(-E / T)` also where spikes
    have a cost, which only slows them. Unbounded."""

    def log(self, change, temperature):
        return -change / (2 * temperature)


class DescentState(NamedTuple):
    """State of a descent: where each unit started, and by how many quanta it moved since."""

    origin: PyTree
    moves: Float[Array, " n"]


class _Units(AbstractSpikingSystem):
    """The units as neurons: the guard is the log of the rates of spikes up [n] and down [n]."""

    descent: "AbstractDescent"

    def vector_field(self, t, y, args):
        return jax.tree.map(jnp.zeros_like, y)

    def guard(self, t, y, args):
        return self.descent.log_rates(self.descent.value(y), args).ravel()

    def reset(self, t, y, args, fired):
        up, down = fired.reshape(2, -1)
        change = up.astype(y.moves.dtype) - down.astype(y.moves.dtype)
        return DescentState(y.origin, y.moves + change)


class _Jumps(AbstractJumps):
    """The units from spike to spike: channels are spikes up [n], then down [n]."""

    descent: "AbstractDescent"

    def log_rates(self, y, args):
        return self.descent.log_rates(self.descent.value(y), args).ravel()

    def jump(self, y, channel):
        size = y.moves.size
        by = jnp.where(channel < size, 1, -1).astype(y.moves.dtype)
        return DescentState(y.origin, y.moves.at[channel % size].add(by))


class AbstractDescent(AbstractKeyed, AbstractSameState):
    """Jump process of units on a lattice, whose spike rates depend on what each would change."""

    energy: eqx.AbstractVar[Energy]
    temperature: eqx.AbstractVar[Float[Array, ""]]
    cost: eqx.AbstractVar[Float[Array, ""]]
    rate: eqx.AbstractVar[Float[Array, ""]]
    law: eqx.AbstractVar[AbstractSpikeRate]
    key: eqx.AbstractVar[Key[Array, ""] | Any | None]

    @abstractmethod
    def quanta(self, origin: PyTree) -> Float[Array, "*n"]:
        """Quanta: how far a spike moves each unit, one number for all or [n]."""

    @abstractmethod
    def changes(self, value: PyTree, args: PyTree) -> Float[Array, "2 n"]:
        """Energy changes [2, n] that each unit ascribes to its spike up, and down."""

    @abstractmethod
    def bend(self, value: PyTree, args: PyTree) -> Float[Array, " n"]:
        """Second-order part of the energy changes, `d^2 H_ii / 2`."""

    def energy_of(self, value: PyTree, args: PyTree) -> Float[Array, ""]:
        """Hook: the energy of a value (default: all of it is the energy's state)."""
        return self.energy(value, args)

    @property
    def units(self) -> EscapeRate:
        """The units as escape-rate neurons: this model is that system."""
        return EscapeRate(neuron=_Units(self), hazard=jnp.exp, key=self.key)

    @property
    def jumps(self) -> AbstractJumps:
        """The units as a jump process of `DescentState`, for `jump_path`; `descend` reads it."""
        return _Jumps(self)

    @property
    def inner(self) -> AbstractSpikingSystem:
        """The units, as the system that this view forwards to."""
        return self.units

    def value(self, y: DescentState | EscapeState) -> PyTree:
        """Current value: origin plus moves times quanta, in the structure of the origin."""
        state: DescentState = y.neuron if isinstance(y, EscapeState) else y
        flat, unravel = ravel_pytree(state.origin)
        return unravel(flat + self.quanta(state.origin).astype(flat.dtype) * state.moves)

    def log_rates(
        self, value: PyTree, args: PyTree = None, extra: ArrayLike = 0.0
    ) -> Float[Array, "2 n"]:
        """Log rates of each unit's spike up, and down (-inf: never), where a spike takes `extra`
        energy."""
        change = self.changes(value, args)
        change = jnp.where(jnp.isnan(change), jnp.inf, change) + self.cost + extra
        return jnp.log(self.rate) + self.law(change, self.temperature)

    def start(self, value: PyTree) -> EscapeState:
        """Initial state at `value`, from which no unit has moved yet."""
        size = ravel_pytree(value)[0].size
        return self.units.start(DescentState(value, jnp.zeros(size)), (2 * size,))


class SpikeDescent(AbstractDescent):
    """Spike descent of an energy: a network whose every spike moves one unit of the energy's state
    by one `quantum`.

    Unit i spikes up or down (s = 1, -1) at the rate `rate * law(E(y + s d e_i) - E(y) + cost)`;
    with `law = Glauber()` that is `rate * sigma(-(dE + cost) / T)`, and at T = 0 the greedy rule:
    at `rate` if the spike lowers E by more than `cost`, else never. One spike at a time, so no
    greedy spike raises E, and there are at most `(E(0) - min E) / cost` of them. At T > 0 without a
    cost the stationary law is exactly `exp(-E / T)` on the lattice of states.

    An energy says by `inf` which states are impossible. As a system of the engine its channels are
    the units' spikes up, then down; `descend` follows it from spike to spike.
    """

    energy: Energy
    quantum: Float[Array, ""] = parameter(positive=True)  # d, in the unit of the state
    temperature: Float[Array, ""] = parameter(0.0, nonnegative=True)  # in the unit of the energy
    cost: Float[Array, ""] = parameter(0.0, nonnegative=True)  # of a spike, likewise
    rate: Float[Array, ""] = parameter(1.0, positive=True)  # per unit of time
    law: AbstractSpikeRate = Glauber()
    key: Key[Array, ""] | Any | None = None

    def quanta(self, origin):
        return self.quantum

    def changes(self, value, args):
        return jnp.stack(differences(self.energy, value, args, self.quantum))

    def bend(self, value, args):
        up, down = self.changes(value, args)
        twice = differences(self.energy, value, args, 2 * self.quantum)[0]
        # a unit that cannot go down is judged by two steps up
        return jnp.where(jnp.isfinite(up + down), 0.5 * (up + down), 0.5 * twice - up)


class Descent(eqx.Module):
    """Trajectory of a descent: the spikes and where they led.

    `times` [S] (`inf`: no spike), `units` [S] in the order of `ravel_pytree` (-1: no spike),
    `signs` [S]; `dwell` [S], the dwell time of the state before each spike, the weight in time
    averages of `saved`, which `save` gave of it; its `energy` [S]; the final `value`; the `count`
    of spikes; `at_rest`, whether no spike can follow; `ok` is false where a number is not one.
    """

    times: Float[Array, " S"]
    units: Int[Array, " S"]
    signs: Int[Array, " S"]
    dwell: Float[Array, " S"]
    energy: Float[Array, " S"]
    saved: PyTree
    value: PyTree
    count: Int[Array, ""]
    at_rest: Bool[Array, ""]
    ok: Bool[Array, ""]


def descend(
    system: AbstractDescent,
    y0: PyTree,
    args: PyTree = None,
    *,
    key: Key[Array, ""],
    spikes: int,
    save: Callable[[PyTree], PyTree] | None = None,
) -> Descent:
    """The network from spike to spike, exact in law: `jump_path` of `system.jumps`.

    `spikes` is the room for them; at T = 0 the network comes to rest, and `at_rest` says whether
    it did within that room. `vmap` it over starts and keys.

    **Raises:** `ValueError` if there is no room.
    """
    instance("system", system, AbstractDescent)
    key, spikes = one_key("key", key), as_count("spikes", spikes, 1)
    y0 = as_state("y0", y0, real=True)
    if not ravel_pytree(y0)[0].size:
        raise ValueError("y0 has no units in it: pass a state.")
    check_parameters(system)
    size = ravel_pytree(y0)[0].size

    def saved(y):
        value = system.value(y)
        return system.energy_of(value, args), None if save is None else save(value)

    start = DescentState(y0, jnp.zeros(size))
    path = jump_path(system.jumps, start, args, key=key, jumps=spikes, save=saved)
    energy, kept = path.saved
    value = system.value(path.y)
    ok = jnp.isfinite(energy).all() & jnp.isfinite(system.energy_of(value, args)) & path.ok
    fires = path.channels >= 0
    units = jnp.where(fires, path.channels % size, -1).astype(jnp.int32)
    signs = jnp.where(fires, jnp.where(path.channels < size, 1, -1), 0).astype(jnp.int32)
    return Descent(
        path.times, units, signs, path.spans, energy, kept, value, path.count, path.at_rest,
        ok & ~bad_parameters(system),
    )  # fmt: skip
