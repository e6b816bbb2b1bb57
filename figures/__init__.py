"""Figures: one file a study, by the name of its results; each has `draw(dataset) -> Figure`."""

import importlib
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from . import style as style

_FRAME = "style", "panels", "readme"  # files that draw no data set


def draw(name: str, dataset: xr.Dataset, *, folder: str = "") -> Figure:
    """The figure of the results `name`, those of theory in the folder `theory`."""
    module = ".".join(filter(None, [__name__, folder, name]))
    return importlib.import_module(module).draw(dataset)


def names() -> list[tuple[str, str]]:
    """Folder and name of every figure, by the files there are."""
    here = Path(__file__).parent
    return [
        (folder, path.stem)
        for folder in ("", "theory")
        for path in sorted((here / folder).glob("*.py"))
        if not path.stem.startswith("_") and path.stem not in _FRAME
    ]
