"""Phases of learning of a spiking predictive-coding network of one chain of layers: free, then
nudged.

Free: the label is left out and values settle to the lattice point nearest to what is predicted of
them, layer after layer. Nudged: the label attracts or repels with a random sign, errors go down
the chain, values move by single spikes. The sign cancels what is even in the nudge, the bias
towards more activity that a convex prediction has. All functions are of one sample: `vmap` them.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from ..._arrays import sized
from ..._require import instance, state as as_state
from ...energies.predictive.free_energy import Arrow, Layers, PredictiveCoding
from ...system import Module, parameter


class Seen(NamedTuple):
    """Factors of the weight change of each arrow: the activity before its synapses, and the error
    after them (analog: it stays inside the neuron). Their product is the change of a weight."""

    pre: tuple[Float[Array, "..."], ...]
    post: tuple[Float[Array, "..."], ...]


class Spent(NamedTuple):
    """Cost of a sample in spikes: values in the free phase, values and errors in the nudged one;
    the cross-entropy before it, and F at its end, with the label attracting whatever the sign."""

    free: Float[Array, ""]
    values: Float[Array, ""]
    errors: Float[Array, ""]
    loss: Float[Array, ""]
    energy: Float[Array, ""]


class Settled(NamedTuple):
    """Trajectory of the free phase, step by step: the prediction of the last layer [steps, n], and
    the spikes each layer sent [steps, hidden layers]."""

    output: Float[Array, "steps n"]
    spikes: Float[Array, "steps hidden"]


def chain(energy: PredictiveCoding) -> tuple[Arrow, ...]:
    """Chain of arrows of a network whose layers predict the next, each one the one after it.

    **Raises:** `ValueError` for any other network.
    """
    arrows = tuple(energy.arrows)
    if [(a.pre, a.post) for a in arrows] != [(k, k + 1) for k in range(len(arrows))]:
        raise ValueError("energy: the arrows must lead 0->1, 1->2 and so on, in this order.")
    return arrows


def feedback_stiffness(energy: PredictiveCoding, y: PyTree, args: PyTree = None) -> Layers:
    """Stiffness by the feedback maps in place of the forward ones: of squares of the weights that
    end at a neuron, not of those that leave it; the same number once both maps agree."""
    instance("energy", energy, PredictiveCoding)
    arrows = (Arrow(a.pre, a.post, a.back, a.mismatch, None, a.strength) for a in energy.arrows)
    return PredictiveCoding(arrows).stiffness(y, args)


def unit_stiffness(energy: PredictiveCoding, y: PyTree, args: PyTree = None) -> Layers:
    """Stiffness of 1 for every free unit: errors go down the layers whole, not as the share of them
    by which a value would move."""
    instance("energy", energy, PredictiveCoding)
    y = as_state("y", y, real=True)
    return tuple(None if z is None else jnp.ones_like(z) for z in y)


class AbstractPhases(Module):
    """Phases of learning: how the synapses' factors of a sample with its label come about."""

    @abstractmethod
    def values(self, energy: PredictiveCoding, x: Array) -> tuple[list[Array], list[Array]]:
        """Free equilibrium: the values of the layers at rest without a label, and all
        predictions."""

    @abstractmethod
    def learn(
        self, energy: PredictiveCoding, x: Array, y: Array, key: Key[Array, ""]
    ) -> tuple[Seen, Spent]:
        """Both phases of a sample `x` with label `y` (one-hot): the synapses' factors, and the
        cost."""


def _rest(energy: PredictiveCoding, x: Array, rounded) -> tuple[list[Array], list[Array]]:
    arrows, zs, mus = chain(energy), [x], []
    for arrow in arrows:
        mus.append(arrow.predict(zs[-1]))
        if arrow.mismatch.free:
            zs.append(rounded(arrow.mismatch.mode(mus[-1])))
    return zs, mus


