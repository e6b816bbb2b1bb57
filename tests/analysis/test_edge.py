"""Edge states: saddles that are known, and what has no edge."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import edge_state, fixed_points


class FitzHughNagumo(bpc.AbstractSystem):
    """The cubic with a fast recovery of Attractors.jl, test/boundaries/edgetracking_tests.jl."""

    def vector_field(self, t, y, args):
        u, w = y
        return 10 * (u - u**3 - w), -3 * w + u


# Its rest states: w = u / 3 and u - u^3 = u / 3, so u = 0 or u^2 = 2 / 3.
U, W = np.sqrt(2 / 3), np.sqrt(2 / 27)
RESTS = (jnp.array([-U, U]), jnp.array([-W, W]))
RUN = dict(t1=10.0, dt=0.05, radius=0.2)


def pair(u, w):
    return jnp.array(u), jnp.array(w)


@pytest.mark.slow
def test_the_edge_of_fitzhugh_and_nagumo_is_the_origin():
    edge = edge_state(FitzHughNagumo(), pair(-1.0, 0.2), pair(1.0, 0.2), RESTS, **RUN)
    assert edge.ok
    np.testing.assert_allclose(edge.y, [0.0, 0.0], atol=1e-4)
    assert edge.residual <= 1e-6
    # The track starts on the line between the two, and runs along the border to the origin.
    track = np.stack(edge.track, axis=1)
    track = track[np.isfinite(track).all(axis=1)]
    assert len(track) > 2 and abs(track[0, 1] - 0.2) < 1e-6
    away = np.linalg.norm(track, axis=1)
    assert (np.diff(away) < 1e-7).all() and away[-1] < 1e-6


def test_both_orders_find_one_state():
    there = edge_state(FitzHughNagumo(), pair(-1.0, 0.9), pair(1.0, 0.1), RESTS, **RUN)
    back = edge_state(FitzHughNagumo(), pair(1.0, 0.1), pair(-1.0, 0.9), RESTS, **RUN)
    assert there.ok and back.ok
    np.testing.assert_allclose(there.y, back.y, atol=1e-6)


class MullerBrown(bpc.AbstractSystem):
    """Descent of the potential of Muller & Brown (1979), Theor. Chim. Acta 53:75, over 100."""

    def energy(self, y, args):
        a = jnp.array([-1.0, -1.0, -6.5, 0.7])
        b = jnp.array([0.0, 0.0, 11.0, 0.6])
        c = jnp.array([-10.0, -10.0, -6.5, 0.7])
        x = y[0] - jnp.array([1.0, 0.0, -0.5, -1.0])
        z = y[1] - jnp.array([0.0, 0.5, 1.5, 1.0])
        size = jnp.array([-2.0, -1.0, -1.7, 0.15])
        return jnp.sum(size * jnp.exp(a * x**2 + b * x * z + c * z**2))

    def vector_field(self, t, y, args):
        return -jax.grad(self.energy)(y, args)


@pytest.mark.slow
def test_the_edge_of_a_descent_is_its_saddle():
    # Muller & Brown (1979), table 1: minima (-0.558, 1.442), (-0.050, 0.467), (0.623, 0.028),
    # saddles (-0.822, 0.624) and (0.212, 0.293).
    minima = jnp.array([[-0.558, 1.442], [-0.050, 0.467], [0.623, 0.028]])
    options = dict(t1=15.0, dt=0.03, radius=0.05)
    edge = edge_state(MullerBrown(), minima[1], minima[2], minima, **options)
    assert edge.ok
    np.testing.assert_allclose(edge.y, [0.212, 0.293], atol=6e-4)
    exact = fixed_points(MullerBrown(), edge.y[None])
    np.testing.assert_allclose(edge.y, exact.y[0], atol=1e-6)


@pytest.mark.slow
def test_pairs_batch_and_one_without_an_edge_is_flagged():
    def run(u):
        a, b = (u, jnp.array(0.2)), pair(1.0, 0.2)
        return edge_state(FitzHughNagumo(), a, b, RESTS, **RUN)

    solution = jax.jit(jax.vmap(run))(jnp.array([-1.0, 0.9, jnp.nan]))
    np.testing.assert_array_equal(solution.ok, [True, False, False])
    assert np.isnan(solution.y[0][1:]).all() and np.isnan(solution.residual[1:]).all()
    np.testing.assert_allclose(solution.y[0][0], 0.0, atol=1e-6)


@pytest.mark.slow
def test_an_edge_that_is_a_cycle_is_tracked_but_no_rest_state():
    # Radius: dr/dt = r (1 - r) (2 - r) (3 - r) ... the circle r = 2 lies between those at 1 and 3,
    # of which the phase, driven to 0 outside of it, leaves one rest state each.
    class Rings(bpc.AbstractSystem):
        def vector_field(self, t, y, args):
            x, z = y
            r = jnp.sqrt(x**2 + z**2)
            out = -(r - 1) * (r - 2) * (r - 3)
            turn = 1.0 - 1.5 * jnp.minimum((r - 2) ** 2, 1.0) * z / r
            return out * x / r - turn * z, out * z / r + turn * x

    # At r = 1 and 3: turn = 1 - 1.5 sin(phi) = 0, stable where cos(phi) > 0.
    up = np.arcsin(2 / 3)
    rests = (jnp.cos(up) * jnp.array([1.0, 3.0]), jnp.sin(up) * jnp.array([1.0, 3.0]))
    edge = edge_state(
        Rings(), pair(1.0, 0.0), pair(3.0, 0.0), rests, t1=60.0, dt=0.1, radius=0.1, legs=12
    )
    assert not edge.ok and edge.residual > 1  # the speed on the circle is 2
    np.testing.assert_allclose(np.hypot(*edge.track), 2.0, atol=1e-4)


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(a=pair(0.9, 0.2)), "different attractors"),
        (dict(a=pair(0.0, 0.0)), "different attractors"),  # the edge itself
        (dict(a=pair(jnp.nan, 0.0)), "a must be finite"),
        (dict(b=jnp.zeros(2)), "b must be like"),
        (dict(radius=-1.0), "radius"),
        (dict(attractors=(jnp.zeros(2), jnp.zeros(2))), "overlap"),
        (dict(close=1e-3), "close"),
        (dict(legs=0), "legs"),
        (dict(leg=-1.0), "leg"),
    ],
)
def test_bad_input_is_named(change, named):
    kwargs = dict(a=pair(-1.0, 0.2), b=pair(1.0, 0.2), attractors=RESTS, **RUN) | change
    with pytest.raises(ValueError, match=named):
        edge_state(FitzHughNagumo(), **kwargs)


@pytest.mark.slow
def test_a_time_too_short_to_tell_the_basins_near_the_edge_is_flagged():
    # From the line to the rest states within 0.2 takes some 0.5, from the edge ten times that.
    options = RUN | dict(t1=0.6)
    edge = edge_state(FitzHughNagumo(), pair(-1.0, 0.2), pair(1.0, 0.2), RESTS, **options)
    assert not edge.ok


def test_noise_has_no_edge():
    flow = bpc.Langevin(lambda y, args: y**4 / 4 - y**2 / 2, 0.1)
    wells = jnp.array([-1.0, 1.0])
    with pytest.raises(ValueError, match="noise"):
        edge_state(flow, wells[0], wells[1], wells, t1=20.0, dt=0.1, radius=0.1)
