"""A readout of fixed random rectified units: a point, and a posterior that is at rest."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.ndimage import rotate

from bpcjax import energies as en, learning

from ..common.scores import scores

METHODS = "point", "mean", "average"
SHIFTS = "plain", "noise", "rotation"
MEASURES = "accuracy", "nll", "ece"


@partial(jax.jit, static_argnums=3)
def posterior(a, z, precision, steps: int):
    """Posterior of independent synapses, and F [steps] after each step."""
    prior = en.SynapticNormal(jnp.zeros((z.shape[1], a.shape[1])), precision, en.Categorical())
    rule = learning.natural_gradient(prior.natural(), 1.0, 0.05)

    def step(eta, _):
        q = prior.at(eta)
        free = jax.vmap(q.expected_energy)(z, a).sum() + q.kl(prior)
        change, _ = rule.update(q.statistics(z, a), rule.init(eta), eta)
        return optax.apply_updates(eta, change), free

    eta, free = jax.lax.scan(step, prior.natural(), None, length=steps)
    return prior.at(eta), free


@partial(jax.jit, static_argnums=3)
def point(a, z, precision, steps: int):
    """Point estimate: the most probable weights [classes, units]."""
    optimiser = optax.adam(0.02)

    def loss(w):
        each = jax.vmap(lambda z, a: en.Categorical()(z, w @ a))(z, a)
        return each.sum() + 0.5 * precision * jnp.sum(w**2)

    def step(carry, _):
        w, state = carry
        change, state = optimiser.update(jax.grad(loss)(w), state)
        return (optax.apply_updates(w, change), state), None

    w = jnp.zeros((z.shape[1], a.shape[1]))
    return jax.lax.scan(step, (w, optimiser.init(w)), None, length=steps)[0][0]


def measure(
    images, count: int, seed: int, *, units: int, precision: float, steps: int, draws: int
) -> dict[str, np.ndarray]:
    """Metrics of one split: `scores` [shift, method, measure], and means of `unsure` [shift,
    epistemic or not]."""
    rng = np.random.default_rng([seed, count])
    order = rng.permutation(len(images.labels))
    train, test = order[:count], order[count : count + 700]
    pixels = np.asarray(images.pixels, float) / np.max(images.pixels)
    x, tests = pixels[train], pixels[test]
    mean, size = x.mean(axis=0).ravel(), x[0].size
    hidden = rng.normal(size=(size, units)) * 2 / np.sqrt(size)

    def rectified(x):
        return np.maximum((x.reshape(len(x), -1) - mean) @ hidden, 0)

    scale = rectified(x).std()

    def features(x):
        return jnp.asarray(np.c_[rectified(x) / scale, np.ones(len(x))])

    a, z = features(x), jax.nn.one_hot(images.labels[train], 10)
    q, free = posterior(a, z, precision, steps)
    w = point(a, z, precision, steps)
    keys = jax.random.split(jax.random.key(seed), draws)
    samples = jax.vmap(lambda key: q.sample(key)[0])(keys)
    shifted = {
        "plain": tests,
        "noise": tests + 0.3 * rng.normal(size=tests.shape),
        "rotation": rotate(tests, 30, axes=(1, 2), reshape=False, order=1),
    }
    tables, unsure = [], []
    for name in SHIFTS:
        b = features(shifted[name])
        each = jax.nn.softmax(jnp.einsum("kij,nj->kni", samples, b), axis=-1)
        average = each.mean(axis=0)
        outputs = b @ w.T, b @ q.mean.T, jnp.log(average)
        rows = [scores(np.asarray(o), images.labels[test]) for o in outputs]
        tables.append([[row[m] for m in MEASURES] for row in rows])
        total = -(average * jnp.log(average + 1e-30)).sum(axis=-1).mean()
        noise = -(each * jnp.log(each + 1e-30)).sum(axis=-1).mean()
        unsure.append([float(total - noise), float(noise)])
    return {
        "scores": np.array(tables),
        "unsure": np.array(unsure),
        "rest": np.asarray(free[-101] - free[-1]) / np.asarray(free[0] - free[-1]),
    }
