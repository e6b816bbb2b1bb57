"""What a sample does to a network of one hidden layer before its weights change: inference with
the label clamped, in rates and in spikes, or none."""

from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bpcjax.energies import Arrow, Categorical, Constant, DenseMap, PredictiveCoding, Rectified
from bpcjax.models import Backpropagation
from bpcjax.models.predictive.bidirectional import accelerate
from bpcjax.models.predictive.tracking import Tracking
from bpcjax.system import Module, parameter

from ..common.precision import single


class Factors(NamedTuple):
    """The two factors of each layer's weight change: what comes before its synapses, and the error
    after them."""

    pre: tuple[Float[Array, " n"], ...]
    post: tuple[Float[Array, " m"], ...]


class Account(NamedTuple):
    """Account of a sample: how far hidden values moved, over their size before; cosine of the
    weight change with minus the gradient; the label's probability before and after inference;
    spikes of values in the first step and in later ones, and of errors (NaN in rates)."""

    moved: Float[Array, ""]
    cosine: Float[Array, ""]
    before: Float[Array, ""]
    after: Float[Array, ""]
    values: Float[Array, ""]
    moves: Float[Array, ""]
    errors: Float[Array, ""]


class AbstractLearning(Module):
    """How the factors of a sample come about."""

    def hidden(self, energy: PredictiveCoding, x: Array) -> Float[Array, " h"]:
        """Hook: hidden values that the label is named by; the forward pass."""
        arrow = tuple(energy.arrows)[0]
        return arrow.mismatch.mode(arrow.predict(x))

    @abstractmethod
    def learn(self, energy: PredictiveCoding, x: Array, y: Array) -> tuple[Factors, Account]:
        """Factors and account of a sample `x` with its label `y`, one-hot."""


class NoInference(AbstractLearning):
    """Backpropagation: the network without inference."""

    def learn(self, energy, x, y):
        """Factors and account of a sample."""
        seen, _ = Backpropagation().learn(energy, x, y, jax.random.key(0))
        return Factors(*seen), account(energy, x, y, Factors(*seen), seen.pre[1])


class Clamped(AbstractLearning):
    """Inference with the label clamped: hidden values take `steps` parallel steps with momentum
    down F, in which the label weighs `strength`; then weights see the value before and the error
    after them, each over the strength, so that they tend to the gradient as it goes to 0.

    With a `quantum` values and errors are sent in spikes, errors in `error_quantum` times the
    strength.
    """

    strength: Float[Array, ""] = parameter(4.0, positive=True)
    quantum: Float[Array, ""] | None = None
    error_quantum: Float[Array, ""] = parameter(0.05, positive=True)
    steps: int = eqx.field(static=True, default=16)

    def hidden(self, energy, x):
        """Hidden values that the label is named by, in quanta if they are spikes."""
        z = super().hidden(energy, x)
        return z if self.quantum is None else self.quantum * jnp.round(z / self.quantum)

    def learn(self, energy, x, y):
        """Factors and account of a sample."""
        first, last = energy.arrows
        above, args = self.above(energy, x), (None, y)
        start = (self.hidden(energy, x), None)
        size = self.size(energy)
        sizes = size, jnp.zeros_like(size)
        spikes = None
        if self.quantum is None:
            z = accelerate(above, start, args, sizes=sizes, steps=self.steps)[0]
        else:
            names = [a.name for a in above.arrows]
            quanta = {names[1]: self.strength * self.error_quantum}
            quantum = self.quantum
            tracking = Tracking(
                above, sizes, (quantum, quantum), quanta, steps=self.steps, averaged=1
            )
            tracking = single(tracking)
            found = tracking.run((first.mismatch.mode(first.predict(x)), None), args)
            z, traffic = found.values[0], found.traffic
            free = traffic.values[0][0]
            spikes = free, traffic.values[0].sum() - free, traffic.errors[names[1]].sum()
        errors = above.errors((z, None), args)
        post = tuple(errors[a.name] / self.strength for a in above.arrows)
        factors = Factors((x, z), post)
        return factors, account(energy, x, y, factors, z, spikes)

    def above(self, energy: PredictiveCoding, x: Array) -> PredictiveCoding:
        """The network above its clamped inputs, whose prediction stays the same: hidden layer and
        label."""
        first, last = energy.arrows
        return PredictiveCoding(
            [
                Arrow(None, 0, Constant(first.predict(x)), Rectified()),
                Arrow(0, 1, last.predict, Categorical(), strength=self.strength),
            ]
        )

    def size(self, energy: PredictiveCoding) -> Float[Array, ""]:
        """Step size: 1 over a bound of the curvature of F in the hidden values."""
        last = tuple(energy.arrows)[1].predict
        assert isinstance(last, DenseMap)
        gram = last.weights @ last.weights.T
        return 1 / (1 + 0.5 * self.strength * jnp.sqrt((gram**2).sum()))


def account(
    energy: PredictiveCoding, x: Array, y: Array, factors: Factors, z: Array, spikes=None
) -> Account:
    """The account of factors that were found at the hidden values `z`."""
    plain, _ = Backpropagation().learn(energy, x, y, jax.random.key(0))

    def product(a: Factors, b: Factors) -> Array:
        """Sum of products of two weight changes, all layers together."""
        rows = zip(a.pre, a.post, b.pre, b.post, strict=True)
        return sum(((p @ q) * (e @ f) for p, e, q, f in rows), jnp.zeros(()))

    one, other = factors, Factors(*plain)
    norm = jnp.sqrt(product(one, one) * product(other, other))
    values = plain.pre[1]
    output = tuple(energy.arrows)[1]
    before, after = (-output.mismatch(y, output.predict(v)) for v in (values, z))
    none = jnp.full((), jnp.nan, x.dtype)
    return Account(
        jnp.linalg.norm(z - values) / jnp.maximum(jnp.linalg.norm(values), 1e-9),
        product(one, other) / jnp.maximum(norm, 1e-12),
        jnp.exp(before),
        jnp.exp(after),
        *((none, none, none) if spikes is None else spikes),
    )
