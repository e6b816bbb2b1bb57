"""Who said it: a delay memory of the training recordings, by its posterior and by its spikes, and
what reads rasters without one."""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bpcjax import cost
from bpcjax.cost import Counts
from bpcjax.energies import DelayHopfield
from bpcjax.models import SpikingHopfield, event_path

from ..common.data import Split
from ..common.linear_readouts import baselines
from .rasters import raster, rotated, shifted

BETAS = 10.0 ** np.arange(-2.5, 1.1, 0.5)  # precisions to choose from
SPIKES = 1, 4, 16
DRAWING, RECALLING = 100.0, 4.0  # spikes a time constant: the raster stays, or is recalled
COPIES = 2  # of each training recording, at random times, for readouts that know none
BATCH = 100  # queries at once

METHODS = (
    "delay memory, posterior",
    *(f"delay memory, {n} spike{'s' if n > 1 else ''}" for n in SPIKES),
    f"delay memory, {max(SPIKES)} spikes that recall",
    "memory without delays",
    "linear readout",
    "linear readout of sums",
    "nearest neighbour",
)


def memory_of(split: Split, beta: float) -> DelayHopfield:
    """The memory that holds these recordings, by a flat prior: nothing is trained."""
    x = jnp.asarray(raster(split.x))
    return DelayHopfield(x, jnp.asarray(beta, x.dtype), -0.5 * jnp.sum(x * x, axis=(1, 2)))


def without_delays(split: Split) -> Split:
    """The recordings as one step of many lines: a memory of them knows one shift, none."""
    return split._replace(x=split.x.reshape(len(split.x), -1, 1))


@eqx.filter_jit
def class_posterior(energy: DelayHopfield, owns: jax.Array, queries: jax.Array) -> jax.Array:
    """Log posterior [q, K] of classes, where memory p belongs to class k as `owns` [P, K] says:
    summed over memories and shifts."""

    def one(query):
        log_p = energy.log_marginal(query)
        return jax.nn.logsumexp(jnp.where(owns, log_p[:, None], -jnp.inf), axis=0)

    return jax.lax.map(one, queries, batch_size=BATCH)


@eqx.filter_jit
def recall(energy: DelayHopfield, queries: jax.Array, key: jax.Array, rate: jax.Array):
    """Winners [q, S] of the spiking memory, and the raster [q, N, D] at the last spike."""
    memory = SpikingHopfield(energy, rate)

    def one(pair):
        path = event_path(memory, pair[0], pair[1], spikes=max(SPIKES))
        return path.winners, path.x, path.ok

    keys = jax.random.split(key, len(queries))
    return jax.lax.map(one, (queries, keys), batch_size=BATCH)


def owners(split: Split) -> jax.Array:
    """Which memory belongs to which class [P, K]."""
    return jnp.asarray(split.labels[:, None] == np.arange(split.classes))


def chosen_beta(train: Split) -> float:
    """The precision with the best log loss on a fifth of the training set, by the rest of it."""
    held = np.arange(len(train.x)) % 5 == 0
    rest, asked = (
        train._replace(x=train.x[part], labels=train.labels[part]) for part in (~held, held)
    )
    queries, owns = jnp.asarray(raster(asked.x)), owners(rest)

    def loss(beta: float) -> float:
        log_p = np.asarray(class_posterior(memory_of(rest, beta), owns, queries))
        return -float(np.mean(log_p[np.arange(len(asked.labels)), asked.labels]))

    return float(min(BETAS, key=loss))


def votes(labels: np.ndarray, classes: int) -> np.ndarray:
    """The class [q] of most of the spikes' labels [q, S]; of a tie, the first spike's if it is
    among them."""
    counts = (labels[:, :, None] == np.arange(classes)).sum(axis=1)
    return (counts + 0.5 * (labels[:, :1] == np.arange(classes))).argmax(axis=1)


