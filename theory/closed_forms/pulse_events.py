"""Networks of neurons that inhibit each other by pulses, spike by spike, with their exponents.

Identical neurons `dv/dt = speed(v)` fire at a threshold and start again from a reset; a spike takes
the weight off the potential of each target at once. The `age` of a neuron is the time that the flow
takes to its potential: all ages grow alike, so between spikes nothing happens to a small
disturbance in ages. A spike of neuron `j`, disturbed, comes earlier by its `d_j`; each target `i`,
whose age jumps by a map of slope `g_i`, keeps

    d_i -> g_i (d_i - d_j) + d_j,    g_i = speed(v) / speed(v + w),    and d_j stays,

which is the exact Jacobian of one spike (Timme, Wolf & Geisel 2002, PRL 89:258701; Jahnke,
Memmesheimer & Timme 2008, PRL 100:048102; Monteforte & Wolf 2010, PRL 105:268104). A shift of all
ages alike is kept: one exponent is zero. For the leaky neuron no slope of inhibition exceeds 1, so
no other exponent is positive; the quadratic neuron is slowed in some states and hastened in others.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._require import require

BLOCKS = 16  # of which the error is the scatter


@dataclass(frozen=True)
class Quadratic:
    """`tau dv/dt = v^2 + drive`, from `reset` to `threshold`: the theta neuron if both are
    infinite.
    """

    drive: float
    tau: float = 1.0
    threshold: float = np.inf
    reset: float = -np.inf

    def __post_init__(self):
        require(self.drive > 0, "drive must be positive, where the neuron fires.")

    def speed(self, v):
        """The rate of change of the potential."""
        return (v**2 + self.drive) / self.tau

    def age(self, v):
        """The time that the flow takes to the potential, from some potential of its own."""
        root = np.sqrt(self.drive)
        return self.tau / root * np.arctan(v / root)

    def potential(self, age):
        """The potential [...] that the flow reaches at an age."""
        root = np.sqrt(self.drive)
        return root * np.tan(root / self.tau * age)


@dataclass(frozen=True)
class Leaky:
    """Leaky neuron `tau dv/dt = drive - v`, from `reset` to `threshold`."""

    drive: float
    tau: float = 1.0
    threshold: float = 1.0
    reset: float = 0.0

    def __post_init__(self):
        require(self.drive > self.threshold, "drive must be above threshold, where it fires.")

    def speed(self, v):
        """The rate of change of the potential."""
        return (self.drive - v) / self.tau

    def age(self, v):
        """The time that the flow takes to the potential, from some potential of its own."""
        return -self.tau * np.log(self.drive - v)

    def potential(self, age):
        """The potential [...] that the flow reaches at an age."""
        return self.drive - np.exp(-age / self.tau)


class Events(NamedTuple):
    """Trajectory: spikes in their order, the potentials at the end, and `jacobian` [n, n] of
    these."""

    times: np.ndarray
    neurons: np.ndarray
    v: np.ndarray
    jacobian: np.ndarray


class Growth(NamedTuple):
    """Lyapunov exponents per unit of time, largest first, their standard errors, and the mean
    rate."""

    exponents: np.ndarray
    error: np.ndarray
    rate: float


class _Network:
    """Ages less the time, which only spikes change, and what becomes of `directions` in them."""

    def __init__(self, neuron, weights, v0, directions):
        weights, v0 = np.asarray(weights, float), np.asarray(v0, float)
        require(weights <= 0, "weights must not be positive: pulses inhibit.")
        require(np.diag(weights) == 0, "weights must be zero on the diagonal.")
        require((v0 < neuron.threshold) & np.isfinite(v0), "v0 must be below the threshold.")
        self.neuron, self.directions = neuron, np.array(directions, float)
        self.first, self.last = neuron.age(neuron.reset), neuron.age(neuron.threshold)
        self.targets = [np.flatnonzero(row) for row in weights]
        self.jumps = [row[to] for row, to in zip(weights, self.targets, strict=True)]
        self.born = neuron.age(v0)
        self.times, self.neurons = [], []

    def to(self, t1):
        """Event-driven solution: pass every spike up to the time `t1`."""
        neuron, born, d = self.neuron, self.born, self.directions
        while True:
            who = int(born.argmax())
            now = self.last - born[who]
            if now > t1:
                return
            to = self.targets[who]
            v = neuron.potential(born[to] + now)
            after = v + self.jumps[who]
            born[to] = neuron.age(after) - now
            slope = (neuron.speed(v) / neuron.speed(after))[:, None]
            d[to] = slope * (d[to] - d[who]) + d[who]
            born[who] = self.first - now
            self.times.append(now)
            self.neurons.append(who)


def simulate(neuron, weights, v0, t1):
    """Every spike up to `t1` of the network with `weights` [pre, post] (not positive), and how the
    potentials at the end move with those at the start.
    """
    v0 = np.asarray(v0, float)
    network = _Network(neuron, weights, v0, np.diag(1 / neuron.speed(v0)))
    network.to(t1)
    v = neuron.potential(network.born + t1)
    jacobian = neuron.speed(v)[:, None] * network.directions
    return Events(np.array(network.times), np.array(network.neurons, int), v, jacobian)


def exponents(neuron, weights, v0, t1, *, leg, burn_in=0.0, count=2, seed=0):
    """The `count` largest Lyapunov exponents, directions made orthonormal after each `leg`; `rate`
    is that of a neuron. Only the part after `burn_in` counts.
    """
    start = np.random.default_rng(seed).normal(size=(len(v0), count))
    network = _Network(neuron, weights, v0, np.linalg.qr(start)[0])
    skip, legs = round(burn_in / leg), round(t1 / leg)
    growth = np.empty((legs - skip, count))
    for k in range(legs):
        if k == skip:
            before = len(network.times)
        network.to((k + 1) * leg)
        network.directions, r = np.linalg.qr(network.directions)
        if k >= skip:
            growth[k - skip] = np.log(np.abs(np.diag(r))) / leg
    length = len(growth) // BLOCKS
    require(length > 0, f"t1 must be at least {BLOCKS} legs after burn_in.")
    blocks = growth[: BLOCKS * length].reshape(BLOCKS, length, count).mean(axis=1)
    error = blocks.std(axis=0, ddof=1) / np.sqrt(BLOCKS)
    rate = (len(network.times) - before) / (len(v0) * (legs - skip) * leg)
    return Growth(growth.mean(axis=0), error, rate)
