"""Energies on planes and along paths: exact shapes, known curvatures, what is refused."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import energy_slice, hessian_path, plane, principal_plane
from theory.closed_forms import mean_field


def bowl(y, args):
    return y @ y


class Pair(NamedTuple):
    v: jax.Array
    w: jax.Array


def test_a_plane_holds_its_three_points():
    rng = np.random.default_rng(0)
    three = rng.standard_normal((3, 7))
    slice_ = plane(*three)
    np.testing.assert_allclose(slice_.directions @ slice_.directions.T, np.eye(2), atol=1e-12)
    at = slice_.coordinates(three)
    np.testing.assert_allclose(slice_.points(at), three, atol=1e-12)
    # The first axis runs from the origin to the second point, at true distances.
    np.testing.assert_allclose(at[1], [np.linalg.norm(three[1] - three[0]), 0], atol=1e-12)
    np.testing.assert_allclose(slice_.corners, [at.min(axis=0), at.max(axis=0)], atol=1e-12)
    with pytest.raises(ValueError, match="like"):
        plane(three[0], three[1], three[2][:3])
    with pytest.raises(ValueError, match="finite"):
        plane(three[0], three[1], np.nan * three[2])


@pytest.mark.parametrize("at", [(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 2)])
def test_three_points_of_a_line_span_no_plane(at):
    with pytest.raises(ValueError, match="one line"):
        plane(*(np.full(7, float(x)) for x in at))


@pytest.mark.slow
def test_planes_of_states_with_several_leaves_and_axes():
    def state(seed):
        rng = np.random.default_rng(seed)
        return Pair(jnp.asarray(rng.standard_normal((2, 3))), jnp.asarray(rng.standard_normal(2)))

    three = [state(k) for k in range(3)]
    slice_ = plane(*three)
    stack = jax.tree.map(lambda *x: jnp.stack([jnp.stack(x)] * 4), *three)  # two leading axes
    at = slice_.coordinates(stack)
    assert at.shape == (4, 3, 2)
    np.testing.assert_allclose(at[2, 1], slice_.coordinates(three[1]), atol=1e-12)
    back = slice_.points(at)
    np.testing.assert_allclose(back.v, stack.v, atol=1e-12)
    np.testing.assert_allclose(back.w, stack.w, atol=1e-12)

    landscape = energy_slice(lambda y, args: jnp.sum(y.v**2) + jnp.sum(y.w**2), slice_, count=5)
    grid = slice_.points(np.stack(np.meshgrid(landscape.along, landscape.across), axis=-1))
    expected = (grid.v**2).sum(axis=(-2, -1)) + (grid.w**2).sum(axis=-1)
    np.testing.assert_allclose(landscape.energy, expected, rtol=1e-12)


def test_the_principal_plane_is_that_of_the_spread():
    rng = np.random.default_rng(1)
    base, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    states = rng.standard_normal((500, 6)) * np.array([5, 2, 0.1, 0.1, 0.1, 0.1]) @ base.T + 3
    result = principal_plane(states)
    np.testing.assert_allclose(result.origin, states.mean(axis=0), atol=1e-12)
    # The eigenvectors of the covariance by numpy, and nothing left to the others.
    values, vectors = np.linalg.eigh(np.cov(states.T))
    np.testing.assert_allclose(abs(result.directions @ vectors[:, [-1, -2]]), np.eye(2), atol=1e-8)
    spread = np.asarray(result.coordinates(states))
    np.testing.assert_allclose(np.cov(spread.T), np.diag(values[[-1, -2]]), atol=1e-9)
    largest = np.abs(result.directions).argmax(axis=1)
    assert (result.directions[np.arange(2), largest] > 0).all()
    for few in (states[:2], states[:, :1], np.outer(np.arange(5.0), np.ones(6))):
        with pytest.raises(ValueError, match="states"):
            principal_plane(few)


def test_a_slice_has_the_energy_of_its_states_at_every_point():
    rng = np.random.default_rng(2)
    energy = bpc.energies.ModernHopfield(rng.standard_normal((4, 6)), 2.0)
    slice_ = plane(*energy.patterns[:3])
    landscape = energy_slice(energy, slice_, count=7, margin=0.5)
    for i, j in ((0, 0), (3, 5), (6, 2)):
        y = slice_.points(jnp.stack([landscape.along[j], landscape.across[i]]))
        np.testing.assert_allclose(landscape.energy[i, j], energy(y), rtol=1e-12)
    # It reaches half a side beyond the three.
    at = np.asarray(slice_.coordinates(energy.patterns[:3]))
    side = (at.max(axis=0) - at.min(axis=0)).max()
    np.testing.assert_allclose(landscape.along[0], at[:, 0].min() - side / 2)
    np.testing.assert_allclose(landscape.across[-1], at[:, 1].max() + side / 2)
    # Of a flow, its energy.
    same = energy_slice(bpc.GradientFlow(energy), slice_, count=7, margin=0.5)
    np.testing.assert_array_equal(same.energy, landscape.energy)


def test_a_slice_sees_the_drive_and_batches():
    three = np.eye(3)

    def energies(drive):
        return energy_slice(lambda y, args: y @ y - args @ y, plane(*three), drive, count=3).energy

    drives = jnp.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    both = jax.jit(jax.vmap(energies))(drives)
    np.testing.assert_allclose(both[1], energies(drives[1]), rtol=1e-12)
    assert np.abs(both[1] - both[0]).max() > 1


def test_curvatures_of_the_mean_field_memory():
    # E = |y|^2 / 2 - sum log(2 cosh(beta (w y)_i)) / beta has Hessian I - beta w' sech^2 w.
    rng = np.random.default_rng(3)
    w = rng.standard_normal((4, 4))
    w = (w + w.T) / 4
    beta = 1.7

    def energy(y, args):
        h = args * (w @ y)
        return 0.5 * y @ y - jnp.logaddexp(h, -h).sum() / args

    path = np.linspace(np.zeros(4), np.ones(4), 5)
    result = hessian_path(energy, path, beta)
    for y, values in zip(path, result, strict=True):
        sech = 1 / np.cosh(beta * (w @ y)) ** 2
        expected = np.linalg.eigvalsh(np.eye(4) - beta * w.T @ np.diag(sech) @ w)
        np.testing.assert_allclose(values, expected, atol=1e-12)
    np.testing.assert_allclose(
        result[0], np.sort(1 - beta * np.linalg.eigvalsh(w) ** 2), atol=1e-12
    )


def test_curvatures_of_the_wells_are_their_rates_of_return():
    m = np.array([0.0, mean_field.magnetisation(1.5)])
    result = hessian_path(mean_field_energy, m, 1.5)[:, 0]
    # In one dimension the flow is -E' (1 - beta E'' ...): tanh(beta m) = m gives 1 - beta sech^2.
    np.testing.assert_allclose(result, -mean_field.slope(m, 1.5), atol=1e-12)


def mean_field_energy(m, beta):
    drive = beta * m
    return 0.5 * m**2 - jnp.logaddexp(drive, -drive) / beta


def test_curvatures_of_states_with_leaves_and_of_what_is_not_finite():
    path = Pair(jnp.array([0.0, 1.0, jnp.nan]), jnp.zeros((3, 2)))
    result = hessian_path(lambda y, args: y.v**4 + y.v * y.w.sum() + (y.w**2).sum(), path)
    np.testing.assert_allclose(result[0], np.linalg.eigvalsh([[0, 1, 1], [1, 2, 0], [1, 0, 2]]))
    np.testing.assert_allclose(result[1], np.linalg.eigvalsh([[12, 1, 1], [1, 2, 0], [1, 0, 2]]))
    assert np.isnan(result[2]).all()


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(count=1), "count"),
        (dict(margin=-0.1), "margin"),
        (dict(margin=np.nan), "margin"),
        (dict(points=np.full((2, 3), np.nan)), "points"),
        (dict(points=np.zeros((0, 3))), "points"),
        (dict(energy=lambda y, args: jnp.nan * y.sum()), "energy"),
    ],
)
def test_bad_input_is_named(change, named):
    kwargs = dict(energy=bowl, plane=plane(*np.eye(3))) | change
    with pytest.raises(ValueError, match=named):
        energy_slice(**kwargs)
