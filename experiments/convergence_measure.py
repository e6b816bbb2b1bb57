"""What the study of convergence measures, on networks of a few dozen units."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.stats import t as student

import bpcjax as bpc
from bpcjax.analysis import hessian, hessian_spectrum
from bpcjax.descent import SpikeDescent, descend
from bpcjax.energies.maps import Dense
from bpcjax.energies.mismatch import Gaussian, Rectified
from bpcjax.energies.predictive import Arrow, PredictiveCoding

PRECISIONS = 1.0, 2.0, 4.0


def network(seed: int, sizes: tuple[int, ...], rectified: bool = False) -> tuple[Any, Any, Any]:
    """An energy of linear or rectified layers, a state of zeros, and clamped first and last."""
    rng = np.random.default_rng(seed)
    arrows = []
    for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weights = rng.normal(size=(m, n)) / np.sqrt(n)
        hidden = rectified and k < len(sizes) - 2
        mismatch = Rectified() if hidden else Gaussian(PRECISIONS[k % 3])
        arrows.append(Arrow(k, k + 1, Dense(weights), mismatch))
    free = [jnp.zeros(n) for n in sizes[1:-1]]
    ends = [jnp.asarray(rng.normal(size=n)) for n in (sizes[0], sizes[-1])]
    blank = (None,) * len(free)
    return PredictiveCoding(arrows), (None, *free, None), (ends[0], *blank, ends[1])


def stack(items: list) -> Any:
    """Trees as one, with a leading axis."""
    return jax.tree.map(lambda *x: jnp.stack(x), *items)


def minimum(energy: PredictiveCoding, y: Any, args: Any, steps: int = 4000) -> Any:
    """Where the (convex) energy is least: accelerated projected gradient steps."""
    flat, unravel = ravel_pytree(y)
    gradient = jax.grad(lambda x: energy(unravel(x), args))
    size = 1 / jnp.linalg.eigvalsh(jax.hessian(lambda x: energy(unravel(x), args))(flat + 0.5))[-1]

    def step(carry, k):
        x, ahead = carry
        new = ravel_pytree(energy.project(unravel(ahead - 0.5 * size * gradient(ahead))))[0]
        return (new, new + k / (k + 3) * (new - x)), None

    # Restarted, so that the acceleration is linear convergence.
    def restart(x, _):
        (x, _), _ = jax.lax.scan(step, (x, x), jnp.arange(100.0))
        return x, None

    return unravel(jax.lax.scan(restart, flat, length=steps // 100)[0])


@eqx.filter_jit
def _greedy(net, key, quantum, cost, room):
    energy, y, args = net
    best = minimum(energy, y, args)
    found = descend(SpikeDescent(energy, quantum, cost=cost), y, args, key=key, spikes=room)
    off = ravel_pytree(found.value)[0] - ravel_pytree(best)[0]
    matrix = hessian(energy, best, args)
    least = jnp.linalg.eigvalsh(matrix)[0]
    bound = jnp.sqrt(off.size) * (0.5 * quantum * jnp.diagonal(matrix).max() + cost / quantum)
    return {
        "rms": jnp.sqrt(jnp.mean(off**2)),
        "excess": energy(found.value, args) - energy(best, args),
        "spikes": found.count,
        "rest": found.at_rest,
        "rises": (jnp.diff(found.energy) > 1e-12).sum(),
        "bound": bound / least / jnp.sqrt(off.size),
        "budget": energy(y, args) - energy(best, args),
    }


def orders(quanta, seeds: int, sizes, rectified: bool, cost: float = 0.0) -> dict[str, np.ndarray]:
    """Greedy descent at rest, [quantum, seed]."""
    nets = stack([network(seed, sizes, rectified) for seed in range(seeds)])
    keys = jax.random.split(jax.random.key(0), seeds)
    room = int(60 / min(quanta))

    def one(quantum, net, key):
        return _greedy(net, key, quantum, jnp.asarray(cost), room)

    found = jax.vmap(jax.vmap(one, (None, 0, 0)), (0, None, None))(jnp.asarray(quanta), nets, keys)
    return jax.device_get(found)


def slope(x: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """The mean over seeds (columns) of the log-log slope, and half its 95 % interval."""
    each = np.polyfit(np.log(x), np.log(np.maximum(values, 1e-300)), 1)[0]
    half = student.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    return float(each.mean()), float(half)


def dither(ratios, quantum: float, events: int) -> dict[str, np.ndarray]:
    """Bias of the mean of the lattice law in two dimensions, in units of the quantum: exact sums,
    the law's leading term, and time averages of spikes [chain]."""
    matrix = np.array([[2.0, 0.6], [0.6, 1.0]])
    cov = np.linalg.inv(matrix)
    best = np.array([0.13, -0.07])  # not where the leading wave vanishes
    axis = quantum * np.arange(-120, 121)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    level = 0.5 * np.einsum("ni,ij,nj->n", grid - best, matrix, grid - best)
    waves = np.array([(i, j) for i in range(-6, 7) for j in range(-6, 7) if i or j])
    exact, law = [], []
    for ratio in ratios:
        heat = ratio * quantum**2
        weight = np.exp(-(level - level.min()) / heat)
        exact.append(weight @ grid / weight.sum() - best)
        # Poisson's sum: the mean moves by the gradient of the log of the sum over waves.
        size = np.exp(-2 * np.pi**2 * ratio * np.einsum("ki,ij,kj->k", waves, cov, waves))
        angle = 2 * np.pi * waves @ best / quantum
        whole = 1 + size @ np.cos(angle)
        law.append(-2 * np.pi * ratio * quantum * (size * np.sin(angle)) @ waves @ cov / whole)

    def energy(y, args=None):
        return 0.5 * jnp.dot(y - best, matrix @ (y - best))

    def sample(heat, key):
        spike = SpikeDescent(energy=energy, quantum=jnp.asarray(quantum), temperature=heat)
        found = descend(spike, jnp.zeros(2), key=key, spikes=events, save=lambda y: y)
        weight = jnp.where(jnp.arange(events) < events // 10, 0.0, found.dwell)
        return weight @ found.saved / weight.sum() - best

    heats = jnp.asarray(ratios) * quantum**2
    keys = jax.random.split(jax.random.key(0), (len(heats), 16))
    sampled = jax.jit(jax.vmap(jax.vmap(sample, (None, 0))))(heats, keys)
    return {name: np.array(x) / quantum
            for name, x in (("exact", exact), ("law", law), ("sampled", sampled))}  # fmt: skip


@eqx.filter_jit
def _coded(net, key, quantum, gamma, room):
    """Greedy spikes on membranes that hear errors rounded to multiples of gamma."""
    energy, y, args = net
    best = minimum(energy, y, args)
    flat, unravel = ravel_pytree(y)
    threshold = 0.5 * quantum * ravel_pytree(energy.stiffness(y, args))[0]

    def step(carry, key):
        x, heard = carry
        true = energy.errors(unravel(x), args)
        heard = jax.tree.map(lambda h, e: h + gamma * jnp.round((e - h) / gamma), heard, true)
        drive = ravel_pytree(energy.membrane(unravel(x), args, heard))[0]
        may = jnp.abs(drive) > threshold
        unit = jax.random.categorical(key, jnp.where(may, 0.0, -jnp.inf))
        by = jnp.where(may.any(), quantum * jnp.sign(drive[unit]), 0.0)
        return (x.at[unit].add(by), heard), may.any()

    start = flat, jax.tree.map(jnp.zeros_like, energy.errors(y, args))
    (x, _), fired = jax.lax.scan(step, start, jax.random.split(key, room))
    return jnp.sqrt(jnp.mean((x - ravel_pytree(best)[0]) ** 2)), ~fired[-1]


def coded(quanta, shares, seeds: int, sizes) -> dict[str, np.ndarray]:
    """Errors in spikes of the size share * quantum: rms and rest, [share, quantum, seed]."""
    nets = stack([network(seed, sizes) for seed in range(seeds)])
    keys = jax.random.split(jax.random.key(1), seeds)
    room = int(60 / min(quanta))

    def one(share, quantum, net, key):
        return _coded(net, key, quantum, share * quantum, room)

    each = jax.vmap(one, (None, None, 0, 0))
    every = jax.vmap(jax.vmap(each, (None, 0, None, None)), (0, None, None, None))
    rms, rest = every(jnp.asarray(shares), jnp.asarray(quanta), nets, keys)
    return {"rms": np.asarray(rms), "rest": np.asarray(rest)}


def spectra(images: np.ndarray, labels: np.ndarray, checkpoints: int, every: int, key) -> dict:
    """Along training on digits with `tanh` layers: both ends of the Hessian's spectrum at rest, and
    the relaxation time, predicted and measured."""
    sizes = images.shape[1], 24, 16, 10
    keys = jax.random.split(key, 4)
    energy = PredictiveCoding(
        Arrow(k, k + 1, Dense(jax.random.normal(keys[k], (m, n)) / np.sqrt(n),
                              activation=jnp.tanh if k else lambda x: x), Gaussian(1.0))
        for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False))
    )  # fmt: skip

    def clamp(x, c):
        return x, None, None, jax.nn.one_hot(c, 10)

    def settle(energy, args, steps, rate=0.15):
        y = (None, *energy.forward((args[0], None, None, None))[1:3], None)
        slope = jax.grad(energy)

        def step(y, _):
            g = slope(y, args)
            return jax.tree.map(lambda z, g: z - rate * g, y, g), jnp.sqrt(
                sum(jnp.sum(a**2) for a in jax.tree.leaves(g))
            )

        return jax.lax.scan(step, y, length=steps)

    def trained(energy, batch):
        def loss(energy, x, c):
            y, _ = settle(jax.lax.stop_gradient(energy), clamp(x, c), 40)
            return energy(jax.lax.stop_gradient(y), clamp(x, c))

        def mean(energy):
            return jax.vmap(lambda x, c: loss(energy, x, c))(*batch).mean()

        value, g = eqx.filter_value_and_grad(mean)(energy)
        moved = [
            eqx.tree_at(
                lambda a: a.predict.weights, a, a.predict.weights - 0.05 * b.predict.weights
            )
            for a, b in zip(energy.arrows, g.arrows, strict=True)
        ]
        return eqx.tree_at(lambda e: e.arrows, energy, tuple(moved)), value

    @eqx.filter_jit
    def train(energy, batches):
        arrays, static = eqx.partition(energy, eqx.is_array)

        def step(arrays, batch):
            new, value = trained(eqx.combine(arrays, static), batch)
            return eqx.partition(new, eqx.is_array)[0], value

        arrays, values = jax.lax.scan(step, arrays, batches)
        return eqx.combine(arrays, static), values

    @eqx.filter_jit
    def look(energy, x, c, key):
        y, _ = settle(energy, clamp(x, c), 3000)
        ends = hessian_spectrum(energy, y, key, clamp(x, c))
        # The flow from rest plus a kick, in fine steps: the last decay of its gradient.
        _, norms = kicked(energy, y, clamp(x, c), key)
        return ends.smallest, ends.largest, norms

    def kicked(energy, y, args, key):
        flat, unravel = ravel_pytree(y)
        slope = jax.grad(lambda v: energy(unravel(v), args))

        def step(v, _):
            g = slope(v)
            return v - 0.02 * g, jnp.linalg.norm(g)

        return jax.lax.scan(step, flat + 1e-3 * jax.random.normal(key, flat.shape), length=3501)

    rng, rows = np.random.default_rng(0), []
    losses = []
    for k in range(checkpoints):
        ends = [look(energy, images[i], labels[i], keys[3]) for i in range(6)]
        low, high, norms = (np.array(x) for x in zip(*ends, strict=True))
        late = np.log(norms[:, 3000] / norms[:, 3500]) / (500 * 0.02)
        rows.append((low, high, 1 / low, 1 / late))
        if k < checkpoints - 1:
            pick = rng.integers(0, len(images), (every, 32))
            energy, values = train(energy, (jnp.asarray(images[pick]), jnp.asarray(labels[pick])))
            losses.append(float(values[-20:].mean()))
    low, high, predicted, measured = (np.array(x) for x in zip(*rows, strict=True))
    return {"low": low, "high": high, "predicted": predicted, "measured": measured}


