"""What a step costs: `python -m experiments.benchmarks.steps` prints ratios of one run.

A bare `lax.fori_loop` of the same arithmetic against a plain diffrax step through `simulate`,
and against `OrderedSpikes` over an interval with no spike; then a small recurrent network with
spikes, its gradient, and the time to compile them.
"""

import diffrax as dfx
import jax
import jax.numpy as jnp

import bpcjax as bpc

from .timing import compile_seconds, interleaved


class Leak(bpc.AbstractSystem):
    """The flow of a LIF neuron by itself, without its guard."""

    neuron: bpc.neurons.LIF

    def vector_field(self, t, y, args):
        """The neuron's own equation."""
        return self.neuron.vector_field(t, y, args)


def bare(solver: dfx.AbstractSolver, rate, steps: int, dt: float):
    """The same Runge-Kutta steps in a bare loop, every stage written out."""

    def combine(y, weights, slopes):
        for weight, slope in zip(weights, slopes, strict=False):
            if weight:
                y = jax.tree.map(lambda a, b, w=float(weight): a + w * b, y, slope)
        return y

    def increment(t, y, args):
        return jax.tree.map(lambda f: dt * f, rate(t, y, args))

    def step(i, y, args):
        slopes = [increment(i * dt, y, args)]
        if isinstance(solver, dfx.Euler):
            return combine(y, [1.0], slopes)
        for row in solver.tableau.a_lower:
            slopes.append(increment(i * dt, combine(y, row, slopes), args))
        return combine(y, solver.tableau.b_sol, slopes)

    return lambda y, args: jax.lax.fori_loop(0, steps, lambda i, y: step(i, y, args), y)


def no_spike_steps(count: int = 10_000, steps: int = 2_000, dt: float = 0.1) -> None:
    """Ratios at `count` LIF neurons driven to below their threshold."""
    neuron = bpc.neurons.LIF()
    y0, drive = neuron.rest((count,)), jnp.linspace(0.0, 90.0, count)  # 10 nS x 10 mV: threshold

    def through(system, solver):
        def run(y, args):
            solution = bpc.simulate(
                system, y, args, t1=steps * dt, dt=dt, solver=solver, throw=False
            )
            return solution.ys

        return run

    for solver in (dfx.Euler(), dfx.Heun(), dfx.Tsit5()):
        fns = {
            "bare": bare(solver, neuron.vector_field, steps, dt),
            "plain": through(Leak(neuron), solver),
            "ordered": through(neuron, bpc.OrderedSpikes(solver)),
        }
        timings = interleaved(fns, y0, drive)
        us = {name: 1e6 * value / steps for name, value in timings.items()}
        print(
            f"{count} LIF, {type(solver).__name__:6s} bare {us['bare']:7.2f} us/step   "
            f"plain {us['plain'] / us['bare']:5.2f}x   ordered {us['ordered'] / us['bare']:5.2f}x"
            f"   (ordered / plain {us['ordered'] / us['plain']:.2f}x)"
        )


def recurrent(count: int, t1: float = 60.0, dt: float = 0.1):
    """A recurrent network and its final summed potential as a function of weights and drive."""
    rng = jax.random.key(0)
    weights = 60.0 * jax.random.normal(rng, (count, count)) / jnp.sqrt(count)
    drive = jnp.linspace(110.0, 160.0, count)

    def run(weights, drive):
        synapse = bpc.synapses.Exponential(5.0)
        neurons = bpc.Refractory(bpc.neurons.LIF(), 2.0)
        network = bpc.Network(neurons, [bpc.Projection(weights, synapse)])
        solution = bpc.simulate(
            network, network.rest(count), drive, t1=t1, dt=dt, max_spikes=20 * count, throw=False
        )
        return solution.ys.neurons.neuron.v.sum(), solution.spikes.count

    return run, (weights, drive), round(t1 / dt)


def small_networks() -> None:
    """Step time, gradient time and compile times of small recurrent networks."""
    for count in (20, 100):
        run, args, steps = recurrent(count)
        gradient = jax.grad(run, argnums=(0, 1), has_aux=True)
        trace, build = compile_seconds(run, *args)
        grad_trace, grad_build = compile_seconds(gradient, *args)
        times = interleaved({"run": run, "grad": gradient}, *args, rounds=5)
        spikes = int(run(*args)[1])
        print(
            f"{count} LIF recurrent, Tsit5, {spikes} spikes in {steps} steps: "
            f"{1e6 * times['run'] / steps:.1f} us/step, gradient {1e6 * times['grad'] / steps:.1f}"
            f" us/step; compiles in {trace:.1f} + {build:.1f} s (trace + XLA), "
            f"gradient {grad_trace:.1f} + {grad_build:.1f} s"
        )


def main() -> None:
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    no_spike_steps()
    small_networks()


if __name__ == "__main__":
    main()
