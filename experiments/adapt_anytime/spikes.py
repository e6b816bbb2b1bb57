"""A network that learns and answers by spikes while the law of its recordings changes."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from bpcjax.energies import PredictiveCoding
from bpcjax.learning import hebbian, momentum
from bpcjax.models import NudgedPhases

from ..common.precision import single
from ..common.predictive import Training, network, with_maps
from .events import BATCH, CLASSES, Task

HIDDEN = 256
RATE, WARM = 0.1, 20
AVERAGE = 0.05  # the share of the last batch in the running average of weights
INPUT = 0.25  # what one spike of the input adds
DECAYS = 0.0, 0.003  # of weights at each batch, in units of the rate


def start(size: int, seed: int) -> PredictiveCoding:
    """A network of one hidden layer, before it has learned."""
    settings = Training(hidden=(HIDDEN,))
    return network(jax.random.key(seed), (size,), CLASSES, settings)


@eqx.filter_jit
def learn(
    net: PredictiveCoding,
    phases: NudgedPhases,
    decay: float,
    x: Float[Array, "T b n"],
    labels: Float[Array, "T b c"],
    tests: Float[Array, "p q n"],
    asked: Int[Array, " T"],
    key: Array,
) -> tuple[Array, Array]:
    """A network through batches in their order, by spikes and local products at a constant rate.

    Gives the answers [T, q] of the running average of its weights to `tests` after those batches
    that `asked` marks (-1: none, and -1 is the answer), and its hidden spikes for a test [T].
    """
    rule = momentum(lambda count: RATE * jnp.minimum(1.0, (count + 1) / WARM), decay=decay)
    forward: Any = tuple(a.predict for a in net.arrows)

    def step(carry, seen):
        forward, state, mean = carry
        x, labels, which, key = seen
        now = with_maps(net, forward)
        keys = jax.random.split(key, len(x))
        found, _ = jax.vmap(lambda x, y, key: phases.learn(now, x, y, key))(x, labels, keys)
        products: Any = tuple(map(hebbian, forward, found.pre, found.post))
        moved, state = rule.update(products, state, forward)
        after: Any = optax.apply_updates(forward, moved)
        mean = optax.incremental_update(after, mean, AVERAGE)

        def ask():
            now = with_maps(net, mean)
            z, mus = jax.vmap(lambda x: phases.values(now, x))(tests[which])
            return mus[-1].argmax(axis=1), z[1].sum(axis=1).mean() / phases.quantum

        def none():
            return jnp.full(tests.shape[1], -1), jnp.zeros((), x.dtype)

        return (after, state, mean), jax.lax.cond(which >= 0, ask, none)

    keys = jax.random.split(key, len(x))
    return jax.lax.scan(step, (forward, rule.init(forward), forward), (x, labels, asked, keys))[1]


def drift(task: Task, passes: int, seed: int, k: int) -> dict[str, np.ndarray]:
    """How many recordings held out the network names right through the stream, for each decay:
    half of `passes` before the drift, all of them after it."""
    rng = np.random.default_rng([seed, 4, k])
    order = rng.permutation(len(task.labels))
    held = len(order) // 4
    test, train = order[:held], order[held:]
    train = train[: len(train) // BATCH * BATCH]
    scale = 1 / np.sqrt((task.before[train] ** 2).mean())

    def spikes(features):
        return (INPUT * np.round(scale * features / INPUT)).astype(np.float32)

    def stream(features, passes):
        index = np.concatenate([rng.permutation(train) for _ in range(passes)])
        labels = np.eye(CLASSES, dtype=np.float32)[task.labels[index]]
        return features[index].reshape(-1, BATCH, features.shape[1]), labels.reshape(-1, BATCH, 10)

    laws = spikes(task.before), spikes(task.after)
    first, last = stream(laws[0], max(passes // 2, 1)), stream(laws[1], passes)
    x, labels = (np.concatenate(pair) for pair in zip(first, last, strict=True))
    cut, pass_ = len(first[0]), len(train) // BATCH
    before = np.unique(np.linspace(4, cut - 1, 12).astype(int))
    near = np.linspace(cut, min(cut + pass_, len(x) - 1), 8)
    after = np.unique(np.append(near, np.linspace(cut + pass_ // 2, len(x) - 1, 20)).astype(int))
    asked = np.full(len(x), -1)
    asked[before], asked[after] = 0, 1
    only = np.full(len(last[0]), -1)
    only[np.linspace(len(only) - pass_, len(only) - 1, 5).astype(int)] = 1
    tests = np.stack([law[test] for law in laws])
    net, phases = start(x.shape[2], k), single(NudgedPhases())
    x, labels, tests, asked, only = map(jnp.asarray, (x, labels, tests, asked, only))
    last = jnp.asarray(last[0]), jnp.asarray(last[1])
    right, final, sent = [], [], []
    for decay in DECAYS:
        key = jax.random.key(k)
        named, count = learn(net, phases, decay, x, labels, tests, asked, key)
        right.append((np.asarray(named)[np.asarray(asked) >= 0] == task.labels[test]).sum(axis=1))
        sent.append(float(count[-1]))
        named, _ = learn(net, phases, decay, last[0], last[1], tests, only, key)
        final.append(
            (np.asarray(named)[np.asarray(only) >= 0] == task.labels[test]).sum(axis=1).mean()
        )
    return {
        "right": np.array(right),
        "stationary": np.array(final),
        "asked": np.array(held),
        "shown": (np.append(before, after) + 1.0) / pass_,
        "change": np.array(cut / pass_),
        "spikes": np.array(sent),
    }
