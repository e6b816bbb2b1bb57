"""`python -m figures`: every figure for which there are results."""

import dataclasses
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import tyro

from experiments.common import InputError
from experiments.common.results import load

from . import draw, names, style

COMMANDS = {"": "python -m experiments.{}", "theory": "python -m theory.regimes.{}"}


@dataclasses.dataclass(frozen=True)
class Config:
    """Make every figure for which there are results."""

    results: str = "results"
    """The folder of results."""
    out: str = str(style.OUT)
    """The folder for pictures."""
    gallery: bool = False
    """Write the small pictures to figures/gallery too."""


def main() -> None:
    """The command line; it ends with status 1 where results are missing, damaged or of another
    version."""
    config = tyro.cli(Config, description=__doc__)
    missing = 0
    for folder, name in names():
        out, command = Path(config.results) / folder, COMMANDS[folder].format(name)
        try:
            figure = draw(name, load(name, out), folder=folder)
        except InputError as error:
            missing += 1
            print(f"{name}: {error}; make it with `{command}`")
            continue
        except (AttributeError, KeyError) as error:  # a variable of newer results
            missing += 1
            print(f"{name}: {out / name}.zarr is of another version ({error}); make it again with "
                  f"`{command}`")  # fmt: skip
            continue
        print(*style.save(figure, name, config.out, gallery=config.gallery))
        plt.close(figure)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
