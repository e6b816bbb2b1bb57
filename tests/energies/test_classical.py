"""Binary and graded memories: descent, fixed points, first steps against theory."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.energies import ClassicalHopfield, DenseHopfield, GradedHopfield
from theory.closed_forms import ags, capacity


def spins(rng, *shape):
    return rng.choice([-1.0, 1.0], shape)


# --- binary ---------------------------------------------------------------------------------------


def test_the_pseudo_inverse_makes_patterns_exact_fixed_points():
    # At half load, where Hebb's rule has lost them; one stored twice, one but for two units.
    rng = np.random.default_rng(0)
    patterns = spins(rng, 50, 100)
    patterns[1], patterns[3] = patterns[0], patterns[2]
    patterns[3, :2] *= -1
    energy = ClassicalHopfield.pseudo_inverse(patterns)
    np.testing.assert_array_equal(jax.vmap(energy.update)(patterns), patterns)
    hebb = ClassicalHopfield.hebb(patterns)
    assert (jax.vmap(hebb.update)(patterns) != patterns).any(axis=1).mean() > 0.9
    # W x = x before its diagonal is taken away.
    fields = patterns @ np.asarray(energy.weights)
    projection = np.linalg.pinv(patterns) @ patterns
    np.testing.assert_allclose(fields, patterns * (1 - np.diag(projection)), atol=1e-10)


def test_signs_one_by_one_descend_also_with_the_pseudo_inverse():
    rng = np.random.default_rng(1)
    energy = ClassicalHopfield.pseudo_inverse(spins(rng, 6, 30))

    def flip(state, index):
        new = state.at[index].set(energy.update(state)[index])
        return new, energy(new) - energy(state)

    order = jnp.asarray(rng.integers(0, 30, 200))
    _, change = jax.lax.scan(flip, jnp.asarray(spins(rng, 30)), order)
    assert change.max() <= 1e-12 and change.min() < -0.1


@pytest.mark.slow
@pytest.mark.parametrize("alpha, start", [(0.05, 0.3), (0.1, 0.5), (0.138, 0.8)])
def test_the_first_step_is_that_of_gaussian_crosstalk(alpha, start):
    # m = erf(m0 / sqrt(2 alpha)), with 2,000 units; 4 standard errors of 8 queries.
    rng, n = np.random.default_rng(2), 2000
    patterns = spins(rng, int(alpha * n), n)
    energy = ClassicalHopfield.hebb(patterns.astype(np.float32))
    flips = np.where(rng.random((8, n)) < 0.5 * (1 - start), -1.0, 1.0)
    result = jax.vmap(energy.update)(jnp.asarray(patterns[:8] * flips, jnp.float32))
    overlaps = (np.asarray(result) * patterns[:8]).mean(axis=1)
    expected = ags.one_step_overlap(start, int(alpha * n) / n)
    assert abs(overlaps.mean() - expected) < 4 * overlaps.std() / np.sqrt(8) + 0.005


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05, 0.10, 0.12])
def test_the_overlap_near_saturation_is_that_of_replica_theory(alpha):
    # Amit, Gutfreund & Sompolinsky: 0.9999922, 0.9979993 at the first two; from the pattern.
    rng, n, result = np.random.default_rng(6), 2000, []

    @eqx.filter_jit
    def settle(energy, y):
        return jax.lax.fori_loop(0, 30, lambda _, y: jax.vmap(energy.update)(y), y)

    for _ in range(3):
        patterns = spins(rng, int(alpha * n), n).astype(np.float32)
        y = settle(ClassicalHopfield.hebb(patterns), jnp.asarray(patterns[:30]))
        result.extend((np.asarray(y) * patterns[:30]).mean(axis=1))
    error = np.std(result) / np.sqrt(len(result))
    # Patterns of one memory share its crosstalk, and n is finite: 1e-3 besides.
    assert abs(np.mean(result) - ags.retrieval(alpha).m) < 3 * error + 1e-3


def test_a_field_of_zero_changes_nothing_and_bad_widths_are_named():
    energy = ClassicalHopfield(np.zeros((3, 3)), np.array([0.0, 1.0, -1.0]))
    np.testing.assert_array_equal(energy.update(jnp.asarray([-1.0, -1.0, 1.0])), [-1, 1, -1])
    with pytest.raises(ValueError, match="spins must have the shape"):
        energy.update(jnp.ones(4))
    with pytest.raises(ValueError, match="one pattern or more"):
        ClassicalHopfield.hebb(np.ones((0, 4)))


# --- dense ----------------------------------------------------------------------------------------


def test_dense_memory_by_power_and_by_exponential():
    rng = np.random.default_rng(3)
    patterns = spins(rng, 60, 40).astype(np.float32)
    y = jnp.asarray(patterns[5]).at[jnp.array([0, 7, 9])].multiply(-1)
    cubic, named = DenseHopfield.polynomial(patterns, 3), DenseHopfield(patterns, lambda u: u**3)
    assert cubic(y) == named(y)
    exponential = DenseHopfield.exponential(patterns)
    np.testing.assert_array_equal(exponential.update(y), patterns[5])
    # 200 units in single precision: exp(200) is none, exp(u - N) is.
    wide = DenseHopfield.exponential(spins(rng, 10, 200).astype(np.float32))
    np.testing.assert_allclose(wide(wide.patterns[2]), -1.0, rtol=1e-5)


def test_the_first_step_of_the_dense_memory():
    # erf(m0^2 / sqrt(2 noise)): n = 400 units, F = u^3, K = 4,000; heavy tails leave 0.04.
    rng, n, count = np.random.default_rng(4), 400, 4000
    patterns = spins(rng, count, n)
    energy = DenseHopfield.polynomial(patterns.astype(np.float32), 3)
    update = eqx.filter_jit(energy.update)
    flips = np.where(rng.random((6, n)) < 0.2, -1.0, 1.0)
    result = [
        np.mean(np.asarray(update(jnp.asarray(x, jnp.float32))) * patterns[k])
        for k, x in enumerate(patterns[:6] * flips)
    ]
    np.testing.assert_allclose(np.mean(result), capacity.dense_step(0.6, count, n, 3), atol=0.04)


# --- graded ---------------------------------------------------------------------------------------


def graded(seed=5, beta=2.0, size=12):
    rng = np.random.default_rng(seed)
    weights = ClassicalHopfield.hebb(spins(rng, 2, size)).weights
    return GradedHopfield(weights, beta, 0.1 * rng.normal(size=size)), rng


@pytest.mark.slow
def test_the_gradient_in_activities_is_potential_less_drive():
    energy, rng = graded()
    u = jnp.asarray(rng.normal(size=12))
    slope = jax.grad(energy)(energy.activity(u))
    np.testing.assert_allclose(slope, -energy.drive(u), atol=1e-12)
    np.testing.assert_allclose(energy.potential(energy.activity(u)), u, atol=1e-12)
    # In potentials the chain rule adds the slope of the activation, so this is another gradient.
    chained = jax.grad(lambda u: energy(energy.activity(u)))(u)
    gain = energy.beta * (1 - energy.activity(u) ** 2)
    np.testing.assert_allclose(chained, -gain * energy.drive(u), atol=1e-12)


class Network(bpc.AbstractSystem):
    """Hopfield's equation of 1984."""

    energy: GradedHopfield

    def vector_field(self, t, y, args):
        return self.energy.drive(y)


