"""Files on disk: written whole, checksummed and synced; read as they were written, or refused."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

try:
    import fcntl
except ImportError:  # not on Windows: there writers do not wait, and remove nothing of others
    fcntl = None

PROGRAM, FORMAT = "bpcjax", 1  # the format of archives: others are refused
CHECKSUMS = ".checksums"  # the folder in a folder, with the checksums of its files
_END = b"PK\5\6"  # of a zip archive: 22 bytes and the comment, at most 65,535
_BLOCK = 1 << 20  # bytes


class FileError(ValueError):
    """Error of a file that is damaged, or of another version, program or place."""


class WriteError(OSError):
    """Error of a file that cannot be written: the disk is full, or the folder read-only."""


def unwritable(path: Path | str, error: OSError) -> WriteError:
    """The error to raise where `path` could not be written to."""
    while isinstance(error.__cause__, OSError):
        error = error.__cause__
    return WriteError(
        error.errno or errno.EIO,
        f"{path} cannot be written to ({error}). Make room, or pass another place",
    )


def _hold(folder: Path, wait: Callable[[], None] | None) -> int | None:
    """Lock a folder until the handle is closed, or the process ends in whatever way.

    `None` where there is no such folder or the file system has no locks, or another holds it and
    `wait`, which is called before waiting, is none.
    """
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait is None:
                raise
            wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        return handle
    except BaseException as error:
        os.close(handle)
        if isinstance(error, OSError):
            return None
        raise


@contextlib.contextmanager
def lock(folder: Path, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold off all who lock the same folder; `wait` is called before waiting for another."""
    handle = _hold(folder, wait)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def clean(folder: Path, name: str = "") -> None:
    """Remove what killed writers of a name, or of all, left in a folder: who lives holds a lock."""
    with contextlib.suppress(OSError):  # there is no folder, or another process removed it
        for part in os.listdir(folder):
            if part.startswith(f".{name}") and part.endswith(".part"):
                handle = _hold(folder / part, None)
                if handle is not None:
                    shutil.rmtree(folder / part, ignore_errors=True)
                    os.close(handle)


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A place beside `path` for a file or folder in the making; what is left there is removed.

    **Raises:** `WriteError` naming `path` where it cannot be written to.
    """
    path = Path(os.path.realpath(path))
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            clean(path.parent, f"{path.name}.")
            while True:
                folder = Path(tempfile.mkdtemp(".part", f".{path.name}.", path.parent))
                stack.enter_context(lock(folder))
                if folder.exists():  # else another took it for that of a killed one
                    break
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            yield folder / path.name
        except OSError as error:
            raise unwritable(path, error) from error


def _sync(path: Path) -> None:
    if path.is_dir():
        if fcntl is None:
            return  # folders cannot be opened there
        handle = os.open(path, os.O_RDONLY)
    else:
        handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Wait until a file, or a folder and all in it, is on the disk."""
    for place in [*path.rglob("*"), path]:
        _sync(place)


def previous(path: Path) -> Path:
    """Where the file or folder is kept that bore the name before."""
    return path.with_name(f".{path.name}.before")


def publish(new: Path, path: Path, *, keep: bool = False) -> None:
    """Give what is at `new` the name `path`; what bore it is kept, or goes."""
    path = Path(os.path.realpath(path))
    sync(new)
    if keep or new.is_dir():
        before = previous(path)
        with lock(path.parent):
            if path.is_dir() == new.is_dir() and path.exists():
                _remove(before)
                os.replace(path, before)
            os.replace(new, path)
            if not keep:
                _remove(before)
    else:
        os.replace(new, path)
    _sync(path.parent)


