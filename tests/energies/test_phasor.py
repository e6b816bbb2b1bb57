"""Phasor memories: identical to the real memory, descent, and the theory of their saturation."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.energies import ModernHopfield, PhasorHopfield, ThresholdPhasor
from bpcjax.energies.hopfield.phasor import join, split
from theory.closed_forms import phasor


def phasors(rng, *shape):
    return np.exp(2j * np.pi * rng.random(shape))


def test_it_is_the_real_memory_of_real_and_imaginary_parts():
    rng = np.random.default_rng(0)
    x, bias = phasors(rng, 6, 5), rng.normal(size=6)
    z = jnp.asarray(rng.normal(size=5) + 1j * rng.normal(size=5))
    energy = PhasorHopfield(x, 1.3, bias)
    real = ModernHopfield(np.concatenate([x.real, x.imag], axis=1), 1.3, bias)
    y = jnp.concatenate([z.real, z.imag])
    np.testing.assert_allclose(energy(z), real(y), atol=1e-12)
    np.testing.assert_allclose(energy.posterior(z), real.posterior(y), atol=1e-12)
    np.testing.assert_allclose(split(energy.update(z)), real.update(y), atol=1e-12)
    np.testing.assert_allclose(join(split(z)), z)
    # By hand: overlaps Re(x^* z), and attention with complex values.
    u = 1.3 * ((x.conj() @ np.asarray(z)).real + bias)
    p = np.exp(u - u.max()) / np.exp(u - u.max()).sum()
    np.testing.assert_allclose(energy.scores(z), u, atol=1e-12)
    np.testing.assert_allclose(energy.update(z), p @ x, atol=1e-12)
    expected = 0.5 * np.sum(np.abs(z) ** 2) - (np.log(np.exp(u - u.max()).sum()) + u.max()) / 1.3
    np.testing.assert_allclose(energy(z), expected, atol=1e-12)


@pytest.mark.slow
def test_its_flow_over_real_parts_descends_to_a_memory():
    rng = np.random.default_rng(1)
    energy = PhasorHopfield(phasors(rng, 5, 16), 1.0)
    start = split(energy.patterns[2] * np.exp(0.5j * rng.normal(size=16)))
    solution = bpc.simulate(
        bpc.GradientFlow(energy.real), start, t1=12.0, dt=0.05,
        saveat=dfx.SaveAt(ts=jnp.linspace(0, 12, 25)),
    )  # fmt: skip
    assert (jnp.diff(jax.vmap(energy)(join(solution.ys))) <= 1e-12).all()
    np.testing.assert_allclose(join(solution.ys[-1]), energy.patterns[2], atol=1e-2)


def test_spike_times_are_phases():
    # 20 neurons spike once in each 50 ms; recall from times with 4 ms of jitter.
    rng, omega = np.random.default_rng(2), 2 * np.pi / 50.0
    times = rng.uniform(-25, 25, (8, 20))
    energy = PhasorHopfield(np.exp(1j * omega * times), 2.0)
    heard = times[3] + 4.0 * rng.normal(size=20)
    recalled = jnp.angle(energy.update(jnp.exp(1j * omega * jnp.asarray(heard)))) / omega
    np.testing.assert_allclose(recalled, times[3], atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_units_one_by_one_never_raise_the_energy(threshold):
    rng = np.random.default_rng(3)
    energy = ThresholdPhasor.hebb(phasors(rng, 4, 30), threshold)

    def step(z, index):
        new = z.at[index].set(energy.update(z)[index])
        return new, energy(new) - energy(z)

    order = jnp.asarray(rng.integers(0, 30, 150))
    start = jnp.asarray(phasors(rng, 30))
    final, change = jax.lax.scan(step, start, order)
    assert change.max() <= 1e-12 and energy(final) < energy(start) - 1
    np.testing.assert_allclose(sum(energy.terms(final).values()), energy(final), rtol=1e-14)
    # The minimiser over one unit in the unit disc, by trying many.
    angles, radii = np.meshgrid(np.arange(0, 6.3, 0.1), [0.0, 0.5, 1.0])
    trial = jnp.asarray((radii * np.exp(1j * angles)).ravel())
    energies = jax.vmap(lambda value: energy(final.at[4].set(value)))(trial)
    best = final.at[4].set(energy.update(final)[4])
    assert energy(best) <= energies.min() + 1e-12


def test_the_threshold_silences_weak_units():
    energy = ThresholdPhasor(np.array([[0, 1j], [-1j, 0]]), 0.5)
    np.testing.assert_allclose(energy.update(jnp.asarray([1.0 + 0j, 0.4])), [0, -1j], atol=1e-15)


@pytest.mark.slow
def test_overlap_near_saturation_is_that_of_the_closed_form():
    # 1,000 units, 20 patterns: m = 0.97567 in the limit; 4 standard errors and finite size.
    n, result = 1000, []

    @eqx.filter_jit
    def settle(energy, z):
        return jax.lax.fori_loop(0, 40, lambda _, z: jax.vmap(energy.update)(z), z)

    for seed in range(3):
        x = phasors(np.random.default_rng(seed), 20, n).astype(np.complex64)
        z = settle(ThresholdPhasor.hebb(x), jnp.asarray(x))
        result.extend(np.abs((x.conj() * np.asarray(z)).mean(axis=1)))
    expected = phasor.retrieval(0.02).m
    np.testing.assert_allclose(expected, 0.97567, atol=5e-6)
    assert abs(np.mean(result) - expected) < 4 * np.std(result) / np.sqrt(len(result)) + 2e-3


@pytest.mark.slow
def test_far_above_the_capacity_patterns_are_lost():
    # alpha = 0.08, above alpha_c = 0.0377: overlap far below m_c = 0.904.
    rng, n = np.random.default_rng(4), 500
    x = phasors(rng, 40, n).astype(np.complex64)
    energy, z = ThresholdPhasor.hebb(x), jnp.asarray(x[:8])
    update = eqx.filter_jit(lambda z: jax.vmap(energy.update)(z))
    for _ in range(60):
        z = update(z)
    assert np.abs((x[:8].conj() * np.asarray(z)).mean(axis=1)).mean() < 0.7 < phasor.capacity().m


@pytest.mark.slow
def test_single_precision_extremes_and_one_pattern():
    rng = np.random.default_rng(5)
    x = phasors(rng, 4, 6).astype(np.complex64)
    z = jnp.asarray(x[1] + 0.1)
    sharp, flat = (PhasorHopfield(x, jnp.float32(beta)) for beta in (1e6, 1e-6))
    np.testing.assert_allclose(sharp.update(z), x[1], atol=1e-6)
    np.testing.assert_allclose(flat.posterior(z), 0.25, atol=1e-5)
    one = PhasorHopfield(x[:1], 1.0)
    np.testing.assert_allclose(one.update(z), x[0], atol=1e-6)
    np.testing.assert_allclose(PhasorHopfield(x[[0, 0]], 1.0).posterior(z), 0.5, atol=1e-6)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: PhasorHopfield(np.ones((0, 3)), 1.0), "one pattern or more"),
        (lambda: PhasorHopfield(np.ones((2, 3)), -1.0), "PhasorHopfield.beta must be positive"),
        (lambda: PhasorHopfield(np.full((2, 3), np.nan), 1.0), "patterns must be finite"),
        (lambda: PhasorHopfield(np.ones((2, 3)), 1.0).update(jnp.ones(4) + 0j), "z must have"),
        (lambda: PhasorHopfield(np.ones((2, 3)), 1.0, np.ones(3)), "bias must have shape"),
        (lambda: ThresholdPhasor(np.ones((2, 3))), "weights must be square"),
        (lambda: ThresholdPhasor(1j * np.ones((2, 2))), "Hermitian"),
        (lambda: ThresholdPhasor(np.eye(2), -0.1), "threshold must not be negative"),
        (lambda: ThresholdPhasor(np.eye(2)).update(jnp.ones(3) + 0j), "z must have"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_the_flow_over_complex_states_is_that_over_real_parts():
    rng = np.random.default_rng(3)
    energy = PhasorHopfield(np.exp(2j * np.pi * rng.random((5, 7))), 1.2)
    z = jnp.asarray(rng.normal(size=7) + 1j * rng.normal(size=7))
    flow = bpc.GradientFlow(energy).vector_field(0.0, z, None)
    parts = bpc.GradientFlow(energy.real).vector_field(0.0, split(z), None)
    np.testing.assert_allclose(split(flow), parts, atol=1e-12)
