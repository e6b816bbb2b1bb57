"""One look for every figure, and how figures are kept."""

from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bpcjax._files import replacing

# Okabe & Ito (2008), "Color universal design": distinct to colour-blind readers too.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
PALETTE = BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK, YELLOW

IMAGES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "digits": "digits"}  # their names

WIDTH = 7.2  # inches, two columns
OUT = Path("figures/out")
GALLERY = Path(__file__).parent / "gallery"

_LOOK = {
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "figure.titlesize": 9,
    "font.size": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # text stays text
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
}


def look() -> AbstractContextManager:
    """A context in which figures have this look."""
    return mpl.rc_context(_LOOK)


def save(fig: Figure, name: str, folder: Path | str = OUT, *, gallery: bool = False) -> list[Path]:
    """Write `name.pdf` and `name.png` to `folder`, and with `gallery` a small PNG there."""
    paths = [Path(folder) / f"{name}.pdf", Path(folder) / f"{name}.png"]
    with replacing(paths[0]) as new:
        fig.savefig(new, metadata={"CreationDate": None})  # same results, same file
    with replacing(paths[1]) as new:
        fig.savefig(new, dpi=200)
    if gallery:
        with replacing(GALLERY / f"{name}.png") as new:
            fig.savefig(new, dpi=110)
    return paths