@contextlib.contextmanager
def replacing(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """A place to write a file or folder at, which bears the name `path` when the block ends well.

    Its name never stands for half of it, and what bore it stays until then. `keep` that for
    `previous(path)`. Writers of one name each have their own place; the last one's stays.

    **Raises:** `WriteError` naming `path` where it cannot be written to.
    """
    with beside(path) as new:
        yield new
        publish(new, path, keep=keep)


def _digest(file: BinaryIO, size: int) -> str:
    """SHA-256 checksum of the first bytes of a file, in hexadecimal."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (block := file.read(min(_BLOCK, size))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def _about(label: str, digest: str) -> bytes:
    about = {"program": PROGRAM, "format": FORMAT, "label": label, "sha256": digest}
    return json.dumps(about).encode("ascii")


def _reason(comment: bytes, label: str) -> str:
    """Why an archive with this comment is not the one of the label."""
    try:
        about = json.loads(comment)
    except ValueError:
        about = None
    if not isinstance(about, dict) or about.get("program") != PROGRAM:
        return f"is cut short, altered, or was not written by {PROGRAM}"
    if about.get("format") != FORMAT:
        return f"is of version {about.get('format')}, not {FORMAT}"
    if about.get("label") != label:
        return f"holds {about.get('label')!r}, not {label!r}"
    return "is altered: its checksum differs"


def save_arrays(path: Path, label: str, arrays: Mapping[str, Any], *, keep: bool = False) -> None:
    """Write an archive `.npz` of arrays, by `replacing`; in its comment stand the label, by which
    it is known from others wherever it lies, and a checksum of all that is before it.

    **Raises:** `WriteError` naming `path`; `TypeError` for what is no array of a type of numpy.
    """
    with replacing(path, keep=keep) as new, new.open("w+b") as file:
        comment = _about(label, "0" * 64)
        with zipfile.ZipFile(file, "w") as archive:
            archive.comment = comment
            for name, value in arrays.items():
                array = np.asarray(value)
                if array.dtype.hasobject or np.dtype(array.dtype.str) != array.dtype:
                    raise TypeError(f"{path}: {name!r} holds {array.dtype}: cast it for numpy.")
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        size = file.seek(0, os.SEEK_END) - len(comment)
        digest = _digest(file, size)
        file.seek(size)
        file.write(_about(label, digest))


def read_arrays(path: Path, label: str) -> dict[str, np.ndarray]:
    """The arrays that were saved at `path` under the label.

    **Raises:** `FileError` naming `path` if these are not they, to the last bit.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 22 - 65535))
            tail = file.read()
            end = tail.rfind(_END)
            comment = b"" if end < 0 else tail[end + 22 :]
            if comment != _about(label, _digest(file, size - len(comment))):
                raise FileError(f"{path} {_reason(comment, label)}.")
            with zipfile.ZipFile(file) as archive:
                arrays = {}
                for name in archive.namelist():
                    with archive.open(name) as member:
                        arrays[name.removesuffix(".npy")] = np.lib.format.read_array(member)
                return arrays
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error}).") from error


def load_arrays(path: Path, label: str, remedy: str) -> dict[str, np.ndarray] | None:
    """The arrays saved at `path`, else those it had before; `None` if there are none whole.

    For each that is refused a warning says why, and the remedy.
    """
    clean(path.parent, f"{path.name}.")
    for place in (path, previous(path)):
        if place.exists():
            try:
                return read_arrays(place, label)
            except FileError as error:
                warnings.warn(f"{error} {remedy}", stacklevel=3)
    return None


def checksum(path: Path) -> str:
    """SHA-256 checksum of a file, in hexadecimal; empty if there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def save_checksums(folder: Path, name: str, label: str, files: Iterable[str] | None = None) -> None:
    """Keep the checksums of files in a folder, by default of all, under a name."""
    if files is None:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = [path.relative_to(folder).as_posix() for path in paths]
    files = list(files)
    sums = np.array([checksum(folder / file).encode() for file in files], "S64")
    save_arrays(folder / CHECKSUMS / f"{name}.npz", label, {"files": files, "sha256": sums})


def altered(folder: Path, name: str, label: str) -> list[str]:
    """The files of a folder that are no longer what their checksums say.

    **Raises:** `FileError` if the checksums themselves are not there, or damaged.
    """
    kept = read_arrays(folder / CHECKSUMS / f"{name}.npz", label)
    pairs = zip(kept["files"].tolist(), kept["sha256"].tolist(), strict=True)
    return [file for file, digest in pairs if checksum(folder / file).encode() != digest]
