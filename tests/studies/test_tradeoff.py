"""The study of stability and plasticity, made small, against what must happen at its corners."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax import cost
from experiments import tradeoff as study
from experiments.tradeoff.stream import Stream, draw_patterns, live, posterior, shares, train
from figures import tradeoff as figure

pytestmark = pytest.mark.study

SMALL = study.Config(
    rows=6,
    patterns=18,
    size=20,
    noise=0.5,
    spikes=(1, 8),
    forget=(0.0, 0.05, 0.5),
    precision=(0.25, 1.0),
    seeds=6,
)


@partial(jax.jit, static_argnums=0)
def lives(stream, forget, beta, keys):
    return jax.vmap(lambda key: live(stream, forget, beta, key, 16))(keys)


def recalled(stream, forget):
    keys = jax.random.split(jax.random.key(1), 8)
    return np.asarray(lives(stream, forget, 1 / stream.noise**2, keys)).mean(axis=0)


CROWDED = Stream(rows=6, size=40, patterns=24, repeats=2, noise=0.3)


@pytest.mark.slow
def test_with_room_for_all_nothing_is_forgotten():
    stream = Stream(rows=12, size=40, patterns=6, repeats=2, noise=0.3)
    assert recalled(stream, 0.0).min() > 0.95


def test_without_forgetting_rows_are_shared():
    # 24 patterns on 6 rows: a row stands for one of its patterns, so 6 of 24 at most are right.
    assert recalled(CROWDED, 0.0).mean() <= 6 / 24 + 1e-9


def test_fast_forgetting_keeps_the_newest_alone():
    fast = recalled(CROWDED, 0.6)
    assert fast[0] > 0.9 and fast[6:].max() < 0.1
    slow = recalled(CROWDED, 0.1)
    assert slow[:3].mean() > 0.85 and slow[3:6].mean() > fast[3:6].mean() + 0.2


def test_evidence_is_conserved_and_divided():
    # Without forgetting every presentation adds one observation in all, whatever the spikes; with
    # it the sum tends to 1 / forget.
    stream = Stream(rows=5, size=10, patterns=30, repeats=2)
    patterns = draw_patterns(stream, jax.random.key(0))
    np.testing.assert_allclose((patterns**2).sum(axis=1), 10, rtol=1e-12)

    @jax.jit
    def counts(forget):
        return train(stream, posterior(2.0, forget), patterns, jax.random.key(1), 4).count

    for forget, expected in ((0.0, 60.0), (0.2, 5 * (1 - 0.8**60))):
        np.testing.assert_allclose(counts(forget).sum(), expected, rtol=1e-10)
    drawn = shares(jnp.log(jnp.array([0.2, 0.3, 0.5])), jax.random.key(2), 20_000)
    np.testing.assert_allclose(drawn, [0.2, 0.3, 0.5], atol=4 * 0.5 / np.sqrt(20_000))


@pytest.mark.slow
def test_the_study_and_its_figure(tmp_path):
    config = dataclasses.replace(SMALL, out=str(tmp_path))
    dataset = study.STUDY(config)
    assert dataset.plasticity.dims == ("spikes", "forget", "precision", "seed")
    by_age = dataset.recall.isel(age=slice(0, 3)).mean("age")
    np.testing.assert_allclose(by_age, dataset.plasticity.mean("seed"), atol=1e-12)
    point = dataset.sel(spikes=8, precision=1.0).mean("seed")
    stability, plasticity = point.stability.values, point.plasticity.values
    # Some forgetting is better than none for both; much of it takes all that is old.
    assert plasticity[1] > plasticity[0] + 0.2 and stability[1] > stability[0]
    assert stability[2] < 0.1
    for n in (1, 8):
        counts = cost.spiking(20, n, 20, 6, graded=True, reads=False)
        expected = cost.Ledger(cost.FP32).energy(counts)
        np.testing.assert_allclose(dataset.price.sel(spikes=n), expected)
    summary = study.summary(dataset)
    assert summary["8 spikes, best: forget"] == pytest.approx(0.05)
    assert all(np.isfinite(list(summary.values())))
    lesser = np.minimum(dataset.stability.mean("seed"), dataset.plasticity.mean("seed"))
    np.testing.assert_allclose(dataset.lesser, lesser)
    at = dataset.sel(forget=dataset.best_forget, precision=dataset.best_precision)
    np.testing.assert_allclose(at.lesser, lesser.max(["forget", "precision"]))
    assert len(figure.draw(dataset).axes) == 7
