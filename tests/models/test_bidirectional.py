"""Bidirectional predictive coding: half-seen layers, one energy for rates, spikes and analysis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import bpcjax as bpc
from bpcjax.energies import Arrow, Constant, DenseMap, Gaussian, Partial, PredictiveCoding
from bpcjax.energies.predictive.losses import Rectified
from bpcjax.jumps.lattice import differences
from bpcjax.models import PredictiveCodingNetwork, SpikingPredictiveCoding, settle
from bpcjax.models.predictive.bidirectional import (
    ClampedPhase,
    accelerate,
    ascending,
    bidirectional,
    lateral,
    misfits,
    step_sizes,
    with_terms,
)
from bpcjax.models.predictive.tracking import Tracking

SIZES = 8, 7, 5, 3


def network(seed=0):
    """A small network with correlated errors, an image half seen, and its start."""
    rng = np.random.default_rng(seed)
    net = bidirectional(jax.random.key(seed), SIZES, precisions=(3.0, 1.0, 1.0))
    factor = rng.normal(size=(7, 7)) / 3
    net = with_terms(net, {"2->1": lateral(jnp.asarray(factor @ factor.T + 0.3 * np.eye(7)))})
    x = jnp.asarray(rng.uniform(size=8))
    args = (Partial(x, jnp.arange(8) < 4), None, None, None)
    return net, args, net.start(args)


def linear(seed=1):
    """Causes and pixels, linear and Gaussian; the covariance of pixels by hand."""
    rng = np.random.default_rng(seed)
    weights, mean = rng.normal(size=(6, 3)), rng.normal(size=6)
    arrows = [
        Arrow(1, 0, DenseMap(weights, mean), Gaussian(4.0)),
        Arrow(None, 1, Constant(jnp.zeros(3)), Gaussian(2.0)),
    ]
    return PredictiveCoding(arrows), mean, weights @ weights.T / 2 + np.eye(6) / 4


def test_missing_pixels_rest_at_the_conditional_mean():
    # E[x_m | x_s] = m_m + C_ms C_ss^-1 (x_s - m_s), a textbook identity of Gaussians
    energy, mean, covariance = linear()
    rng = np.random.default_rng(2)
    x, seen = rng.normal(size=6), np.array([True, False, True, True, False, False])
    args = (Partial(jnp.asarray(x), jnp.asarray(seen)), None)
    y0 = (jnp.asarray(x), jnp.zeros(3))
    rest = settle(PredictiveCodingNetwork(energy), y0, args, tol=1e-10)
    gain = covariance[np.ix_(~seen, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
    expected = mean[~seen] + gain @ (x - mean)[seen]
    assert rest.ok
    np.testing.assert_allclose(energy.full(rest.z, args)[0][~seen], expected, atol=1e-8)
    np.testing.assert_array_equal(rest.z[0][seen], x[seen])


@pytest.mark.slow
def test_seen_units_have_no_slope_and_never_move():
    net, args, y = network()
    y = net.project(jax.tree.map(lambda z: z + 0.2, y))
    seen = np.asarray(net.clamped(y, args)[0])
    assert seen.sum() == 4
    np.testing.assert_array_equal(jax.grad(net)(y, args)[0][seen], 0)
    plain = lambda y, args: net(y, args)  # noqa: E731  an energy without a method of its own
    for own, route in zip(
        differences(net, y, args, 0.1), differences(plain, y, args, 0.1), strict=True
    ):
        assert np.isposinf(own[:8][seen]).all()
        free = np.concatenate([~seen, np.ones(12, bool)])
        np.testing.assert_allclose(own[free], route[free], atol=1e-12)
    spiking = SpikingPredictiveCoding(net, 0.1, 0.1)
    both = spiking.changes(spiking.at(y, args), args)
    assert np.isposinf(both[:, :8][:, seen]).all()


def test_what_stands_for_a_seen_unit_changes_nothing():
    net, args, y = network()
    other = (y[0] + 5.0 * net.clamped(y, args)[0], *y[1:])
    assert float(net(y, args)) == pytest.approx(float(net(other, args)), abs=1e-12)
    with pytest.raises(ValueError, match="seen must have shape"):
        Partial(jnp.zeros(3), jnp.zeros(4, bool))


def test_a_step_of_all_units_lowers_F(getkey):
    net, args, y = network()
    sizes = step_sizes(net)
    for _ in range(20):
        noise = jax.random.uniform(getkey(), (20,), minval=0.0, maxval=2.0)
        z = ravel_pytree(y)[1](noise)
        after = accelerate(net, z, args, sizes=sizes, steps=1)
        assert float(net(after, args)) <= float(net(z, args)) + 1e-12


@pytest.mark.slow
def test_rates_and_spikes_end_at_one_F_within_the_quantum(getkey):
    net, args, y0 = network()
    rest = settle(PredictiveCodingNetwork(net), y0, args, tol=1e-7)
    fast = accelerate(net, y0, args, sizes=step_sizes(net), steps=4000)
    assert rest.ok
    least = float(rest.energy)
    assert float(net(fast, args)) == pytest.approx(least, abs=1e-6)
    hessian = bpc.analysis.hessian(net, rest.z, args)
    free = np.concatenate([~np.asarray(net.clamped(y0, args)[0]), np.ones(12, bool)])
    inside = free & (np.asarray(ravel_pytree(rest.z)[0]) > 1e-6)
    hessian = np.asarray(hessian)[np.ix_(inside, inside)]
    values = np.linalg.eigvalsh(hessian)
    assert values[0] > 0  # a minimum among possible values
    scale = np.sqrt(np.diag(hessian))
    coupling = np.linalg.eigvalsh(hessian / np.outer(scale, scale))[-1]
    excess = []
    for quantum in 0.1, 0.02:
        system = bpc.SpikeDescent(net, quantum)
        exact = bpc.descend(system, y0, args, key=getkey(), spikes=1500)
        thin = bpc.Thinned(0.2, coupling)
        many = bpc.descend_in_parallel(system, y0, args, key=getkey(), steps=1500, thinned=thin)
        assert exact.at_rest and many.at_rest
        # at rest |g_i| <= d H_ii (1 + share (coupling - 1)) / 2: F - F* <= |g|^2 / (2 lambda)
        room = np.sum((0.5 * quantum * (1 + 0.2 * (coupling - 1)) * np.diag(hessian)) ** 2)
        for end in exact, many:
            excess.append(float(net(end.value, args)) - least)
            assert -1e-9 < excess[-1] < room / (2 * values[0])
        assert (np.diff(exact.energy) < 1e-12).all()
    assert max(excess[2:]) < min(excess[:2])  # a smaller quantum ends lower


def test_fine_quanta_track_the_rates():
    net, args, y0 = network()
    sizes = step_sizes(net)
    names = "0->1", "1->2", "1->0", "2->1"
    tiny = jnp.asarray(1e-9)
    tracks = Tracking(
        net, sizes, (tiny,) * 4, dict.fromkeys(names, tiny), steps=30, averaged=1
    ).run(y0, args)
    # the last step sends what the rates are before their last step
    after = accelerate(net, y0, args, sizes=sizes, steps=30)
    for a, b in zip(jax.tree.leaves(tracks.potentials), jax.tree.leaves(after), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    coarse = Tracking(
        net, sizes, (jnp.asarray(0.1),) * 4, dict.fromkeys(names, jnp.asarray(0.2)), steps=30
    ).run(y0, args)
    lattice = np.asarray(coarse.values[1]) / 0.1
    np.testing.assert_allclose(lattice, np.round(lattice), atol=1e-9)
    assert float(coarse.traffic.values[1].sum()) >= np.abs(lattice).sum() - 1e-9


@pytest.mark.slow
def test_one_energy_for_flow_spikes_and_analysis(monkeypatch):
    net, args, y = network()
    calls = []
    of = Rectified.__call__
    monkeypatch.setattr(Rectified, "__call__", lambda *a: calls.append(1) or of(*a))

    def counts(run):
        calls.clear()
        run()
        return len(calls)

    flow = PredictiveCodingNetwork(net)
    arrows = sum(isinstance(a.mismatch, Rectified) for a in net.arrows)
    assert arrows == 3
    assert counts(lambda: flow.vector_field(0.0, y, args)) == arrows
    spiking = SpikingPredictiveCoding(net, 0.1, 0.1)
    runs = (
        lambda: settle(flow, y, args, tol=1.0),
        lambda: bpc.analysis.fixed_points(flow, jax.tree.map(lambda z: z[None], y), args),
        lambda: bpc.analysis.hessian(net, y, args),
        lambda: bpc.SpikeDescent(net, 0.1).changes(y, args),
        lambda: spiking.changes(spiking.at(y, args), args),
        lambda: accelerate(net, y, args, sizes=step_sizes(net), steps=2),
        lambda: ClampedPhase().step(net, y, args),
    )
    assert all(counts(run) >= arrows for run in runs)


@pytest.mark.slow
def test_analysis_finds_where_a_half_seen_image_rests():
    net, args, y0 = network()
    flow = PredictiveCodingNetwork(net)
    rest = settle(flow, y0, args, tol=1e-9)
    starts = jax.tree.map(
        lambda z: z[None] + 0.5 * jax.random.uniform(jax.random.key(0), (6, z.size)), rest.z
    )
    ends = jax.vmap(lambda y: settle(flow, y, args, tol=1e-9).energy)(starts)
    np.testing.assert_allclose(ends, rest.energy, atol=1e-8)  # one basin
    found = bpc.analysis.fixed_points(flow, jax.tree.map(lambda z: z[None], rest.z), args)
    assert float(found.residual[0]) < 1e-6


def test_without_descending_arrows_nothing_is_predicted():
    net, args, y0 = network()
    up = ascending(net)
    assert [a.name for a in up.arrows] == ["0->1", "1->2", "2->3"]
    rest = settle(PredictiveCodingNetwork(up), up.start(args), args, tol=1e-9)
    np.testing.assert_allclose(rest.z[0], args[0].values, atol=1e-12)  # F is 0 at the up sweep


def test_lateral_inhibition_rests_at_the_inverse():
    rng = np.random.default_rng(3)
    errors = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4))
    covariance = errors.T @ errors / 500
    loss = lateral(jnp.asarray(covariance), ridge=0.1)
    floor = 0.1 * np.trace(covariance) / 4
    e = np.zeros(4)
    for _ in range(20_000):  # the fast loop: e' = f - (C + r) e
        e = e + 0.02 * (errors[0] - (covariance + floor * np.eye(4)) @ e)
    own = -jax.grad(loss, argnums=1)(jnp.asarray(errors[0]), jnp.zeros(4))
    np.testing.assert_allclose(-own, -e, rtol=1e-6)


def test_learning_steps_lower_F_and_give_local_factors(getkey):
    net, _, _ = network()
    x = jax.random.uniform(getkey(), (8,))
    y = jnp.eye(3)[1]
    args = (x, None, None, y)
    phase = ClampedPhase()
    z = phase.relax(net, args)
    assert float(net(z, args)) < float(net(net.start(args), args))
    seen, free = phase.learn(net, x, y)
    assert float(free) == pytest.approx(float(net(z, args)))
    left = misfits(net, z, args)
    assert set(left) == {"1->0", "2->1", "3->2", "prior->2"}
    # the error of an arrow is its precision times what it left
    k = [a.name for a in net.arrows].index("2->1")
    np.testing.assert_allclose(seen.post[k], net.arrows[k].mismatch.precision @ left["2->1"])


def test_bad_input():
    with pytest.raises(ValueError, match="sizes must be 3"):
        bidirectional(jax.random.key(0), (4, 3))
    with pytest.raises(ValueError, match="precisions must be a number for each"):
        bidirectional(jax.random.key(0), SIZES, precisions=(1.0,))
    with pytest.raises(ValueError, match="there are no arrows"):
        with_terms(bidirectional(jax.random.key(0), SIZES), {"5->6": Rectified()})
