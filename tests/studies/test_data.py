"""Images for the jobs: which ones, standardised, and drawn evenly."""

import numpy as np
import pytest

from experiments.common import InputError, data


def test_all_digits_are_loaded():
    images = data.load("digits")
    assert images.pixels.shape == (1797, 8, 8) and images.pixels.dtype == np.float32
    assert images.pixels.min() == 0 and images.pixels.max() == 1
    assert set(images.labels) == set(range(10))


def test_unknown_set_is_named_with_the_known_ones():
    with pytest.raises(InputError, match="data: 'mnits'.*digits, mnist"):
        data.load("mnits")


def test_missing_files_are_an_error_of_input(tmp_path):
    with pytest.raises(InputError, match="data_dir: no mnist in .*train-images-idx3-ubyte.gz"):
        data.load("mnist", tmp_path)
    with pytest.raises(InputError, match="data_dir: .*nowhere is no folder"):
        data.load("mnist", tmp_path / "nowhere")


def test_standardised_pixels_have_mean_zero_and_deviation_one():
    pixels = data.load("digits").pixels.reshape(1797, 64)
    values, mean, scale = data.standardise(pixels)
    np.testing.assert_allclose(values.mean(axis=0, dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(values.std(dtype=float), 1, rtol=1e-6)
    np.testing.assert_allclose(mean + scale * values, pixels, atol=1e-6)


def test_drawn_images_are_different_and_balanced():
    labels = np.repeat(np.arange(10), [5] + [30] * 9)
    drawn = data.draw_balanced(labels, 47, np.random.default_rng(0))
    assert len(set(drawn)) == 47
    counts = np.bincount(labels[drawn])
    assert counts.max() - counts.min() <= 1
    # A class that runs out leaves its share to the others.
    assert len(set(data.draw_balanced(labels, 200, np.random.default_rng(0)))) == 200
    with pytest.raises(InputError, match="patterns: the data set has 275 images, asked for 276"):
        data.draw_balanced(labels, 276, np.random.default_rng(0))


def test_validation_keeps_off_the_test():
    def rows(split):
        return {(x.tobytes(), i) for x, i in zip(split.x, split.labels, strict=True)}

    learned, test = data.splits("digits")
    fewer, asked = data.splits("digits", validation=True)
    assert rows(asked) < rows(learned) and not rows(asked) & rows(test)
    assert len(fewer.x) + len(asked.x) == len(learned.x) and not rows(fewer) & rows(asked)


def _pair():
    x, labels = np.full((20, 4), 0.5, np.float32), np.arange(20) % 10
    return data.Split(x, labels, 10), data.Split(x, labels, 10)


@pytest.mark.parametrize("which, what", [(0, "train"), (1, "test")])
def test_sets_that_cannot_be_learned_are_refused(which, what):
    pair = list(_pair())
    data.check(*pair)
    good = pair[which]
    for bad, message in (
        (good._replace(labels=good.labels[:15]), rf"20 {what} images and labels \(15,\)"),
        (good._replace(labels=np.where(good.labels == 3, np.nan, 1.0)), f"{what} labels are float"),
        (good._replace(labels=good.labels + 0.5), f"{what} labels are float"),
        (good._replace(labels=good.labels + 1), f"{what} label 10 is out"),
        (good._replace(labels=np.where(good.labels == 7, 0, good.labels)), "no image of class 7"),
        (good._replace(x=good.x[:0], labels=good.labels[:0]), f"no {what} images"),
    ):
        pair[which] = bad
        with pytest.raises(InputError, match=message):
            data.check(*pair)
