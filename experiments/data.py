"""Images of handwritten digits: the small set in scikit-learn, and MNIST from its files."""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import InputError

# sha256 of the official files (LeCun, Cortes & Burges), as TensorFlow Datasets lists them.
MNIST_SUMS = {
    f"{name}-ubyte.gz": sha256
    for name, sha256 in (
        ("train-images-idx3", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        ("train-labels-idx1", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        ("t10k-images-idx3", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        ("t10k-labels-idx1", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    )
}
_AGAIN = "Fetch the official file again."


class Images(NamedTuple):
    """Flat images `pixels` [n, N] in 0..1 (float32), their `labels` [n], and `shape` of one."""

    pixels: np.ndarray
    labels: np.ndarray
    shape: tuple[int, int]


def digits() -> Images:
    """The 1,797 images of 8 x 8 in 17 grey levels that `sklearn.datasets.load_digits` carries."""
    from sklearn.datasets import load_digits  # here, since it is slow to import

    found = load_digits()
    return Images((found.data / 16).astype(np.float32), found.target.astype(np.int64), (8, 8))


def read_idx(path: Path | str, sha256: str | None = None) -> np.ndarray:
    """The array of bytes in a gzipped IDX file, checked against `sha256` where that is given.

    **Raises:** `InputError` naming the file if it is missing, no gzip, cut short, no IDX file of
    bytes, or has another sum.
    """
    path = Path(path)
    try:
        packed = path.read_bytes()
    except OSError as error:
        why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise InputError(f"data_dir: {path} {why}. Put the official file there.") from error
    try:
        raw = gzip.decompress(packed)
    except EOFError as error:
        raise InputError(f"data_dir: {path} is cut short. {_AGAIN}") from error
    except (gzip.BadGzipFile, zlib.error, struct.error) as error:
        raise InputError(f"data_dir: {path} is damaged or no gzip file. {_AGAIN}") from error
    array = _parse_idx(raw, path)
    got = hashlib.sha256(packed).hexdigest()
    if sha256 is not None and got != sha256:
        raise InputError(
            f"data_dir: {path} has the sha256 {got}, not the official {sha256}. {_AGAIN}"
        )
    return array


def _parse_idx(raw: bytes, path: Path) -> np.ndarray:
    """IDX: two zero bytes, the type (8: bytes), the number of dimensions, each as big-endian."""
    dims = raw[3] if len(raw) > 3 else 0
    if len(raw) > 3 and raw[:3] != b"\0\0\x08":
        raise InputError(f"data_dir: {path} is no IDX file of bytes. {_AGAIN}")
    head = 4 + 4 * dims
    if len(raw) < max(head, 8):
        raise InputError(f"data_dir: {path} is cut short inside its head. {_AGAIN}")
    shape = struct.unpack(f">{dims}I", raw[4:head])
    size = int(np.prod(shape, dtype=object))
    if len(raw) - head != size:
        what = "is cut short" if len(raw) - head < size else "is too long"
        raise InputError(
            f"data_dir: {path} {what}: {len(raw) - head} values for shape {shape}. {_AGAIN}"
        )
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)


def mnist(folder: Path | str | None) -> Images:
    """MNIST's 60,000 training images of 28 x 28 from the official files in `folder`.

    **Raises:** `InputError` naming the folder or file, and what to do.
    """
    if folder is None:
        raise InputError("data_dir: mnist needs it: pass the folder of MNIST's four IDX .gz files.")
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"data_dir: {folder} is no folder. Pass the folder of MNIST's four IDX .gz files."
        )
    names = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
    images, labels = (read_idx(folder / name, MNIST_SUMS[name]) for name in names)
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    return Images(pixels, labels.astype(np.int64), (28, 28))


SETS: dict[str, Callable[[Path | str | None], Images]] = {
    "digits": lambda folder: digits(),
    "mnist": mnist,
}


def load(name: str, folder: Path | str | None = None) -> Images:
    """The data set called `name`; `folder` is where its files are, for those that have some.

    **Raises:** `InputError` for an unknown name, and for missing or damaged files.
    """
    if name not in SETS:
        raise InputError(f"data: {name!r} is unknown. Choose one of: {', '.join(SETS)}.")
    return SETS[name](folder)


class Standardised(NamedTuple):
    """Images as `values` [n, N]: `pixels = mean + scale * values`, with the mean image [N]."""

    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def standardise(images: Images) -> Standardised:
    """Pixels less the mean image of the set, over the standard deviation of what is left.

    So 0 is the mean of the data, and 1 a pixel's typical departure from it.
    """
    mean = images.pixels.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = images.pixels - mean
    scale = centred.std(dtype=np.float64).astype(np.float32)
    return Standardised(centred / scale, mean, scale)


def draw_balanced(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices [count] of different images, drawn so that the classes' numbers differ by one at
    most (while every class has images left).

    **Raises:** `InputError` if there are not so many images.
    """
    if count > len(labels):
        raise InputError(f"patterns: the data set has {len(labels)} images, asked for {count}.")
    order = rng.permutation(len(labels))
    rank = np.zeros(len(labels), int)  # the how-manieth of its class each image is, in that order
    for label in np.unique(labels):
        rank[labels[order] == label] = np.arange((labels == label).sum())
    return order[np.argsort(rank, kind="stable")[:count]]
