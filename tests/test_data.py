"""Data sets: what is read, and what is refused, with the file and the remedy named."""

import gzip
import hashlib
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from experiments import InputError, data


def real_mnist():
    """The folder of the official files, or a skip with its reason."""
    root = Path(os.environ.get("BPCJAX_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (root / "mnist" / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"no MNIST in {root}; set BPCJAX_DATA to the folder that holds `mnist`")
    return root / "mnist"


def packed_as(raw):
    return gzip.compress(raw, mtime=0)  # the same bytes in every process


def idx(array):
    head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def small(tmp_path):
    """A file of two images of 3 x 4, and what it holds."""
    array = np.arange(24).reshape(2, 3, 4)
    path = tmp_path / "small-idx3-ubyte.gz"
    path.write_bytes(packed_as(idx(array)))
    return path, array


def test_digits_are_the_ones_of_scikit_learn():
    images = data.load("digits")
    assert images.pixels.shape == (1797, 64) and images.shape == (8, 8)
    assert images.pixels.min() == 0 and images.pixels.max() == 1
    assert set(images.labels) == set(range(10))


def test_unknown_set_is_named_with_the_known_ones():
    with pytest.raises(InputError, match="data: 'mnits'.*digits, mnist"):
        data.load("mnits")


def test_an_idx_file_is_read(small):
    path, array = small
    np.testing.assert_array_equal(data.read_idx(path), array)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_array_equal(data.read_idx(path, right), array)


def test_wrong_sum(small):
    with pytest.raises(InputError, match=f"{small[0].name}.*sha256.*again"):
        data.read_idx(small[0], "0" * 64)


whole = packed_as(idx(np.arange(24).reshape(2, 3, 4)))


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
def test_a_broken_file_is_named_with_the_remedy(tmp_path, content, why):
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"(?s)data_dir: .*broken.gz.*({why}).*again"):
        data.read_idx(path)


def test_missing_folder_and_missing_file(tmp_path):
    with pytest.raises(InputError, match="data_dir: mnist needs it"):
        data.mnist(None)
    with pytest.raises(InputError, match="data_dir: .*nowhere is no folder"):
        data.mnist(tmp_path / "nowhere")
    with pytest.raises(InputError, match="data_dir: .*train-images-idx3-ubyte.gz is missing"):
        data.mnist(tmp_path)


def test_a_folder_of_other_files_is_no_mnist(tmp_path):
    for name in data.MNIST_SUMS:
        (tmp_path / name).write_bytes(whole)
    with pytest.raises(InputError, match="train-images.*sha256.*official"):
        data.mnist(tmp_path)


def test_official_mnist():
    images = data.load("mnist", real_mnist())
    assert images.pixels.shape == (60000, 784) and images.shape == (28, 28)
    # Mean and deviation of the training set: 0.1307, 0.3081, its widely quoted constants.
    np.testing.assert_allclose(images.pixels.mean(dtype=float), 0.1307, atol=5e-5)
    np.testing.assert_allclose(images.pixels.std(dtype=float), 0.3081, atol=5e-5)
    np.testing.assert_array_equal(images.labels[:5], [5, 0, 4, 1, 9])


def test_official_mnist_cut_short_or_altered(tmp_path):
    name = "train-labels-idx1-ubyte.gz"
    for file in data.MNIST_SUMS:
        shutil.copy(real_mnist() / file, tmp_path / file)
    packed = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(packed[:-1000])
    with pytest.raises(InputError, match=f"{name} is cut short"):
        data.mnist(tmp_path)
    other = packed_as(gzip.decompress(packed))  # the same labels, but not the official file
    (tmp_path / name).write_bytes(other)
    with pytest.raises(InputError, match=f"{name} has the sha256"):
        data.mnist(tmp_path)


def test_standardised_pixels_have_mean_zero_and_deviation_one():
    images = data.digits()
    values, mean, scale = data.standardise(images)
    np.testing.assert_allclose(values.mean(axis=0, dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(values.std(dtype=float), 1, rtol=1e-6)
    np.testing.assert_allclose(mean + scale * values, images.pixels, atol=1e-6)


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