def answers(train: Split, test: Split, late: bool, seed: int) -> dict[str, np.ndarray]:
    """Which recordings each method gets `right` [method, n]; the precision of both memories; the
    example: a recording heard, recalled by spikes, and what its last spike stands for."""
    rng = np.random.default_rng([seed, 700 + late])
    if late:
        test = shifted(test, rng)
    beta, classes = chosen_beta(train), test.classes
    energy, queries = memory_of(train, beta), jnp.asarray(raster(test.x))
    right = [np.asarray(class_posterior(energy, owners(train), queries)).argmax(1) == test.labels]
    for rate, numbers in ((DRAWING, SPIKES), (RECALLING, SPIKES[-1:])):
        rate = jnp.asarray(rate, queries.dtype)
        winners, recalled, ok = jax.device_get(recall(energy, queries, jax.random.key(seed), rate))
        if not ok.all():
            raise FloatingPointError("a path of the spiking memory failed: ok is False.")
        memory, shift = map(np.asarray, energy.hypothesis(winners))
        right += [votes(train.labels[memory[:, :n]], classes) == test.labels for n in numbers]
    flat, asked = without_delays(train), without_delays(test)
    other = chosen_beta(shifted_flat(train, rng) if late else flat)
    fixed = class_posterior(memory_of(flat, other), owners(flat), jnp.asarray(raster(asked.x)))
    right.append(np.asarray(fixed).argmax(1) == test.labels)
    own = shifted(train, rng, COPIES) if late else train
    right += readouts(own, train, test)
    k = int(np.argmax(right[len(SPIKES) + 1]))  # the first one recalled rightly
    return {
        "right": np.stack(right),
        "beta": np.array([beta, other]),
        "picojoules": operations(train, test, len(own.x)),
        "heard": raster(test.x[k]),
        "recalled": recalled[k],
        "stored": np.asarray(energy.pattern(winners[k, -1])),
        "spiked": np.stack([train.labels[memory[k]], shift[k]]),
        "label": np.asarray(test.labels[k]),
    }


def shifted_flat(train: Split, rng: np.random.Generator) -> Split:
    """The recordings without delays, the held-out fifth at random times: as the test comes."""
    held = (np.arange(len(train.x)) % 5 == 0)[:, None, None]
    x = np.where(held, shifted(train, rng).x, train.x)
    return without_delays(train._replace(x=x))


def readouts(own: Split, train: Split, test: Split) -> list[np.ndarray]:
    """Linear readouts of rasters and of their sums over time, and the nearest neighbour."""
    roots = [part._replace(x=raster(part.x)) for part in (own, test)]
    linear, nearest = baselines(*rotated(*roots))
    sums = [part._replace(x=raster(part.x.sum(axis=-1))) for part in (train, test)]
    return [linear, baselines(*sums)[0], nearest]


def operations(train: Split, test: Split, neighbours: int) -> np.ndarray:
    """Energies [price, method] of a recording of the test (pJ), arithmetic alone, in fp32 and int8:
    at mean numbers of events, with zeros spared wherever that is cheaper."""
    count, lines, steps = train.x.shape
    heard, stored = ((part.x > 0).astype(float) for part in (test, train))
    pairs = float(heard.sum(2).mean(0) @ stored.sum(2).sum(0))  # at any shift
    inputs = float(heard.sum((1, 2)).mean())
    fft = steps * math.log2(max(steps, 2))  # multiply-accumulates of a line: real, radix 2
    transforms = (lines + count) * fft + 4 * count * lines * (steps // 2 + 1)
    scores = Counts(macs=min(pairs, transforms))
    hypotheses = count * steps
    softmax = Counts(adds=hypotheses, exps=hypotheses)
    draws = functools.partial(cost.spiking, 0, width=0, memories=hypotheses, reads=False)
    classes = test.classes
    every = [
        scores + softmax,
        *(scores + draws(n) for n in (*SPIKES, SPIKES[-1])),
        Counts(macs=float(heard.mean(0).ravel() @ stored.sum(0).ravel()), adds=count, exps=count),
        Counts(macs=inputs * classes),
        Counts(adds=inputs, macs=float((heard.sum(2) > 0).sum(1).mean()) * classes),
        Counts(macs=inputs * neighbours, adds=neighbours),
    ]
    ledgers = cost.Ledger(cost.FP32), cost.Ledger(cost.INT8)
    return np.array([[ledger.energy(each) for each in every] for ledger in ledgers])
