"""Bidirectional predictive coding: predictions go down, corrections and a first guess go up.

One energy with arrows both ways between pixels, hidden layers and label. The arrows up guess causes
from what is seen; the arrows down, and a prior over the deepest hidden layer, predict what is not
seen. Bidirectional predictive coding: Oliviers, Tang & Bogacz (2025, arXiv:2505.23415); errors
weighted by lateral inhibition: Friston (2005, Phil. Trans. R. Soc. B 360:815).
"""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key, PyTree

from ..._arrays import sized
from ..._require import count, counts, floating, instance, key as one_key, scalar, state as as_state
from ...energies import Arrow, Categorical, Constant, DenseMap, Gaussian, PredictiveCoding
from ...energies.predictive.losses import AbstractMismatch, Rectified
from ...system import Module, parameter
from .networks import check_state
from .phases import Seen


def bidirectional(
    key: Key[Array, ""],
    sizes: tuple[int, ...],
    *,
    mean: Float[Array, " n"] | None = None,
    precisions: tuple[float, ...] | None = None,
) -> PredictiveCoding:
    """Bidirectional network before learning: layers of `sizes`, from pixels to label, that predict
    each other both ways, and a prior over the last hidden one.

    Up: rectified layers and a categorical label, of strength 1. Down: Gaussian hidden layers and
    rectified pixels, with a precision for each layer below the label (default 1e-3). The first
    prediction of pixels is their `mean` (0 by default).

    **Raises:** `ValueError` for less than three layers, or another number of precisions.
    """
    key, sizes = one_key("key", key), counts("sizes", sizes, 3)  # pixels, hidden layers, a label
    depth = len(sizes)
    precisions = (1e-3,) * (depth - 1) if precisions is None else precisions
    if not isinstance(precisions, tuple | list) or len(precisions) != depth - 1:
        raise ValueError(f"precisions must be a number for each of {depth - 1} layers.")
    precisions = tuple(scalar("precisions", p, above=0, finite=True) for p in precisions)
    mean = None if mean is None else floating("mean", mean, sizes[:1], like="sizes", finite=True)

    def dense(k: int, rows: int, columns: int, variance: float, bias=None) -> DenseMap:
        weights = jax.random.normal(jax.random.fold_in(key, k), (rows, columns))
        return DenseMap(jnp.sqrt(variance / columns) * weights, bias)

    top, arrows = depth - 1, []
    for k in range(top):
        last = k + 1 == top
        up = dense(k, sizes[k + 1], sizes[k], 1.0 if last else 2.0)
        arrows.append(Arrow(k, k + 1, up, Categorical() if last else Rectified()))
    for k in reversed(range(top)):
        down = dense(depth + k, sizes[k], sizes[k + 1], 0.25, mean if k == 0 else None)
        precision = jnp.asarray(precisions[k])
        arrows.append(Arrow(k + 1, k, down, Gaussian(precision) if k else Rectified(precision)))
    prior = Constant(jnp.zeros(sizes[top - 1]))
    arrows.append(Arrow(None, top - 1, prior, Gaussian(jnp.asarray(precisions[top - 1]))))
    return PredictiveCoding(arrows)


def descends(arrow: Arrow) -> bool:
    """Whether predictions go down this arrow: a prior's too, which has nothing above it."""
    return arrow.pre is None or arrow.pre > arrow.post


def ascending(energy: PredictiveCoding) -> PredictiveCoding:
    """The network whose descending predictions are cut: only its arrows up."""
    return PredictiveCoding(a for a in energy.arrows if not descends(a))


def with_terms(
    energy: PredictiveCoding,
    losses: Mapping[str, AbstractMismatch] | None = None,
    strengths: Mapping[str, ArrayLike] | None = None,
) -> PredictiveCoding:
    """The network with other losses or strengths of some arrows, by their names.

    **Raises:** `ValueError` for a name that no arrow has.
    """
    losses, strengths = losses or {}, strengths or {}
    unknown = (set(losses) | set(strengths)) - {a.name for a in energy.arrows}
    if unknown:
        raise ValueError(f"losses, strengths: there are no arrows {sorted(unknown)}.")
    return PredictiveCoding(
        Arrow(
            a.pre, a.post, a.predict, losses.get(a.name, a.mismatch), a.feedback,
            jnp.asarray(strengths.get(a.name, a.strength), a.strength.dtype),
        )
        for a in energy.arrows
    )  # fmt: skip


def lateral(covariance: Float[Array, "n n"], ridge: float = 0.02) -> Gaussian:
    """Gaussian loss whose errors inhibit each other through the synapses `covariance` C: at rest
    `(C + r) e = z - mu`, so that e is the error times its precision; r is `ridge` times the mean
    variance.

    C is the running mean of the product of the two errors that a synapse joins, a local rule; the
    inhibition is fast, and its rest is found by one inversion here.
    """
    size = len(covariance)
    floor = ridge * jnp.trace(covariance) / size
    matrix = jnp.linalg.inv(covariance + floor * jnp.eye(size, dtype=covariance.dtype))
    return Gaussian(0.5 * (matrix + matrix.T))


