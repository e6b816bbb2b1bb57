"""Loading of data sets by name: from the cache, a folder of their files, or the network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._files import lock
from .cache import cache_folder, read, writable, write
from .dataset import AbstractDataSet
from .events import Events
from .files import DataError, data_folder, find
from .images import FASHION_MNIST, MNIST, Images, digits
from .nmnist import NMNIST, NMNIST_PART
from .speech import SPOKEN_DIGITS, Recordings

SPLITS = "train", "test", "all"
TEST_DIGITS = 360  # the last fifth

# Where a name stands for several, the first is the one to download; a folder may have any.
SETS: dict[str, tuple[AbstractDataSet, ...]] = {
    "mnist": (MNIST,),
    "fashion_mnist": (FASHION_MNIST,),
    "nmnist": (NMNIST, NMNIST_PART),
    "spoken_digits": (SPOKEN_DIGITS,),
}


def _locate(
    sets: Sequence[AbstractDataSet], data_dir: Path | str | None
) -> tuple[AbstractDataSet, dict[str, Path] | None]:
    """The first of the sets that the folder has, with its checked files; else the first one."""
    folder = data_folder(data_dir)
    if folder is not None:
        for dataset in sets:
            paths = find(dataset.files, [*(folder / sub for sub in dataset.folders), folder])
            if paths is not None:
                return dataset, paths
        if data_dir is not None:
            names = " or ".join(", ".join(file.name for file in s.files) for s in sets)
            places = ", ".join([str(folder), *(str(folder / sub) for sub in sets[0].folders)])
            raise DataError(
                f"data_dir: no {sets[0].name} in {places}. Put {names} there, or leave data_dir "
                "out to download."
            )
    return sets[0], None


def load_set(
    sets: Sequence[AbstractDataSet],
    split: str,
    data_dir: Path | str | None = None,
    *,
    cache_dir: Path | str | None = None,
) -> Any:
    """`load` for the first of the `sets` whose files are there."""
    dataset, paths = _locate(sets, data_dir)
    cache = cache_folder(cache_dir)
    folder = cache / dataset.mark

    def arrays() -> dict[str, np.ndarray] | None:
        names = ("train", "test") if split == "all" else (split,)
        parts = [read(folder / f"{name}.npz") for name in names]
        if any(part is None for part in parts):
            return None
        whole = [part for part in parts if part]
        return {k: np.concatenate([part[k] for part in whole]) for k in whole[0]}

    cached = arrays()
    if cached is None:
        with lock(writable(folder)):  # other processes prepare the same set
            cached = arrays()  # another process may have made them meanwhile
            if cached is None:
                from .download import download
                from .prepare import prepare

                if paths is None:
                    place = cache / "downloads" / dataset.name
                    paths = download(dataset.name, dataset.files, place)
                splits = prepare(dataset, paths, folder)
                for name, part in splits.items():
                    write(folder / f"{name}.npz", part)
                cached = splits[split] if split != "all" else arrays()
    assert cached is not None
    return dataset.result(cached)


def load(
    name: str,
    split: str,
    data_dir: Path | str | None = None,
    *,
    cache_dir: Path | str | None = None,
) -> Images | Events | Recordings:
    """A data set as arrays: the split "train", "test", or "all" (train, then test).

    - "digits": `Images` of 8 x 8, 1,437 and 360; scikit-learn carries them. They have no official
      split: the last 360 are the test set here.
    - "mnist", "fashion_mnist": `Images` of 28 x 28, 60,000 and 10,000, in the order of the files.
    - "nmnist": `Events` of a camera on a grid of (2, 34, 34), 60,000 and 10,000 recordings of
      0.3 s; from a folder that has just `nmnist_small.zip`, the first 1,000 and 100 of each.
    - "spoken_digits": `Recordings` of sound at 8 kHz, 2,700 and 300 by the official rule (of the
      fifty of a digit by a speaker, the first five are the test set). `bpc.encode.cochlea` and
      `bpc.encode.delta` turn them into events.

    Files are looked for in `data_dir`, else in `$BPCJAX_DATA`: in that folder or in its folder
    called as the set is. They are checked against their official sums, every time. Where neither
    is given, or `$BPCJAX_DATA` lacks the set, they are downloaded. The first call goes through
    TensorFlow Datasets and takes seconds to minutes; its arrays are kept in the cache:
    `cache_dir`, `$BPCJAX_CACHE`, or the user's cache folder (`~/.cache/bpcjax`).

    **Raises:** `DataError` (a `ValueError`) naming the argument, file or address, and the remedy.
    """
    if split not in SPLITS:
        raise DataError(f"split: {split!r} is unknown. Choose one of: {', '.join(SPLITS)}.")
    if name == "digits":
        whole = digits()
        cut = len(whole.labels) - TEST_DIGITS
        part = {"train": slice(cut), "test": slice(cut, None), "all": slice(None)}[split]
        return Images(whole.pixels[part], whole.labels[part])
    if name not in SETS:
        raise DataError(f"name: {name!r} is unknown. Choose one of: digits, {', '.join(SETS)}.")
    return load_set(SETS[name], split, data_dir, cache_dir=cache_dir)
