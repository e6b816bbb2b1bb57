"""Measures of convergence along training (Hessian's spectrum), and of spikes in parallel."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bpcjax.analysis import hessian, hessian_spectrum
from bpcjax.energies import Arrow, DenseMap, Gaussian, PredictiveCoding

from ..common import InputError
from ..common.recordings import bar_trace, load, pool_trace
from .measure import network


def spectra(images: np.ndarray, labels: np.ndarray, checkpoints: int, every: int, key) -> dict:
    """Hessian's spectrum along training on digits with `tanh` layers [checkpoint, image]: its ends
    at rest, and the relaxation time, predicted and measured."""
    sizes = images.shape[1], 24, 16, 10
    keys = jax.random.split(key, 4)
    energy = PredictiveCoding(
        Arrow(k, k + 1, DenseMap(jax.random.normal(keys[k], (m, n)) / np.sqrt(n),
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

    def update(energy, batch):
        def loss(energy, x, c):
            y, _ = settle(jax.lax.stop_gradient(energy), clamp(x, c), 40)
            return energy(jax.lax.stop_gradient(y), clamp(x, c))

        def mean(energy):
            return jax.vmap(lambda x, c: loss(energy, x, c))(*batch).mean()

        value, g = eqx.filter_value_and_grad(mean)(energy)
        arrows = [
            eqx.tree_at(
                lambda a: a.predict.weights, a, a.predict.weights - 0.05 * b.predict.weights
            )
            for a, b in zip(energy.arrows, g.arrows, strict=True)
        ]
        return eqx.tree_at(lambda e: e.arrows, energy, tuple(arrows)), value

    @eqx.filter_jit
    def train(energy, batches):
        arrays, static = eqx.partition(energy, eqx.is_array)

        def step(arrays, batch):
            new, value = update(eqx.combine(arrays, static), batch)
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

        return jax.lax.scan(step, flat + 1e-3 * jax.random.normal(key, flat.shape), length=2501)

    rng, rows = np.random.default_rng(0), []
    losses = []
    for k in range(checkpoints):
        ends = [look(energy, images[i], labels[i], keys[3]) for i in range(6)]
        low, high, norms = (np.array(x) for x in zip(*ends, strict=True))
        late = np.log(norms[:, 2000] / norms[:, 2500]) / (500 * 0.02)
        rows.append((low, high, 1 / low, 1 / late))
        if k < checkpoints - 1:
            pick = rng.integers(0, len(images), (every, 32))
            energy, values = train(energy, (jnp.asarray(images[pick]), jnp.asarray(labels[pick])))
            losses.append(float(values[-20:].mean()))
    low, high, predicted, measured = (np.array(x) for x in zip(*rows, strict=True))
    return {"low": low, "high": high, "predicted": predicted, "measured": measured}


def _delayed(energy, y, inputs, target, key, quantum, heat, share, delay, room):
    """Energies F [steps] under parallel spikes, each unit with probability `share`, that hear
    corrections `delay` steps late."""
    flat, unravel = ravel_pytree(y)
    blank = (None,) * (len(y) - 2)

    def args(x):
        return x, *blank, target

    half = 0.5 * quantum**2 * ravel_pytree(energy.stiffness(y, args(inputs[0])))[0]

    def step(carry, now):
        x, past = carry
        image, key = now
        old = energy.errors(unravel(past[delay]), args(image))
        drive = ravel_pytree(energy.membrane(unravel(x), args(image), old))[0]
        up, down = (jax.nn.sigmoid((s * quantum * drive - half) / heat) for s in (1, -1))
        draw = jax.random.uniform(key, x.shape)
        x = x + quantum * ((draw < share * up) * 1.0 - (draw > 1 - share * down))
        x = jnp.clip(x, -1e6, 1e6)
        past = jnp.roll(past, 1, axis=0).at[0].set(x)
        return (x, past), energy(unravel(x), args(image))

    # From rest, on the lattice: what is measured is how rest is kept, not how it is found.
    first = jax.grad(lambda v: energy(unravel(v), args(inputs[0])))
    best = flat - jnp.linalg.solve(jax.jacfwd(first)(flat), first(flat))
    flat = quantum * jnp.round(best / quantum)
    past = jnp.tile(flat[None], (room, 1))
    keys = jax.random.split(key, len(inputs))
    _, level = jax.lax.scan(step, (flat, past), (inputs, keys))
    return level


def stability(inputs, sizes, seeds: int, quanta, ratios, shares, delays) -> dict[str, np.ndarray]:
    """Stability maps [quantum, ratio, share, delay]: the mean excess of F per unit over the last
    half of `inputs` [steps, n], in units of the quantum squared, and the radius of the linear map
    with the same delays."""
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
    """Input of the stability map: a slowly forgetting image [steps, 35] of the events of N-MNIST,
    or of a bar that moves where there are no files; and which of them."""
    try:
        return pool_trace(load("nmnist", "test", folder), steps), "N-MNIST"
    except InputError:
        return bar_trace(steps), "a moving bar"
