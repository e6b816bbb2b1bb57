"""Streams that change, and the log density that each learner gives the next sample."""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.stats import multivariate_normal
from jaxtyping import Array, Float

from bpcjax import energies as en, learning


class Stream(NamedTuple):
    """Linear-Gaussian stream: `z` [T, m] = `weights` [T, m, n] `a` [T, n] + noise of
    `noise_std`; weights are drawn anew with the probability `hazard` at each step."""

    z: np.ndarray
    a: np.ndarray
    weights: np.ndarray
    noise_std: float
    hazard: float


def switching(rng: np.random.Generator, length: int, hazard: float) -> Stream:
    """A stream with two outputs of three inputs."""
    fresh = rng.normal(size=(length, 2, 3))
    new = rng.random(length) < hazard
    new[0] = True
    last = np.maximum.accumulate(np.where(new, np.arange(length), 0))
    weights, a = fresh[last], rng.normal(size=(length, 3))
    z = np.einsum("tij,tj->ti", weights, a) + 0.3 * rng.normal(size=(length, 2))
    return Stream(z, a, weights, 0.3, hazard)


def oracle(stream: Stream) -> np.ndarray:
    """Oracle: the log density [T] of each sample to who knows the weights and the noise."""
    away = stream.z - np.einsum("tij,tj->ti", stream.weights, stream.a)
    var = stream.noise_std**2
    return -0.5 * (away**2 / var + np.log(2 * np.pi * var)).sum(axis=1)


def prior() -> en.MatrixNormal:
    """Prior of all learners: the law that weights are drawn from, and vague noise."""
    return en.MatrixNormal.wishart(2, 3, weight_std=1.0, noise_std=0.3, count=6.0)


@partial(jax.jit, static_argnums=2)
def forgetting(z: Float[Array, "T m"], a: Float[Array, "T n"], keep: float) -> Float[Array, " T"]:
    """Forgetting: the log predictive of one posterior that keeps a share of its evidence at each
    sample, `learning.conjugate`."""
    start = prior()
    rule = learning.conjugate(start.natural(), keep)

    def step(eta, sample):
        z, a = sample
        now = start.at(eta)
        change, _ = rule.update(now.statistics(z[None], a[None]), optax.EmptyState(), eta)
        return optax.apply_updates(eta, change), now.log_predictive(z, a)

    return jax.lax.scan(step, start.natural(), (z, a))[1]


@partial(jax.jit, static_argnums=3)
def change_points(
    z: Float[Array, "T m"], a: Float[Array, "T n"], hazard: float, places: int
) -> Float[Array, " T"]:
    """Change-point filter: the log predictive of posteriors side by side, each of the samples since
    a possible change, weighed by evidence (Adams & MacKay 2007, arXiv:0710.3742).

    With as many `places` as samples it is the exact filter; with fewer, the least likely goes
    where there is no room.
    """
    start = prior()
    eta0 = start.natural()
    slots = jax.tree.map(lambda x: jnp.broadcast_to(x, (places, *x.shape)), eta0)
    log_weight = jnp.full(places, -jnp.inf).at[0].set(0.0)

    def step(carry, sample):
        slots, log_weight = carry
        z, a = sample

        def each(eta):
            now = start.at(eta)
            add = now.statistics(z[None], a[None])
            return now.log_predictive(z, a), jax.tree.map(jnp.add, eta, add)

        predictive, updates = jax.vmap(each)(slots)
        joint = log_weight + predictive
        total = jax.nn.logsumexp(joint)
        stay = joint - total + jnp.log1p(-hazard)
        # a new hypothesis, that weights change now, in the place of the least likely
        free = jnp.argmin(stay)
        stay = stay.at[free].set(jnp.log(hazard))
        slots = jax.tree.map(lambda x, x0: x.at[free].set(x0), updates, eta0)
        return (slots, stay - jax.nn.logsumexp(stay)), total

    return jax.lax.scan(step, (slots, log_weight), (z, a))[1]


