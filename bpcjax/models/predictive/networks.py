"""Predictive coding networks that infer causes: by rates, and by spikes of values and errors."""

from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ..._require import count, instance, scalar, state as as_state
from ...energies import PredictiveCoding
from ...flows import GradientFlow
from ...jumps.lattice import AbstractDescent, AbstractSpikeRate, Glauber
from ...system import AbstractSystem, parameter


class PredictiveCodingNetwork(AbstractSystem):
    """Predictive coding network in rates: `tau dv/dt = z - v - dF/dz` with `z = relu(v)` in layers
    without negative values, else `z = v`: there it is the `GradientFlow` of F.

    v is the membrane potential of the value neurons. F never rises on the way, as `dz/dt` is
    `-dF/dz / tau` where z > 0 and 0 elsewhere; at rest z is a minimum of F among possible values,
    and where nothing but the input is clamped it is the forward pass of the network.
    """

    energy: PredictiveCoding
    tau: Float[Array, ""] = parameter(1.0, positive=True)  # in the unit of time

    def value(self, v: PyTree) -> PyTree:
        """Values `z` of the layers, from their potentials `v`."""
        return self.energy.project(v)

    def vector_field(self, t, y, args):
        z = self.value(y)
        descent = GradientFlow(self.energy, self.tau).vector_field(t, z, args)
        return jax.tree.map(lambda z, v, down: (z - v) / self.tau + down, z, y, descent)

    def residual(self, z: PyTree, args: PyTree = None) -> Float[Array, ""]:
        """Residual at possible values z: the norm of `dF/dz`, but for directions that lead
        below 0."""
        slope = jax.grad(self.energy)(z, args)
        inside = self.energy.project(jax.tree.map(jnp.subtract, z, slope))
        return jnp.linalg.norm(ravel_pytree(jax.tree.map(jnp.subtract, z, inside))[0])


class AtRest(eqx.Module):
    """Equilibrium of a network: values `z` at which F is no steeper than the tolerance; the
    `residual` says how steep, `energy` is F there; `ok` is false where the solve ended before that.
    `steps` of the solver were taken."""

    z: PyTree
    residual: Float[Array, ""]
    energy: Float[Array, ""]
    ok: Bool[Array, ""]
    steps: Int[Array, ""]


def check_state(energy: PredictiveCoding, y0: PyTree, args: PyTree) -> None:
    """Raise `ValueError` with the name `y0` where the energy has no value there."""
    try:
        jax.eval_shape(lambda y: energy(y, args), y0)
    except ValueError as error:
        text = str(error).splitlines()[0]
        raise ValueError(f"y0 does not fit the network and args: {text}") from error


def settle(
    network: PredictiveCodingNetwork,
    y0: PyTree,
    args: PyTree = None,
    *,
    tol: float = 1e-8,
    max_steps: int = 4096,
    solver: dfx.AbstractSolver | None = None,
) -> AtRest:
    """Relaxation of a network: its flow until `|dF/dz| < tol`, whatever its state does meanwhile.

    `y0` holds potentials (`energy.start(args)`: those of the forward pass). Each leg of the solve
    takes the residual down by ten, with errors that small, and the next goes on from there; the
    residual at the end is measured, not assumed. `max_steps` is the room of one leg.

    **Raises:** `ValueError` if `tol` is not positive.
    """
    instance("network", network, PredictiveCodingNetwork)
    tol, max_steps = scalar("tol", tol, above=0), count("max_steps", max_steps, 1)
    y0 = as_state("y0", y0, real=True)
    check_state(network.energy, network.value(y0), args)
    if solver is not None:
        instance("solver", solver, dfx.AbstractSolver)
    of = network.residual

    def leg(carry):
        y, began, _, steps = carry
        goal = jnp.maximum(began / 10, 0.9 * tol)
        steepest = ravel_pytree(network.energy.stiffness(network.value(y), args))[0].max()

        def still(t, y, args, **kwargs):
            return of(network.value(y), args) < goal

        solution = dfx.diffeqsolve(
            dfx.ODETerm(network.vector_field),
            dfx.Tsit5() if solver is None else solver,
            t0=0.0,
            t1=jnp.inf,
            dt0=0.1 * network.tau / steepest,
            y0=y,
            args=args,
            stepsize_controller=dfx.PIDController(rtol=0.0, atol=0.01 * goal / steepest),
            event=dfx.Event(still),
            max_steps=max_steps,
            throw=False,
        )
        y = jax.tree.map(lambda leaf: leaf[-1], solution.ys)
        residual = of(network.value(y), args)
        return y, residual, residual < 0.5 * began, steps + solution.stats["num_steps"]

    def going(carry):
        _, residual, progress, _ = carry
        return (residual >= tol) & progress  # a leg that gained nothing is the last

    start = y0, of(network.value(y0), args), jnp.array(True), jnp.zeros((), int)
    y, residual, _, steps = jax.lax.while_loop(going, leg, start)
    z = network.value(y)
    return AtRest(z, residual, network.energy(z, args), residual < tol, steps)