class ClampedPhase(Module):
    """Learning phase of a bidirectional network: pixels and label are clamped, hidden values start
    at the up sweep and take `steps` parallel steps down F, each of `rate` times a unit's drive over
    its stiffness; then every synapse sees the value before it and the error after it.

    All functions are of one sample: `vmap` them.
    """

    rate: Float[Array, ""] = parameter(0.5, positive=True)
    steps: int = eqx.field(static=True, converter=sized("steps", 1), default=4)

    def step(self, energy: PredictiveCoding, z: PyTree, args: PyTree) -> PyTree:
        """One parallel step of all free units."""
        slope, stiff = jax.grad(energy)(z, args), energy.stiffness(z, args)
        return energy.project(jax.tree.map(lambda z, g, h: z - self.rate * g / h, z, slope, stiff))

    def relax(self, energy: PredictiveCoding, args: PyTree) -> PyTree:
        """Hidden values after the steps."""
        z = energy.start(args)
        for _ in range(self.steps):
            z = self.step(energy, z, args)
        return z

    def learn(self, energy: PredictiveCoding, x: Array, y: Array) -> tuple[Seen, Array]:
        """The synapses' factors for pixels `x` and label `y` (one-hot), and F at the end."""
        instance("energy", energy, PredictiveCoding)
        x, y = floating("x", x, ("pixels",)), floating("y", y, ("classes",))
        args = (x, *(None,) * (energy.depth - 2), y)
        try:
            z = self.relax(energy, args)
        except ValueError as error:
            raise ValueError(f"x or y does not fit energy: {error}") from error
        full, errors = energy.full(z, args), energy.errors(z, args)
        pre = tuple(jnp.zeros(()) if a.pre is None else full[a.pre] for a in energy.arrows)
        return Seen(pre, tuple(errors[a.name] for a in energy.arrows)), energy(z, args)


def misfits(energy: PredictiveCoding, y: PyTree, args: PyTree = None) -> dict[str, Array]:
    """What each descending arrow left unpredicted: value less the likeliest under its prediction,
    by name, whatever its precision."""
    z, mus = energy.full(y, args), energy.predictions(y, args)
    arrows = (a for a in energy.arrows if descends(a) and z[a.post] is not None and a.name in mus)
    return {a.name: z[a.post] - a.mismatch.mode(mus[a.name]) for a in arrows}


def step_sizes(energy: PredictiveCoding) -> tuple[Float[Array, "..."], ...]:
    """Step size of each unit of each layer for `accelerate`: 1 over its own curvature, and over
    twice the largest eigenvalue of its layer's block of the curvature so scaled; as a term joins
    two layers, a step of all of them together then lowers F.

    **Raises:** `ValueError` where a map is neither dense and linear nor constant.
    """
    blocks: list = [0.0] * energy.depth
    for a in energy.arrows:
        if isinstance(a.predict, Constant):
            weights, rows = None, a.predict.value
        elif isinstance(a.predict, DenseMap):
            weights, rows = a.predict.weights, a.predict.bias
        else:
            raise ValueError(f"energy: the map of {a.name} must be a DenseMap or a Constant.")
        curvature = a.strength * a.mismatch.curvature(jnp.zeros_like(rows))
        matrix = curvature if curvature.ndim == 2 else jnp.diag(curvature)
        blocks[a.post] = blocks[a.post] + matrix
        if weights is not None and a.pre is not None:
            blocks[a.pre] = blocks[a.pre] + weights.T @ matrix @ weights
    return tuple(_sizes(block) for block in blocks)


def _sizes(block: Float[Array, "n n"]) -> Float[Array, " n"]:
    own = jnp.diagonal(block)
    root = jnp.sqrt(own)
    return 0.5 / (own * jnp.linalg.eigvalsh(block / jnp.outer(root, root))[-1])


def accelerate(
    energy: PredictiveCoding,
    y0: PyTree,
    args: PyTree = None,
    *,
    sizes: tuple[Float[Array, "..."], ...],
    steps: int,
) -> PyTree:
    """Values after parallel descent of F with momentum, in rates (Nesterov 1983, Dokl. Akad. Nauk
    SSSR 269:543), from `y0`; `sizes` are those of `step_sizes`.

    **Raises:** `ValueError` for less than one step.
    """
    instance("energy", energy, PredictiveCoding)
    steps, y0 = count("steps", steps, 1), as_state("y0", y0, real=True)
    if not isinstance(sizes, tuple | list) or len(sizes) != energy.depth:
        raise ValueError(f"sizes must be a tuple, one for each of {energy.depth} layers.")
    each: Any = (None if s is None else floating("sizes", s) for s in sizes)
    sizes = tuple(each)
    check_state(energy, y0, args)
    for layer, (size, values) in enumerate(zip(sizes, y0, strict=True)):
        if values is not None and size is not None and size.shape not in ((), values.shape):
            shapes = f"{values.shape} or be a number, got {size.shape}"
            raise ValueError(f"sizes: that of layer {layer} must have shape {shapes}.")

    def step(carry, t):
        z, before = carry
        ahead = energy.project(jax.tree.map(lambda a, b: a + t / (t + 3) * (a - b), z, before))
        slope = jax.grad(energy)(ahead, args)
        after = tuple(
            None if a is None else a - size * g
            for a, g, size in zip(ahead, slope, sizes, strict=True)
        )
        return (energy.project(after), z), None

    time = jnp.arange(steps, dtype=jax.tree.leaves(y0)[0].dtype)
    return jax.lax.scan(step, (y0, y0), time)[0][0]