class NudgedPhases(AbstractPhases):
    """Nudged phases in spikes: values in steps of `quantum`, errors of hidden layers in steps of
    `error_quantum` (rounded with a common random offset, so that small ones are heard on average),
    those of the output in steps of `output_quantum`; the label pulls with `strength` for `steps`
    parallel steps, after which the synapses hear the errors once more. With 0 steps no value moves.

    A hidden error is `mode(t) - mode(mu)`, t = mu + corrections from above over the stiffness: it
    is exactly 0 where no corrections come, so that nothing chatters in the free phase.
    """

    quantum: Float[Array, ""] = parameter(0.5, positive=True)
    error_quantum: Float[Array, ""] = parameter(0.05, positive=True)
    output_quantum: Float[Array, ""] = parameter(0.05, positive=True)
    strength: Float[Array, ""] = parameter(1.0, positive=True)
    steps: int = eqx.field(static=True, converter=sized("steps"), default=2)
    stiffness: Callable = eqx.field(static=True, default=PredictiveCoding.stiffness)

    def values(self, energy, x):
        return _rest(energy, x, lambda z: self.quantum * jnp.round(z / self.quantum))

    def step(
        self, energy: PredictiveCoding, x: Array, z: tuple[Array, ...]
    ) -> tuple[tuple[Array, ...], tuple[Array, ...], Array]:
        """One label-free step from the values `z` of the hidden layers: every neuron sends at most
        one spike, where its membrane is further than half a quantum from its value.

        Gives the values after it, the spikes (+1, -1, 0), and what was predicted of the last layer.
        """
        mus = [a.predict(pre) for a, pre in zip(chain(energy), (x, *z), strict=True)]
        spikes = tuple(_spike(mu - v, v, self.quantum) for mu, v in zip(mus[:-1], z, strict=True))
        after = tuple(self._moved(v, s) for v, s in zip(z, spikes, strict=True))
        return after, spikes, mus[-1]

    def _moved(self, value: Array, spikes: Array) -> Array:
        """Values after spikes: whole quanta, since sums of them would drift off the lattice."""
        return self.quantum * (jnp.round(value / self.quantum) + spikes)

    def silence(self, energy: PredictiveCoding, x: Array) -> tuple[Array, ...]:
        """The values of the hidden layers before any spike."""
        return tuple(jnp.zeros_like(v) for v in self.values(energy, x)[0][1:])

    def settle(self, energy: PredictiveCoding, x: Array, steps: int) -> Settled:
        """From silence, without a label, for so many steps."""

        def step(z, _):
            z, spikes, output = self.step(energy, x, z)
            return z, (output, jnp.stack([jnp.abs(s).sum() for s in spikes]))

        _, (output, spikes) = jax.lax.scan(step, self.silence(energy, x), None, length=steps)
        return Settled(output, spikes)

    def learn(self, energy, x, y, key):
        signs, rounding = jax.random.split(key)
        sign = jax.random.rademacher(signs, (), x.dtype)
        z, mus = self.values(energy, x)
        free = sum(v.sum() for v in z[1:]) / self.quantum
        loss = chain(energy)[-1].mismatch(y, mus[-1])
        attracted = energy.nudged(len(mus), self.strength)
        energy = energy.nudged(len(mus), sign * self.strength)
        arrows = chain(energy)
        stiff = self.stiffness(energy, (None, *z[1:], None), (x, *(None for _ in z[1:]), y))
        offsets = [
            jax.random.uniform(jax.random.fold_in(rounding, k), mu.shape, x.dtype, -0.5, 0.5)
            for k, mu in enumerate(mus[:-1])
        ]
        sent = [jnp.zeros_like(mu) for mu in mus]
        spikes = errors = jnp.zeros((), x.dtype)
        true = sent
        for step in range(self.steps + 1):
            targets, true, heard = self._corrections(arrows, z, y, stiff, offsets)
            sizes = [self.error_quantum] * (len(mus) - 1) + [self.output_quantum]
            changes = zip(heard[1:], sent[1:], sizes[1:], strict=True)
            errors = errors + sum((jnp.abs(a - b) / size).sum() for a, b, size in changes)
            sent = heard
            if step == self.steps:
                break
            moves = [_spike(t - v, v, self.quantum) for t, v in zip(targets, z[1:], strict=True)]
            spikes = spikes + sum(jnp.abs(move).sum() for move in moves)
            z = [x, *(self._moved(v, m) for v, m in zip(z[1:], moves, strict=True))]
        scale = [sign / self.strength * h for h in stiff[1:-1]] + [sign / self.strength]
        post = tuple(e * by for e, by in zip(true, scale, strict=True))
        total = attracted((None, *z[1:], None), (x, *(None for _ in z[1:]), y))
        return Seen(tuple(z), post), Spent(free, spikes, errors, loss, total)

    def _corrections(self, arrows, z, y, stiff, offsets):
        """From the top: the potentials that hidden layers aim at, true errors, and those sent."""
        mus = [a.predict(pre) for a, pre in zip(arrows, z, strict=True)]
        true = [arrows[-1].error(y, mus[-1])]
        heard = [self.output_quantum * jnp.round(true[0] / self.output_quantum)]
        targets: list[Array] = []
        for k in reversed(range(len(arrows) - 1)):
            back = arrows[k + 1].sent_back(z[k + 1], heard[0])
            targets.insert(0, mus[k] + back / stiff[k + 1])
            mode = arrows[k].mismatch.mode
            true.insert(0, arrows[k].error(mode(targets[0]), mus[k]))
            spikes = jnp.round(true[0] / self.error_quantum + offsets[k])
            heard.insert(0, self.error_quantum * spikes)
        return targets, true, heard


