"""The study of the memory that decides early: rivals, prices by hand, laws, and a small run."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax import cost
from experiments import sequential as study
from experiments.common.statistics import mcnemar, paired_difference
from experiments.sequential import laws, methods, scaling, tasks, values
from experiments.sequential.choices import Trial, _cheapest
from experiments.sequential.methods import Choice
from experiments.sequential.tasks import Case, Deletion, Exposure, Mask, Noise, Source
from figures import sequential as figure

pytestmark = pytest.mark.study


def test_mcnemar_counts_the_trials_that_differ():
    one = np.array([1] * 8 + [0] * 2 + [1] * 50 + [0] * 40, bool)
    other = np.array([0] * 8 + [1] * 2 + [1] * 50 + [0] * 40, bool)
    # By hand: 8 of 10 or further from 5, both sides, 2 (1 + 10 + 45) / 1024.
    assert mcnemar(one, other) == pytest.approx(2 * 56 / 1024)
    assert mcnemar(one, one) == 1.0
    mean, low, high = paired_difference(one, other)
    # By hand: ten differences of +-1, eight up: variance (10 - .36) / 99 of a mean of .06.
    half = 1.96 * math.sqrt((10 - 100 * 0.06**2) / 99 / 100)
    np.testing.assert_allclose([mean, low, high], [0.06, 0.06 - half, 0.06 + half])


IMAGES = Source(
    np.random.default_rng(0).random((60, 16)).astype(np.float32),
    np.arange(60) % 10,
    (4, 4),
    np.full(16, 0.5, np.float32),
)


def _draw(damage, seed=0, queries=30, data="digits", count=20, images=IMAGES, **fields):
    case = Case(data, count, damage, (4,), **fields)
    return case.draw(np.random.default_rng(seed), queries, images)


def test_damages_do_what_they_say():
    noisy = _draw(Noise(0.3), queries=400)
    gaps = noisy.queries - noisy.patterns[noisy.target]
    assert gaps.std() == pytest.approx(0.3, rel=0.05) and noisy.sigma == 0.3
    known, unknown = _draw(Mask(0.5)), _draw(Mask(0.5, known=False))
    np.testing.assert_array_equal(known.patterns, unknown.patterns)  # one draw, both times
    np.testing.assert_array_equal(known.seen, np.arange(16) < 8)
    np.testing.assert_array_equal(unknown.queries[:, 8:], 0.5)  # the mean image
    np.testing.assert_array_equal(known.queries[:, :8], known.patterns[known.target][:, :8])
    wrong = _draw(Noise(0.4), assumed=2.0)
    assert wrong.sigma == pytest.approx(0.8)
    expected = Case("digits", 20, Noise(0.4), (4,), assumed=2.0).expected
    assert expected.damage == Noise(0.8) and expected.assumed == 1


@pytest.mark.parametrize("damage", [Deletion(0.4), Exposure(2.0)])
def test_means_of_counts_are_those_of_the_queries(damage):
    raster = isinstance(damage, Deletion)
    data, images = ("rasters", None) if raster else (tasks.COUNTS, IMAGES)
    own = _draw(damage, queries=20_000, data=data, count=3, images=images)
    for p in range(3):
        mean = own.queries[own.target == p].mean(axis=0)
        # 6,600 counts of mean up to .4 (or 2): five standard errors, and, of spikes that fall
        # into one bin, the second order of the chance, .02 times .4
        assert np.abs(mean - own.patterns[p]).max() < (0.04 if raster else 0.1)
    assert own.sigma is None and (own.inputs == own.queries.sum(1)).all()


def test_rivals_are_spared_what_is_zero():
    own = _draw(Mask(0.5, known=False), images=IMAGES._replace(mean=np.zeros(16, np.float32)))
    rows = methods.rivals(own, jax.random.key(0))
    # By hand: 8 of 16 entries reach 20 memories.
    assert rows["argmax"].counts.macs == pytest.approx(8 * 20)
    assert rows["argmax"].counts.words == pytest.approx(8 * 20 + 3 * 16)
    assert rows["attention"].counts.macs == pytest.approx(8 * 20 + 16 * 20)
    assert rows["attention, batch 16"].counts.words == pytest.approx(2 * 320 / 16 + 2 * 36)
    counts = _draw(Exposure(2.0), data=tasks.COUNTS)
    hard = methods.rivals(counts, jax.random.key(0))["argmax"].counts
    np.testing.assert_allclose(hard.synaptic, counts.queries.sum(1) * 20)
    np.testing.assert_allclose(hard.macs, 0)


def test_every_method_answers_an_easy_query_and_costs_what_it_looks_at():
    own = _draw(Noise(0.05))
    rows = methods.answers(own, Choice(12.0, 4, scale=0.3, scale_by_variance=0.3, student=12.0,
                                       sigma=0.05), np.random.default_rng(0))  # fmt: skip
    assert set(rows) == set(methods.MODELS)
    for name, answer in rows.items():
        assert (answer.decision == own.target).mean() > 0.9, name
    for name in ("sequential", "partial distance", "BanditMIPS"):
        # rivals stop at blocks of 16 entries, here all of them
        assert np.mean(rows[name].counts.macs) <= 16 * 20 + 16
    assert not rows["sequential, certified"].silenced.any()


def test_a_draw_is_right_as_often_as_the_posterior_says():
    own = _draw(Noise(0.4), queries=2000)
    rows = methods.rivals(own, jax.random.key(3))
    posterior = jax.nn.softmax(methods.scores(own), axis=1)
    expected = float(posterior[np.arange(2000), own.target].mean())
    right = (rows["draws, 1"].decision == own.target).mean()
    assert abs(right - expected) < 5 * 0.5 / np.sqrt(2000)
    assert (rows["draws, 40"].decision == own.target).mean() > right


def test_the_cheapest_of_the_accurate_is_chosen():
    trials = [("a", Trial(0.9, 3.0)), ("b", Trial(0.91, 2.0)), ("c", Trial(0.8, 1.0))]
    assert _cheapest(trials, 0.9)[0] == "b"
    assert _cheapest(trials, 0.95)[0] == "b"  # none is accurate enough: the best


def test_the_law_of_the_sphere():
    case = Case("sphere", 300, Noise(2.0), (1,))
    own = case.draw(np.random.default_rng(1), 10, None)
    share = laws.share(own, Choice(5.0, 1), np.random.default_rng(2))
    # theta sigma^2 / N on average, up to the entry that crosses; pairs are not all orthogonal
    assert share == pytest.approx(5.0 * 4 / 256, rel=0.1)
    late = laws.share(own, Choice(500.0, 1), np.random.default_rng(2))
    assert late == 1.0
    assert math.isnan(laws.share(_draw(Exposure(1.0), data=tasks.COUNTS), Choice(5.0, 1), None))
    counts = laws.counts(160.0, 8)  # by hand: 20 tests
    assert counts == cost.Counts(macs=160.0, adds=60.0, synaptic=20.0, words=220.0)


def test_means_of_values():
    own = _draw(Noise(0.5), queries=40)
    rows = values._answers(own, jnp.asarray(own.patterns), jax.random.key(0))
    assert set(rows) == set(values.METHODS)
    exact = rows["attention"][0]

    def apart(name):
        return float(jnp.mean((rows[name][0] - exact) ** 2))

    assert apart("survivors, certified") < 1e-4 < apart("SANTA, 1")
    assert apart("SANTA, 64") < apart("SANTA, 8") < apart("SANTA, 1")
    # the mean of many stratified draws: below tr Cov / S of independent ones
    weights = jax.nn.softmax(methods.scores(own), axis=1)
    gaps = ((own.patterns[None] - np.asarray(exact)[:, None]) ** 2).mean(-1)
    spread = float((weights * gaps).sum(1).mean())
    assert apart("SANTA, 16") < 1.2 * spread / 16
    assert float(np.mean(values._mixture(3.0, 16).macs)) == 48
    one = values._samples(np.array([1.0, 5.0]), 8, 16)
    np.testing.assert_allclose(one.synaptic, [16, 8 * 16])
    np.testing.assert_allclose(one.exps, [1, 5])
    np.testing.assert_allclose(one.adds, [2 + 1, 2 * 5 + 8 * 3])  # searches of 2 and of 5


def test_exponents_are_those_of_the_counts():
    result = scaling.exponents(((50, 64), (100, 64), (50, 256), (100, 256)), 40, 0)
    assert 0.8 < result["exponents"][0] < 1.1  # P
    assert -0.1 < result["exponents"][1] < 0.3  # N: the law is theta sigma^2, without N


def test_a_small_study_from_end_to_end(tmp_path):
    config = study.Config(
        quick=True, noises=(1.5,), masks=(0.5,), queries=20, seeds=2, out=str(tmp_path)
    )
    dataset = study.STUDY(config)
    numbers = study.summary(dataset)
    assert all(np.isfinite(value) for value in numbers.values())
    case = "digits 200, noise 1.5"
    assert numbers[f"{case}: over attention, fp32"] < 0.25
    assert numbers[f"{case}: silenced, sequential, certified"] <= 0.05
    known = "digits 200, mask 0.5"
    assert numbers[f"{known}: accuracy, sequential"] > 0.95
    assert numbers[f"{known}, unknown: accuracy, attention"] < 0.95
    assert "sequential" in study.text(numbers) or case in study.text(numbers)
    assert len(figure.draw(dataset).axes) == 6
    few = dataclasses.replace(config, sets=("sphere",), most=300)
    assert {own.data for own in study.cases(few)} == {"sphere"}