class Tracking(NamedTuple):
    """State-space model: `x' = turn x + drive` and `y = look x + noise`, with the covariances of
    both noises."""

    turn: Float[Array, "n n"]
    look: Float[Array, "T m n"]
    drive: Float[Array, "n n"]
    noise: Float[Array, "m m"]


def tracking(rng: np.random.Generator, length: int) -> tuple[Tracking, np.ndarray, np.ndarray]:
    """A slow rotation in four dimensions seen by two sensors that switch, what they see, and the
    states."""
    angle = 0.1
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = 0.98 * np.kron(np.eye(2), spin)
    looks = rng.normal(size=(2, 2, 4)) / 2
    look = looks[(np.arange(length) // 50) % 2]
    drive, noise = 0.05 * np.eye(4), 0.1 * np.eye(2)
    x, samples, states = np.zeros(4), [], []
    for k in range(length):
        x = turn @ x + rng.multivariate_normal(np.zeros(4), drive)
        states.append(x)
        samples.append(look[k] @ x + rng.multivariate_normal(np.zeros(2), noise))
    return (
        Tracking(*map(jnp.asarray, (turn, look, drive, noise))),
        np.array(samples),
        np.array(states),
    )


@jax.jit
def oracle_of_state(model: Tracking, y: Float[Array, "T m"], x: Float[Array, "T n"]) -> Array:
    """Oracle: the log density [T] of each sample to who knows the state."""
    mean = jnp.einsum("tij,tj->ti", model.look, x)
    log = jax.vmap(lambda y, m: multivariate_normal.logpdf(y, m, model.noise))(y, mean)
    return jnp.asarray(log)


@eqx.filter_jit
def kalman(
    model: Tracking, y: Float[Array, "T m"], quantum: Array | None
) -> tuple[Array, Array, Array]:
    """Kalman filter: the log predictive of each sample, the estimates, and the spikes that each of
    them took.

    The estimate is the least energy of a layer that its own past and what is seen predict. With a
    `quantum` its neurons find it by spikes, each of the unit and sign that lowers F most, until
    none does; without, it is the filter of Kalman. The precisions are those of his in both.
    """

    def step(carry, sample):
        x, cov = carry
        y, look = sample
        mean, cov = model.turn @ x, model.turn @ cov @ model.turn.T + model.drive
        spread = look @ cov @ look.T + model.noise
        predictive = jnp.asarray(multivariate_normal.logpdf(y, look @ mean, spread))
        gain = jnp.linalg.solve(spread, look @ cov).T
        after = cov - gain @ look @ cov
        if quantum is None:
            estimate = mean + gain @ (y - look @ mean)
            return (estimate, after), (predictive, estimate, jnp.zeros((), int))
        estimate, count = spiking(quantum, mean, jnp.linalg.inv(cov), look, y, x)
        return (estimate, after), (predictive, estimate, count)

    def spiking(quantum: Array, mean, precision, look, y, x):
        inverse = jnp.linalg.inv(model.noise)
        net = en.PredictiveCoding(
            [
                en.Arrow(None, 0, en.Constant(mean), en.Gaussian(precision)),
                en.Arrow(0, 1, en.DenseMap(look), en.Gaussian(inverse)),
            ]
        )
        args = (None, y)

        def best(x):
            change = jnp.concatenate(net.differences((x, None), args, quantum))
            return change, jnp.argmin(change)

        def fire(carry):
            x, count = carry
            _, k = best(x)
            sign = jnp.where(k < x.size, 1.0, -1.0)
            return x.at[k % x.size].add(sign * quantum), count + 1

        def goes_on(carry):
            change, k = best(carry[0])
            return (change[k] < -1e-12) & (carry[1] < 10_000)

        return jax.lax.while_loop(goes_on, fire, (x, jnp.zeros((), int)))

    start = (jnp.zeros(4), jnp.eye(4))
    log, estimates, counts = jax.lax.scan(step, start, (y, model.look))[1]
    return jnp.asarray(log), estimates, counts
