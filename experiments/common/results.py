"""Results on disk: whole or not there, with what is needed to make them again."""

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

import bpcjax
from bpcjax._files import (
    FileError,
    altered,
    clean,
    load_arrays,
    previous,
    replacing,
    save_arrays,
    save_checksums,
)

from . import InputError

_PACKAGES = "jax", "jaxlib", "equinox", "diffrax", "numpy", "xarray", "zarr"
_RESULTS = "results"  # the name of their checksums
_SHOWN = 5  # damaged files in an error's text


def versions() -> dict[str, str]:
    """Versions of Python, this package, and the packages that numbers depend on."""
    numbers = {"python": platform.python_version(), "bpcjax": bpcjax.__version__}
    for name in _PACKAGES:
        try:
            numbers[name] = version(name)
        except PackageNotFoundError:
            numbers[name] = "unknown"
    return numbers


def commit() -> str | None:
    """The git commit of the code, with `-dirty` where files differ from it; `None` outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        completed = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return completed.stdout.strip() or None


def code(*places: Path) -> str:
    """A hash of the code in `places`, files or folders."""
    digest = hashlib.sha256()
    for place in places:
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint(settings: dict[str, Any], *arrays: np.ndarray) -> str:
    """A short hash of settings, of arrays, and of everything else that numbers depend on."""
    ours = code(Path(bpcjax.__file__).parent, Path(__file__).parent)
    context = [versions(), ours, jax.config.jax_enable_x64, jax.default_backend()]
    digest = hashlib.sha256(json.dumps([settings, context], sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def write_json(path: Path, content: Any) -> None:
    """Write `content` as text, whole or not at all."""
    with replacing(path) as new:
        new.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def writable(out: str | Path) -> Path:
    """The folder `out`, made if it is not there.

    **Raises:** `InputError` if it cannot be written to.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out: cannot make the folder {out} ({error}). Pass another.") from error
    if not os.access(out, os.W_OK):
        raise InputError(f"out: the folder {out} cannot be written to. Pass another.")
    return out


def save(name: str, dataset: xr.Dataset, metrics: Any, config: Any, out: str | Path) -> None:
    """Write `out/NAME.zarr`, `out/NAME/config.json` and `out/NAME/metrics.json`, in this order,
    each whole or not at all."""
    out = writable(out)
    folder = writable(out / name)
    with replacing(out / f"{name}.zarr") as new:
        dataset.to_zarr(new, zarr_format=2)  # version 3 has no specification of strings yet
        save_checksums(new, _RESULTS, name)
    about = {"config": dataclasses.asdict(config), "versions": versions(), "commit": commit()}
    write_json(folder / "config.json", about)
    write_json(folder / "metrics.json", metrics)


def load(name: str, out: str | Path) -> xr.Dataset:
    """The data set that `save` wrote to `out/NAME.zarr`, in memory.

    **Raises:** `InputError` naming the store if it is not there, altered, or of another version.
    """
    store = Path(out) / f"{name}.zarr"
    clean(store.parent, f"{store.name}.")
    if not store.exists() and previous(store).exists():  # killed while it saved
        store = previous(store)
    if not store.exists():
        raise InputError(f"no {store}")
    try:
        damaged = altered(store, _RESULTS, name)
    except FileError as error:
        raise InputError(f"{store} is of another version, or damaged ({error})") from error
    if damaged:
        raise InputError(f"{store} is damaged, in {', '.join(damaged[:_SHOWN])}")
    with xr.open_zarr(store) as dataset:
        return dataset.load()


class Chunks:
    """Finished parts of a run under `out/NAME.work/`, so that a stopped run goes on from there.

    The folder bears the run's fingerprint: parts of another run are never taken for its own.
    """

    def __init__(self, name: str, out: str | Path, fingerprint: str):
        self.work = writable(out) / f"{name}.work"
        self.folder = self.work / fingerprint

    def _path(self, k: int) -> Path:
        return self.folder / f"chunk_{k:04d}.npz"

    def _label(self, k: int) -> str:
        return f"{self.folder.name}/{k}"

    def get(self, k: int) -> dict[str, np.ndarray] | None:
        """The arrays of part `k`, or `None` if it is not there; or not whole, with a warning."""
        return load_arrays(self._path(k), self._label(k), "It is made anew.")

    def put(self, k: int, arrays: dict[str, np.ndarray]) -> None:
        """Keep the arrays of part `k`."""
        save_arrays(self._path(k), self._label(k), arrays)

    def remove(self) -> None:
        """Drop the parts of this run; those of other runs, to be gone on with, stay."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.work.rmdir()
        except OSError:
            pass  # other runs have parts in there
