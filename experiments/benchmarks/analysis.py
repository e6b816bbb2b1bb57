"""What analysis costs: `python -m experiments.benchmarks.analysis` prints ratios of one run.

Lyapunov spectrum of Lorenz's system over 1,000 units of time; and the fixed points of a modern
memory of 64 units from 4,096 guesses, against `scipy.optimize.root` in a loop over the guesses:
of the same vector field compiled by jax, with and without its Jacobian, and of the equation
written out in numpy.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import bpcjax as bpc

GUESSES, UNITS, PATTERNS, BETA = 4096, 64, 16, 0.25
LOOP = 128  # guesses that scipy is timed on


class Lorenz(bpc.AbstractSystem):
    """Lorenz (1963), with his parameters."""

    def vector_field(self, t, y, args):
        """His equations."""
        x, v, z = y
        return jnp.stack([10 * (v - x), x * (28 - z) - v, x * v - 8 / 3 * z])


def seconds(run, rounds: int = 5) -> float:
    """The best time of a function that was called once before."""
    jax.block_until_ready(run())
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return min(times)


def spectrum() -> None:
    """The Lyapunov spectrum, its time and the error of its sum."""

    def run():
        start = jnp.array([1.0, 2.0, 20.0])
        return bpc.analysis.lyapunov(Lorenz(), start, t1=1000.0, dt=0.01)

    took, result = seconds(run), run()
    print(f"Lorenz, T = 1000, Tsit5 at 0.01: {took:.3f} s, exponents {result.exponents}")
    print(f"  sum differs from -41/3 by {abs(float(result.exponents.sum()) + 41 / 3):.1e}")


def roots() -> None:
    """Fixed points from a cloud of guesses, against a loop."""
    patterns = jnp.sign(jax.random.normal(jax.random.key(0), (PATTERNS, UNITS)))
    flow = bpc.GradientFlow(bpc.energies.ModernHopfield(patterns, beta=BETA))
    guesses = 0.7 * jax.random.normal(jax.random.key(1), (GUESSES, UNITS))

    def run():
        return bpc.analysis.fixed_points(flow, guesses)

    took, result = seconds(run), run()
    print(f"fixed points from {GUESSES} guesses: {took:.2f} s, {float(result.ok.mean()):.1%} ok")
    rate = jax.jit(lambda y: flow.vector_field(0.0, y, None))
    slope = jax.jit(jax.jacfwd(rate))
    rows, x = np.asarray(guesses[:LOOP]), np.asarray(patterns)

    def written_out(y):
        a = BETA * (x @ y)
        weights = np.exp(a - a.max())
        return x.T @ (weights / weights.sum()) - y

    ways = {
        "the field under jit": (lambda y: np.asarray(rate(y)), None),
        "the same with its Jacobian": (
            lambda y: np.asarray(rate(y)),
            lambda y: np.asarray(slope(y)),
        ),
        "the equation in numpy": (written_out, None),
    }
    for name, (function, jacobian) in ways.items():
        scipy.optimize.root(function, rows[0], jac=jacobian)
        start = time.perf_counter()
        ends = [scipy.optimize.root(function, row, jac=jacobian, tol=1e-12).x for row in rows]
        loop = (time.perf_counter() - start) * GUESSES / LOOP
        fine = np.mean([np.abs(written_out(end)).max() <= 1e-10 for end in ends])
        print(f"  scipy, {name:28s} {loop:6.1f} s ({loop / took:5.1f}x), {fine:.1%} ok")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    spectrum()
    roots()
