"""Lagrangians and the two-layer memory: activations, Legendre transforms, the Lyapunov function."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.energies import ModernHopfield
from bpcjax.energies.hopfield.lagrangians import (
    Exponential,
    LayerNorm,
    LogCosh,
    LogSumExp,
    Quadratic,
    RectifiedPower,
    Softplus,
    Spherical,
    activation,
    layer_energy,
)
from bpcjax.models import TwoLayerHopfield, TwoLayerState


def softmax(u):
    e = np.exp(u - u.max())
    return e / e.sum()


def normalised(x):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-6)


PAIRS = [  # each Lagrangian and its activation in numpy
    (Quadratic(), lambda x: x),
    (RectifiedPower(2), lambda x: np.maximum(x, 0)),
    (RectifiedPower(3), lambda x: np.maximum(x, 0) ** 2),
    (Exponential(0.5), lambda x: np.exp(0.5 * x)),
    (LogCosh(2.0), lambda x: np.tanh(2 * x)),
    (Softplus(1.5), lambda x: 1 / (1 + np.exp(-1.5 * x))),
    (LogSumExp(2.0), lambda x: softmax(2 * x)),
    (Spherical(3.0), lambda x: 3 * x / np.sqrt(x @ x + 1e-6)),
    (LayerNorm(1.5), lambda x: 1.5 * normalised(x)),
]
NAMES = [f"{type(pair[0]).__name__}{k}" for k, pair in enumerate(PAIRS)]


@pytest.mark.slow
@pytest.mark.parametrize("lagrangian, expected", PAIRS, ids=NAMES)
def test_each_lagrangian_is_convex_with_that_activation(lagrangian, expected):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=5))
    np.testing.assert_allclose(activation(lagrangian, x), expected(np.asarray(x)), atol=1e-12)
    assert np.linalg.eigvalsh(jax.hessian(lagrangian)(x)).min() > -1e-12
    # The slope of the Legendre transform in x is the metric times x.
    metric = jax.hessian(lagrangian)(x)
    slope = jax.grad(lambda x: layer_energy(lagrangian, x))(x)
    np.testing.assert_allclose(slope, metric @ x, atol=1e-12)


def test_the_energy_of_a_softmax_layer_is_minus_its_entropy():
    x = np.random.default_rng(1).normal(size=6)
    p = softmax(3.0 * x)
    expected = np.sum(p * np.log(p)) / 3.0
    np.testing.assert_allclose(layer_energy(LogSumExp(3.0), jnp.asarray(x)), expected, atol=1e-14)


def system_of(visible, hidden, seed=2):
    rng = np.random.default_rng(seed)
    patterns = 0.4 * rng.normal(size=(4, 6))
    system = TwoLayerHopfield(
        patterns, visible, hidden, 1.0, 0.3, rng.normal(size=6), rng.normal(size=4)
    )
    state = TwoLayerState(jnp.asarray(rng.normal(size=6)), jnp.asarray(rng.normal(size=4)))
    return system, state, jnp.asarray(rng.normal(size=6))


@eqx.filter_jit
def balance(system, state, drive):
    """The rate of the energy: along the flow, and by the metrics of both layers."""
    rate = system.vector_field(0.0, state, drive)
    lost = jax.jvp(lambda s: system.energy(s, drive), (state,), (rate,))[1]
    metric_v = jax.hessian(system.visible)(state.v)
    metric_h = jax.hessian(system.hidden)(state.h)
    expected = system.tau_v * rate.v @ metric_v @ rate.v + system.tau_h * rate.h @ metric_h @ rate.h
    return lost, -expected


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(PAIRS)), ids=NAMES)
def test_the_energy_falls_as_the_metric_of_the_layers_says(index):
    visible, hidden = PAIRS[index][0], PAIRS[(index + 1) % len(PAIRS)][0]  # each on both sides
    lost, expected = balance(*system_of(visible, hidden))
    np.testing.assert_allclose(lost, expected, rtol=1e-9, atol=1e-12)
    assert lost <= 1e-12


BOUNDED = [  # layers of both sides that do not run away
    (Quadratic(), LogSumExp(2.0)),
    pytest.param(LogCosh(2.0), RectifiedPower(2), marks=pytest.mark.slow),
    pytest.param(LogSumExp(2.0), Softplus(1.5), marks=pytest.mark.slow),
    pytest.param(LayerNorm(1.5), RectifiedPower(3), marks=pytest.mark.slow),
    pytest.param(Spherical(3.0), Exponential(0.5), marks=pytest.mark.slow),
    pytest.param(Softplus(1.5), LogCosh(2.0), marks=pytest.mark.slow),
    pytest.param(Exponential(0.5), Spherical(3.0), marks=pytest.mark.slow),
    pytest.param(RectifiedPower(2), LayerNorm(1.5), marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize("visible, hidden", BOUNDED)
def test_the_flow_never_raises_the_energy(visible, hidden):
    system, state, drive = system_of(visible, hidden)
    times = dfx.SaveAt(ts=jnp.linspace(0, 6, 25))
    solution = bpc.simulate(system, state, drive, t1=6.0, dt=0.05, saveat=times)
    energies = jax.vmap(lambda s: system.energy(s, drive))(solution.ys)
    assert (jnp.diff(energies) <= 1e-9).all() and energies[0] > energies[-1] + 0.01


def test_with_the_hidden_layer_in_equilibrium_it_is_the_modern_energy():
    rng = np.random.default_rng(3)
    patterns, bias = rng.normal(size=(5, 4)), rng.normal(size=5)
    system = TwoLayerHopfield(patterns, Quadratic(), LogSumExp(1.7), bias=bias)
    modern = ModernHopfield(patterns, 1.7, bias)
    v = jnp.asarray(rng.normal(size=4))
    np.testing.assert_allclose(system.effective_energy(v), modern(v), rtol=1e-14)
    np.testing.assert_allclose(system.energy(system.start(v)), modern(v), rtol=1e-13)
    parts = system.terms(system.start(v)).values()
    np.testing.assert_allclose(sum(parts), modern(v), rtol=1e-13)
    slope = jax.grad(system.effective_energy)(v)
    np.testing.assert_allclose(v - slope, modern.update(v), atol=1e-13)


def test_one_step_of_euler_is_attention():
    rng = np.random.default_rng(4)
    patterns, beta = rng.normal(size=(9, 4)), 1 / np.sqrt(4)
    system = TwoLayerHopfield(patterns, Quadratic(), LogSumExp(beta), tau_v=0.7)
    query = rng.normal(size=4)
    state = system.start(jnp.asarray(query))
    rate = system.vector_field(0.0, state, None)
    attention = patterns.T @ softmax(beta * patterns @ query)
    np.testing.assert_allclose(state.v + 0.7 * rate.v, attention, atol=1e-14)
    np.testing.assert_allclose(rate.h, 0, atol=1e-14)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: TwoLayerHopfield(np.ones((0, 3)), Quadratic(), Quadratic()), "one pattern"),
        (
            lambda: TwoLayerHopfield(np.ones((2, 3)), Quadratic(), Quadratic(), tau_v=0.0),
            "tau_v must be positive",
        ),
        (
            lambda: TwoLayerHopfield(np.ones((2, 3)), Quadratic(), Quadratic(), inputs=np.ones(2)),
            "inputs must have",
        ),
        (
            lambda: TwoLayerHopfield(np.ones((2, 3)), Quadratic(), Quadratic(), bias=np.ones(3)),
            "bias must have",
        ),
        (
            lambda: TwoLayerHopfield(np.ones((2, 3)), Quadratic(), Quadratic()).start(jnp.ones(2)),
            "y must have the shape",
        ),
        (lambda: LogSumExp(0.0), "LogSumExp.beta must be positive"),
        (lambda: RectifiedPower(1), "power must be"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
