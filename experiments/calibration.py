"""Does a posterior over weights tell what it does not know?

A readout of fixed random rectified units learns classes under the same normal prior in two ways:
the most probable weights (a point), and independent synapses with means and variances (variational
online Newton, over all samples at once, until F rests: the curvature is in equilibrium). Asked are
held-out images, plain, with noise, and turned: accuracy, negative log likelihood, calibration
error of the point, of the posterior's mean, and of the average over draws of its weights. What is
not known is the mutual information of answer and weights (epistemic); the rest is aleatoric.

    python -m experiments.calibration             # results/calibration.zarr and a picture
    python -m experiments.calibration --quick
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from scipy.ndimage import rotate

from bpcjax import energies as en, learning

from . import InputError, study
from .data import load
from .learn_measure import scores
from .study import Parts

NAME = "calibration"
METHODS = "point", "mean", "average"
SHIFTS = "plain", "noise", "rotation"
MEASURES = "accuracy", "nll", "ece"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Calibration of a readout."""

    sets: tuple[str, ...] = ("digits", "mnist", "fashion_mnist")
    """Images: digits, mnist, fashion_mnist."""
    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    samples: tuple[int, ...] = (100, 700)
    """How many images to learn from."""
    units: int = 200
    """Random rectified units."""
    precision: float = 20.0
    """Of the prior over each weight."""
    steps: int = 1500
    """Of learning."""
    draws: int = 64
    """Networks to average over."""
    seeds: int = 3
    """Splits."""


@partial(jax.jit, static_argnums=3)
def posterior(a, z, precision, steps: int):
    """Independent synapses, and F after each step."""
    prior = en.SynapticNormal(jnp.zeros((z.shape[1], a.shape[1])), precision, en.Categorical())
    rule = learning.natural_gradient(prior.natural(), 1.0, 0.05)

    def step(eta, _):
        q = prior.at(eta)
        free = jax.vmap(q.expected_energy)(z, a).sum() + q.kl(prior)
        moved, _ = rule.update(q.statistics(z, a), rule.init(eta), eta)
        return optax.apply_updates(eta, moved), free

    eta, free = jax.lax.scan(step, prior.natural(), None, length=steps)
    return prior.at(eta), free


@partial(jax.jit, static_argnums=3)
def point(a, z, precision, steps: int):
    """The most probable weights."""
    optimiser = optax.adam(0.02)

    def loss(w):
        each = jax.vmap(lambda z, a: en.Categorical()(z, w @ a))(z, a)
        return each.sum() + 0.5 * precision * jnp.sum(w**2)

    def step(carry, _):
        w, state = carry
        moved, state = optimiser.update(jax.grad(loss)(w), state)
        return (optax.apply_updates(w, moved), state), None

    w = jnp.zeros((z.shape[1], a.shape[1]))
    return jax.lax.scan(step, (w, optimiser.init(w)), None, length=steps)[0][0]


def measure(config: Config, images, count: int, seed: int) -> dict[str, np.ndarray]:
    """`scores` [shift, method, measure], and means of `unsure` [shift, epistemic or not]."""
    rng = np.random.default_rng([seed, count])
    order = rng.permutation(len(images.labels))
    train, test = order[:count], order[count : count + 700]
    pixels = np.asarray(images.pixels, float) / np.max(images.pixels)
    known, asked = pixels[train], pixels[test]
    mean, size = known.mean(axis=0).ravel(), known[0].size
    hidden = rng.normal(size=(size, config.units)) * 2 / np.sqrt(size)

    def units(x):
        return np.maximum((x.reshape(len(x), -1) - mean) @ hidden, 0)

    scale = units(known).std()

    def features(x):
        return jnp.asarray(np.c_[units(x) / scale, np.ones(len(x))])

    a, z = features(known), jax.nn.one_hot(images.labels[train], 10)
    q, free = posterior(a, z, config.precision, config.steps)
    w = point(a, z, config.precision, config.steps)
    keys = jax.random.split(jax.random.key(seed), config.draws)
    drawn = jax.vmap(lambda key: q.sample(key)[0])(keys)
    shifted = {
        "plain": asked,
        "noise": asked + 0.3 * rng.normal(size=asked.shape),
        "rotation": rotate(asked, 30, axes=(1, 2), reshape=False, order=1),
    }
    found, unsure = [], []
    for name in SHIFTS:
        b = features(shifted[name])
        each = jax.nn.softmax(jnp.einsum("kij,nj->kni", drawn, b), axis=-1)
        average = each.mean(axis=0)
        outputs = b @ w.T, b @ q.mean.T, jnp.log(average)
        table = [scores(np.asarray(o), images.labels[test]) for o in outputs]
        found.append([[row[m] for m in MEASURES] for row in table])
        total = -(average * jnp.log(average + 1e-30)).sum(axis=-1).mean()
        noise = -(each * jnp.log(each + 1e-30)).sum(axis=-1).mean()
        unsure.append([float(total - noise), float(noise)])
    return {
        "scores": np.array(found),
        "unsure": np.array(unsure),
        "rest": np.asarray(free[-101] - free[-1]) / np.asarray(free[0] - free[-1]),
    }


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All sets, numbers of images and splits.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    if min(config.seeds, config.draws, config.units, *config.samples) < 1 or config.steps < 200:
        raise InputError("seeds, draws, units and samples must be positive, steps at least 200.")
    seeds = min(config.seeds, 2) if config.quick else config.seeds
    names = ("digits",) if config.quick else config.sets
    found = []
    for name in names:
        images = load(name, config.data_dir)
        for count in config.samples:
            found += [
                parts(f"{name} {count} {s}", lambda i=images, c=count, s=s:
                      measure(config, i, c, s))
                for s in range(seeds)
            ]  # fmt: skip
    shape = len(names), len(config.samples), seeds
    stack = {k: np.array([f[k] for f in found]) for k in found[0]}
    stack = {k: v.reshape(*shape, *v.shape[1:]) for k, v in stack.items()}
    axes = "set", "samples", "split"
    return xr.Dataset(
        {
            "scores": ((*axes, "shift", "reading", "measure"), stack["scores"]),
            "unsure": ((*axes, "shift", "part"), stack["unsure"]),
            "rest": (axes, stack["rest"]),
        },
        {
            "set": list(names), "samples": list(config.samples), "shift": list(SHIFTS),
            "reading": list(METHODS), "measure": list(MEASURES),
            "part": ["epistemic", "aleatoric"],
        },
    )  # fmt: skip


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Means over splits; how many conditions the average wins in NLL by twice its error."""
    result, won, of = {}, 0, 0
    for name in dataset.set.values:
        for count in dataset.samples.values:
            here = dataset.sel(set=name, samples=count)
            result[f"{name}, {count}: F still to fall in 100 steps"] = float(abs(here.rest).max())
            for shift in SHIFTS:
                table = here.scores.sel(shift=shift)
                for row in METHODS:
                    for m in MEASURES:
                        value = table.sel(reading=row, measure=m).mean()
                        result[f"{name}, {count}, {shift}: {row}, {m}"] = float(value)
                nll = table.sel(measure="nll")
                gain = nll.sel(reading="point") - nll.sel(reading="average")
                won += float(gain.mean()) > 2 * float(gain.std()) / np.sqrt(gain.size)
                of += 1
                part = here.unsure.sel(shift=shift, part="epistemic").mean()
                result[f"{name}, {count}, {shift}: epistemic, nats"] = float(part)
    return result | {"conditions": float(of), "average beats point in nll": float(won)}


def _figure():
    from figures import calibration

    return calibration


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)


if __name__ == "__main__":
    main()
