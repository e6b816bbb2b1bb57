"""The study of calibration: posteriors against closed forms, a small run, bad settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from bpcjax.energies import Arrow, Categorical, DenseMap, PredictiveCoding
from bpcjax.models import NudgedPhases
from experiments import calibration
from experiments.calibration.features import posterior
from experiments.calibration.posterior import Layer, each, layers, matrix
from experiments.common.scores import auroc, doubt, reliability

pytestmark = pytest.mark.study


def test_the_posterior_comes_to_rest_and_lowers_F():
    rng = np.random.default_rng(0)
    a, z = jnp.asarray(rng.normal(size=(40, 4))), jnp.asarray(np.eye(3)[rng.integers(0, 3, 40)])
    q, free = posterior(a, z, 2.0, 1000)
    assert (np.diff(free) < 1e-8).all() and free[0] - free[-1] > 1
    assert free[-101] - free[-1] < 1e-8 * (free[0] - free[-1])
    # at rest each precision is that of the prior and the data's curvature (a fixed point)
    curvature = q.statistics(z, a).precision
    np.testing.assert_allclose(q.precision, 2.0 + curvature, rtol=1e-5)
    assert q.precision.min() > 2.0


def test_squares_of_local_products_are_the_curvature():
    # One layer of softmax: the second derivative of the NLL in w_ij is p_i (1 - p_i) a_j^2.
    rng = np.random.default_rng(1)
    w, b, x = rng.normal(size=(3, 5)), rng.normal(size=3), rng.random((40, 5)).astype(np.float32)
    net = PredictiveCoding([Arrow(0, 1, DenseMap(w, b), Categorical())])
    (layer,) = layers(net, NudgedPhases(), x, jax.random.key(0), 20)
    p, a = softmax(x @ w.T + b, axis=-1), np.c_[x, np.ones(40)]
    np.testing.assert_allclose(layer.square, (p * (1 - p)).T @ a**2 / 40, rtol=1e-5)
    np.testing.assert_allclose(layer.pre, a.T @ a / 40, rtol=1e-5)
    errors = np.einsum("ni,ij->ij", p, np.eye(3)) - p.T @ p
    np.testing.assert_allclose(layer.post, errors / 40, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(layer.mean, np.c_[w, b])


def test_drawn_weights_have_the_covariance_of_their_posterior():
    rng = np.random.default_rng(2)
    mean, pre, post = rng.normal(size=(2, 3)), rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
    layer = Layer(mean, rng.random((2, 3)), pre.T @ pre / 9, post.T @ post / 9)
    net = PredictiveCoding([Arrow(0, 1, DenseMap(np.zeros((2, 2))), Categorical())])
    precision, count = 0.7, 5
    curvatures = {
        each: np.diag(count * layer.square.ravel()),
        matrix: count * np.kron(layer.post, layer.pre),
    }
    for kind, curvature in curvatures.items():
        drawn = kind([layer], count).draw(net, precision, 500, 0)
        w = np.array([np.c_[n.arrows[0].predict.weights, n.arrows[0].predict.bias] for n in drawn])
        exact = np.linalg.inv(curvature + precision * np.eye(6))
        away = np.abs(np.cov(w.reshape(-1, 6).T) - exact)
        # the deviation of a sample covariance is sqrt((C_ii C_jj + C_ij^2) / n)
        spread = np.sqrt((np.outer(np.diag(exact), np.diag(exact)) + exact**2) / 500)
        assert (away < 4.5 * spread).all()
        np.testing.assert_allclose(w.mean(axis=0), mean, atol=4.5 * np.sqrt(exact.max() / 500))


def test_measures_of_known_answers():
    assert auroc(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0
    assert auroc(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0.5
    sure, torn = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    # two networks that are sure of different classes: all doubt is of the weights, log 2
    np.testing.assert_allclose(
        doubt(np.stack([sure, sure[:, ::-1]]))[:, 0], [-0.5, *[np.log(2)] * 2]
    )
    np.testing.assert_allclose(doubt(np.stack([torn, torn]))[2], 0, atol=1e-12)
    sums = reliability(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    np.testing.assert_allclose(sums.sum(axis=1), [2, 1.7, 1])


@pytest.mark.slow
def test_a_small_run(tmp_path):
    config = calibration.Config(
        quick=True, samples=(60,), units=30, steps=300, draws=8, out=str(tmp_path), width=32,
        updates=300, weights=4,
    )  # fmt: skip
    dataset = calibration.STUDY(config)
    table = calibration.summary(dataset)
    assert table["conditions"] == 3 and table["digits, 60, plain: point, accuracy"] > 0.5
    assert (dataset.unsure >= -1e-9).all() and (dataset.unsure.sum("part") <= np.log(10)).all()
    assert (dataset.net_unsure >= -1e-9).all()
    assert (abs(dataset.net_unsure.sel(part="epistemic", network="point")) < 1e-12).all()
    # one temperature keeps the order of classes
    scores = dataset.net_scores.sel(score="accuracy")
    np.testing.assert_array_equal(scores.sel(network="point"), scores.sel(network="tempered"))
    assert table["network, digits, 600, point, plain: accuracy"] > 0.7
    assert "digits, 600 images, matrices" in calibration.verdict(dataset)
    from figures import calibration as figure

    assert len(figure.draw(dataset).axes) == 5
