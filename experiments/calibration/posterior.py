"""Posteriors over all the synapses of a network trained by spikes, from its local products.

The network sees samples in the nudged phases with each of the labels, weighed by what it predicts
of them. The mean square of a synapse's product of error and activity is then the curvature of the
negative log likelihood (Fisher's information): `each` keeps those squares alone, `matrix` the
products of activities before and of errors behind a layer (Martens & Grosse 2015, arXiv:1503.05671;
Ritter, Botev & Barber 2018, ICLR). Both add a prior of one precision.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import softmax

from bpcjax.energies import Categorical, DenseMap, PredictiveCoding, SynapticNormal
from bpcjax.models import NudgedPhases

from ..common.predictive import with_maps
from ..common.scores import in_batches, scores


class Layer(NamedTuple):
    """Statistics of the synapses into a layer, biases last: their `mean` [m, n], and means over
    samples of squared products `square` [m, n], of products `pre` [n, n] and `post` [m, m]."""

    mean: np.ndarray
    square: np.ndarray
    pre: np.ndarray
    post: np.ndarray


@eqx.filter_jit
def _outputs(energy: PredictiveCoding, phases: NudgedPhases, x):
    return jax.vmap(lambda x: phases.values(energy, x)[1][-1])(x)


def outputs(energy: PredictiveCoding, phases: NudgedPhases, x: np.ndarray) -> np.ndarray:
    """Outputs [n, classes] at rest, without labels."""
    flat = x.reshape(len(x), -1).astype(np.float32)
    return in_batches(lambda x: _outputs(energy, phases, x), flat)[0].astype(float)


@eqx.filter_jit
def _products(energy: PredictiveCoding, phases: NudgedPhases, x, key):
    share = jax.nn.softmax(_outputs(energy, phases, x))
    one_hot = jnp.eye(share.shape[1], dtype=x.dtype)

    def learn(x, y, key):
        return phases.learn(energy, x, y, key)[0]

    keys = jax.random.split(key, share.shape)
    activity = jax.vmap(jax.vmap(learn, (None, 0, 0)), (0, None, 0))(x, one_hot, keys)

    def sums(a, e):
        a = jnp.concatenate([a, jnp.ones_like(a[..., :1])], axis=-1)
        a, e, by = a.reshape(-1, a.shape[-1]), e.reshape(-1, e.shape[-1]), share.reshape(-1, 1)
        return (by * e**2).T @ a**2, (by * a).T @ a, (by * e).T @ e

    pre = [jnp.broadcast_to(a, (*share.shape, a.shape[-1])) for a in activity.pre]
    return [sums(a, e) for a, e in zip(pre, activity.post, strict=True)]


def layers(
    energy: PredictiveCoding, phases: NudgedPhases, x: np.ndarray, key, size: int = 100
) -> list[Layer]:
    """Local products of a network on samples `x` [n, ...], layer by layer, in batches of `size`."""
    flat = x.reshape(len(x), -1).astype(np.float32)
    starts = range(0, len(flat) // size * size, size)
    total = None
    for k in starts:
        sums = _products(energy, phases, flat[k : k + size], jax.random.fold_in(key, k))
        sums = jax.tree.map(lambda a: np.asarray(a, float), sums)
        total = sums if total is None else jax.tree.map(np.add, total, sums)
    if total is None:
        raise ValueError(f"x: {len(x)} samples are less than a batch of {size}.")
    maps = [a.predict for a in energy.arrows if isinstance(a.predict, DenseMap)]
    means = [np.c_[np.asarray(m.weights, float), np.asarray(m.bias, float)] for m in maps]
    count = len(starts) * size
    return [Layer(m, *(s / count for s in t)) for m, t in zip(means, total, strict=True)]


class Posterior(NamedTuple):
    """Normal posterior of one kind: the eigenvalues of its curvature over `count` samples, and how
    to rotate what is independent (unit normal over the root of these) into weights."""

    mean: list[np.ndarray]
    values: list[np.ndarray]
    rotate: Callable[[int, np.ndarray], np.ndarray]

    def evidence(self) -> float:
        """The precision of the prior that Laplace's evidence prefers: the number of well-known
        directions over the sum of squared weights (MacKay 1992, Neural Comput. 4:415)."""
        values = np.concatenate([v.ravel() for v in self.values])
        square = sum(float((m**2).sum()) for m in self.mean)
        precision = 1.0
        for _ in range(300):
            precision = float((values / (values + precision)).sum()) / square
        return precision

    def draw(self, energy: PredictiveCoding, precision: float, draws: int, seed: int) -> list:
        """Networks with weights of the posterior under a prior of that precision."""
        rng, networks = np.random.default_rng(seed), []
        for _ in range(draws):
            maps = []
            for k, (mean, values) in enumerate(zip(self.mean, self.values, strict=True)):
                prior = SynapticNormal(np.zeros_like(mean), values + precision, Categorical())
                normal, _ = prior.sample(jax.random.key(int(rng.integers(2**31))))
                w = (mean + self.rotate(k, np.asarray(normal))).astype(np.float32)
                maps.append(DenseMap(w[:, :-1], w[:, -1]))
            networks.append(with_maps(energy, tuple(maps)))
        return networks


def each(stats: list[Layer], count: int) -> Posterior:
    """Diagonal posterior: every synapse by itself."""
    values = [count * layer.square for layer in stats]
    return Posterior([layer.mean for layer in stats], values, lambda k, x: x)


def matrix(stats: list[Layer], count: int) -> Posterior:
    """Kronecker posterior: synapses of a layer together, in the directions of the activity before
    and of errors behind it."""
    pre = [np.linalg.eigh(layer.pre) for layer in stats]
    post = [np.linalg.eigh(layer.post) for layer in stats]
    values = [
        count * np.outer(np.maximum(e, 0), np.maximum(a, 0))
        for (a, _), (e, _) in zip(pre, post, strict=True)
    ]
    axes = [(e, a.T) for (_, a), (_, e) in zip(pre, post, strict=True)]
    return Posterior(
        [layer.mean for layer in stats], values, lambda k, x: axes[k][0] @ x @ axes[k][1]
    )


def predict(
    networks: list, phases: NudgedPhases, x: np.ndarray, temperature: float = 1.0
) -> np.ndarray:
    """Probabilities [network, n, classes] of each network."""
    values = np.stack([outputs(net, phases, x) for net in networks])
    return softmax(values / temperature, axis=-1)


def loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """NLL of the average over networks, of probabilities [network, n, classes]."""
    return scores(np.log(probabilities.mean(axis=0) + 1e-30), labels)["nll"]
