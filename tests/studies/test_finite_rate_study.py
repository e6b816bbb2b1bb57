"""The study of memory at finite rate: its dwells, its fits, and the law it is held to."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.energies import ModernHopfield
from bpcjax.models import SpikingHopfield, event_path
from experiments import finite_rate as study
from experiments.common.settings import prepared
from experiments.finite_rate import curves, fits, paths, variants
from figures import finite_rate as figure
from theory.closed_forms import finite_rate, modern_hopfield

pytestmark = pytest.mark.study


@pytest.mark.parametrize(
    "times, own, late, expected",
    [
        ([1.0], [False], 0.0, 1 + np.log(2)),  # a wrong spike, and none other
        ([1.0], [False], 0.25, 1.25 + np.log(2)),
        ([1.0, 1.5], [False, True], 0.0, 10.0),  # an own one in time
        ([1.0, 1.5, 2.0], [False, True, False], 0.0, None),
        ([], [], 0.0, 10.0),
    ],
)
def test_a_memory_is_lost_when_its_share_is_below_one_half(times, own, late, expected):
    if expected is None:  # m falls for 1/2, rises for 1/2, and falls from there
        m = 1 + (np.exp(-0.5) - 1) * np.exp(-0.5)
        expected = 2.0 + np.log(2 * m)
    room = 5 - len(times)
    when = jnp.asarray([*times, *[np.inf] * room])
    time, lost = paths.dwell(when, jnp.asarray([*own, *[False] * room]), 10.0, late)
    assert float(time) == pytest.approx(expected, rel=1e-6) and bool(lost) == (expected < 10)


def test_the_share_of_own_spikes_is_the_weight_of_the_pattern():
    # orthonormal patterns: the overlap of the state is that weight; lost between two spikes
    memory = SpikingHopfield(ModernHopfield(jnp.eye(4), 3.0), 5.0)
    for k in range(5):
        path = event_path(
            memory, jnp.eye(4)[0], jax.random.key(k), spikes=400, t1=60.0, save=lambda y: y.x[0]
        )
        below = np.flatnonzero(np.asarray(path.saved)[: int(path.due)] < 0.5)
        time, lost = paths.dwell(path.times, path.winners == 0, 60.0)
        assert lost and len(below)
        assert path.times[below[0] - 1] < time <= path.times[below[0]]


def test_the_flow_leaves_below_the_spinodal_as_fast_as_its_closed_form():
    count = 6
    turn = modern_hopfield.spinodal(count).b
    one = paths.by_flow(40.0)
    for b, holds in ((0.85 * turn, False), (1.05 * turn, True)):
        found = one(ModernHopfield(jnp.eye(count), b), jnp.eye(count)[0], None)
        expected = finite_rate.flow_time(finite_rate.spread(b, count))
        assert bool(found["lost"]) != holds and bool(found["ok"])
        if not holds:  # saved every half a time constant
            assert expected < float(found["time"]) < expected + 0.7


def test_a_power_and_its_curves_are_found():
    rng = np.random.default_rng(0)
    scales = np.array([[0.4, 0.2, 0.1, 0.0], [0.3, 0.15, np.nan, 0.0]])
    logs = np.array([[3.0], [5.0]]) - (2.5 * scales) ** 0.7 + 1e-4 * rng.normal(size=scales.shape)
    found = fits.power(logs, scales)
    assert found.exponent == pytest.approx(0.7, abs=5e-3)
    assert found.log_time == pytest.approx(2.5, rel=1e-2)
    np.testing.assert_allclose(found.flow, [3.0, 5.0], atol=2e-3)
    np.testing.assert_allclose(
        fits.slope(np.array([10.0, 20, 40]), np.array([[1.0], [3], [7]])), [0.2]
    )


def test_a_capacity_is_found_with_its_interval():
    # survival exp(-(P / 40)^1.5): 1 / e at 40
    rng, loads = np.random.default_rng(1), np.unique(np.geomspace(15, 90, 9).astype(int))
    share = np.exp(-((loads / 40) ** 1.5))
    law = np.repeat(share[:, None], 30, axis=1)
    inside = 0
    for _ in range(20):
        held = rng.random((len(loads), 30, 2)) < share[:, None, None]
        found = curves.capacity(loads, held, law, 0)
        low, high = curves.interval(found.measured[1:])
        inside += low < np.log(40) < high
        assert found.law[0] == pytest.approx(np.log(40), abs=0.03)
    assert inside >= 15  # of 20 at 95 %; P(X < 15) = 3e-4
    # outside of the loads there is none
    assert np.isnan(curves.capacity(loads, held, 0 * law, 0).measured).all()


@pytest.mark.slow
@pytest.mark.parametrize("rate", [2.0, 20.0])
def test_random_patterns_hold_as_long_as_the_law_says(rate):
    curve, time, loads = curves.Curve(24, 0.3, 100.0), 60.0, np.array([8, 20, 40])
    patterns = curves.sets_of(curve, 0, loads, 60, 3)
    found = paths.swept(patterns, curve.beta, loads, 4, 0, paths.by_spikes(rate, time))
    escape = curves.escape(curves.log_odds(patterns, curve.beta, loads), rate)
    chance = np.exp(-time / escape)
    share, spread = (~found["lost"]).mean(axis=(1, 2)), chance * (1 - chance) / 4
    error = np.sqrt(spread.sum(axis=1)) / 60
    assert (np.abs(share - chance.mean(axis=1)) < 4 * error + 0.03).all()


def test_a_quick_run_is_small():
    quick = prepared(study.Config(quick=True))
    assert quick.time < study.Config().time and quick.sets < study.Config().sets


@pytest.mark.slow
def test_the_whole_study_runs_small(tmp_path):
    small = study.Config(
        curves=(1, 2), rates=(5.0, 10.0, 20.0), loads=6, sets=6, time=12.0, variant_time=6.0,
        variant_loads=4, variant_rates=(5.0,), circuits=(1.0,), out=str(tmp_path),
    )  # fmt: skip
    dataset = study.STUDY(small)
    metrics = study.summary(dataset)
    assert metrics["N = 32, beta = 0.3, flow: patterns by law"] > 100
    # near the fold the law's own capacities fall as the 2/3 power of the closed form says
    assert 0.4 < metrics["fold, law: exponent"] < 1.2
    assert metrics["law: root mean square of it"] < 0.5
    kinds = set(dataset.variant_kind.values)
    assert kinds == {"refractory", "delay", "circuit"} and dataset.sizes["variant"] == 7
    assert variants.groups((5.0,), (1.0,))[0].values[0] == 0  # the ideal memory comes first
    assert len(figure.draw(dataset).axes) == 6
    assert dataclasses.asdict(small)["sets"] == dataset.sizes["set"]