@pytest.mark.slow
def test_the_network_of_1984_never_raises_it():
    energy, rng = graded()
    solution = bpc.simulate(
        Network(energy), jnp.asarray(2 * rng.normal(size=12)), t1=60.0, dt=0.1,
        saveat=dfx.SaveAt(ts=jnp.linspace(0, 60, 40)),
    )  # fmt: skip
    energies = jax.vmap(lambda u: energy(energy.activity(u)))(solution.ys)
    assert (jnp.diff(energies) <= 1e-12).all() and energies[0] - energies[-1] > 0.1
    v = energy.activity(solution.ys[-1])
    np.testing.assert_allclose(energy.update(v), v, atol=1e-3)


def test_units_one_by_one_descend_to_the_exact_minimum_of_each():
    energy, rng = graded(beta=5.0)

    def step(v, index):
        new = v.at[index].set(energy.update(v)[index])
        return new, (energy(new) - energy(v), jax.grad(energy)(new)[index])

    order = jnp.asarray(rng.integers(0, 12, 80))
    _, (change, slope) = jax.lax.scan(step, jnp.asarray(rng.uniform(-1, 1, 12)), order)
    assert change.max() <= 1e-13
    np.testing.assert_allclose(slope, 0, atol=1e-9)


def test_at_the_corners_it_is_the_binary_energy_and_the_entropy_of_a_spin():
    energy, rng = graded(beta=1e6)
    corner = jnp.asarray(spins(rng, 12))
    binary = ClassicalHopfield(energy.weights, energy.bias)
    np.testing.assert_allclose(energy(corner), binary(corner) + 12 * np.log(2) / 1e6, atol=1e-12)
    half = energy.terms(jnp.zeros(12))
    assert half["entropy"] == 0
    warm, _ = graded(beta=1e-6)
    np.testing.assert_allclose(warm.update(corner), 0, atol=1e-5)
    np.testing.assert_allclose(sum(energy.terms(corner).values()), energy(corner), rtol=1e-14)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: GradedHopfield(np.ones((2, 3)), 1.0), "weights must be square"),
        (lambda: GradedHopfield(np.ones((0, 0)), 1.0), "weights must be square"),
        (lambda: GradedHopfield(1.0, 1.0), "weights must be square"),
        (lambda: GradedHopfield(np.triu(np.ones((3, 3))), 1.0), "symmetric"),
        (lambda: GradedHopfield(np.eye(2), 0.0), "GradedHopfield.beta must be positive"),
        (lambda: GradedHopfield(np.eye(2), 1.0, np.ones(3)), "bias must have shape"),
        (lambda: GradedHopfield(np.eye(2), 1.0)(jnp.zeros(3)), "y must have the shape"),
        (lambda: DenseHopfield.polynomial(np.ones((2, 3)), 1), "power must be"),
        (lambda: DenseHopfield(np.ones((0, 3)), jnp.exp), "one pattern or more"),
        (lambda: DenseHopfield(np.ones((2, 3)), jnp.exp).update(jnp.ones(2)), "spins must have"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
