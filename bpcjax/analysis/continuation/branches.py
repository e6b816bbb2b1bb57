"""Kinds of branches: equilibria, periodic orbits, or fixed points of a spike map."""

from abc import abstractmethod
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..._require import check_times, count, instance
from ...system import AbstractSpikingSystem
from .._flow import Flow, Vector, structural
from ..cycles import check_autonomous, drop_shift, modes_of, multipliers_of, shooting
from ..flow_map import FlowMap, check_noiseless, check_solver, map_of
from ..spectrum import spectrum
from ..spike_map import after_spike


class AbstractFollowed(eqx.Module):
    """Equations of a branch, for `follow`: a vector of unknowns, the state in it and its stability.

    All methods but `equations` are called outside of `jit`.
    """

    @abstractmethod
    def start(self, flow: Flow, x: Vector) -> tuple["AbstractFollowed", Vector]:
        """The equations made ready for a system, and the unknowns at a guess `x` [n] of the state.

        **Raises:** `ValueError` if the system is of the wrong kind.
        """

    @abstractmethod
    def equations(self, flow: Flow, unknowns: Vector, before: Vector) -> Vector:
        """Residual of the branch's equations, as many numbers as unknowns; `before` is the last
        point."""

    @abstractmethod
    def eigenvalues(self, derivative: np.ndarray) -> Complex[Array, " n"]:
        """Eigenvalues (or multipliers) [m] that tell stability, from the derivative of the
        equations."""

    @abstractmethod
    def growth(self, eigenvalues: Complex[Array, " n"]) -> Any:
        """The exponents [m] of small differences, by falling real part: negative ones shrink."""

    def state(self, unknowns: Any) -> Any:
        """The state [n] among the unknowns."""
        return unknowns

    def period(self, unknowns: Any) -> float | None:
        """The period among the unknowns, if there is one."""
        return None

    def doubled(self) -> "AbstractFollowed":
        """Equations of the branch that bifurcates at a period doubling.

        **Raises:** `ValueError` where no period does.
        """
        raise ValueError(f"of: the period of {type(self).__name__} does not double.")


class Equilibria(AbstractFollowed):
    """Equilibria: states where the vector field is zero; stability from the eigenvalues of its
    Jacobian."""

    held: Any = None  # what the flow never moves
    guess: Any = None

    def start(self, flow, x):
        return Equilibria(structural(flow, x[None]), x), x

    def equations(self, flow, unknowns, before):
        return jnp.where(self.held, unknowns - self.guess, flow.rate(unknowns))

    def eigenvalues(self, derivative):
        return spectrum(jnp.asarray(derivative), self.held)

    def growth(self, eigenvalues):
        return np.asarray(eigenvalues)


def _falling(growth: Any) -> Any:
    return growth[np.lexsort((-growth.imag, -growth.real))]


def _logarithms(multipliers: Any) -> Any:
    size, angle = np.abs(multipliers), np.angle(multipliers)
    with np.errstate(divide="ignore"):  # a direction that is destroyed
        return _falling(np.log(size) + 1j * np.abs(angle) * np.where(angle < 0, -1, 1))


