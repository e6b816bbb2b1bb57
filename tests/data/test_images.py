"""Images: the digits, the format of MNIST's files, and the official files."""

import os
from pathlib import Path

import numpy as np
import pytest

from bpcjax import data
from bpcjax.data.images import read_idx
from tests.support.datasets import ROOT, idx, packed_as, run

# Digits


def test_digits_are_the_ones_of_scikit_learn_split_in_two():
    train, test, whole = (data.load("digits", split) for split in ("train", "test", "all"))
    assert train.pixels.shape == (1437, 8, 8) and test.pixels.shape == (360, 8, 8)
    np.testing.assert_array_equal(np.concatenate([train.pixels, test.pixels]), whole.pixels)
    np.testing.assert_array_equal(np.concatenate([train.labels, test.labels]), whole.labels)
    assert whole.pixels.min() == 0 and whole.pixels.max() == 1
    assert set(test.labels) == set(train.labels) == set(range(10))


def test_names_and_splits_that_do_not_exist():
    with pytest.raises(data.DataError, match="name: 'mnits'.*digits, mnist, fashion_mnist, nmnist"):
        data.load("mnits", "train")
    with pytest.raises(data.DataError, match="split: 'training'.*train, test, all"):
        data.load("digits", "training")


def test_nothing_heavy_is_loaded_before_it_is_needed():
    done = run(
        """
        import sys
        import bpcjax as bpc
        assert "bpcjax.data" not in sys.modules
        bpc.data.load("digits", "test")
        assert not {"tensorflow_datasets", "tensorflow", "tqdm"} & set(sys.modules)
        """
    )
    assert done.returncode == 0, done.stderr


# IDX files

whole = packed_as(idx(np.arange(24).reshape(2, 3, 4)))


def test_an_idx_file_is_read(tmp_path):
    path = tmp_path / "small.gz"
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_idx(path), np.arange(24).reshape(2, 3, 4))


@pytest.mark.parametrize(
    "content, why",
    [
        (whole[:-12], "cut short"),
        (whole[:5], "cut short"),
        (b"", "cut short|damaged"),
        (b"not gzip at all", "damaged or no gzip"),
        (whole[:20] + bytes([whole[20] ^ 255]) + whole[21:], "damaged|cut short"),
        (packed_as(idx(np.zeros((2, 3)))[:-1]), "cut short: 5 values"),
        (packed_as(idx(np.zeros((2, 3))) + b"x"), "too long"),
        (packed_as(b"\0\0\x08\x03\0\0"), "cut short inside its head"),
        (packed_as(b""), "cut short inside its head"),
        (packed_as(b"\0\0\x0d" + idx(np.zeros((2, 3)))[3:]), "no IDX file of bytes"),
    ],
    ids=range(10),
)
def test_a_broken_idx_file_is_named_with_the_remedy(tmp_path, content, why):
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    with pytest.raises(data.DataError, match=f"(?s)data_dir: .*broken.gz.*({why}).*again"):
        read_idx(path)
    with pytest.raises(data.DataError, match="data_dir: .*other.gz is missing"):
        read_idx(tmp_path / "other.gz")


# The official files


def real(name):
    """The folder of data sets, or a skip with its reason."""
    root = Path(os.environ.get("BPCJAX_DATA", ROOT.parent / "shared" / "data"))
    if not (root / name).is_dir():
        pytest.skip(f"no {name} in {root}; set BPCJAX_DATA to the folder that holds `{name}`")
    return root


@pytest.mark.slow
def test_official_mnist(tmp_path):
    folder = real("mnist")
    images = data.load("mnist", "train", folder, cache_dir=tmp_path)
    assert images.pixels.shape == (60000, 28, 28)
    # Mean and deviation of the training set: 0.1307, 0.3081, its widely quoted constants.
    np.testing.assert_allclose(images.pixels.mean(dtype=float), 0.1307, atol=5e-5)
    np.testing.assert_allclose(images.pixels.std(dtype=float), 0.3081, atol=5e-5)
    # The first images of the official files are a 5, 0, 4, 1, 9 and a 7, 2, 1, 0, 4.
    np.testing.assert_array_equal(images.labels[:5], [5, 0, 4, 1, 9])
    test = data.load("mnist", "test", folder / "mnist", cache_dir=tmp_path)
    np.testing.assert_array_equal(test.labels[:5], [7, 2, 1, 0, 4])
    with pytest.raises(data.DataError, match="train-images.*another file.*official"):
        data.load("fashion_mnist", "train", folder / "mnist", cache_dir=tmp_path)


@pytest.mark.slow
def test_official_fashion_mnist(tmp_path):
    images = data.load("fashion_mnist", "all", real("fashion_mnist"), cache_dir=tmp_path)
    # Xiao, Rasul & Vollgraf (2017): 7,000 of each class, 6,000 of them for training.
    np.testing.assert_array_equal(np.bincount(images.labels[:60000]), 6000)
    np.testing.assert_array_equal(np.bincount(images.labels[60000:]), 1000)
    np.testing.assert_allclose(images.pixels[:60000].mean(dtype=float), 0.2860, atol=5e-5)
