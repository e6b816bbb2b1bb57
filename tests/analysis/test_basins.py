"""Basins: shares of a line and a plane that are known, a published count, and hostile input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.integrate import solve_ivp

import bpcjax as bpc
from bpcjax.analysis import basin_fractions


class Cubic(bpc.AbstractSystem):
    """`dx/dt = x - x^3`: the sign of the start decides."""

    def vector_field(self, t, y, args):
        return y - y**3


WELLS = jnp.array([-1.0, 1.0])
RUN = dict(t1=30.0, dt=0.05, radius=0.1)


def test_the_sign_of_the_start_decides():
    # Starts spread evenly over [-1, 3]: a quarter of the interval is negative.
    starts = -1 + 4 * (jnp.arange(400) + 0.5) / 400
    basins = basin_fractions(Cubic(), starts, WELLS, **RUN)
    np.testing.assert_array_equal(basins.label, (starts > 0).astype(int))
    np.testing.assert_array_equal(basins.fraction, [0.25, 0.75])
    # Binomial: sqrt(S (1 - S) / 400) = sqrt(3) / 80 for both.
    np.testing.assert_allclose(basins.error, np.sqrt(3) / 80, rtol=1e-12)
    assert basins.ok.all()


@pytest.mark.slow
def test_the_error_is_that_of_random_starts():
    # 200 counts of 100 uniform starts: their spread, known to 1 part in sqrt(400), is the error.
    starts = jax.random.uniform(jax.random.key(0), (20_000,), minval=-1.0, maxval=3.0)
    basins = basin_fractions(Cubic(), starts, WELLS, t1=20.0, dt=0.2, radius=0.1)
    shares = (basins.label.reshape(200, 100) == 0).mean(axis=1)
    one = basin_fractions(Cubic(), starts[:100], WELLS, t1=20.0, dt=0.2, radius=0.1)
    np.testing.assert_allclose(shares.std(), one.error[0], rtol=0.15)
    assert abs(basins.fraction[0] - 0.25) < 3 * basins.error[0]


def test_the_edge_itself_and_what_goes_elsewhere_are_in_no_basin():
    basins = basin_fractions(Cubic(), jnp.array([0.0, 2.0]), WELLS, **RUN)
    np.testing.assert_array_equal(basins.label, [-1, 1])
    np.testing.assert_array_equal(basins.fraction, [0.0, 0.5])
    assert basins.ok.all()


class Escaping(bpc.AbstractSystem):
    """`dx/dt = -x + x^2`: above 1 it is infinite after a time `log(x / (x - 1))`."""

    def vector_field(self, t, y, args):
        return -y + y**2


@pytest.mark.slow
def test_a_solve_that_runs_away_is_flagged_and_counts_for_nobody():
    starts = jnp.array([-0.5, 0.5, 0.9, 1.1])
    basins = basin_fractions(Escaping(), starts, jnp.zeros((1,)), t1=30.0, dt=0.01, radius=0.1)
    np.testing.assert_array_equal(basins.ok, [True, True, True, False])
    np.testing.assert_array_equal(basins.label, [0, 0, 0, -1])
    np.testing.assert_array_equal(basins.fraction, [0.75])


@pytest.mark.slow
def test_states_of_several_leaves_with_a_scale_for_each():
    class Pair(bpc.AbstractSystem):
        def vector_field(self, t, y, args):
            v, w = y["v"], y["w"]  # w counts the time, in a unit of its own
            return {"v": v - v**3, "w": args * jnp.ones_like(w)}

    starts = {"v": jnp.array([-0.3, 0.4, 0.5]), "w": jnp.zeros((3, 1))}
    rests = {"v": WELLS, "w": jnp.zeros((2, 1))}
    options = dict(t1=30.0, dt=0.05)

    def label(radius):
        return basin_fractions(Pair(), starts, rests, 2.0, radius=radius, **options).label

    np.testing.assert_array_equal(label({"v": 0.1, "w": jnp.inf}), [0, 1, 1])
    np.testing.assert_array_equal(label({"v": 0.1, "w": 61.0}), [0, 1, 1])  # w ends at 60
    np.testing.assert_array_equal(label({"v": 0.1, "w": 59.0}), [-1, -1, -1])
    np.testing.assert_array_equal(label(jnp.array([0.1, jnp.inf])), [0, 1, 1])


def test_a_drive_decides_and_batches():
    # dx/dt = x - x^3 + I: for |I| above 2 / (3 sqrt 3) = 0.3849 one well is left (discriminant).
    class Driven(bpc.AbstractSystem):
        def vector_field(self, t, y, args):
            return y - y**3 + args

    starts = jnp.linspace(-2, 2, 40)

    def share(drive):
        return basin_fractions(Driven(), starts, WELLS, drive, t1=60.0, dt=0.1, radius=0.5).fraction

    shares = jax.jit(jax.vmap(share))(jnp.array([-0.4, -0.37, 0.37, 0.4]))
    assert shares[0, 0] == 1 and shares[3, 1] == 1
    assert 0.5 < shares[1, 0] < 1 and 0.5 < shares[2, 1] < 1


class Pull(bpc.AbstractSpikingSystem):
    """Integrate and fire with a drive below threshold on one side of `v = -1`: rest or spikes."""

    def vector_field(self, t, y, args):
        v, w = y
        return -v + jnp.where(w > 0, 2.0, 0.0), w - w**3

    def guard(self, t, y, args):
        return y[0] - 1

    def reset(self, t, y, args, fired):
        return jnp.where(fired, 0.0, y[0]), y[1]


def test_a_spiking_system_has_basins_too():
    starts = (jnp.zeros(4), jnp.array([-0.5, -0.1, 0.1, 0.7]))
    rests = (jnp.array([0.0, 0.5]), jnp.array([-1.0, 1.0]))  # the second spikes: v anywhere in it
    options = dict(t1=20.0, dt=0.02, radius=(0.51, 0.2), solver=bpc.GridSpikes())
    basins = basin_fractions(Pull(), starts, rests, **options)
    np.testing.assert_array_equal(basins.label, [0, 0, 1, 1])


@pytest.mark.slow
def test_noise_gives_every_start_its_own_path():
    flow = bpc.Langevin(lambda y, args: y**4 / 4 - y**2 / 2, 0.05)
    starts = jnp.zeros(400)  # on the edge, so that noise decides
    options = dict(t1=15.0, dt=0.05, radius=0.9)
    basins = basin_fractions(flow, starts, WELLS, key=jax.random.key(1), **options)
    assert abs(basins.fraction[0] - basins.fraction[1]) < 3 * 2 * basins.error[0]  # symmetry
    assert basins.fraction.sum() > 0.95
    with pytest.raises(ValueError, match="key"):
        basin_fractions(flow, starts, WELLS, **options)


class Pendulum(bpc.AbstractSystem):
    """A pendulum over three magnets on the unit circle, at a height `d` above their plane."""

    damping: jax.Array = bpc.parameter(0.2)
    d: jax.Array = bpc.parameter(0.2)
    omega: jax.Array = bpc.parameter(0.8)

    def vector_field(self, t, y, args):
        x, v = y
        away = args - x[None]
        square = jnp.sum(away**2, axis=-1, keepdims=True) + self.d**2
        return v, jnp.sum(away / square**1.5, axis=0) - self.omega**2 * x - self.damping * v


ANGLE = 2 * np.pi * np.arange(3) / 3
MAGNETS = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)


def pendulum_basins(x):
    at = jnp.asarray(MAGNETS)
    return basin_fractions(
        Pendulum(), (x, jnp.zeros_like(x)), (at, jnp.zeros_like(at)), at, t1=80.0, dt=0.04,
        radius=(0.5, jnp.inf),
    )  # fmt: skip


@pytest.mark.slow
def test_the_magnetic_pendulum():
    # Attractors.jl, test/mapping (d = alpha = 0.2, omega = 0.8, starts at rest on [-2, 2]^2) gives
    # 0.377, 0.314, 0.309 for one draw of 1,000 random starts: each within 3 standard errors, 0.045.
    side = jnp.linspace(-2, 2, 101)
    x = jnp.stack(jnp.meshgrid(side, side, indexing="ij"), axis=-1)
    solution = pendulum_basins(x.reshape(-1, 2))
    assert solution.ok.all() and (solution.label >= 0).all()
    np.testing.assert_allclose(np.sort(solution.fraction), [0.309, 0.314, 0.377], atol=0.045)
    # The picture is its own mirror image, except where rounding decides.
    label = np.asarray(solution.label).reshape(101, 101)
    mirrored = np.array([0, 2, 1])[label[:, ::-1]]
    assert np.mean(label != mirrored) < 1e-2


@pytest.mark.slow
def test_the_magnetic_pendulum_by_another_integrator():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (200, 2))

    def rate(t, y):
        x, v = y.reshape(2, 200, 2)
        away = MAGNETS - x[:, None]
        pull = away / ((away**2).sum(axis=-1, keepdims=True) + 0.04) ** 1.5
        return np.concatenate([v.ravel(), (pull.sum(axis=1) - 0.64 * x - 0.2 * v).ravel()])

    start = np.concatenate([x.ravel(), np.zeros(400)])
    end = solve_ivp(rate, (0, 80), start, method="DOP853", rtol=1e-8, atol=1e-8).y[:400, -1]
    expected = ((end.reshape(200, 1, 2) - MAGNETS) ** 2).sum(axis=-1).argmin(axis=1)
    # On fractal boundaries the last digits decide for a few.
    assert np.mean(pendulum_basins(jnp.asarray(x)).label != expected) < 0.03


NAN = jnp.array([0.5, jnp.nan])


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(starts=NAN), "starts.*1"),
        (dict(starts=jnp.zeros((0,))), "starts"),
        (dict(starts=jnp.zeros(())), "starts"),
        (dict(starts=jnp.zeros((3, 2))), "starts.*attractor"),
        (dict(attractors=NAN), "attractors.*1"),
        (dict(attractors=jnp.array([0.0, 0.19])), "attractors 0 and 1 overlap"),
        (dict(attractors=jnp.zeros((2,))), "overlap"),
        (dict(radius=0.0), "radius"),
        (dict(radius=jnp.nan), "radius"),
        (dict(radius=jnp.inf), "radius"),
        (dict(radius=jnp.array([0.1, 0.2])), "radius"),
        (dict(t1=-1.0), "t1"),
        (dict(dt=jnp.nan), "dt"),
        (dict(solver=bpc.OrderedSpikes()), "solver"),
    ],
)
def test_bad_input_is_named(change, named):
    kwargs = dict(starts=jnp.array([0.5]), attractors=WELLS, **RUN) | change
    with pytest.raises(ValueError, match=named):
        basin_fractions(Cubic(), **kwargs)


@jax.jit
def traced(starts):
    return basin_fractions(Cubic(), starts, WELLS, **RUN)


def test_starts_that_are_not_finite_are_flagged_where_they_are_traced():
    solution = traced(NAN)
    np.testing.assert_array_equal(solution.ok, [True, False])
    np.testing.assert_array_equal(solution.label, [1, -1])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=6, max_size=6))
def test_any_numbers_give_shares_that_count_the_labels(values):
    solution = traced(jnp.array(values))
    for k in range(2):
        assert solution.fraction[k] == np.mean(np.asarray(solution.label) == k)
    assert not (np.asarray(solution.ok) & ~np.isfinite(values)).any()
    good = np.asarray(solution.ok) & (np.abs(values) > 1e-9)
    np.testing.assert_array_equal(np.asarray(solution.label)[good], np.array(values)[good] > 0)
