"""Paths over saddles, their barriers, and Kramers' rates: closed forms and a textbook surface."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import energy_path, hessian_path, kramers_rate
from theory.closed_forms import first_passage, mean_field


def double_well(x, args):
    return x**4 / 4 - x**2 / 2


def curie_weiss(m, beta):
    drive = beta * m
    return 0.5 * m**2 - jnp.logaddexp(drive, -drive) / beta


def muller_brown(y, args):
    """The surface of Muller & Brown (1979), Theor. Chim. Acta 53:75."""
    a, b = jnp.array([-1.0, -1.0, -6.5, 0.7]), jnp.array([0.0, 0.0, 11.0, 0.6])
    c = jnp.array([-10.0, -10.0, -6.5, 0.7])
    x = y[0] - jnp.array([1.0, 0.0, -0.5, -1.0])
    z = y[1] - jnp.array([0.0, 0.5, 1.5, 1.0])
    height = jnp.array([-200.0, -100.0, -170.0, 15.0])
    return jnp.sum(height * jnp.exp(a * x**2 + b * x * z + c * z**2))


def test_the_double_well():
    path = energy_path(double_well, -1.1, 0.8)
    assert path.ok
    np.testing.assert_allclose([path.path[0], path.saddle, path.path[-1]], [-1, 0, 1], atol=1e-9)
    np.testing.assert_allclose(path.barrier, 0.25, rtol=1e-12)
    np.testing.assert_allclose(path.eigenvalues, [-1.0], rtol=1e-9)
    assert path.energies.max() == path.energies[jnp.argmin(jnp.abs(path.path))]


@pytest.mark.slow
@pytest.mark.parametrize("beta, barrier", [(1.5, 0.0767961126), (2.0, 0.1632619437)])
def test_the_barrier_of_mean_field_memory(beta, barrier):
    # f(0) - f(m*), m* = tanh(beta m*) by bisection in scipy.
    path = energy_path(curie_weiss, -1.0, 1.0, beta)
    assert path.ok
    np.testing.assert_allclose(path.barrier, barrier, atol=5e-11)
    np.testing.assert_allclose(path.barrier, mean_field.barrier(beta), rtol=1e-10)
    np.testing.assert_allclose(path.path[-1], mean_field.magnetisation(beta), atol=1e-9)
    np.testing.assert_allclose(path.eigenvalues, [1 - beta], rtol=1e-9)


@pytest.mark.slow
def test_one_well_has_no_path():
    with pytest.raises(ValueError, match="one minimum"):
        energy_path(curie_weiss, -1.0, 1.0, 0.99)


@pytest.mark.slow
def test_the_surface_of_muller_and_brown():
    # Its minima are at (-0.558224, 1.441726) and (0.623499, 0.028038), of energies -146.6995 and
    # -108.1667; the higher of the two saddles is at (-0.822002, 0.624313), of energy -40.6648.
    path = energy_path(muller_brown, np.array([-0.6, 1.4]), np.array([0.6, 0.0]))
    assert path.ok
    np.testing.assert_allclose(path.path[0], [-0.558224, 1.441726], atol=1e-6)
    np.testing.assert_allclose(path.path[-1], [0.623499, 0.028038], atol=1e-6)
    np.testing.assert_allclose(path.saddle, [-0.822002, 0.624313], atol=1e-6)
    np.testing.assert_allclose(path.barrier, -40.6648 + 146.6995, atol=2e-4)
    assert path.eigenvalues[0] < 0 < path.eigenvalues[1]
    # The gradient points along a path of least energy, but for its corners.
    tangent = np.asarray(path.path)[2:] - np.asarray(path.path)[:-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    slope = np.asarray(jax.vmap(jax.grad(muller_brown), (0, None))(path.path, None))[1:-1]
    along = (slope * tangent).sum(axis=1)
    assert np.sum(along**2) > 0.98 * np.sum(slope**2)
    # It passes the third minimum, (-0.050011, 0.466694).
    near = np.linalg.norm(np.asarray(path.path) - [-0.050011, 0.466694], axis=1).min()
    assert near < 0.05


@pytest.mark.slow
def test_between_two_memories_lies_the_saddle_of_the_mean_field():
    # Of two patterns m + d and m - d of one length, orthogonal m and d, the energy at m + s d is
    # |m|^2 / 2 - bias + |d|^2 times that of Curie-Weiss at s, with beta |d|^2 for beta.
    rng = np.random.default_rng(0)
    m, d = np.linalg.qr(rng.standard_normal((9, 2)))[0].T * np.array([[0.7], [1.3]])
    beta = 1.5
    energy = bpc.energies.ModernHopfield(np.stack([m + d, m - d]), beta)
    path = energy_path(energy, m + d, m - d)
    assert path.ok
    square = d @ d
    np.testing.assert_allclose(path.saddle, m, atol=1e-9)
    np.testing.assert_allclose(path.barrier, square * mean_field.barrier(beta * square), rtol=1e-9)
    # In the other directions the energy is |y|^2 / 2.
    expected = np.append(1 - beta * square, np.ones(8))
    np.testing.assert_allclose(path.eigenvalues, expected, atol=1e-9)
    curvatures = hessian_path(energy, path.path)
    assert (curvatures[0] > 0).all() and (curvatures[-1] > 0).all()


def ring(y, tilt):
    """A circular valley around a summit at 0, wells near (+-1, 0), saddles near (0, +-1)."""
    x, z = y["x"], y["z"]
    return (x**2 + z**2 - 1) ** 2 - 0.3 * x**2 + tilt * z


@pytest.mark.slow
def test_a_line_over_a_summit_is_no_path_but_a_detour_is():
    a, b = ({"x": jnp.array(s), "z": jnp.array(0.0)} for s in (-1.0, 1.0))

    def path(tilt, side):
        return energy_path(ring, a, b, tilt, through={"x": jnp.zeros(1), "z": jnp.array([side])})

    straight = path(0.0, 0.0)  # by symmetry the string stays on the line
    assert not straight.ok and np.isnan(straight.barrier)
    barriers = []
    for side in (-1.0, 1.0):
        solution = path(0.05, side)
        assert solution.ok
        # d/dz on x = 0: 4 z (z^2 - 1) + 0.05 = 0; roots by numpy.
        z = [r.real for r in np.roots([4, 0, -4, 0.05]) if r.real * side > 0.5]
        np.testing.assert_allclose(solution.saddle["z"], z, atol=1e-9)
        np.testing.assert_allclose(solution.saddle["x"], 0, atol=1e-9)
        barriers.append(float(solution.barrier))
    assert barriers[0] < barriers[1]


@pytest.mark.slow
def test_paths_batch():
    # Two patterns +-1 in one dimension are the Curie-Weiss model.
    patterns = jnp.array([[1.0], [-1.0]])

    def path(beta):
        return energy_path(bpc.energies.ModernHopfield(patterns, beta), patterns[0], patterns[1])

    solution = jax.jit(jax.vmap(path))(jnp.array([1.5, 2.0, 0.9]))
    np.testing.assert_array_equal(solution.ok, [True, True, False])
    np.testing.assert_allclose(solution.barrier[:2], mean_field.barrier(np.array([1.5, 2.0])))
    assert np.isnan(solution.barrier[2])


def test_kramers_rate_of_the_double_well():
    # sqrt(2) / (2 pi) exp(-1 / (4 D)); tau only scales time.
    rate = [kramers_rate(double_well, -1.0, 0.0, d) for d in (0.1, 0.2)]
    np.testing.assert_allclose(rate[0], 1.84756e-2, rtol=5e-6)
    np.testing.assert_allclose(rate, np.sqrt(2) / (2 * np.pi) * np.exp([-2.5, -1.25]), rtol=1e-12)
    slow = kramers_rate(bpc.Langevin(double_well, 0.1), -1.0, 0.0, 0.1, tau=5.0)
    np.testing.assert_allclose(slow, rate[0] / 5, rtol=1e-12)
    # Its slope in 1 / D is minus the barrier.
    slope = jax.grad(lambda x: jnp.log(kramers_rate(double_well, -1.0, 0.0, 1 / x)))(10.0)
    np.testing.assert_allclose(slope, -0.25, rtol=1e-12)


def test_kramers_rate_is_the_limit_of_the_exact_mean_time():
    # Twice the mean time to the saddle, from which half go back: Gardiner's integral; their ratio
    # goes to 1 with the temperature.
    off = []
    for d in (0.04, 0.02, 0.01):
        log_time = first_passage.log_mean_time(first_passage.double_well, d, -1.0, 0.0, -2.2)
        off.append(float(np.log(kramers_rate(double_well, -1.0, 0.0, d))) + np.log(2) + log_time)
    assert abs(off[-1]) < 0.04
    np.testing.assert_allclose(off[0] / off[1], 2, rtol=0.25)
    np.testing.assert_allclose(off[1] / off[2], 2, rtol=0.15)


def test_kramers_rate_counts_the_width_of_the_pass():
    # A pass that is narrower by 1 + c than the well: a factor sqrt(1 / (1 + c)) each.
    def energy(y, c):
        return double_well(y[0], None) + 0.5 * (1 + c * (1 - y[0] ** 2)) * (y[1] ** 2 + y[2] ** 2)

    well, top = jnp.array([-1.0, 0.0, 0.0]), jnp.zeros(3)
    rate = kramers_rate(energy, well, top, 0.1, 3.0)
    np.testing.assert_allclose(rate, kramers_rate(double_well, -1.0, 0.0, 0.1) / 4, rtol=1e-12)
    hessians = np.diag([2.0, 1, 1]), np.diag([-1.0, 4, 4])
    np.testing.assert_allclose(rate, first_passage.kramers_rate(*hessians, 0.25, 0.1), rtol=1e-12)


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(temperature=0.0), "temperature"),
        (dict(temperature=np.array([0.1, 0.2])), "temperature"),
        (dict(tau=-1.0), "tau"),
        (dict(minimum=-0.9), "minimum.*gradient"),
        (dict(minimum=jnp.nan), "minimum.*gradient"),
        (dict(minimum=0.0), "minimum.*falling"),
        (dict(saddle=1.0), "saddle.*falling"),
        (dict(saddle=np.zeros(2)), "saddle"),
        (dict(energy=lambda x, args: x**4, minimum=0.0), "minimum.*flat"),
    ],
)
def test_bad_input_to_kramers_is_named(change, named):
    kwargs = dict(energy=double_well, minimum=-1.0, saddle=0.0, temperature=0.1) | change
    with pytest.raises(ValueError, match=named):
        kramers_rate(**kwargs)


def test_kramers_is_nan_where_bad_values_are_traced():
    rate = jax.jit(lambda y, d: kramers_rate(double_well, y, 0.0, d))
    assert np.isfinite(rate(-1.0, 0.1))
    assert np.isnan(rate(-0.9, 0.1)) and np.isnan(rate(-1.0, -0.1))


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(a=jnp.nan), "a, b must be finite"),
        (dict(b=jnp.zeros(2)), "b must be like"),
        (dict(through=jnp.zeros((2, 2))), "through"),
        (dict(images=2), "images"),
        (dict(legs=0), "legs"),
        (dict(tol=1e-20), "tol"),
        (dict(b=-0.9), "one minimum"),
    ],
)
def test_bad_input_is_named(change, named):
    kwargs = dict(energy=double_well, a=-1.0, b=1.0) | change
    with pytest.raises(ValueError, match=named):
        energy_path(**kwargs)
