"""Preparation of data sets through TensorFlow Datasets, without TensorFlow.

Builders write array_record files and are read as data sources, which need none. This module is
imported when a set is prepared, not before.
"""

import contextlib
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .cache import VERSION, no_room, writable
from .dataset import AbstractDataSet
from .files import DataError

try:
    import tensorflow_datasets
except ImportError as error:
    raise ImportError(
        "preparing a data set needs tensorflow-datasets: pip install 'bpcjax[data]'."
    ) from error

tfds: Any = tensorflow_datasets  # its lazy modules are unknown to type checkers
SPLITS = "train", "test"
BLOCK = 1000  # examples read at a time: 2-3 times as fast as one by one


def _builder_class(dataset: AbstractDataSet, paths: dict[str, Path]) -> Any:
    """TFDS's builder of the set, reading `paths` in their order."""
    with tfds.core.registered.skip_registration():

        class Builder(tfds.core.GeneratorBasedBuilder):
            name = dataset.name
            VERSION = tfds.core.Version(f"{VERSION}.0.0")

            def _info(self):
                features = tfds.features.FeaturesDict(dataset.features(tfds))
                return tfds.core.DatasetInfo(
                    builder=self, features=features, disable_shuffling=True
                )

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(split) for split in SPLITS}

            def _generate_examples(self, split):
                yield from enumerate(dataset.examples(paths, split))

    return Builder


def _written(dataset: AbstractDataSet, paths: dict[str, Path], folder: Path) -> Any:
    """The builder, its files written under `folder` (TFDS renames them when all are whole)."""
    place = folder / dataset.name
    for leftover in place.glob("incomplete.*"):  # of a run that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    builder = _builder_class(dataset, paths)(data_dir=folder, file_format="array_record")
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            builder.download_and_prepare(download_dir=folder, download_config=config)
    except DataError:
        raise
    except (OSError, RuntimeError) as error:  # array_record says RuntimeError
        raise no_room(folder, error) from error
    return builder


def _read(dataset: AbstractDataSet, builder: Any, split: str) -> dict[str, np.ndarray]:
    """Every feature's rows: stacked, or, where ragged, one after another with their `lengths`."""
    source = builder.as_data_source(split=split)
    parts: dict[str, list[np.ndarray]] = {}
    bar = tqdm(total=len(source), desc=f"reading {dataset.name} {split}", unit="example")
    with bar:
        for start in range(0, len(source), BLOCK):
            rows = source.__getitems__(list(range(start, min(start + BLOCK, len(source)))))
            block = {
                name: (np.concatenate if name in dataset.ragged else np.stack)(
                    [row[name] for row in rows]
                )
                for name in rows[0]
            }
            if dataset.ragged:
                block["lengths"] = np.array([len(row[dataset.ragged[0]]) for row in rows])
            for name, array in block.items():
                parts.setdefault(name, []).append(array)
            bar.update(len(rows))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def prepare(
    dataset: AbstractDataSet, paths: dict[str, Path], folder: Path
) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of both splits, from the set that TFDS keeps, or now makes, under `folder`.

    **Raises:** `DataError` if the files do not hold the set, or there is no room.
    """
    writable(folder)
    builder = _written(dataset, paths, folder)
    try:
        return {split: _read(dataset, builder, split) for split in SPLITS}
    except (OSError, RuntimeError, ValueError, IndexError):  # the stored set is damaged: once more
        shutil.rmtree(folder / dataset.name)
        builder = _written(dataset, paths, folder)
        return {split: _read(dataset, builder, split) for split in SPLITS}