def _delayed(energy, y, inputs, target, key, quantum, heat, share, delay, room):
    """Parallel spikes, each unit with probability share, hearing corrections `delay` steps late.

    The excess of F over that of rest, in units of its start, over the second half."""
    flat, unravel = ravel_pytree(y)
    blank = (None,) * (len(y) - 2)

    def args(x):
        return x, *blank, target

    half = 0.5 * quantum**2 * ravel_pytree(energy.stiffness(y, args(inputs[0])))[0]

    def step(carry, now):
        x, past = carry
        seen, key = now
        old = energy.errors(unravel(past[delay]), args(seen))
        drive = ravel_pytree(energy.membrane(unravel(x), args(seen), old))[0]
        up, down = (jax.nn.sigmoid((s * quantum * drive - half) / heat) for s in (1, -1))
        draw = jax.random.uniform(key, x.shape)
        x = x + quantum * ((draw < share * up) * 1.0 - (draw > 1 - share * down))
        x = jnp.clip(x, -1e6, 1e6)
        past = jnp.roll(past, 1, axis=0).at[0].set(x)
        return (x, past), energy(unravel(x), args(seen))

    # From rest, on the lattice: what is measured is how rest is kept, not how it is found.
    first = jax.grad(lambda v: energy(unravel(v), args(inputs[0])))
    best = flat - jnp.linalg.solve(jax.jacfwd(first)(flat), first(flat))
    flat = quantum * jnp.round(best / quantum)
    past = jnp.tile(flat[None], (room, 1))
    keys = jax.random.split(key, len(inputs))
    _, level = jax.lax.scan(step, (flat, past), (inputs, keys))
    return level


