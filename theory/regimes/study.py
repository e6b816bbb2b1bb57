"""What all studies share: a command line, the time they took, results on disk, the picture."""

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import tyro
import xarray as xr

import bpcjax as bpc
from experiments import InputError
from experiments.results import Chunks, fingerprint, save

FOLDER = "theory"


@dataclasses.dataclass(frozen=True)
class Config:
    """What every study can be told."""

    quick: bool = False
    """Fewer points, in less than a minute."""
    out: str = "results"
    """The folder for results: they go to its folder `theory`."""
    figures: str = "figures/out"
    """The folder for the picture."""
    gallery: bool = False
    """Write the small picture to figures/gallery too."""


C = TypeVar("C", bound=Config)


class Parts:
    """Named parts of a study, each kept on disk when it is done: a stopped study goes on."""

    def __init__(self, name: str, config: Config):
        settings = dataclasses.asdict(config)
        for field in ("out", "figures", "gallery"):  # they change no number
            settings.pop(field)
        self.chunks = Chunks(name, Path(config.out) / FOLDER, fingerprint(settings))
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


def main(
    name: str,
    kind: type[C],
    run: Callable[[C, Parts], xr.Dataset],
    summary: Callable[[xr.Dataset], dict[str, float]],
    figure: Callable[[], Any],
    description: str | None,
) -> None:
    """The command line of a study: run in double precision, save, print the table, draw.

    `figure()` gives the module with `draw(dataset)`.
    """
    config = tyro.cli(kind, description=description)
    jax.config.update("jax_enable_x64", True)
    began = time.perf_counter()
    try:
        parts = Parts(name, config)
        dataset = run(config, parts)
        found = summary(dataset)
        save(name, dataset, found, config, Path(config.out) / FOLDER)
        parts.chunks.remove()
    except (InputError, bpc.SweepError) as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: stopped. The same command goes on from here.")
    for label, value in found.items():
        print(f"{label:48s} {value:.8g}")
    from figures import style

    drawn = figure().draw(dataset)
    path = style.save(drawn, name, config.figures, gallery=config.gallery)[-1]
    took = time.perf_counter() - began
    print(f"{took:.0f} s; {config.out}/{FOLDER}/{name}.zarr, {path}")
