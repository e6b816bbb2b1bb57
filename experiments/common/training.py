"""Training loop of all models: epochs with progress, checkpoints, and a refusal of NaN."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from tqdm import tqdm

from bpcjax._files import load_arrays, save_arrays

from . import InputError
from .finite import refuse_nan
from .results import fingerprint

_REMEDY = "Training goes on from the epoch before, or starts anew."

Metrics = dict[str, Any]
History = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of training.

    **Raises:** `InputError` for epochs or batches below one, and rates that are not positive.
    """

    epochs: int = 10
    batch: int = 128
    rate: float = 2e-3
    """Learning rate, at its largest."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least one, got {getattr(self, name)}.")
        if not 0 < self.rate < np.inf:
            raise InputError(f"rate must be positive and finite, got {self.rate}.")


class Trained(NamedTuple):
    """The model (of `run_epochs`, its state) after training; metrics by epoch, name ->
    [epochs, ...], NaN (or 0) for epochs that were not run; seconds of wall time and of the
    processor, compilation included."""

    model: Any
    history: History
    seconds: float
    processor_seconds: float


def epoch_key(config: TrainConfig, epoch: int) -> Array:
    """The random key of an epoch."""
    return jax.random.fold_in(jax.random.key(config.seed), 100 + epoch)


def progress(total: int, label: str) -> tqdm:
    """A progress bar of so many steps."""
    return tqdm(total=total, desc=label, mininterval=1.0, leave=False)


def checkpoint(folder: Path | None, about: Sequence[Any], *arrays: Any) -> Path | None:
    """The file in `folder` of a run: by its settings, its arrays, and the code; `None` without a
    folder."""
    if folder is None:
        return None
    return folder / f"{fingerprint({'about': list(about)}, *map(np.asarray, arrays))}.npz"


def run_epochs(
    update: Callable[[Any, int], tuple[Any, Metrics]],
    state: Any,
    epochs: int,
    *,
    path: Path | None = None,
    label: str = "",
    resume: Callable[[History], None] = lambda history: None,
    stop: Callable[[History], bool] = lambda history: False,
    stop_after: int | None = None,
) -> Trained:
    """Training loop: `state, metrics = update(state, epoch)` in each epoch, until there are so many
    or `stop` of the history so far.

    At `path` state and history are kept after each epoch; a stopped run goes on from there to the
    same numbers, after `resume(history)` has brought back what is not in the state; where they are
    damaged, from those of the epoch before, with a warning. It also ends after the epoch
    `stop_after`.

    **Raises:** `InputError`, naming epoch and leaf, where the state is no longer finite.
    """
    rows: list[dict[str, np.ndarray]] = []
    clock = np.zeros(2)
    arrays = None if path is None else load_arrays(path, path.name, _REMEDY)
    if arrays is not None:
        state, rows, clock = _restore(arrays, state)
        resume(_history(rows, len(rows)))
    for epoch in range(len(rows), epochs if stop_after is None else stop_after):
        if rows and stop(_history(rows, epoch)):
            break
        began = _clock()
        state, metrics = update(state, epoch)
        rows.append({name: _as_metric(value) for name, value in metrics.items()})
        clock = clock + _clock() - began
        refuse_nan(state, epoch + 1)
        if path is not None:
            _keep(path, state, rows, clock)
        title = f"{label} epoch {epoch + 1}/{epochs}"
        print(f"  {title}: {_line(rows[-1])}; {clock[0]:.0f} s", flush=True)
    return Trained(state, _history(rows, epochs), *map(float, clock))


def _clock() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def _is_real(value: np.ndarray) -> bool:
    return np.issubdtype(value.dtype, np.inexact)


def _as_metric(value: Any) -> np.ndarray:
    value = np.asarray(value)
    return value.astype(float) if _is_real(value) else value


def _line(row: dict[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {value.mean():.4g}" for name, value in row.items() if _is_real(value))


def _history(rows: list[dict[str, np.ndarray]], epochs: int) -> History:
    """Metrics [epochs, ...] of rows, one an epoch; blank where there are fewer rows."""
    history = {}
    for name, first in rows[0].items() if rows else ():
        blank = np.nan if _is_real(first) else 0
        history[name] = np.full((epochs, *first.shape), blank, first.dtype)
        history[name][: len(rows)] = [row[name] for row in rows]
    return history


def _keep(path: Path, state: Any, rows: list[dict[str, np.ndarray]], clock: np.ndarray) -> None:
    """Write a checkpoint of state and metrics; the one before is kept beside it."""
    arrays = {f"state {k}": leaf for k, leaf in enumerate(jax.tree.leaves(state))}
    arrays |= {f"metric {name}": value for name, value in _history(rows, len(rows)).items()}
    save_arrays(path, path.name, {"clock": clock, "epochs": len(rows), **arrays}, keep=True)


def _restore(
    arrays: dict[str, np.ndarray], state: Any
) -> tuple[Any, list[dict[str, np.ndarray]], np.ndarray]:
    leaves, structure = jax.tree.flatten(state)
    old = [arrays[f"state {k}"] for k in range(len(leaves))]
    history = {name[7:]: values for name, values in arrays.items() if name.startswith("metric ")}
    clock, epochs = arrays["clock"], int(arrays["epochs"])
    old = [
        jnp.asarray(a) if isinstance(b, jax.Array) else a for a, b in zip(old, leaves, strict=True)
    ]
    rows = [{name: values[k] for name, values in history.items()} for k in range(epochs)]
    return jax.tree.unflatten(structure, old), rows, clock