class Cycles(AbstractFollowed):
    """Limit cycles: periodic orbits; stability from their Floquet multipliers.

    `period` is a guess of the first one, `dt` the step (a period has the same number of steps all
    along the branch). Each period is made of `legs` (multiple shooting): several keep orbits in
    reach that are very unstable. With resets take one: no leg may begin at a spike.
    """

    period_guess: Float[Array, ""]
    dt: Float[Array, ""]
    legs: int = eqx.field(static=True)
    solver: Any = None
    ready: Any = None  # the flow over a leg; the modes

    def __init__(
        self, period: Any, dt: Any, *, legs: int = 1, solver: Any = None, ready: Any = None
    ):
        check_times(0.0, period, dt, "period")
        legs = count("legs", legs, 1)
        if solver is not None:
            instance("solver", solver, dfx.AbstractSolver)
        self.period_guess, self.dt = jnp.asarray(period, float), jnp.asarray(dt, float)
        self.legs, self.solver, self.ready = legs, solver, ready

    def start(self, flow, x):
        steps = max(4, round(float(self.period_guess) / float(self.dt) / self.legs))
        y = flow.layout.unravel(x)
        step_map, x = map_of(flow.system, y, flow.args, self.solver, steps)
        check_autonomous(step_map, x)
        whole = FlowMap(step_map.flow, self.solver, steps * self.legs)
        modes = modes_of(whole, x, self.period_guess)
        starts = [x]
        for _ in range(self.legs - 1):
            starts.append(step_map(starts[-1], 0.0, self.period_guess / self.legs)[0])
        ready = Cycles(
            self.period_guess, self.dt, legs=self.legs, solver=self.solver, ready=(step_map, modes)
        )
        return ready, jnp.append(jnp.concatenate(starts), self.period_guess)

    def equations(self, flow, unknowns, before):
        step_map, modes = self.ready
        step_map = eqx.tree_at(lambda m: m.flow, step_map, flow)
        x, period = unknowns[:-1].reshape(self.legs, -1), unknowns[-1]
        miss, ok = shooting(step_map, x, period, self.state(before), modes)
        return jnp.where(ok & (period > 0), miss, jnp.nan)

    def eigenvalues(self, derivative):
        size = (len(derivative) - 1) // self.legs
        blocks = [derivative[k : k + size, k : k + size] for k in size * np.arange(self.legs)]
        if self.legs == 1:  # its end and its start are one
            blocks = [blocks[0] + np.eye(size)]
        monodromy = np.linalg.multi_dot([np.eye(size), *blocks[::-1]])
        return multipliers_of(jnp.asarray(monodromy), self.ready[1])

    def growth(self, eigenvalues):
        return _logarithms(np.asarray(drop_shift(eigenvalues)))

    def state(self, unknowns):
        return unknowns[: (len(unknowns) - 1) // self.legs]

    def period(self, unknowns):
        return float(unknowns[-1])

    def doubled(self):
        return Cycles(2 * self.period_guess, self.dt, legs=2 * self.legs, solver=self.solver)


class SpikeMap(AbstractFollowed):
    """Periodic points of the spike map: states just after a spike that come back after `period`
    spikes; stability from the multipliers of that map.

    `dt` is the step; no spike within `wait` ends the branch. Follow a state just after a spike.
    """

    dt: Float[Array, ""]
    wait: float = eqx.field(static=True)
    times: int = eqx.field(static=True)
    neuron: int | None = eqx.field(static=True)
    solver: Any

    def __init__(
        self,
        dt: Any,
        wait: float = 1000.0,
        period: int = 1,
        neuron: int | None = None,
        solver: Any = None,
    ):
        period = count("period", period, 1)
        neuron = None if neuron is None else count("neuron", neuron)
        check_times(0.0, wait, dt, "wait")
        if solver is not None:
            instance("solver", solver, dfx.AbstractSolver)
        self.dt, self.wait, self.times = jnp.asarray(dt, float), float(wait), period
        self.neuron, self.solver = neuron, solver

    def start(self, flow, x):
        if not isinstance(flow.system, AbstractSpikingSystem):
            raise ValueError("system has no spikes: follow its Equilibria or its Cycles.")
        check_solver(flow.system, self.solver)
        check_noiseless(flow.system, flow, flow.layout.unravel(x))
        return self, x

    def equations(self, flow, unknowns, before):
        x = unknowns
        for _ in range(self.times):
            spike = after_spike(flow, x, 0.0, self.dt, self.wait, self.neuron, self.solver)
            x = flow.layout.ravel(spike.y)
        return x - unknowns

    def eigenvalues(self, derivative):
        return multipliers_of(jnp.asarray(derivative + np.eye(len(derivative))))

    def growth(self, eigenvalues):
        return _logarithms(np.asarray(eigenvalues))

    def doubled(self):
        return SpikeMap(self.dt, self.wait, 2 * self.times, self.neuron, self.solver)
