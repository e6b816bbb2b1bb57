"""What all studies share: a command line, the time they took, results on disk, the picture."""

import dataclasses
import inspect
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import jax
import tyro
import xarray as xr

import bpcjax as bpc

from . import InputError
from .results import Chunks, code, fingerprint, save, write_json


@dataclasses.dataclass(frozen=True)
class Config:
    """What every study can be told."""

    FOLDER: ClassVar[str] = ""  # within `out`
    DOUBLE: ClassVar[bool] = True  # in double precision

    quick: bool = False
    """Fewer points, in less than a minute."""
    out: str = "results"
    """The folder for results."""
    figures: str = "figures/out"
    """The folder for the picture."""
    gallery: bool = False
    """Write the small picture to figures/gallery too."""


C = TypeVar("C", bound=Config)


def at_least(least: int, config: Config, *names: str) -> None:
    """Raise `InputError` with the name of the first of these settings that is below `least`."""
    for name in names:
        if getattr(config, name) < least:
            raise InputError(f"{name} must be at least {least}, got {getattr(config, name)}.")


class Parts:
    """Named parts of a study, each kept on disk when it is done: a stopped study goes on."""

    def __init__(self, name: str, config: Config):
        settings = dataclasses.asdict(config)
        for field in ("out", "figures", "gallery"):  # they change no number
            settings.pop(field)
        settings["code"] = code(Path(inspect.getfile(type(config))).parent)
        self.chunks = Chunks(name, Path(config.out) / config.FOLDER, fingerprint(settings))
        self.count = 0

    def __call__(self, label: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The arrays of the next part: those on disk, or made now."""
        k, self.count = self.count, self.count + 1
        found = self.chunks.get(k)
        if found is not None:
            print(f"{label}: there already", flush=True)
            return found
        print(f"{label} ...", end=" ", flush=True)
        began = time.perf_counter()
        found = jax.device_get(make())
        self.chunks.put(k, found)
        print(f"{time.perf_counter() - began:.1f} s", flush=True)
        return found


def _module(kind: type[Config]) -> str:
    """The name to run a study by: its own, also where it is run as the main program."""
    spec = getattr(sys.modules[kind.__module__], "__spec__", None)
    return kind.__module__ if spec is None else spec.name


def _command(config: Config) -> str:
    """What to run for the same results; folders of this machine by a word."""
    words = ["python -m", _module(type(config)), "--gallery"]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in ("out", "figures", "gallery") or value == field.default:
            continue
        option = field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
            continue
        values = value if isinstance(value, tuple) else (value,)
        told = "FOLDER" if field.name.endswith("_dir") else " ".join(map(str, values))
        words.append(f"--{option} {told}")
    return " ".join(words)


def main(
    name: str,
    kind: type[C],
    run: Callable[[C, Parts], xr.Dataset],
    summary: Callable[[xr.Dataset], dict[str, float]],
    figure: Callable[[], Any],
    description: str | None,
) -> None:
    """The command line of a study: run it (in double precision, unless its `Config` says not),
    save, print the table, draw.

    `figure()` gives the module with `draw(dataset)`.
    """
    config = tyro.cli(kind, description=description)
    jax.config.update("jax_enable_x64", kind.DOUBLE)
    began = time.perf_counter()
    try:
        parts = Parts(name, config)
        dataset = run(config, parts)
        found = summary(dataset)
        folder = Path(config.out) / config.FOLDER
        save(name, dataset, found, config, folder)
        parts.chunks.remove()
    except (InputError, bpc.SweepError) as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: stopped. The same command goes on from here.")
    for label, value in found.items():
        print(f"{label:48s} {value:.8g}")
    import matplotlib.pyplot as plt

    from figures import style

    drawn = figure().draw(dataset)
    path = style.save(drawn, name, config.figures, gallery=config.gallery)[-1]
    plt.close(drawn)
    if config.gallery:
        told = dataclasses.asdict(config) | {"out": kind.out, "figures": kind.figures}
        told = {k: None if k.endswith("_dir") else v for k, v in told.items()}  # of this machine
        about = {"command": _command(config), "config": told}
        write_json(style.GALLERY / f"{name}.json", about | {"metrics": found})
    took = time.perf_counter() - began
    print(f"{took:.0f} s; {folder / name}.zarr, {path}")
