"""N-MNIST: recordings of an event camera before moving MNIST digits (Orchard, Jayawant, Cohen &
Thakor 2015)."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import AbstractDataSet
from .events import Events
from .files import AGAIN, DataError, File, md5
from .ragged import offsets_of

GRID = (2, 34, 34)  # polarity (1: brighter), row (downward), column


def read_events(raw: bytes, name: str = "the recording") -> tuple[np.ndarray, np.ndarray]:
    """Times (microseconds) and channels (index into `GRID`) of one recording's bytes.

    Five bytes an event: column, row, then one bit of polarity and 23 bits of time, big-endian.

    **Raises:** `DataError` naming the recording if the bytes are not such events.
    """
    if len(raw) % 5:
        raise DataError(f"data_dir: {name} is cut short: {len(raw)} bytes, 5 an event. {AGAIN}")
    fields = np.frombuffer(raw, np.uint8).reshape(-1, 5).astype(np.int32)
    x, y, high = fields[:, 0], fields[:, 1], fields[:, 2]
    times = ((high & 127) << 16) | (fields[:, 3] << 8) | fields[:, 4]
    if ((x >= GRID[2]) | (y >= GRID[1])).any():
        raise DataError(f"data_dir: {name} has events outside of {GRID[1:]} pixels. {AGAIN}")
    if (np.diff(times) < 0).any():
        order = np.argsort(times, kind="stable")
        times, x, y, high = times[order], x[order], y[order], high[order]
    channels = np.ravel_multi_index((high >> 7, y, x), GRID).astype(np.int32)
    return times, channels


def labels_by_list(archive: zipfile.ZipFile, split: str) -> dict[str, int]:
    """The label of each recording by its name, as `labels.csv` (file,label) has them."""
    rows = csv.DictReader(io.TextIOWrapper(archive.open("labels.csv"), "ascii"))
    return {r["file"]: int(r["label"]) for r in rows if r["file"].startswith(f"{split}/")}


def labels_by_folder(archive: zipfile.ZipFile, split: str) -> dict[str, int]:
    """The label of each recording by its name, `.../LABEL/NUMBER.bin`, in the order of numbers."""
    names = (name.split("/") for name in archive.namelist() if name.endswith(".bin"))
    recordings = sorted(
        (parts for parts in names if parts[-2].isdigit()), key=lambda p: int(p[-1][:-4])
    )
    return {"/".join(parts): int(parts[-2]) for parts in recordings}


@dataclass(frozen=True)
class EventFiles(AbstractDataSet):
    """Event recordings in zip files: `members` says which file has a split, and how labels are
    read."""

    name: str
    files: tuple[File, ...]
    folders: tuple[str, ...]
    members: Any  # split -> (file name, function of the archive and the split)
    ragged: tuple[str, ...] = ("times", "channels")

    def features(self, tfds: Any) -> dict[str, Any]:
        """Rows of unequal length, and their label."""
        ragged = tfds.features.Tensor(shape=(None,), dtype=np.int32, encoding="zlib")
        return {"times": ragged, "channels": ragged, "label": np.int64}

    def examples(self, paths: dict[str, Path], split: str) -> Iterator[dict[str, Any]]:
        """Every recording with its label, in official order."""
        file, labels = self.members[split]
        with zipfile.ZipFile(paths[file]) as archive:
            for name, label in labels(archive, split).items():
                times, channels = read_events(archive.read(name), f"{name} in {paths[file]}")
                yield {"times": times, "channels": channels, "label": label}

    def result(self, arrays: dict[str, np.ndarray]) -> Events:
        """Events with times in ms (float32 keeps all 23 bits of a microsecond count apart)."""
        times = arrays["times"].astype(np.float32) / np.float32(1000)
        offsets = offsets_of(arrays["lengths"])
        return Events(times, arrays["channels"], offsets, arrays["label"], GRID)


_MENDELEY = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/"
# The publisher's archives; their MD5 sums are those that readers of the set agree on.
NMNIST = EventFiles(
    "nmnist",
    (
        File(
            "Train.zip",
            "20959b8e626244a1b502305a9e6e2031",
            _MENDELEY + "39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",
            md5,
        ),
        File(
            "Test.zip",
            "69ca8762b2fe404d9b9bad1103e97832",
            _MENDELEY + "05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",
            md5,
        ),
    ),
    ("nmnist",),
    {"train": ("Train.zip", labels_by_folder), "test": ("Test.zip", labels_by_folder)},
)
# The first 1,000 and 100 recordings, packed in one file.
NMNIST_PART = EventFiles(
    "nmnist_small",
    (File("nmnist_small.zip", "99fddab4863af2a7d7d29a20d670195f22b56a5c2e216cbab03c2abd32701d1e"),),
    ("nmnist_small", "nmnist"),
    {
        "train": ("nmnist_small.zip", labels_by_list),
        "test": ("nmnist_small.zip", labels_by_list),
    },
)
