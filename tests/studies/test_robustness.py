"""The study of robustness, made small: the exact law holds at every point."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.energies import ClassicalHopfield
from bpcjax.learning import projection
from experiments import robustness as study
from experiments.common import InputError
from experiments.common.memories import STEPS, classical, signs
from experiments.robustness.methods import METHODS, answers
from experiments.robustness.queries import CORRUPTIONS, LEVELS, Source, available, spoil
from figures import robustness as figure

pytestmark = pytest.mark.study

SMALL = study.Config(
    sets=("sphere",),
    patterns=(8, 60),
    size=24,
    queries=60,
    image_queries=10,
    seeds=30,
    image_seeds=1,
    spikes=8,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    config = dataclasses.replace(SMALL, out=str(tmp_path_factory.mktemp("out")))
    return study.STUDY(config)


def test_the_law_is_inside_the_interval_at_every_point(dataset):
    for corruption in CORRUPTIONS:
        points = 2 * len(LEVELS[corruption])
        assert study.law_holds(dataset, "nearest", corruption, joint=True) == (points, points)
        # Alone, each interval holds the law with 95 %: at most 4 of 16 outside (P = 0.9991).
        assert study.law_holds(dataset, "nearest", corruption)[0] >= points - 4
    # The intervals are narrow enough to tell 60 patterns from 8.
    wrong = dataset.assign(law=(dataset.law.dims, dataset.law.values[::-1]))
    assert study.law_holds(wrong, "nearest", "noise", joint=True)[0] < 16


def test_methods_keep_their_order(dataset):
    share = (dataset.right / dataset.queries).sel(set="sphere", corruption="noise").mean("level")
    for count in (8, 60):
        best, seen, attention, spiking, _, hebb, _ = (
            float(share.sel(patterns=count, memory=name)) for name in METHODS
        )
        # To Gaussian noise the nearest is Bayes' answer; error of a mean of 8 levels: 0.01.
        assert seen == best  # no gaps
        assert abs(best - attention) < 0.03 and spiking < best + 0.02 and hebb < best
        assert spiking > best - 0.15
    gaps = (dataset.right / dataset.queries).sel(set="sphere", corruption="mask", patterns=60)
    gain = gaps.sel(memory="of seen") - gaps.sel(memory="nearest")
    assert gain.max() > 0.05 and gain.min() > -0.02
    assert float(share.sel(patterns=60, memory="Hebb")) < 0.3  # 60 patterns on 24 units
    summary = study.summary(dataset)
    assert summary["sphere, noise, nearest: points"] == 16
    assert all(np.isfinite(list(summary.values())))


def test_spoilt_entries_are_counted():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 40)).astype(np.float32)
    for corruption, level, expected in (
        ("flips", 0.25, 10),
        ("erasures", 0.5, 20),
        ("mask", 0.1, 4),
    ):
        y = spoil(x, corruption, level, rng)
        assert ((y != x).sum(axis=1) == expected).all()
        changed = y[y != x]
        assert np.all(changed == (-x[y != x] if corruption == "flips" else 0))
    noisy = spoil(x, "noise", 2.0, rng) - x
    assert abs(noisy.std() - 2) < 4 * 2 / np.sqrt(2 * noisy.size)
    source = Source.of("sphere", 40, None)
    np.testing.assert_allclose((source.draw(5, rng) ** 2).sum(axis=1), 40, rtol=1e-5)


def test_clean_queries_are_recalled_by_all():
    rng = np.random.default_rng(1)
    x = Source.of("sphere", 60, None).draw(4, rng)
    named, first = answers(jnp.asarray(x), jnp.asarray(x), _key(), beta=1.0, spikes=8, rate=10.0)
    np.testing.assert_array_equal(named, np.tile(np.arange(4), (len(METHODS), 1)))
    np.testing.assert_array_equal(first, np.arange(4))


def test_the_pseudo_inverse_repairs_correlated_signs():
    rng = np.random.default_rng(2)
    common = rng.choice([-1.0, 1.0], 80)
    x = np.where(rng.random((15, 80)) < 0.85, common, -common).astype(np.float32)
    queries = np.where(rng.random(x.shape) < 0.03, -x, x)
    arrays = jnp.asarray(x), jnp.asarray(queries)
    np.testing.assert_array_equal(classical(*arrays, projection=True), np.arange(15))
    assert (np.asarray(classical(*arrays, projection=False)) != np.arange(15)).any()


@pytest.mark.parametrize("pseudo_inverse", [False, True])
def test_networks_of_signs_take_the_steps_of_the_classical_energy(pseudo_inverse):
    rng = np.random.default_rng(3)  # an odd number of patterns on even units: no field is 0
    x, queries = (rng.normal(size=(rows, 40)).astype(np.float32) for rows in (7, 30))
    stored = signs(jnp.asarray(x))
    energy = projection(stored) if pseudo_inverse else ClassicalHopfield.hebb(stored)

    @jax.jit
    def settled(s):
        return jax.lax.fori_loop(0, STEPS, lambda _, s: energy.update(s), s)

    ends = jax.vmap(settled)(jnp.sign(jnp.asarray(queries)))
    expected = (ends @ stored.T).argmax(axis=1)
    assert len(np.unique(expected)) > 3
    named = classical(jnp.asarray(x), jnp.asarray(queries), projection=pseudo_inverse)
    np.testing.assert_array_equal(named, expected)


def test_missing_images_are_replaced(tmp_path, capsys):
    sources = available(("digits", "mnist"), 8, str(tmp_path / "nothing"))
    assert [source.name for source in sources] == ["digits"]
    assert "digits instead" in capsys.readouterr().out
    with pytest.raises(InputError, match="unknown"):
        available(("cats",), 8, None)


@pytest.mark.slow
def test_images_are_recalled(tmp_path):
    config = dataclasses.replace(SMALL, sets=("digits",), patterns=(20,), out=str(tmp_path))
    dataset = study.STUDY(config)
    share = (dataset.right / dataset.queries).sel(set="digits", patterns=20)
    least = share.isel(level=0).sel(memory=["nearest", "of seen", "attention", "spiking"])
    assert least.min() >= 0.9  # the least damage of each kind
    assert not any(key.startswith("sphere") for key in study.summary(dataset))
    assert len(figure.draw(dataset).axes) == len(CORRUPTIONS)


def test_the_figure_draws(dataset):
    fig = figure.draw(dataset)
    assert len(fig.axes) == 2 * len(CORRUPTIONS)


def _key():
    return jax.random.key(0)
