"""Source files of a data set: where they are, and whether they are the official ones."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

AGAIN = "Fetch the official file again."


class DataError(ValueError):
    """Error of a data set that cannot be read or stored: one line that names the argument and the
    remedy."""


def sha256(path: Path) -> str:
    """SHA-256 checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path: Path) -> str:
    """MD5 checksum of a file, in hexadecimal: for files whose publisher gives no other sum."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def is_recording(name: str) -> bool:
    """Whether a zip member is a sound: `recordings/NAME.wav`, in any folder."""
    return name.endswith(".wav") and "/recordings/" in f"/{name}"


def sum_of_members(path: Path) -> str:
    """SHA-256 checksum of the sounds in a zip file, by their names without folders.

    It does not depend on how they were packed: services pack the same files differently.

    **Raises:** `zipfile.BadZipFile` if it is no zip file, or damaged.
    """
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if is_recording(name)]
        lines = sorted(
            f"{name.rsplit('/')[-1]} {hashlib.sha256(archive.read(name)).hexdigest()}\n"
            for name in members
        )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class File:
    """File of a data set: its `name`, its `sum` by `how`, and its address on the net."""

    name: str
    sum: str
    url: str | None = None
    how: Callable[[Path], str] = sha256

    def check(self, path: Path) -> Path:
        """Verify the file at `path`, and return `path`.

        **Raises:** `DataError` naming the file if it cannot be read, is damaged, or is another.
        """
        try:
            got = self.how(path)
        except (zipfile.BadZipFile, EOFError) as error:
            raise DataError(
                f"data_dir: {path} is damaged or no zip file ({error}). {AGAIN}"
            ) from error
        except OSError as error:
            raise DataError(
                f"data_dir: {path} cannot be read ({error}). Put the official file there."
            ) from error
        if got != self.sum:
            raise DataError(
                f"data_dir: {path} ({path.stat().st_size} bytes) is cut short, altered or another "
                f"file: its {self.how.__name__} is {got}, not the official {self.sum}. {AGAIN}"
            )
        return path


def data_folder(data_dir: Path | str | None) -> Path | None:
    """Data folder: `data_dir`, which must exist, else `$BPCJAX_DATA` if it is set.

    **Raises:** `DataError` if it is no folder.
    """
    path = data_dir if data_dir is not None else os.environ.get("BPCJAX_DATA") or None
    if path is None:
        return None
    folder = Path(path).expanduser()
    if not folder.is_dir():
        who = "data_dir" if data_dir is not None else "BPCJAX_DATA"
        raise DataError(
            f"{who}: {folder} is no folder. Pass the folder that holds the data set's files, or "
            "leave data_dir out and BPCJAX_DATA unset to download them."
        )
    return folder


def find(files: Sequence[File], places: Sequence[Path]) -> dict[str, Path] | None:
    """Find the files in the first of the `places` with any of them: the checked path of each, by
    its name.

    `None` if no place has any.

    **Raises:** `DataError` if some are missing there, or are not the official ones.
    """
    for place in places:
        there = [(place / file.name).is_file() for file in files]
        if any(there):
            for file, exists in zip(files, there, strict=True):
                if not exists:
                    raise DataError(
                        f"data_dir: {place / file.name} is missing, next to its siblings. "
                        "Put the official file there."
                    )
            return {file.name: file.check(place / file.name) for file in files}
    return None