class Populations(NamedTuple):
    """State of two populations: `values` of the free layers, and the `errors` that were sent back
    to them, by arrow."""

    values: Any
    errors: dict[str, Array]


class SpikingPredictiveCoding(AbstractDescent):
    """Spiking predictive coding in two populations: value neurons in steps of `quantum`, error
    neurons in steps of `error_quantum`. Spikes of values carry predictions, spikes of errors carry
    corrections.

    A value neuron's membrane is `-dF/dz` with the errors it received, and its threshold `d H_ii / 2
    + cost / d`; at a temperature it fires at `rate * law(-s d v + d^2 H_ii / 2)`. An error neuron
    follows `-dF/dmu` of its own unit to within half its quantum, and costs nothing. With true
    errors (`error_quantum` to 0), linear activations and Gaussian layers the changes are those of
    F, and this is `SpikeDescent`; the curvature of rectified layers is bounded by H_ii, so a greedy
    spike lowers F there too.

    Error neurons are `speed` times as fast as value neurons: slow ones are late, and late
    corrections overshoot. Errors that go to clamped layers are not sent. With a `feedback` map
    errors return through it.
    """

    energy: PredictiveCoding
    quantum: Float[Array, ""] = parameter(positive=True)  # d, of values
    error_quantum: Float[Array, ""] = parameter(positive=True)  # gamma, of errors
    temperature: Float[Array, ""] = parameter(0.0, nonnegative=True)  # in the unit of F
    cost: Float[Array, ""] = parameter(0.0, nonnegative=True)  # of a value spike, likewise
    rate: Float[Array, ""] = parameter(1.0, positive=True)  # per unit of time
    speed: Float[Array, ""] = parameter(100.0, positive=True)  # of errors, in units of `rate`
    law: AbstractSpikeRate = Glauber()
    key: Key[Array, ""] | Any | None = None

    def at(self, values: PyTree, args: PyTree = None) -> Populations:
        """Both populations at `values`, errors at 0."""
        z = self.energy.full(values, args)
        names = {a.name for a in self.energy.arrows if a.pre is not None and z[a.pre] is not None
                  and values[a.pre] is not None and z[a.post] is not None}  # fmt: skip
        zeros = jax.tree.map(jnp.zeros_like, self.energy.errors(values, args))
        return Populations(values, {name: zeros[name] for name in zeros if name in names})

    def energy_of(self, value: Populations, args):
        return self.energy(value.values, args)

    def quanta(self, origin: Populations):
        parts = (origin.values, self.quantum), (origin.errors, self.error_quantum)
        return jnp.concatenate([jnp.full_like(ravel_pytree(p)[0], size) for p, size in parts])

    def _true(self, value: Populations, args):
        every = self.energy.errors(value.values, args)
        return {name: every[name] for name in value.errors}, every

    def changes(self, value: Populations, args):
        true, every = self._true(value, args)
        membrane = self.energy.membrane(value.values, args, every | value.errors)
        v, step = ravel_pytree(membrane)[0], self.quantum
        half = self._half(value, args)
        low = ravel_pytree(
            tuple(
                None if z is None else jnp.full_like(z, bounded)
                for z, bounded in zip(value.values, self.energy.nonnegative(), strict=True)
            )
        )[0]
        at_bottom = (low > 0) & (ravel_pytree(value.values)[0] < 0.5 * step)
        seen = ravel_pytree(self.energy.clamped(value.values, args))[0]
        half = jnp.where(seen, jnp.inf, half)  # a clamped unit never moves
        down = jnp.where(at_bottom, jnp.inf, step * v + half)
        away = ravel_pytree(true)[0] - ravel_pytree(value.errors)[0]
        gamma = self.error_quantum
        # the squared distance of an error neuron to its error falls by this, and it is free
        follow = 0.5 * gamma**2 - self.cost
        ups = jnp.concatenate([-step * v + half, follow - gamma * away])
        return jnp.stack([ups, jnp.concatenate([down, follow + gamma * away])])

    def log_rates(self, value: Populations, args=None, extra=0.0):
        slow = jnp.zeros_like(ravel_pytree(value.values)[0])
        fast = jnp.zeros_like(ravel_pytree(value.errors)[0]) + jnp.log(self.speed)
        return super().log_rates(value, args, extra) + jnp.concatenate([slow, fast])[None]

    def _half(self, value: Populations, args):
        return 0.5 * self.quantum**2 * ravel_pytree(self.energy.stiffness(value.values, args))[0]

    def bend(self, value: Populations, args):
        half = self._half(value, args)
        return jnp.concatenate([half, jnp.zeros_like(ravel_pytree(value.errors)[0])])
