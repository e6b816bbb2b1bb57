"""Rests that the linearisation does not decide: marginal, in any coordinates and precision."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import classify, fixed_points, spectrum


class Plain(bpc.AbstractSystem):
    rate: Callable

    def vector_field(self, t, y, args):
        return self.rate(y)


def kinds(rate, guesses, dtype=float, **options):
    points = fixed_points(Plain(rate), jnp.asarray(guesses, dtype), **options)
    assert points.ok.all()
    kind = classify(spectrum(points.jacobian))
    return kind.unstable.tolist(), kind.marginal.tolist()


def in_plane(rate):
    return lambda y: jnp.stack([rate(y[0]), -y[1]])


# multiplicity two and more, by the closed form: every eigenvalue but -1 is zero
DEGENERATE = {
    "fold": in_plane(lambda x: x**2),
    "fold, mirrored": in_plane(lambda x: -(x**2)),
    "fold, fast": in_plane(lambda x: 1e6 * x**2),
    "pitchfork": in_plane(lambda x: x**3),
    "pitchfork of a memory": in_plane(lambda x: jnp.tanh(x) - x),
    "quintic": in_plane(lambda x: -(x**5)),
    "terms cancel": in_plane(lambda x: x**2 - 2 * x + 1),
    "terms hide": in_plane(lambda x: 1 - jnp.cos(x)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DEGENERATE)
def test_a_multiple_root_is_marginal(name):
    guesses = [[0.9, 0.3], [1e-3, 0.1], [1.2, -0.4]]
    assert kinds(DEGENERATE[name], guesses) == ([0, 0, 0], [1, 1, 1])
    single = kinds(DEGENERATE[name], guesses, jnp.float32, tol=2e-5)
    assert single == ([0, 0, 0], [1, 1, 1])


@pytest.mark.slow
def test_a_multiple_root_in_oblique_coordinates():
    base = np.random.default_rng(0).normal(size=(3, 3))
    back = np.linalg.inv(base)

    def rate(y):
        x = back @ (y - 1)
        return base @ jnp.stack([x[0] ** 2, -x[1], 2 * x[2]])

    assert kinds(rate, [[0.9, 0.3, 0.1], [1.1, 0.8, 1.3]]) == ([1, 1], [1, 1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "rate",
    [
        lambda y: jnp.stack([y[0] ** 2 - y[1] ** 2, -2 * y[0] * y[1]]),  # D3: monkey saddle
        lambda y: -(y**3) + 0.5 * y * y[::-1] ** 2,  # D4
        lambda y: -(y @ y) * y,  # O(2)
        lambda y: jnp.stack([y[1], y[0] ** 2]),  # Bogdanov-Takens: a double zero, one eigenvector
    ],
)
def test_two_eigenvalues_are_zero(rate):
    assert kinds(rate, [[0.5, 0.3], [1e-3, 1e-3]]) == ([0, 0], [2, 2])


@pytest.mark.slow
def test_a_small_eigenvalue_of_a_certain_root_decides():
    gap = 5e-7  # two roots: slopes of -1e-6 and 1e-6
    rate = in_plane(lambda x: x**2 - gap**2)
    assert kinds(rate, [[1e-3, 0.1], [-1e-3, 0.1]]) == ([1, 0], [0, 0])


@pytest.mark.slow
def test_a_ring_of_rests_is_marginal_along_itself():
    unstable, marginal = kinds(lambda y: 0.2 * y - (y @ y) * y, [[0.5, 0.3], [1e-3, 1e-3]])
    assert (unstable, marginal) == ([0, 2], [1, 0])


def test_rounding_does_not_split_a_double_zero():
    values = spectrum(jnp.array([[0.0, 1.0], [2e-16, 0.0]]))
    np.testing.assert_array_equal(values, 0.0)
    kept = spectrum(jnp.array([[0.0, 1.0], [1e-12, 0.0]]))
    np.testing.assert_allclose(kept, [1e-6, -1e-6])
    chain = -jnp.eye(20) + 5 * jnp.eye(20, k=1)  # nearly singular, and yet stable
    np.testing.assert_allclose(spectrum(chain), -1.0)


def test_eigenvalues_are_marginal_within_their_precision():
    values = jnp.array([3e-7, -1.0])
    assert classify(values).unstable == 1 and classify(values.astype(jnp.float32)).marginal == 1
