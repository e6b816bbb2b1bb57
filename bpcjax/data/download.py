"""Download of files: whole and checked, or absent; a stopped one goes on."""

import errno
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .._files import publish
from .cache import no_room, writable
from .files import DataError, File

PATIENCE = 20.0  # seconds without an answer
BLOCK = 1 << 20  # bytes
_DISK = errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS


def _receive(url: str, part: Path) -> None:
    """Append to `part` what it lacks of the file at `url`."""
    begun = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "bpcjax"})
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    answer: Any
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not begun:  # 416: the file has no more than what is there
            raise
        error.close()
        part.unlink()
        return _receive(url, part)
    with answer:
        begun = begun if answer.status == 206 else 0  # 206: it goes on from there
        left = answer.headers.get("Content-Length")
        total = None if left is None else begun + int(left)
        bar = tqdm(total=total, initial=begun, desc=url.rsplit("/")[-1], unit="B", unit_scale=True)
        with bar, part.open("ab" if begun else "wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
                bar.update(len(block))
    if total is not None and part.stat().st_size < total:
        raise ConnectionError("the connection ended early")


def download(name: str, files: Sequence[File], folder: Path) -> dict[str, Path]:
    """Download the files of the set `name` into `folder`: the checked path of each, by its name.

    What is there already is kept. A file bears its name only when it is whole and checked.

    **Raises:** `DataError` if a file has no address, cannot be fetched, or has another sum.
    """
    remedy = (
        f"Put {', '.join(file.name for file in files)} into a folder; pass it as data_dir, or set "
        "BPCJAX_DATA to it."
    )
    for file in files:
        if file.url is None:
            raise DataError(f"data_dir: {name} must be on disk, there is no download. {remedy}")
    for file in files:
        path = writable(folder) / file.name
        part = path.with_name(f"{file.name}.part")
        if path.exists():
            continue
        try:
            if file.url is not None:
                _receive(file.url, part)
        except urllib.error.HTTPError as error:
            error.close()
            raise DataError(f"data_dir: no {name}; {file.url} says {error}. {remedy}") from error
        except (OSError, HTTPException) as error:
            if getattr(error, "errno", None) in _DISK:
                raise no_room(folder, error) from error
            raise DataError(
                f"data_dir: no folder with {name} was named, and {file.url} cannot be reached "
                f"({error}). {remedy} The same call again goes on where this one stopped."
            ) from error
        try:
            file.check(part)
        except DataError as error:
            part.unlink()
            raise DataError(f"{error} (It came from {file.url}.)") from error
        publish(part, path)
    return {file.name: file.check(folder / file.name) for file in files}