def _spike(drive: Array, value: Array, quantum: Array) -> Array:
    """Single spikes toward a drive: +1, -1 (never below 0) or none."""
    up = drive > quantum / 2
    down = (drive < -quantum / 2) & (value > quantum / 2)
    return up.astype(value.dtype) - down.astype(value.dtype)


class RatePhases(AbstractPhases):
    """Nudged phases in rates, without spikes: values and errors are numbers, and move to their
    targets at once."""

    strength: Float[Array, ""] = parameter(1.0, positive=True)
    steps: int = eqx.field(static=True, converter=sized("steps", 1), default=2)
    stiffness: Callable = eqx.field(static=True, default=PredictiveCoding.stiffness)

    def values(self, energy, x):
        return _rest(energy, x, lambda z: z)

    def learn(self, energy, x, y, key):
        sign = jax.random.rademacher(key, (), x.dtype)
        z, mus = self.values(energy, x)
        loss = chain(energy)[-1].mismatch(y, mus[-1])
        attracted = energy.nudged(len(mus), self.strength)
        energy = energy.nudged(len(mus), sign * self.strength)
        arrows = chain(energy)
        stiff = self.stiffness(energy, (None, *z[1:], None), (x, *(None for _ in z[1:]), y))
        errors: list[Array] = []
        for last in [False] * self.steps + [True]:
            mus = [a.predict(pre) for a, pre in zip(arrows, z, strict=True)]
            errors = [arrows[-1].error(y, mus[-1])]
            for k in reversed(range(len(arrows) - 1)):
                back = arrows[k + 1].sent_back(z[k + 1], errors[0])
                aim = arrows[k].mismatch.mode(mus[k] + back / stiff[k + 1])
                errors.insert(0, arrows[k].error(aim, mus[k]))
                if not last:
                    z = [*z[: k + 1], aim, *z[k + 2 :]]
        scale = [sign / self.strength * h for h in stiff[1:-1]] + [sign / self.strength]
        post = tuple(e * by for e, by in zip(errors, scale, strict=True))
        total = attracted((None, *z[1:], None), (x, *(None for _ in z[1:]), y))
        none = jnp.zeros((), x.dtype)
        return Seen(tuple(z), post), Spent(none, none, none, loss, total)


class Backpropagation(AbstractPhases):
    """Backpropagation, the rival: the gradient of the cross-entropy of the same network, not
    local.

    With a `quantum` values are rounded to it, and derivatives pass straight through the rounding
    (Bengio, Leonard & Courville 2013, arXiv:1308.3432).
    """

    quantum: Float[Array, ""] | None = parameter(positive=True, optional=True)

    def _rounded(self, z: Array) -> Array:
        if self.quantum is None:
            return z
        return z + jax.lax.stop_gradient(self.quantum * jnp.round(z / self.quantum) - z)

    def values(self, energy, x):
        return _rest(energy, x, self._rounded)

    def learn(self, energy, x, y, key):
        arrows = chain(energy)

        def loss(shifts):
            z, mus = x, []
            for arrow, shift in zip(arrows, shifts, strict=True):
                mus.append(arrow.predict(z) + shift)
                z = self._rounded(arrow.mismatch.mode(mus[-1]))
            return arrows[-1].mismatch(y, mus[-1])

        z, mus = self.values(energy, x)
        value, slopes = jax.value_and_grad(loss)([jnp.zeros_like(mu) for mu in mus])
        none = jnp.zeros((), x.dtype)
        free = none if self.quantum is None else sum(v.sum() for v in z[1:]) / self.quantum
        factors = Seen(tuple(z), tuple(-slope for slope in slopes))
        return factors, Spent(free, none, none, value, value)
