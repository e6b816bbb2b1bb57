"""Cache of arrays between runs: whole and unaltered, or absent."""

import os
from pathlib import Path

import numpy as np

from .._files import load_arrays, save_arrays
from .files import DataError

VERSION = 1  # of the arrays' names and meaning: what another version wrote is made anew


def cache_folder(cache_dir: Path | str | None = None) -> Path:
    """Cache folder of prepared sets: `cache_dir`, else `$BPCJAX_CACHE`, else the user's cache
    folder (`$XDG_CACHE_HOME/bpcjax`, by default `~/.cache/bpcjax`)."""
    folder = cache_dir if cache_dir is not None else os.environ.get("BPCJAX_CACHE")
    if folder:
        return Path(folder).expanduser()
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if os.path.isabs(home) else Path("~/.cache").expanduser()
    return base / "bpcjax"


def writable(folder: Path) -> Path:
    """The folder, made if it is not there.

    **Raises:** `DataError` if it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cache_dir: cannot make the folder {folder} ({error}). Pass another."
        ) from error
    if not os.access(folder, os.W_OK):
        raise DataError(f"cache_dir: the folder {folder} cannot be written to. Pass another.")
    return folder


def no_room(folder: Path, error: BaseException) -> DataError:
    """The error to raise for a write that failed."""
    return DataError(
        f"cache_dir: writing to {folder} failed ({error}). Free some space there, or pass another "
        "folder as cache_dir."
    )


def _label(path: Path) -> str:
    return f"{VERSION}/{path.parent.name}/{path.name}"


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write `arrays` to the cache under `path`, whole or not at all.

    **Raises:** `DataError` if there is no room.
    """
    writable(path.parent)
    try:
        save_arrays(path, _label(path), arrays)
    except OSError as error:
        raise no_room(path.parent, error) from error


def read(path: Path) -> dict[str, np.ndarray] | None:
    """Read the arrays cached under `path`; `None` if there are none.

    Damaged ones, and those of another version, are `None` too, with a warning.
    """
    return load_arrays(path, _label(path), "It is made anew.")
