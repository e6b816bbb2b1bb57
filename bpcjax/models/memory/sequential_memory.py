"""Sequential memory: sequential recall as a spiking system, event by event."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from ..._arrays import as_size
from ..._require import as_real, instance, mask, number
from ...energies import ModernHopfield
from ...inputs import AbstractTrain, SpikeTrain
from ...system import AbstractSpikingSystem, parameter
from .likelihoods import AbstractLikelihood, PoissonLikelihood, Synapses
from .modes import of_kind
from .orders import as_order


class SequentialState(NamedTuple):
    """State of a sequential memory: potentials `u` [P]; who is `alive` [P] (1; silent: 0) and how
    long each has `lived` [P]; the inhibitory neuron's sum `common` of what entries say against
    all memories alike, and their `count`; and whether the last memory alive has `fired` (1)."""

    u: Float[Array, " P"]
    alive: Float[Array, " P"]
    lived: Float[Array, " P"]
    common: Float[Array, ""]
    count: Float[Array, ""]
    fired: Float[Array, ""]


class SequentialMemory(AbstractSpikingSystem):
    """Sequential memory: `sequential_recall` as a spiking system, over the same energy.

    An event of channel i of the `source` kicks all memories that are alive by their evidence
    `weights_i y_i + offsets_i` (`AbstractLikelihood.synapses`); an inhibitory neuron broadcasts the
    largest; a memory that it exceeds by more than `theta` (nat) falls silent for good; the last
    one alive fires, the only spike there is, and nothing reaches it any more. What arrives at one
    instant is one block, tested as a whole. Missing entries send nothing.

    The drive `args` [N] holds the values y of the query, of which only those that arrive are read.
    With a `duration`, for Poisson inputs, events are single spikes of rates `patterns / duration`,
    at any times, and silence speaks as a steady leak: Bayes' filter in continuous time, whose
    memories fall silent between events too. The drive then is 1 for the channels that are there,
    0 for others (`None`: all are).

    One memory fires at once; duplicates never part, so that none fires. `OrderedSpikes` is exact,
    around `diffrax.Euler()` too, as all rates are constant between events; `GridSpikes` tests at
    the ends of steps, the same where an entry has a step of its own; `LocalSpikes`, whose neurons
    know of each other by spikes alone, refuses.

    **Raises:** `ValueError` if the source has not N channels, the patterns are none of the
    likelihood, or other than Poisson inputs get a `duration`.
    """

    energy: ModernHopfield
    likelihood: AbstractLikelihood
    source: AbstractTrain
    synapses: Synapses
    theta: Float[Array, ""] = parameter(positive=True)  # nat
    duration: Float[Array, ""] | None = parameter(None, positive=True, optional=True)

    def __init__(
        self,
        energy: ModernHopfield,
        likelihood: AbstractLikelihood,
        source: AbstractTrain,
        *,
        theta: ArrayLike,
        duration: ArrayLike | None = None,
    ):
        instance("energy", energy, ModernHopfield)
        instance("likelihood", likelihood, AbstractLikelihood)
        instance("source", source, AbstractTrain)
        if source.channels != energy.patterns.shape[1]:
            size = energy.patterns.shape[1]
            raise ValueError(
                f"source: patterns have {size} entries, so it must have as many channels, got "
                f"{source.channels}."
            )
        if duration is not None and not isinstance(likelihood, PoissonLikelihood):
            raise ValueError(
                f"duration: {type(likelihood).__name__} has entries, not spikes in time; leave it "
                "out, or pass PoissonLikelihood()."
            )
        kind = energy.patterns.dtype
        self.energy, self.source = energy, source
        self.likelihood = of_kind(likelihood, kind)
        self.theta = number("theta", theta, above=0).astype(kind)
        given = None if duration is None else number("duration", duration, above=0).astype(kind)
        self.duration = given
        self.synapses = likelihood.synapses(energy.patterns)

    @staticmethod
    def events(
        order: ArrayLike,  # [N]
        seen: ArrayLike | None = None,
        *,
        interval: ArrayLike = 1.0,
        block: int = 1,
    ) -> SpikeTrain:
        """Train of a query's entries: the k-th block of the `order` arrives at `(k + 1) interval`,
        without the entries that are not `seen` [N].

        **Raises:** `ValueError` if the order does not hold each entry once, `seen` has another
        shape or is no mask, `interval` is not positive, or `block` is no positive integer.
        """
        size = jnp.shape(order)[0] if jnp.ndim(order) == 1 else 0
        rank, block = as_order(order, size), as_size(block, "block", 1, None)
        interval = number("interval", interval, above=0, finite=True)
        times = (jnp.arange(size) // block + 1) * interval
        if seen is not None:
            there = mask("seen", seen, (size,), like="order")[rank]
            times, rank = jnp.where(there, times, jnp.inf), jnp.where(there, rank, -1)
        return SpikeTrain(times, rank, size)

    def start(self) -> SequentialState:
        """The state before the first event: all memories alive, nothing known but the prior."""
        zero = jnp.zeros(self.energy.patterns.shape[:1], self.energy.patterns.dtype)
        none = jnp.zeros((), zero.dtype)
        return SequentialState(zero, jnp.ones_like(zero), zero, none, none, none)

    def evidence(self, y: SequentialState) -> Float[Array, " P"]:
        """Log evidence and prior [P], up to a term that all memories share; `-inf` of the silent
        ones."""
        own = self.likelihood.evidence(y.u, y.common, y.count) + self.energy.log_prior
        return jnp.where(y.alive > 0.5, own, -jnp.inf)

    def posterior(self, y: SequentialState) -> Float[Array, " P"]:
        """Posterior [P] over the memories that are alive."""
        return jax.nn.softmax(self.evidence(y))

    def decision(self, y: SequentialState) -> Int[Array, ""]:
        """The likeliest survivor: where it has `fired`, the only one."""
        return self.evidence(y).argmax().astype(jnp.int32)

    def survivors(self, y: SequentialState) -> ModernHopfield:
        """The energy of the memories that are alive: a bias of `-inf` takes the others out."""
        energy = self.energy
        bias = jnp.where(y.alive > 0.5, energy.bias, -jnp.inf)
        return ModernHopfield(energy.patterns, energy.beta, bias)

    def vector_field(self, t, y, args):
        leak = jnp.zeros_like(y.u)
        if self.duration is not None:
            offsets = self.synapses.offsets @ self._values(args)
            leak = self._reached(y) * offsets / self.duration
        none = jnp.zeros_like(y.count)
        return SequentialState(leak, jnp.zeros_like(y.u), y.alive, none, none, none)

    def guard(self, t, y, args):
        rival = self.evidence(y).max()
        most = self.likelihood.most(y.u, y.common, y.count) + self.energy.log_prior
        idle = jnp.isinf(self.theta)
        if self.duration is None:
            idle = idle | (y.count == 0)  # the first test is that of the first entries
        past = jnp.where(idle, -1.0, rival - most - self.theta)
        past = jnp.where(self._undecided(y), past, 1 - 2 * y.fired)
        return jnp.where(y.alive > 0.5, past, -1.0)

    def reset(self, t, y, args, fired):
        undecided = self._undecided(y)
        alive = jnp.where(fired & undecided, 0.0, y.alive)
        return y._replace(alive=alive, fired=jnp.where(fired.any() & ~undecided, 1.0, y.fired))

    def emits(self, y, fired):
        return fired & ~self._undecided(y)  # to fall silent is no spike

    def inputs(self):
        return (self.source,)

    def arrive(self, t, y, args, arrivals):
        values, counts = self._values(args), arrivals[0].astype(y.u.dtype)
        here = counts != 0
        weights, offsets = self.synapses
        own = self.likelihood.common(values)
        sent, common = (jnp.where(here, counts * x, 0.0) for x in (values, own))
        u = weights @ sent
        if self.duration is None:
            u = u + offsets @ counts
        going = self._undecided(y).astype(u.dtype)
        none = jnp.zeros_like(u)
        common, count = going * common.sum(), going * counts.sum()
        return SequentialState(
            self._reached(y) * u, none, none, common, count, jnp.zeros_like(count)
        )

    def _undecided(self, y: SequentialState):
        return y.alive.sum() > 1.5

    def _reached(self, y: SequentialState) -> Float[Array, " P"]:
        return jnp.where(self._undecided(y), y.alive, 0.0)

    def _values(self, args: Any) -> Float[Array, " N"]:
        """What an event of each channel is worth; NaN where the likelihood knows no such value."""
        size, dtype = self.energy.patterns.shape[1], self.energy.patterns.dtype
        if args is None and self.duration is not None:
            return jnp.ones(size, dtype)
        shape = () if args is None else jnp.shape(args)
        if shape != (size,):
            raise ValueError(f"args must be one query of shape ({size},), got {shape}.")
        values = as_real(args, dtype, "args")
        return jnp.where(self.likelihood.allowed(values), values, jnp.nan)
