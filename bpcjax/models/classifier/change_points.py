"""Change-point filter over classes: who is there now, and since when, where nobody says that the
last one has left."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ..._arrays import is_traced
from ..._require import as_real, floating, indices, number
from ...system import Module, as_parameter


class ChangePoints(NamedTuple):
    """Change-point posterior of T frames: `joint` [T, C, R], of the class and of the run length, in
    frames since the first of the recording; the last one stands for R - 1 or more."""

    joint: Float[Array, "T C R"]

    @property
    def posterior(self) -> Float[Array, "T C"]:
        """Posterior of the class."""
        return self.joint.sum(axis=2)

    @property
    def run_length(self) -> Float[Array, "T R"]:
        """Posterior of the run length."""
        return self.joint.sum(axis=1)


class ChangePointFilter(Module):
    """Change-point filter: the forward filter of a hidden Markov model whose state is the class c,
    of C, and the run length r, in frames since its recording began (Adams & MacKay 2007,
    arXiv:0710.3742, with evidence that depends on r).

    At each frame the recording goes on, or, with the probability `hazard` (a number, or one for
    each run length [R]), another one begins, whose class is drawn from the prior. A frame brings
    the evidence [C, K], log likelihoods up to what all share, of classes in each of K phases;
    `phase` [R] is the phase of each run length, and the last run length stays until the next
    recording. R = K = 1 is a filter without phases: for two classes the log odds of Glaze, Kable &
    Gold (2015, eLife 4:e08825), which leak by the hazard.

    Each (c, r) is a unit of a chain: it hands on its value to the next, less what the hazard takes,
    and adds its evidence; all are divided by their sum. A frame whose evidence is NaN, or refutes
    all, is left out.
    """

    log_prior: Float[Array, " C"]
    hazard: Float[Array, "*R"]
    phase: Int[Array, " R"]

    def __init__(
        self,
        prior: ArrayLike | Sequence[float],
        hazard: ArrayLike | Sequence[float],
        phase: ArrayLike | Sequence[int] = (0,),
    ):
        """**Raises:** `ValueError` naming the argument that makes no sense."""
        shares = as_parameter(floating("prior", prior, least=0))
        hazards = as_parameter(floating("hazard", hazard, least=0, most=1))
        phases = indices("phase", phase)
        if shares.ndim != 1 or not shares.size:
            raise ValueError(f"prior must have shape [C], one entry a class, got {shares.shape}.")
        if phases.ndim != 1 or not phases.size:
            raise ValueError(f"phase must have shape [R], got {phases.shape}.")
        if hazards.shape not in ((), phases.shape):
            raise ValueError(
                f"hazard must be a number or have shape {phases.shape}, got {hazards.shape}."
            )
        if not is_traced(shares) and not 0 < float(shares.sum()) < np.inf:
            raise ValueError(f"prior must be probabilities, got {shares}.")
        if not is_traced(phases) and bool((phases < 0).any()):
            raise ValueError(f"phase must be indices from 0 on, got {phases}.")
        self.log_prior = jnp.log(shares / shares.sum())
        self.hazard, self.phase = hazards, phases

    def start(self) -> Float[Array, "C R"]:
        """Log probabilities before any frame: a recording begins with the first one."""
        log = jnp.full((len(self.log_prior), len(self.phase)), -jnp.inf, self.log_prior.dtype)
        return log.at[:, 0].set(self.log_prior)

    def step(
        self, ahead: Float[Array, "C R"], evidence: Float[Array, "C K"]
    ) -> tuple[Float[Array, "C R"], Float[Array, "C R"]]:
        """Log probabilities of class and run length at the next frame, and at this one, from those
        `ahead` of it and its evidence."""
        seen = evidence[:, self.phase]
        total = jax.nn.logsumexp(ahead + seen)
        log = ahead + jnp.where(jnp.isfinite(total), seen - total, 0)
        hazard = jnp.broadcast_to(self.hazard, log.shape)
        goes = log + jnp.log1p(-hazard)
        none = jnp.full_like(log, -jnp.inf)
        moved = none.at[:, 1:].set(goes[:, :-1])
        stays = none.at[:, -1].set(goes[:, -1])
        onset = self.log_prior + jax.nn.logsumexp(log + jnp.log(hazard))
        return jnp.logaddexp(jnp.logaddexp(moved, stays), none.at[:, 0].set(onset)), log

    def __call__(self, evidence: ArrayLike) -> ChangePoints:
        """Posteriors at T frames with the `evidence` [T, C, K]; `vmap` it for streams.

        **Raises:** `ValueError` for evidence of another shape.
        """
        log = as_real(evidence, self.log_prior.dtype, "evidence")
        count = len(self.log_prior)
        if log.ndim != 3 or log.shape[1] != count:
            raise ValueError(f"evidence must have shape [T, {count}, K], got {log.shape}.")
        if not is_traced(self.phase) and int(self.phase.max()) >= log.shape[2]:
            raise ValueError(
                f"evidence is of {log.shape[2]} phases, but phase goes to {int(self.phase.max())}."
            )
        rows = jax.lax.scan(lambda ahead, row: self.step(ahead, row), self.start(), log)[1]
        return ChangePoints(jnp.exp(rows))


def answers(joint: ArrayLike, alpha: ArrayLike) -> Int[Array, " T"]:
    """Answers [T] at the error rate `alpha`, a class or -1 for none, from the posterior `joint`
    [T, C, R] of class and run length.

    An answer is given at the first frame at which one class, in a recording that began after the
    last answer, has at least the probability 1 - alpha. Where the posterior is right, so is an
    answer, and the first to its recording, with at least that probability. The last run length (R
    - 1 or more) counts before the first answer only.

    **Raises:** `ValueError` for another shape, or where `alpha` is no probability below 1.
    """
    shares = floating("joint", joint, ("T", "C", "R"))
    alpha = number("alpha", alpha, least=0, below=1)
    level, count = 1 - jnp.asarray(alpha, shares.dtype), shares.shape[2]
    lengths = jnp.arange(count)

    def step(elapsed, now):
        fresh = (lengths < jnp.minimum(elapsed, count - 1)) | (elapsed < 0)
        share = jnp.where(fresh[None], now, 0).sum(axis=1)
        answered = share.max() >= level
        after = jnp.where(answered, 1, jnp.where(elapsed < 0, -1, elapsed + 1))
        return after, jnp.where(answered, share.argmax(), -1).astype(jnp.int32)

    return jax.lax.scan(step, jnp.array(-1), shares)[1]


def scaled_evidence(
    outputs: ArrayLike,
    log_prior: ArrayLike,
    *,
    of_class: ArrayLike = 1.0,
    of_phase: ArrayLike = 1.0,
) -> Float[Array, "... C K"]:
    """Scaled likelihoods: the evidence for class and phase in what a network says of them.

    A network that names class and phase at once, with the log-softmax `outputs` [..., C, K], and
    has learned at their frequencies `exp(log_prior)` [C, K], gives by Bayes' rule the likelihood of
    its input up to a factor: posterior over prior (Bourlard & Morgan 1994, Connectionist Speech
    Recognition). That of the phase and that of the class given the phase are multiplied by
    `of_phase` and `of_class`: below 1 where frames one after another tell the same again.
    """
    log, prior = floating("outputs", outputs), floating("log_prior", log_prior, ("C", "K"))
    if log.shape[-2:] != prior.shape:
        raise ValueError(f"outputs must end with {prior.shape}, as log_prior, got {log.shape}.")
    prior = jax.nn.log_softmax(prior, axis=(0, 1))
    log = jax.nn.log_softmax(log, axis=(-2, -1))
    phase = jax.nn.logsumexp(log, axis=-2, keepdims=True)
    common = jax.nn.logsumexp(prior, axis=0, keepdims=True)
    lift = tuple(range(log.ndim - 2))
    within = jnp.expand_dims(prior - common, lift)
    gains = number("of_phase", of_phase), number("of_class", of_class)
    return gains[0] * (phase - jnp.expand_dims(common, lift)) + gains[1] * (log - phase - within)
