"""Branches and their special points, against published numbers and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import (
    Bifurcation,
    Cycles,
    Ending,
    Special,
    SpikeMap,
    fixed_points,
    follow,
    orbit,
    switch,
)
from tests.support.systems import (
    Bautin,
    CurieWeiss,
    FoldForm,
    Logistic,
    Lorenz,
    MorrisLecar,
    StuartLandau,
    Ticked,
    VanDerPol,
)
from theory.closed_forms import flows, folds, hodgkin_huxley, hodgkin_huxley_cycles

FOLD, HOPF, BRANCH = Bifurcation.FOLD, Bifurcation.HOPF, Bifurcation.BRANCH


def kinds(branch):
    return [special.kind for special in branch.special]


def rest(neuron, current, v=None):
    """The rest next to `v`, from one guess."""
    guess = neuron.rest() if v is None else neuron.rest()._replace(v=jnp.asarray(v, float))
    points = fixed_points(neuron, jax.tree.map(lambda x: x[None], guess), current)
    assert points.ok.all()
    return jax.tree.map(lambda x: x[0], points.y)


@pytest.mark.slow
def test_morris_lecar():
    # PyDSTool's PyCont_MorrisLecar_TypeI with phi = 1/15; independent numbers to 1e-6
    start = fixed_points(MorrisLecar(), jnp.array([[-60.0, 0.0]]), 0.0).y[0]
    branch = follow(MorrisLecar(), None, start, 0.0, step=2.0, count=200, bounds=(-50.0, 150.0))
    assert kinds(branch) == [FOLD, FOLD, HOPF] and branch.ending is Ending.BOUNDS
    at = [special.p for special in branch.special]
    # the neutral saddle at 36.670778 is no Hopf point
    np.testing.assert_allclose(at, [39.963153, -9.949039, 97.787888], atol=2e-6)
    v = [special.y[0] for special in branch.special[:2]]
    np.testing.assert_allclose(v, [-29.38978, -4.04852], atol=1e-4)
    crossing = jnp.linalg.eigvals(
        jax.jacfwd(lambda y: MorrisLecar().vector_field(0.0, y, at[2]))(branch.special[2].y)
    )
    np.testing.assert_allclose(jnp.abs(crossing.imag), 0.252195, atol=1e-6)
    assert bool(branch.stable[0]) and bool(branch.stable[-1])
    turned = (branch.p > 0) & (branch.p < 30) & (branch.y[:, 0] > -29) & (branch.y[:, 0] < -5)
    assert turned.any() and not branch.stable[turned].any()


@pytest.mark.slow
def test_lorenz_splits_and_loses_stability():
    where = lambda m: m.rho  # noqa: E731
    branch = follow(Lorenz(), where, jnp.zeros(3), 0.5, step=0.2, count=30, bounds=(0.0, 2.0))
    assert kinds(branch) == [BRANCH]
    np.testing.assert_allclose(branch.special[0].p, 1.0, atol=1e-8)
    for half in switch(Lorenz(), where, branch.special[0], step=0.5, count=90, bounds=(0, 26)):
        assert kinds(half) == [HOPF] and half.ending is Ending.BOUNDS
        np.testing.assert_allclose(half.special[0].p, flows.lorenz_hopf()[0], atol=1e-6)  # 470/19
        np.testing.assert_allclose(half.y[:, 0] ** 2, 8 / 3 * (half.p - 1), rtol=1e-7, atol=1e-7)


def test_a_pitchfork_switches():
    where = lambda m: m.beta  # noqa: E731
    branch = follow(CurieWeiss(), where, jnp.array(0.0), 0.5, step=0.07, count=40, bounds=(0, 2))
    assert kinds(branch) == [BRANCH]
    np.testing.assert_allclose(branch.special[0].p, 1.0, atol=1e-9)
    np.testing.assert_array_equal(branch.stable, branch.p < 1)
    ends = switch(CurieWeiss(), where, branch.special[0], step=0.05, count=60, bounds=(0, 2.5))
    for half in ends:
        assert half.stable.all() and not half.special
        assert (half.y * jnp.sign(half.y[-1]) > 0).all()
        np.testing.assert_allclose(jnp.tanh(half.p * half.y), half.y, atol=1e-9)
    assert ends[0].y[-1] * ends[1].y[-1] < 0
    # through the pitchfork along the bent branch: a branch point still, not a fold
    whole = follow(
        CurieWeiss(), where, ends[0].y[20], ends[0].p[20], step=0.05, count=60, toward=-1.0
    )
    assert kinds(whole) == [BRANCH]
    np.testing.assert_allclose(whole.special[0].p, 1.0, atol=1e-8)


CELL = dict(c=281.0, g_l=30.0, e_l=-70.6, v_t=-50.4, delta_t=2.0, a=4.0)


@pytest.mark.parametrize(
    ("tau_w", "expected"),  # Touboul & Brette (2008): exact
    [(144.0, [(HOPF, 627.182465), (FOLD, 627.311094)]), (40.0, [(FOLD, 627.311094)])],
)
def test_adex(tau_w, expected):
    neuron = bpc.neurons.AdEx(tau_w=tau_w, v_cut=-30.0, **CELL)
    start = rest(neuron, 500.0, -60.0)
    branch = follow(neuron, None, start, 500.0, step=5.0, count=80, bounds=(400.0, 700.0))
    assert kinds(branch) == [kind for kind, _ in expected]
    at = [special.p for special in branch.special]
    np.testing.assert_allclose(at, [p for _, p in expected], atol=2e-6)
    cell = folds.AdExCell(281.0, 30.0, -70.6, -50.4, 2.0, tau_w, 4.0)
    np.testing.assert_allclose(at[-1], folds.adex_fold(cell).drive, rtol=1e-9)
    np.testing.assert_allclose(branch.special[-1].y.v, folds.adex_fold(cell).v, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a", "b", "expected"),  # exact: RS, FS, LTS, RZ
    [
        (0.02, 0.2, [3.7975, 4.0]),
        (0.1, 0.2, [3.9375, 4.0]),
        (0.02, 0.25, [0.685, 1.015625]),
        (0.1, 0.26, [0.2625, 0.4225]),
    ],
)
def test_izhikevich(a, b, expected):
    neuron = bpc.neurons.Izhikevich(a=a, b=b)
    start = rest(neuron, -10.0, -75.0)
    branch = follow(neuron, None, start, -10.0, step=0.5, count=80, bounds=(-20.0, 10.0))
    assert kinds(branch)[:2] == [HOPF, FOLD]
    np.testing.assert_allclose([s.p for s in branch.special[:2]], expected, atol=1e-7)
    np.testing.assert_allclose(folds.izhikevich_fold(b).drive, expected[1])


@pytest.mark.slow
def test_the_squid_axon():
    neuron = bpc.neurons.HodgkinHuxley(e_l=-54.4)
    branch = follow(neuron, None, rest(neuron, 0.0), 0.0, step=3.0, count=120, bounds=(-1.0, 170.0))
    assert kinds(branch) == [HOPF, HOPF]
    at = [special.p for special in branch.special]
    np.testing.assert_allclose(at, [9.77934, 154.52633], atol=6e-6)
    oracle = hodgkin_huxley.hopf_points(-54.4)
    np.testing.assert_allclose(at, [point.drive for point in oracle], atol=1e-6)
    v = [special.y.v for special in branch.special]
    np.testing.assert_allclose(v, [-59.65414, -43.05809], atol=1e-5)


@pytest.mark.slow
def test_cycles_fold():
    # r' = m r + r^3 - r^5: the outer cycle ends at m = -1/4 in a fold, and comes back inside
    start = jnp.array([(0.5 + 0.15**0.5) ** 0.5, 0.0])
    where = lambda system: system.m  # noqa: E731
    of = Cycles(2 * np.pi, 0.1)
    branch = follow(Bautin(), where, start, -0.1, step=0.1, count=14, of=of, toward=-1.0)
    assert kinds(branch) == [FOLD]
    np.testing.assert_allclose(branch.special[0].p, -0.25, atol=1e-7)
    square = jnp.sum(branch.y**2, axis=1)
    np.testing.assert_allclose(branch.p, square**2 - square, atol=1e-6)
    np.testing.assert_allclose(branch.period, 2 * np.pi, rtol=1e-6)
    np.testing.assert_array_equal(branch.stable, square > 0.5)


@pytest.mark.slow
def test_cycles_of_van_der_pol():
    where = lambda m: m.mu  # noqa: E731
    start = jnp.array([2.0, 0.0])
    branch = follow(VanDerPol(), where, start, 1.0, step=0.5, count=5, of=Cycles(6.6, 0.03, legs=3))
    assert branch.stable.all() and not branch.special
    np.testing.assert_allclose(branch.period[0], 6.66328686, atol=1e-6)
    last = flows.van_der_pol(float(branch.p[-1]))
    np.testing.assert_allclose(branch.period[-1], last.period, rtol=1e-6)


@pytest.mark.slow
def test_the_logistic_map_doubles_its_period():
    where = lambda m: m.r  # noqa: E731
    start = Ticked(*jnp.array([1 - 1 / 2.8, 0.0]))
    of = SpikeMap(0.5, wait=3.0)
    branch = follow(Logistic(2.8), where, start, 2.8, step=0.1, count=8, of=of)
    assert kinds(branch) == [Bifurcation.PERIOD_DOUBLING]
    np.testing.assert_allclose(branch.special[0].p, 3.0, atol=1e-8)
    np.testing.assert_allclose(branch.eigenvalues[0, 0], -0.8, atol=1e-9)  # 2 - r


@pytest.mark.slow
def test_the_doubled_orbit_doubles_again():
    where = lambda m: m.r  # noqa: E731
    of = SpikeMap(0.5, wait=3.0)
    first = Special(Bifurcation.PERIOD_DOUBLING, 3.0, Ticked(*jnp.array([2 / 3, 0.0])))
    halves = switch(Logistic(), where, first, step=0.15, count=14, of=of, bounds=(2.0, 3.6))
    for half in halves:
        assert kinds(half) == [Bifurcation.PERIOD_DOUBLING]
        np.testing.assert_allclose(half.special[0].p, 1 + 6**0.5, atol=1e-7)
        # the product of the two slopes
        np.testing.assert_allclose(half.eigenvalues[:, 0], 4 + 2 * half.p - half.p**2, atol=1e-7)
        assert half.stable[1] and not half.stable[-1]


@pytest.mark.slow
def test_the_reset_of_adex_doubles_its_period():
    neuron = bpc.neurons.AdEx(tau_w=40.0, b=80.0, v_cut=-40.4, v_reset=-49.2, **CELL)
    start = neuron.rest()._replace(v=neuron.v_reset, w=jnp.array(290.0))
    settled = orbit(neuron, start, 800.0, dt=0.05, wait=100.0, count=1, burn_in=40)
    branch = follow(
        neuron, lambda m: m.v_reset, jax.tree.map(lambda x: x[-1], settled.y), -49.2, 800.0,
        step=1.0, count=20, of=SpikeMap(0.05, wait=100.0), bounds=(-50.0, -48.5),
    )  # fmt: skip
    assert kinds(branch) == [Bifurcation.PERIOD_DOUBLING]
    # -48.5 is of period two, by long simulation; where the slope of the independent map is -1
    at = branch.special[0]
    assert -49.0 < at.p < -48.5
    from theory.closed_forms.neurons_ivp import adex_spike_map

    _, slope, _ = adex_spike_map(
        800.0, float(at.y.w), c=281.0, g_l=30.0, e_l=-70.6, v_t=-50.4, delta_t=2.0, tau_w=40.0,
        a=4.0, b=80.0, v_reset=at.p, v_cut=-40.4,
    )  # fmt: skip
    np.testing.assert_allclose(slope, -1.0, atol=1e-4)


@pytest.mark.slow
def test_cycles_of_the_squid_axon_fold():
    neuron = bpc.neurons.HodgkinHuxley(e_l=-54.4)
    settled = bpc.simulate(neuron, neuron.rest(), 7.0, t1=200.0, dt=0.02).ys
    start = jax.tree.map(lambda x: x[-1], settled)
    branch = follow(
        neuron, None, start, 7.0, 7.0, step=3.0, count=60, of=Cycles(17.2, 0.05, legs=10),
        toward=-1.0, bounds=(5.0, 12.0),
    )  # fmt: skip
    assert kinds(branch) == [FOLD]
    fold = branch.special[0].p
    assert 6.2637 < fold < 6.2643  # by an adiabatic ramp; Balti et al. (2018): just below 6.2649
    np.testing.assert_allclose(fold, hodgkin_huxley_cycles.fold(-54.4).drive, atol=2e-6)
    assert branch.stable[0] and not branch.stable[-1]


@pytest.mark.slow
def test_a_branch_ends_where_it_leaves_the_domain():
    neuron = bpc.neurons.LIF()  # rests at -60 + I / 10: threshold -50 at 100 pA
    branch = follow(neuron, None, neuron.rest(), 0.0, step=7.0, count=50)
    assert branch.ending is Ending.DOMAIN and not branch.special
    assert 90 < float(branch.p[-1]) < 100
    np.testing.assert_allclose(branch.y.v, -60 + branch.p / 10, atol=1e-9)
    again = follow(neuron, None, neuron.rest(), 0.0, step=7.0, count=5)
    assert again.ending is Ending.COUNT and len(again.p) == 5
    inside = follow(neuron, None, neuron.rest(), 0.0, step=7.0, count=50, bounds=(-5.0, 30.0))
    assert inside.ending is Ending.BOUNDS and float(inside.p.max()) <= 30
    quiet = follow(
        neuron, None, neuron.rest()._replace(v=neuron.v_reset), 130.0, 130.0,
        step=5.0, count=50, of=SpikeMap(0.1, wait=200.0), toward=-1.0,
    )  # fmt: skip
    assert quiet.ending is Ending.STUCK and float(quiet.p[-1]) > 100  # silent below


def test_bad_input_is_named():
    ok = dict(step=0.1, count=5)
    with pytest.raises(ValueError, match="where"):
        follow(CurieWeiss(), lambda m: m, jnp.array(0.0), 0.5, **ok)
    many = bpc.neurons.LIF(v_th=jnp.array([-50.0, -40.0]))
    with pytest.raises(ValueError, match="where"):
        follow(many, lambda m: m.v_th, many.rest((2,)), -50.0, 10.0, **ok)
    bad = {"step": 0.0, "count": 0, "bounds": (1, 2)}
    for name, value in bad.items():
        with pytest.raises(ValueError, match=name):
            follow(CurieWeiss(), lambda m: m.beta, jnp.array(0.0), 0.5, **{**ok, name: value})
    with pytest.raises(ValueError, match="p0"):
        follow(CurieWeiss(), lambda m: m.beta, jnp.array(0.0), jnp.nan, **ok)
    with pytest.raises(ValueError, match="y0"):
        follow(FoldForm(), None, jnp.array(0.5), 0.5, **ok)  # no rest above zero
    with pytest.raises(ValueError, match="y0"):
        follow(FoldForm(), None, jnp.array(jnp.nan), -0.5, **ok)
    with pytest.raises(ValueError, match="threshold"):
        follow(bpc.neurons.LIF(), None, bpc.neurons.LIF().rest(), 120.0, **ok)
    with pytest.raises(ValueError, match="spikes"):
        follow(FoldForm(), None, jnp.array(-0.5), -0.25, of=SpikeMap(0.1), **ok)
    branch = follow(FoldForm(), None, jnp.array(-0.5), -0.25, step=0.1, count=12)
    assert kinds(branch) == [FOLD]
    np.testing.assert_allclose(branch.special[0].p, 0.0, atol=1e-9)
    with pytest.raises(ValueError, match="FOLD"):
        switch(FoldForm(), None, branch.special[0], **ok)
    with pytest.raises(ValueError, match="traced|host"):
        jax.jit(lambda p: follow(StuartLandau(), None, jnp.zeros(2), p, **ok).p)(0.1)
