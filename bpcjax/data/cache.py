"""Cache of arrays between runs: whole and unaltered, or absent."""

import hashlib
import json
import os
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

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


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape} {array.dtype.str}\n".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write `arrays` to the cache under `path`, with their checksum and the version.

    Written beside its place, forced to disk, then renamed: the name is never on half a file.

    **Raises:** `DataError` if there is no room.
    """
    writable(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    meta = json.dumps({"version": VERSION, "sha256": _digest(arrays)})
    try:
        with part.open("wb") as file:
            np.savez(file, meta=np.array(meta), **arrays)  # pyright: ignore[reportArgumentType]
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise no_room(path.parent, error) from error
    finally:
        part.unlink(missing_ok=True)


def read(path: Path) -> dict[str, np.ndarray] | None:
    """Read the arrays cached under `path`; `None` if there are none, or of another version.

    Damaged ones are `None` too, with a warning.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))
            if meta["version"] != VERSION:
                return None
            arrays = {name: file[name] for name in file.files if name != "meta"}
        if _digest(arrays) == meta["sha256"]:
            return arrays
        why = "its checksum differs"
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        why = str(error)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        why = str(error)
    warnings.warn(f"{path} is damaged ({why}); it is made anew.", stacklevel=2)
    return None
