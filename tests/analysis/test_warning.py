"""Critical slowing: rates of recovery, and the variance and memory of noise near a bifurcation."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

import bpcjax as bpc
from bpcjax.analysis import recovery_rate, stationary_covariance, warning_signs
from theory.closed_forms import critical_slowing as theory


class Fold(bpc.AbstractSystem):
    """`dx = (r + x^2) dt + sqrt(2 D) dW`, with `r` the drive."""

    diffusion: jax.Array = bpc.parameter(0.0, nonnegative=True)

    def vector_field(self, t, y, args):
        return args + y**2

    def noise(self, t, y, args):
        return jnp.sqrt(2 * self.diffusion)


class Pitchfork(bpc.AbstractSystem):
    """`dm/dt = -m + tanh(beta m)`, with `beta` the drive."""

    def vector_field(self, t, y, args):
        return -y + jnp.tanh(args * y)


def test_recovery_slows_down_to_the_fold():
    r = -np.logspace(-8, 0, 9)  # rests at -sqrt(-r)
    rates = [recovery_rate(Fold(), -np.sqrt(-x), x) for x in r]
    np.testing.assert_allclose(rates, -theory.fold_slope(r), rtol=1e-12)


def test_recovery_slows_down_to_the_pitchfork_on_both_sides():
    beta = np.array([0.5, 0.9, 0.99, 0.999])
    rates = [recovery_rate(Pitchfork(), 0.0, b) for b in beta]
    np.testing.assert_allclose(rates, 1 - beta, rtol=1e-10)
    # Wells of mean-field memory: m = tanh(beta m) by bisection in scipy, slope beta (1 - m^2) - 1.
    assert abs(recovery_rate(Pitchfork(), 0.8585596366, 1.5) - 0.60568697) < 1e-8
    assert abs(recovery_rate(Pitchfork(), 0.9575040241, 2.0) - 0.83362791) < 1e-8
    # The state of rest between the wells repels.
    assert abs(recovery_rate(Pitchfork(), 0.0, 1.5) + 0.5) < 1e-12


@pytest.mark.slow
def test_rates_batch_and_differentiate():
    def rate(r):
        return recovery_rate(Fold(), -jnp.sqrt(-r), r)

    r = -jnp.array([0.01, 0.25, 1.0])
    np.testing.assert_allclose(jax.jit(jax.vmap(rate))(r), 2 * np.sqrt(-r), rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(jax.grad(rate))(r), -1 / np.sqrt(-r), rtol=1e-10)


class Turning(bpc.AbstractSystem):
    """A damped rotation, with a counter that nothing moves."""

    def vector_field(self, t, y, args):
        x, z, count = y
        return -0.3 * x - 2 * z, 2 * x - 0.1 * z, jnp.zeros_like(count)

    def noise(self, t, y, args):
        return jnp.array(0.5), jnp.array(0.2), jnp.array(0.0)


def test_coordinates_that_never_move_are_left_out():
    y = (jnp.array(0.0), jnp.array(0.0), jnp.array(7.0))
    assert abs(recovery_rate(Turning(), y) - 0.2) < 1e-12  # trace / 2 of the rotation
    covariance = stationary_covariance(Turning(), y)
    # scipy's Bartels-Stewart.
    expected = solve_continuous_lyapunov([[-0.3, -2], [2, -0.1]], -np.diag([0.25, 0.04]))
    np.testing.assert_allclose(covariance[:2, :2], expected, atol=1e-12)
    np.testing.assert_array_equal(covariance[2], 0.0)


class Linear(bpc.AbstractSystem):
    matrix: jax.Array = bpc.parameter()
    amplitude: jax.Array = bpc.parameter()

    def vector_field(self, t, y, args):
        return self.matrix @ y

    def noise(self, t, y, args):
        return self.amplitude


@pytest.mark.slow
def test_the_covariance_solves_lyapunovs_equation():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((12, 12)) - 5 * np.eye(12)
    amplitude = rng.uniform(0, 2, 12)
    result = stationary_covariance(Linear(matrix, amplitude), jnp.zeros(12))
    expected = solve_continuous_lyapunov(matrix, -np.diag(amplitude**2))
    np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-13)


def test_the_covariance_diverges_to_the_fold_as_its_rate_says():
    r = -np.array([1.0, 0.01, 1e-4])
    result = [stationary_covariance(Fold(0.02), -np.sqrt(-x), x)[0, 0] for x in r]
    np.testing.assert_allclose(result, theory.variance(theory.fold_slope(r), 0.02), rtol=1e-10)


def recorded(system, y0, args, *, dt, every, count, copies):
    """Noisy copies of a path for each row of `y0` and `args`, sampled each `every` without the
    first tenth: [times, rows, copies].
    """
    options = dict(t1=every * count, dt=dt, saveat=dfx.SaveAt(steps=True), throw=False)
    stride = round(every / dt)

    def one(y0, args, key):
        ys = bpc.simulate(system, y0, args, key=key, **options).ys
        return ys[stride - 1 : stride * count : stride]

    keys = jax.random.split(jax.random.key(0), (len(y0), copies))
    rows = jax.vmap(jax.vmap(one, (None, None, 0), 1), (0, 0, 0), 1)
    return jax.jit(rows)(jnp.asarray(y0), jnp.asarray(args), keys)[count // 10 :]


def stepped(slope, diffusion, lag, dt):
    """Variance and correlation of Euler's steps of an Ornstein-Uhlenbeck process, exactly:
    `x' = (1 + slope dt) x + noise` has `D / |slope| / (1 + slope dt / 2)`, `(1 + slope dt)^steps`.
    """
    variance = theory.variance(slope, diffusion) / (1 + slope * dt / 2)
    return variance, (1 + slope * dt) ** round(lag / dt)


def agree(values, expected, exact, bias):
    """Means over copies (the last axis) agree with the stepped process within 3 standard errors
    and the `bias` of a finite record, and this one with the exact process, within its steps.
    """
    error = np.std(values, axis=-1) / np.sqrt(values.shape[-1])
    assert (np.abs(np.mean(values, axis=-1) - expected) < 3 * error + bias).all()
    assert (error < 0.06 * np.abs(expected)).all()
    np.testing.assert_allclose(expected, exact, rtol=0.06)


@pytest.mark.slow
def test_signs_of_an_ornstein_uhlenbeck_process():
    # dx = -0.5 x dt + sqrt(2 0.3) dW: variance 0.6; correlation exp(-0.1) at 0.2, exp(-0.5) at 1.
    flow = bpc.Langevin(lambda y, args: 0.25 * y**2, 0.3)
    path = recorded(flow, [0.0], [0.0], dt=0.1, every=0.2, count=1500, copies=20)
    for lag in (1, 5):
        signs = warning_signs(path, lag)
        assert signs.ok.all()
        variance, memory = stepped(-0.5, 0.3, 0.2 * lag, 0.1)
        # The sample mean takes 2 / (rate T) of the variance away; T = 270.
        agree(signs.variance, variance, theory.variance(-0.5, 0.3), 0.6 * 0.015)
        agree(signs.autocorrelation, memory, theory.autocorrelation(-0.5, 0.2 * lag), 0.015)


@pytest.mark.slow
def test_signs_grow_on_the_way_to_a_fold():
    # Weak noise, so that the rest state at -sqrt(-r) of slope -2 sqrt(-r) is the whole story.
    r = -np.array([0.25, 0.09, 0.0225])
    slope = theory.fold_slope(r)
    path = recorded(Fold(1e-6), -np.sqrt(-r), r, dt=0.1, every=0.5, count=1000, copies=16)
    signs = warning_signs(path)
    variance, memory = stepped(slope, 1e-6, 0.5, 0.1)
    lost = 2 / (450 * -slope)  # T = 450
    agree(signs.variance, variance, theory.variance(slope, 1e-6), lost * variance)
    agree(signs.autocorrelation, memory, theory.autocorrelation(slope, 0.5), lost)
    assert (np.diff(np.mean(signs.variance, axis=1)) > 0).all()
    assert (np.diff(np.mean(signs.autocorrelation, axis=1)) > 0).all()


@pytest.mark.slow
def test_signs_of_alternating_samples_are_exact():
    # Of +-1 in turn: variance N / (N - 1), correlation -1 at odd lags and 1 at even ones.
    samples = {"x": jnp.tile(jnp.array([1.0, -1.0]), 50), "y": jnp.zeros((100, 2))}
    signs = warning_signs(samples)
    np.testing.assert_allclose(signs.variance["x"], 100 / 99, rtol=1e-12)
    np.testing.assert_allclose(signs.autocorrelation["x"], -1, rtol=1e-12)
    np.testing.assert_allclose(warning_signs(samples, 4).autocorrelation["x"], 1, rtol=1e-12)
    # What never changes has no memory to speak of.
    assert signs.ok["x"] and not signs.ok["y"].any()
    assert np.isnan(signs.autocorrelation["y"]).all()
    np.testing.assert_array_equal(signs.variance["y"], 0)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="no rest state"):
        recovery_rate(Fold(), 0.5, -1.0)
    with pytest.raises(ValueError, match="no rest state"):
        recovery_rate(Fold(), jnp.nan, -1.0)
    assert np.isnan(jax.jit(lambda y: recovery_rate(Fold(), y, -1.0))(0.5))
    with pytest.raises(ValueError, match="no noise"):
        stationary_covariance(Pitchfork(), 0.0, 0.5)
    with pytest.raises(ValueError, match="not stable"):
        stationary_covariance(Fold(0.1), 1.0, -1.0)
    assert np.isnan(jax.jit(lambda y: stationary_covariance(Fold(0.1), y, -1.0))(1.0)).all()
    with pytest.raises(ValueError, match="at most"):
        stationary_covariance(Linear(-np.eye(101), np.ones(101)), jnp.zeros(101))
    for samples, lag in ((jnp.zeros(3), 0), (jnp.zeros(3), 2), (jnp.zeros((0,)), 1)):
        with pytest.raises(ValueError, match="lag|samples"):
            warning_signs(samples, lag)
    assert not warning_signs(jnp.array([0.0, jnp.nan, 1.0, 2.0])).ok
