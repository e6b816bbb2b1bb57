"""Every kind of file that the project reads back, as one call that makes or reads it."""

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax.data import cache
from experiments.common import results
from experiments.common.study import Config, Parts
from experiments.common.training import run_epochs

Arrays = dict[str, np.ndarray]


def _wave(x, key):
    words = jax.random.key_data(key) * x
    return {"y": jnp.where(x < 2, jnp.nan, jnp.sin(x)), "z": ("t", words), "n": x > 3}


def sweep(folder: Path) -> Arrays:
    """A store of 5 chunks, the last one cut; one output is NaN all over a chunk."""
    axes = {"x": np.arange(5.0), "key": jax.random.split(jax.random.key(0), 2)}
    dataset = bpc.sweep(_wave, axes, chunk=2, store=folder / "s.zarr", progress=False)
    return {str(name): array.values for name, array in dataset.variables.items()}


def parts(folder: Path) -> Arrays:
    """Three parts of a study."""
    part = Parts(results.Chunks("study", folder, "fingerprint"))
    with contextlib.redirect_stdout(None):
        made = [part(str(k), lambda k=k: {"file": np.arange(9.0) * k, "k": k}) for k in range(3)]
    return {f"{name} {k}": np.asarray(made[k][name]) for k in range(3) for name in made[k]}


def checkpoints(folder: Path) -> Arrays:
    """Two runs of three epochs, with a checkpoint each."""
    rows = {}
    for run in range(2):

        def update(state, epoch, run=run):
            weights, count = state
            weights = weights * 0.5 + (run + 1) * np.arange(4.0)
            return (weights, count + 1), {"loss": np.float64(epoch + run), "row": weights[:2]}

        with contextlib.redirect_stdout(None):
            state = (np.zeros(4), np.array(0))
            trained = run_epochs(update, state, 3, path=folder / f"run{run}.npz")
        leaves = {str(k): np.asarray(leaf) for k, leaf in enumerate(trained.model)}
        rows |= {f"{name} {run}": array for name, array in (trained.history | leaves).items()}
    return rows


def caches(folder: Path) -> Arrays:
    """Arrays of two splits in the cache."""
    rows = {}
    for k, split in enumerate(("train", "test")):
        path = folder / "set" / f"{split}.npz"
        arrays = cache.read(path)
        if arrays is None:
            pixels = (np.arange(60, dtype=np.uint8) * (k + 1)).reshape(3, 4, 5)
            cache.write(path, {"pixels": pixels, "label": np.arange(3) + k})
            arrays = cache.read(path)
        assert arrays is not None
        rows |= {f"{name} {split}": array for name, array in arrays.items()}
    return rows


def saved(folder: Path, again: bool = False) -> Arrays:
    """Saved results of a study, that is run once, or again."""
    names = np.array(["a", "β"])
    dataset = xr.Dataset({"y": ("x", np.sin(np.arange(7.0)))}, {"x": np.arange(7), "name": names})
    if again or not (folder / "study" / "metrics.json").exists():
        results.save("study", dataset, {"mean": 1.0}, Config(), folder)
    dataset = results.load("study", folder)
    return {str(name): array.values for name, array in dataset.variables.items()}


KINDS: dict[str, Callable[[Path], Arrays]] = {
    call.__name__: call for call in (sweep, parts, checkpoints, caches, saved)
}


@functools.cache
def expected(kind: str) -> Arrays:
    """What the call gives in a folder where nothing was before."""
    with tempfile.TemporaryDirectory() as folder:
        return KINDS[kind](Path(folder))


def same(a: Arrays, b: Arrays) -> bool:
    """Whether two are the same to the last bit."""

    def bits(arrays):
        return {n: (x.shape, x.dtype.str, x.tobytes()) for n, x in arrays.items()}

    return bits(a) == bits(b)


def remains(folder: Path) -> list[str]:
    """Files and folders of writers that did not end, and locks."""
    names = [name for _, folders, files in os.walk(folder) for name in (*folders, *files)]
    return [name for name in names if name.endswith((".part", ".partial", ".lock"))]


REFUSALS = (ValueError, OSError)
