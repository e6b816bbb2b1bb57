"""Fixed points of every kind, and what their spectra say."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax.analysis import classify, fixed_points, hessian, jacobian, spectrum, unique
from tests.support.systems import CurieWeiss, FoldForm, Lorenz, MorrisLecar
from theory.closed_forms import flows, folds, hodgkin_huxley, mean_field, modern_hopfield


def rows(state, v):
    """A state of one neuron as many rows, with potentials `v`."""
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, v.shape), state)
    return many._replace(v=v)


def test_lorenz_has_three_rests_with_the_known_spectra():
    guesses = 20 * jax.random.normal(jax.random.key(0), (100, 3)) + jnp.array([[0.0, 0.0, 20.0]])
    points = unique(fixed_points(Lorenz(), guesses))
    assert points.ok.all() and points.y.shape == (3, 3)
    root = np.sqrt(8 / 3 * 27)
    expected = [[-root, -root, 27.0], [0, 0, 0], [root, root, 27.0]]
    order = jnp.argsort(points.y[:, 0])
    np.testing.assert_allclose(points.y[order], expected, atol=1e-9)
    values = spectrum(points.jacobian[order])
    # analysis of Lorenz's system at rho = 28: closed form and independent numbers
    np.testing.assert_allclose(values[1], [11.82772345, -8 / 3, -22.82772345], atol=1e-8)
    outer = [0.09395562 + 10.19450522j, 0.09395562 - 10.19450522j, -13.85457791]
    np.testing.assert_allclose(values[0], outer, atol=1e-8)
    np.testing.assert_allclose(values[2], outer, atol=1e-8)
    kinds = classify(values)
    assert kinds.unstable.tolist() == [2, 1, 2] and kinds.oscillatory.tolist() == [
        True,
        False,
        True,
    ]
    assert not kinds.marginal.any() and not kinds.stable.any()


@pytest.mark.slow
@pytest.mark.parametrize("beta", [0.99, 1.5, 2.0])
def test_curie_weiss(beta):
    points = unique(fixed_points(CurieWeiss(beta), jnp.linspace(-1.2, 1.2, 24)))
    m = mean_field.magnetisation(beta)
    expected = [-m, 0.0, m] if beta > 1 else [0.0]  # below one there is one well
    np.testing.assert_allclose(jnp.sort(points.y), expected, atol=1e-8)
    slopes = spectrum(points.jacobian).real[jnp.argsort(points.y), 0]
    np.testing.assert_allclose(slopes[len(expected) // 2], beta - 1, atol=1e-9)
    if beta > 1:
        np.testing.assert_allclose(slopes[0], mean_field.slope(m, beta), atol=1e-8)


@pytest.mark.slow
def test_every_fixed_point_of_an_equidistant_memory_is_found():
    # Orthogonal patterns of one length: the census is exact, 2^P - 1 points for large beta.
    patterns = 2.0 * jnp.eye(4)[:3]
    memory = bpc.energies.ModernHopfield(patterns, beta=2.0)
    guesses = jax.random.uniform(jax.random.key(1), (400, 4), minval=-0.5, maxval=2.5)
    points = unique(fixed_points(bpc.GradientFlow(memory), guesses), tol=1e-5)
    assert len(points.ok) == 2**3 - 1
    kinds = classify(spectrum(points.jacobian))
    assert sorted(kinds.unstable.tolist()) == [0, 0, 0, 1, 1, 1, 2]
    symmetric = np.asarray(points.jacobian - points.jacobian.transpose(0, 2, 1))
    np.testing.assert_allclose(symmetric, 0.0, atol=1e-12)
    curvature = jax.vmap(lambda y: hessian(memory, y))(points.y)
    np.testing.assert_allclose(points.jacobian, -curvature, atol=1e-12)


@pytest.mark.slow
def test_the_squid_axon_rests_where_an_independent_calculation_says():
    neuron = bpc.neurons.HodgkinHuxley(e_l=-54.4)
    guess = jax.tree.map(lambda x: x[None], neuron.rest())._replace(v=jnp.array([-60.0]))
    points = fixed_points(neuron, guess, 0.0)
    assert points.ok.all()
    expected = hodgkin_huxley.rest(0.0, -54.4)
    np.testing.assert_allclose([x[0] for x in points.y[:4]], expected, atol=1e-9)
    values = spectrum(points.jacobian, points.structural)[0]  # `above` is a mode
    np.testing.assert_allclose(values.real, [-0.12066, -0.20271, -0.20271, -4.67532], atol=1e-5)
    np.testing.assert_allclose(abs(values[1].imag), 0.38307, atol=1e-5)


@pytest.mark.slow
def test_modes_and_clocks_stay_as_guessed_and_are_named():
    neuron = bpc.Refractory(bpc.neurons.AdEx(), 2.0)
    v = jnp.array([-80.0, -60.0, -45.0])
    guess = jax.tree.map(lambda x: jnp.broadcast_to(x, v.shape), neuron.rest())
    guess = guess._replace(neuron=guess.neuron._replace(v=v))
    points = fixed_points(neuron, guess, 500.0)
    cell = folds.AdExCell(281.0, 30.0, -70.6, -50.4, 2.0, 144.0, 4.0)
    low, high = folds.adex_rest(500.0, cell)
    np.testing.assert_allclose(points.y.neuron.v, [low, low, high], atol=1e-8)
    assert points.structural.tolist() == [False, False, True, True]
    assert points.y.active.tolist() == [1, 1, 1] and points.y.clock.tolist() == [0, 0, 0]
    kinds = classify(spectrum(points.jacobian, points.structural))
    assert kinds.stable.tolist() == [True, True, False] and not kinds.marginal.any()
    held = guess._replace(active=jnp.zeros(3))  # its clock runs: no rest
    assert not fixed_points(neuron, held, 500.0).ok.any()


def test_a_rest_beyond_the_threshold_is_none():
    neuron = bpc.neurons.LIF()
    guesses = rows(neuron.rest(), jnp.array([-60.0, -55.0]))
    assert fixed_points(neuron, guesses, 90.0).ok.all()  # -51 mV
    points = fixed_points(neuron, guesses, 110.0)  # -49 mV, above threshold
    assert not points.ok.any() and not points.slow.any()


@pytest.mark.slow
def test_slow_points_are_told_from_roots():
    guesses = jnp.array([-0.5, 0.3, 2.0])
    ghost = fixed_points(FoldForm(), guesses, 0.01)  # the fold passed at zero
    assert not ghost.ok.any() and ghost.slow.all()
    np.testing.assert_allclose(ghost.y, 0.0, atol=1e-3)
    np.testing.assert_allclose(ghost.residual, 0.01, rtol=1e-3)
    roots = fixed_points(FoldForm(), guesses, -0.01)
    assert roots.ok.all() and not roots.slow.any()
    np.testing.assert_allclose(jnp.abs(roots.y), 0.1, atol=1e-9)


@pytest.mark.slow
def test_rows_fail_alone():
    guesses = jnp.array(
        [[0.0, 0.0, 0.0], [jnp.nan, 1.0, 1.0], [8.0, 8.0, jnp.inf], [9.0, 9.0, 27.0]]
    )
    points = fixed_points(Lorenz(), guesses)
    assert points.ok.tolist() == [True, False, False, True]
    assert not points.slow.any()
    assert len(unique(points).ok) == 2
    kinds = classify(spectrum(points.jacobian))
    assert kinds.unstable.tolist()[1:3] == [-1, -1] and not kinds.stable.any()
    nothing = unique(fixed_points(FoldForm(), jnp.array([1.0, 2.0]), 1.0))
    assert nothing.y.shape == (0,)


def test_the_derivative_of_a_rest_is_that_of_the_implicit_function():
    def rest(current):
        neuron = bpc.neurons.AdEx()
        return fixed_points(neuron, rows(neuron.rest(), jnp.array([-60.0])), current).y.v[0]

    cell = folds.AdExCell(281.0, 30.0, -70.6, -50.4, 2.0, 144.0, 4.0)
    low = [folds.adex_rest(current, cell)[0] for current in (500.0 - 1e-3, 500.0 + 1e-3)]
    np.testing.assert_allclose(jax.jit(jax.grad(rest))(500.0), (low[1] - low[0]) / 2e-3, rtol=1e-6)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="guesses"):
        fixed_points(Lorenz(), jnp.zeros(()))
    with pytest.raises(ValueError, match="guesses"):
        fixed_points(Lorenz(), jnp.zeros((0, 3)))
    with pytest.raises(ValueError, match="tol"):
        fixed_points(Lorenz(), jnp.zeros((2, 3), jnp.float32))
    with pytest.raises(ValueError, match="square"):
        spectrum(jnp.zeros((2, 3)))

    class Wide(bpc.AbstractSystem):  # more rates than states
        def vector_field(self, t, y, args):
            return jnp.zeros(3)

    with pytest.raises(ValueError, match="shape"):
        fixed_points(Wide(), jnp.zeros((4, 2)))
    with pytest.raises(ValueError, match="traced"):
        eqx.filter_jit(unique)(fixed_points(FoldForm(), jnp.ones(2), -1.0))


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(allow_nan=True, width=32), min_size=4, max_size=4))
def test_no_guess_gives_a_plausible_wrong_number(values):
    points = fixed_points(MorrisLecar(), jnp.asarray(values, float).reshape(2, 2), 20.0)
    rate = jax.vmap(lambda y: MorrisLecar().vector_field(0.0, y, 20.0))(points.y)
    ok = np.asarray(points.ok)
    assert (np.abs(np.asarray(rate))[ok] <= 1e-10).all()
    assert np.isfinite(np.asarray(points.y))[ok].all()


@pytest.mark.slow
def test_an_own_energy_has_its_hessian_in_any_structure():
    def energy(y, args):
        return y["a"] ** 2 * y["b"].sum() + args * (y["b"] ** 3).sum()

    y = {"a": jnp.array(2.0), "b": jnp.array([1.0, -1.0])}
    expected = [[0, 4, 4], [4, 6 * 0.5, 0], [4, 0, -6 * 0.5]]
    np.testing.assert_allclose(hessian(energy, y, 0.5), expected, atol=1e-14)
    flow = bpc.GradientFlow(energy, tau=2.0)
    np.testing.assert_allclose(jacobian(flow, y, 0.5), -np.array(expected) / 2, atol=1e-14)


def test_lorenz_eigenvalues_agree_with_the_oracle():
    values = spectrum(jacobian(Lorenz(), jnp.zeros(3)))
    np.testing.assert_allclose(np.sort(values.real), np.sort(flows.lorenz_origin_eigenvalues(28.0)))


def test_the_census_of_the_oracle():
    assert modern_hopfield.census(8.0, 3).sum() + 1 == 2**3 - 1


def test_an_energy_that_is_a_function_has_rests_under_jit():
    flow = bpc.GradientFlow(lambda y, args: 0.5 * args * y**2 - y)
    points = jax.jit(lambda args: fixed_points(flow, jnp.zeros(1), args))(2.0)
    np.testing.assert_allclose(points.y, [0.5], atol=1e-12)
