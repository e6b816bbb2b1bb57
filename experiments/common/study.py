"""A study is data: its settings, what is run, a summary. The frame does all the rest."""

import dataclasses
import inspect
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic

import jax
import tyro
import xarray as xr

import bpcjax as bpc
from bpcjax._files import WriteError

from . import InputError
from .results import Chunks, code, fingerprint, save, write_json
from .settings import CHANGE_NO_NUMBER, C, Config as Config, prepared, setting as setting

_EXPERIMENTS = Path(__file__).parents[1]
_ORACLES = _EXPERIMENTS.parent / "theory" / "closed_forms"


class Parts:
    """Named parts of a study, each kept on disk when it is done: a stopped study goes on."""

    def __init__(self, chunks: Chunks):
        self.chunks = chunks
        self.count = 0

    @property
    def work(self) -> Path:
        """The folder for what is not finished, of all runs of this study."""
        return self.chunks.work

    def __call__(self, label: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The arrays of the next part: those on disk, or made now."""
        k, self.count = self.count, self.count + 1
        cached = self.chunks.get(k)
        if cached is not None:
            print(f"{label}: there already", flush=True)
            return cached
        print(f"{label} ...", end=" ", flush=True)
        began = time.perf_counter()
        arrays = jax.device_get(make())
        self.chunks.put(k, arrays)
        print(f"{time.perf_counter() - began:.1f} s", flush=True)
        return arrays


def listing(metrics: dict[str, Any]) -> str:
    """A line for each number, or text."""
    lines = (f"{x}" if isinstance(x, str) else f"{x:.8g}" for x in metrics.values())
    return "\n".join(f"{label:48s} {line}" for label, line in zip(metrics, lines, strict=True))


@dataclasses.dataclass(frozen=True)
class Study(Generic[C]):
    """A study: `run(config, parts)` gives its data set, `summary(dataset)` the numbers of it.

    Results are `out/folder/name.zarr`; the figure is that of the same name (`figures/`). `double`:
    in double precision. `table(metrics)` is what is printed of the summary.
    """

    name: str
    config: type[C]
    run: Callable[[C, Parts], xr.Dataset]
    summary: Callable[[xr.Dataset], Any]
    folder: str = ""
    double: bool = True
    table: Callable[[Any], str] = listing

    @property
    def module(self) -> str:
        """The name to run it by: `python -m MODULE`."""
        name = self.config.__module__
        spec = getattr(sys.modules[name], "__spec__", None)
        return name if spec is None else spec.name

    def parts(self, config: C) -> Parts:
        """The parts of a run with these settings, by the code that makes their numbers."""
        settings = dataclasses.asdict(config)
        settings = {k: v for k, v in settings.items() if k not in CHANGE_NO_NUMBER}
        file = Path(inspect.getfile(self.run))
        own = file if file.parent == _EXPERIMENTS else file.parent
        settings |= {"double": self.double, "code": code(own, _ORACLES)}
        with jax.enable_x64(self.double):  # the fingerprint holds the precision
            mark = fingerprint(settings)
        return Parts(Chunks(self.name, Path(config.out) / self.folder, mark))

    def __call__(self, config: C, parts: Parts | None = None) -> xr.Dataset:
        """The data set of these settings; parts that are on disk are taken from there.

        **Raises:** `InputError` naming the setting that makes no sense.
        """
        config = prepared(config)
        with jax.enable_x64(self.double):
            return self.run(config, self.parts(config) if parts is None else parts)

    def command(self, config: C) -> str:
        """What to run for the same results; folders of this machine by a word."""
        words = ["python -m", self.module, "--gallery"]
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            if field.name in CHANGE_NO_NUMBER or value == field.default:
                continue
            option = field.name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
                continue
            values = value if isinstance(value, tuple) else (value,)
            text = "FOLDER" if field.name.endswith("_dir") else " ".join(map(str, values))
            words.append(f"--{option} {text}")
        return " ".join(words)

    def main(self) -> None:
        """The command line: run, save, print the table, draw."""
        config = tyro.cli(self.config, description=sys.modules[self.config.__module__].__doc__)
        began = time.perf_counter()
        folder = Path(config.out) / self.folder
        try:
            parts = self.parts(prepared(config))  # by the code as it is when the run begins
            dataset = self(config, parts)
            metrics = self.summary(dataset)
            save(self.name, dataset, metrics, config, folder)
            parts.chunks.remove()
            print(self.table(metrics))
            picture = self._draw(dataset, config, metrics)
        except (InputError, bpc.SweepError) as error:
            sys.exit(f"{self.name}: {error}")
        except WriteError as error:
            sys.exit(f"{self.name}: {error}. The same command goes on from here.")
        except KeyboardInterrupt:
            sys.exit(f"{self.name}: stopped. The same command goes on from here.")
        print(f"{time.perf_counter() - began:.0f} s; {folder / self.name}.zarr, {picture}")

    def _draw(self, dataset: xr.Dataset, config: C, metrics: Any) -> Path:
        """The figure on disk, and what the gallery holds of a run."""
        import matplotlib.pyplot as plt

        import figures

        figure = figures.draw(self.name, dataset, folder=self.folder)
        path = figures.style.save(figure, self.name, config.figures, gallery=config.gallery)[-1]
        plt.close(figure)
        if config.gallery:
            defaults = {"out": self.config.out, "figures": self.config.figures}
            settings = dataclasses.asdict(config) | defaults
            settings = {k: None if k.endswith("_dir") else v for k, v in settings.items()}
            about = {"command": self.command(config), "config": settings}
            write_json(figures.style.GALLERY / f"{self.name}.json", about | {"metrics": metrics})
        return path
