"""Base class of data sets: files, a reader of their examples, and the arrays a user gets."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .files import File


class AbstractDataSet(ABC):
    """Data set with the splits train and test, read from `files`."""

    name: str
    files: tuple[File, ...]
    folders: tuple[str, ...]  # where in a folder of data sets the files may be
    ragged: tuple[str, ...]  # the features whose rows differ in length

    @abstractmethod
    def features(self, tfds: Any) -> dict[str, Any]:
        """The features of an example, by TFDS's types or numpy's."""

    @abstractmethod
    def examples(self, paths: dict[str, Path], split: str) -> Iterator[dict[str, Any]]:
        """The examples of a split, in official order, from the files' paths by their names."""

    @abstractmethod
    def result(self, arrays: dict[str, np.ndarray]) -> Any:
        """Arrays for the user, from each feature's rows stacked, or, where they differ in length,
        one after another with their `lengths`."""

    @property
    def mark(self) -> str:
        """Name and a short hash of the files' sums: the folder of the prepared set."""
        sums = "".join(f"{file.name} {file.sum}\n" for file in self.files)
        return f"{self.name}-{hashlib.sha256(sums.encode()).hexdigest()[:12]}"
