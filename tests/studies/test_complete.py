"""The study of missing pixels, made small: masks, rivals, what descending predictions are worth."""

import numpy as np
import pytest

from experiments import complete as study
from experiments.complete import masks, rivals, work

pytestmark = pytest.mark.study


def test_masks_hide_what_their_names_say():
    hidden = {kind: 1 - masks.draw(kind, 400, (28, 28), 0).mean() for kind in masks.KINDS}
    shares = {"lower half": 0.5, "stripes": 0.75, "bar": 0.5}
    shares |= {f"random {p} %": p / 100 for p in (50, 80, 90)}
    # 400 x 784 independent pixels: a standard error below .001
    for kind, share in shares.items():
        assert hidden[kind] == pytest.approx(share, abs=0.004), kind
    assert masks.draw("lower half", 1, (8, 8), 0)[0, :4].all()
    bars = masks.draw("bar", 400, (8, 8), 0)
    assert (bars == bars[:, :1]).all() and len(np.unique(bars[:, 0], axis=0)) == 8


def test_the_conditional_gaussian_is_regression():
    # the conditional mean of a Gaussian is the least-squares prediction, with an intercept
    rng = np.random.default_rng(0)
    x = (0.5 + 0.1 * rng.normal(size=(5000, 4)) @ rng.normal(size=(4, 5))).clip(0, 1)
    seen = np.array([True, False, True, True, False])
    model = rivals.gaussian(x.astype(np.float64), 0.0)
    found = rivals.impute(model, x[:3], np.tile(seen, (3, 1)))
    design = np.column_stack([np.ones(len(x)), x[:, seen]])
    slope = np.linalg.lstsq(design, x[:, ~seen], rcond=None)[0]
    np.testing.assert_allclose(found[:, ~seen], np.clip(design[:3] @ slope, 0, 1), atol=1e-5)
    np.testing.assert_allclose(found[:, seen], x[:3, seen], atol=1e-7)


def test_the_nearest_image_is_that_on_the_pixels_seen():
    x = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    asked = np.array([[0.9, 0.9], [0.9, 0.9]], np.float32)
    seen = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(rivals.nearest(x, np.array([3, 7]), asked, seen), [7, 3])


@pytest.mark.slow
def test_a_small_run_and_the_same_again_from_its_parts(tmp_path):
    config = study.Config(
        data=("digits",), seeds=1, asked=200, hidden=(40, 24), epochs=20, plain_epochs=10,
        masked_epochs=5, steps=60, out=str(tmp_path),
    )  # fmt: skip
    dataset = study.STUDY(config)
    table = study.summary(dataset)
    assert table["digits, whole, network: accuracy"] > 0.9
    for kind in ("lower half", "random 80 %"):
        # the descending predictions are needed, and the spikes follow the rates
        network = table[f"digits, {kind}, network: accuracy"]
        assert network > table[f"digits, {kind}, cut: accuracy"] + 0.05
        assert abs(network - table[f"digits, {kind}, spikes: accuracy"]) < 0.06
        filled = table[f"digits, {kind}, mean fill: squared error"]
        assert table[f"digits, {kind}, network: squared error"] < 0.9 * filled
        assert table[f"digits, {kind}: F, rates"] < table[f"digits, {kind}: F, first"]
        parts = [v for k, v in table.items() if k.startswith(f"digits, {kind}: spikes, ")]
        assert sum(parts) == pytest.approx(table[f"digits, {kind}: spikes"], rel=1e-6)
    again = study.STUDY(config)  # every part is on disk
    assert study.summary(again) == table
    from figures import complete as figure

    assert len(figure.draw(dataset).subfigs) == 3
    assert set(work.METHODS) == set(dataset.model.values)
