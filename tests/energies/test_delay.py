"""Memories in space and time: shifts, the functional of Herz, Li & van Hemmen, chains."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfc

from bpcjax.energies import CycleHopfield, DelayHopfield, ModernHopfield, SequenceMemory


def rasters(seed=0, shape=(3, 4, 7)):
    return np.random.default_rng(seed).normal(size=shape)


def all_shifts(patterns):
    """[P * D, N * D]: every pattern at every shift, pattern first."""
    steps = patterns.shape[-1]
    return np.stack([np.roll(x, s, -1).ravel() for x in patterns for s in range(steps)])


@eqx.filter_jit
def report(energy, y):
    hessian = jax.hessian(lambda flat: energy(flat.reshape(y.shape)))(y.ravel())
    return {
        "energy": energy(y), "scores": energy.scores(y), "update": energy.update(y),
        "hessian": hessian, "terms": sum(energy.terms(y).values()),
    }  # fmt: skip


@eqx.filter_jit
def updated(energy, y):
    return energy.update(y), energy.posterior(y)


@pytest.mark.parametrize("steps", [7, 8])
def test_it_is_the_modern_memory_of_all_shifts(steps):
    patterns = rasters(shape=(3, 4, steps))
    bias = np.array([0.1, -0.4, 0.2])
    energy = DelayHopfield(patterns, 0.7, bias)
    explicit = ModernHopfield(all_shifts(patterns), 0.7, np.repeat(bias, steps))
    y = jnp.asarray(rasters(1, (4, steps)))
    result, expected = report(energy, y), report(explicit, y.ravel())
    for name, value in expected.items():
        np.testing.assert_allclose(result[name].reshape(value.shape), value, atol=1e-11)
    np.testing.assert_allclose(result["terms"], result["energy"], rtol=1e-14)


@pytest.mark.parametrize("steps", [7, 8])
def test_hypotheses_are_memories_at_shifts(steps):
    # The rows of the matrix that the energy never makes, and products with it.
    energy = DelayHopfield(rasters(shape=(3, 4, steps)), 0.7, np.array([0.1, -0.4, 0.2]))
    rows, y = all_shifts(np.asarray(energy.patterns)), jnp.asarray(rasters(1, (4, steps)))
    assert energy.hypotheses == len(rows) == 3 * steps
    every = jax.vmap(energy.pattern)(jnp.arange(len(rows)))
    np.testing.assert_array_equal(every.reshape(rows.shape), rows)  # moved, not computed
    weights = jnp.asarray(np.random.default_rng(2).normal(size=len(rows)))
    np.testing.assert_allclose(energy.mixture(weights).ravel(), weights @ rows, atol=1e-13)
    posterior = energy.posterior(y)
    np.testing.assert_allclose(energy.mixture(posterior), energy.update(y), atol=1e-13)
    np.testing.assert_allclose(jnp.exp(energy.log_marginal(y)), posterior.sum(1), rtol=1e-12)
    memory, shift = energy.hypothesis(jnp.array([0, steps - 1, 2 * steps + 3, -1]))
    np.testing.assert_array_equal(memory, [0, 0, 2, -1])  # -1: no spike
    np.testing.assert_array_equal(shift[:3], [0, steps - 1, 3])


@pytest.mark.slow
def test_shifts_in_time_change_nothing_but_the_shift():
    energy = DelayHopfield(rasters(), 1.2)
    y = jnp.asarray(rasters(2, (4, 7)))
    for s in (1, 3, 6):
        moved = jnp.roll(y, s, axis=-1)
        np.testing.assert_allclose(energy(moved), energy(y), atol=1e-12)
        np.testing.assert_allclose(
            energy.update(moved), jnp.roll(energy.update(y), s, axis=-1), atol=1e-12
        )
        np.testing.assert_allclose(
            energy.posterior(moved), jnp.roll(energy.posterior(y), s, axis=1), atol=1e-12
        )


@pytest.mark.slow
def test_a_raster_is_recalled_at_the_time_it_comes():
    rng = np.random.default_rng(3)
    patterns = (rng.random((20, 15, 40)) < 0.05).astype(float)
    energy = DelayHopfield(patterns, 3.0, -0.5 * np.sum(patterns**2, axis=(1, 2)))
    heard = np.roll(patterns[7], 11, axis=-1) * (rng.random((15, 40)) < 0.7)  # 30 % deleted
    result = energy.match(jnp.asarray(heard))
    assert (int(result.memory), int(result.shift)) == (7, 11)
    np.testing.assert_allclose(result.probability, energy.posterior(jnp.asarray(heard)).max())
    recalled = energy.update(energy.update(jnp.asarray(heard)))
    np.testing.assert_allclose(recalled, np.roll(patterns[7], 11, axis=-1), atol=1e-3)


@pytest.mark.slow
def test_one_raster_duplicates_and_extreme_precision():
    patterns = rasters().astype(np.float32)
    y = jnp.asarray(patterns[1] + 0.1, jnp.float32)
    sharp, flat = (DelayHopfield(patterns, jnp.float32(beta)) for beta in (1e6, 1e-6))
    new, _ = updated(sharp, y)
    np.testing.assert_allclose(new, patterns[1], atol=1e-5)
    assert new.dtype == jnp.float32
    np.testing.assert_allclose(updated(flat, y)[1], 1 / 21, atol=1e-5)
    one = DelayHopfield(patterns[:1, :, :1], 2.0)
    np.testing.assert_allclose(updated(one, y[:, :1])[0], patterns[0, :, :1], atol=1e-6)
    twice = updated(DelayHopfield(patterns[[1, 1]], 2.0), y)[1]
    np.testing.assert_allclose(twice[0], twice[1], atol=1e-7)


# --- cycles with delays ---------------------------------------------------------------------------


def cycles(seed=4, count=3, length=6, size=60):
    return np.random.default_rng(seed).choice([-1.0, 1.0], (count, length, size))


def explicit_weights(x, efficacy):
    """J(tau) [D, N, N], as written in the paper."""
    length, size = x.shape[1:]
    return np.stack(
        [
            efficacy[tau] / size
            * sum(
                np.outer(c[(a + 1) % length], c[(a - tau) % length])
                for c in x for a in range(length)
            )
            for tau in range(length)
        ]
    )  # fmt: skip


def explicit_functional(j, s):
    length = len(s)
    return -0.5 * sum(
        s[a] @ j[tau] @ s[(a + tau + 1) % length] for a in range(length) for tau in range(length)
    )


def test_overlaps_give_the_weights_fields_and_functional():
    rng = np.random.default_rng(5)
    x, efficacy = cycles(count=2, length=5, size=12), rng.random(5)
    memory, s = CycleHopfield(x, efficacy), rng.choice([-1.0, 1.0], (5, 12))
    j = explicit_weights(x, efficacy)
    field = sum(j[tau] @ s[tau] for tau in range(5))
    np.testing.assert_allclose(memory.field(jnp.asarray(s)), field, atol=1e-12)
    np.testing.assert_allclose(memory(jnp.asarray(s)), explicit_functional(j, s), atol=1e-11)
    np.testing.assert_allclose(
        sum(memory.terms(jnp.asarray(s)).values()), memory(jnp.asarray(s)), rtol=1e-13
    )


def run(memory, history, steps=40):
    def step(history, _):
        new = memory.update(history)
        return new, memory(new)

    final, energies = jax.lax.scan(step, history, None, length=steps)
    return final, jnp.concatenate([memory(history)[None], energies])


@pytest.mark.slow
def test_the_functional_never_rises_and_the_cycle_is_found():
    x, rng = cycles(), np.random.default_rng(6)
    memory = CycleHopfield(x)
    assert memory.symmetric
    j = explicit_weights(x, np.ones(6))
    mirrored = np.stack([j[(4 - tau) % 6].T for tau in range(6)])
    np.testing.assert_allclose(j, mirrored, atol=1e-15)  # the extended symmetry
    noise = jnp.asarray(rng.choice([-1.0, 1.0], (20, 6, 60)))
    _, energies = jax.vmap(lambda s: run(memory, s))(noise)
    assert jnp.diff(energies, axis=1).max() <= 1e-10
    assert (energies[:, -1] < energies[:, 0] - 50).all()
    heard = memory.history(1, 2) * np.where(rng.random((6, 60)) < 0.15, -1, 1)
    final, _ = run(memory, heard, 42)  # seven whole periods
    np.testing.assert_array_equal(final, memory.history(1, 2))


@pytest.mark.slow
def test_without_the_symmetry_of_delays_it_may_rise():
    # Negative control: the same network, efficacies that are not symmetric, 20 starts.
    rng = np.random.default_rng(7)
    efficacy = np.array([2.0, 0.1, 0.1, 1.5, 0.1, 0.0])
    memory = CycleHopfield(cycles(), efficacy)
    assert not memory.symmetric
    starts = jnp.asarray(rng.choice([-1.0, 1.0], (20, 6, 60)))
    _, energies = jax.vmap(lambda s: run(memory, s))(starts)
    assert jnp.diff(energies, axis=1).max() > 1.0


# --- chains ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("power, size, count", [(1, 300, 60), (2, 120, 1600)])
def test_bits_of_a_transition_fail_as_gaussian_crosstalk_says(power, size, count):
    # 1/2 erfc(sqrt((N - 1)^d / (2 (2 d - 1)!! (P - 1)))), Chaudhry et al. (2023): 10 % at 3 sigma.
    rng, wrong, bits = np.random.default_rng(8), 0, 0
    for _ in range(2):
        patterns = rng.choice([-1.0, 1.0], (count, size)).astype(np.float32)
        memory = SequenceMemory.polynomial(patterns, power)
        update = eqx.filter_jit(memory.update)
        for k in range(40):
            wrong += int((np.asarray(update(patterns[k])) != patterns[k + 1]).sum())
            bits += size
    double = {1: 1, 2: 3}[power]
    expected = 0.5 * erfc(np.sqrt((size - 1) ** power / (2 * double * (count - 1))))
    error = np.sqrt(expected / bits)
    assert abs(wrong / bits - expected) < 4 * error + 0.1 * expected


@pytest.mark.slow
def test_the_exponential_chain_runs_round_and_one_pattern_stays():
    patterns = np.random.default_rng(9).choice([-1.0, 1.0], (50, 40)).astype(np.float32)
    memory = SequenceMemory.exponential(patterns)
    state = jnp.asarray(patterns[0]).at[:3].multiply(-1)
    for k in range(1, 52):
        state = memory.update(state)
        np.testing.assert_array_equal(state, patterns[k % 50])
    one = SequenceMemory.polynomial(patterns[:1], 1)
    np.testing.assert_array_equal(one.update(jnp.asarray(patterns[0])), patterns[0])


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: DelayHopfield(np.ones((0, 3, 4)), 1.0), "one pattern or more"),
        (lambda: DelayHopfield(np.ones((3, 4)), 1.0), "patterns must be an array"),
        (lambda: DelayHopfield(np.ones((2, 3, 4)), 0.0), "DelayHopfield.beta must be positive"),
        (lambda: DelayHopfield(np.ones((2, 3, 4)), 1.0, np.ones(3)), "bias must have shape"),
        (lambda: DelayHopfield(np.ones((2, 3, 4)), 1.0)(jnp.ones((3, 5))), "y must have the shape"),
        (lambda: CycleHopfield(np.ones((2, 3, 4)), np.ones(4)), "efficacy must have shape"),
        (lambda: CycleHopfield(np.ones((2, 3, 4))).update(jnp.ones((2, 4))), "y must have"),
        (lambda: CycleHopfield(np.ones((0, 3, 4))), "one pattern or more"),
        (lambda: SequenceMemory.polynomial(np.ones((2, 3)), 0), "power must be"),
        (
            lambda: SequenceMemory.exponential(np.ones((2, 3))).update(jnp.ones(2)),
            "spins must have",
        ),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