def stability(inputs, sizes, seeds: int, quanta, ratios, shares, delays) -> dict[str, np.ndarray]:
    """Mean excess of F per unit in units of the quantum squared [quantum, ratio, share, delay] over
    the last half of `inputs` [steps, n], and the radius of the linear map with the same delays."""
    energy, y, args = network(0, sizes)
    target, room = args[-1], max(delays) + 1
    inputs = jnp.asarray(inputs)
    blank = (None,) * (len(y) - 2)
    matrix = np.asarray(hessian(energy, y, (inputs[0], *blank, target)))
    flat, unravel = ravel_pytree(y)

    def rest(x):
        clamped = x, *blank, target
        slope = jax.grad(lambda v: energy(unravel(v), clamped))(flat)
        return energy(unravel(flat - jnp.linalg.solve(matrix, slope)), clamped)

    floor = jax.jit(jax.vmap(rest))(inputs)
    # Own misfit acts at once, corrections from above late.
    own = np.asarray(
        jax.jacobian(lambda v: ravel_pytree(energy.membrane(unravel(v), (inputs[0], *blank, target),
                     energy.errors(y, (inputs[0], *blank, target))))[0])(flat)
    )  # fmt: skip
    radius = np.zeros((len(quanta), len(ratios), len(shares), len(delays)))
    keys = jax.random.split(jax.random.key(2), seeds)
    grid = np.meshgrid(quanta, ratios, shares, delays, indexing="ij")
    cells = jnp.asarray(np.stack([g.ravel() for g in grid], axis=-1))

    def level(cell):
        quantum, ratio, share, delay = cell
        heat = ratio * quantum**2

        def one(key):
            return _delayed(
                energy, y, inputs, target, key, quantum, heat, share, delay.astype(int), room
            )

        late = (jax.vmap(one)(keys) - floor[None])[:, len(inputs) // 2 :]
        return late.mean() / (quantum**2 * flat.size)

    excess = np.asarray(jax.jit(jax.vmap(level))(cells)).reshape(radius.shape)
    for i in range(len(quanta)):
        for j, ratio in enumerate(ratios):
            bend = 0.5 * np.diag(matrix) / ratio
            gain = 2 * np.exp(-bend) / (1 + np.exp(-bend)) ** 2 / ratio
            for a, share in enumerate(shares):
                for b, delay in enumerate(delays):
                    radius[i, j, a, b] = _radius(share * gain[:, None], own, -matrix - own, delay)
    return {"excess": excess, "radius": radius}


def _radius(gain, now, late, delay: int) -> float:
    """The spectral radius of x' = x + gain (now x + late x_delayed)."""
    n = len(now)
    whole = np.zeros((n * (delay + 1), n * (delay + 1)))
    whole[:n, :n] = np.eye(n) + gain * now
    whole[:n, delay * n :] += gain * late
    whole[n:, :-n] += np.eye(n * delay)
    return float(np.abs(np.linalg.eigvals(whole)).max())


def recording(folder: str | None, steps: int) -> tuple[np.ndarray, str]:
    """The events of a recording of N-MNIST as a slowly forgetting image of 7 x 5 pools [steps, 35]
    per step; where there is none, of a bar that moves."""
    try:
        events = bpc.data.load("nmnist", "test", folder)
        t, channels = events[0]
        _, y, x = np.unravel_index(channels, events.shape)
        source = "N-MNIST"
    except (bpc.data.DataError, ImportError):
        rng = np.random.default_rng(0)
        t = np.sort(rng.uniform(0, 1, 4000))
        x, y = 34 * np.abs(np.sin(2 * np.pi * t)), rng.uniform(0, 34, 4000)
        source = "a moving bar"
    bins = np.minimum((steps * (t - t.min()) / (np.ptp(t) + 1e-9)).astype(int), steps - 1)
    pool = np.minimum(x // 5, 6).astype(int) * 5 + np.minimum(y // 7, 4).astype(int)
    counts = np.zeros((steps, 35))
    np.add.at(counts, (bins, pool), 1.0)
    for k in range(1, steps):
        counts[k] += 0.98 * counts[k - 1]
    return counts / counts.std(), source
