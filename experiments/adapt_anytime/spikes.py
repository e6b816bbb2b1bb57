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

from ..common.drifts import CLASSES, Task, batched, held_out, passes
from ..common.precision import single
from ..common.predictive import Training, network, with_maps

HIDDEN = 256
RATE, WARM = 0.1, 20
AVERAGE = 0.05  # the share of the last batch in the running average of weights
INPUT = 0.25  # what one spike of the input adds
DECAYS = 0.0, 0.003  # of weights at each batch, in units of the rate


def start(size: int, seed: int) -> PredictiveCoding:
    """Network of one hidden layer, before training."""
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
    probe: Int[Array, " T"],
    key: Array,
) -> tuple[Array, Array]:
    """Online learning by spikes and local products, at a constant rate.

    Gives the classes [T, q] that the running average of the weights names of `tests` after those
    batches that `probe` marks, of the set of that number (-1: of none, and -1 is named), and the
    hidden spikes for a test [T].
    """
    rule = momentum(lambda count: RATE * jnp.minimum(1.0, (count + 1) / WARM), decay=decay)
    forward: Any = tuple(a.predict for a in net.arrows)

    def step(carry, batch):
        forward, state, mean = carry
        x, labels, which, key = batch
        now = with_maps(net, forward)
        keys = jax.random.split(key, len(x))
        activity, _ = jax.vmap(lambda x, y, key: phases.learn(now, x, y, key))(x, labels, keys)
        products: Any = tuple(map(hebbian, forward, activity.pre, activity.post))
        change, state = rule.update(products, state, forward)
        after: Any = optax.apply_updates(forward, change)
        mean = optax.incremental_update(after, mean, AVERAGE)

        def name():
            now = with_maps(net, mean)
            z, mus = jax.vmap(lambda x: phases.values(now, x))(tests[which])
            return mus[-1].argmax(axis=1), z[1].sum(axis=1).mean() / phases.quantum

        def none():
            return jnp.full(tests.shape[1], -1), jnp.zeros((), x.dtype)

        return (after, state, mean), jax.lax.cond(which >= 0, name, none)

    keys = jax.random.split(key, len(x))
    return jax.lax.scan(step, (forward, rule.init(forward), forward), (x, labels, probe, keys))[1]


def drift(task: Task, count: int, seed: int, k: int) -> dict[str, np.ndarray]:
    """How many recordings of the test the network names right through the drift: `right` [decay,
    probe] at each `point` (in passes), half of `count` passes before the drift, all after it; and
    where as many passes are all of the new law (`stationary`)."""
    rng = np.random.default_rng([seed, 4, k])
    train, test = held_out(rng, task.labels)
    scale = 1 / np.sqrt((task.before[train] ** 2).mean())

    def spikes(features):
        return (INPUT * np.round(scale * features / INPUT)).astype(np.float32)

    laws = spikes(task.before), spikes(task.after)
    first = batched(laws[0], task.labels, passes(rng, train, max(count // 2, 1)))
    last = batched(laws[1], task.labels, passes(rng, train, count))
    x, labels = (np.concatenate(pair) for pair in zip(first, last, strict=True))
    change, pass_ = len(first[0]), len(last[0]) // count
    before = np.unique(np.linspace(4, change - 1, 12).astype(int))
    near = np.linspace(change, min(change + pass_, len(x) - 1), 8)
    far = np.linspace(change + pass_ // 2, len(x) - 1, 20)
    after = np.unique(np.append(near, far).astype(int))
    probe = np.full(len(x), -1)
    probe[before], probe[after] = 0, 1
    order = passes(np.random.default_rng([seed, 5, k]), train, max(count // 2, 1))
    same = batched(laws[1], task.labels, order)
    new, named = (np.concatenate(pair) for pair in zip(same, last, strict=True))
    ends = np.full(len(x), -1)
    ends[np.linspace(len(ends) - pass_, len(ends) - 1, 5).astype(int)] = 1
    tests = jnp.asarray(np.stack([law[test] for law in laws]))
    net, phases, key = start(x.shape[2], k), single(NudgedPhases()), jax.random.key(k)

    def right(decay, x, labels, probe):
        x, labels, marks = jnp.asarray(x), jnp.asarray(labels), jnp.asarray(probe)
        classes, sent = learn(net, phases, decay, x, labels, tests, marks, key)
        return (np.asarray(classes)[probe >= 0] == task.labels[test]).sum(axis=1), float(sent[-1])

    through = [right(decay, x, labels, probe) for decay in DECAYS]
    return {
        "right": np.array([count for count, _ in through]),
        "stationary": np.array([right(decay, new, named, ends)[0].mean() for decay in DECAYS]),
        "test": np.array(len(test)),
        "point": (np.append(before, after) + 1.0) / pass_,
        "change": np.array(change / pass_),
        "spikes": np.array([sent for _, sent in through]),
    }
