"""Image sets: the digits that scikit-learn carries, and gzipped IDX files (MNIST's format)."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from .dataset import AbstractDataSet
from .files import AGAIN, DataError, File


class Images(NamedTuple):
    """Grey images [n, rows, columns] in 0 (black) to 1, and the class of each: `pixels, labels =
    load(...)`.

    For flat ones: `pixels.reshape(len(pixels), -1)`.
    """

    pixels: Float32[np.ndarray, "n height width"]
    labels: Int64[np.ndarray, " n"]


def digits() -> Images:
    """Digits of scikit-learn: the 1,797 images of 8 x 8 in 17 grey levels of
    `sklearn.datasets.load_digits`."""
    try:
        from sklearn.datasets import load_digits  # here, since it is slow to import
    except ImportError as error:
        raise ImportError("digits need scikit-learn: pip install 'bpcjax[data]'.") from error
    dataset: Any = load_digits()
    return Images((dataset.images / 16).astype(np.float32), dataset.target.astype(np.int64))


def read_idx(path: Path | str) -> np.ndarray:
    """Read the array of bytes in a gzipped IDX file.

    **Raises:** `DataError` naming the file if it is missing, no gzip, cut short, or no IDX file
    of bytes.
    """
    path = Path(path)
    try:
        raw = gzip.decompress(path.read_bytes())
    except EOFError as error:
        raise DataError(f"data_dir: {path} is cut short. {AGAIN}") from error
    except (gzip.BadGzipFile, zlib.error, struct.error) as error:
        raise DataError(f"data_dir: {path} is damaged or no gzip file. {AGAIN}") from error
    except OSError as error:
        why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise DataError(f"data_dir: {path} {why}. Put the official file there.") from error
    return _parse_idx(raw, path)


def _parse_idx(raw: bytes, path: Path) -> np.ndarray:
    """IDX: two zero bytes, the type (8: bytes), the number of dimensions, each as big-endian."""
    dims = raw[3] if len(raw) > 3 else 0
    if len(raw) > 3 and raw[:3] != b"\0\0\x08":
        raise DataError(f"data_dir: {path} is no IDX file of bytes. {AGAIN}")
    head = 4 + 4 * dims
    if len(raw) < max(head, 8):
        raise DataError(f"data_dir: {path} is cut short inside its head. {AGAIN}")
    shape = struct.unpack(f">{dims}I", raw[4:head])
    size = int(np.prod(shape, dtype=object))
    if len(raw) - head != size:
        what = "is cut short" if len(raw) - head < size else "is too long"
        raise DataError(
            f"data_dir: {path} {what}: {len(raw) - head} values for shape {shape}. {AGAIN}"
        )
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)


@dataclass(frozen=True)
class IdxImages(AbstractDataSet):
    """Set of 28 x 28 images in four IDX files."""

    name: str
    files: tuple[File, ...]
    folders: tuple[str, ...]
    ragged: tuple[str, ...] = ()

    def features(self, tfds: Any) -> dict[str, Any]:
        """Images as arrays: a third of the time that PNG takes."""
        image = tfds.features.Tensor(shape=(28, 28), dtype=np.uint8, encoding="zlib")
        return {"pixels": image, "label": np.int64}

    def examples(self, paths: dict[str, Path], split: str) -> Iterator[dict[str, Any]]:
        """Every image with its label, in the order of the files."""
        part = {"train": "train", "test": "t10k"}[split]
        images = read_idx(paths[f"{part}-images-idx3-ubyte.gz"])
        labels = read_idx(paths[f"{part}-labels-idx1-ubyte.gz"])
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
            raise DataError(
                f"data_dir: {self.name} has images of shape {images.shape} and labels of shape "
                f"{labels.shape}, not (n, 28, 28) and (n,). {AGAIN}"
            )
        for image, label in zip(images, labels, strict=True):
            yield {"pixels": image, "label": int(label)}

    def result(self, arrays: dict[str, np.ndarray]) -> Images:
        """Images with pixels in 0..1 (from bytes)."""
        pixels = np.true_divide(arrays["pixels"], 255, dtype=np.float32)
        return Images(pixels, arrays["label"].astype(np.int64))


def idx_images(name: str, url: str, sums: dict[str, str]) -> IdxImages:
    """Image set whose files have the given SHA-256 `sums`, by names without their common ending."""
    files = (
        File(f"{part}-ubyte.gz", total, f"{url}{part}-ubyte.gz") for part, total in sums.items()
    )
    return IdxImages(name, tuple(files), (name,))


# The sums are those of TensorFlow Datasets 4.9 (url_checksums/).
MNIST = idx_images(
    "mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    {
        "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)
FASHION_MNIST = idx_images(
    "fashion_mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        "train-images-idx3": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)
