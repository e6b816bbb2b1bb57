"""A data set in the format of MNIST's files, small and made up, and programs that read it."""

import gzip
import hashlib
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np

from bpcjax.data.images import IdxImages, idx_images

ROOT = Path(__file__).parents[2]
PARTS = "train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"
NOWHERE = "http://127.0.0.1:9/"  # the port of `discard`: nothing answers


def packed_as(raw):
    return gzip.compress(raw, mtime=0)  # the same bytes in every process


def idx(array):
    head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def tiny(folder, url=NOWHERE, train=2100, test=5) -> tuple[IdxImages, dict[str, np.ndarray]]:
    """A data set in MNIST's format (more than two blocks long), in `folder`; and what it holds."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part in PARTS:
        count = train if part.startswith("train") else test
        shape = (count, 28, 28) if "images" in part else (count,)
        arrays[part] = rng.integers(0, 10, shape).astype(np.uint8)
        if "images" in part:  # two values in an image, so that it packs well
            arrays[part] = (arrays[part] > 4) * rng.integers(0, 256, (count, 1, 1), np.uint8)
        (folder / f"{part}-ubyte.gz").write_bytes(packed_as(idx(arrays[part])))
    sums = {
        part: hashlib.sha256((folder / f"{part}-ubyte.gz").read_bytes()).hexdigest()
        for part in PARTS
    }
    return idx_images("tiny", url, sums), arrays


def run(script, *arguments, **options):
    """A program of its own, which sees the repository."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, **options)


def check(images, arrays, part="train"):
    np.testing.assert_array_equal(
        images.pixels, arrays[f"{part}-images-idx3"].astype(np.float32) / np.float32(255)
    )
    np.testing.assert_array_equal(images.labels, arrays[f"{part}-labels-idx1"])
