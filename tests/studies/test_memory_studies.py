"""The studies of regimes and of posteriors, small, against the theory drawn over them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.models import SpikingHopfield
from experiments import regimes, spike_posterior
from experiments.common.settings import prepared
from experiments.regimes.laws import boundary
from experiments.regimes.measure import Regime, crossing, equidistant, measures, regime
from figures import regimes as figure
from theory.closed_forms import hold_escape

pytestmark = pytest.mark.study

POSTERIOR = spike_posterior.Config(
    patterns=12, size=8, queries=60, seeds=6, spikes=16, per_tau=(20.0,), copies=1
)


def test_regimes_are_named_by_their_measures():
    names = regime(
        activity=[0.1, 1, 1, 1, 1],
        faithful=[1, 0.95, 0.2, 0.2, 0.1],
        sure=[1, 1, 0.9, 0.9, 0.3],
        switches=[0, 0, 20, 20, 3],
        dwell_cv=[0, 0, 0.2, 1.0, 1.0],
    )
    assert [Regime(k) for k in names] == list(Regime)


def test_measures_of_the_pair_are_those_of_the_exact_density():
    # the share of time near either pattern, |m| > 1/2, from the stationary density
    b, rate, time = 1.0, 2.0, 200.0
    memory = SpikingHopfield(equidistant(2, b), rate)
    keys = jax.random.split(jax.random.key(0), 40)

    @jax.jit
    def run(keys):
        one = lambda key: measures(memory, jnp.eye(2)[0], key, 600, time)  # noqa: E731
        return jax.vmap(one)(keys)

    values = run(keys)
    assert values["ok"].all()
    s = np.linspace(-15, 15, 6001)
    p = hold_escape.density(np.tanh(s), b / 2, rate) * (1 - np.tanh(s) ** 2)
    near = np.abs(np.tanh(s)) > 0.5
    expected = p[near].sum() / p.sum()
    sure = np.asarray(values["sure"])
    assert abs(sure.mean() - expected) < 4 * sure.std() / np.sqrt(40) + 0.005
    assert abs(float(values["activity"].mean()) - 1) < 4 / np.sqrt(40 * rate * time)
    # switching follows the flow of neither pattern: half of the time at each
    faithful = np.asarray(values["faithful"])
    assert abs(faithful.mean() - expected / 2) < 4 * faithful.std() / np.sqrt(40) + 0.01


@pytest.mark.slow
def test_a_sure_memory_stays_and_a_flat_one_does_not():
    low, high = (
        measures(
            SpikingHopfield(equidistant(2, b), 50.0), jnp.eye(2)[0], jax.random.key(1), 1500, 20.0
        )
        for b in (0.5, 8.0)
    )
    assert not low["stays"] and high["stays"] and high["faithful"] > 0.99
    assert low["faithful"] < 0.3 and high["switches"] == 0


def test_the_boundary_is_where_half_escape():
    b = boundary(60.0, 20.0)
    # survival exp(-T / T_escape) = 1/2
    assert np.exp(-60.0 / hold_escape.escape_time(b / 2, 20.0)) == pytest.approx(0.5, rel=1e-3)
    bs, stays = np.array([1.0, 2.0, 3.0]), np.array([[0.0], [0.25], [0.75]])
    assert crossing(bs, stays)[0] == 2.5


def test_shares_of_spikes_have_the_error_of_independent_draws(tmp_path):
    config = dataclasses.replace(POSTERIOR, out=str(tmp_path))
    parts = [spike_posterior.one_seed(config, seed) for seed in range(config.seeds)]
    square = np.array([part["square"] for part in parts])  # [seed, memory, spikes]
    law = np.array([part["law"] for part in parts])
    counts = spike_posterior.counts_at(config)
    ratio = square[:, 0] * counts[None] / law[:, None]
    error = ratio.std(axis=0, ddof=1) / np.sqrt(config.seeds)
    assert (np.abs(ratio.mean(axis=0) - 1) < 4 * error + 0.02).all()
    # letting the query go makes the last shares worse than independent draws
    assert square[:, 1, -1].mean() > 1.5 * square[:, 0, -1].mean()
    for part in parts:
        np.testing.assert_allclose(part["attention_square"][0], 0, atol=1e-20)
        assert part["attention_regret"][0] == 0


def test_a_quick_run_is_small():
    quick = prepared(regimes.Config(quick=True))
    assert quick.points < regimes.Config().points and quick.time < regimes.Config().time


@pytest.mark.slow
def test_the_whole_study_runs_small(tmp_path):
    small = regimes.Config(
        points=3, rates=3, seeds=1, time=8.0, fastest=20.0, most=8, exponents=2, out=str(tmp_path)
    )
    dataset = regimes.STUDY(small)
    metrics = regimes.summary(dataset)
    for name in regimes.MAPS:
        shares = [v for k, v in metrics.items() if k.startswith(f"{name}:") and "share" in k]
        assert sum(shares) == pytest.approx(1)
    assert dataset.pair_regime.shape == (3, 3)
    # The theory that is drawn: the flow's exponent meets the measured points', the density is one.
    at = dataset.flow_exponent.interp(flow_b=dataset.exponent_b.values)
    np.testing.assert_allclose(at, dataset.exponent_flow, atol=2e-3)
    areas = np.trapezoid(dataset.density.sel(density_rate=[4, 60]), dataset.density_m)
    np.testing.assert_allclose(areas, 1, atol=0.01)
    assert len(figure.draw(dataset).axes) == 7
